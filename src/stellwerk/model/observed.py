"""What is true now, as git, DVC pointers and recorded deployments say. Read-only input of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct, field

from stellwerk.model.findings import Finding, Place
from stellwerk.model.records import (
    Approval,
    Deployment,
    Erasure,
    Incident,
    Pointer,
    Release,
    Removal,
    Verdict,
    VersionRecord,
)


class Version(Struct, frozen=True, kw_only=True):
    """A version with all that was decided about it. Verdicts by environment, approvals by environment."""

    record: VersionRecord
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    approvals: Mapping[str, tuple[Approval, ...]] = field(default_factory=dict)


class Versions(Mapping[int, Version]):
    """Versions by number. Their fingerprints are known; the rest of one is made when it is first asked for."""

    __slots__ = ("_made", "_make", "fingerprints")

    def __init__(self, fingerprints: Mapping[int, str], make: Callable[[int], Version]) -> None:
        self.fingerprints = fingerprints
        self._make = make
        self._made: dict[int, Version] = {}

    def __getitem__(self, number: int) -> Version:
        if number not in self._made:
            if number not in self.fingerprints:
                raise KeyError(number)
            self._made[number] = self._make(number)
        return self._made[number]

    def __iter__(self) -> Iterator[int]:
        return iter(self.fingerprints)

    def __len__(self) -> int:
        return len(self.fingerprints)

    def __contains__(self, number: object) -> bool:
        return number in self.fingerprints


class ModelFacts(Struct, frozen=True, kw_only=True):
    """What the registry knows of one model. Versions by number, deployments by environment."""

    versions: Mapping[int, Version] = field(default_factory=dict)
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    incidents: tuple[Incident, ...] = ()

    def born_as(self, fingerprint: str | None) -> tuple[Version, ...]:
        """The versions with that fingerprint, oldest first."""
        if isinstance(self.versions, Versions):
            known = self.versions.fingerprints
            return tuple(self.versions[number] for number in sorted(known) if known[number] == fingerprint)
        found = (version for version in self.versions.values() if version.record.fingerprint == fingerprint)
        return tuple(sorted(found, key=lambda version: version.record.number))


class CodeFile(Struct, frozen=True, kw_only=True):
    """A file of a model's code. `digest` ignores comments and blank lines of Python; '' where the file is missing."""

    path: str
    digest: str


class GeneratedFile(Struct, frozen=True, kw_only=True):
    """A file where a rendered one belongs. `state`: ours | edited (our header, another content) | foreign.

    `text` is what it says where it is not ours, as far as a difference is shown.
    """

    sha256: str
    state: str
    text: str = ""


class Observed(Struct, frozen=True, kw_only=True, dict=True):
    """The state of one tree. `basis` is the commit it was read at ('' on an unborn branch).

    `releases` and `branches` (open promotion branches) are keyed by (environment, model); `pointers` by dataset;
    `code` and `metric_code` by model; `generated` maps the path of a rendered file to what lies there, `forge_files`
    that of workflows and the like; `dvc` says whether DVC is set up. `modules` by model: the files
    (path -> text) that its notebook becomes; `notebook_findings` by model: what is wrong in it.
    """

    basis: str = ""
    pointers: Mapping[str, Pointer] = field(default_factory=dict)
    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    releases: Mapping[tuple[str, str], Release] = field(default_factory=dict)
    release_places: Mapping[tuple[str, str], Place] = field(default_factory=dict)
    branches: Mapping[tuple[str, str], Release] = field(default_factory=dict)
    code: Mapping[str, tuple[CodeFile, ...]] = field(default_factory=dict)
    metric_code: Mapping[str, tuple[CodeFile, ...]] = field(default_factory=dict)
    generated: Mapping[str, GeneratedFile] = field(default_factory=dict)
    forge_files: Mapping[str, GeneratedFile] = field(default_factory=dict)
    dvc: bool = True
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notebook_findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    threshold_authors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tracked: frozenset[str] = frozenset()  # datasets whose own file git versions
    erased: Mapping[str, Erasure] = field(default_factory=dict)
    removals: tuple[Removal, ...] = ()  # what retention took, in the order of their names
    unreadable: tuple[tuple[str, str], ...] = ()  # (path, problem) of records that could not be read

    @cached_property
    def released(self) -> Mapping[str, frozenset[int]]:
        """Model -> the versions released anywhere."""
        found: dict[str, set[int]] = {}
        for (_, model), release in self.releases.items():
            found.setdefault(model, set()).add(release.version)
        return {name: frozenset(numbers) for name, numbers in found.items()}

    @cached_property
    def removed(self) -> Mapping[str, Removal]:
        """model@number -> what took its package."""
        return {name: removal for removal in self.removals for name in removal.versions}
