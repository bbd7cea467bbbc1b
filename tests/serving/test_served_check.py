"""An integration check serves the package as it would be deployed, asks it well and ill, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import os
import sys
import venv
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stellwerk.adapters.process import run as run_process
from stellwerk.errors import StellwerkError
from stellwerk.training import serving as module
from stellwerk.training.checks import Serving, function_check
from stellwerk.training.package import package_digest, read_contract
from stellwerk.training.serving import Served

SERVED = Served(model="m", version=3)
CLASSES = """
class Rule:
    classes_ = [0, 1]
    def predict(self, frame):
        return (frame["x"] > 9).astype(int)
    def predict_proba(self, frame):
        import numpy as np
        sure = np.where(frame["x"] > 9, 0.75, 0.25)
        return np.column_stack([1 - sure, sure])

def train(frame):
    return Rule()

def decide(prediction, frame):
    return frame.assign(act=["call" if p else None for p in prediction])[["act"]]
"""


def checked(model, **serving):
    """The results by name, of the package that lies in the repository."""
    package = model.out / "package"
    results = function_check(
        package,
        sha256=package_digest(package).sha256,
        rows_file=model.root / "data/d.csv",
        root=model.root,
        serving=Serving(**{"served": SERVED, **serving}),
    )
    return {result.name: result for result in results}


def call(url: str, path: str, body: object = None) -> tuple[int, object]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    headers = {"Content-Type": "application/json"}
    connection.request("GET" if body is None else "POST", path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_a_sound_package_is_served_asked_and_ended(model) -> None:
    model.run()
    said = {}

    def meanwhile(url: str) -> None:
        said["url"] = url
        said["metadata"] = call(url, "/metadata")[1]
        said["good"] = call(url, "/predict", {"rows": [{"id": 1, "x": 4, "group": "a"}]})

    found = checked(model, meanwhile=meanwhile, personal=("group", "phone"))
    assert [(name, result.passed) for name, result in found.items()] == [
        ("digest", True),
        ("function", True),
        ("service", True),
        ("service log", True),
    ]
    assert found["service log"].detail == "holds no value of group, phone"
    detail = found["service"].detail
    assert detail.startswith("answered 400 rows as the package does; answered its example; refused 14 hostile")
    assert said["good"] == (200, {"predictions": [{"prediction": 8.0}]})
    assert said["metadata"]["package"] == package_digest(model.out / "package").sha256
    assert (said["metadata"]["model"], said["metadata"]["version"]) == ("m", 3)
    with pytest.raises(ConnectionRefusedError):
        call(said["url"], "/health")


def test_classes_probabilities_and_decisions_are_answered_as_the_package_says(model) -> None:
    lines = ["id,x,y", *(f"{i},{i % 20},{int(i % 20 > 9)}" for i in range(300))]
    model.write({"data/d.csv": "\n".join(lines) + "\n"})
    model.source(CLASSES)
    model.run()
    answers = []
    found = checked(
        model,
        meanwhile=lambda url: answers.append(call(url, "/predict", {"rows": [{"id": 1, "x": x} for x in (3, 12)]})),
    )
    assert found["service"].passed, found["service"].detail
    assert answers[0][1]["predictions"] == [
        {"prediction": "0", "probability": 0.25, "decision": {"act": None}},
        {"prediction": "1", "probability": 0.75, "decision": {"act": "call"}},
    ]


def test_a_value_of_a_personal_column_in_the_log_fails_the_check_without_being_shown(model) -> None:
    rows = [f"{i},{i % 9},person-{i},{2 * (i % 9)}" for i in range(300)]
    model.write({"data/d.csv": "\n".join(["id,x,name,y", *rows]) + "\n"})
    model.source(
        "def train(frame):\n    return 2\n\n"
        "def predict(model, frame):\n    print('asked by', frame['name'].iloc[0])\n    return model * frame['x']\n"
    )
    model.run()
    found = checked(model, personal=("name", "phone"))
    assert found["service"].passed
    assert (found["service log"].passed, found["service log"].detail) == (
        False,
        "its log holds 1 values of name, which is personal",
    )


def test_a_short_personal_value_within_a_logged_word_is_found_by_one_that_no_row_has(model) -> None:
    rows = [f"{i},{i % 9},p{i % 7},{2 * (i % 9)}" for i in range(300)]
    model.write({"data/d.csv": "\n".join(["id,x,name,y", *rows]) + "\n"})
    model.source(
        "def train(frame):\n    return 2\n\n"
        "def predict(model, frame):\n    print('<' + frame['name'].iloc[0] + '-')\n    return model * frame['x']\n"
    )
    model.run()
    assert not checked(model, personal=("name",))["service log"].passed


@pytest.mark.parametrize(
    ("noise", "passed", "detail"),
    [
        ("('uvicorn' in sys.modules)", False, "400 of 400 predictions differ from the package's own"),
        ("time.time_ns() % 10**9", True, "answered 400 rows differently each time"),
    ],
)
def test_answers_that_differ_from_the_packages_own_fail_unless_they_are_random(model, noise, passed, detail) -> None:
    model.source(
        "import sys, time\n\ndef train(frame):\n    return 1\n\n"
        f"def predict(model, frame):\n    return frame['x'] + {noise}\n"
    )
    model.run()
    found = checked(model)
    assert (found["function"].passed, found["service"].passed) == (True, passed)
    assert found["service"].detail.startswith(detail)


def test_stand_in_rows_that_the_signature_refuses_altogether_say_nothing_and_are_an_error_with_its_reason(
    model,
) -> None:
    """No failed check: its verdict would outlive the rows."""
    model.params["data"]["columns"] = [{"name": "x", "type": "integer", "min": 1000}]
    model.run()
    with pytest.raises(StellwerkError, match="signature takes: x must be 1000 or more") as caught:
        checked(model)
    assert "stellwerk stand-in" in caught.value.hint
    model.write({"data/d.csv": "id,group,y\n" + "1,a,3.5\n" * 20})
    with pytest.raises(StellwerkError, match="the rows that stand in for the data lack the columns x"):
        checked(model)


def test_a_declared_pattern_is_asked_of_requests(model) -> None:
    """No row of the file matches but those of group a."""
    model.params["data"]["columns"] = [{"name": "group", "pattern": "[a]"}]
    model.run()
    seen = []
    found = checked(model, meanwhile=lambda url: seen.append(call(url, "/openapi.json")[1]))
    assert found["service"].passed, found["service"].detail
    assert "left out 200 rows that the signature does not take: group must match the declared pattern" in (
        found["service"].detail
    )
    assert seen[0]["components"]["schemas"]["Row"]["properties"]["group"] == {"type": "string", "pattern": "^(?:[a])$"}


def test_predictions_of_single_precision_are_the_same_in_a_file_and_in_an_answer(model) -> None:
    model.source(
        "import numpy as np\n\ndef train(frame):\n    return 1\n\n"
        "def predict(model, frame):\n    return np.log1p(frame['x'].to_numpy(dtype='float32'))\n"
    )
    model.run()
    found = checked(model)
    assert found["service"].passed, found["service"].detail
    assert found["service"].detail.startswith("answered 400 rows as the package does")


def test_a_model_that_ends_its_process_fails_the_check_and_is_gone(model) -> None:
    model.source(
        "import os\n\ndef train(frame):\n    return 1\n\n"
        "def predict(model, frame):\n    return frame['x'] if len(frame) > 1 else os._exit(3)\n"
    )
    model.run()
    found = checked(model)
    assert not found["service"].passed
    assert found["service"].detail.startswith("the service broke off while it was asked /predict")


def test_a_model_that_raises_gives_a_refusal_that_names_the_kind_of_error_only(model) -> None:
    model.source(
        "def train(frame):\n    return 1\n\n"
        "def predict(model, frame):\n"
        "    if (frame['group'] == 'text').any():\n        raise ValueError(f'no {frame.to_dict()}')\n"
        "    return frame['x']\n"
    )
    model.run()
    found = checked(model)
    assert found["service"].passed
    assert (
        "refused its example: the model has no answer for these rows: it raised ValueError;" in found["service"].detail
    )


def test_without_the_extra_the_check_is_the_function_alone_and_says_so(model, monkeypatch) -> None:
    model.run()
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    found = checked(model, meanwhile=pytest.fail)
    assert list(found) == ["digest", "function"]
    assert found["function"].passed
    assert found["function"].detail.endswith(
        "; not served: starlette and uvicorn not installed here; pip install starlette uvicorn"
    )


def test_a_model_that_is_a_command_is_not_served(model) -> None:
    model.command("touch $STELLWERK_MODEL/m", "cp p.csv $STELLWERK_PREDICTIONS")
    model.write({"models/m/p.csv": "prediction\n" + "1\n" * 400})
    assert module.not_served(_package_of_a_command(model)) == "the model is a command, which has no service"


def _package_of_a_command(model) -> Path:
    import msgspec

    model.params["model"] |= {"source": "models/m/m.py", "command": None, "code": ["models/m/m.py"]}
    model.run()
    package = model.out / "package"
    contract = msgspec.structs.replace(read_contract(package), format="command")
    (package / "package.json").write_text(json.dumps(contract.to_json()))
    return package


def test_an_environment_without_starlette_is_lent_ours_and_the_detail_says_so(model, tmp_path, monkeypatch) -> None:
    """An environment that has just what a model needs; its packages are links, so that no index is asked."""
    import pandas as pd

    venv.create(tmp_path / "env", with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = Path(pd.__file__).parents[1]
    for name in ("pandas", "numpy", "numpy.libs", "pandas.libs", "dateutil", "six.py", "pytz", "tzdata"):
        if (packages / name).exists():
            (tmp_path / "env/lib" / version / "site-packages" / name).symlink_to(packages / name)
    own = tmp_path / "env/bin/python"
    model.run()
    package = model.out / "package"
    raw = json.loads((package / "package.json").read_text())
    (package / "package.json").write_text(json.dumps({**raw, "requirements": "requirements.txt"}))
    (package / "requirements.txt").write_text("pandas\n")
    for place in ("stellwerk.training.serving", "stellwerk.training.predictions"):
        monkeypatch.setattr(f"{place}.environment_python", lambda requirements, around: own)
    found = checked(model)
    assert found["service"].passed, found["service"].detail
    assert found["service"].detail.endswith("its packages are Stellwerk's own, the model's environment has none")


def test_a_process_that_is_stopped_is_ended_with_all_it_started(tmp_path) -> None:
    from stellwerk.adapters.child import Isolation

    lines: list[str] = []
    result = run_process(
        "sleep 100 & echo $!; sleep 100",
        cwd=tmp_path,
        env=dict(os.environ),
        timeout=60,
        log=tmp_path / "log",
        isolation=Isolation(namespace=False),
        on_line=lines.append,
        stopped=lambda: bool(lines),
    )
    assert result.killed_by == "stopped"
    assert not Path(f"/proc/{lines[0]}").exists()
