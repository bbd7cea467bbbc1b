"""The jobs of CI, as machines read them."""

import json

from stellwerk.planning.jobs import CheckJob, Jobs, TrainingJob
from stellwerk.report.jobs_json import jobs_github, jobs_json

NAME = "modèle-" + "x" * 100
JOBS = Jobs(
    check=(CheckJob(models=("a", "b")), CheckJob(models=(NAME,))),
    training={"": (TrainingJob(models=("c",)),), "regression": (TrainingJob(models=("a", "b")),)},
    environments=("regression",),
)


def test_jobs_json_is_valid(assert_valid):
    content = assert_valid("jobs", jobs_json(JOBS))
    assert content["check"][0] == {"number": 1, "models": "a b", "title": "a and 1 more"}
    assert content["check"][1]["models"] == NAME
    assert len(content["check"][1]["title"]) == 60
    assert content["training"] == {
        ".": [{"models": "c", "title": "c"}],
        "regression": [{"models": "a b", "title": "a and 1 more"}],
    }
    assert_valid("jobs", jobs_json(Jobs()))


def test_each_key_is_one_line_of_plain_characters():
    text = jobs_github(JOBS)
    assert text.isascii()
    lines = dict(line.split("=", 1) for line in text.splitlines())
    assert list(lines) == ["check", "training", "environments"]
    assert json.loads(lines["check"])[1]["models"] == NAME
