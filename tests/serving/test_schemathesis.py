"""Somebody else's tester reads the service's own description and finds no server error."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from stellwerk.training.package import package_digest, read_contract
from stellwerk.training.serving import Served, running

SOURCE = """
import pandas as pd

def prepare(frame):
    return frame.assign(weekday=pd.to_datetime(frame["day"]).dt.day_of_week)

def train(frame, rate=1.0):
    return {"rate": rate}

def predict(model, frame):
    return model["rate"] * frame["x"] * (1 + frame["weekday"]) + frame["n"] ** 2
"""


@pytest.fixture
def service(model):
    rows = [f"{i},{i / 7},{'ab'[i % 2]},2024-01-{1 + i % 28:02},S-{i:03},{i % 5}" for i in range(300)]
    model.write({"data/d.csv": "\n".join(["n,x,kind,day,shop,y", *rows]) + "\n"})
    model.source(SOURCE)
    model.params["data"]["identity"] = ["n"]
    model.params["data"]["columns"] = [
        {"name": "kind", "type": "string", "allowed": ["a", "b"]},
        {"name": "day", "type": "date"},
        {"name": "shop", "type": "string", "pattern": r"S\-\d{3,}"},
    ]
    model.run()
    package = model.out / "package"
    assert read_contract(package).requests.columns[2].allowed == ("a", "b")
    with running(
        package, sha256=package_digest(package).sha256, served=Served(model="m", version=1), around=model.around()
    ) as found:
        yield found


def test_schemathesis_finds_no_server_error(service) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    import urllib.request

    with urllib.request.urlopen(f"{service.url}/openapi.json") as answer:
        described = json.load(answer)
    seen: dict[str, set[int]] = {}
    for result in schemathesis.openapi.from_dict(described).get_all_operations():
        operation = result.ok()
        good, bad = (operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode)
        ask = asking(service.url, seen.setdefault(f"{operation.method.upper()} {operation.path}", set()))
        settings(
            max_examples=25 if operation.method == "post" else 5,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )(given(good | bad)(ask))()
    assert seen["GET /health"] <= {200, 405, 422}
    assert {200, 422} <= seen["POST /predict"]


def asking(url, statuses):
    def ask(case):
        response = case.call(base_url=url)
        statuses.add(response.status_code)
        assert response.status_code < 500, case.as_curl_command()

    return ask
