"""Which version a model's declarations and data ask for now, or what a training would be made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.model.observed import ModelFacts, Observed, Version
from stellwerk.planning.fingerprint import changed_parts, fingerprint, fingerprint_parts, only_data_changed
from stellwerk.planning.gone import package_gone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Json, Model
    from stellwerk.model.records import Incident

NO_FACTS = ModelFacts()


class Candidate(Struct, frozen=True, kw_only=True):
    """What a model wants to be. `fingerprint` None: its data has no snapshot yet. `version` None: not born.

    `parent` is what an unborn version would descend from. `lost` is the version with the current fingerprint whose
    package is gone on purpose, and why: removed by retention it is trained anew, erased by decision it is not.
    """

    model: Model
    facts: ModelFacts
    parts: Mapping[str, Json]
    fingerprint: str | None
    version: Version | None
    parent: Version | None
    missing: tuple[str, ...]  # code files that are not there
    failure: Incident | None
    lost: tuple[Version, str] | None = None

    @property
    def number(self) -> int | None:
        return self.version.record.number if self.version else None

    @property
    def trigger(self) -> str:
        """Why this version exists: `retrain` when only the data differ from its parent, else `change`."""
        if self.version:
            return self.version.record.trigger
        retrain = self.parent is not None and only_data_changed(self.parent.record.parts, self.parts)
        return "retrain" if retrain else "change"

    @property
    def reason(self) -> str:
        """In words, why a training is needed."""
        if self.lost is not None:
            number, words = self.lost[0].record.number, self.lost[1]
            return f"the package of v{number}, which is the same, was {words}"
        if self.parent is None:
            return "first version"
        changes = changed_parts(self.parent.record.parts, self.parts)
        return "; ".join(changes[:3]) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")  # noqa: PLR2004


def _released(model: Model, observed: Observed) -> frozenset[int]:
    found = observed.released.get(model.name, frozenset())
    return found | observed.released.get(model.previously, frozenset()) if model.previously else found


def _parent(facts: ModelFacts, parts: Mapping[str, Json], released: frozenset[int]) -> Version | None:
    """What a new version descends from: the newest with other data alone, else what is released, else the newest.

    A refused experiment in between is no ancestor: the next retraining of what runs is a retraining.
    """
    versions = sorted(facts.versions.values(), key=lambda item: item.record.number)
    for version in reversed(versions):
        if only_data_changed(version.record.parts, parts):
            return version
    for version in reversed(versions):
        if version.record.number in released:
            return version
    return versions[-1] if versions else None


def facts_of(model: Model, observed: Observed) -> ModelFacts:
    """The registry's facts of a model; of its previous name while the rename is not carried out."""
    found = observed.models.get(model.name)
    if found is None and model.previously:
        found = observed.models.get(model.previously)
    return found or NO_FACTS


def find_candidate(model: Model, observed: Observed) -> Candidate:
    """The version with the current fingerprint, whatever its number. The model must have `train`."""
    if model.train is None:
        raise ValueError(model.name)
    facts = facts_of(model, observed)
    pointer = observed.pointers.get(model.train.data)
    code = observed.code.get(model.name, ())
    parts = fingerprint_parts(model, code, pointer.md5 if pointer else "")
    wanted = fingerprint(parts) if pointer else None
    same = facts.born_as(wanted)
    gone = {item.record.number: words for item in same if (words := package_gone(observed, item.record))}
    there = [item for item in same if item.record.number not in gone]
    failures = [
        item for item in facts.incidents if item.kind == "training-failed" and item.open and item.fingerprint == wanted
    ]
    return Candidate(
        model=model,
        facts=facts,
        parts=parts,
        fingerprint=wanted,
        version=there[-1] if there else None,
        parent=None if there else _parent(facts, parts, _released(model, observed)),
        missing=tuple(file.path for file in code if not file.digest),
        failure=failures[-1] if failures else None,
        lost=(same[-1], gone[same[-1].record.number]) if same and not there else None,
    )
