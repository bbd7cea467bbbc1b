"""Continuous training: the data that models take unasked."""

from __future__ import annotations

import pytest
from projects import CODE, DATA, build

from stellwerk.errors import StellwerkError
from stellwerk.planning.due import Asked

WEEKLY = "0 3 * * 1"
FILES = {
    "models/demand/demand.py": CODE,
    "data/sales.csv": DATA,
    "incoming/sales.csv": DATA,
    "mlops.yaml": f"""\
version: 1
datasets:
  offers: {{path: data/offers.csv, source: {{command: exit 3}}}}
  sales: {{path: data/sales.csv, source: {{file: incoming/sales.csv}}}}
models:
  demand: {{source: models/demand/demand.py, target: sold, train: {{data: sales}}, retrain: {{schedule: "{WEEKLY}"}}}}
  price:
    source: models/demand/demand.py
    target: sold
    train: {{data: offers}}
    retrain: {{schedule: "{WEEKLY}", on: [data]}}
""",
}


@pytest.fixture
def shop(project_from):
    """Two datasets with a source, one of which always fails; `sales` has its first snapshot, pushed to a remote."""

    def make(project):
        build(project, FILES)
        project.workspace.snapshot("sales", because="the start", push=False)

    project = project_from("shop", make)
    project.repo.remote()
    project.repo.git("push", "--quiet", "origin", "main")
    return project


def take(project, **asked):
    return list(project.workspace.snapshot_due(Asked(**asked), push=None))


def test_an_unchanged_source_makes_no_commit_and_one_that_fails_stops_no_other(shop):
    before = shop.repo.head()
    offers, sales = take(shop, schedule=WEEKLY)
    assert (offers.dataset, offers.decision) == ("offers", None)
    assert "3" in offers.problem[0]
    assert (sales.decision.commit, shop.repo.head()) == (None, before)
    assert "has not changed" in sales.decision.summary


def test_new_data_are_committed_with_their_reason_pushed_and_trained_on(shop):
    shop.repo.gen({"incoming/sales.csv": DATA + "120,1,a,3\n"}, commit="a delivery")
    shop.repo.git("push", "--quiet", "origin", "main")
    _, sales = take(shop, schedule=WEEKLY)
    assert (sales.decision.pushed, sales.decision.commit) == (True, shop.repo.head())
    message = shop.repo.git("log", "-1", "--format=%B")
    assert message.startswith("snapshot: sales, 121 rows")
    assert f"because: schedule {WEEKLY} of demand" in message
    assert shop.repo.git("rev-parse", "origin/main").strip() == shop.repo.head()
    assert take(shop, schedule=WEEKLY)[1].decision.commit is None


def test_word_of_data_that_nobody_waits_for_is_an_error_before_anything_is_taken(shop):
    with pytest.raises(StellwerkError, match="on word from outside"):
        take(shop, dataset="sales")
    assert take(shop, schedule="1 1 * * *") == []


def test_a_remote_that_does_not_answer_is_a_failure_because_the_checkout_is_thrown_away(shop):
    shop.repo.git("remote", "set-url", "origin", "file:///nowhere")
    (taken,) = take(shop, dataset="offers")
    assert (taken.decision, "3" in taken.problem[0]) == (None, False)
