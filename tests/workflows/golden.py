"""Projects whose rendered workflows are kept under golden/, where others' validators and reviewers read them.

python tests/workflows/golden.py           # say which files differ
python tests/workflows/golden.py --write   # write them anew
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

GOLDEN = Path(__file__).with_name("golden")
HOSTILE = (
    "'\"`: #&*!|>%@{}[],?-",
    "${{ github.token }}",
    "}} ${{ secrets.GITHUB_TOKEN }} {{",
    "two\nlines\n  - and: a list",
    "$(touch hacked) `touch hacked` ; touch hacked",
    "🚂 \u2028 \u202e \u00a0 ünïcödé",
    "x" * 200,
    "[[ 7 * 7 ]] [% raw %] {{ 7 * 7 }}",
)


def one_model() -> dict[str, object]:
    """The smallest project that asks for workflows."""
    return {
        "mlops.yaml": {
            "version": 1,
            "workflows": {},
            "datasets": {"customers": {"path": "data/customers.csv"}},
            "models": {"churn": {"source": "churn.py", "target": "churned", "train": {"data": "customers"}}},
        }
    }


def everything() -> dict[str, object]:
    """Forty models, four environments, and every key that workflows depend on."""
    models = {
        f"model-{number:02d}": {
            "source": "code.py",
            "target": "y",
            "train": {"data": "rows" if number % 2 else "open-rows"},
            "retrain": {"schedule": f"{number} 3 * * 1", "on": ["data"]} if number % 4 == 1 else {"on": ["data"]},
            **({"trains_in": "regression"} if number % 8 == 3 else {}),
        }
        for number in range(40)
    }
    people = {"ada": {"github": "ada"}, "lin": {"github": "lin"}}
    mlops = {
        "version": 1,
        "project": "everything",
        "classifications": ["public", "confidential"],
        "teams": {
            "risk": {"github": "example/risk", "members": people},
            "science": {"members": people},
            "nobody": {"contact": "nobody@example.com"},
        },
        "owners": {"accountable": "risk", "develops": "science", "operates": "nobody", "monitors": "science"},
        "records": {"ref": "refs/heads/stellwerk/records", "pull_request": True},
        "workflows": {
            "branch": "release/1+2",
            "identity": "github-app",
            "app": {"id": "APP", "key": "APP_KEY"},
            "author": "Stellwerk <stellwerk@example.com>",
            "python": "3.12",
            "runner": ["self-hosted", "linux"],
            "install": {"index": "https://packages.example.com/simple"},
            "drift": "5 5 * * *",
        },
        "datasets": {
            "rows": {
                "path": "data/rows.csv",
                "classification": "confidential",
                "source": {"command": "sh fetch.sh"},
                "stand_in": "open-rows",
            },
            "open-rows": {
                "path": "data/open.csv",
                "classification": "public",
                "source": "https://data.example.com/open.csv",
            },
        },
        "models": models,
    }
    environments = {
        "dev": {"purpose": "development", "data": {"allows": "public"}, "runner": ["self-hosted", "small"]},
        "integration": {
            "purpose": "integration",
            "after": "dev",
            "data": {"allows": "public"},
            "up": "sh up.sh",
            "down": "sh down.sh",
        },
        "regression": {
            "purpose": "regression",
            "after": "integration",
            "runner": ["self-hosted", "gpu"],
            "secrets": ["WAREHOUSE_TOKEN", "STORAGE_KEY"],
            "identity": "arn:aws:iam::123456789012:role/training",
        },
        "production": {
            "purpose": "production",
            "after": "regression",
            "runner": "ubuntu-24.04-arm",
            "secrets": ["STORAGE_KEY", "DEPLOY_KEY"],
            "approval": [{"by": "risk", "count": 1}],
            "promotion": "pull-request",
            "deploy": {"target": "command", "command": "sh deploy.sh"},
        },
        "shadow": {"purpose": "production", "after": "regression", "owner": "science"},
    }
    limits = {"models": {"model-00": {"thresholds": {"mae": {"max": 1}}}}}  # somebody else's than the model
    extra = {"models": {"extra": {"source": "code.py", "target": "y", "train": {"data": "rows"}}}}
    return {
        "mlops.yaml": {**mlops, "include": ["limits/*.yaml", "more/*.yaml"]},
        "limits/model-00.yaml": limits,
        "more/extra.yaml": extra,
        **{f"environments/{name}.yaml": said for name, said in environments.items()},
    }


def hostile() -> dict[str, object]:
    """Text that tries to become something else, in every field that takes free text."""
    text = "\n".join(HOSTILE)
    line = " ".join(HOSTILE).replace("\n", " ")
    mlops = {
        "version": 1,
        "project": text,
        "teams": {"team": {"contact": text, "github": line, "members": [{"name": "ada", "github": line}]}},
        "owners": {"accountable": "team", "develops": "team"},
        "workflows": {
            "branch": "'a\"$(b)!d+",
            "author": "'\"$(x)${{ y }} <a$(b)'\"@example.com>",
            "runner": [line, "${{ github.token }}"],
            "install": {"requirements": "'$(x)${{ y }}.txt", "index": "https://example.com/'$(x)${{y}}"},
        },
        "datasets": {"rows": {"path": "data/rows.csv", "description": text, "source": {"command": text}}},
        "models": {
            "größe.1": {
                "description": text,
                "source": "code.py",
                "target": "y",
                "train": {"data": "rows"},
                "retrain": {"schedule": "0 3 * * 1"},
            }
        },
    }
    environments = {
        "ünïcode": {
            "purpose": "development",
            "description": text,
            "runner": [line, "}} ${{ secrets.X }}"],
        },
        "prod": {
            "purpose": "production",
            "after": "ünïcode",
            "description": text,
            "runner": line,
            "identity": text,
            "up": text,
            "down": text,
            "secrets": ["TOKEN"],
            "deploy": {"target": "command", "command": text},
        },
    }
    return {"mlops.yaml": mlops, **{f"environments/{name}.yaml": said for name, said in environments.items()}}


def _in_bitbucket(files: dict[str, object]) -> dict[str, object]:
    """The same project with the other provider."""
    said = dict(files["mlops.yaml"])
    said["workflows"] = {**said["workflows"], "provider": "bitbucket"}
    return {**files, "mlops.yaml": said}


def everything_in_bitbucket() -> dict[str, object]:
    return _in_bitbucket(everything())


def hostile_in_bitbucket() -> dict[str, object]:
    return _in_bitbucket(hostile())


class _Dumper(yaml.SafeDumper):
    """Without anchors, which declarations may not have."""

    def ignore_aliases(self, data: object) -> bool:
        return True


PROJECTS = {"one-model": one_model, "everything": everything, "hostile": hostile}
IN_GITHUB = tuple(PROJECTS)
PROJECTS |= {"everything-bitbucket": everything_in_bitbucket, "hostile-bitbucket": hostile_in_bitbucket}


def write_project(folder: Path, files: Mapping[str, object]) -> None:
    """The declarations, the files they name, and a git repository around them."""
    for name, said in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.dump(said, Dumper=_Dumper, allow_unicode=True, sort_keys=False), "utf-8")
    for name in ("churn.py", "code.py"):
        (folder / name).write_text("def train(frame):\n    return None\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)


def rendered(files: Mapping[str, object]) -> dict[str, str]:
    """Path -> text of what `stellwerk render` writes for CI in that project."""
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        write_project(folder, files)
        command = [sys.executable, "-m", "stellwerk", "render"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        paths = [*folder.glob(".github/**/*"), *folder.glob("bitbucket-pipelines.yml")]
        return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths if path.is_file()}


def kept(name: str) -> dict[str, str]:
    """Path -> text of what is kept of that project."""
    folder = GOLDEN / name
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in paths}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    differing = 0
    for name, project in PROJECTS.items():
        now = rendered(project())
        if now == kept(name):
            continue
        differing += 1
        print(f"{name} differs")
        if write:
            shutil.rmtree(GOLDEN / name, ignore_errors=True)
            for path, text in now.items():
                (GOLDEN / name / path).parent.mkdir(parents=True, exist_ok=True)
                (GOLDEN / name / path).write_text(text, "utf-8")
    return 0 if write else min(differing, 1)


if __name__ == "__main__":
    sys.exit(main())
