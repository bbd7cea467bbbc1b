"""Outputs in notebooks hold rows of the data: they must not get into git where the data are not public."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from stellwerk.model.findings import Place, Severity
from stellwerk.notebooks.clean import output_cells
from stellwerk.notebooks.places import line_of, source_lines
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Dataset, Json, Model

ENDING = ".ipynb"
SHOWN = 10  # cells that one message names


def _notebooks(given: RuleInput) -> dict[str, list[tuple[Model, Dataset]]]:
    """The tracked notebooks in the folders of models' sources, and which models with which data these are."""
    if given.tree is None:
        return {}
    folders: dict[str, list[tuple[Model, Dataset]]] = {}
    for model in given.project.models:
        dataset = given.datasets.get(model.train.data) if model.train is not None else None
        if model.source and dataset is not None:
            folders.setdefault(posixpath.dirname(posixpath.normpath(model.source)), []).append((model, dataset))
    paths = sorted(path for path in given.tree.blobs() if path.endswith(ENDING)) if folders else []
    return {path: owners for path in paths if (owners := _owners(path, folders))}


def _owners(path: str, folders: dict[str, list[tuple[Model, Dataset]]]) -> list[tuple[Model, Dataset]]:
    """The models that the notebook is the source of; else those in whose folder, at any depth, it lies.

    The repository's own root is a folder for what lies in it, not for the whole repository.
    """
    folder = posixpath.dirname(path)
    beside = folders.get(folder, [])
    sources = [owner for owner in beside if posixpath.normpath(owner[0].source or "") == path]
    while not beside and folder:
        folder = posixpath.dirname(folder)
        beside = folders.get(folder, []) if folder else []
    return sources or beside


def _outputs(given: RuleInput, *, declared: bool) -> Iterator[Problem]:
    """What holds outputs, of models whose data are of a declared classification but the lowest, or of none."""
    lowest = given.project.classifications[:1]
    found = {
        path: secret
        for path, owners in _notebooks(given).items()
        if (secret := [owner for owner in owners if _secret(owner[1], lowest, declared=declared)])
        and (not declared or lowest)
    }
    contents = given.tree.read(sorted(found)) if given.tree is not None and found else {}
    for path, content in sorted(contents.items()):
        cells = output_cells(content)
        if cells:
            model, dataset = found[path][0]
            kind = f"{dataset.classification} data" if declared else "data without a classification"
            yield Problem(
                place=Place(path=path, line=line_of(source_lines(content.decode()), cells[0], 1)),
                message=f"{_in_words(cells)} outputs, and '{model.name}' trains on {kind} ('{dataset.name}'):"
                " outputs can show its rows",
                hint=f"stellwerk notebook clean {path}, and commit it; a tag `keep_output` must go where a cell has one"
                + ("" if declared else f"; or declare datasets.{dataset.name}.classification"),
            )


def _secret(dataset: Dataset, lowest: tuple[str, ...], *, declared: bool) -> bool:
    if dataset.classification is None:
        return not declared
    return declared and dataset.classification not in lowest


def _in_words(cells: tuple[int, ...]) -> str:
    shown = ", ".join(str(number) for number in cells[:SHOWN])
    more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
    return f"cell {shown} holds" if len(cells) == 1 else f"cells {shown}{more} hold"


def _secret_outputs(given: RuleInput) -> Iterator[Problem]:
    yield from _outputs(given, declared=True)


def _unclassified_outputs(given: RuleInput) -> Iterator[Problem]:
    yield from _outputs(given, declared=False)


def _notebook(*outputs: str) -> str:
    shown: list[Json] = [{"name": "stdout", "output_type": "stream", "text": [text]} for text in outputs]
    cell: Json = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": shown,
        "source": ["frame.head()"],
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}, indent=1) + "\n"


def _project(notebook: str, classification: str = "") -> Example:
    text = (
        f"version: 1\nclassifications: [public, confidential]\n"
        f"datasets: {{customers: {{path: data/customers.csv{classification}}}}}\n"
        "models: {churn: {source: models/churn/churn.py, target: churned, train: {data: customers}}}\n"
    )
    files = {"mlops.yaml": text, "models/churn/churn.py": "def train(frame): ...\n"}
    return Example(files={**files, "models/churn/look.ipynb": notebook}, whole=True)


_CONFIDENTIAL = ", classification: confidential"
_PUBLIC = ", classification: public"

RULES = (
    Rule(
        id="SW791",
        title="outputs in a notebook beside data that are not public",
        severity=Severity.ERROR,
        explanation="A notebook's outputs are rows, tables and pictures of the data it was run on, and git keeps them"
        " for ever, for everybody who may read the repository. Where a model trains on data of any classification but"
        " the first of `classifications`, its notebook, and every other notebook in its folder, is committed without"
        " outputs. `stellwerk notebook clean` strips them; `stellwerk init --notebook-filter` lets git do it.",
        failing=_project(_notebook("Ada,36,Bern\n"), _CONFIDENTIAL),
        passing=_project(_notebook(), _CONFIDENTIAL),
        check=_secret_outputs,
    ),
    Rule(
        id="SW792",
        title="outputs in a notebook beside data without a classification",
        severity=Severity.WARNING,
        explanation="Nobody has said who may see these data, so nobody knows who may see what a notebook shows of them."
        " Strip the outputs, or declare the dataset's `classification`.",
        failing=_project(_notebook("Ada,36,Bern\n")),
        passing=_project(_notebook("Ada,36,Bern\n"), _PUBLIC),
        check=_unclassified_outputs,
    ),
)
