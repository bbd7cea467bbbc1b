"""Trees that live in memory, and a project judged from the texts of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

import pytest

from stellwerk.declarations.compose import load_declarations
from stellwerk.model.findings import Finding
from stellwerk.planning.rules import check_rules
from stellwerk.planning.rules.rule import Example, RuleInput


class MemoryTree:
    def __init__(self, files: Mapping[str, str], links: frozenset[str] = frozenset()) -> None:
        self._contents = {path: text.encode() for path, text in files.items()}
        self._blobs = {path: hashlib.sha1(content).hexdigest() for path, content in self._contents.items()}
        self._links = links

    def blobs(self) -> Mapping[str, str]:
        return self._blobs

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        return {path: self._contents[path] for path in paths if path in self._contents}

    def symlinks(self) -> frozenset[str]:
        return self._links


def judge(example: Example) -> tuple[Finding, ...]:
    declarations, findings = load_declarations(MemoryTree(example.files))
    if declarations is None:
        return findings
    base = load_declarations(MemoryTree(example.base))[0] if example.base is not None else None
    seen = example.whole or example.links
    given = RuleInput(
        declarations=declarations,
        base=base,
        observed=example.observed,
        tree=MemoryTree(example.files, example.links) if seen else None,
    )
    return (*findings, *check_rules(given))


@pytest.fixture(name="judge", scope="session")
def judge_fixture() -> Callable[[Example], tuple[Finding, ...]]:
    """Everything that is wrong with an example, found by the real loader and all rules."""
    return judge


@pytest.fixture(name="memory_tree", scope="session")
def memory_tree_fixture() -> type[MemoryTree]:
    return MemoryTree
