"""SW403: a threshold that lets more pass than it did at the base revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.model.findings import Severity
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Threshold, Worsening


def _raised(key: str, old: float | None, new: float | None) -> Iterator[tuple[str, str]]:
    if old is not None and new is None:
        yield key, f"{key} {old:g} was removed"
    elif old is not None and new is not None and new > old:
        yield key, f"{key} went from {old:g} up to {new:g}"


def _lowered(key: str, old: float | None, new: float | None) -> Iterator[tuple[str, str]]:
    if old is not None and new is None:
        yield key, f"{key} {old:g} was removed"
    elif old is not None and new is not None and new < old:
        yield key, f"{key} went from {old:g} down to {new:g}"


def _worsened(old: Worsening | None, new: Worsening | None) -> Iterator[tuple[str, str]]:
    if old is None:
        return
    if new is None:
        yield "max_worsening", f"max_worsening {_amount(old)} was removed"
    elif old.relative != new.relative:
        yield "max_worsening", f"max_worsening went from {_amount(old)} to {_amount(new)}, which compare differently"
    elif new.value > old.value:
        yield "max_worsening", f"max_worsening went from {_amount(old)} up to {_amount(new)}"


def _amount(worsening: Worsening) -> str:
    return f"{worsening.value * 100:g}%" if worsening.relative else f"{worsening.value:g}"


def loosenings(old: Threshold, new: Threshold) -> Iterator[tuple[str, str]]:
    """Each way in which `new` lets more pass than `old`: its key, and what happened in words."""
    yield from _raised("max", old.max, new.max)
    yield from _lowered("min", old.min, new.min)
    yield from _worsened(old.max_worsening, new.max_worsening)
    yield from _lowered("min_rows", old.min_rows, new.min_rows)
    if old.judge == "bound":
        if new.judge != "bound":
            yield "judge", "judge went from bound to estimate"
        else:
            yield from _lowered("confidence", old.confidence, new.confidence)
    gone = [column for column in old.slices if column not in new.slices]
    if gone:
        yield "slices", f"it is no longer judged per {', '.join(gone)}"


def _loosened(given: RuleInput) -> Iterator[Problem]:
    if given.base is None:
        return
    before = {model.name: model.thresholds for model in given.base.project.models}
    for model in given.project.models:
        olds = before.get(model.name, before.get(model.previously or "", ()))
        if olds == model.thresholds:
            continue
        news = {threshold.metric: threshold for threshold in model.thresholds}
        for old in olds:
            new = news.get(old.metric)
            found = loosenings(old, new) if new is not None else iter([("", "it was removed")])
            for key, what in found:
                keys = ("models", model.name, "thresholds", old.metric, key)
                yield Problem(
                    place=given.place(*(keys if key else keys[:-1])),
                    message=f"the threshold of '{model.name}' on '{old.metric}' was loosened: {what}",
                    hint="it is for the owner of the thresholds to agree; nothing else needs to change",
                )


def _churn(thresholds: str) -> str:
    return (
        "datasets: {customers: {path: data/customers.csv}}\n"
        "models:\n  churn:\n    source: churn.py\n    target: churned\n    train: {data: customers}\n"
        f"    thresholds: {{{thresholds}}}"
    )


_BASE = declared(_churn("log_loss: {max: 0.5, judge: bound}")).files

RULES = (
    Rule(
        id="SW403",
        title="loosened threshold",
        severity=Severity.WARNING,
        explanation="Compared with the base revision (`validate --base REV`) a threshold lets more pass: `max` or"
        " `max_worsening` raised, `min`, `min_rows` or `confidence` lowered, `judge: bound` turned into `estimate`,"
        " a slice or the whole threshold removed. It may be right, but it is a decision of its own and should not"
        " slip in.",
        failing=Example(files=declared(_churn("log_loss: {max: 0.7, judge: bound}")).files, base=_BASE),
        passing=Example(files=declared(_churn("log_loss: {max: 0.4, judge: bound}")).files, base=_BASE),
        check=_loosened,
    ),
)
