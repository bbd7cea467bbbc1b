"""How fast Stellwerk is, as whole processes, beside tools that do comparable work on as many things, in the same run.

    python tests/benchmarks/run.py                  # 1,000 models in 4 environments
    python tests/benchmarks/run.py --models 100     # to try it out

Prints a table and exits 1 where a limit is missed. Every figure is the median of `--repeat` runs; the runs of one comparison
alternate, so that a busy machine slows both. "cold": without the cache of parsed files in .git/stellwerk.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from big_project import generate, write

SCRIPTS = Path(sysconfig.get_path("scripts"))
STELLWERK = str(SCRIPTS / "stellwerk")
START_LIMIT = 1.5  # times an empty click program
SECONDS_LIMIT = 1.0  # for validate and for a plan with nothing to do
START_REPEATS = 15

EMPTY_CLICK = """\
#!{python}
import sys
import click

@click.command()
@click.version_option("0.1.0", prog_name="empty")
def main():
    pass

if __name__ == "__main__":
    sys.exit(main())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A command to measure. `before` runs untimed ahead of each run."""

    name: str
    command: Sequence[str]
    folder: Path
    before: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Medians in seconds: on the clock, and of all processors. The second tells how busy the machine was with other things."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One limit and what was measured."""

    text: str
    passed: bool


def measure(cases: Sequence[Timed], repeat: int) -> dict[str, Taken]:
    """Medians by name. The cases alternate; one untimed run of each comes first."""
    taken: dict[str, list[Taken]] = {case.name: [] for case in cases}
    for number in range(repeat + 1):
        for case in cases:
            if case.before:
                case.before()
            start, used = time.perf_counter(), processors()
            done = subprocess.run(
                case.command, cwd=case.folder, env=environment(), capture_output=True, encoding="utf-8", check=False
            )
            run = Taken(wall=time.perf_counter() - start, cpu=processors() - used)
            if done.returncode != 0:
                raise SystemExit(f"{case.name} exits with {done.returncode}:\n{done.stdout}{done.stderr}")
            if number:
                taken[case.name].append(run)
    return {
        name: Taken(wall=statistics.median(run.wall for run in runs), cpu=statistics.median(run.cpu for run in runs))
        for name, runs in taken.items()
    }


def processors() -> float:
    """Processor seconds of all processes that this one started and that ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def environment() -> dict[str, str]:
    """Nothing that phones home, nothing that colours."""
    quiet = {"CHECKPOINT_DISABLE": "1", "DVC_NO_ANALYTICS": "1", "NO_COLOR": "1", "TF_IN_AUTOMATION": "1"}
    return {**os.environ, **quiet, "DVC_SITE_CACHE_DIR": str(Path(tempfile.gettempdir()) / "benchmark-dvc-site")}


def quietly(command: Sequence[str], folder: Path) -> None:
    """Run a command of the preparation; its output only where it fails."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")


def start_cases(folder: Path) -> list[Timed]:
    """`stellwerk --version` and a click program that does nothing."""
    empty = folder / "empty-click"
    empty.write_text(EMPTY_CLICK.format(python=sys.executable))
    empty.chmod(0o755)
    return [
        Timed(name="empty click --version", command=[str(empty), "--version"], folder=folder),
        Timed(name="stellwerk --version", command=[STELLWERK, "--version"], folder=folder),
    ]


def stellwerk_cases(project: Path) -> list[Timed]:
    """`validate` and a plan that must be empty, with the cache of parsed files and without."""

    def forget() -> None:
        shutil.rmtree(project / ".git/stellwerk", ignore_errors=True)

    plan = [STELLWERK, "plan", "--detailed-exitcode"]
    validate = [STELLWERK, "validate"]
    return [
        Timed(name="stellwerk validate, cold", command=validate, folder=project, before=forget),
        Timed(name="stellwerk validate, warm", command=validate, folder=project),
        Timed(name="stellwerk plan, cold", command=plan, folder=project, before=forget),
        Timed(name="stellwerk plan, warm", command=plan, folder=project),
    ]


