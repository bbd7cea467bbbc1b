"""Declarations that lose what is still in use."""

import yaml
from projects import RELEASED


def test_a_model_deleted_while_in_production_is_retired_and_keeps_its_registry(released, refused):
    text = released.repo.read("mlops.yaml")
    released.repo.gen({"mlops.yaml": text[: text.index("models:\n")]}, commit="no models")
    said = refused(released.repo.stellwerk("plan"), 0)
    assert "production" in said
    done = released.repo.stellwerk("reconcile")
    refused(done, 0, "retire: demand v2 from production")
    assert released.running() is None
    assert not (released.root / "deployed/production/demand/current").exists()
    assert released.release() == ""
    assert yaml.safe_load(released.repo.read("registry/demand/2/version.yaml"))["number"] == 2
    assert not (released.root / "models/demand/dvc.yaml").exists()
    assert (released.root / "models/demand/demand.py").exists()
    assert released.steps() == []
    released.repo.gen({"mlops.yaml": text}, commit="the model again")
    assert released.reconcile().problems == ()
    assert (released.running(), len(released.trainings())) == (2, 2)


def test_a_dataset_deleted_while_used_is_a_mistake_and_nothing_is_taken_down(released, refused):
    released.edit("mlops.yaml", "datasets:\n  sales: {path: data/sales.csv, key: id}\n", "")
    for verb in ("validate", "plan", "reconcile"):
        refused(released.repo.stellwerk(verb), 1, "mlops.yaml", "sales")
    assert released.running() == 2


def test_empty_declarations_never_delete(released, refused):
    for text in ("", "# nothing\n", "null\n"):
        released.repo.gen({"mlops.yaml": text}, commit="emptied")
        refused(released.repo.stellwerk("reconcile"), 1, "mlops.yaml")
    assert released.running() == 2
    assert (released.root / "deployed/production/demand/current").exists()


def test_an_environment_deleted_while_something_runs_there_is_said(released, refused):
    path = "environments/production.yaml"
    released.repo.gen({path: None}, commit="no production")
    done = released.repo.stellwerk("plan")
    said = refused(done, done.returncode)
    assert "production" in said
    assert RELEASED[path]
