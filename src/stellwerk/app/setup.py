"""`stellwerk init`: a git repository, DVC, and a first mlops.yaml. Asks nothing, overwrites nothing, safe twice."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stellwerk.adapters.git.checkout import write_atomically
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping

IGNORED = ("/deployed/",)  # where the declared local targets usually unpack
FILTERED = "*.ipynb filter=stellwerk-notebook"
# `required`: what cannot be stripped is refused, never stored as it is; for that git wants both directions named.
FILTER = (
    ("filter.stellwerk-notebook.clean", "stellwerk notebook clean -"),
    ("filter.stellwerk-notebook.smudge", "cat"),
    ("filter.stellwerk-notebook.required", "true"),
)


def init(directory: Path, *, yes: bool, environ: Mapping[str, str]) -> tuple[tuple[str, ...], str]:  # noqa: ARG001 the CLI asks
    """Returns (what was made or changed, the next step in words)."""
    made: list[str] = []
    directory.mkdir(parents=True, exist_ok=True)
    root = _repository(directory, environ, made)
    from stellwerk.adapters.dvc import init_dvc

    made += init_dvc(root)
    if not (root / "mlops.yaml").exists():
        schemas = _write_schemas(root)  # first: where mlops.yaml is, nobody writes them again
        write_atomically(root / "mlops.yaml", _first_declaration(root).encode())
        made += ["mlops.yaml", *schemas]
    made += _ignore(root, {"": list(IGNORED)})
    made += _ignore(root, _data_to_ignore(root))
    if "mlops.yaml" in made and not _data_to_ignore(root):
        step = (
            "declare a dataset and a model in mlops.yaml, then: "
            "stellwerk init && git add -A && git commit -m 'Start' && stellwerk plan"
        )
    elif "mlops.yaml" in made:
        step = "read mlops.yaml, declare a model there, then: git add -A && git commit -m 'Start' && stellwerk plan"
    elif made:
        step = "git add -A && git commit -m 'Set up stellwerk' && stellwerk plan"
    else:
        step = "stellwerk plan"
    return tuple(made), step


def filter_commands() -> tuple[str, ...]:
    """What a person types to have git strip notebooks; the first line is for everybody, the others for each clone."""
    configured = (
        f'git config {key} "{value}"' if " " in value else f"git config {key} {value}" for key, value in FILTER
    )
    return (f"echo '{FILTERED}' >> .gitattributes", *configured)


def notebooks_unfiltered(directory: Path, environ: Mapping[str, str]) -> bool:
    """Whether git has notebooks here, and is not told to strip them."""
    root = _repository(directory, environ, [])
    attributes = _content(root / ".gitattributes")
    if FILTERED in attributes.splitlines() or "filter=nbstripout" in attributes:
        return False
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.ipynb"],
        cwd=root,
        env={**environ},
        capture_output=True,
        check=False,
    )
    return bool(listed.stdout.strip())


def add_notebook_filter(directory: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Have git strip every notebook that is added, by the attribute and this clone's configuration.

    Returns what is new.
    """
    root, made = _repository(directory, environ, []), []
    attributes = _content(root / ".gitattributes")
    if FILTERED not in attributes.splitlines():
        gap = "" if not attributes or attributes.endswith("\n") else "\n"
        write_atomically(root / ".gitattributes", f"{attributes}{gap}{FILTERED}\n".encode())
        made.append(".gitattributes")
    command = _own_command(environ)
    for key, value in ((key, value.replace("stellwerk", command, 1)) for key, value in FILTER):
        known = _git_config(directory, environ, "--get", key)
        if known.stdout.strip() == value:
            continue
        done = _git_config(directory, environ, key, value)
        if done.returncode:
            raise StellwerkError(f"git config failed: {done.stderr.strip()}", where=str(directory), hint="try it again")
        made.append(f"git config {key}")
    return tuple(made)


def _own_command(environ: Mapping[str, str]) -> str:
    """What git's shell calls this program by: its name where that is found, else its file in this environment."""
    file = Path(sysconfig.get_path("scripts")) / "stellwerk"
    if shutil.which("stellwerk", path=environ.get("PATH", os.defpath)) or not file.is_file():
        return "stellwerk"
    return shlex.quote(str(file))


def _git_config(directory: Path, environ: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "config", "--local", *words],
        cwd=directory,
        env={**environ, "LC_ALL": "C"},
        capture_output=True,
        check=False,
        text=True,
    )


def _content(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _repository(directory: Path, environ: Mapping[str, str], made: list[str]) -> Path:
    environment = {**environ, "LC_ALL": "C"}
    try:
        top = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"],
            cwd=directory,
            env=environment,
            capture_output=True,
            check=False,
            text=True,
        )
    except FileNotFoundError as error:
        raise StellwerkError("git is not installed", hint="install git 2.38 or newer") from error
    if top.returncode == 0 and top.stdout.strip():
        return Path(top.stdout.strip())
    if "bare" in top.stderr or "work tree" in top.stderr:
        raise StellwerkError(
            "this is a bare repository", where=str(directory), hint="clone it and run init in the clone"
        )
    done = subprocess.run(
        ["git", "init", "--quiet", "--initial-branch=main"],
        cwd=directory,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise StellwerkError(f"git init failed: {done.stderr.strip()}", where=str(directory))
    made.append(".git")
    return directory.resolve()


def _first_declaration(root: Path) -> str:
    """A starting point: CSV files that lie in data/ are declared as datasets."""
    from stellwerk.render.scaffold import render_scaffold

    found = sorted((root / "data").glob("*.csv")) if (root / "data").is_dir() else []
    datasets = {_name(path): f"data/{path.name}" for path in found}
    return render_scaffold(tuple(datasets.items()))


def _write_schemas(root: Path) -> list[str]:
    """The schemas that editors explain the keys with; those that are there already stay."""
    from stellwerk.declarations.schema import schema_text

    written = []
    for kind in ("mlops", "environment", "release"):
        path = f"schemas/{kind}.schema.json"
        if not (root / path).exists():
            write_atomically(root / path, schema_text(kind).encode())
            written.append(path)
    return written


def _name(path: Path) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in path.stem)


def _data_to_ignore(root: Path) -> dict[str, list[str]]:
    """Folder -> the names of datasets in it: DVC versions them, so git must not. Files git tracks already are left."""
    import yaml

    try:
        declared = yaml.safe_load((root / "mlops.yaml").read_bytes())
        paths = [PurePosixPath(item["path"]) for item in declared["datasets"].values()]
    except (yaml.YAMLError, OSError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        return {}  # `stellwerk validate` says what is wrong with it
    wanted: dict[str, list[str]] = {}
    for path in paths:
        if not path.is_absolute() and ".." not in path.parts and path.name:
            folder = "" if str(path.parent) == "." else str(path.parent)
            wanted.setdefault(folder, []).append(f"/{path.name}")
    return wanted


def _ignore(root: Path, wanted: Mapping[str, list[str]]) -> list[str]:
    """Add the lines that are missing to the `.gitignore` of each folder; returns the files that were changed."""
    changed = []
    for folder, lines in sorted(wanted.items()):
        file = root / folder / ".gitignore"
        present = _content(file)
        missing = [line for line in lines if line not in present.splitlines()]
        if missing:
            gap = "" if not present or present.endswith("\n") else "\n"
            write_atomically(file, f"{present}{gap}{''.join(f'{line}{chr(10)}' for line in missing)}".encode())
            changed.append(file.relative_to(root).as_posix())
    return changed
