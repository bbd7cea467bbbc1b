"""SIGKILL at an effect boundary: the next run, here or on another machine, finishes without a person.

Ordinarily a sample is killed; `STELLWERK_CRASH=all` kills at every boundary of every scenario (see tests/README.md).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from boundaries import Effect
from invariants import check_repository, facts
from scenarios import RECONCILE, SCENARIOS, Company, Scenario, States

ALL = os.environ.get("STELLWERK_CRASH") == "all"


@dataclass
class Trial:
    """A scenario, how it ends when nobody kills it, and what other machines made of what a dead one had pushed."""

    scenario: Scenario
    start: Company
    ends: list[dict[str, object]]
    effects: tuple[Effect, ...]
    kept: frozenset[str]
    elsewhere: dict[str, Company] = field(default_factory=dict)


def rehearse(states: States, scenario: Scenario) -> Trial:
    """Run it without a kill: its effects, and how it may end."""
    start = states.start(scenario)
    done = start.copy(states.folder / f"done-{scenario.name}")
    effects = done.good(*scenario.act, watch=True, real=scenario.real).effects
    ends = [_finish(done, scenario)]
    if scenario.decides:
        undecided = start.copy(states.folder / f"undecided-{scenario.name}")
        ends.append(_finish(undecided, scenario))
    kept = facts(start.origin, "refs/heads/main")
    found = tuple(Effect(kind=kind, what=what, torn=torn) for kind, what, torn in effects)
    return Trial(scenario, start, ends, found, kept)


def _finish(company: Company, scenario: Scenario) -> dict[str, object]:
    company.good(*RECONCILE, real=scenario.real)
    _check(company, scenario)
    return final_state(company, scenario)


def _check(company: Company, scenario: Scenario, at: str = "repo", kept: frozenset[str] = frozenset()) -> None:
    root, whole = company.base / at, at == "repo" and not company.base.name.endswith("-back")
    check_repository(root, ref=scenario.ref, remote=company.origin, packages=company.packages, kept=kept, fsck=whole)


def kill(trial: Trial, company: Company, index: int) -> str:
    """Kill the scenario's act there; what holds at any moment holds. Returns what it died at."""
    run = company.run(*trial.scenario.act, stop=index, real=trial.scenario.real)
    assert run.killed, f"not killed at {index}: {run}"
    for root in (company.root, company.origin):
        check_repository(
            root, ref="refs/heads/main", packages=company.packages, settled=False, kept=trial.kept, fsck=False
        )
    return run.words


def recover_here(trial: Trial, company: Company, stop: int | None = None) -> None:
    """The next run in the same clone; `stop` kills it as well, and one more finishes."""
    if stop is not None:
        company.run(*RECONCILE, stop=stop, real=trial.scenario.real)
    company.good(*RECONCILE, real=trial.scenario.real)
    _judge(trial, company)


def recover_elsewhere(trial: Trial, company: Company, folder: Path) -> None:
    """A fresh clone finishes; then the machine that died comes back and finds nothing left to do.

    Other machines see only what was pushed, so one of them is asked for all deaths that leave the same there.
    """
    shared = _shared(company)
    if shared not in trial.elsewhere:
        other = company.copy(folder / f"elsewhere-{trial.scenario.name}-{shared[:8]}")
        trial.elsewhere[shared] = other
        other.another_machine()
        other.good(*RECONCILE, at="other", real=trial.scenario.real)
        _judge(trial, other, at="other")
    back = trial.elsewhere[shared].copy(company.base.with_name(f"{company.base.name}-back"))
    try:
        subprocess.run(["rm", "-rf", str(back.root)], check=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(company.root), str(back.root)], check=True)
        _tell_work_trees(back.root, company.root)
        subprocess.run(["rm", "-rf", str(back.root / "deployed")], check=True)
        target = trial.elsewhere[shared].root / "deployed"
        subprocess.run(["cp", "-a", "--reflink=auto", str(target), str(back.root / "deployed")], check=True)
        back.good(*RECONCILE, real=trial.scenario.real)
        _judge(trial, back)
    finally:
        back.remove()


def _tell_work_trees(root: Path, before: Path) -> None:
    """Git names the work trees of trainings by their whole path: a copy of the repository is to name its own."""
    for file in (*root.glob(".git/worktrees/*/gitdir"), *root.glob(".dvc/tmp/stellwerk/*/tree/.git")):
        file.write_text(file.read_text().replace(f"{before}/", f"{root}/"))


def _shared(company: Company) -> str:
    """What other machines can see: refs, objects in DVC's remotes, the target."""
    refs = company.git("for-each-ref", "--format=%(refname) %(objectname)", at="origin.git")
    seen = (refs, _files(company.base / "repo.storage"), _files(company.root / "deployed"))
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def _judge(trial: Trial, company: Company, at: str = "repo") -> None:
    _check(company, trial.scenario, at, trial.kept)
    actual = final_state(company, trial.scenario, at)
    found = [differences(end, actual) for end in trial.ends]
    assert "" in found, f"{company.base / at} does not end as it should:\n" + "\nor\n".join(found)


