"""The command that runs other people's validators: that each really runs, and that nothing gets by in silence."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKERS = Path(__file__).resolve().parent / "checkers"
NODE_MODULES = os.environ.get("STELLWERK_NODE_MODULES")  # read before a test's environment is isolated
GITHUB = ".github/workflows/wrong.yml"
CLEAN = """
name: clean
on: push
permissions: {}
concurrency:
  group: clean
  cancel-in-progress: false
jobs:
  build:
    name: Build
    runs-on: ubuntu-22.04
    timeout-minutes: 5
    steps:
      - run: echo
"""
WRONG_STEP = "pipelines:\n  default:\n    - step: {script: [echo], max-time: x}\n"


def load_validators():
    spec = importlib.util.spec_from_file_location("workflow_validators", CHECKERS / "validators.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def missing() -> dict[str, str]:
    validators = load_validators()
    found = {}
    for validator in validators.validators():
        try:
            validator.version()
        except validators.MissingError as error:
            found[validator.name] = str(error)
    return found


MISSING = missing()


def need(*names: str) -> None:
    for name in names:
        if name in MISSING:
            pytest.skip(f"{name} cannot run: {MISSING[name]}")


def check(folder: Path, *arguments: str, node_modules: str | None = NODE_MODULES) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "STELLWERK_NODE_MODULES"}
    if node_modules:
        environment["STELLWERK_NODE_MODULES"] = node_modules
    command = [sys.executable, str(CHECKERS / "run.py"), *arguments, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def project(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return folder


def test_the_exemplary_workflows_pass_every_validator():
    need("zizmor", "github-schema", "bitbucket-schema", "github-parser", "actionlint")
    ran = check(CHECKERS / "exemplary")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = [line.split() for line in ran.stdout.splitlines()[1:]]
    assert [(name, int(files), int(findings)) for name, _, files, findings, *_ in rows] == [
        ("zizmor", 2, 0),
        ("github-schema", 2, 0),
        ("bitbucket-schema", 1, 0),
        ("github-parser", 2, 0),
        ("actionlint", 2, 0),
    ]


@pytest.mark.parametrize(
    ("validator", "path", "text", "told"),
    [
        ("zizmor", GITHUB, CLEAN.replace("on: push", "on: pull_request_target"), f"{GITHUB}:3:1: zizmor[dangerous-triggers]"),
        ("zizmor", GITHUB, CLEAN.replace("echo", "echo ${{ github.sha }}"), f"{GITHUB}:14:23: zizmor[template-injection]"),
        ("github-schema", GITHUB, CLEAN.replace("cancel-in-progress: false", "cancel: false"), "[schema] $.concurrency: "),
        ("github-schema", GITHUB, "jobs: [", "github-schema[syntax] Failed to parse"),
        ("bitbucket-schema", "bitbucket-pipelines.yml", WRONG_STEP, "max-time']: 'x' is not of type 'integer'"),
        (
            "github-parser",
            GITHUB,
            CLEAN.replace("timeout-minutes: 5", "if: ${{ secrets.KEY != '' }}"),
            f"{GITHUB}:12:9: github-parser[parser] Unrecognized named-value: 'secrets'",
        ),
        (
            "actionlint",
            GITHUB,
            CLEAN.replace("echo", "echo ${{ steps.none.outputs.x }}"),
            f'{GITHUB}:14:23: actionlint[expression] property "none" is not defined',
        ),
        ("actionlint", GITHUB, "jobs: [", "actionlint[broke-off]"),
    ],
)  # fmt: skip
def test_each_validator_rejects_what_is_wrong(tmp_path: Path, validator: str, path: str, text: str, told: str):
    need(validator)
    ran = check(project(tmp_path, {path: text}), "--only", validator, "--some-files")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert told in ran.stdout


def test_a_call_that_does_not_fit_the_called_workflow_is_found(tmp_path: Path):
    need("github-parser")
    called = CLEAN.replace(
        "on: push", "on:\n  workflow_call:\n    inputs:\n      place: {type: string, required: true}"
    )
    caller = (
        CLEAN.partition("jobs:")[0] + "jobs:\n  call:\n    uses: ./.github/workflows/called.yml\n    with: {palce: x}\n"
    )
    folder = project(tmp_path, {".github/workflows/called.yml": called, GITHUB: caller})
    ran = check(folder, "--only", "github-parser")
    assert ran.returncode == 1
    assert "Invalid input, palce is not defined in the referenced workflow" in ran.stdout
    assert "Input place is required, but not provided" in ran.stdout


def test_neither_comments_nor_settings_nor_variables_silence_zizmor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    need("zizmor")
    settings = "rules:\n  unpinned-uses: {disable: true}\n"
    step = "uses: ada/act@v1 # zizmor: ignore[unpinned-uses]"
    folder = project(tmp_path, {GITHUB: CLEAN.replace("run: echo", step), ".github/zizmor.yml": settings})
    monkeypatch.setenv("ZIZMOR_CONFIG", str(folder / ".github/zizmor.yml"))
    monkeypatch.setenv("GH_TOKEN", "none")
    ran = check(folder, "--only", "zizmor")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "zizmor[unpinned-uses]" in ran.stdout


def test_a_workflow_that_zizmor_cannot_read_fails_the_run(tmp_path: Path):
    need("zizmor")
    ran = check(project(tmp_path, {GITHUB: "jobs: ["}), "--only", "zizmor")
    assert ran.returncode == 2
    assert "zizmor broke off" in ran.stderr


def test_a_missing_validator_fails_the_run_unless_what_is_available_was_asked_for():
    arguments = ("--only", "github-parser", "--only", "bitbucket-schema")
    ran = check(CHECKERS / "exemplary", *arguments, node_modules=None)
    assert ran.returncode == 2
    assert "github-parser not run: " in ran.stderr
    ran = check(CHECKERS / "exemplary", *arguments, "--available", node_modules=None)
    assert ran.returncode == 0, ran.stderr
    assert "github-parser not run: " in ran.stderr
    assert "NOT RUN" in ran.stdout


def test_a_validator_of_another_version_counts_as_missing(tmp_path: Path):
    for name in ("@actions/workflow-parser", "esbuild"):
        project(tmp_path, {f"{name}/package.json": '{"version": "0.0.1"}'})
    ran = check(CHECKERS / "exemplary", "--only", "github-parser", node_modules=str(tmp_path))
    assert ran.returncode == 2
    assert "is 0.0.1, not " in ran.stderr or "node is not installed" in ran.stderr


def test_nothing_to_check_fails_the_run(tmp_path: Path):
    ran = check(tmp_path, "--only", "bitbucket-schema")
    assert ran.returncode == 2
    assert "has neither .github/workflows/*.yml nor bitbucket-pipelines.yml" in ran.stderr
    ran = check(project(tmp_path, {GITHUB: CLEAN}), "--only", "bitbucket-schema")
    assert ran.returncode == 2
    assert "no file was checked" in ran.stderr


def allow(folder: Path, message: str, reason: str) -> str:
    entry = {"checker": "bitbucket-schema", "rule": "schema", "message": message, "reason": reason}
    path = folder / "allowed.toml"
    path.write_text("\n".join(["[[allowed]]", *(f"{key} = '{text}'" for key, text in entry.items())]), "utf-8")
    return str(path)


def test_an_allowed_finding_passes_and_an_entry_that_nothing_needs_does_not(tmp_path: Path):
    wrong = project(tmp_path, {"bitbucket-pipelines.yml": WRONG_STEP})
    arguments = ("--only", "bitbucket-schema", "--allowed", allow(tmp_path, "max-time", "to see"))
    assert check(wrong, *arguments).returncode == 0
    ran = check(CHECKERS / "exemplary", *arguments)
    assert ran.returncode == 1
    assert "no finding needs bitbucket-schema[schema] 'max-time'" in ran.stdout
    assert check(CHECKERS / "exemplary", *arguments, "--some-files").returncode == 0


def test_an_entry_without_a_reason_is_refused(tmp_path: Path):
    ran = check(CHECKERS / "exemplary", "--only", "bitbucket-schema", "--allowed", allow(tmp_path, "script", " "))
    assert ran.returncode == 2
    assert "entry 1 needs each of checker, message, reason, rule" in ran.stderr


def test_packages_are_pinned_by_version_and_hash_and_say_nothing_of_where_they_come_from(checkout: Path):
    node = checkout / "tests" / "node"
    wanted = json.loads((node / "package.json").read_text("utf-8"))["dependencies"]
    packages = json.loads((node / "package-lock.json").read_text("utf-8"))["packages"]
    assert all(version[0].isdigit() and version.replace(".", "").isdigit() for version in wanted.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    del packages[""]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
