"""A process that has imported everything and forks a child for each run, so that a run costs no start-up.

Run as a script it reads one request per line of JSON and answers each with a line. `Victims` is the other end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOW = 1769936400.0  # 2026-02-01T09:00:00Z
TIMEOUT = 120  # seconds a run may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a run. `killed` at `words`; else `outcome`: steps done, problems, steps and waits that remain."""

    killed: bool
    words: str = ""
    outcome: Mapping[str, Any] = field(default_factory=dict)
    effects: tuple[tuple[str, str, bool], ...] = ()

    @property
    def fine(self) -> bool:
        return not self.killed and not self.outcome.get("error") and not self.outcome.get("problems")


class Victims:
    """Runs things in `base` (below it lies all that is durable) in a child that may be killed at an effect."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environ), text=True
        )

    def run(
        self, base: Path, *act: Any, at: str = "repo", stop: int | None = None, watch: bool = False, real: bool = False
    ) -> Run:
        """`act` is a method's name and its arguments; `stop` the index of the effect to die before; `watch` notes all.

        `real` uses the real trainer and checks.
        """
        request = {"base": str(base), "at": at, "act": act, "stop": stop, "watch": watch, "real": real}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        effects = tuple(tuple(item) for item in answer.pop("effects", ()))
        return Run(**answer, effects=effects)

    def close(self) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(timeout=30)


def serve() -> None:
    """Import what a run needs, then fork for each request."""
    import click
    import dvc.repo.reproduce
    import dvc_data.hashfile.build
    import dvc_data.hashfile.transfer
    import git
    import jsonschema
    import pandas as pd

    import stellwerk.app.run
    import stellwerk.app.session
    import stellwerk.app.setup
    import stellwerk.reconcile.check
    import stellwerk.reconcile.snapshot

    del click, dvc, dvc_data, git, jsonschema, pd, stellwerk
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a child prints is no answer
    for line in sys.stdin:
        request = json.loads(line)
        base = Path(request["base"])
        note = base.with_name(f"{base.name}.answer")
        note.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _live(base, request, note)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        text = note.read_text() if note.exists() else ""
        if code == 0:
            answer = {"killed": False, **json.loads(text)}
        elif code == -9:
            answer = {"killed": True, "words": text}
        else:
            answer = {"killed": False, "outcome": {"error": f"ended with {code}: {text}"}}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _live(base: Path, request: Mapping[str, Any], note: Path) -> None:
    """The child's life; never returns."""
    code = 0
    try:
        room = base.with_name(f"{base.name}.tmp")
        room.mkdir(exist_ok=True)
        os.environ["TMPDIR"] = str(room)
        root = base / request["at"]
        os.chdir(root)
        if not request["real"]:
            import quick_model

            quick_model.put_in()
        from boundaries import Watch, watch

        watcher = Watch(base=base.resolve(), stop=request["stop"], last_words=note)
        if request["watch"] or request["stop"] is not None:
            watch(watcher)
        outcome = _act(root, *request["act"])
        effects = [(item.kind, item.what, item.torn) for item in watcher.seen]
        watcher.stop = -1
        note.write_text(json.dumps({"outcome": outcome, "effects": effects}))
    except BaseException:  # noqa: BLE001 the parent tells
        note.write_text(traceback.format_exc())
        code = 1
    os._exit(code)


def _act(root: Path, name: str, *args: Any) -> dict[str, Any]:
    """Do it as the command would, at a fixed time; the answer as plain data."""
    from stellwerk.app import ReconcileRequest, Workspace
    from stellwerk.app.setup import init
    from stellwerk.errors import StellwerkError
    from stellwerk.model.ports import Clock

    options = args[-1] if args and isinstance(args[-1], dict) else {}
    plain = [item for item in args if not isinstance(item, dict)]
    environ = dict(os.environ)
    try:
        if name == "init":
            return {"done": list(init(root, yes=True, environ=environ)[0])}
        workspace = Workspace.open(root, environ=environ, clock=Clock(now=lambda: NOW))
        if name != "reconcile":
            return {"done": [getattr(workspace, name)(*plain, **{"push": None, **options}).summary]}
        outcome = workspace.reconcile(ReconcileRequest(**options), lambda _: None)
    except StellwerkError as error:
        return {"error": f"{error.where}: {error.message} ({error.hint})"}
    return {
        "done": [item.summary for item in outcome.done],
        "problems": [list(item) for item in outcome.problems],
        "remaining": [step.key for step in outcome.remaining.steps],
        "waits": [wait.kind.value for wait in outcome.waits],
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    serve()
