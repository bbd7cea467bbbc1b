"""Which data are due."""

import pytest
from builders import dataset, environments, model, project

from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Retrain, Source
from stellwerk.planning.due import Asked, Due, due_snapshots

WEEKLY, DAILY = "0 3 * * 1", "0 3 * * *"
HERE = Source(command="fetch")
ROUTE = environments(development={"allows": ("public",)})


def company():
    return project(
        model("demand", data="sales", retrain=Retrain(schedule=WEEKLY)),
        model("stock", data="sales", retrain=Retrain(schedule=WEEKLY, on=("data",))),
        model("churn", data="customers", retrain=Retrain(schedule=DAILY)),
        model("price", data="offers", retrain=Retrain(on=("data",))),
        model("fixed", data="history"),
        model("manual", data="typed", retrain=Retrain(schedule=WEEKLY)),
        datasets=(
            dataset("customers", source=HERE, classification="secret"),
            dataset("history", source=HERE),
            dataset("offers", source=HERE, classification="public"),
            dataset("sales", source=HERE, classification="secret"),
            dataset("typed"),
        ),
        route=ROUTE,
    )


def due(**asked):
    return {item.dataset: item.because for item in due_snapshots(company(), Asked(**asked))}


def test_a_schedule_makes_the_data_of_its_own_models_due():
    assert due(schedule=WEEKLY) == {"sales": f"schedule {WEEKLY} of demand, stock"}
    assert due(schedule=DAILY) == {"customers": f"schedule {DAILY} of churn"}
    assert due(schedule="1 1 * * *") == {}


def test_word_of_new_data_makes_them_due_where_a_model_waits_for_it():
    assert due(dataset="sales") == {"sales": "new data arrived for stock"}
    with pytest.raises(StellwerkError, match="on word from outside") as caught:
        due(dataset="customers")
    assert "on: [data]" in caught.value.hint


@pytest.mark.parametrize("name", ["sals", "$(id)", "typed"])
def test_what_is_not_declared_or_has_no_source_is_an_error(name):
    with pytest.raises(StellwerkError):
        due(dataset=name)


def test_without_a_reason_everything_that_is_ever_taken_is_due():
    assert list(due()) == ["customers", "offers", "sales"]
    assert due()["offers"] == "asked for, for price"


def test_each_environment_takes_the_data_that_belong_to_it():
    assert list(due(place="development")) == ["offers"]
    assert list(due(place="integration")) == ["customers", "sales"]
    assert due(place="regression") == {}
    assert due(place="development", dataset="sales") == {}
    with pytest.raises(StellwerkError, match="no environment 'nowhere'"):
        due(place="nowhere")


def test_many_models_are_named_by_the_first_few():
    many = project(
        *(model(f"m{number}", retrain=Retrain(on=("data",))) for number in range(5)), datasets=(dataset(source=HERE),)
    )
    assert due_snapshots(many, Asked(dataset="customers")) == (
        Due(dataset="customers", because="new data arrived for m0, m1, m2 and 2 more"),
    )
