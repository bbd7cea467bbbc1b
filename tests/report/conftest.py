import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from stellwerk.model.actions import (
    Check,
    Deploy,
    Plan,
    Promote,
    Render,
    Retire,
    Snapshot,
    Step,
    Train,
    Wait,
    WaitKind,
)

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


@pytest.fixture
def whole_plan() -> Plan:
    """Every kind of action, certain and conditional, and a wait."""
    shoe = "shoe-demand"
    return Plan(
        basis="1a2b3c4d5e6f",
        steps=(
            Step(action=Snapshot(dataset="sales"), reason="there is no snapshot yet"),
            Step(action=Render(path="models/shoe-demand/dvc.yaml", text="x", model=shoe, new=True), reason="declared"),
            Step(action=Render(path="models/shoe-demand/params.yaml", text="x", model=shoe), reason="declared"),
            Step(action=Render(path="models/old/dvc.yaml", text=None), reason="old is no longer declared"),
            Step(action=Train(model=shoe, fingerprint=None), reason="sales changed: 9c1f… → 03ab…", seconds=130),
            Step(
                action=Check(model=shoe, environment="regression", version=None, champion=2),
                reason="not judged there yet",
                condition="training succeeds",
                seconds=8,
            ),
            Step(
                action=Promote(model=shoe, environment="production", version=None, previous=2),
                reason="it is the current version",
                condition="if regression passes",
            ),
            Step(
                action=Deploy(model=shoe, environment="production", version=None, previous=2),
                reason="the target runs v2",
                condition="promotion to production",
            ),
            Step(
                action=Promote(model="credit", environment="production", version=1, previous=2, back=True),
                reason="v2 violates roc_auc",
            ),
            Step(
                action=Deploy(model="churn", environment="production", version=None, previous=4, withdraw=True),
                reason="withdrawn by ada",
            ),
            Step(action=Retire(model="old", environment="production", version=1), reason="old is no longer declared"),
        ),
        waits=(
            Wait(
                kind=WaitKind.APPROVAL,
                reason="0 of 1 approvals by credit-risk",
                unblock="stellwerk approve credit production",
                model="credit",
                environment="production",
                version=3,
            ),
        ),
    )


@pytest.fixture
def assert_valid() -> Callable[[str, str], object]:
    """Assert that a text is JSON that its schema allows; returns the JSON."""

    def check(name: str, text: str) -> object:
        schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        content = json.loads(text)
        jsonschema.validate(content, schema, cls=jsonschema.Draft202012Validator)
        return content

    return check
