"""Fetch what a dataset's declared `source` offers now, beside the dataset; the caller checks it and moves it over."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from stellwerk.adapters.dvc.session import opened, public_url
from stellwerk.adapters.shell import run_shell
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Dataset

OUT = "STELLWERK_OUT"


def fetch_source(
    dataset: Dataset, root: Path, *, into: Path, timeout: float = 3600, environ: Mapping[str, str] | None = None
) -> Path:
    """Write a fresh copy of the dataset to a new file inside the folder `into` and return it.

    Without a declared source (or with the dataset's own path as `file`) the dataset's own file is returned. A command
    runs in the repository's root, writes the file that STELLWERK_OUT names and has `timeout` seconds; `environ` is
    what it inherits (None: this process's). A url is whatever DVC can read, `remote://NAME/path` included.
    """
    source, target = dataset.source, into.absolute() / Path(dataset.path).name
    if source is None:
        return _existing(dataset, root, dataset.path)
    if source.file is not None:
        file = _existing(dataset, root, source.file)
        if file == root / dataset.path:
            return file
        shutil.copyfile(file, target)
    elif source.command is not None:
        _run(dataset, source.command, root, target, timeout=timeout, environ=os.environ if environ is None else environ)
    elif source.url is not None:
        _download(dataset, source.url, root, target)
    return target


def put_in_place(fetched: Path, dataset: Dataset, root: Path) -> None:
    """Move a fetched and checked file over the dataset, atomically. Does nothing where it is the dataset itself.

    The old file may be a link to DVC's cache; it is replaced, never written to.
    """
    target = root / dataset.path
    if fetched == target:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(target)


def _existing(dataset: Dataset, root: Path, path: str) -> Path:
    file = root / path
    if not file.resolve().is_relative_to(root.resolve()):
        raise StellwerkError(
            f"the source of {dataset.name} leaves the repository: {path}",
            where=path,
            hint="copy it in, or fetch it with `source: {command: ...}`",
        )
    if not file.is_file():
        raise StellwerkError(
            f"there is no file {path} for the dataset {dataset.name}",
            where=path,
            hint=f"create it, declare a `source:`, or get the last snapshot: `dvc pull {path}.dvc`",
        )
    return file


def _run(
    dataset: Dataset, command: str, root: Path, target: Path, *, timeout: float, environ: Mapping[str, str]
) -> None:
    result = run_shell(command, cwd=root, env={**environ, OUT: str(target)}, timeout=timeout)
    if result.code != 0:
        raise StellwerkError(
            f"the source command of {dataset.name} {result.ending}",
            where=f"datasets.{dataset.name}.source.command",
            hint=f"run it yourself: {OUT}=out {command}",
        )
    if not target.is_file():
        raise StellwerkError(
            f"the source command of {dataset.name} wrote nothing to ${OUT}",
            where=f"datasets.{dataset.name}.source.command",
            hint=f'let it write the rows to "${OUT}"',
        )


def _download(dataset: Dataset, url: str, root: Path, target: Path) -> None:
    with opened(root, doing=f"download {public_url(url)} for {dataset.name}", urls=(url,)) as session:
        from dvc.repo.get_url import get_url

        get_url(url, str(target), config=session.repo.config)
    if not target.is_file():
        raise StellwerkError(
            f"{public_url(url)} is no file",
            where=f"datasets.{dataset.name}.source.url",
            hint="name one file of rows",
        )
