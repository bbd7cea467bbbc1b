"""Questions to a running service: good rows, the signature's example, personal values, and what it must refuse."""

from __future__ import annotations

import http.client
import json
import math
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from stellwerk.errors import TrainingFailed
from stellwerk.metrics.scored import label_text
from stellwerk.training.hostile import OK, UNFIT, hostile, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from stellwerk.model.declared import Json
    from stellwerk.training.contract import Contract
    from stellwerk.training.serving import Service
    from stellwerk.training.signature import Signature

PATIENCE = 120.0  # seconds for one answer
CLOSE = 1e-9
PERSONAL = "stellwerk-personal-{}"


class Found(Struct):
    """What the service did: problems in words, without values, and how much was asked.

    `random`: the same request got other answers the second time, so they cannot be compared with the package's own.
    `strange`: column -> why, for the columns in which `unfit` rows are not what the signature takes. `marks`: column ->
    the value sent in it to see whether it is logged.
    """

    problems: list[str] = field(default_factory=list)
    rows: int = 0
    unfit: int = 0
    hostile: int = 0
    random: bool = False
    strange: Mapping[str, str] = field(default_factory=dict)
    example: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """Why rows are unfit, in words."""
        return ", ".join(f"{name} {message}" for name, message in self.strange.items())


class Answer(Struct, frozen=True):
    """A response: status, and its JSON; None where it is none."""

    status: int
    said: Any


def probe(
    service: Service,
    contract: Contract,
    rows: pd.DataFrame,
    answers: Sequence[Any],
    *,
    sha256: str,
    personal: Sequence[str] = (),
) -> Found:
    """Ask everything; TrainingFailed where the service breaks off.

    `rows` are typed, `answers` what the package itself said of them. `personal` are columns that it must not log.
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
    found.marks = _marks(signature, personal)
    if found.marks:
        answer = ask(service, "POST", "/predict", {"rows": [{**base, **found.marks}]})
        if answer.status not in {OK, UNFIT}:
            found.problems.append(f"a row with personal values was answered with {answer.status}")
    for words, body, status in hostile(signature, base):
        answer = ask(service, "POST", "/predict", body)
        found.hostile += 1
        if answer.status != status:
            found.problems.append(f"{words} was answered with {answer.status}, not with {status}")
        elif not explained(answer):
            found.problems.append(f"{words} was refused without saying why")
    return found


def _marks(signature: Signature, personal: Sequence[str]) -> dict[str, str]:
    """A value for each personal column that takes any text: one that no row has."""
    columns = [column for column in signature.columns if column.name in personal]
    marks = {column: PERSONAL.format(number) for number, column in enumerate(columns)}
    return {column.name: mark for column, mark in marks.items() if not refusal(mark, column.to_json())}


def explained(answer: Answer) -> bool:
    """Whether a refusal has the described shape: `error` is text, `problems` name row, column and what is wrong."""
    said = answer.said if isinstance(answer.said, dict) else {}
    problems = said.get("problems")
    if not said.get("error") or not isinstance(said["error"], str) or not isinstance(problems, list):
        return False
    return all(
        isinstance(problem, dict)
        and isinstance(problem.get("row"), int)
        and isinstance(problem.get("column"), str | None)
        and isinstance(problem.get("message"), str)
        for problem in problems
    )


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


def fitting(rows: pd.DataFrame, signature: Signature) -> tuple[list[dict[str, Json]], list[int], dict[str, str]]:
    """The rows as a request has them and their positions, but those the signature refuses; the columns, and why."""
    known = {column.name: column.to_json() for column in signature.columns}
    parts = {column.name: [plain(value, column.type) for value in rows[column.name]] for column in signature.columns}
    found, kept = [], []
    strange: dict[str, str] = {}
    for position in range(len(rows)):
        row = {name: part[position] for name, part in parts.items()}
        refused = {name: why for name, value in row.items() if (why := refusal(value, known[name]))}
        strange = refused | strange
        if not refused:
            found.append(row)
            kept.append(position)
    return found, kept, dict(sorted(strange.items()))


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
    if not all(_sound(item) for item in given):
        return ["not every probability lies within 0..1, or a decision is no object"]
    if answers is None:
        return []
    same = _close if number else _same_class
    different = sum(not same(left, right) for left, right in zip(values, answers, strict=True))
    return [f"{different} of {count} predictions differ from the package's own"] if different else []


def _sound(item: Mapping[str, Any]) -> bool:
    sure = item.get("probability", 0.0)
    return isinstance(sure, int | float) and 0 <= sure <= 1 and isinstance(item.get("decision", {}), dict)


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
    if answer.status != UNFIT or not explained(answer):
        found.problems.append(f"the signature's example was answered with {answer.status}, or refused without a reason")
    return f"refused its example{_reason(answer)}"
