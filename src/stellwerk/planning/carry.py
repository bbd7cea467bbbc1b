"""Whether commits that lost a push may be made again, as they are, on top of what won.

They may where everything that changed meanwhile is a fact of other models: a model's own facts, its code and the
declarations decide the number of its version, its verdicts and its releases, and none of those has moved. Whole files
are written, none of them by both. Whatever is not plainly another model's own counts as touching: the run starts over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.planning.code import match_inputs
from stellwerk.render.stage import GENERATED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.model.declared import Project
    from stellwerk.model.observed import Observed

DECLARING = (".yaml", ".yml")  # below models/ a declaration may be included from any of them
POINTING = (".dvc", "/.gitattributes", "/.dvcignore")


def owner(path: str) -> str | None:
    """The model a path belongs to and speaks of alone; None for what may concern any model."""
    parts = path.split("/")
    match parts:
        case ["registry", name, _, *_] if not name.startswith("."):
            return name
        case ["environments", _, file] if file.endswith(".yaml"):
            return file.removesuffix(".yaml")
        case ["models", name, file] if file in GENERATED:
            return name
        case ["models", name, _, *_] if not path.endswith((*DECLARING, *POINTING)):
            return name
    return None


def owners(paths: Iterable[str]) -> frozenset[str]:
    """The models that paths belong to."""
    return frozenset(name for name in map(owner, paths) if name is not None)


def may_carry(ours: Iterable[str], theirs: Iterable[str], *, reads: Iterable[str] = ()) -> bool:
    """Whether commits that changed `ours` may be made again where `theirs` changed meanwhile.

    `reads` are paths that the models of ours rest on wherever they lie, such as the modules their code imports.
    """
    mine, changed = set(ours), set(theirs)
    models = owners(mine)
    if changed & mine or changed & set(reads):
        return False
    found = {owner(path) for path in changed}
    return None not in found and not found & models


def read_by(models: Iterable[str], project: Project, observed: Observed, paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths that code, metrics, requirements or inputs of the models are made of."""
    asked, candidates = frozenset(models), dict.fromkeys(paths, "")
    found = {
        file.path for name in asked for file in (*observed.code.get(name, ()), *observed.metric_code.get(name, ()))
    }
    for model in project.models:
        if model.name in asked:
            found.update(path for path in (model.source, model.module, model.requirements) if path)
            for pattern in model.inputs:
                found.update(match_inputs(pattern, candidates))
    return frozenset(found & candidates.keys())
