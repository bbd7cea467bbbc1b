"""Where every key and value of a document stands, in a compact form that is unfolded only when somebody asks.

`marks` is one text of numbers, a line and a column for the root and then, in document order, for each key of a
mapping, for each value and for each item: a finding is rare, so most runs never read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellwerk.model.findings import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Json

KeyPath = tuple[str | int, ...]
Position = tuple[int, int]


class Places:
    """Answers `key path -> Place` for one document; a path that is not there falls back to its nearest parent."""

    __slots__ = ("_index", "_marks", "_path", "_value")

    def __init__(self, path: str, value: Json, marks: str) -> None:
        """`value` is the document as it was read: the marks are found by walking it."""
        self._path = path
        self._value = value
        self._marks = marks
        self._index: dict[KeyPath, tuple[Position, Position]] | None = None

    @property
    def path(self) -> str:
        """The file, relative to the repository."""
        return self._path

    @property
    def marks(self) -> str:
        """The compact form, for a cache."""
        return self._marks

    def has(self, keys: KeyPath) -> bool:
        """Whether this very key path is set in the document."""
        return keys in self._places()

    def of_value(self, keys: KeyPath) -> Place:
        """Where the value starts."""
        return self._place(self._nearest(keys)[1])

    def of_key(self, keys: KeyPath) -> Place:
        """Where the key stands; for an item of a list, where the item starts."""
        return self._place(self._nearest(keys)[0])

    def of(self, keys: KeyPath) -> Place:
        """The place a person wants to see: a scalar itself, but the key of a mapping, of a list and of nothing."""
        if not self.has(keys):
            return self._place(self._nearest(keys)[0])
        value: Any = self._value
        for key in keys:
            value = value[key]
        return self.of_key(keys) if value is None or isinstance(value, dict | list) else self.of_value(keys)

    def _place(self, position: Position) -> Place:
        return Place(path=self._path, line=position[0], column=position[1])

    def _nearest(self, keys: KeyPath) -> tuple[Position, Position]:
        index = self._places()
        while keys not in index:
            keys = keys[:-1]
        return index[keys]

    def _places(self) -> dict[KeyPath, tuple[Position, Position]]:
        if self._index is None:
            numbers = iter(map(int, self._marks.split()))
            positions = zip(numbers, numbers, strict=True)
            root = next(positions, (1, 1))
            self._index = {(): (root, root)}
            _unfold(self._value, (), positions, self._index)
        return self._index


def _unfold(
    value: Json, keys: KeyPath, positions: Iterator[Position], index: dict[KeyPath, tuple[Position, Position]]
) -> None:
    if isinstance(value, dict):
        for key, child in value.items():
            below = (*keys, key)
            index[below] = (next(positions), next(positions))
            _unfold(child, below, positions, index)
    elif isinstance(value, list):
        for number, child in enumerate(value):
            below = (*keys, number)
            position = next(positions)
            index[below] = (position, position)
            _unfold(child, below, positions, index)
