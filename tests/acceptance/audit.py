"""What an auditor computes with git, hashlib and the bucket alone; nothing here imports Stellwerk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from machines import Checkout
from stories import Story

MACHINE_VERBS = ("approve", "check", "deploy", "hold", "promote", "render", "rollback", "snapshot", "train")


def digest(value: object) -> str:
    """SHA-256 of canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_digest(files: Mapping[str, bytes]) -> str:
    """A package's SHA-256: over `<sha256>  <path>` lines, sorted by path."""
    lines = (f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def commits(checkout: Checkout, *paths: str) -> list[str]:
    """First-parent commits that touched the paths (or all), oldest first."""
    return checkout.git("log", "--first-parent", "--reverse", "--format=%H", "--", *paths).splitlines()


def subject(checkout: Checkout, commit: str) -> str:
    return checkout.git("log", "-1", "--format=%s", commit)


def promotions(story: Story) -> Iterator[tuple[str, int]]:
    """(commit, version) of every promotion to production, oldest first; rollbacks and ends of holds are others."""
    for commit in commits(story.ada, f"environments/production/{story.model}.yaml"):
        if subject(story.ada, commit).startswith("promote: "):
            yield commit, story.record(f"environments/production/{story.model}.yaml", at=commit)["version"]


def trailers(checkout: Checkout, commit: str) -> dict[str, str]:
    """What `git interpret-trailers --parse` reads in the commit's message."""
    done = checkout.machine.run(
        "sh", "-c", f"git log -1 --format=%B {commit} | git interpret-trailers --parse", cwd=checkout.root
    )
    return dict(line.split(": ", 1) for line in done.out.splitlines())


def stored_package(story: Story, md5: str) -> dict[str, bytes]:
    """The files of a package as the bucket holds them: path -> bytes."""
    listing = json.loads(stored(story, md5, packages=True))
    return {entry["relpath"]: stored(story, entry["md5"], packages=True) for entry in listing}


def stored(story: Story, md5: str, *, packages: bool = False) -> bytes:
    """One object of DVC's layout in the bucket."""
    folder = f"{story.prefix}/packages" if packages else story.prefix
    key = f"{folder}/files/md5/{md5[:2]}/{md5[2:]}"
    return story.bucket.get_object(Bucket="lake", Key=key)["Body"].read()


def committed_texts(checkout: Checkout) -> str:
    """Everything any commit ever held: all blobs and all messages, in one text."""
    listed = checkout.git("rev-list", "--objects", "--all", "--no-object-names")
    done = checkout.machine.run(
        "sh", "-c", f"git cat-file --batch <<'END'\n{listed}\nEND", cwd=checkout.root, said="git cat-file --batch"
    )
    return done.out


def small_groups(record: Any, least: int) -> list[Any]:
    """Every measurement of a verdict, and every count of a profile, that speaks of fewer than `least` rows."""
    found: list[Any] = []
    match record:
        case {"checks": [*checks]}:
            for check in checks:
                rows = [check[side]["n"] for side in ("measured", "champion") if side in check]
                found += [check for count in rows if count < least]
        case {"columns": {**columns}}:
            for name, column in columns.items():
                counts = column.get("counts", [])
                shown = [
                    *(counts.values() if isinstance(counts, dict) else counts),
                    column.get("other"),
                    column["missing"],
                ]
                found += [(name, count) for count in shown if count is not None and 0 < count < least]
    return found


def records(story: Story, ending: str) -> Iterator[tuple[str, Any]]:
    """Every record in HEAD whose path ends like this."""
    for path in story.ada.git("ls-tree", "-r", "--name-only", "HEAD", "registry/").splitlines():
        if path.endswith(ending):
            yield path, yaml.safe_load(story.ada.git("show", f"HEAD:{path}"))


SERVE = """
import importlib.util, json, sys
from pathlib import Path
import joblib, pandas as pd
package, rows, out = map(Path, sys.argv[1:])
contract = json.loads((package / "package.json").read_text())
source = package / "code" / contract["source"]
spec = importlib.util.spec_from_file_location(source.stem, source)
module = sys.modules[source.stem] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
if contract["format"] == "skops":
    import skops.io
    model = skops.io.load(package / "model.skops", trusted=[])
else:
    model = joblib.load(package / "model.joblib")
frame = pd.read_csv(rows)[[column["name"] for column in contract["columns"]]]
if hasattr(module, "prepare"):
    frame = module.prepare(frame)
if contract["task"] == "regression":
    answers = module.predict(model, frame)
else:
    answers = model.predict_proba(frame)[:, list(model.classes_).index(contract["positive"])]
pd.Series(answers).to_csv(out, index=False)
assert not any(name.partition(".")[0] == "stellwerk" for name in sys.modules)
"""

FETCH = """
import sys
from pathlib import Path
from stellwerk.adapters.dvc import DvcStore
DvcStore(Path.cwd()).fetch(sys.argv[1], Path(sys.argv[2]), remote="packages")
"""
