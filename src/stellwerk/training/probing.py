"""Questions to a running service: good rows, the signature's example, and requests that it must refuse."""

from __future__ import annotations

import http.client
import json
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stellwerk.errors import TrainingFailed
from stellwerk.metrics.scored import label_text
from stellwerk.training.signature import EXAMPLES
from stellwerk.worker.request_rows import value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from stellwerk.model.declared import Json
    from stellwerk.training.contract import Contract
    from stellwerk.training.serving import Service
    from stellwerk.training.signature import Signature

PATIENCE = 120.0  # seconds for one answer
MANY = 1_000_000
MARK = "stellwerk-probe"
FEWEST = 4  # characters of a value that is looked for in a log: shorter ones are everywhere
OK, REFUSED, BROKEN = 200, 400, 500
CLOSE = 1e-9


@dataclass(slots=True)
class Found:
    """What the service did: problems in words, without values, and how much was asked.

    `random`: the same request got other answers the second time, so they cannot be compared with the package's own.
    `strange`: the columns in which `unfit` rows are not what the signature takes.
    """

    problems: list[str] = field(default_factory=list)
    rows: int = 0
    unfit: int = 0
    hostile: int = 0
    random: bool = False
    strange: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: status, and its JSON; None where it is none."""

    status: int
    said: Any


def probe(service: Service, contract: Contract, rows: pd.DataFrame, answers: Sequence[Any], *, sha256: str) -> Found:
    """Ask everything; TrainingFailed where the service breaks off.

    `rows` are typed, `answers` what the package itself said of them.
    """
    signature, found = contract.requests, Found()
    for path, wanted in (("/health", {"status": "ok"}), ("/metadata", {"package": sha256}), ("/openapi.json", {})):
        answer = ask(service, "GET", path)
        said = answer.said if isinstance(answer.said, dict) else {}
        if answer.status != OK or any(said.get(key) != value for key, value in wanted.items()):
            found.problems.append(f"GET {path} was answered with {answer.status}, or says something else")
    requests, kept, found.strange = fitting(rows, signature)
    found.rows, found.unfit = len(requests), len(rows) - len(requests)
    if requests:
        answer = ask(service, "POST", "/predict", {"rows": requests})
        own = [answers[position] for position in kept] if not found.unfit else None
        problems = judged(answer, contract, count=len(requests), answers=own)
        if problems and own is not None and not judged(answer, contract, count=len(requests), answers=None):
            again = ask(service, "POST", "/predict", {"rows": requests})
            found.random = again.status == OK and again.said != answer.said
        found.problems += [] if found.random else problems
    found.example = _example(service, contract, found)
    base = requests[0] if requests else dict(signature.example[0]) if signature.example else {}
    for words, body in hostile(signature, base):
        answer = ask(service, "POST", "/predict", body)
        found.hostile += 1
        if not REFUSED <= answer.status < BROKEN:
            found.problems.append(f"{words} was answered with {answer.status}, not refused")
        elif not isinstance(answer.said, dict) or not answer.said.get("error"):
            found.problems.append(f"{words} was refused without saying why")
    return found


def ask(service: Service, method: str, path: str, body: object = None) -> Answer:
    """One request; bytes are sent as they are. TrainingFailed where no answer comes: it has ended, or hangs."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    try:
        if method == "GET":
            connection.request(method, path)
        else:
            connection.request(method, path, body=content, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
    except (OSError, http.client.HTTPException) as error:
        message = f"the service broke off while it was asked {path} ({type(error).__name__})"
        raise TrainingFailed(message, kind="bad-output") from error
    finally:
        connection.close()
    try:
        return Answer(response.status, json.loads(text))
    except ValueError:
        return Answer(response.status, None)


def fitting(rows: pd.DataFrame, signature: Signature) -> tuple[list[dict[str, Json]], list[int], tuple[str, ...]]:
    """The rows as a request has them and their positions, but those the signature refuses; and in which columns."""
    columns = [column.to_json() for column in signature.columns]
    parts = {column.name: [plain(value, column.type) for value in rows[column.name]] for column in signature.columns}
    found, kept = [], []
    strange: set[str] = set()
    for position in range(len(rows)):
        row = {name: part[position] for name, part in parts.items()}
        refused = {str(column["name"]) for column in columns if not _taken(row[str(column["name"])], column)}
        strange |= refused
        if not refused:
            found.append(row)
            kept.append(position)
    return found, kept, tuple(sorted(strange))


def _taken(value: Json, column: Mapping[str, Json]) -> bool:
    try:
        value_of(value, column)
    except ValueError:
        return False
    return True


def plain(value: Any, kind: str) -> Json:
    """A value of a typed frame as JSON has it."""
    import pandas as pd

    value = value.item() if hasattr(value, "item") else value
    if pd.isna(value):
        return None
    if kind == "boolean":
        return bool(value)
    if kind in {"integer", "number"}:
        if isinstance(value, str) or not math.isfinite(value):
            return str(value)
        return int(value) if kind == "integer" and value == int(value) else float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def judged(answer: Answer, contract: Contract, *, count: int, answers: Sequence[Any] | None) -> list[str]:
    """What is wrong with the response to good rows: status, shape, types, answers that are not the package's own."""
    if answer.status != OK or not isinstance(answer.said, dict):
        return [f"{count} good rows were answered with {answer.status}{_reason(answer)}"]
    given = answer.said.get("predictions")
    if not isinstance(given, list) or len(given) != count:
        return [f"{count} rows did not get {count} predictions"]
    number = contract.task == "regression"
    kinds: tuple[type, ...] = (int, float) if number else (str,)
    values = [item.get("prediction") if isinstance(item, dict) else None for item in given]
    if not all(isinstance(value, kinds) and not isinstance(value, bool) for value in values):
        return [f"not every prediction is {'a number' if number else 'text'}"]
    if answers is None:
        return []
    same = _close if number else _same_class
    different = sum(not same(left, right) for left, right in zip(values, answers, strict=True))
    return [f"{different} of {count} predictions differ from the package's own"] if different else []


def _close(left: Any, right: Any) -> bool:
    return math.isclose(float(left), float(right), rel_tol=CLOSE, abs_tol=CLOSE)


def _same_class(left: Any, right: Any) -> bool:
    return label_text(_number(left)) == label_text(_number(right))


def _number(text: object) -> object:
    try:
        return float(str(text))
    except ValueError:
        return text


def _reason(answer: Answer) -> str:
    said = answer.said.get("error") if isinstance(answer.said, dict) else None
    return f": {said}" if isinstance(said, str) else ""


def _example(service: Service, contract: Contract, found: Found) -> str:
    """Ask the signature's example. The model may refuse one of which not all is declared; it must not break."""
    rows = [dict(row) for row in contract.requests.example]
    answer = ask(service, "POST", "/predict", {"rows": rows})
    if answer.status == OK:
        found.problems += judged(answer, contract, count=len(rows), answers=None)
        return "answered its example"
    if not REFUSED <= answer.status < BROKEN:
        found.problems.append(f"the signature's example was answered with {answer.status}")
    return f"refused its example{_reason(answer)}"


def hostile(signature: Signature, base: Mapping[str, Json]) -> list[tuple[str, object]]:
    """Requests that must be refused, in words. `base` is a row that is not."""
    found: list[tuple[str, object]] = [
        ("no rows", {"rows": []}),
        ("an empty body", b""),
        ("a body that is not JSON", b"\xff{"),
        ("rows that are no list", {"rows": 1}),
        ("a row that is no object", {"rows": [1]}),
        ("a row without columns", {"rows": [{}]}),
        ("a million rows", b'{"rows":[' + b"0," * (MANY - 1) + b"0]}"),
        ("a column nobody knows", {"rows": [{**base, MARK: MARK}]}),
    ]
    wrong: dict[str, Json] = {
        "integer": MARK,
        "number": MARK,
        "boolean": MARK,
        "string": 0,
        "date": MARK,
        "datetime": MARK,
    }
    for kind in EXAMPLES:
        name = next((column.name for column in signature.columns if column.type == kind), None)
        if name is not None:
            found.append((f"a value that is no {kind}", {"rows": [{**base, name: wrong[kind]}]}))
            if kind in {"integer", "number"}:
                sent = json.dumps({"rows": [{**base, name: MARK}]})
                found += [(word, sent.replace(f'"{MARK}"', word).encode()) for word in ("NaN", "Infinity", "1e999")]
    for column in signature.columns:
        if column.allowed is not None:
            found.append(("an unknown category", {"rows": [{**base, column.name: MARK}]}))
            break
    for column in signature.columns:
        if not column.missing:
            found.append(("a gap where there was none", {"rows": [{**base, column.name: None}]}))
            break
    return found


def told_in(log: str, rows: pd.DataFrame, personal: Sequence[str]) -> dict[str, int]:
    """How many different values of each personal column stand in the log, as words of four characters or more."""
    words = set(re.findall(r"[^\s,;:=|\[\](){}\"'<>]+", log))
    found = {}
    for name in personal:
        if name in rows.columns:
            values = {str(value) for value in rows[name].dropna().unique()}
            seen = {value for value in values if len(value) >= FEWEST and (value in words or _phrase(value, log))}
            if seen:
                found[name] = len(seen)
    return found


def _phrase(value: str, log: str) -> bool:
    """A value of several words is looked for as it is."""
    return " " in value and value in log
