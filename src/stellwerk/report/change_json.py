"""The report on a change as JSON. The shape is `report.schema.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.planning.threshold_change import threshold_words
from stellwerk.report.json_text import document, plain
from stellwerk.report.plan_json import step_json

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.planning.change import Change, MetricHistory
    from stellwerk.planning.threshold_change import ThresholdChange


def change_json(change: Change) -> str:
    """Everything the Markdown says, in full."""
    return document(
        {
            "base": change.base,
            "head": change.head,
            "passed": not change.red,
            "problem": change.problem,
            "base_problem": change.base_problem,
            "errors": change.errors,
            "added": [step_json(step) for step in change.added],
            "dropped": [step_json(step) for step in change.dropped],
            "waits": plain(change.waits),
            "met": plain(change.met),
            "training_places": plain(dict(sorted(change.places.items()))),
            "findings": plain(change.findings),
            "thresholds": [_threshold(item) for item in change.thresholds],
            "sources": [{"model": name, "changes": list(words)} for name, words in change.sources],
            "checks": plain(change.checks),
            "releases": plain(change.releases),
            "data": plain(change.data),
            "blocked": [
                {
                    "model": item.model,
                    "environment": item.environment,
                    "candidate": item.version,
                    "unmet": [plain(condition) for condition in item.conditions if not condition.met],
                }
                for item in change.blocked
            ],
            "histories": [_history(item) for item in change.histories],
            "notes": plain(change.notes),
        }
    )


def _threshold(item: ThresholdChange) -> Json:
    return {
        "model": item.model,
        "metric": item.metric,
        "environments": list(item.environments),
        "before": threshold_words(item.before) or None,
        "after": threshold_words(item.after) or None,
        "direction": item.direction,
        "owner": item.owner,
        "authors": list(item.authors),
        "fails": bool(item.failing),
        "readings": plain(item.readings),
    }


def _history(item: MetricHistory) -> Json:
    return {
        "model": item.model,
        "metric": item.metric,
        "points": [
            {"version": born, "measured": plain(measured), "released": list(released)}
            for born, measured, released in item.points
        ],
    }
