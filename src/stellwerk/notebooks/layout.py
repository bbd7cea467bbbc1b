"""Lays out a cell's code as part of a module: without its imports, with few blank lines and no blanks at line ends.

Between the lines of one statement the author's text stays as it is.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = tuple[str, int | None]  # the text, and the line of the cell from 1
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
AROUND = 2  # blank lines around a definition of the top level


class _Item(Struct, frozen=True, kw_only=True):
    """A statement, or a run of comments, of the top level: lines `first` to `last`."""

    first: int
    last: int
    is_definition: bool = False
    is_comment: bool = False


def laid_out(code: str, tree: ast.Module) -> tuple[Line, ...]:
    """The lines of a cell without its imports; () where nothing else is in it."""
    lines = code.split("\n")
    items = _items(lines, tree)
    if all(item.is_comment for item in items):
        return ()
    held = _inside_strings(tree) if '"""' in code or "'''" in code or "\\\n" in code else frozenset()
    out: list[Line] = []
    before: _Item | None = None
    for index, item in enumerate(items):
        if before is not None:
            following = items[index + 1] if index + 1 < len(items) else None
            out += [("", None)] * _gap(before, item, following)
        out += _statement(lines, item, held)
        before = item
    return tuple(out)


def _items(lines: list[str], tree: ast.Module) -> list[_Item]:
    """The statements other than imports, and the comments around them."""
    items: list[_Item] = []
    done = 0  # the last line that belongs to an item or was taken out
    for statements in _by_lines(tree):
        first, last = _first(statements[0]), max(statement.end_lineno or 0 for statement in statements)
        items += _comments(lines, done + 1, first - 1)
        kept = [statement for statement in statements if not isinstance(statement, ast.Import | ast.ImportFrom)]
        if not kept:
            if items and items[-1].is_comment and items[-1].last == first - 1:
                items.pop()  # it speaks of the import
        else:
            if len(kept) < len(statements):
                _take_out_imports(lines, kept, first, last)
            items.append(_Item(first=first, last=last, is_definition=isinstance(kept[0], _DEFINITIONS)))
        done = last
    items += _comments(lines, done + 1, len(lines))
    return items


def _by_lines(tree: ast.Module) -> list[list[ast.stmt]]:
    """The statements of the top level; those that share a line are together."""
    groups: list[list[ast.stmt]] = []
    end = 0
    for statement in tree.body:
        if groups and _first(statement) <= end:
            groups[-1].append(statement)
        else:
            groups.append([statement])
        end = statement.end_lineno or 0
    return groups


def _first(statement: ast.stmt) -> int:
    """The line a statement begins in, decorators included."""
    decorators = statement.decorator_list if isinstance(statement, _DEFINITIONS) else []
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _take_out_imports(lines: list[str], kept: Sequence[ast.stmt], first: int, last: int) -> None:
    """Leave of lines that statements share those that are no imports."""
    source = "\n".join(lines)
    parts = [ast.get_source_segment(source, statement) or "" for statement in kept]
    text = "; ".join(parts).split("\n")
    rest = last - first + 1 - len(text)
    lines[first - 1 : last] = [*([""] * rest), *text] if rest >= 0 else ["\n".join(text)]


def _comments(lines: list[str], first: int, last: int) -> list[_Item]:
    """The runs of comments in these lines."""
    items: list[_Item] = []
    for number in range(first, last + 1):
        if not lines[number - 1].strip():
            continue
        if items and items[-1].last == number - 1:
            items[-1] = _Item(first=items[-1].first, last=number, is_comment=True)
        else:
            items.append(_Item(first=number, last=number, is_comment=True))
    return items


def _gap(before: _Item, item: _Item, following: _Item | None) -> int:
    """The blank lines between two items: two around definitions, else the author's, at most one."""
    actual = item.first - before.last - 1
    if before.is_comment and item.is_definition and not actual:
        return 0
    leads = item.is_comment and following is not None and following.is_definition and following.first == item.last + 1
    if before.is_definition or item.is_definition or leads:
        return AROUND
    return min(actual, 1)


def _statement(lines: list[str], item: _Item, held: frozenset[int]) -> list[Line]:
    out: list[Line] = []
    blanks = 0
    for number in range(item.first, item.last + 1):
        text = lines[number - 1]
        if number in held:  # its end is inside a string
            out.append((text, number))
            blanks = 0
            continue
        if not text.strip() and number - 1 not in held:
            blanks += 1
            if blanks > 1 and not lines[number - 2].rstrip().endswith("\\"):
                continue
        else:
            blanks = 0
        out.append((text if text.endswith("\\") else text.rstrip(), number))
    while len(out) > 1 and not out[0][0]:
        out.pop(0)  # where imports were taken out of shared lines
    return out


def _on_one_line(node: ast.AST) -> bool:
    return getattr(node, "lineno", 0) == getattr(node, "end_lineno", None)


def _inside_strings(tree: ast.Module) -> frozenset[int]:
    """The numbers of the lines that end inside a string."""
    inside: set[int] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)):
            inside.update(range(node.lineno, node.end_lineno or node.lineno))
        waiting.extend(child for child in ast.iter_child_nodes(node) if not _on_one_line(child))
    return frozenset(inside)
