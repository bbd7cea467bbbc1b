"""A plan as JSON and back: `plan --out FILE` writes it, `reconcile FILE` reads it. The shape is `plan.schema.json`."""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

from stellwerk.declarations.schema import schema_text
from stellwerk.declarations.write import shown
from stellwerk.errors import StellwerkError
from stellwerk.model.actions import (
    Action,
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
from stellwerk.report.json_text import document, plain
from stellwerk.report.words import ORDER, action_words

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

    from stellwerk.model.declared import Json

ACTIONS: dict[str, type[Action]] = {
    "render": Render,
    "snapshot": Snapshot,
    "train": Train,
    "check": Check,
    "promote": Promote,
    "deploy": Deploy,
    "retire": Retire,
}
STEP = frozenset(["action", "reason", "condition", "seconds", "key", "needs"])  # what every step has
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def plan_json(plan: Plan) -> str:
    """The whole plan, with counts per action for those who only want to know how much there is."""
    return document(
        {
            "basis": plan.basis,
            "summary": _counts(plan),
            "steps": [step_json(step) for step in plan.steps],
            "waits": [plain(wait) for wait in plan.waits],
        }
    )


def _counts(plan: Plan) -> Json:
    counts = Counter(action_words(step.action).name for step in plan.steps)
    return {**{name: counts[name] for name in ORDER}, "wait": len(plan.waits)}


def step_json(step: Step) -> Json:
    """One step: its action's name and fields, then why, under which condition and for how long."""
    action = plain(step.action)
    rest = {"reason": step.reason, "condition": step.condition, "seconds": step.seconds, "key": step.key}
    named = {"action": action_words(step.action).name, **(action if isinstance(action, dict) else {}), **rest}
    return {**named, "needs": list(step.needs)}


def plan_from_json(text: str) -> Plan:
    """The plan that `plan_json` wrote. The text may be anybody's: StellwerkError says where it is no plan."""
    try:
        raw: Any = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        errors = list(_validator().iter_errors(raw))
    except (ValueError, RecursionError) as error:
        _refuse("", f"it is no JSON ({shown(str(error))})")
    if errors:
        first = min(errors, key=lambda error: list(error.absolute_path) != ["version"])
        _refuse(*_mistake(first))
    return Plan(
        basis=raw["basis"],
        steps=tuple(_step(item) for item in raw["steps"]),
        waits=tuple(Wait(**{**item, "kind": WaitKind(item["kind"])}) for item in raw["waits"]),
    )


@functools.cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema_text("plan")))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{shown(text)} is too large")
    return number


def _refuse(where: str, problem: str) -> NoReturn:
    raise StellwerkError(
        f"this is not a plan: {problem}", where=where, hint="make one with: stellwerk plan --out plan.json"
    )


def _step(item: dict[str, Any]) -> Step:
    """A step of a document that fits the schema: what is not the step's own is its action's."""
    action = ACTIONS[item["action"]](**{key: value for key, value in item.items() if key not in STEP})
    rest = {key: item[key] for key in STEP if key not in {"action", "needs"}}
    return Step(action=action, needs=tuple(item["needs"]), **rest)


def _mistake(error: ValidationError) -> tuple[str, str]:
    """Where the text does not fit the schema, and how, in words."""
    if error.validator == "oneOf":
        return _step_mistake(error)
    return _place(error), _problem(error.validator, error.validator_value, error.instance, error.schema)


def _problem(keyword: object, wanted: Any, found: Any, schema: Any) -> str:
    match keyword:
        case "required":
            return f"the key '{next(key for key in wanted if key not in found)}' is missing"
        case "additionalProperties":
            return f"unknown key '{shown(min(set(found) - set(schema['properties'])))}'"
        case "const":
            return f"it must be {json.dumps(wanted)}"
        case "enum":
            return f"it must be one of {', '.join(wanted)}"
        case "minimum":
            return f"it must be at least {wanted}"
        case _:
            names = [wanted] if isinstance(wanted, str) else wanted
            return f"it must be {' or '.join(TYPES[name] for name in names)}"


def _step_mistake(error: ValidationError) -> tuple[str, str]:
    """What is wrong with a step: measured by the schema of the action it names."""
    where, step = _place(error), error.instance
    refs: Any = error.validator_value
    if not isinstance(step, dict):
        return where, "it must be an object"
    name = step.get("action")
    branches = [branch["$ref"].rpartition("/")[2] for branch in refs]
    if name not in branches:
        return f"{where}.action", f"it must be one of {', '.join(branches)}"
    of_branch = [inner for inner in error.context or () if inner.schema_path[0] == branches.index(name)]
    return _mistake(of_branch[0])


def _place(error: ValidationError) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return "".join(parts).removeprefix(".")
