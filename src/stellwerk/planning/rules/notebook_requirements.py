"""What a notebook installs must be in the environment that trains and serves its module: nothing installs it there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stellwerk.model.declared import NOTEBOOK
from stellwerk.model.findings import Place, Severity
from stellwerk.notebooks.document import NotebookError, read_notebook
from stellwerk.notebooks.magics import plain
from stellwerk.notebooks.places import line_of, source_lines
from stellwerk.notebooks.text import ipynb, notebook_of
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.declared import Model
    from stellwerk.notebooks.document import Cell

OWN = frozenset(  # Stellwerk's own environment has these
    {"pip", "setuptools", "wheel", "pandas", "numpy", "scipy", "scikit-learn", "joblib", "pyarrow", "pyyaml", "jinja2"}
)
_SEPARATORS = re.compile(r"[-_.]+")
_COMMENT = re.compile(r"(^|\s)#.*")
_HASHES = re.compile(r"\s+--hash=\S+")
_DECLARED = """\
version: 1
datasets: {sales: {path: data/sales.csv}}
models:
  demand: {source: demand.ipynb, target: sold, train: {data: sales}, requirements: requirements.txt}
"""
_NOTEBOOK = """\
# %% export
%pip install lightgbm>=4
import lightgbm
# %% train
def train(frame):
    return lightgbm.train({}, frame)
"""


def _installed(given: RuleInput) -> Iterator[Problem]:
    models = [model for model in given.project.models if model.source is not None and model.source.endswith(NOTEBOOK)]
    if given.tree is None or not models:
        return
    paths = {path for model in models for path in (model.source, model.requirements) if path}
    contents = given.tree.read(paths)
    for model in models:
        content = contents.get(model.source or "", b"")
        if b"install" not in content or (model.requirements and model.requirements not in contents):
            continue  # a file that is missing is a finding of its own
        held = _held(contents[model.requirements].decode(errors="replace")) if model.requirements else None
        try:
            cells = read_notebook(model.source or "", content).cells
        except NotebookError:
            continue
        for cell in cells:
            if cell.exported and "install" in cell.source:
                yield from _missing(model, cell, held, content)


def _missing(model: Model, cell: Cell, held: Mapping[str, str] | None, content: bytes) -> Iterator[Problem]:
    for requirement in plain(cell).requirements:
        wrong = _wrong(model, requirement, held)
        if wrong is None:
            continue
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        lines = cell.source.split("\n")
        line = next((at for at, text in enumerate(lines, start=1) if "install" in text and name in text), 1)
        place = line_of(source_lines(content.decode()), cell.number, line)
        message, hint = wrong
        yield Problem(
            place=Place(path=model.source or "", line=place),
            message=f"cell {cell.number}, line {line}: {message}",
            hint=hint,
        )


def _wrong(model: Model, requirement: str, held: Mapping[str, str] | None) -> tuple[str, str] | None:
    """What is wrong, and what to do; None where the environment has what is asked for."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    try:
        asked = Requirement(requirement)
    except InvalidRequirement:
        return f"`{requirement}` is no requirement", "write name, or name==version"
    name = _normal(asked.name)
    if held is None:
        if name in OWN:
            return None
        return (
            f"`{requirement}` is installed here only: the model declares no `requirements:` that would bring it",
            f"name a locked file that holds {asked.name} in models.{model.name}.requirements",
        )
    if name not in held:
        return (
            f"`{requirement}` is installed here, and {model.requirements} does not hold it",
            f"add {asked.name} to {model.requirements}, locked, or take the line out",
        )
    try:
        kept = not held[name] or asked.specifier.contains(held[name], prereleases=True)
    except InvalidVersion:
        kept = True  # a version that is none is somebody else's finding
    if kept:
        return None
    return (
        f"`{requirement}` is asked for here, and {model.requirements} holds {asked.name}=={held[name]}",
        "make the two agree",
    )


def _held(text: str) -> dict[str, str]:
    """Distribution -> the version it is pinned to, '' where it is not."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        bare = _HASHES.sub("", _COMMENT.sub(" ", line)).strip()
        if not bare or bare.startswith("-"):
            continue
        try:
            entry = Requirement(bare)
        except InvalidRequirement:
            continue
        pins = [one.version for one in entry.specifier if one.operator in {"==", "==="} and "*" not in one.version]
        found[_normal(entry.name)] = pins[0] if pins else ""
    return found


def _normal(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()


def _example(requirements: str) -> Example:
    notebook = ipynb(notebook_of(_NOTEBOOK)).decode()
    files = {"mlops.yaml": _DECLARED, "demand.ipynb": notebook, "requirements.txt": requirements}
    return Example(files=files, whole=True)


RULES = (
    Rule(
        id="SW793",
        title="installed in the notebook only",
        severity=Severity.WARNING,
        explanation="An exported cell installs a package (`%pip install`), which makes it a requirement of the module."
        " Training, checks and the service run in the model's own environment, where no cell installs anything: the"
        " file in `requirements:` must hold the package, in a version that the cell accepts. Where none is declared,"
        " that is Stellwerk's environment, which has pandas, scikit-learn and what these need.",
        failing=_example("pandas==3.0.1\nscikit-learn==1.9.0\n"),
        passing=_example("lightgbm==4.6.0\npandas==3.0.1\n"),
        check=_installed,
    ),
)
