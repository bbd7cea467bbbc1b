"""What must hold of a repository after whatever happened to it, found with git, files and the shipped schemas only.

`check_repository(root)` raises one AssertionError that lists every broken promise. It reads commits, not Stellwerk's own
opinion of them; only the plan and, where asked for, the release's right to be there come from Stellwerk.

    check_repository(root)                                   # after a reconcile that ended well
    check_repository(root, remote=bare)                      # ... and pushed
    check_repository(root, settled=False)                    # right after a kill: what must hold at any moment
    kept = facts(root); ...; check_repository(root, kept=kept)   # nothing that was recorded then is gone now
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence import folder_digest, git, git_dir, md5_of, mistakes, parsed, read_files, stored_object

NOW = "2026-02-01T09:00:00+00:00"
RECORD = re.compile(
    r"registry/(?P<model>[^/]+)/(?:"
    r"(?P<number>\d+)/(?:(?P<version>version\.yaml)|(?P<profile>profile\.json)|verdicts/(?P<verdict>[^/]+)\.yaml"
    r"|approvals/(?P<approval>[^/]+)/[^/]+\.yaml)"
    r"|deployments/(?P<deployment>[^/]+)\.yaml|incidents/(?P<incident>\d{4})\.yaml)"
)
KINDS = ("version", "profile", "verdict", "approval", "deployment", "incident")
BORN = ("version.yaml", "profile.json")  # never change after they were committed
OURS = re.compile(r"\..+\.([0-9a-f]{8}-\d+-[0-9a-f]{8}|[a-z0-9_]{8})|\.stellwerk-.*")  # names of temporary files


def check_repository(
    root: Path,
    *,
    ref: str = "HEAD",
    remote: Path | None = None,
    packages: Path | None = None,
    stored: bool = True,
    settled: bool = True,
    kept: frozenset[str] = frozenset(),
    now: str = NOW,
    fsck: bool = True,
) -> None:
    """Raise AssertionError where a promise is broken.

    `ref` holds the records; `remote` is a bare repository that must have the same. `packages` is the folder of the DVC
    remote for packages (None: as .dvc/config says; `stored` False: bytes are elsewhere, do not look). `settled` False leaves out what only holds after a reconcile that
    ended well: a clean work tree, an empty plan, targets that run what is released. `kept` are facts seen before.
    """
    problems = [*_history(root, ref), *_records(root, ref)]
    problems += _stored(root, ref, packages) if stored else []
    gone = kept - facts(root, ref)
    problems += [f"a fact is gone: {item}" for item in sorted(gone)]
    if fsck:
        problems += _fsck(root)
    if settled:
        problems += [*_clean(root), *_leftovers(root), *_targets(root, ref), *_empty_plan(root, now)]
    if remote is not None:
        problems += _fsck(remote) if fsck else []
        if settled:
            problems += _pushed(root, remote, ref)
    assert not problems, f"{root}:\n  " + "\n  ".join(problems)


def facts(root: Path, ref: str = "HEAD") -> frozenset[str]:
    """Every fact that may never be lost, as text that a rename of the model does not change."""
    found = set()
    for path, content in read_files(root, ref, "registry").items():
        matched = RECORD.fullmatch(path)
        if matched is None:
            continue
        name = path.split("/", 2)[2]
        if name.rpartition("/")[2] in BORN:
            found.add(f"{name} {hashlib.sha256(content).hexdigest()[:16]}")
        elif matched["verdict"] or matched["approval"]:
            found.add(f"{name} of {_of(content, 'package') or _of(content, 'by')}")
    return frozenset(found)


def _of(content: bytes, key: str) -> str:
    return str((parsed(content) or {}).get(key, ""))


def _history(root: Path, ref: str) -> Iterator[str]:
    """No record was ever changed after its birth, or deleted other than by moving it as it was."""
    log = git(
        root,
        "log",
        "--first-parent",
        "-m",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--format=:%H",
        ref,
        "--",
        "registry",
    )
    commit, moved = "", dict[str, list[tuple[str, str, str]]]()
    for line in log.splitlines():
        if re.fullmatch(r":[0-9a-f]{40,}", line):
            commit = line[1:]
        elif line:
            meta, _, path = line.partition("\t")
            _, _, before, after, status = meta.split(" ")
            moved.setdefault(commit, []).append((status, path, before if status == "D" else after))
    for commit, changes in moved.items():
        arrived = {(path.split("/", 2)[2], blob) for status, path, blob in changes if status == "A"}
        for status, path, blob in changes:
            if status == "M" and path.rpartition("/")[2] in BORN:
                yield f"{commit[:8]} changes {path} after its birth"
            if status == "D" and RECORD.fullmatch(path) and (path.split("/", 2)[2], blob) not in arrived:
                yield f"{commit[:8]} deletes {path}"


def _records(root: Path, ref: str) -> Iterator[str]:
    """Records fit their schemas and each other; numbers are dense; a fingerprint has one version."""
    files = read_files(root, ref, "registry", "environments")
    matches = {path: RECORD.fullmatch(path) for path in files}
    records = {path: matched for path, matched in matches.items() if matched}
    strange = {path for path in files.keys() - records.keys() if path.startswith("registry/")}
    yield from (f"{path} is no record" for path in sorted(strange) if not path.endswith(".sig"))
    versions: dict[str, dict[int, Mapping[str, Any]]] = {}
    for path, matched in records.items():
        kind = next(kind for kind in KINDS if matched[kind])
        yield from (f"{path}: {mistake}" for mistake in mistakes(kind, files[path]))
        if kind == "version":
            versions.setdefault(matched["model"], {})[int(matched["number"])] = parsed(files[path]) or {}
    for model, found in sorted(versions.items()):
        yield from _numbers(model, found)
    for path, matched in records.items():
        version = versions.get(matched["model"], {}).get(int(matched["number"] or 0))
        if matched["number"] and version is None:
            yield f"{path} belongs to no version"
        elif matched["verdict"] and version and _of(files[path], "package") != version["package"]["sha256"]:
            yield f"{path} judges another package than the version's"
    for path in files:
        environment, _, name = path.removeprefix("environments/").removesuffix(".yaml").partition("/")
        if path.startswith("environments/") and name and int(_of(files[path], "version")) not in versions.get(name, {}):
            yield f"{environment} releases v{_of(files[path], 'version')} of {name}, which does not exist"


def _numbers(model: str, found: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    if sorted(found) != list(range(1, len(found) + 1)):
        yield f"the versions of {model} are {sorted(found)}"
    for number, record in found.items():
        if record.get("number") != number:
            yield f"{model} v{number} says it is v{record.get('number')}"
    doubled = Counter(record.get("fingerprint") for record in found.values())
    yield from (f"{model} has {count} versions of one fingerprint" for count in doubled.values() if count > 1)


def _stored(root: Path, ref: str, packages: Path | None) -> Iterator[str]:
    """Packages and data that records name are whole in the remotes; nothing there has another content than its name says.

    But for empty files: DVC leaves one when it is killed, and Stellwerk takes it for absent.
    """
    place = packages or _packages(root)
    for path, content in read_files(root, ref, "registry").items():
        if path.endswith("/version.yaml"):
            record = parsed(content) or {}
            listed, data = stored_object(place, record["package"]["md5"]), record["data"]["md5"]
            if listed is None:
                yield f"{path}: its package is not in the remote"
                continue
            absent = [item["relpath"] for item in json.loads(listed) if stored_object(place, item["md5"]) is None]
            yield from (f"{path}: {name} of its package is not in the remote" for name in absent)
            if stored_object(place.parent, data) is None and stored_object(place, data) is None:
                yield f"{path}: its data are not in the remote"
    for store in (place, place.parent, root / ".dvc/cache"):
        for file in sorted((store / "files/md5").glob("??/*")):
            name = f"{file.parent.name}{file.name}"
            if re.fullmatch(r"[0-9a-f]{32}(\.dir)?", name) and file.stat().st_size and md5_of(file) != name[:32]:
                yield f"{file} holds something else than its name says"


def _clean(root: Path) -> Iterator[str]:
    status = git(root, "status", "--porcelain", "--untracked-files=all")
    yield from (f"not clean: {line}" for line in status.splitlines())


def _leftovers(root: Path) -> Iterator[str]:
    """No temporary file or folder of ours, ignored by git or not, and no work tree of a training."""
    for folder, folders, names in os.walk(root):
        inside = Path(folder).relative_to(root)
        if inside.parts[:2] in {(".dvc", "cache"), (".dvc", "tmp")} or (
            inside.parts[:1] == (".git",) and inside.parts[1:2] not in {(), ("stellwerk",)}
        ):
            folders.clear()
            continue
        for name in (*folders, *names):
            if OURS.fullmatch(name):
                yield f"left behind: {inside / name}"
    rooms = root / ".dvc/tmp/stellwerk"
    yield from (f"left behind: {room}" for room in (rooms.iterdir() if rooms.is_dir() else ()))
    listed = git(root, "worktree", "list", "--porcelain").strip().split("\n\n")
    trees = [entry for entry in listed[1:] if "\nprunable" not in entry]  # git forgets those whose folder is gone
    yield from (f"left behind: {entry.splitlines()[0]}" for entry in trees)
    if (git_dir(root) / "stellwerk/sync.json").exists():
        yield "sync.json is left: a commit was not brought into the work tree"


def _targets(root: Path, ref: str) -> Iterator[str]:
    """A local target runs what the deployment record says, and no more than one of both lags behind the release."""
    files = read_files(root, ref, "registry", "environments")
    for path, content in files.items():
        matched = RECORD.fullmatch(path)
        if not matched or not matched["deployment"]:
            continue
        environment, model, record = matched["deployment"], matched["model"], parsed(content) or {}
        declared = (parsed(files.get(f"environments/{environment}.yaml", b"")) or {}).get("deploy") or {}
        if declared.get("target") != "local" or record.get("target") != "local":
            continue
        current = root / declared["path"] / model / "current"
        running = folder_digest(current) if current.is_dir() else None
        if running != record.get("package") and current.parent.exists():
            yield f"{environment} runs {running} of {model}, recorded is {record.get('package')}"


def _empty_plan(root: Path, now: str) -> Iterator[str]:
    """Nothing is left to do; a release that is not deployed is one that waits."""
    from stellwerk.app import Workspace
    from stellwerk.errors import StellwerkError
    from stellwerk.model.ports import Clock

    seconds = datetime.fromisoformat(now).timestamp()
    workspace = Workspace.open(root, environ=dict(os.environ), clock=Clock(now=lambda: seconds))
    try:
        plan = workspace.plan(at=None, model=None, environment=None).plan
        state = workspace.loader.work_tree().state
    except StellwerkError as error:
        yield f"cannot plan: {error.where} {error.message}"
        return
    yield from (f"still planned: {step.key} ({step.reason})" for step in plan.steps)
    waiting = {(wait.model, wait.environment) for wait in plan.waits}
    deploying = {item.name for item in state.project.environments if item.deploy}
    for (environment, model), release in state.observed.releases.items():
        facts_there = state.observed.models.get(model)
        deployment = facts_there.deployments.get(environment) if facts_there else None
        wanted, recorded = None if release.withdrawn else release.version, deployment.version if deployment else None
        if environment in deploying and wanted != recorded and not waiting & {(model, environment), (model, None)}:
            yield f"{environment} wants v{wanted} of {model}, v{recorded} is recorded, and nothing says why"


def _pushed(root: Path, remote: Path, ref: str) -> Iterator[str]:
    name = git(root, "symbolic-ref", "HEAD").strip() if ref == "HEAD" else ref
    here = git(root, "for-each-ref", "--format=%(refname) %(objectname)", name, "refs/heads/stellwerk").split("\n")
    there = git(remote, "for-each-ref", "--format=%(refname) %(objectname)").split("\n")
    yield from (f"not at the remote: {line}" for line in sorted({line for line in here if line} - set(there)))


def _fsck(root: Path) -> Iterator[str]:
    done = subprocess.run(
        ["git", "fsck", "--no-dangling", "--no-progress", "--strict"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or done.stderr.strip():
        yield f"git fsck of {root.name}: {(done.stdout + done.stderr).strip()}"


def _packages(root: Path) -> Path:
    """The folder of the remote `packages`, as `stellwerk init` configures it."""
    config = configparser.ConfigParser()
    config.read([root / ".dvc/config", root / ".dvc/config.local"])
    url = config["'remote \"packages\"'"]["url"]
    base, _, rest = url.removeprefix("remote://").partition("/") if url.startswith("remote://") else ("", "", url)
    home = config[f"'remote \"{base}\"'"]["url"] if base else "."
    return (root / ".dvc" / home / rest).resolve()
