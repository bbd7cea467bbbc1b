"""A plan as JSON and back: `plan --out FILE` writes it, `reconcile FILE` reads it. The shape is `plan.schema.json`."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

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
from stellwerk.report.json_text import VERSION, document, plain
from stellwerk.report.words import ORDER, action_words

if TYPE_CHECKING:
    from stellwerk.model.declared import Json


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
    """The plan that `plan_json` wrote. StellwerkError says what is wrong with any other text."""
    try:
        raw: Json = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        _refuse("", f"it is no JSON ({error})")
    content = _Fields("", raw)
    if content.whole("version") != VERSION:
        _refuse("version", f"this Stellwerk reads version {VERSION}")
    return Plan(
        basis=content.text("basis"),
        steps=tuple(_decode_step(_Fields(f"steps[{n}]", item)) for n, item in enumerate(content.list("steps"))),
        waits=tuple(_decode_wait(_Fields(f"waits[{n}]", item)) for n, item in enumerate(content.list("waits"))),
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _refuse(where: str, problem: str) -> NoReturn:
    raise StellwerkError(
        f"this is not a plan: {problem}", where=where, hint="make one with: stellwerk plan --out plan.json"
    )


def _decode_step(item: _Fields) -> Step:
    return Step(
        action=_decode_action(item),
        reason=item.text("reason"),
        condition=item.text("condition"),
        seconds=item.maybe_number("seconds"),
        key=item.text("key"),
        needs=item.texts("needs"),
    )


def _decode_action(item: _Fields) -> Action:  # noqa: PLR0911  one return per action
    match item.text("action"):
        case "render":
            return Render(
                path=item.text("path"),
                text=item.maybe_text("text"),
                model=item.maybe_text("model"),
                new=item.flag("new"),
                rename_from=item.maybe_text("rename_from"),
            )
        case "snapshot":
            return Snapshot(dataset=item.text("dataset"))
        case "train":
            return Train(model=item.text("model"), fingerprint=item.maybe_text("fingerprint"))
        case "check":
            return Check(
                model=item.text("model"),
                environment=item.text("environment"),
                version=item.maybe_whole("version"),
                champion=item.maybe_whole("champion"),
            )
        case "promote":
            return Promote(
                model=item.text("model"),
                environment=item.text("environment"),
                version=item.maybe_whole("version"),
                previous=item.maybe_whole("previous"),
                mode=item.text("mode"),
                back=item.flag("back"),
            )
        case "deploy":
            return Deploy(
                model=item.text("model"),
                environment=item.text("environment"),
                version=item.maybe_whole("version"),
                previous=item.maybe_whole("previous"),
                withdraw=item.flag("withdraw"),
            )
        case "retire":
            return Retire(model=item.text("model"), environment=item.text("environment"), version=item.whole("version"))
        case other:
            _refuse(f"{item.where}.action", f"no action is called {other!r}")


def _decode_wait(item: _Fields) -> Wait:
    kind = item.text("kind")
    if kind not in set(WaitKind):
        _refuse(f"{item.where}.kind", f"nothing waits for {kind!r}")
    return Wait(
        kind=WaitKind(kind),
        reason=item.text("reason"),
        unblock=item.text("unblock"),
        model=item.maybe_text("model"),
        environment=item.maybe_text("environment"),
        version=item.maybe_whole("version"),
    )


class _Fields:
    """The fields of one JSON object, each read as the type it must have."""

    def __init__(self, where: str, raw: Json) -> None:
        if not isinstance(raw, dict):
            _refuse(where, "an object is wanted here")
        self.where = where
        self._raw = raw

    def _get(self, key: str) -> Json:
        if key not in self._raw:
            self._refuse(key, "is missing")
        return self._raw[key]

    def _refuse(self, key: str, problem: str) -> NoReturn:
        where = f"{self.where}.{key}" if self.where else key
        _refuse(where, f"{key!r} {problem}")

    def text(self, key: str) -> str:
        value = self._get(key)
        return value if isinstance(value, str) else self._refuse(key, "must be a string")

    def maybe_text(self, key: str) -> str | None:
        return None if self._get(key) is None else self.text(key)

    def whole(self, key: str) -> int:
        value = self._get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self._refuse(key, "must be a whole number")

    def maybe_whole(self, key: str) -> int | None:
        return None if self._get(key) is None else self.whole(key)

    def maybe_number(self, key: str) -> float | None:
        value = self._get(key)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value
        return self._refuse(key, "must be a number")

    def flag(self, key: str) -> bool:
        value = self._get(key)
        return value if isinstance(value, bool) else self._refuse(key, "must be true or false")

    def texts(self, key: str) -> tuple[str, ...]:
        found = tuple(item for item in self.list(key) if isinstance(item, str))
        return found if len(found) == len(self.list(key)) else self._refuse(key, "must be a list of strings")

    def list(self, key: str) -> list[Json]:
        value = self._get(key)
        return value if isinstance(value, list) else self._refuse(key, "must be a list")
