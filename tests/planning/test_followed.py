"""A run that follows its ref from commit to commit plans what somebody plans who reads each commit from nothing."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields
from test_settled import EDITS, MODELS, NOW, appended, big_project, git, removed, replaced

from stellwerk.app import Workspace
from stellwerk.app.follow import Follower
from stellwerk.errors import StellwerkError
from stellwerk.model.ports import Clock
from stellwerk.planning.parts import Parts
from stellwerk.planning.plan import Scope
from stellwerk.planning.shard import Shard
from stellwerk.report.plan_json import plan_json


def copied(old, new):
    def edit(root):
        if (root / old).is_file():
            (root / new).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / old, root / new)

    return edit


def both(*edits):
    def edit(root):
        for one in edits:
            one(root)

    return edit


VERSION, PRODUCTION = "registry/m0003/2/version.yaml", "environments/production/m0003.yaml"
FACTS = {
    "a birth": both(
        copied(VERSION, "registry/m0003/3/version.yaml"),
        replaced("registry/m0003/3/version.yaml", "number: 2", "number: 3"),
        replaced("registry/m0003/3/version.yaml", "fingerprint: ", "fingerprint: 0"),
        appended("models/m0003/metrics.json", "\n"),
    ),
    "no last version": removed(VERSION),
    "a version of nothing": replaced(VERSION, "number: 2", "number: 9"),
    "a record that cannot be read": appended("registry/m0004/2/version.yaml", "strange: [\n"),
    "no verdict": removed("registry/m0004/2/verdicts/regression.yaml"),
    "nothing deployed": removed("registry/m0005/deployments/production.yaml"),
    "a stray file": appended("registry/m0006/2/notes.yaml", "x: 1\n"),
    "an older release": replaced(PRODUCTION, "version: 2", "version: 1"),
    "a held release": appended(PRODUCTION, "hold: {by: ada, at: 2026-01-01T00:00:00Z, because: audit}\n"),
    "a release nobody can read": appended(PRODUCTION, "versoin: 1\n"),
    "no release of it": removed(PRODUCTION),
    "nothing of a model": lambda root: shutil.rmtree(root / "registry/m0007", ignore_errors=True),
    "an output of a training": appended("models/m0008/metrics.json", "\n"),
    "an input of all": both(
        appended("models/m0008/words.txt", "a\n"),
        replaced("models/m0008/model.yaml", "  m0008:\n", "  m0008:\n    inputs: [models/m0008/words.txt]\n"),
    ),
    "another input": appended("models/m0008/words.txt", "b\n"),
    "what retention took": appended("registry/.removed/2026-01-01.yaml", "x\n"),
}
STEPS = {**{name: edit for name, edit in EDITS.items() if name not in {"a commit", "restored"}}, **FACTS}
SCOPES = {
    "all": Scope(),
    "one model": Scope(model="m0003"),
    "a shard": Scope(shard=Shard(number=1, of=3)),
    "one environment": Scope(environment="production"),
    "few trainings": Scope(trainings=1),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    big_project.generate(root, MODELS, versions=2)
    git(root, "config", "user.name", "Ada Example")
    git(root, "config", "user.email", "ada@example.com")
    return root


def opened(root):
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    return Workspace.open(root, environ=environ, clock=Clock(now=lambda: NOW))


def commit(root):
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "step")
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, encoding="utf-8")
    return done.stdout.strip()


def said(workspace, load, scope, parts=None):
    """What is observed, and the plan as it is written down; or the words of the error."""
    try:
        state = load()
        seen = {item.name: getattr(state.observed, item.name) for item in fields(state.observed)}
        plan = plan_json(workspace.plan_of(state, scope, parts))
    except StellwerkError as error:
        return str(error), [item.message for item in getattr(error, "findings", ())]
    order = {name: list(value) for name, value in seen.items() if name in {"models", "releases", "release_places"}}
    return plan, seen, order


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
@given(
    steps=st.lists(
        st.one_of(st.sampled_from(sorted(FACTS)), st.sampled_from(sorted(STEPS)), st.integers(0, 3)),
        min_size=4,
        max_size=8,
    ),
    scope=st.sampled_from(sorted(SCOPES)),
)
@example(steps=["an input of all", "another input"], scope="all")
def test_each_commit_of_a_run_is_planned_as_if_it_were_the_first(project, tmp_path_factory, steps, scope):
    """A number goes back to that commit, as a run does whose commits are dropped after a lost race."""
    root = tmp_path_factory.mktemp("followed") / "project"
    shutil.copytree(project, root, symlinks=True)
    workspace, parts = opened(root), Parts()
    follower, commits = Follower(loader=workspace.loader), [commit(root)]
    for step in ["", *steps]:
        if isinstance(step, int):
            git(root, "reset", "--quiet", "--hard", commits[step % len(commits)])
        elif step:
            STEPS[step](root)
        commits.append(commit(root))
        tip, fresh = commits[-1], opened(root)
        followed = said(workspace, lambda tip=tip: follower.state(tip), SCOPES[scope], parts)
        assert followed == said(fresh, lambda tip=tip, it=fresh: it.loader.commit(tip).state, SCOPES[scope]), step
    shutil.rmtree(root.parent)


def test_of_a_commit_of_records_only_the_records_of_its_models_are_read(project, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(project, root, symlinks=True)
    workspace = opened(root)
    follower, parts = Follower(loader=workspace.loader), Parts()
    workspace.plan_of(follower.state(commit(root)), Scope(), parts)
    planned = []
    for name in ("a birth", "no verdict", "an older release", "an output of a training"):
        STEPS[name](root)
        before = {model: kept.part for model, kept in parts._kept.items()}
        workspace.plan_of(follower.state(commit(root)), Scope(), parts)
        planned.append({model for model, kept in parts._kept.items() if kept.part is not before[model]})
    assert follower.whole == 1
    assert planned == [{"m0003"}, {"m0004"}, {"m0003"}, set()]
