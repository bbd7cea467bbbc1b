"""Measure a version from its package in a clean process, beside the champion on the same rows, and judge it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.data.holdout import excluded_rows, find_holdout, row_ids
from stellwerk.errors import StellwerkError
from stellwerk.metrics.difference import prediction_difference
from stellwerk.metrics.judge import Evaluated, judge
from stellwerk.model.records import CheckResult, VersionRecord
from stellwerk.training.checks import command_check, failed, function_check
from stellwerk.training.custom_metrics import Asked, computed
from stellwerk.training.masked import surroundings
from stellwerk.training.measuring import scored
from stellwerk.training.package import read_contract
from stellwerk.training.predictions import Predictions, predict_package
from stellwerk.training.snapshot import Snapshot, read_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stellwerk.model.declared import Json, Threshold
    from stellwerk.training.jobs import Surroundings

    Mask = npt.NDArray[np.bool_]

__all__ = [
    "CHAMPION",
    "PREDICTIONS",
    "Contender",
    "Evaluation",
    "EvaluationRequest",
    "command_check",
    "evaluate",
    "function_check",
]

CHAMPION = "champion"
PREDICTIONS = "predictions"


class Contender(Struct, frozen=True, kw_only=True):
    """A version to be measured: its fetched package folder, its record, and the snapshot its record names.

    `snapshot` None: the same file as the challenger's, or erased by decision, if the records name another one.
    """

    package: Path
    record: VersionRecord
    snapshot: Path | None


class EvaluationRequest(Struct, frozen=True, kw_only=True):
    """What to measure, with what, and where. `timeout` in seconds per prediction.

    `metric_code` are files of the repository at `root` that thresholds name as `module:function`; `masked` are
    paths to hide from the models beside the snapshots, git's and DVC's folders.
    """

    challenger: Contender
    champion: Contender | None
    thresholds: tuple[Threshold, ...]
    min_group: int
    root: Path
    masked: tuple[Path, ...] = ()
    metric_code: tuple[str, ...] = ()
    environ: Mapping[str, str] | None = None
    timeout: float = 3600
    namespace: bool = True


class Evaluation(Struct, frozen=True, kw_only=True):
    """`rows` were measured; `excluded` held-out rows were left out because the champion was trained on them."""

    checks: tuple[CheckResult, ...]
    rows: int
    excluded: int
    difference: Mapping[str, Json] | None


class _Rows(Struct, frozen=True, kw_only=True, eq=False):
    """The rows to predict, what pandas makes of them (with the target), and how many were left out."""

    rows: pd.DataFrame
    types: pd.DataFrame
    excluded: int
    unknown: bool = False  # the champion's data are erased: it may have been trained on some of the rows


def evaluate(request: EvaluationRequest) -> Evaluation:
    """Predict the challenger's held-out rows with both packages and judge every threshold.

    A model that fails to predict is a failed check. StellwerkError where a snapshot is not the recorded one.
    """
    around = _around(request)
    chosen = _choose(request)
    if not len(chosen.rows):
        words = f"the champion was trained on all {chosen.excluded} held-out rows: there is nothing to compare on"
        nothing = CheckResult(name=PREDICTIONS, passed=False, detail=words)
        return Evaluation(checks=(nothing,), rows=0, excluded=chosen.excluded, difference=None)
    count = len(chosen.rows)
    try:
        predictions = _predict(request.challenger, chosen, around)
    except StellwerkError as error:
        return Evaluation(checks=(failed(PREDICTIONS, error),), rows=count, excluded=chosen.excluded, difference=None)
    detail = f"{count} held-out rows predicted from the package" + (
        f"; {chosen.excluded} left out, the champion was trained on them" if chosen.excluded else ""
    )
    if chosen.unknown:  # at worst in the champion's favour, so nothing passes that should not
        detail += "; none left out for the champion, whose data were erased by decision"
    checks = [CheckResult(name=PREDICTIONS, passed=True, detail=detail)]
    rival: Predictions | None = None
    difference: dict[str, Json] | None = None
    if request.champion is not None:
        try:
            rival = _predict(request.champion, chosen, around)
        except StellwerkError as error:
            difference = {"problem": f"the champion cannot predict these rows: {error.message}"}
            if any(threshold.max_worsening is not None for threshold in request.thresholds):
                checks.append(failed(CHAMPION, error))
        else:
            difference = prediction_difference(
                rival.answers, predictions.answers, task=request.challenger.record.task, min_group=request.min_group
            )
    checks += _judge(request, chosen, predictions, rival, around)
    return Evaluation(checks=tuple(checks), rows=count, excluded=chosen.excluded, difference=difference)


def _around(request: EvaluationRequest) -> Surroundings:
    """Both snapshots hold the truth, so they are hidden as well."""
    contenders = [request.challenger, *([request.champion] if request.champion else [])]
    snapshots = [contender.snapshot for contender in contenders if contender.snapshot is not None]
    return surroundings(
        request.root,
        masked=(*request.masked, *snapshots),
        environ=os.environ if request.environ is None else request.environ,
        timeout=request.timeout,
        namespace=request.namespace,
    )


def _choose(request: EvaluationRequest) -> _Rows:
    """The held-out rows that no compared version was trained on."""
    challenger = request.challenger
    if challenger.snapshot is None:
        raise StellwerkError("the challenger's snapshot is not given")
    snapshot = _snapshot(challenger, challenger.snapshot)
    held = find_holdout(snapshot.rows, challenger.record.holdout)
    rows, types = snapshot.rows[held], snapshot.types[held]
    if request.champion is None:
        return _Rows(rows=rows, types=types, excluded=0)
    champion = request.champion
    known = champion.record.data.sha256 == challenger.record.data.sha256
    if champion.snapshot is None and not known:
        return _Rows(rows=rows, types=types, excluded=0, unknown=True)
    theirs = snapshot if known or champion.snapshot is None else _snapshot(champion, champion.snapshot)
    trained = theirs.rows[~find_holdout(theirs.rows, champion.record.holdout)]
    identity = _identity(challenger.record.holdout.identity, rows, trained)
    out = excluded_rows(row_ids(rows, identity), [set(row_ids(trained, identity))])
    return _Rows(rows=rows[~out], types=types[~out], excluded=int(out.sum()))


def _identity(declared: tuple[str, ...], rows: pd.DataFrame, trained: pd.DataFrame) -> tuple[str, ...]:
    """What a row of both snapshots is recognised by: the key, or else all the columns that both have."""
    shared = tuple(sorted(set(rows.columns) & set(trained.columns)))
    if declared and set(declared) <= set(shared):
        return declared
    if not shared:
        raise StellwerkError("the champion's data have no column in common with the challenger's")
    return shared


def _snapshot(contender: Contender, file: Path) -> Snapshot:
    snapshot = read_snapshot(file, read_contract(contender.package).code.data_format)
    expected = contender.record.data.sha256
    if snapshot.sha256 != expected:
        message = f"the snapshot is not the recorded one: expected {expected}, found {snapshot.sha256}"
        raise StellwerkError(message, where=contender.record.data.path, hint="fetch it again by the record's hash")
    return snapshot


def _predict(contender: Contender, chosen: _Rows, around: Surroundings) -> Predictions:
    return predict_package(contender.package, chosen.rows, sha256=contender.record.package.sha256, around=around)


def _judge(
    request: EvaluationRequest,
    chosen: _Rows,
    predictions: Predictions,
    rival: Predictions | None,
    around: Surroundings,
) -> tuple[CheckResult, ...]:
    challenger = _evaluated(request.challenger, chosen, predictions)
    champion = None if rival is None or request.champion is None else _evaluated(request.champion, chosen, rival)
    thresholds, seed, least = request.thresholds, request.challenger.record.seed, request.min_group
    if request.champion is not None and champion is None:
        # Without its predictions "no worse than the champion" is not proven; a check of its own says so.
        thresholds = tuple(t for t in thresholds if t.max_worsening is None or t.max is not None or t.min is not None)
    if any(":" in threshold.metric for threshold in thresholds):
        challenger = _with_custom(request, request.challenger, challenger, chosen, around)
        if champion is not None and request.champion is not None:
            champion = _with_custom(request, request.champion, champion, chosen, around)
    return judge(
        thresholds,
        challenger,
        champion,
        frame=chosen.types,
        seed=seed,
        min_group=least,
        excluded=chosen.excluded,
    )


def _evaluated(contender: Contender, chosen: _Rows, predictions: Predictions) -> Evaluated:
    contract = read_contract(contender.package)
    target = contract.code.target
    if target not in chosen.types.columns:
        raise StellwerkError(f"the data have no column {target} to measure against", where=contender.record.data.path)
    return Evaluated(scored=scored(contract, chosen.types[target], predictions), decisions=predictions.decisions)


def _with_custom(
    request: EvaluationRequest, contender: Contender, version: Evaluated, chosen: _Rows, around: Surroundings
) -> Evaluated:
    """Judge once to learn which rows the custom metrics are wanted on, then compute them together."""
    import msgspec

    own = tuple(threshold for threshold in request.thresholds if ":" in threshold.metric)
    asked = Asked()
    noting = msgspec.structs.replace(version, custom=asked.note)
    judge(own, noting, None, frame=chosen.types, seed=0, min_group=request.min_group)
    answer = computed(asked, version, contender.package, root=request.root, files=request.metric_code, around=around)
    return msgspec.structs.replace(version, custom=answer)
