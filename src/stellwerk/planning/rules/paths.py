"""Paths stay inside the repository, apart from each other, and out of the folders that machines write."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from stellwerk.model.findings import Severity
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.ports import Tree

Use = tuple[str, tuple[str | int, ...]]

DRIVE = re.compile(r"[A-Za-z]:")
RESERVED = {
    ".git": "git's own folder",
    ".dvc": "DVC's own folder",
    "registry": "the folder of the records",
}


@runtime_checkable
class SymlinkTree(Protocol):
    """A tree that knows which of its paths are symbolic links (mode 120000 in git)."""

    def symlinks(self) -> frozenset[str]:
        """The links that git tracks; what they point to does not matter."""


def path_uses(given: RuleInput) -> Iterator[Use]:
    """Every path of the repository that is declared, with the keys of its place. A `source` is not one of them."""
    for dataset in given.project.datasets:
        yield dataset.path, ("datasets", dataset.name, "path")
    for model in given.project.models:
        if model.source is not None:
            yield model.source, ("models", model.name, "source")
        if model.requirements is not None:
            yield model.requirements, ("models", model.name, "requirements")
        for index, path in enumerate(model.inputs):
            yield path, ("models", model.name, "inputs", index)
    for environment in given.project.environments:
        if environment.deploy is not None and environment.deploy.path is not None:
            yield environment.deploy.path, ("environments", environment.name, "deploy", "path")
    install = given.project.workflows.install if given.project.workflows is not None else None
    if install is not None and install.method != "checkout":
        yield install.requirements, ("workflows", "install", "requirements")
    if install is not None and install.method == "wheels":
        yield install.wheels, ("workflows", "install", "wheels")


def leaving(path: str) -> str:
    """Why the path may leave the repository, in words; '' if it cannot."""
    if "\\" in path:
        return "has a backslash"
    if path.startswith(("/", "~")):
        return "is absolute"
    if DRIVE.match(path):
        return "names a drive"
    if "\0" in path:
        return "holds a zero byte"
    # Also `a/../../b`, and `a/..`, which normalises to the repository itself.
    if ".." in path.split("/") and posixpath.normpath(path).split("/")[0] in {"..", "."}:
        return "leads out of the repository"
    return ""


def _leaving(given: RuleInput) -> Iterator[Problem]:
    for path, keys in path_uses(given):
        why = leaving(path)
        if why:
            yield Problem(
                place=given.place(*keys),
                message=f"the path '{path}' {why}",
                hint="write it relative to the top of the repository, with forward slashes, and copy the file there",
            )


def _outside_sources(given: RuleInput) -> Iterator[Problem]:
    for dataset in given.project.datasets:
        path = dataset.source.file if dataset.source is not None else None
        if path is not None and leaving(path):
            yield Problem(
                place=given.place("datasets", dataset.name, "source", "file"),
                message=f"snapshots of '{dataset.name}' come from {path}, outside the repository",
                hint="only machines that have this file can take one; a url or a command says more",
            )


def symlink_of(path: str, tree: Tree | None) -> str | None:
    """The symbolic link that the path is, or leads through; None where there is none or the tree cannot tell."""
    links = _symlinks(tree)
    if not links:
        return None
    parts = posixpath.normpath(path).split("/")
    prefixes = ("/".join(parts[: end + 1]) for end in range(len(parts)))
    return next((prefix for prefix in prefixes if prefix in links), None)


def _symlinks(tree: object) -> frozenset[str]:
    return tree.symlinks() if isinstance(tree, SymlinkTree) else frozenset()


def _through_symlinks(given: RuleInput) -> Iterator[Problem]:
    if not _symlinks(given.tree):
        return
    for path, keys in path_uses(given):
        link = symlink_of(path, given.tree)
        if link is not None:
            yield Problem(
                place=given.place(*keys),
                message=f"the path '{path}' goes through the symbolic link '{link}', which can point anywhere",
                hint="name the real file, inside the repository",
            )


def _reserved(given: RuleInput) -> Iterator[Problem]:
    for path, keys in path_uses(given):
        first = (posixpath.normpath(path) if "./" in path or "//" in path else path).partition("/")[0]
        owner = RESERVED.get(first.casefold())
        if owner is not None:
            yield Problem(
                place=given.place(*keys),
                message=f"the path '{path}' lies in {owner}",
                hint="move the file, for example to data/ or models/",
            )


def _shared(given: RuleInput) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for dataset in given.project.datasets:
        path = posixpath.normpath(dataset.path)
        if path in taken:
            yield Problem(
                place=given.place("datasets", dataset.name, "path"),
                message=f"the datasets '{taken[path]}' and '{dataset.name}' have one path, {path}",
                hint="one dataset is enough: models can share it",
            )
        taken.setdefault(path, dataset.name)
    for model in given.project.models:
        path = posixpath.normpath(model.source) if model.source is not None else ""
        if path in taken:
            yield Problem(
                place=given.place("models", model.name, "source"),
                message=f"the source of the model '{model.name}' is the file of the dataset '{taken[path]}'",
                hint="name the Python file or the notebook that defines train(frame)",
            )


RULES = (
    Rule(
        id="SW208",
        title="one path, two things",
        severity=Severity.ERROR,
        explanation="A dataset's file is its identity: two datasets with one path would overwrite each other's"
        " snapshots.",
        failing=declared("datasets:\n  customers: {path: data/customers.csv}\n  clients: {path: data/customers.csv}"),
        passing=declared("datasets:\n  customers: {path: data/customers.csv}\n  clients: {path: data/clients.csv}"),
        check=_shared,
    ),
    Rule(
        id="SW501",
        title="path that leaves the repository",
        severity=Severity.ERROR,
        explanation="Every declared path is relative to the top of the repository and stays inside it: no `..` that"
        " leads out, no absolute path, no drive letter, no backslash. What lies outside has no history and may be"
        " anybody's.",
        failing=declared("datasets: {customers: {path: ../customers.csv}}"),
        passing=declared("datasets: {customers: {path: data/customers.csv}}"),
        check=_leaving,
    ),
    Rule(
        id="SW502",
        title="path through a symbolic link",
        severity=Severity.ERROR,
        explanation="A symbolic link in the repository can point outside it, or be turned there later without any"
        " change to the declaration that uses it.",
        failing=Example(
            files=declared("datasets: {customers: {path: data/customers.csv}}").files,
            links=frozenset({"data"}),
            note="`data` is a symbolic link",
        ),
        passing=Example(
            files=declared("datasets: {customers: {path: data/customers.csv}}").files,
            links=frozenset({"notes"}),
            note="only `notes` is a symbolic link",
        ),
        check=_through_symlinks,
    ),
    Rule(
        id="SW506",
        title="path in a machine's folder",
        severity=Severity.ERROR,
        explanation="`.git`, `.dvc` and `registry` are written by git, DVC and the reconciler; a dataset or a source"
        " file there would be overwritten, or would forge a record.",
        failing=declared("datasets: {customers: {path: registry/customers.csv}}"),
        passing=declared("datasets: {customers: {path: data/registry/customers.csv}}"),
        check=_reserved,
    ),
    Rule(
        id="SW507",
        title="snapshots from outside the repository",
        severity=Severity.NOTE,
        explanation="`source: {file: ...}` copies a file into a new snapshot. Outside the repository it is on some"
        " machines only, and nothing says who may change it; the snapshot itself is checked and kept all the same.",
        failing=declared(
            "datasets: {customers: {path: data/customers.csv, source: {file: /mnt/export/customers.csv}}}"
        ),
        passing=declared("datasets: {customers: {path: data/customers.csv, source: {file: exports/customers.csv}}}"),
        check=_outside_sources,
    ),
)
