"""How fast a notebook is judged and converted, beside `jupyter nbconvert --to script`, as whole processes in turn.

    python tests/benchmarks/notebooks.py [--repeat 7] [--nbconvert PATH]

nbconvert is looked for on PATH and in STELLWERK_NBCONVERT (the `jupyter-nbconvert` of an environment of its own: `python -m
venv FOLDER`, `FOLDER/bin/pip install nbconvert`); without it that limit is not judged, and the output says so. Times are
processor seconds, which a busy machine changes less. What decides is the median of the runs' ratios, and of passes over many
notebooks the quickest.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "notebooks"))

from realistic_notebook import REALISTIC

from stellwerk.notebooks.document import read_notebook
from stellwerk.notebooks.problems import judge
from stellwerk.notebooks.text import ipynb, notebook_of

TIMES_AS_FAST = 10.0
MANY = 200
MANY_LIMIT = 1.0  # seconds
PERSON = ("-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.com")
PASSES = 7
CONVERT = """\
import sys
from stellwerk.notebooks.convert import convert
from stellwerk.notebooks.document import read_notebook
path, out = sys.argv[1:]
with open(path, "rb") as file:
    made = convert(read_notebook(path, file.read()), model="demand", params={})
for name, text in (("module", made.module), ("tests", made.tests)):
    with open(f"{out}/{name}.py", "w", encoding="utf-8") as file:
        file.write(text)
assert not [problem for problem in made.problems if problem.severity == "error"]
"""
PARSE = """\
import ast, json, sys
with open(sys.argv[1], "rb") as file:
    cells = json.load(file)["cells"]
for cell in cells:
    try:
        compile("".join(cell["source"]), "cell", "exec")
    except SyntaxError:
        pass
"""


def taken(command: list[str], folder: Path) -> float:
    """Processor seconds of the command, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compared(folder: Path, nbconvert: str | None, repeat: int) -> bool:
    """One notebook of fifty cells: converted by us, by nbconvert, and only parsed; whether the limit holds."""
    notebook = folder / "demand.ipynb"
    notebook.write_bytes(ipynb(notebook_of(REALISTIC)))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "parse and compile the cells": [sys.executable, "-c", PARSE, str(notebook)],
        "stellwerk: judge and convert": [sys.executable, "-c", CONVERT, str(notebook), str(folder)],
    }
    if nbconvert:
        out = ["--output-dir", str(folder), "--output", "script"]
        commands["jupyter nbconvert --to script"] = [nbconvert, "--to", "script", *out, str(notebook)]
    runs: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(repeat + 1):
        for name, command in commands.items():
            used = taken(command, folder)
            if number:  # the first one fills the caches
                runs[name].append(used)
    for name, times in runs.items():
        print(f"{name:<44} {statistics.median(times) * 1000:>8.0f} ms CPU")
    if not nbconvert:
        print("nbconvert is not installed: not compared")
        return True
    pairs = zip(runs["jupyter nbconvert --to script"], runs["stellwerk: judge and convert"], strict=True)
    ratio = statistics.median(theirs / ours for theirs, ours in pairs)
    passed = ratio >= TIMES_AS_FAST
    print(f"{'pass' if passed else 'FAIL'}  {ratio:.1f} times as fast as nbconvert (at least {TIMES_AS_FAST:g})")
    return passed


def contents_of_many() -> list[bytes]:
    """So many notebooks, no two the same: what ships and a share of the rest."""
    cells = notebook_of(REALISTIC).cells
    contents = []
    for number in range(MANY):
        kept = [cell for cell in cells if cell.exported or cell.tested or cell.number % 7 == number % 7]
        text = "".join(
            f"# %% {' '.join([*sorted(cell.tags), f'id={cell.id}'])}{' [markdown]' * (cell.kind == 'markdown')}\n"
            f"{cell.source.replace('thirty', f'{number}')}\n"
            for cell in kept
        )
        contents.append(ipynb(notebook_of(text)))
    return contents


def many() -> bool:
    """So many notebooks, read and judged in one process without any cache; whether the limit holds."""
    contents = contents_of_many()
    gc.set_threshold(100_000, 50, 50)  # as the command does
    average = statistics.mean(content.count(b'"cell_type"') for content in contents)
    times, sound = [], True
    for _ in range(PASSES):
        start = time.process_time()
        found = [judge(read_notebook("demand.ipynb", content), {}) for content in contents]
        times.append(time.process_time() - start)
        sound = sound and all(problem.rule == "SW818" for problems in found for problem in problems) and all(found)
    used = min(times)  # what else the machine does only adds
    passed = used <= MANY_LIMIT and sound
    print(
        f"{'pass' if passed else 'FAIL'}  {MANY} notebooks of {average:.0f} cells judged: "
        f"{used:.2f} s (at most {MANY_LIMIT:g} s)"
    )
    return passed


def commanded(folder: Path, repeat: int) -> None:
    """Show what `stellwerk validate` takes of a project with so many notebooks.

    It also converts them, to compare the modules, and says what it found the first time and when nothing has changed.
    """
    declared = "version: 1\ndatasets: {sales: {path: data/sales.csv}}\nmodels:\n"
    for name, contents in (("none", []), ("many", contents_of_many())):
        home = folder / name
        home.mkdir()
        text = declared if contents else declared.removesuffix("models:\n")
        for number, content in enumerate(contents):
            source = f"models/m{number}/demand.ipynb"
            text += f"  m{number}: {{source: {source}, target: sold, train: {{data: sales}}}}\n"
            (home / source).parent.mkdir(parents=True)
            (home / source).write_bytes(content)
        (home / "mlops.yaml").write_text(text, encoding="utf-8")
        for words in (["init", "-q"], ["add", "."], [*PERSON, "commit", "-qm", "declare"]):
            subprocess.run(["git", *words], cwd=home, check=True)
    runs: dict[str, list[float]] = {"start-up": [], "first": [], "again": []}
    command = [sys.executable, "-m", "stellwerk", "validate"]
    for number in range(repeat + 1):
        for name in ("none", "many"):
            shutil.rmtree(folder / name / ".git/stellwerk", ignore_errors=True)
        used = [taken(command, folder / name) for name in ("none", "many", "many")]
        if number:
            for name, seconds in zip(runs, used, strict=True):
                runs[name].append(seconds)
    start, first, again = (statistics.median(times) for times in runs.values())
    print(
        f"stellwerk validate of {MANY} notebooks, beyond the {start:.2f} s of a start:"
        f" {first - start:.2f} s the first time, conversion included, {max(again - start, 0):.2f} s again"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the conversion of notebooks beside nbconvert.")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument(
        "--nbconvert", default=os.environ.get("STELLWERK_NBCONVERT") or shutil.which("jupyter-nbconvert")
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stellwerk-notebooks-") as name:
        verdicts = [compared(Path(name), asked.nbconvert, asked.repeat), many()]
        commanded(Path(name), min(asked.repeat, 3))
    return int(not all(verdicts))


if __name__ == "__main__":
    sys.exit(main())
