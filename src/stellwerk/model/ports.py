"""The seams between deciding and doing. Adapters implement these; use cases see nothing else of the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct, field

from stellwerk.model.clock import Clock as Clock  # noqa: PLC0414  a port like the others
from stellwerk.model.declared import DeployTarget, Json
from stellwerk.model.records import HoldoutRecord, Pointer


class Tree(Protocol):
    """The files of one state of the repository: a commit, or the work tree."""

    def blobs(self) -> Mapping[str, str]:
        """Every file's path -> an id of its content (the git blob id)."""

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """The content of the paths that exist, in bulk."""


class Cache(Protocol):
    """Remembers what was computed from a blob. May forget anything at any time; never changes an answer."""

    def get(self, kind: str, blob: str) -> Json: ...

    def put(self, kind: str, blob: str, value: Json) -> None: ...


class Actor(Struct, frozen=True, kw_only=True):
    """Who acts: a git name and email, the CI run, if any, and the digest of the plan that is carried out."""

    name: str
    email: str
    run: str | None = None
    plan: str | None = None

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class AddResult(Struct, frozen=True, kw_only=True):
    """A tracked file: its pointer, and the content of every file to commit (`<path>.dvc`, `.gitignore`) by path."""

    pointer: Pointer
    files: Mapping[str, bytes]


class DataStore(Protocol):
    """DVC: content by hash, in the cache and in remotes. `remote` None is DVC's default remote."""

    def add(self, path: str) -> AddResult:
        """Track the file (relative path), put its bytes in the cache, write `<path>.dvc`; safe to repeat."""

    def push(self, hashes: Iterable[str], *, remote: str | None) -> None:
        """Copy to the remote and see them there; StellwerkError otherwise. A folder's hash ends in `.dir`."""

    def missing(self, hashes: Iterable[str], *, remote: str | None) -> frozenset[str]:
        """The hashes that the remote does not hold."""

    def fetch(self, md5: str, destination: Path, *, remote: str | None) -> None:
        """Write the file or folder of that hash to `destination`, from the cache or the remote."""


class TrainingResult(Struct, frozen=True, kw_only=True):
    """What a finished training stage left behind, read from its outputs; see `worker/README.md`."""

    report: Mapping[str, Json]  # training/report.json
    profile: str  # training/profile.json
    package_md5: str  # DVC's hash of the package folder, ends in .dir
    files: Mapping[str, bytes]  # what to commit beside the record: dvc.lock, metrics.json


class Trainer(Protocol):
    """Runs a model's DVC stage."""

    def train(self, model: str, *, commit: str, on_line: Callable[[str], None]) -> TrainingResult:
        """Run `models/<model>/dvc.yaml` at that commit in a work tree of its own.

        Raises TrainingFailed (with the end of the log) when the model's own code fails.
        """


class Rows(Struct, frozen=True, kw_only=True):
    """A set of rows to predict: a snapshot (a file of `format`), all of it or its holdout."""

    file: Path
    format: str
    holdout: HoldoutRecord | None = None


class DeployPort(Protocol):
    """A deploy target. Every call is idempotent."""

    def deploy(self, request: DeployRequest) -> str:
        """Make the target run the package (or the fallback); returns what was seen there, in words."""

    def running(self, request: DeployRequest) -> str | None:
        """The SHA-256 of the package the target runs now; None: nothing, or it cannot tell."""


class DeployRequest(Struct, frozen=True, kw_only=True):
    model: str
    environment: str
    target: DeployTarget
    version: int | None
    package: Path | None
    sha256: str | None
    fallback: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


FORGE_TITLE = 256  # characters, GitHub's limit
FORGE_BODY = 64_512  # characters: GitHub's 65,536, less what a marker may take


class Thing(Struct, frozen=True, kw_only=True):
    """A pull request, an issue or a comment, as it is on the forge after the call that returns it."""

    number: int | None  # a comment's is that of what it stands under; None: there is no forge
    url: str  # or words that say there is none
    change: Literal["opened", "updated", "unchanged", "closed", "reopened", "skipped"]
    note: str = ""  # why it was skipped, and what could not be done
    merged: bool = False  # the pull request is merged now


class Forge(Protocol):
    """A code-hosting service. `none` prints what it would have asked for.

    Every call may be repeated: what is already so is left alone, without a request that writes. A `marker` is any text
    that names what the thing is about; the forge keeps it where people do not see it. Texts arrive ready: no title over
    FORGE_TITLE, no body over FORGE_BODY, mentions made harmless. `adapters.forge.ForgeError` says what the forge
    refuses, its subclass ForgeDown that it could not be asked.
    """

    def pull_request(
        self, *, branch: str, base: str, title: str, body: str, merge: bool = False, labels: tuple[str, ...] = ()
    ) -> Thing:
        """Open or update the pull request of that head branch.

        `merge`: have it merged once its checks are green; without, an auto-merge that was asked for is taken back.
        "skipped": the branch is gone or holds nothing new, or a person closed the pull request of this very title. What
        a person edits in it stays until the texts given here change. Why it was not merged is in the note.
        """

    def comment(self, *, number: int, marker: str, body: str) -> Thing:
        """Keep one comment of ours with that marker under a pull request or an issue."""

    def issue(
        self, *, marker: str, title: str, body: str, labels: tuple[str, ...] = (), assignees: tuple[str, ...] = ()
    ) -> Thing:
        """Keep one issue with that marker. Who cannot be assigned is left out and named in the note.

        "skipped": a person closed it, and title and body are what they were then; anything new reopens it.
        """

    def close_issue(self, *, marker: str, comment: str) -> Thing | None:
        """Close the open issue with that marker, saying why; None: there is none open."""

    def issues(self, *, marker_prefix: str = "") -> tuple[str, ...]:
        """The markers of the open issues, sorted, so that what is over can be closed."""
