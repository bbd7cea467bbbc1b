"""How fast Stellwerk is, as whole processes, beside tools that do comparable work on as many things, in the same run.

    python tests/benchmarks/run.py                        # 1,000 models in 4 environments, 5 versions each
    python tests/benchmarks/run.py --models 100           # to try it out
    python tests/benchmarks/run.py --only large           # 10,000 models
    python tests/benchmarks/run.py --only races trainings notebooks  # the others, which have files of their own

Prints a table and exits 1 where a limit is missed. Every figure is the median of `--repeat` runs; the runs of one comparison
alternate, so that a busy machine slows both. "cold": without the cache in .git/stellwerk, as in a fresh clone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
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
PLAN_LIMIT = 0.5  # seconds, of a plan with nothing to do
COLD_LIMIT = 2.0  # seconds, of the same in a fresh clone
EDIT_LIMIT = 1.2  # times a plan with nothing to do
LARGE = 10_000  # models
LARGE_LIMIT = 5.0  # seconds
MEMORY_LIMIT = 1 << 30
OTHERS = {"terraform plan": 10.0, "dvc status": 20.0}  # times as fast as
SCHEMA_LIMIT = 5.0  # times as fast as check-jsonschema
START_REPEATS = 15
GROUPS = ("start", "plan", "validate", "large", "races", "trainings", "notebooks", "rendering")

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


def forgetter(project: Path) -> Callable[[], None]:
    """Drops what Stellwerk remembers of the project."""
    return lambda: shutil.rmtree(project / ".git/stellwerk", ignore_errors=True)


def plan_cases(project: Path) -> list[Timed]:
    """A plan that must be empty, with and without what is remembered, and one after an edit; and what git needs for it."""
    plan = [STELLWERK, "plan", "--detailed-exitcode"]
    declared = project / "models/m0007/model.yaml"
    untouched = declared.read_text()
    edits = iter(range(1_000_000))

    def restore() -> None:
        declared.write_text(untouched)
        quietly(plan, project)

    def edit() -> None:
        restore()
        declared.write_text(untouched.replace("depth: 3", f"depth: {next(edits) + 10}"))

    return [
        Timed(name="python -c pass", command=[sys.executable, "-c", "pass"], folder=project),
        Timed(name="git status", command=["git", "status", "--porcelain"], folder=project),
        Timed(name="git ls-tree -r HEAD", command=["git", "ls-tree", "-r", "HEAD"], folder=project),
        Timed(name="stellwerk plan, after one edit", command=[STELLWERK, "plan"], folder=project, before=edit),
        Timed(name="stellwerk plan, warm", command=plan, folder=project, before=restore),
        Timed(name="stellwerk plan, cold", command=plan, folder=project, before=forgetter(project)),
    ]


def validate_cases(project: Path, single: Path) -> list[Timed]:
    """`validate` of models in a file each and of all in one file, beside check-jsonschema with the same schema."""
    validate = [STELLWERK, "validate"]
    cases = [
        Timed(name="stellwerk validate, cold", command=validate, folder=project, before=forgetter(project)),
        Timed(name="stellwerk validate, warm", command=validate, folder=project),
        Timed(name="stellwerk validate, one file, cold", command=validate, folder=single, before=forgetter(single)),
        Timed(name="stellwerk validate, one file, warm", command=validate, folder=single),
    ]
    checker = shutil.which("check-jsonschema")
    if checker is None:
        print("check-jsonschema is not installed: not compared\n")
        return cases
    schema = project.parent / "mlops.schema.json"
    shown = subprocess.run([STELLWERK, "schema", "mlops"], capture_output=True, encoding="utf-8", check=True)
    rules = json.loads(shown.stdout)
    del rules["required"]  # of included files only the first says `version`
    schema.write_text(json.dumps(rules))
    check = [checker, "--schemafile", str(schema), "mlops.yaml"]
    files = sorted(str(path.relative_to(project)) for path in project.glob("models/*/model.yaml"))
    return [
        *cases,
        Timed(name="check-jsonschema", command=[*check, *files], folder=project),
        Timed(name="check-jsonschema, one file", command=check, folder=single),
    ]


def in_one_file(project: Path, single: Path) -> None:
    """The project's declarations with all models in `mlops.yaml`, and the files they name."""
    for pattern in ("environments/*.yaml", "models/*/model.py", "data/*.dvc"):
        for path in project.glob(pattern):
            (single / path.relative_to(project)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, single / path.relative_to(project))
    main = (project / "mlops.yaml").read_text().replace("include: [models/*/model.yaml]\n", "")
    parts = [path.read_text().removeprefix("models:\n") for path in sorted(project.glob("models/*/model.yaml"))]
    write(single, {"mlops.yaml": f"{main}models:\n{''.join(parts)}"})
    quietly(["git", "init", "--quiet"], single)
    quietly(["git", "add", "."], single)
    quietly(
        ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "-m", "All"], single
    )


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


def limit(text: str, measured: float, bound: float, unit: str = " s") -> Verdict:
    """A figure that must not be larger than the bound."""
    return Verdict(text=f"{text}: {measured:.2f}{unit} (at most {bound:g}{unit})", passed=measured <= bound)


def at_least(text: str, measured: float, bound: float) -> Verdict:
    """A ratio that must not be smaller than the bound."""
    return Verdict(text=f"{text}: {measured:.1f} times as fast (at least {bound:g})", passed=measured >= bound)


