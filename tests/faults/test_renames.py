"""`previously:` moves a model's history to its new name, and nothing else happens."""

from __future__ import annotations

import os

import pytest
import yaml
from projects import build
from quick_project import PRODUCTION, declared, files, run, training

from stellwerk.model.findings import DeclarationsError

BOTH = {"a": training(1.0), "b": training(2.0)}
BRANCH = "stellwerk/promote/production"
PEOPLE = """\
teams:
  science: {contact: science@example.com, members: [{name: ada, email: ada@example.com}]}
  risk: {contact: risk@example.com, members: [{name: grace, email: grace@example.com}]}
owners: {accountable: risk, develops: science, operates: risk}
"""


def declare(project, models, summary="declare", **options):
    project.repo.gen({"mlops.yaml": declared(models, **options)}, commit=summary)


def rename(project, old, new, *, bias=1.0, **others):
    declare(project, {new: f"{training(bias)}, previously: {old}", **others}, f"call {old} {new}")


def runs_as(project) -> list[str]:
    """Under which names the target serves something."""
    return sorted(path.parent.name for path in project.root.glob("deployed/production/*/current"))


def finished(project):
    outcome = project.reconcile()
    assert outcome.problems == ()
    assert project.steps() == []
    return outcome


def test_a_rename_moves_everything_and_trains_nothing(running):
    birth = running.repo.read("registry/a/1/version.yaml")
    rename(running, "a", "c", b=training(2.0))
    told = run(running, "plan")
    assert "move registry/a → registry/c" in told.stdout
    assert "it runs there as a, the name it had before" in told.stdout
    assert "delete registry" not in told.stdout
    outcome = finished(running)
    assert [done.summary.partition(":")[0] for done in outcome.done] == ["rename", "deploy"]
    assert running.repo.log()[1] == "rename: a to c"
    assert running.repo.read("registry/c/1/version.yaml") == birth
    assert yaml.safe_load(running.release(model="c")) == {"version": 1}
    assert not (running.root / "registry/a").exists()
    assert running.release(model="a") == ""
    assert (running.running(model="c"), runs_as(running)) == (1, ["b", "c"])
    assert len(running.trainings()) == 2
    said = run(running, "log", "c").stdout
    assert all(words in said for words in ("train: a v1", "rename: a to c", "deploy: c v1"))


def test_a_chain_of_renames_and_the_way_back_keep_one_history(running):
    for old, new in (("a", "c"), ("c", "d"), ("d", "a")):
        rename(running, old, new, b=training(2.0))
        finished(running)
        assert runs_as(running) == sorted(["b", new])
    declare(running, BOTH, "the name it always had")
    assert running.steps() == []
    assert (len(running.trainings()), running.running(model="a")) == (2, 1)
    said = run(running, "log", "a").stdout
    assert all(words in said for words in ("train: a v1", "rename: a to c", "rename: d to a"))


def test_the_history_is_found_when_the_line_is_gone(running):
    rename(running, "a", "c", b=training(2.0))
    finished(running)
    declare(running, {"c": training(1.0), "b": training(2.0)}, "drop previously")
    assert "train: a v1" in run(running, "log", "c").stdout


def test_a_rename_onto_a_name_that_was_used_is_a_mistake_and_moves_nothing(running, refused):
    declare(running, {"a": training(1.0)}, "retire b")
    finished(running)
    rename(running, "a", "b")
    before = running.repo.head()
    refused(run(running, "reconcile"), 1, "SW209", "registry/b holds another model", "choose a name")
    assert (running.repo.head(), running.running(model="a"), runs_as(running)) == (before, 1, ["a"])


@pytest.mark.parametrize("models", ["swapped", "two-heirs"])
def test_names_that_are_swapped_or_claimed_twice_are_mistakes(running, models):
    if models == "swapped":
        declare(running, {"a": f"{training(1.0)}, previously: b", "b": f"{training(2.0)}, previously: a"})
    else:
        declare(running, {"c": f"{training(1.0)}, previously: a", "d": f"{training(2.0)}, previously: a"})
    with pytest.raises(DeclarationsError):
        running.reconcile()
    assert runs_as(running) == ["a", "b"]