def final_state(company: Company, scenario: Scenario, at: str = "repo") -> dict[str, object]:
    """Everything that must be the same in the end, however often it was interrupted."""
    root = company.base / at
    name = scenario.ref
    listed = company.git("ls-tree", "-r", name, at=at).splitlines()
    tree: dict[str, object] = {path: meta for meta, _, path in (line.partition("\t") for line in listed)}
    for path in [path for path in tree if "/deployments/" in path]:
        lines = company.git("show", f"{name}:{path}", at=at).splitlines()
        tree[path] = [line for line in lines if not line.startswith("detail:")]  # "runs" or "already ran"
    if scenario.real:  # durations
        tree = dict.fromkeys(tree)
    tree["the summaries"] = sorted(company.git("log", "--format=%s", name, at=at).splitlines())
    branches = company.git("for-each-ref", "--format=%(refname) %(tree)", "refs/heads", at="origin.git").splitlines()
    tree["the branches at the remote"] = [line for line in branches if "/promote/" in line] or len(branches)
    tree["the target"] = _files(root / "deployed")
    return tree


def _files(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for parent, folders, names in os.walk(folder.resolve()):
        for name in (*folders, *names):
            path = Path(parent, name)
            shown = path.relative_to(folder.resolve()).as_posix()
            if path.is_symlink():
                found[shown] = f"-> {path.readlink()}"
            elif path.is_file():
                found[shown] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(expected: dict[str, object], actual: dict[str, object]) -> str:
    keys = sorted(key for key in expected.keys() | actual.keys() if expected.get(key) != actual.get(key))
    return "\n".join(f"  {key}: {expected.get(key)!r} became {actual.get(key)!r}" for key in keys)


def chosen(trial: Trial) -> list[int]:
    """The boundaries to kill at: all, or a few of those where something gets its final name or becomes public."""
    if ALL:
        return list(range(len(trial.effects)))
    telling = [index for index, effect in enumerate(trial.effects) if _final(effect)]
    return telling[trial.scenario.first :: max(1, len(telling) // trial.scenario.sample)][: trial.scenario.sample]


def _final(effect: Effect) -> bool:
    name = effect.what.rpartition("/")[2]
    return effect.kind in {"git update-ref", "git push", "link", "symlink"} or (
        effect.kind == "rename" and not name.startswith(".")
    )


@pytest.mark.parametrize("scenario", [item for item in SCENARIOS if ALL or item.sample], ids=lambda item: item.name)
def test_a_killed_run_is_finished_by_the_next_one_here_and_elsewhere(states, scenario, tmp_path):
    trial = rehearse(states, scenario)
    broken = []
    for index in chosen(trial):
        company = trial.start.copy(tmp_path / f"{index}")
        words = f"{index}, {trial.effects[index]}"
        try:
            words = f"{index}, {kill(trial, company, index)}"
            recover_elsewhere(trial, company, tmp_path)
            recover_here(trial, company, stop=_again(trial, index))
        except AssertionError as error:
            broken.append(f"killed at {words}: {error}")
        finally:
            company.remove()
    assert not broken, f"{len(broken)} of {len(trial.effects)}:\n" + "\n".join(broken)


def _again(trial: Trial, index: int) -> int | None:
    """Where the recovery is killed as well, in every third case: as far into it again, give or take."""
    return (index * 7) % len(trial.effects) if index % 3 == 0 else None


def test_no_effect_escapes_the_instrument(states, victims):
    """Whatever a run changes, git's own files apart, was seen as an effect on that path or a folder above it."""
    start = states.state("fresh")
    company = start.copy(states.folder / "watched")
    before = _files(company.base)
    effects = company.good(*RECONCILE, watch=True).effects
    after = _files(company.base)
    named = {place for _, what, _ in effects for place in what.split(" -> ")}
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    unseen = sorted(path for path in changed if path not in named and not _by_git(path) and not _moved(path, named))
    assert unseen == []
    kinds = Counter(kind for kind, _, _ in effects)
    assert kinds["git update-ref"] >= 5
    assert kinds["git push"] >= 1
    assert {"rename", "symlink", "open", "mkdir", "remove"} <= kinds.keys()
    assert {torn for _, _, torn in effects} == {False, True}


def _by_git(path: str) -> bool:
    return path.startswith("origin.git/") or (path.startswith("repo/.git/") and "/stellwerk/" not in path)


def _moved(path: str, named: set[str]) -> bool:
    """It arrived with its folder."""
    return any(parent.as_posix() in named for parent in Path(path).parents)
