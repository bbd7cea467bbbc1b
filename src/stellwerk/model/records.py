"""The facts Stellwerk writes into git: one class per file shape under `registry/` and `environments/<name>/`.

Times are ISO 8601 in UTC with seconds (`2026-01-31T12:00:00Z`), durations seconds, sizes bytes, digests lower-case
hex. None of these files names a host. They are encoded by `declarations.records`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from stellwerk.model.declared import Json


class Measurement(Struct, frozen=True, kw_only=True):
    """A metric on `n` rows with a bootstrap interval at `confidence`; `value` None: it could not be computed."""

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    confidence: float = 0.95
    problem: str | None = None


class DataRecord(Struct, frozen=True, kw_only=True):
    """The snapshot a version was trained from; `first` and `last` bound the dataset's `time` column."""

    dataset: str
    path: str
    md5: str
    sha256: str
    size: int
    rows: int
    columns: tuple[str, ...]
    first: str | None = None
    last: str | None = None


class HoldoutRecord(Struct, frozen=True, kw_only=True):
    """How to find the held-out rows again in the snapshot, and the proof that they are the same ones.

    `identity` names the columns a row is recognised by (empty: its whole content). `digest` is the SHA-256 over
    the sorted row identities; `boundary` is the first held-out value of `time`.
    """

    seed: int
    rows: int
    digest: str
    train_rows: int
    fraction: float | None = None
    last_share: float | None = None
    last_seconds: int | None = None
    by: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    time: str | None = None
    boundary: str | None = None


class PackageRecord(Struct, frozen=True, kw_only=True):
    """The trained package: `md5` finds it in the packages remote (DVC's name for the folder), `sha256` proves it.

    `sha256` is over the lines `<sha256 of file>  <path>` of every file, sorted by path.
    """

    md5: str
    sha256: str
    size: int
    files: int
    format: str  # skops | joblib | pickle | onnx | command
    why: str | None = None  # why this format; older records do not say


class VersionRecord(Struct, frozen=True, kw_only=True):
    """`registry/<model>/<number>/version.yaml`: how a version was born. Never changes."""

    model: str
    number: int
    origin: str  # trained
    trigger: str  # change | retrain
    reason: str
    fingerprint: str
    parts: Mapping[str, Json]
    data: DataRecord
    holdout: HoldoutRecord
    task: str
    params: Mapping[str, Json]
    seed: int
    metrics: Mapping[str, Measurement]
    package: PackageRecord
    parent: int | None
    python: str
    packages: Mapping[str, str]
    isolation: str  # namespace | directory
    duration: float
    cpu: float
    peak_memory: int
    actor: str
    run: str | None = None


class CheckResult(Struct, frozen=True, kw_only=True):
    """One check of a verdict. `limit` is the threshold in words; `slice` is `column=value`."""

    name: str
    passed: bool
    detail: str = ""
    slice: str | None = None
    limit: str | None = None
    measured: Measurement | None = None
    champion: Measurement | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """`registry/<model>/<number>/verdicts/<environment>.yaml`: which checks a version passed, on what evidence.

    `key` is the SHA-256 of package, policy (resolved checks and thresholds) and evaluation set. `champion` is the
    version it was compared with, if any; `excluded` counts rows left out because a compared version trained on them.
    """

    model: str
    version: int
    environment: str
    key: str
    package: str
    policy: str
    evaluation: str
    passed: bool
    checks: tuple[CheckResult, ...]
    at: str
    actor: str
    champion: int | None = None
    rows: int | None = None
    excluded: int = 0
    difference: Mapping[str, Json] | None = None
    run: str | None = None


class Approval(Struct, frozen=True, kw_only=True):
    """`registry/<model>/<number>/approvals/<environment>/<person>.yaml`: a person's decision."""

    model: str
    version: int
    environment: str
    by: str
    decision: str  # approved | rejected
    at: str
    because: str | None = None


class Hold(Struct, frozen=True, kw_only=True):
    """Automation leaves the release alone until a person removes the hold, or `until` passes."""

    because: str
    by: str
    until: str | None = None


class Rollback(Struct, frozen=True, kw_only=True):
    """The release went back from version `of`."""

    of: int
    because: str
    by: str


class Withdrawal(Struct, frozen=True, kw_only=True):
    """No version serves; the model's declared fallback does."""

    because: str
    by: str


class Release(Struct, frozen=True, kw_only=True):
    """`environments/<environment>/<model>.yaml`: the version wanted there. People edit it too."""

    version: int
    hold: Hold | None = None
    rollback: Rollback | None = None
    withdrawn: Withdrawal | None = None


class Deployment(Struct, frozen=True, kw_only=True):
    """`registry/<model>/deployments/<environment>.yaml`: what the target was last seen to run.

    `version` None: withdrawn. `package` is the package's SHA-256.
    """

    model: str
    environment: str
    version: int | None
    package: str | None
    target: str
    at: str
    actor: str
    detail: str = ""
    run: str | None = None


class Incident(Struct, frozen=True, kw_only=True):
    """`registry/<model>/incidents/<number>.yaml`: a failure, a violated threshold, a rollback, a withdrawal."""

    model: str
    number: int
    kind: str  # training-failed | threshold-violated | rollback | withdrawn | deploy-failed
    summary: str
    at: str
    actor: str
    version: int | None = None
    environment: str | None = None
    fingerprint: str | None = None
    notify: str | None = None
    evidence: tuple[str, ...] = ()
    open: bool = True
    run: str | None = None


class Erasure(Struct, frozen=True, kw_only=True):
    """`registry/.erased/<md5>.yaml`: bytes that were deleted by decision. Written before they go, and never again.

    Of a dataset's snapshot (`dataset`, `path`) or a version's package (`model`, `number`); `md5` is DVC's name of the
    content, `files` what a package's folder held, `commit` the one it was read from, `depended` the versions
    (`model@number`) trained on it.
    """

    md5: str
    because: str
    by: str
    at: str
    dataset: str | None = None
    path: str | None = None
    model: str | None = None
    number: int | None = None
    commit: str | None = None
    files: tuple[str, ...] = ()
    depended: tuple[str, ...] = ()
    run: str | None = None


class Removal(Struct, frozen=True, kw_only=True):
    """`registry/.removed/<name>.yaml`: what one `gc` took because its declared retention was over.

    `versions` (`model@number`) lost their packages; `objects` says of each content that went (DVC's name) what it was.
    """

    name: str
    at: str
    actor: str
    versions: tuple[str, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)
    run: str | None = None


class Pointer(Struct, frozen=True, kw_only=True):
    """What a DVC pointer file (`<path>.dvc`) says."""

    path: str
    md5: str
    size: int | None = None

    @property
    def place(self) -> str:
        """The pointer's own path."""
        return f"{self.path}.dvc"
