"""Run other people's validators over the workflows of projects.

    python tests/workflows/checkers/run.py FOLDER...
    python tests/workflows/checkers/run.py --available FOLDER...      # without those that are not installed
    python tests/workflows/checkers/run.py --only zizmor FOLDER...

Each FOLDER is a project with .github/workflows/ or bitbucket-pipelines.yml. zizmor and check-jsonschema come with the
`test` extra; the other two with tests/node (see its README), found by STELLWERK_NODE_MODULES. What is allowed all the
same is in allowed.toml, with reasons.

Exit code: 0 no finding, 1 a finding or an entry of allowed.toml that nothing needed, 2 a validator is missing, broke
off, or there is nothing to check.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from allowed import Allowed, load_allowed
from validators import BrokenError, Finding, MissingError, Validator, validators

CLEAN, FINDINGS, FAILED = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one validator did. `missing` and `broken` say why it has no verdict."""

    validator: Validator
    version: str = "-"
    files: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    missing: str = ""
    broken: str = ""


def main() -> int:
    everyone = {validator.name: validator for validator in validators()}
    parser = argparse.ArgumentParser(description="Run other people's validators over the workflows of projects.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--available", action="store_true", help="leave out what is not installed, and say so")
    parser.add_argument("--only", action="append", choices=sorted(everyone), help="this validator; may be repeated")
    parser.add_argument("--allowed", type=Path, default=Path(__file__).with_name("allowed.toml"), metavar="FILE")
    parser.add_argument("--some-files", action="store_true", help="an entry of allowed.toml may go unneeded")
    asked = parser.parse_args()
    try:
        allowed = load_allowed(asked.allowed)
    except ValueError as error:
        print(error, file=sys.stderr)
        return FAILED
    files = {"github": [], "bitbucket": []}
    for folder in asked.folders:
        found = workflows(folder)
        if not any(found.values()):
            print(f"{folder} has neither .github/workflows/*.yml nor bitbucket-pipelines.yml", file=sys.stderr)
            return FAILED
        for provider, paths in found.items():
            files[provider].extend(paths)
    chosen = [everyone[name] for name in everyone if not asked.only or name in asked.only]
    rows = [ran(validator, tuple(files[validator.reads])) for validator in chosen]
    return report(rows, allowed, available=asked.available, some_files=asked.some_files)


def workflows(folder: Path) -> dict[str, list[str]]:
    """The absolute paths of the files of each provider, in order."""
    hub = sorted(path for path in (folder / ".github" / "workflows").glob("*.y*ml") if path.suffix in {".yml", ".yaml"})
    bucket = [path for path in [folder / "bitbucket-pipelines.yml"] if path.is_file()]
    return {"github": [str(path.resolve()) for path in hub], "bitbucket": [str(path.resolve()) for path in bucket]}


def ran(validator: Validator, paths: tuple[str, ...]) -> Row:
    try:
        version = validator.version()
    except MissingError as error:
        return Row(validator=validator, missing=str(error))
    start = time.monotonic()
    try:
        findings = validator.check(paths) if paths else ()
    except BrokenError as error:
        return Row(validator=validator, version=version, broken=str(error))
    took = time.monotonic() - start
    return Row(validator=validator, version=version, files=len(paths), findings=findings, seconds=took)


def report(rows: Sequence[Row], allowed: Sequence[Allowed], *, available: bool, some_files: bool) -> int:
    """Print the table and what it leads to; the exit code."""
    used = {entry for entry in allowed for row in rows for finding in row.findings if entry.covers(finding)}
    heeded = {
        row.validator.name: [found for found in row.findings if not any(entry.covers(found) for entry in used)]
        for row in rows
    }
    print(f"{'validator':<18}{'version':<10}{'files':>6}{'findings':>10}{'allowed':>9}{'seconds':>9}")
    for row in rows:
        left = len(heeded[row.validator.name])
        counts = f"{row.files:>6}{left:>10}{len(row.findings) - left:>9}{row.seconds:>9.1f}"
        verdict = "  NOT RUN" if row.missing else "  BROKE OFF" if row.broken else counts
        print(f"{row.validator.name:<18}{row.version:<10}{verdict}")
    for finding in sorted(found for found_by_one in heeded.values() for found in found_by_one):
        print(f"{place(finding)}: {finding.checker}[{finding.rule}] {finding.message}")
    run = {row.validator.name for row in rows if not row.missing and not row.broken and row.files}
    unneeded = [] if some_files else [entry for entry in allowed if entry.checker in run and entry not in used]
    for entry in unneeded:
        print(f"allowed.toml: no finding needs {entry.checker}[{entry.rule}] {entry.message!r}: remove the entry")
    for row in rows:
        if row.missing or row.broken:
            state = "not run" if row.missing else "broke off"
            print(f"{row.validator.name} {state}: {row.missing or row.broken}", file=sys.stderr)
    if any(row.broken or (row.missing and not available) for row in rows):
        return FAILED
    if not run:
        print("no file was checked", file=sys.stderr)
        return FAILED
    return FINDINGS if unneeded or any(heeded.values()) else CLEAN


def place(finding: Finding) -> str:
    path = Path(finding.path)
    near = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{near}:{finding.line}:{finding.column}" if finding.line else str(near)


if __name__ == "__main__":
    sys.exit(main())
