"""Datasets whose pointer a change moves, and what was recorded of their snapshots. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.declared import Project
    from stellwerk.model.observed import Observed
    from stellwerk.model.records import VersionRecord


class DataFacts(Struct, frozen=True, kw_only=True):
    """What is known of a snapshot. `size` in bytes; without a version trained on it only the pointer speaks.

    `missing` is column -> share of missing values, 0..1 rounded to percents; None where a group is too small to show.
    """

    md5: str
    size: int | None = None
    rows: int | None = None
    columns: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None
    version: str = ""  # whose record says it: `shoe-demand v3`
    missing: Mapping[str, float | None] = field(default_factory=dict)


class DataChange(Struct, frozen=True, kw_only=True):
    """A dataset whose pointer moved, and the models trained on it."""

    dataset: str
    before: DataFacts | None
    after: DataFacts | None
    models: tuple[str, ...] = ()


def data_changes(before: Observed | None, observed: Observed, project: Project) -> Iterator[DataChange]:
    """Every dataset whose pointer is not what it was at the base, as far as the pointers tell."""
    olds, news = (before.pointers if before else {}), observed.pointers
    for dataset in sorted(olds.keys() | news.keys()):
        one, two = olds.get(dataset), news.get(dataset)
        if one is not None and two is not None and one.md5 == two.md5:
            continue
        yield DataChange(
            dataset=dataset,
            before=DataFacts(md5=one.md5, size=one.size) if one else None,
            after=DataFacts(md5=two.md5, size=two.size) if two else None,
            models=tuple(model.name for model in project.models if model.train and model.train.data == dataset),
        )


def trained_on(observed: Observed, md5: str) -> VersionRecord | None:
    """The newest version that was trained on that snapshot; of several models the first by name."""
    for _, facts in sorted(observed.models.items()):
        for _, version in sorted(facts.versions.items(), reverse=True):
            if version.record.data.md5 == md5:
                return version.record
    return None
