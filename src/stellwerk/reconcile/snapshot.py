"""Take a new snapshot of a dataset: its source, its checks, the DVC pointer, the remote, then the commit."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from stellwerk.adapters.dvc.source import fetch_source, put_in_place
from stellwerk.adapters.leftovers import beside
from stellwerk.data.columns import check_columns
from stellwerk.data.frames import read_rows
from stellwerk.errors import StellwerkError
from stellwerk.planning.gone import bytes_gone
from stellwerk.reconcile.messages import message
from stellwerk.reconcile.world import State, World, data_remote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stellwerk.model.declared import Dataset

PROBLEMS = 10


def take_snapshot(
    world: World, state: State, dataset: Dataset, because: str, on_line: Callable[[str], None]
) -> tuple[str, str | None]:
    """Snapshot the dataset. Returns (summary, commit); the commit is None where the data have not changed.

    Raises StellwerkError that lists the rows and columns at fault where the data break what `columns` declares.
    """
    (world.root / dataset.path).parent.mkdir(parents=True, exist_ok=True)
    room = beside(world.root / dataset.path)
    room.mkdir()
    try:
        fetched = fetch_source(dataset, world.root, into=room)
        on_line(f"checking {dataset.path}")
        rows = check_rows(fetched, dataset, state)
        put_in_place(fetched, dataset, world.root)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    before = state.observed.pointers.get(dataset.name)
    added = world.store.add(dataset.path)
    if added.pointer.md5 in state.observed.erased:
        raise StellwerkError(
            f"these bytes ({added.pointer.md5}) were {bytes_gone(state.observed, added.pointer.md5)}",
            where=dataset.path,
            hint="take out of the source what had to go, then take the snapshot; `stellwerk gc` clears the cache",
        )
    remote = data_remote(state.project, dataset)
    on_line(f"pushing to {remote or 'the default remote'}")
    world.store.push([added.pointer.md5], remote=remote)
    if before and before.md5 == added.pointer.md5:
        return f"{dataset.name} has not changed ({added.pointer.md5[:8]})", None
    old = f"{before.md5[:8]} → " if before else ""
    body = (
        f"{dataset.path}: {old}{added.pointer.md5[:8]}, {rows} rows, {added.pointer.size or 0} bytes\n"
        f"because: {because}\nremote: {remote or 'default'}"
    )
    summary = f"snapshot: {dataset.name}, {rows} rows"
    commit = world.commits.commit(dict(added.files), message(summary, body, world.actor, action="snapshot"))
    return summary, commit


def check_rows(file: Path, dataset: Dataset, state: State) -> int:
    """Read the file and check it against the declared columns; returns the number of rows."""
    frame = read_rows(file, dataset.format)
    problems = check_columns(
        frame, dataset.columns, key=dataset.key, time=dataset.time, min_group=state.project.limits.min_group
    )
    if problems:
        lines = [problem.message for problem in problems[:PROBLEMS]]
        more = f"\n  and {len(problems) - PROBLEMS} more" if len(problems) > PROBLEMS else ""
        text = "\n  ".join(lines)
        raise StellwerkError(
            f"the data break what is declared for {dataset.name}:\n  {text}{more}",
            where=dataset.path,
            hint="correct the source, or the `columns` in the declaration; the last snapshot stays",
        )
    return len(frame)
