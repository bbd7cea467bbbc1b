"""An interruption that gets lost in a job comes again; one that is being cleaned up behind is left alone."""

from __future__ import annotations

import contextlib
import time

from stellwerk.adapters import crew as crews
from stellwerk.adapters.crew import Crew


def heard(call, monkeypatch) -> list[tuple[str, object]]:
    """What the job says after it was interrupted."""
    monkeypatch.setattr(crews, "AGAIN", 0.2)
    found = []
    with Crew() as crew:
        crew.start("job", call)
        while crew.busy:
            for said in crew.wait(0.05):
                found.append((said.kind, said.value))
                if said.value == "at work":
                    crew.interrupt()
    return found


def test_an_interruption_that_was_swallowed_comes_again(monkeypatch):
    def call(asker):
        asker.line("at work")
        with contextlib.suppress(KeyboardInterrupt):  # as the interpreter does in a callback
            time.sleep(30)
        time.sleep(30)

    assert heard(call, monkeypatch) == [("line", "at work"), ("interrupted", None)]


def test_cleaning_up_is_not_interrupted(monkeypatch):
    def call(asker):
        asker.line("at work")
        try:
            time.sleep(30)
        finally:
            time.sleep(0.8)
            asker.line("clean")

    assert heard(call, monkeypatch)[-1] == ("interrupted", None)
