"""What it costs to render and prove the files of many models and the workflows, and to see that nothing changed.

python tests/benchmarks/rendering.py --models 1000
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stellwerk.app.workspace import Workspace
from stellwerk.planning.forge_files import facts_of
from stellwerk.render.forge import render_forge
from stellwerk.render.stage import render_stage

RENDER_LIMIT = 1.0  # seconds of processor time, beyond start-up
CHECK_LIMIT = 2.0  # times `git status`
GIT = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]


def made(folder: Path, models: int) -> Path:
    """A project with nothing to do that asks for workflows."""
    project = folder / "project"
    script = Path(__file__).with_name("big_project.py")
    subprocess.run(
        [sys.executable, script, project, "--models", str(models), "--versions", "5"], check=True, capture_output=True
    )
    with (project / "mlops.yaml").open("a") as file:
        file.write("\nworkflows: {}\n")
    subprocess.run([sys.executable, "-m", "stellwerk", "render"], cwd=project, check=True, capture_output=True)
    subprocess.run([*GIT, "add", "--all"], cwd=project, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", "workflows"], cwd=project, check=True)
    return project


def rendered(project: Path) -> bool:
    """Seconds of processor time for every file, read back where it is a workflow."""
    state = Workspace.open(project, environ=dict(os.environ)).brief.work_tree().state
    declared, code = state.project, state.observed.code
    datasets = {dataset.name: dataset for dataset in declared.datasets}
    facts = facts_of(declared)
    assert facts is not None
    start, count = time.process_time(), len(render_forge(facts, declared))
    for model in declared.models:
        paths = tuple(file.path for file in code[model.name])
        count += len(render_stage(model, datasets[model.train.data], paths, declared.limits)) if model.train else 0
    used = time.process_time() - start
    passed = used <= RENDER_LIMIT and count > len(declared.models)
    print(
        f"{'pass' if passed else 'FAIL'}  {count} files rendered and proven: {used:.2f} s (at most {RENDER_LIMIT:g} s)"
    )
    return passed


def checked(project: Path, repeat: int) -> bool:
    """`render --check` where nothing changed, beside `git status`; the runs alternate."""
    ours = [str(Path(sys.executable).with_name("stellwerk")), "render", "--check"]
    subprocess.run(ours, cwd=project, check=True, capture_output=True)
    times: dict[str, list[float]] = {"ours": [], "git": []}
    for _ in range(repeat):
        for name, command in (("git", ["git", "status", "--porcelain"]), ("ours", ours)):
            start = time.perf_counter()
            subprocess.run(command, cwd=project, check=True, capture_output=True)
            times[name].append(time.perf_counter() - start)
    check, status = (statistics.median(times[name]) for name in ("ours", "git"))
    passed = check <= CHECK_LIMIT * status
    print(
        f"{'pass' if passed else 'FAIL'}  render --check: {check:.2f} s, git status {status:.2f} s "
        f"({check / status:.1f} times, at most {CHECK_LIMIT:g})"
    )
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure rendering.")
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stellwerk-rendering-") as name:
        project = made(Path(name), asked.models)
        verdicts = [rendered(project), checked(project, asked.repeat)]
    return int(not all(verdicts))


if __name__ == "__main__":
    sys.exit(main())
