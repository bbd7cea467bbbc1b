"""The generated files that are missing, outdated, renamed or no longer wanted; hand-edited ones wait."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.model.actions import Render, Step, Wait, WaitKind
from stellwerk.planning.drift import difference
from stellwerk.render.stage import GENERATED, render_stage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stellwerk.model.declared import Dataset, Model, Project
    from stellwerk.model.observed import Observed
    from stellwerk.model.ports import Cache

WANTED = "wanted-3"


class Files(Struct, frozen=True, kw_only=True):
    """What is to be done about the files of one model. `paths` are those it wants."""

    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    paths: tuple[str, ...] = ()


class Renderer(Struct, frozen=True, kw_only=True):
    """Renders the files of a project's models. Files in `force` are rendered although a person edited them."""

    project: Project
    datasets: Mapping[str, Dataset]
    cache: Cache
    force: tuple[str, ...] = ()

    def files(self, model: Model, observed: Observed, *, asked: bool = True) -> Files:
        """Not `asked`: steps are of no interest, only what keeps a training from being planned."""
        steps, waits = _rename(model, observed), []
        dataset = self.datasets.get(model.train.data) if model.train else None
        if dataset is None:
            return Files(steps=steps)
        modules = observed.modules.get(model.name, {})
        paths = (*(f"models/{model.name}/{name}" for name in GENERATED), *modules)
        here = [observed.generated.get(path) for path in paths]
        if not asked and all(present is None or present.state == "ours" for present in here):
            return Files(steps=steps, paths=paths)
        wanted = self._digests(model, dataset, observed)
        wanted |= {path: hashlib.sha256(text.encode()).hexdigest() for path, text in modules.items()}
        for path, digest in sorted(wanted.items()):
            present = observed.generated.get(path)
            if present and present.sha256 == digest:
                continue
            text = modules[path] if path in modules else self._render(model, dataset, observed)[path]
            if present and present.state != "ours" and path not in self.force:
                words = "was edited by hand" if present.state == "edited" else "is not ours"
                wait = Wait(
                    kind=WaitKind.EDITED,
                    model=model.name,
                    reason=f"{path} {words} and differs from what would be rendered; nothing is trained by it",
                    unblock=f"stellwerk render --force {path}, or undo the edit",
                    diff=difference(path, present.text, text),
                )
                waits.append(wait)
                continue
            action = Render(path=path, text=text, model=model.name, new=present is None)
            changed = f"{model.source} changed" if path in modules else "what is declared changed"
            reason = "not there yet" if present is None else changed
            steps = (*steps, Step(action=action, reason=reason, key=f"render:{path}"))
        return Files(steps=steps, waits=tuple(waits), paths=tuple(wanted))

    def unwanted(self, observed: Observed, wanted: Collection[str]) -> Files:
        """What is to be done about the generated files that are there and that no model wants."""
        steps, waits = [], []
        declared = {model.name for model in self.project.models}
        for path, present in sorted(observed.generated.items()):
            if path in wanted or present.state == "foreign":
                continue
            name = path.split("/")[1]
            reason = f"its model is not {'trained' if name in declared else 'declared'} any more"
            if present.state == "edited" and path not in self.force:
                unblock = f"delete it, keep it elsewhere, or: stellwerk render --force {path}"
                words = f"{path} was edited by hand; {reason}"
                waits.append(Wait(kind=WaitKind.EDITED, model=name, reason=words, unblock=unblock))
                continue
            steps.append(Step(action=Render(path=path, text=None, model=name), reason=reason, key=f"render:{path}"))
        return Files(steps=tuple(steps), waits=tuple(waits))

    def _render(self, model: Model, dataset: Dataset, observed: Observed) -> dict[str, str]:
        code = tuple(file.path for file in observed.code.get(model.name, ()))
        return dict(render_stage(model, dataset, code, self.project.limits))

    def _digests(self, model: Model, dataset: Dataset, observed: Observed) -> dict[str, str]:
        """Path -> SHA-256 of the text to be rendered; rendering itself only happens where the inputs are new."""
        asked = (model.name, model.module, model.command, model.requirements, model.train, model.features)
        target = (model.task, model.target, model.positive, model.format)
        data = (dataset.name, dataset.path, dataset.format, dataset.time, dataset.key, dataset.columns)
        inputs = repr((asked, target, data, self.project.limits.min_group))
        paths = repr([file.path for file in observed.code.get(model.name, ())])
        key = hashlib.sha256(f"{inputs}{paths}{GENERATED}".encode("utf-8", "surrogatepass")).hexdigest()
        stored = self.cache.get(WANTED, key)
        if isinstance(stored, dict):
            return {str(path): str(digest) for path, digest in stored.items()}
        texts = self._render(model, dataset, observed)
        digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
        self.cache.put(WANTED, key, dict(digests))
        return digests


def _rename(model: Model, observed: Observed) -> tuple[Step, ...]:
    """The step that carries a model's records to its new name."""
    if not (model.previously and model.previously in observed.models and model.name not in observed.models):
        return ()
    action = Render(
        path=f"registry/{model.name}", text=None, model=model.name, rename_from=f"registry/{model.previously}"
    )
    reason = f"{model.previously} is called {model.name} now (previously)"
    return (Step(action=action, reason=reason, key=f"render:registry/{model.name}"),)
