"""Notebooks as the Python files they become. Whatever reads a model's code reads these, as if they lay in the tree.

What is trained is the committed module; it is the same text, because nothing is trained whose files are not rendered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from stellwerk.errors import StellwerkError
from stellwerk.model.declared import NOTEBOOK, module_name
from stellwerk.model.findings import Finding, Place, Severity
from stellwerk.planning.maker import maker
from stellwerk.render.seal import sealed

if TYPE_CHECKING:
    from stellwerk.model.declared import Json, Model, Project
    from stellwerk.model.ports import Cache, Tree
    from stellwerk.notebooks.convert import Converted
    from stellwerk.notebooks.document import NotebookError
    from stellwerk.notebooks.problem import Problem

KIND = "module-3"
UNREADABLE = "SW800"
Texts = Mapping[str, str]  # path -> text


class ConvertedModels(Struct, frozen=True, kw_only=True):
    """By model: the files its notebook becomes, and what is wrong in it.

    A notebook that cannot be converted has no files.
    """

    modules: Mapping[str, Texts] = field(default_factory=dict)
    findings: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)


def convert_notebooks(project: Project, tree: Tree, cache: Cache) -> ConvertedModels:
    """All notebooks that are sources, converted and judged, each once for its content and its declared parameters."""
    models = [model for model in project.models if model.source is not None and model.source.endswith(NOTEBOOK)]
    if not models:
        return ConvertedModels()
    blobs = tree.blobs()
    local = importable(blobs)
    modules: dict[str, Texts] = {}
    findings: dict[str, tuple[Finding, ...]] = {}
    missing: list[tuple[Model, str]] = []
    for model in models:
        source = model.source or ""
        if source not in blobs:
            continue
        params = json.dumps(_params(model), sort_keys=True)
        parts = [maker("notebooks"), model.name, source, blobs[source], params, *local]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        stored = _unpacked(cache.get(KIND, key), source)
        if stored is None:
            missing.append((model, key))
        else:
            modules[model.name], findings[model.name] = stored
    contents = tree.read({model.source or "" for model, _ in missing})
    for model, key in missing:
        texts, found = _converted(model, contents[model.source or ""], frozenset(local))
        modules[model.name], findings[model.name] = texts, found
        cache.put(KIND, key, _packed(texts, found))
    return ConvertedModels(modules={name: texts for name, texts in modules.items() if texts}, findings=findings)


def _converted(model: Model, content: bytes, local: frozenset[str]) -> tuple[Texts, tuple[Finding, ...]]:
    from stellwerk.notebooks.convert import convert
    from stellwerk.notebooks.document import NotebookError, read_notebook
    from stellwerk.notebooks.problems import judge

    source = model.source or ""
    try:
        notebook = read_notebook(source, content)
    except NotebookError as error:
        return {}, (_unreadable(source, error),)
    made = convert(notebook, model=model.name, params=_params(model), local=local)
    # What is declared decides about findings, never about what a notebook becomes.
    broken = any(map(_is_error, made.problems)) and any(map(_is_error, judge(notebook)))
    return {} if broken else _texts(model, made), _placed(source, content, made.problems)


def judge_source(model: Model, content: bytes) -> tuple[Finding, ...]:
    """What is wrong in the notebook that is the model's source, each finding on its line of the file."""
    from stellwerk.notebooks.document import NotebookError, read_notebook
    from stellwerk.notebooks.problems import judge

    source = model.source or ""
    try:
        notebook = read_notebook(source, content)
    except NotebookError as error:
        return (_unreadable(source, error),)
    return _placed(source, content, judge(notebook, _params(model)))


def _params(model: Model) -> Mapping[str, Json] | None:
    return dict(model.train.params) if model.train else None


def _is_error(problem: Problem) -> bool:
    return problem.severity is Severity.ERROR


def _unreadable(source: str, error: NotebookError) -> Finding:
    where = (error.where or "").removeprefix(source).strip(": ")  # `12:3`, `cell 7`, or nothing
    line, _, column = where.partition(":")
    exact = line.isdecimal() and column.isdecimal()
    return Finding(
        rule=UNREADABLE,
        severity=Severity.ERROR,
        place=Place(path=source, line=int(line), column=int(column)) if exact else Place(path=source),
        message=f"{where}: {error.message}" if where and not exact else error.message,
        hint=error.hint or "",
    )


def _placed(source: str, content: bytes, problems: Iterable[Problem]) -> tuple[Finding, ...]:
    from stellwerk.notebooks.places import line_of, source_lines

    problems = tuple(problems)
    lines = source_lines(content.decode("utf-8-sig")) if problems else ()
    return tuple(
        Finding(
            rule=problem.rule,
            severity=problem.severity,
            place=Place(path=source, line=line_of(lines, problem.cell_number, problem.line)),
            message=f"{problem.at}: {problem.message}" if problem.at else problem.message,
            hint=problem.hint,
        )
        for problem in problems
    )


def _packed(texts: Texts, findings: Iterable[Finding]) -> Json:
    files: dict[str, Json] = dict(texts)
    return {"texts": files, "findings": msgspec.to_builtins(tuple(findings))}


def _unpacked(stored: Any, source: str) -> tuple[Texts, tuple[Finding, ...]] | None:
    """What was kept; None where nothing was, or it is damaged."""
    try:
        texts = {path: str(text) for path, text in stored["texts"].items()}
        findings = msgspec.convert(stored["findings"], tuple[Finding, ...])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return texts, tuple(replace(found, place=replace(found.place, path=source)) for found in findings)


def texts_of(model: Model, content: bytes, local: frozenset[str]) -> dict[str, str]:
    """Path -> text of the module and, where there are test cells, its tests; empty where it cannot be converted."""
    from stellwerk.notebooks.convert import convert
    from stellwerk.notebooks.document import read_notebook

    try:
        made = convert(read_notebook(model.source or "", content), model=model.name, local=local)
    except StellwerkError:
        return {}
    return {} if any(map(_is_error, made.problems)) else _texts(model, made)


def _texts(model: Model, made: Converted) -> dict[str, str]:
    source = model.source or ""
    texts = {model.module or "": sealed(made.module, source)}
    if made.tests is not None:
        texts[f"models/{model.name}/tests/test_{module_name(source)}.py"] = sealed(made.tests, source)
    return texts


class WithModules:
    """A tree in which the notebooks' modules lie as they would be rendered."""

    def __init__(self, tree: Tree, converted: Mapping[str, Texts]) -> None:
        self.tree = tree
        self.texts = {path: text for texts in converted.values() for path, text in texts.items()}
        ids = {path: f"text:{hashlib.sha256(text.encode()).hexdigest()}" for path, text in self.texts.items()}
        self._blobs = {**tree.blobs(), **ids} if ids else tree.blobs()

    def blobs(self) -> Mapping[str, str]:
        """Every file's path -> an id of its content."""
        return self._blobs

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        """The content of the paths that exist."""
        asked = list(paths)
        found = dict(self.tree.read([path for path in asked if path not in self.texts]))
        return found | {path: self.texts[path].encode() for path in asked if path in self.texts}


def importable(blobs: Mapping[str, str]) -> tuple[str, ...]:
    """What can be imported from the top of the repository."""
    tops = {path.partition("/")[0] for path in blobs if path.endswith(".py")}
    return tuple(sorted(name.removesuffix(".py") for name in tops if name.removesuffix(".py").isidentifier()))
