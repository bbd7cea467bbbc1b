"""A bare repository, and as many clones as there are racers. Every model is declared and rendered, none is trained."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stellwerk.app.setup import init
from stellwerk.planning.shard import place

RACER = Path(__file__).with_name("racer.py")
CODE = "def train(frame, **params):\n    return params\n\n\ndef predict(model, frame):\n    return frame['x']\n"
HEAD = """\
version: 1
limits: {trainings: 100000}
teams: {science: {contact: science@example.com, members: [{name: ada, email: ada@example.com}]}}
owners: {accountable: science, develops: science, operates: science}
datasets: {sales: {path: data/sales.csv}}
defaults: {source: src/model.py, target: sold, task: regression, train: {data: sales}}
models:
"""
IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "Ada Lovelace", "EMAIL": "ada@example.com"}.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """`models` are the names by racer, `each` of them for every one. `address` is what the clones were cloned from."""

    base: Path
    bare: Path
    racers: int
    models: Sequence[Sequence[str]]

    def clone(self, number: int, address: str) -> Path:
        target = self.base / f"clone-{number}"
        git(self.base, "clone", "--quiet", address, str(target))
        git(target, "config", "gc.auto", "0")  # what git tidies up in the background is not what is raced
        return target

    def race(self, roots: Sequence[Path], jobs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Start a process per root; all begin at the same moment, when the last one is ready. Returns what each said."""
        command = [sys.executable, str(RACER)]
        started = [
            subprocess.Popen(
                [*command, str(root), json.dumps(dict(job))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                env=_racer(number),
            )
            for number, (root, job) in enumerate(zip(roots, jobs, strict=True))
        ]
        try:
            for process in started:
                line = process.stdout.readline()
                assert line == "ready\n", f"{line}{process.communicate()[1]}"
            for process in started:
                process.stdin.write("go\n")
                process.stdin.flush()
            return [_answer(process) for process in started]
        finally:
            for process in started:
                process.kill()
                process.wait()


def _racer(number: int) -> dict[str, str]:
    """The environment of a racer, whose commits are nobody else's."""
    environ = {**os.environ, **IDENTITY, "GIT_AUTHOR_NAME": f"Racer {number}", "GIT_COMMITTER_NAME": f"Racer {number}"}
    return {key: value for key, value in environ.items() if key not in {"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"}}


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=1800)
    assert process.returncode == 0, f"exit code {process.returncode}: {err[-3000:]}"
    return dict(json.loads(out.splitlines()[-1]))


def build(base: Path, *, racers: int, each: int) -> Arena:
    """The repository to race on; every racer has a shard of `each` models of its own."""
    seed, bare = base / "seed", base / "origin.git"
    names = [tuple(itertools.islice(_names_in(number, racers), each)) for number in range(1, racers + 1)]
    seed.mkdir(parents=True)
    git(seed, "init", "--quiet", "--initial-branch=main")
    lines = [f"  {name}: {{train: {{params: {{of: {name}}}}}}}\n" for name in sorted(itertools.chain(*names))]
    pointer = "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  size: 9\n  hash: md5\n  path: sales.csv\n"
    files = {
        "mlops.yaml": HEAD + "".join(lines),
        "src/model.py": CODE,
        "data/sales.csv.dvc": pointer,
        "data/.gitignore": "/sales.csv\n",
        "environments/production.yaml": "purpose: production\npromotion: manual\n",
    }
    for path, text in files.items():
        (seed / path).parent.mkdir(parents=True, exist_ok=True)
        (seed / path).write_text(text)
    environ = {**os.environ, **IDENTITY}
    init(seed, yes=True, environ=environ)
    git(seed, "add", "--all")
    git(seed, "commit", "--quiet", "--message", "declare")
    subprocess.run(
        [sys.executable, "-m", "stellwerk", "render"], cwd=seed, env=environ, capture_output=True, check=True
    )
    git(seed, "add", "--all")
    git(seed, "commit", "--quiet", "--message", "render")
    git(base, "clone", "--quiet", "--bare", str(seed), str(bare))
    git(bare, "config", "http.receivepack", "true")
    git(bare, "config", "receive.autogc", "false")
    return Arena(base=base, bare=bare, racers=racers, models=names)


def _names_in(shard: int, of: int) -> Iterator[str]:
    return (f"m{number:05d}" for number in itertools.count() if place(f"m{number:05d}", of) == shard)


def git(folder: Path, *args: str) -> str:
    """Run git; AssertionError with its words where it fails."""
    environ = {**os.environ, **IDENTITY}
    done = subprocess.run(["git", *args], cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, f"git {' '.join(args)}: {done.stderr or done.stdout}"
    return done.stdout.strip()
