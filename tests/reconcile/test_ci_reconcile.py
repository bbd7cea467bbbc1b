"""Reconciling as CI does: one part at a time, from the checkout that a job gets."""

from __future__ import annotations

import pytest
from projects import Project

from stellwerk.errors import StellwerkError
from stellwerk.model.actions import WaitKind
from stellwerk.planning.portion import Portion

ENVIRONMENTS = {
    "environments/check.yaml": "purpose: regression\nup: echo up >> ups\ndown: echo down >> ups\n",
    "environments/live.yaml": "purpose: production\nafter: check\ndeploy: {target: local, path: deployed}\n",
}


@pytest.fixture
def staged(small):
    """Declared with two environments, rendered and committed, with its first snapshot; nothing is trained."""
    small.repo.gen({**ENVIRONMENTS, ".gitignore": "/ups\n/deployed/\n"}, commit="declare environments")
    small.workspace.render(check=False, force=(), directory=small.root)
    small.repo.git("add", "models")
    small.repo.git("commit", "--quiet", "--message", "render")
    small.workspace.snapshot("sales", because="the start", push=False)
    return small


def checkout(project, name, *options):
    """A clone as actions/checkout leaves it: one branch, shallow."""
    bare = project.repo.root.parent / "remote.git"
    if not bare.exists():
        project.repo.git("clone", "--quiet", "--bare", str(project.root), str(bare))
        project.repo.git("remote", "add", "origin", f"file://{bare}")
    folder = project.root.parent / name
    folder.mkdir()
    made = type(project.repo)(folder)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("remote", "add", "origin", f"file://{bare}")
    made.git("fetch", "--quiet", "--no-tags", "--depth=1", "origin", "+refs/heads/main:refs/remotes/origin/main")
    made.git("checkout", "--quiet", "--force", *(options or ("-B", "main", "refs/remotes/origin/main")))
    return Project(made)


def test_a_training_job_and_then_one_for_each_environment_do_the_whole_plan(staged, monkeypatch):
    first = checkout(staged, "training")
    outcome = first.reconcile(portion=Portion(render=False, training=True, place="check", models=("demand",)))
    assert [done.step.key for done in outcome.done] == ["train:demand"]
    assert (outcome.problems, outcome.remaining.steps) == ((), ())

    monkeypatch.setenv("STELLWERK_STANDING", "check")
    second = checkout(staged, "check")
    outcome = second.reconcile(environment="check", portion=Portion(render=False))
    assert [done.step.key for done in outcome.done] == ["check:demand:check"]
    assert not (second.root / "ups").exists()

    third = checkout(staged, "live")
    outcome = third.reconcile(environment="live", portion=Portion(render=False))
    assert [done.step.key for done in outcome.done] == ["promote:demand:live", "deploy:demand:live"]
    assert outcome.problems == ()
    assert third.steps() == []


def test_generated_files_are_left_to_people_and_what_needs_them_waits(small):
    small.workspace.snapshot("sales", because="the start", push=False)
    before = small.repo.head()
    outcome = small.reconcile(portion=Portion(render=False))
    assert (outcome.done, small.repo.head()) == ((), before)
    (wait,) = outcome.waits
    assert (wait.kind, wait.model) == (WaitKind.RENDER, "demand")


def test_training_in_an_environment_that_is_not_declared_is_an_error(small):
    with pytest.raises(StellwerkError, match="there is no environment 'nowhere'"):
        small.reconcile(portion=Portion(training=True, place="nowhere"))


def test_a_detached_head_is_refused_by_reconcile_and_is_enough_for_a_check(staged):
    detached = checkout(staged, "detached", "--detach", "refs/remotes/origin/main")
    with pytest.raises(StellwerkError, match="HEAD is detached") as caught:
        detached.reconcile(portion=Portion(render=False))
    assert "ref: main" in caught.value.hint
    with pytest.raises(StellwerkError, match="the data are not here"):  # so it looked for them
        detached.workspace.check("demand", None, lambda _: None)


def test_a_push_lost_by_a_shallow_clone_is_made_again(staged):
    late = checkout(staged, "late")
    staged.repo.gen({"notes.txt": "somebody else\n"}, commit="take notes")
    staged.repo.git("push", "--quiet", "origin", "main")
    said = []

    def push_meanwhile(event):
        if event.kind == "start" and not said:
            said.append(event)
            for number in range(3):
                staged.repo.gen({"notes.txt": f"{number}\n"}, commit=f"note {number}")
                staged.repo.git("push", "--quiet", "origin", "main")

    from stellwerk.app import ReconcileRequest

    outcome = late.workspace.reconcile(ReconcileRequest(portion=Portion(render=False, training=True)), push_meanwhile)
    assert (outcome.problems, bool(outcome.pushed)) == ((), True)
    staged.repo.git("fetch", "--quiet", "origin")
    log = staged.repo.log("origin/main")
    assert log[0].startswith("train: demand v1")
    assert log[1] == "note 2"


def test_a_shallow_clone_is_deepened_where_the_records_have_a_ref_of_their_own(staged):
    staged.edit("mlops.yaml", "version: 1", "version: 1\nrecords: {ref: stellwerk/records}")
    part = Portion(render=False, training=True)
    first = checkout(staged, "first")
    assert first.reconcile(portion=part).problems == ()
    for number in range(3):
        staged.repo.gen({"notes.txt": f"{number}\n"}, commit=f"note {number}")
    staged.repo.git("push", "--quiet", "origin", "main")
    planning = checkout(staged, "planning")
    jobs = planning.workspace.jobs(base=None, trainings=None, removals=None)
    assert (jobs.training, jobs.environments) == ({}, ("check", "live"))
    second = checkout(staged, "second")
    outcome = second.reconcile(environment="check", portion=Portion(render=False))
    assert outcome.problems == ()
    assert [done.step.key for done in outcome.done] == ["check:demand:check"]
