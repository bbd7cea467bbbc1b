"""Many reconcilers at once on one bare repository: nothing is lost, nothing is doubled, nobody starves.

The ordinary run is small. STELLWERK_RACES=full runs the whole: 16 racers, 20 commits each.
"""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))

from arena import build, git
from smart_http import smart_http

FULL = os.environ.get("STELLWERK_RACES") == "full"
RACERS, EACH = (16, 20) if FULL else (4, 3)
BOTH = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
ONE = BOTH if FULL else pytest.mark.parametrize("address", ["file"], indirect=True)


@pytest.fixture
def arena(tmp_path):
    return build(tmp_path, racers=RACERS, each=EACH)


@pytest.fixture
def address(request, arena):
    """Where the bare repository is found: as a file, or by git's own HTTP server."""
    if request.param == "file":
        yield f"file://{arena.bare}"
        return
    with smart_http(arena.bare.parent) as served:
        yield f"{served}/{arena.bare.name}"


def look(arena, roots):
    """What holds after any race: one line of history, clean clones that can follow it, and nothing damaged."""
    assert git(arena.bare, "rev-list", "--min-parents=2", "main") == ""
    git(arena.bare, "fsck", "--no-dangling")
    for root in roots:
        assert git(root, "status", "--porcelain") == ""
        git(root, "merge-base", "--is-ancestor", "HEAD", "origin/main")
        git(root, "fsck", "--no-dangling")
        assert [path.name for path in (root / ".git/stellwerk").glob("sync.json")] == []
    return git(arena.bare, "log", "--format=%s", "main").splitlines()


def versions(arena):
    """(model, number) of every version in main; the number its record says must be that of its folder."""
    found = []
    for path in git(arena.bare, "ls-tree", "-r", "--name-only", "main", "registry/").splitlines():
        if path.endswith("/version.yaml"):
            record = yaml.safe_load(git(arena.bare, "show", f"main:{path}"))
            assert path == f"registry/{record['model']}/{record['number']}/version.yaml"
            found.append((record["model"], record["number"]))
    return found


def commits_of(answers, arena):
    """Every commit a racer says it made is in main, exactly once."""
    there = git(arena.bare, "rev-list", "--first-parent", "main").splitlines()
    said = [commit for answer in answers for commit in answer["commits"]]
    assert Counter(said) == Counter(set(said))
    assert set(said) <= set(there)
    return len(said)


def empty_plans(roots):
    """A plan after it all has nothing to do, in a clone that has everything."""
    git(roots[0], "pull", "--quiet", "--ff-only")
    command = [sys.executable, "-m", "stellwerk", "plan", "--detailed-exitcode"]
    done = subprocess.run(command, cwd=roots[0], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def figures(answers):
    """Printed, with -s: how long the pushes waited, and how many were lost."""
    waits = sorted(wait for answer in answers for wait in answer["waits"])
    seconds = max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers)
    commits, losses = sum(len(answer["commits"]) for answer in answers), sum(answer["losses"] for answer in answers)
    print(  # noqa: T201
        f"\n{len(answers)} racers: {commits} commits in {seconds:.1f} s ({commits / seconds:.1f}/s), {len(waits)} pushes "
        f"({len(waits) / seconds:.1f}/s), {losses} lost; wait p50 {waits[len(waits) // 2]:.2f} s, "
        f"p95 {waits[int(len(waits) * 0.95)]:.2f} s, max {waits[-1]:.2f} s"
    )


@BOTH
def test_reconcilers_of_different_models_all_get_through_with_everything_they_did(arena, address):
    roots = [arena.clone(number, address) for number in range(RACERS)]
    answers = arena.race(roots, [{"shard": f"{number + 1}/{RACERS}"} for number in range(RACERS)])
    figures(answers)
    log = look(arena, roots)
    assert commits_of(answers, arena) == RACERS * EACH
    assert sorted(versions(arena)) == sorted((name, 1) for names in arena.models for name in names)
    assert sorted(line for line in log if line.startswith("train: ")) == sorted(
        f"train: {name} v1" for names in arena.models for name in names
    )
    empty_plans(roots)


@ONE
def test_reconcilers_of_the_same_models_do_everything_once(arena, address):
    roots = [arena.clone(number, address) for number in range(RACERS)]
    mine = {"shard": f"1/{RACERS}"}
    answers = arena.race(roots, [mine] * RACERS)
    figures(answers)
    log = look(arena, roots)
    assert commits_of(answers, arena) == EACH
    assert sorted(versions(arena)) == sorted((name, 1) for name in arena.models[0])
    assert Counter(log) == Counter([*(f"train: {name} v1" for name in arena.models[0]), "render", "declare"])


@ONE
def test_decisions_about_the_same_model_are_all_made_one_after_the_other(arena, address):
    """Each is decided anew on what won: none overwrites the one before without having seen it."""
    model = arena.models[0][0]
    path = f"environments/production/{model}.yaml"
    seed = arena.clone(RACERS, f"file://{arena.bare}")
    arena.race([seed], [{"shard": f"1/{RACERS}"}])
    (seed / path).parent.mkdir(exist_ok=True)
    (seed / path).write_text("version: 1\n")
    git(seed, "add", path)
    git(seed, "commit", "--quiet", "--message", "release")
    git(seed, "push", "--quiet", "origin", "main")
    roots = [arena.clone(number, address) for number in range(RACERS)]
    jobs = [{"holds": EACH, "model": model, "name": f"racer {number}"} for number in range(RACERS)]
    answers = arena.race(roots, jobs)
    figures(answers)
    look(arena, roots)
    assert commits_of(answers, arena) == RACERS * EACH
    because = [
        yaml.safe_load(git(arena.bare, "show", f"{commit}:{path}"))["hold"]["because"]
        for commit in git(arena.bare, "rev-list", f"--max-count={RACERS * EACH}", "main").splitlines()
    ]
    assert sorted(because) == sorted(f"racer {number} says {turn}" for number in range(RACERS) for turn in range(EACH))
    for number in range(RACERS):  # of each racer in the order it decided
        mine = [text for text in reversed(because) if text.startswith(f"racer {number} ")]
        assert mine == [f"racer {number} says {turn}" for turn in range(EACH)]