def terraform_case(folder: Path, count: int) -> Timed | None:
    """A plan of as many `terraform_data` resources with nothing to do; None without terraform."""
    terraform = shutil.which("terraform")
    if terraform is None:
        return None
    blocks = (
        f'resource "terraform_data" "m{number:04d}" {{\n  input = {{ model = "m{number:04d}", version = 1 }}\n}}\n'
        for number in range(count)
    )
    write(folder, {"main.tf": "\n".join(blocks)})
    quietly([terraform, "init", "-input=false"], folder)
    quietly([terraform, "apply", "-auto-approve", "-input=false"], folder)
    command = [terraform, "plan", "-input=false", "-detailed-exitcode"]
    return Timed(name=f"terraform plan, {count} terraform_data", command=command, folder=folder)


def dvc_case(folder: Path, count: int) -> Timed:
    """`dvc status` of as many stages that are up to date: one dvc.yaml each, as Stellwerk renders them."""
    files: dict[str, str] = {}
    for number in range(count):
        home, code, result = f"models/m{number:04d}", f"# model {number}\n", f"result {number}\n"
        files[f"{home}/model.py"] = code
        files[f"{home}/result.txt"] = result
        files[f"{home}/dvc.yaml"] = (
            "stages:\n  train:\n    cmd: python model.py\n    deps: [model.py]\n"
            "    outs: [{result.txt: {cache: false}}]\n"
        )
        files[f"{home}/dvc.lock"] = (
            "schema: '2.0'\nstages:\n  train:\n    cmd: python model.py\n"
            f"    deps:\n    - {{path: model.py, hash: md5, md5: {md5(code)}, size: {len(code)}}}\n"
            f"    outs:\n    - {{path: result.txt, hash: md5, md5: {md5(result)}, size: {len(result)}}}\n"
        )
    write(folder, files)
    dvc = [sys.executable, "-m", "dvc"]
    quietly(["git", "init", "--quiet"], folder)
    quietly([*dvc, "init", "--quiet"], folder)
    done = subprocess.run(
        [*dvc, "status"], cwd=folder, env=environment(), capture_output=True, encoding="utf-8", check=True
    )
    if "up to date" not in done.stdout:
        raise SystemExit(f"dvc has something to do:\n{done.stdout[:2000]}")
    return Timed(name=f"dvc status, {count} stages", command=[*dvc, "status"], folder=folder)


def md5(text: str) -> str:
    """The content hash DVC records."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def judge(taken: dict[str, Taken]) -> list[Verdict]:
    """Every limit, met or not."""
    ratio = taken["stellwerk --version"].wall / taken["empty click --version"].wall
    verdicts = [
        Verdict(text=f"start: {ratio:.2f} times an empty click program (<= {START_LIMIT})", passed=ratio <= START_LIMIT)
    ]
    others = {name: took.wall for name, took in taken.items() if name.startswith(("terraform", "dvc"))}
    for name in ("stellwerk validate, warm", "stellwerk plan, warm"):
        mine = taken[name].wall
        verdicts.append(Verdict(text=f"{name}: {mine:.2f} s (< {SECONDS_LIMIT} s)", passed=mine < SECONDS_LIMIT))
        for other, took in others.items():
            verdicts.append(Verdict(text=f"{name}: {took / mine:.1f} times as fast as {other}", passed=mine < took))
    return verdicts


def main() -> int:
    """Prepare, measure, print; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure Stellwerk beside terraform and DVC.")
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stellwerk-benchmark-") as name:
        folder = Path(name)
        project, terraform, dvc = (folder / part for part in ("project", "terraform", "dvc"))
        for part in (project, terraform, dvc):
            part.mkdir()
        taken = measure(start_cases(folder), START_REPEATS)
        files = generate(project, asked.models)
        print(
            f"{asked.models} models, 4 environments, {files} files; median of {asked.repeat}; {os.cpu_count()} CPUs\n"
        )
        cases = stellwerk_cases(project)
        against_terraform = terraform_case(terraform, asked.models)
        if against_terraform:
            cases.append(against_terraform)
        else:
            print("terraform is not installed: not compared\n")
        cases.append(dvc_case(dvc, asked.models))
        taken |= measure(cases, asked.repeat)
    print(f"{'':<40} {'clock':>8}    {'CPU':>8}")
    for case, took in taken.items():
        print(f"{case:<40} {took.wall * 1000:>8.0f} ms {took.cpu * 1000:>8.0f} ms")
    print()
    verdicts = judge(taken)
    for verdict in verdicts:
        print(f"{'pass' if verdict.passed else 'FAIL'}  {verdict.text}")
    return int(not all(verdict.passed for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
