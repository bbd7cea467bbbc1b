"""The claims of the fuzzer, held once by every input it starts from. The long form: `python tests/fuzz/fuzz_loader.py`."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import loader_claims
import pytest

HERE = Path(__file__).resolve().parent

SEEDS = loader_claims.seeds()


def test_whatever_a_seed_holds_the_loader_answers_in_bounded_time_and_memory():
    for name, data in SEEDS.items():
        began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            loader_claims.check(data)
        except Exception as error:
            error.add_note(f"the seed is {name}")
            raise
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (
            1 if sys.platform == "darwin" else 1024
        )
        assert time.process_time() - began < loader_claims.SECONDS, name
        assert grown < 200 * 1024**2, name


def test_seeds_hold_what_is_declared_and_what_is_not():
    from stellwerk.declarations.compose import load_declarations

    loaded = [load_declarations(loader_claims.MemoryTree(loader_claims.files_of(data)))[0] for data in SEEDS.values()]
    assert sum(found is not None and found.complete for found in loaded) > 50
    assert sum(found is None for found in loaded) > 20


@pytest.mark.parametrize("claim", ["check_document", "check_tree"])
def test_a_loader_that_raises_is_found(claim, monkeypatch):
    from stellwerk.declarations import document

    def broken(text):
        raise RuntimeError(text)

    monkeypatch.setattr(document, "plain_scalar", broken)
    given = SEEDS["reference"] if claim == "check_document" else loader_claims.files_of(SEEDS["reference"])
    with pytest.raises(RuntimeError):
        getattr(loader_claims, claim)(given)


def test_without_atheris_the_command_says_that_it_is_blind(tmp_path):
    command = [sys.executable, HERE / "fuzz_loader.py", "--engine", "hypothesis", "--seconds", "1", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WITHOUT coverage guidance" in done.stdout
    assert "found: nothing" in done.stdout
