"""What is removed was ours, was asked for, and is never much at once unasked."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from projects import Project
from quick_project import declared, run, training

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import big_project

BOTH = {"a": training(1.0), "b": training(2.0)}
STAGE = "models/a/dvc.yaml"


def declare(project, models, summary="declare", **options):
    project.repo.gen({"mlops.yaml": declared(models, **options)}, commit=summary)


@pytest.fixture(scope="module")
def company_template(tmp_path_factory):
    """Twelve models, each declared in a file of its own, released and deployed; only git is real."""
    root = tmp_path_factory.mktemp("company") / "repo"
    root.mkdir()
    big_project.generate(root, 12)
    text = (root / "mlops.yaml").read_text()
    assert "include: [models/*/model.yaml]" in text
    return root


@pytest.fixture
def company(company_template, repo):
    shutil.rmtree(repo.root)
    shutil.copytree(company_template, repo.root, symlinks=True)
    repo.git("status")
    return Project(repo)


def without(project, *numbers, summary="remove"):
    project.repo.gen({f"models/m{number:04d}/model.yaml": None for number in numbers}, commit=summary)


def released(project) -> int:
    return len(list(project.root.glob("environments/production/*.yaml")))


# ---------------------------------------------------------------- many at once


def test_removing_many_models_waits_for_a_number_that_covers_them(company, refused):
    without(company, 0, 1, 2, 3)
    before = company.repo.head()
    said = refused(run(company, "reconcile"), 3, "4 of 12 models are no longer declared: m0000, m0001, m0002, m0003")
    assert "stellwerk reconcile --confirm-removals 4" in said
    refused(run(company, "reconcile", "--confirm-removals", "3"), 3, "--confirm-removals 4")
    refused(run(company, "render"), 1, "--confirm-removals 4")
    assert (company.repo.head(), company.repo.status(), released(company)) == (before, "", 12)
    refused(run(company, "reconcile", "--confirm-removals", "7"), 0)
    assert (released(company), company.steps()) == (8, [])
    assert len(list(company.root.glob("registry/*/1/version.yaml"))) == 12
    without(company, 4, 5, 6, 7)
    refused(run(company, "reconcile"), 3, "--confirm-removals 4")
    assert released(company) == 8


def test_three_models_at_once_need_no_number(company, refused):
    without(company, 0, 1, 2)
    refused(run(company, "reconcile"), 0)
    assert released(company) == 9


def test_an_include_that_suddenly_names_nothing_is_a_mistake(company, refused):
    company.edit("mlops.yaml", "models/*/model.yaml", "modles/*/model.yaml")
    for verb in ("validate", "plan", "reconcile"):
        refused(run(company, verb), 1, "SW607", "mlops.yaml", "this names no file", "'m0000'", "bring the files back")
    assert released(company) == 12


def test_models_that_lose_their_training_at_once_wait_as_well(company, refused):
    for number in range(4):
        path = f"models/m{number:04d}/model.yaml"
        value = yaml.safe_load(company.repo.read(path))
        value["models"][f"m{number:04d}"]["train"] = None
        del value["models"][f"m{number:04d}"]["thresholds"]
        company.repo.gen({path: yaml.safe_dump(value)})
    company.repo.git("commit", "--quiet", "--all", "--message", "no trainings")
    done = run(company, "plan")
    assert "models/m0000/dvc.yaml" not in done.stdout
    if done.returncode == 0:
        refused(run(company, "reconcile"), 3, "no longer declared or trained", "--confirm-removals 4")
    assert (company.root / "models/m0000/dvc.yaml").exists()


def test_a_merge_that_drops_a_team_s_file_waits(company, refused):
    parts = [company.repo.read(f"models/m{number:04d}/model.yaml").partition("models:\n")[2] for number in range(5)]
    files = {f"models/m{number:04d}/model.yaml": None for number in range(5)}
    team = {"models/team/model.yaml": "models:\n" + "".join(parts)}
    company.repo.gen({**files, **team}, commit="one file for the team")
    assert company.steps() == []
    company.repo.git("switch", "--quiet", "--create", "tidy", "HEAD")
    company.repo.gen({"models/team/model.yaml": None}, commit="tidy up")
    company.repo.git("switch", "--quiet", "main")
    company.repo.gen({"notes.txt": "x"}, commit="work goes on")
    company.repo.git("merge", "--quiet", "--no-edit", "tidy")
    refused(run(company, "reconcile"), 3, "5 of 12 models", "--confirm-removals 5")
    assert released(company) == 12


def test_declarations_that_cannot_be_read_remove_nothing(running, refused):
    path, text, start = running.root / "mlops.yaml", running.repo.read("mlops.yaml"), running.repo.head()
    damages = {
        "empty": lambda: path.write_bytes(b""),
        "a comment": lambda: path.write_bytes(b"# version: 1\n"),
        "cut off": lambda: path.write_text(text[: len(text) - 12]),
        "binary": lambda: path.write_bytes(b"\x00\xff" + text.encode()),
        "a folder": path.mkdir,
        "a link": lambda: path.symlink_to("elsewhere.yaml"),
        "gone": lambda: None,
    }
    for name, damage in damages.items():
        path.unlink()
        damage()
        running.repo.git("add", "--all")
        running.repo.git("commit", "--quiet", "--allow-empty", "--message", name)
        before = running.repo.head()
        refused(run(running, "reconcile", "--confirm-removals", "99"), 1, "mlops.yaml")
        assert running.repo.head() == before, name
        assert len(list(running.root.glob("deployed/production/*/current"))) == 2, name
        running.repo.git("reset", "--quiet", "--hard", start)


# ---------------------------------------------------------------- many trainings


def test_one_edit_in_the_defaults_does_not_train_every_model(repo, refused):
    """With three hundred (STELLWERK_TEST_MODELS=300) it is the same, and takes a minute."""
    count = int(os.environ.get("STELLWERK_TEST_MODELS", "40"))
    shutil.rmtree(repo.root)
    repo.root.mkdir()
    big_project.generate(repo.root, count)
    company = Project(repo)
    company.edit("mlops.yaml", "train: {seed: 7", "train: {seed: 8")
    said = refused(run(company, "plan"), 0, f"{count} trainings in one plan, about", "limits.trainings is 10")
    assert f"about {round(count * 2.1 / 60)} minute" in said
    assert f"stellwerk reconcile --confirm-trainings {count}" in said
    for scope, trainings in (
        (["--confirm-trainings", str(count - 1)], 0),
        (["--confirm-trainings", str(count)], count),
        (["--model", "m0007"], 1),
    ):
        found = json.loads(run(company, "plan", "--format", "json", *scope).stdout)
        assert found["summary"]["train"] == trainings, scope


def test_trainings_above_the_limit_are_blocked_until_their_number_is_confirmed(running, refused):
    two = {"a": training(3.0), "b": training(4.0)}
    declare(running, two, head="limits: {trainings: 1}")
    refused(run(running, "reconcile"), 3, "2 trainings in one plan", "--confirm-trainings 2")
    refused(run(running, "reconcile", "--confirm-trainings", "1"), 3, "--confirm-trainings 2")
    assert len(running.trainings()) == 2
    refused(run(running, "reconcile", "--confirm-trainings", "2"), 0)
    assert (len(running.trainings()), running.running(model="a"), running.steps()) == (4, 2, [])


def test_one_model_of_many_is_trained_when_it_is_asked_for_alone(running, refused):
    declare(running, {"a": training(3.0), "b": training(4.0)}, head="limits: {trainings: 1}")
    refused(run(running, "reconcile", "--model", "a"), 0)
    assert (running.running(model="a"), running.running(model="b")) == (2, 1)


# ---------------------------------------------------------------- one model


def test_a_model_is_taken_out_before_its_files_go_and_its_registry_stays(running):
    registry = {path: path.read_bytes() for path in running.root.glob("registry/b/**/*") if path.is_file()}
    declare(running, {"a": training(1.0)}, "without b")
    assert running.steps()[0] == "retire:b:production"
    assert running.reconcile().problems == ()
    assert running.repo.log()[:2] == ["render: 3 files of b", "retire: b v1 from production"]
    assert not (running.root / "deployed/production/b/current").exists()
    assert (running.root / "deployed/production/a/current").exists()
    changed = {path for path, content in registry.items() if path.read_bytes() != content}
    assert {path.relative_to(running.root).as_posix() for path in changed} == {"registry/b/deployments/production.yaml"}
    assert running.steps() == []


def test_a_model_whose_target_fails_keeps_its_files_until_it_is_taken_out(running, refused):
    place = running.root / "deployed/production/b"
    declare(running, {"a": training(1.0)}, "without b")
    kept = place.with_name("b-kept")
    place.rename(kept)
    place.write_text("in the way")
    refused(run(running, "reconcile"), 1, "cannot deploy b")
    assert (running.root / "models/b/dvc.yaml").exists()
    assert running.release(model="b")
    place.unlink()
    kept.rename(place)
    refused(run(running, "reconcile"), 0)
    assert not (running.root / "models/b/dvc.yaml").exists()
    assert not (place / "current").exists()


@pytest.mark.parametrize("kind", ["edited", "foreign"])
def test_a_file_that_is_not_as_we_wrote_it_is_never_deleted(running, refused, kind):
    path = "models/b/dvc.yaml"
    text = f"{running.repo.read(path)}# mine\n" if kind == "edited" else "stages: {}\n"
    running.repo.gen({path: text, "mlops.yaml": declared({"a": training(1.0)})}, commit="without b")
    said = refused(run(running, "reconcile"), 3 if kind == "edited" else 0)
    assert (f"{path} was edited by hand" in said) == (kind == "edited")
    assert running.repo.read(path) == text
    assert not (running.root / "models/b/params.yaml").exists()
    done = run(running, "render", "--force", path)
    if kind == "edited":
        refused(done, 0, f"delete {path}")
        assert not (running.root / path).exists()
    else:
        refused(done, 1, path, "this is not a file that is rendered")
        assert running.repo.read(path) == text


# ---------------------------------------------------------------- edited files


def test_an_edited_file_is_shown_with_its_difference_and_left_alone(running, refused):
    text = running.repo.read(STAGE).replace("stellwerk stage", "sh train.sh")
    running.repo.gen({STAGE: text, "models/b/params.yaml": "{}\n"}, commit="by hand")
    for verb in (["plan"], ["plan", "--format", "markdown"], ["render", "--check"], ["render"], ["reconcile"]):
        done = run(running, *verb)
        code = {"render": 1, "reconcile": 3}.get(verb[0], 0)
        said = refused(done, code, "- cmd: sh train.sh", "+ cmd: stellwerk stage")
        assert f"stellwerk render --force {STAGE}" in said.replace("\\", "")
    assert running.repo.read(STAGE) == text
    assert len(run(running, "plan").stdout.splitlines()) < 100


def test_nothing_is_trained_by_an_edited_file(running, refused):
    path = "models/a/params.yaml"
    running.edit(path, "bias: 1.0", "bias: 9.0")
    running.repo.gen({"code/demand.py": running.repo.read("code/demand.py") + "\nNEW = 1\n"}, commit="new code")
    refused(run(running, "reconcile"), 3, f"{path} was edited by hand", "nothing is trained by it")
    assert running.trainings() == ["train: b v2", "train: b v1", "train: a v1"]
    refused(run(running, "render", "--force", path), 0)
    running.repo.git("commit", "--quiet", "--all", "--message", "as declared")
    refused(run(running, "reconcile"), 0)
    assert yaml.safe_load(running.repo.read("registry/a/2/version.yaml"))["params"] == {"bias": 1.0}


def test_render_force_takes_several_paths_from_where_one_stands_and_writes_only_them(running, refused):
    paths = ["models/a/dvc.yaml", "models/b/dvc.yaml", "models/b/params.yaml"]
    before = {path: running.repo.read(path) for path in paths}
    running.repo.gen({path: f"{text}# mine\n" for path, text in before.items()}, commit="by hand")
    (running.root / "models/a/.gitignore").unlink()
    done = run(running, "render", "--force", "dvc.yaml", "--force", "../a/dvc.yaml", cwd=running.root / "models/b")
    refused(done, 1, "update models/a/dvc.yaml", "update models/b/dvc.yaml", "write models/a/.gitignore")
    assert {path: running.repo.read(path) == text for path, text in before.items()} == dict(
        zip(paths, (True, True, False), strict=True)
    )
    refused(run(running, "render", "--force", "models/b/params.yaml"), 0)
    refused(run(running, "render", "--check"), 0, "up to date")


def test_a_path_that_is_not_rendered_is_refused(running, refused):
    for path in ("mlops.yaml", "models/a/nope", "../x", "registry/a/1/version.yaml", "", "models/z/dvc.yaml"):
        said = refused(run(running, "render", "--force", path), 1, "this is not a file that is rendered")
        assert "models/a/.gitignore" in said
    assert running.repo.status() == ""


def test_nothing_is_rendered_through_a_link(running, tmp_path, refused):
    outside = tmp_path / "outside"
    shutil.copytree(running.root / "models/a", outside)
    shutil.rmtree(running.root / "models/a")
    (running.root / "models/a").symlink_to(outside)
    before = {path: path.read_bytes() for path in outside.iterdir()}
    for path in outside.glob("*.yaml"):
        path.write_bytes(before.setdefault(path, b"") + b"# theirs\n")
    before = {path: path.read_bytes() for path in outside.iterdir()}
    refused(run(running, "render"), 1, "a symbolic link")
    assert {path: path.read_bytes() for path in outside.iterdir()} == before
