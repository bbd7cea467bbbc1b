"""Which scope a name belongs to, as Python resolves it: what a walk over code tells as it meets names and scopes.

A scope hands on what it does not bind itself; what reaches the module is read or changed at the top level.
"""

from __future__ import annotations

import ast
from typing import Any

from stellwerk.notebooks.uses import Binding, Change, Names, Use


class Scope:
    """A scope that is open. What it does not bind goes to its parent when it closes; a class hands it on at once."""

    __slots__ = ("arguments", "binds", "changes", "elsewhere", "inside", "kind", "later", "loads", "parent", "rebound")

    def __init__(self, kind: str, parent: Scope | None, *, later: bool = False, inside: str = "") -> None:
        self.kind = kind  # module, function, class, comprehension
        self.parent = parent
        self.later = later
        self.inside = inside
        self.binds: set[str] = set()
        self.arguments: frozenset[str] = frozenset()
        self.rebound: set[str] = set()
        self.elsewhere: dict[str, bool] = {}  # declared `global` (True) or `nonlocal` (False) here
        self.loads: list[Use] = []
        self.changes: list[Change] = []


class Resolution:
    """The scopes that are open, and what was found of the module's names. `unrun`: what is met now is never run."""

    def __init__(self) -> None:
        self.module = self.scope = Scope("module", None)
        self.bindings: list[Binding] = []
        self.reads: set[str] = set()
        self.arguments: list[Change] = []
        self.globals: list[Change] = []
        self.stars: list[tuple[str, int]] = []
        self.awaits: list[tuple[int, int]] = []
        self.unrun = False

    def found(self, *, doubtful: bool) -> Names:
        """The module's names, when all of its code was met."""
        bound = self.module.binds
        changes = [change for change in self.module.changes if change.name not in bound]
        return Names(
            bindings=tuple(self.bindings),
            uses=tuple(use for use in self.module.loads if not (use.later and use.name in bound)),
            reads=frozenset(self.reads),
            changes=(*changes, *self.globals),
            arguments=tuple(self.arguments),
            stars=tuple(self.stars),
            awaits=tuple(self.awaits),
            doubtful=doubtful,
        )

    def load(self, name: str, node: Any) -> None:
        """The name is read."""
        scope = self.scope
        if scope.kind == "module":
            self.reads.add(name)
            if self.unrun or name not in scope.binds:
                scope.loads.append(Use(name, node.lineno, node.col_offset, self.unrun, ""))
        elif name not in scope.binds or (scope.elsewhere and scope.kind != "class"):
            self._hand(scope, Use(name, node.lineno, node.col_offset, scope.later or self.unrun, scope.inside))

    def _hand(self, scope: Scope | None, use: Use) -> None:
        while scope is not None and scope.kind == "class":
            scope = scope.parent
        if scope is None or scope.kind == "module":
            self.reads.add(use.name)
            if use.later or use.name not in self.module.binds:
                self.module.loads.append(use)
        else:
            scope.loads.append(use)

    def bind(self, name: str, node: Any, kind: str = "value", origin: str = "") -> None:
        """The name is given a value."""
        scope = self.scope
        declared = scope.elsewhere.get(name)
        if declared:
            how = f"global {name}"
            self.globals.append(Change(name, node.lineno, node.col_offset, how, scope.later, scope.inside))
            self.bindings.append(Binding(name, node.lineno, node.col_offset, "global"))
            self.module.binds.add(name)
        elif declared is None:
            scope.binds.add(name)
            scope.rebound.add(name)
            if scope.kind == "module":
                self.bindings.append(Binding(name, node.lineno, node.col_offset, kind, origin))

    def open(self, kind: str, *, later: bool, inside: str = "") -> Scope:
        """A scope begins; returns the one around it, which `close` wants back."""
        parent = self.scope
        self.scope = Scope(kind, parent, later=parent.later or later, inside=parent.inside or inside)
        return parent

    def close(self, parent: Scope) -> None:
        """The scope ends: what it does not bind goes to `parent`."""
        scope = self.scope
        self.scope = parent
        for use in scope.loads:
            declared = scope.elsewhere.get(use.name)
            if declared:
                self._hand(self.module, use)
            elif declared is not None or use.name not in scope.binds:
                self._hand(parent, use)
        for change in scope.changes:
            if change.name not in scope.binds or change.name in scope.elsewhere:
                _hand_change(parent, change)

    def change(self, target: Any, how: str) -> None:
        """The object that the target belongs to is changed in place; `how` has `{}` where its name belongs."""
        node = target
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        if not isinstance(node, ast.Name):
            return
        scope = self.scope
        shown = how.format(node.id)
        change = Change(node.id, target.lineno, target.col_offset, shown, scope.later, scope.inside)
        if scope.kind == "function" and node.id in scope.arguments:
            if scope.parent is self.module and node.id not in scope.rebound:
                self.arguments.append(change)
        elif node.id not in scope.binds:
            _hand_change(scope, change)


def _hand_change(scope: Scope, change: Change) -> None:
    while scope.kind == "class" and scope.parent is not None:
        scope = scope.parent
    scope.changes.append(change)