def judge(taken: dict[str, Taken]) -> list[Verdict]:
    """Every limit of what was measured, met or not."""
    wall = {name: took.wall for name, took in taken.items()}
    verdicts = []
    if "stellwerk --version" in wall:
        ratio = wall["stellwerk --version"] / wall["empty click --version"]
        verdicts.append(limit("start, against an empty click program", ratio, START_LIMIT, " times"))
    if "stellwerk plan, warm" in wall:
        warm = wall["stellwerk plan, warm"]
        verdicts.append(limit("plan with nothing to do, warm", warm, PLAN_LIMIT))
        verdicts.append(limit("the same in a fresh clone", wall["stellwerk plan, cold"], COLD_LIMIT))
        ratio = wall["stellwerk plan, after one edit"] / warm
        verdicts.append(limit("plan after one edit, against nothing to do", ratio, EDIT_LIMIT, " times"))
        verdicts += [
            at_least(f"plan, warm, against {name}", took / warm, bound)
            for name, took in wall.items()
            for other, bound in OTHERS.items()
            if name.startswith(other)
        ]
    for files in ("", ", one file"):
        checker = wall.get(f"check-jsonschema{files}")
        for cache in ("warm", "cold") if checker else ():
            ratio = (checker or 0) / wall[f"stellwerk validate{files}, {cache}"]
            verdicts.append(at_least(f"validate{files}, {cache}, against check-jsonschema", ratio, SCHEMA_LIMIT))
    return verdicts


def show(taken: dict[str, Taken], verdicts: Sequence[Verdict]) -> None:
    """The table and the verdicts."""
    print(f"{'':<44} {'clock':>8}    {'CPU':>8}")
    for case, took in taken.items():
        print(f"{case:<44} {took.wall * 1000:>8.0f} ms {took.cpu * 1000:>8.0f} ms")
    print()
    for verdict in verdicts:
        print(f"{'pass' if verdict.passed else 'FAIL'}  {verdict.text}")
    print(flush=True)


def measure_large(folder: Path, models: int, repeat: int) -> list[Verdict]:
    """A plan with nothing to do of ten times as many models: its time, growth and memory."""
    sizes = (models, models * 10)
    taken: dict[str, Taken] = {}
    for size in sizes:
        project = folder / f"project-{size}"
        project.mkdir()
        files = generate(project, size)
        print(f"{size} models, 4 environments, 1 version each, {files} files", flush=True)
        plan = [STELLWERK, "plan", "--detailed-exitcode"]
        cases = [
            Timed(name=f"plan of {size} models, warm", command=plan, folder=project),
            Timed(name=f"plan of {size} models, cold", command=plan, folder=project, before=forgetter(project)),
        ]
        taken |= measure(cases, repeat if size == models else 1)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    verdicts = [limit(f"plan of {sizes[1]} models, warm", taken[f"plan of {sizes[1]} models, warm"].wall, LARGE_LIMIT)]
    for cache in ("warm", "cold"):
        small, large = (taken[f"plan of {size} models, {cache}"].wall for size in sizes)
        verdicts.append(limit(f"growth from {sizes[0]} to {sizes[1]} models, {cache}", large / small, 10.0, " times"))
    verdicts.append(limit("memory of the largest process", peak / (1 << 30), MEMORY_LIMIT / (1 << 30), " GiB"))
    show(taken, verdicts)
    return verdicts


def other_benchmarks(groups: Sequence[str]) -> list[Verdict]:
    """The benchmarks in files of their own; each prints its figures and exits 1 where a limit is missed."""
    verdicts = []
    for group in groups:
        file = Path(__file__).with_name(f"{group}.py")
        done = subprocess.run([sys.executable, str(file)], env=environment(), check=False)
        verdicts.append(Verdict(text=f"{group}: {file.name}", passed=done.returncode == 0))
    return verdicts


def main() -> int:
    """Prepare, measure, print; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description="Measure Stellwerk beside terraform, DVC, git and check-jsonschema.")
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    asked = parser.parse_args()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="stellwerk-benchmark-") as name:
        folder = Path(name)
        project, single, terraform, dvc = (folder / part for part in ("project", "single", "terraform", "dvc"))
        for part in (project, single, terraform, dvc):
            part.mkdir()
        taken: dict[str, Taken] = {}
        if "start" in asked.only:
            taken |= measure(start_cases(folder), START_REPEATS)
        if {"plan", "validate"} & set(asked.only):
            files = generate(project, asked.models, asked.versions)
            print(f"{asked.models} models, 4 environments, {asked.versions} versions each, {files} files;", end=" ")
            print(f"median of {asked.repeat}; {os.cpu_count()} CPUs\n", flush=True)
        if "plan" in asked.only:
            cases = plan_cases(project)
            against_terraform = terraform_case(terraform, asked.models)
            if against_terraform:
                cases.append(against_terraform)
            else:
                print("terraform is not installed: not compared\n")
            cases.append(dvc_case(dvc, asked.models))
            taken |= measure(cases, asked.repeat)
        if "validate" in asked.only:
            in_one_file(project, single)
            taken |= measure(validate_cases(project, single), asked.repeat)
        if taken:
            verdicts += judge(taken)
            show(taken, verdicts)
        if "large" in asked.only:
            verdicts += measure_large(folder, min(asked.models, LARGE // 10), 3)
    verdicts += other_benchmarks(
        [group for group in ("races", "trainings", "notebooks", "rendering") if group in asked.only]
    )
    return int(not all(verdict.passed for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
