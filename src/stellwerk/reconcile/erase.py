"""A person's decision to delete bytes: a tombstone, committed and pushed before anything goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.declarations.records import dump
from stellwerk.errors import BlockedError, StellwerkError
from stellwerk.model.records import Erasure
from stellwerk.reconcile.messages import message

if TYPE_CHECKING:
    from stellwerk.model.declared import Dataset, Model
    from stellwerk.reconcile.world import State, World


class Doomed(Struct, frozen=True, kw_only=True):
    """What is to be erased: a dataset's snapshot or a version's package. `commit` names its bytes."""

    md5: str
    dataset: Dataset | None = None
    model: Model | None = None
    number: int | None = None
    commit: str | None = None
    files: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """`sales 9c1f03ab` or `shoe-demand v3`."""
        if self.model is not None:
            return f"the package of {self.model.name} v{self.number}"
        return f"the snapshot {self.md5[:8]} of {self.dataset.name if self.dataset else '?'}"


def tombstone_path(md5: str) -> str:
    """Where the decision is recorded."""
    return f"registry/.erased/{md5}.yaml"


def bury(world: World, state: State, doomed: Doomed, *, because: str, current: bool) -> tuple[Erasure, str | None]:
    """Commit the tombstone; an older one stands. Returns it and the commit, if one was made.

    Raises BlockedError for what is in use: the current snapshot unless `current` says that this is meant, and a
    package that is released or runs somewhere, always.
    """
    standing = state.observed.erased.get(doomed.md5)
    if standing is not None:
        return standing, None
    if doomed.model is not None:
        _refuse_released(state, doomed)
    elif not current:
        _refuse_current(state, doomed)
    erasure = Erasure(
        md5=doomed.md5,
        because=because,
        by=str(world.actor),
        at=world.now(),
        dataset=doomed.dataset.name if doomed.dataset else None,
        path=doomed.dataset.path if doomed.dataset else None,
        model=doomed.model.name if doomed.model else None,
        number=doomed.number,
        commit=doomed.commit,
        files=doomed.files,
        depended=trained_on(state, doomed.md5),
        run=world.actor.run,
    )
    body = f"because: {because}\nby: {world.actor}\nmd5: {doomed.md5}"
    if erasure.depended:
        body += f"\ntrained on it: {', '.join(erasure.depended)}"
    text = message(
        f"erase: {doomed.words}",
        body,
        world.actor,
        action="erase",
        model=doomed.model.name if doomed.model else None,
        version=doomed.number,
    )
    return erasure, world.commits.commit({tombstone_path(doomed.md5): dump(erasure).encode()}, text)


def trained_on(state: State, md5: str) -> tuple[str, ...]:
    """The versions that were trained on these bytes, as `model@number`."""
    return tuple(
        f"{name}@{number}"
        for name, facts in sorted(state.observed.models.items())
        for number, version in sorted(facts.versions.items())
        if version.record.data.md5 == md5
    )


def serving(state: State, versions: tuple[str, ...]) -> tuple[str, ...]:
    """Where these versions are released or run, as `model v3 in production`."""
    found = {
        f"{model} v{release.version} in {environment}"
        for (environment, model), release in state.observed.releases.items()
        if not release.withdrawn and f"{model}@{release.version}" in versions
    }
    found |= {
        f"{model} v{deployment.version} in {environment}"
        for model, facts in state.observed.models.items()
        for environment, deployment in facts.deployments.items()
        if f"{model}@{deployment.version}" in versions
    }
    return tuple(sorted(found))


def _refuse_current(state: State, doomed: Doomed) -> None:
    for name, pointer in sorted(state.observed.pointers.items()):
        if pointer.md5 == doomed.md5:
            raise BlockedError(
                f"these bytes are the current snapshot of {name}: without them nothing can be trained or judged on it",
                where=pointer.place,
                hint=f"take what must go out of the source, then stellwerk snapshot {name} --because ..., then erase "
                f"{name}@{doomed.md5}; or say --confirm-current",
            )


def _refuse_released(state: State, doomed: Doomed) -> None:
    name = doomed.model.name if doomed.model else ""
    used = serving(state, (f"{name}@{doomed.number}",))
    if used:
        raise BlockedError(
            f"{', '.join(used)}: a package that is released or runs cannot be erased",
            hint=f"stellwerk rollback {name} ENVIRONMENT --because ..., or stellwerk withdraw, then run it again",
        )


def named(text: str) -> tuple[str, str]:
    """`NAME@REVISION` as its two parts. Raises StellwerkError."""
    name, at, revision = text.partition("@")
    if not name or not at or not revision:
        raise StellwerkError("name what to erase as DATASET@REVISION or MODEL@NUMBER", where=text, hint="sales@HEAD~1")
    return name, revision
