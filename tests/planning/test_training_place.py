"""Where a model is trained."""

from builders import dataset, environments, model, project

from stellwerk.planning.training_place import data_place, training_place, training_places

ROUTE = environments(
    "development", "integration", "regression", "production", development={"allows": ("public",)},
    integration={"allows": ("public", "internal")},
)  # fmt: skip


def place(asked, classification, route=ROUTE):
    declared = project(asked, route=route, datasets=(dataset(classification=classification),))
    found = training_place(declared, asked)
    assert training_places(declared) == {asked.name: found}
    return found.name if found else None


def test_the_first_environment_on_the_way_that_allows_the_data_trains():
    assert place(model(), "public") == "development"
    assert place(model(), "internal") == "integration"
    assert place(model(), "secret") == "regression"
    assert place(model(), None) == "regression"
    assert place(model(environments=("regression", "production")), "public") == "regression"
    assert place(model(environments=("development",)), "secret") == "regression"


def test_the_named_environment_trains():
    assert place(model(trains_in="production"), "public") == "production"


def test_without_an_environment_that_allows_the_data_there_is_no_place():
    assert place(model(), "public", route=()) is None
    assert place(model(), "secret", route=ROUTE[:2]) is None
    assert training_place(project(), model(train=None)) is None


def test_a_dataset_belongs_to_the_first_environment_that_allows_it():
    data = dataset(classification="internal")
    assert data_place(project(route=ROUTE), data) == ROUTE[1]
    assert data_place(project(), data) is None