def test_a_rename_with_other_parameters_is_one_training_of_the_next_version(running):
    rename(running, "a", "c", bias=1.5, b=training(2.0))
    finished(running)
    record = yaml.safe_load(running.repo.read("registry/c/2/version.yaml"))
    assert (record["number"], record["parent"], record["reason"]) == (2, 1, "params bias 1.0 → 1.5")
    assert (running.running(model="c"), runs_as(running), len(running.trainings())) == (2, ["b", "c"], 3)


def test_a_hold_moves_along_and_still_holds(running):
    running.workspace.hold("a", "production", because="the audit", until=None, release=False, push=None)
    rename(running, "a", "c", bias=1.5, b=training(2.0))
    assert running.reconcile().problems == ()
    assert yaml.safe_load(running.release(model="c"))["hold"]["because"] == "the audit"
    assert (running.running(model="c"), runs_as(running), running.waits()) == (1, ["b", "c"], ["hold"])


def test_a_freeze_keeps_what_runs_under_the_old_name_until_it_ends(running):
    running.add("environments/production.yaml", "freeze: {until: 2026-03-01, reason: year end}\n")
    rename(running, "a", "c", b=training(2.0))
    assert running.reconcile().problems == ()
    assert (runs_as(running), running.waits()) == (["a", "b"], ["release"])
    running.now = "2026-03-02T09:00:00+00:00"
    finished(running)
    assert runs_as(running) == ["b", "c"]


def test_an_open_promotion_is_proposed_anew_under_the_new_name(running):
    running.add("environments/production.yaml", "promotion: pull-request\n")
    declare(running, {"a": training(1.5), "b": training(2.0)})
    running.reconcile()
    assert running.waits() == ["pull-request"]
    rename(running, "a", "c", bias=1.5, b=training(2.0))
    assert running.reconcile().problems == ()
    assert running.repo.git("show", f"{BRANCH}/c:environments/production/c.yaml").endswith("version: 2")
    assert (running.waits(), running.running(model="c"), len(running.trainings())) == (["pull-request"], 1, 3)
    running.repo.git("merge", "--quiet", "--no-edit", f"{BRANCH}/c")
    finished(running)
    assert (running.running(model="c"), runs_as(running)) == (2, ["b", "c"])


def test_approvals_move_along(stand_ins, project_from, monkeypatch):
    def make(project):
        asking = f"{PRODUCTION}approval: {{by: risk}}\n"
        build(project, files({"a": training(1.0)}, head=PEOPLE, production=asking))
        project.reconcile()

    project = project_from("approved", make)
    before = dict(os.environ)
    project.as_person(monkeypatch, "grace")
    project.workspace.approve("a", "production", version=None, because="good", reject=False, by=None, push=None)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", before[f"GIT_{name}_NAME"])
        monkeypatch.setenv(f"GIT_{name}_EMAIL", before[f"GIT_{name}_EMAIL"])
    finished(project)
    declare(project, {"c": f"{training(1.0)}, previously: a"}, head=PEOPLE)
    finished(project)
    assert (project.root / "registry/c/1/approvals/production/grace.yaml").exists()
    assert (project.waits(), project.running(model="c"), len(project.trainings())) == ([], 1, 1)


def test_a_model_renamed_and_removed_before_it_was_deployed_is_taken_out_under_both_names(running):
    running.add("environments/production.yaml", "freeze: {until: 2026-03-01, reason: year end}\n")
    rename(running, "a", "c", b=training(2.0))
    running.reconcile()
    declare(running, {"b": training(2.0)}, "without it")
    finished(running)
    assert runs_as(running) == ["b"]
    assert (running.root / "registry/c/1/version.yaml").exists()
