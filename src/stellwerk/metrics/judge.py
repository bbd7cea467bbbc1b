"""Judging thresholds: on the estimate or the interval's bound, against the champion on the same rows, per slice.

A metric that cannot be computed fails its threshold: what is not measured is not proven.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.metrics import catalogue
from stellwerk.metrics.measure import mean_statistic, measure_statistic, statistic_of
from stellwerk.metrics.resampling import RESAMPLES, Statistic, estimate, interval
from stellwerk.metrics.scored import NotComputableError, Scored, take
from stellwerk.metrics.slices import slices
from stellwerk.model.records import CheckResult, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from stellwerk.model.declared import Threshold, Worsening

    Mask = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]

Value = TypeVar("Value", float, "npt.NDArray[np.float64]")

# (`module:function`, rows it is asked for) -> its value there, or None and why.
Custom = Callable[[str, "Mask"], tuple[float | None, str]]


class Evaluated(Struct, frozen=True, kw_only=True, eq=False):
    """One version's answers on the evaluation rows.

    `decisions` is what `decide` made of them (same rows), `custom` computes `module:function` metrics elsewhere.
    """

    scored: Scored
    decisions: pd.DataFrame | None = None
    custom: Custom | None = None


class _Group(Struct, frozen=True, kw_only=True, eq=False):
    """The rows one judgement is about: all, or a slice."""

    mask: Mask
    label: str | None = None

    @property
    def rows(self) -> int:
        return int(self.mask.sum())


class _Reading(Struct, frozen=True, kw_only=True, eq=False):
    """A metric measured for one version; `statistic` is None for custom metrics, which have no interval."""

    measured: Measurement
    statistic: Statistic | None = None


def judge(
    thresholds: tuple[Threshold, ...],
    challenger: Evaluated,
    champion: Evaluated | None,
    *,
    frame: pd.DataFrame,
    seed: int,
    min_group: int = 10,
    resamples: int = RESAMPLES,
    excluded: int = 0,
) -> tuple[CheckResult, ...]:
    """One result per limit and group of rows, in the order declared; `frame` has the evaluation rows with every column.

    `champion` None: nothing to compare with, so `max_worsening` passes and says so. `excluded` held-out rows are not in
    `frame`, because the champion was trained on them; it explains why too few are left.
    """
    results: list[CheckResult] = []
    for threshold in thresholds:
        bench = _Bench(
            threshold=threshold,
            challenger=challenger,
            champion=champion,
            seed=seed,
            resamples=resamples,
            excluded=excluded,
        )
        for group in _groups(threshold, frame, min_group):
            if isinstance(group, CheckResult):
                results.append(group)
            else:
                results += bench.judge(group)
    return tuple(results)


def _groups(threshold: Threshold, frame: pd.DataFrame, min_group: int) -> Iterator[_Group | CheckResult]:
    import numpy as np

    yield _Group(mask=np.ones(len(frame), dtype=bool))
    name = metric_name(threshold)
    for column in threshold.slices:
        if column not in frame.columns:
            yield CheckResult(name=name, passed=False, slice=column, detail=f"the data has no column {column}")
            continue
        for label, mask in slices(frame[column], min_group):
            group = _Group(mask=mask, label=label)
            if group.rows < min_group:
                words = f"not judged: fewer than {min_group} rows"
                yield CheckResult(name=name, passed=True, slice=label, detail=words)
            else:
                yield group


class _Bench(Struct, frozen=True, kw_only=True, eq=False):
    """One threshold with the two versions it is judged on."""

    threshold: Threshold
    challenger: Evaluated
    champion: Evaluated | None
    seed: int
    resamples: int
    excluded: int

    def judge(self, group: _Group) -> Iterator[CheckResult]:
        threshold = self.threshold
        result = CheckResult(name=metric_name(threshold), passed=False, slice=group.label)
        if group.rows < threshold.min_rows:
            words = f"{group.rows} rows, at least {threshold.min_rows} are needed to judge"
            if self.excluded:
                words += f" ({self.excluded} held-out rows were left out, the champion was trained on them)"
            yield replace(result, detail=words, limit=f"at least {threshold.min_rows} rows")
            return
        reading = self._read(self.challenger, group)
        result = replace(result, measured=reading.measured)
        if reading.measured.value is None:
            yield replace(result, detail=f"cannot be computed: {reading.measured.problem}", limit=self._limits())
            return
        for limit, upper in ((threshold.max, True), (threshold.min, False)):
            if limit is not None:
                yield self._against_limit(result, limit, upper=upper)
        if threshold.max_worsening is not None:
            yield self._against_champion(result, reading, threshold.max_worsening, group)
        if threshold.max is None and threshold.min is None and threshold.max_worsening is None:
            yield replace(result, passed=True, detail="measured, without a limit")

    def _read(self, version: Evaluated, group: _Group) -> _Reading:
        threshold = self.threshold
        empty = Measurement(value=None, n=group.rows, confidence=threshold.confidence)
        if ":" in threshold.metric:
            if version.custom is None:
                return _Reading(measured=replace(empty, problem=f"{threshold.metric} was not run"))
            value, problem = version.custom(threshold.metric, group.mask)
            if value is None or not math.isfinite(value):
                return _Reading(measured=replace(empty, problem=problem or "it gave no finite number"))
            return _Reading(measured=replace(empty, value=float(value)))
        try:
            statistic = self._statistic(version, group)
        except NotComputableError as error:
            return _Reading(measured=replace(empty, problem=str(error)))
        measured = measure_statistic(
            statistic, group.rows, confidence=threshold.confidence, seed=self.seed, resamples=self.resamples
        )
        return _Reading(measured=measured, statistic=statistic)

    def _statistic(self, version: Evaluated, group: _Group) -> Statistic:
        name = self.threshold.metric
        if catalogue.known(name):
            return statistic_of(name, take(version.scored, group.mask))
        if version.decisions is None or name not in version.decisions.columns:
            raise NotComputableError(f"{name} is neither a metric nor a column that `decide` returns")
        return mean_statistic(version.decisions[name].to_numpy()[group.mask])

    def _against_limit(self, result: CheckResult, limit: float, *, upper: bool) -> CheckResult:
        measured = result.measured
        judged = judged_value(self.threshold, measured, upper=upper) if measured else None
        result = replace(result, limit=limit_words(self.threshold, limit, upper=upper))
        if judged is None:
            return replace(result, detail="the interval cannot be computed, so its bound is not proven")
        return replace(
            result, passed=judged <= limit if upper else judged >= limit, detail=f"judged on {_number(judged)}"
        )

    def _against_champion(
        self, result: CheckResult, reading: _Reading, allowed: Worsening, group: _Group
    ) -> CheckResult:
        share = f"{allowed.value * 100:g} %" if allowed.relative else _number(allowed.value)
        result = replace(
            result, limit=f"{result.name} worsens by at most {share}{_judged_words(self.threshold, upper=True)}"
        )
        higher_is_better = _higher_is_better(self.threshold)
        if higher_is_better is None:
            return replace(result, detail="neither direction is better, so nothing can worsen: use max or min")
        if self.champion is None:
            return replace(result, passed=True, detail="no champion to compare with")
        champion = self._read(self.champion, group)
        result = replace(result, champion=champion.measured)
        if champion.measured.value is None:
            return replace(result, detail=f"cannot be computed for the champion: {champion.measured.problem}")
        old = _distance(self.threshold, champion.measured.value)
        new = _distance(self.threshold, reading.measured.value or 0.0)
        worsening = old - new if higher_is_better else new - old
        tolerated = allowed.value * abs(old) if allowed.relative else allowed.value
        excess: float | None = worsening - tolerated
        if self.threshold.judge == "bound":
            excess = self._upper_excess(reading.statistic, champion.statistic, allowed, group)
        verb = "worsened" if worsening > 0 else "improved"
        detail = f"{verb} by {_number(abs(worsening))}, tolerated is {_number(tolerated)}"
        if excess is None:
            return replace(result, detail=f"{detail}; the interval of the difference cannot be computed")
        if self.threshold.judge == "bound":
            detail += f"; upper bound {_number(excess + tolerated)}"
        return replace(result, passed=excess <= 0, detail=detail)

    def _upper_excess(
        self, new: Statistic | None, old: Statistic | None, allowed: Worsening, group: _Group
    ) -> float | None:
        """The upper bound of worsening beyond what is tolerated, paired: both versions see the same resamples."""
        if new is None or old is None:
            return None
        sign = -1.0 if _higher_is_better(self.threshold) else 1.0

        def excess(weights: Floats) -> Floats:
            before, after = _distance(self.threshold, old(weights)), _distance(self.threshold, new(weights))
            tolerated = allowed.value * abs(before) if allowed.relative else allowed.value
            result: Floats = sign * (after - before) - tolerated
            return result

        bounds = interval(
            excess,
            group.rows,
            confidence=self.threshold.confidence,
            seed=self.seed,
            resamples=self.resamples,
        )
        return None if bounds is None else max(bounds[1], estimate(excess, group.rows))

    def _limits(self) -> str | None:
        limits = [
            limit_words(self.threshold, limit, upper=upper)
            for limit, upper in ((self.threshold.max, True), (self.threshold.min, False))
            if limit is not None
        ]
        return " and ".join(limits) or None


def limit_words(threshold: Threshold, limit: float, *, upper: bool) -> str:
    """`wape <= 0.2 (upper bound, 95 %)`: a limit as verdicts record it."""
    shown = metric_name(threshold)
    if _is_signed(shown):
        shown = f"|{shown}|"
    return f"{shown} {'<=' if upper else '>='} {_number(limit)}{_judged_words(threshold, upper=upper)}"


def _judged_words(threshold: Threshold, *, upper: bool) -> str:
    if threshold.judge != "bound":
        return ""
    return f" ({'upper' if upper else 'lower'} bound, {threshold.confidence * 100:g} %)"


def judged_value(threshold: Threshold, measured: Measurement, *, upper: bool) -> float | None:
    """What is held against the limit: the estimate, or the bound on the limit's side (None: there is no interval)."""
    if measured.value is None:
        return None
    bounds = (measured.value, measured.value)
    if threshold.judge == "bound":
        if measured.low is None or measured.high is None:
            return None
        bounds = (measured.low, measured.high)
    low, high = bounds
    if _is_signed(threshold.metric):
        low, high = (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
    return high if upper else low


def _distance(threshold: Threshold, value: Value) -> Value:
    """What is judged of a value: for a signed metric its distance from 0."""
    return abs(value) if _is_signed(threshold.metric) else value


def _is_signed(metric: str) -> bool:
    return catalogue.known(metric) and catalogue.get(metric).absolute


def _higher_is_better(threshold: Threshold) -> bool | None:
    """Which direction is better; for metrics outside the catalogue the declared limit tells."""
    if catalogue.known(threshold.metric):
        metric = catalogue.get(threshold.metric)
        return metric.higher_is_better if metric.worsening else None
    if (threshold.max is None) == (threshold.min is None):
        return None
    return threshold.max is None


def metric_name(threshold: Threshold) -> str:
    """The name under which results record the threshold's metric: never an alias."""
    return catalogue.get(threshold.metric).name if catalogue.known(threshold.metric) else threshold.metric


def _number(value: float) -> str:
    return f"{value:.1f}" if float(f"{value:.1f}") == value else f"{value:.6g}"
