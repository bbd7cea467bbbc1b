"""Notebooks as the Python files they become. Whatever reads a model's code reads these, as if they lay in the tree.

What is trained is the committed module; it is the same text, because nothing is trained whose files are not rendered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from stellwerk.errors import StellwerkError
from stellwerk.model.declared import NOTEBOOK, module_name
from stellwerk.planning.maker import maker
from stellwerk.render.seal import sealed

if TYPE_CHECKING:
    from stellwerk.model.declared import Json, Model, Project
    from stellwerk.model.ports import Cache, Tree

KIND = "module-1"
Texts = Mapping[str, str]  # path -> text


def convert_notebooks(project: Project, tree: Tree, cache: Cache) -> dict[str, Texts]:
    """Model -> the files its notebook becomes. A notebook that cannot be converted is left out: it is a finding."""
    models = [model for model in project.models if model.source is not None and model.source.endswith(NOTEBOOK)]
    if not models:
        return {}
    blobs = tree.blobs()
    local = importable(blobs)
    found: dict[str, Texts] = {}
    missing: list[tuple[Model, str]] = []
    for model in models:
        source = model.source or ""
        if source not in blobs:
            continue
        key = hashlib.sha256("\0".join([maker("notebooks"), model.name, source, blobs[source], *local]).encode())
        stored = cache.get(KIND, key.hexdigest())
        if isinstance(stored, dict):
            found[model.name] = {path: str(text) for path, text in stored.items()}
        else:
            missing.append((model, key.hexdigest()))
    contents = tree.read({model.source or "" for model, _ in missing})
    for model, key_text in missing:
        texts = texts_of(model, contents[model.source or ""], frozenset(local))
        if texts:
            found[model.name] = texts
            kept: dict[str, Json] = dict(texts)
            cache.put(KIND, key_text, kept)
    return found


def texts_of(model: Model, content: bytes, local: frozenset[str]) -> dict[str, str]:
    """Path -> text of the module and, where there are test cells, its tests; empty where it cannot be converted."""
    from stellwerk.model.findings import Severity
    from stellwerk.notebooks.convert import convert
    from stellwerk.notebooks.document import read_notebook

    source = model.source or ""
    try:
        made = convert(read_notebook(source, content), model=model.name, local=local)
    except StellwerkError:
        return {}
    if any(problem.severity is Severity.ERROR for problem in made.problems):
        return {}
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
