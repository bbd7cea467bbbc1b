"""Which contexts and functions GitHub knows at which key of a workflow file (its documented table of availability).

Checked before a run starts, as GitHub does: `secrets` in an `if:` or `env` in a job's `env:` is a mistake of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .expressions import split
from .functions import STATUS, check_call
from .grammar import Call, Context, ExpressionError, nodes, parse

_RUN = "github inputs vars"
_PLAN = "github needs strategy matrix vars inputs"
_STEP = f"{_PLAN} job runner env secrets steps hashfiles"
_STATUS = " ".join(STATUS)

# The place, with * for one key and ** for all that follow: what may be named there.
AVAILABLE: tuple[tuple[str, str], ...] = (
    ("run-name", _RUN),
    ("concurrency.**", _RUN),
    ("env.**", f"{_RUN} secrets"),
    ("on.workflow_call.inputs.*.default", _RUN),
    ("on.workflow_call.outputs.*.value", f"{_RUN} jobs"),
    ("jobs.*.concurrency.**", _PLAN),
    ("jobs.*.continue-on-error", _PLAN),
    ("jobs.*.defaults.**", f"{_PLAN} env"),
    ("jobs.*.env.**", f"{_PLAN} secrets"),
    ("jobs.*.environment.url", f"{_PLAN} job runner env steps"),
    ("jobs.*.environment.**", _PLAN),
    ("jobs.*.if", f"github needs vars inputs {_STATUS}"),
    ("jobs.*.name", _PLAN),
    ("jobs.*.outputs.*", f"{_PLAN} job runner env secrets steps"),
    ("jobs.*.runs-on.**", _PLAN),
    ("jobs.*.secrets.**", f"{_PLAN} secrets"),
    ("jobs.*.strategy.**", "github needs vars inputs"),
    ("jobs.*.timeout-minutes", _PLAN),
    ("jobs.*.with.**", _PLAN),
    ("jobs.*.steps.*.if", f"{_PLAN} job runner env steps hashfiles {_STATUS}"),
    ("jobs.*.steps.*.id", ""),
    ("jobs.*.steps.*.uses", ""),
    ("jobs.*.steps.*.shell", ""),
    ("jobs.*.steps.**", _STEP),
)
_ALWAYS = frozenset(("case", "contains", "endswith", "format", "fromjson", "join", "startswith", "tojson"))


def check_contexts(given: Mapping[str, Any], path: str, *, refuse: type[Exception]) -> None:
    """Parse every expression of the file and refuse what GitHub does not know at its place."""
    for place, value in _leaves(given, ()):
        is_if = place[-1] == "if"
        if not isinstance(value, str) or ("${{" not in value and not is_if):
            continue
        allowed = _allowed(place)
        where = f"{path}: {'.'.join(place)}"
        try:
            parts = split(value)
            if is_if and "${{" not in value:
                parts = [("expression", value)]
            for kind, text in parts:
                if kind == "expression":
                    _check(text, allowed)
        except ExpressionError as error:
            raise refuse(f"{where}: {error}") from error


def _check(text: str, allowed: frozenset[str]) -> None:
    for node in nodes(parse(text)):
        if isinstance(node, Context) and node.name.lower() not in allowed:
            raise ExpressionError(f"unrecognized named-value: {node.name!r}; known here: {sorted(allowed)}")
        if isinstance(node, Call):
            check_call(node)
            if node.name not in allowed | _ALWAYS:
                raise ExpressionError(f"{node.name}() is not available here")


def _leaves(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*place, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*place, str(index)))
    else:
        yield place, value


def _allowed(place: tuple[str, ...]) -> frozenset[str]:
    for pattern, names in AVAILABLE:
        keys = pattern.split(".")
        rest = keys[-1] == "**"
        keys = keys[:-1] if rest else keys
        long_enough = len(place) >= len(keys) if rest else len(place) == len(keys)
        if long_enough and all(key in {"*", found} for key, found in zip(keys, place, strict=False)):
            return frozenset(names.split())
    return frozenset()
