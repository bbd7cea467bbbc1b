"""Which names a cell's code reads and binds at the top level, found in one walk over its tree.

A name that a function, lambda, comprehension or class binds for itself is not one of them. What the body of a function
or lambda reads is read `later`: when it is called. Annotations are read like code, written as text or not.
"""

from __future__ import annotations

import ast
from typing import Any

from stellwerk.notebooks.uses import Binding, Change, Names, Use

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
CHANGING = frozenset(  # methods that change their object, where the result is not looked at
    [
        "append",
        "extend",
        "insert",
        "update",
        "pop",
        "popitem",
        "remove",
        "clear",
        "sort",
        "reverse",
        "setdefault",
        "add",
        "discard",
        "fill",
        "put",
        "itemset",
        "appendleft",
        "extendleft",
        "popleft",
    ]
)


_PLAIN = frozenset({"ctx", "op", "ops", "kind", "type_comment", "id", "attr", "arg", "level", "conversion", "is_async"})
_HOLDING = {  # node -> its fields that hold nodes
    kind: tuple(field for field in kind._fields if field not in _PLAIN and kind is not ast.Constant)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}


class _Scope:
    """A scope that is open. What it does not bind goes to its parent when it closes; a class hands it on at once."""

    __slots__ = ("arguments", "binds", "changes", "elsewhere", "inside", "kind", "later", "loads", "parent", "rebound")

    def __init__(self, kind: str, parent: _Scope | None, *, later: bool = False, inside: str = "") -> None:
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


def names_of(tree: ast.Module, *, postponed: bool = False) -> Names:
    """The names of one cell; `postponed`: annotations are not evaluated.

    Raises RecursionError for expressions that are nested hundreds of times.
    """
    return _Walk(postponed=postponed).walk(tree)


class _Walk:
    """One walk over one tree, in the order in which Python runs it."""

    def __init__(self, *, postponed: bool) -> None:
        self.module = self.scope = _Scope("module", None)
        self.bindings: list[Binding] = []
        self.reads: set[str] = set()
        self.arguments: list[Change] = []
        self.globals: list[Change] = []
        self.stars: list[tuple[str, int]] = []
        self.awaits: list[tuple[int, int]] = []
        self.postponed = postponed
        self.unrun = False  # inside an annotation that is not evaluated
        self.special = {
            ast.Name: self._name,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._lambda,
            ast.ClassDef: self._class,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            ast.AnnAssign: self._annotated,
            ast.NamedExpr: self._named,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.AsyncWith: self._waiting,
            ast.Await: self._waiting,
            ast.Expr: self._expression,
            ast.Call: self._call,
            ast.Subscript: self._reached,
            ast.Attribute: self._reached,
            ast.Global: self._declared,
            ast.Nonlocal: self._declared,
            ast.ExceptHandler: self._handler,
            ast.MatchAs: self._captured,
            ast.MatchStar: self._captured,
            ast.MatchMapping: self._captured,
        }
        alias = getattr(ast, "TypeAlias", None)  # Python 3.12
        if alias is not None:
            self.special[alias] = self._alias

    def walk(self, tree: ast.Module) -> Names:
        self._all(tree.body)
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
        )

    def _visit(self, node: Any) -> None:
        special = self.special.get(type(node))
        if special is not None:
            special(node)
        else:
            self._parts(node)

    def _parts(self, node: Any) -> None:
        for field in _HOLDING[type(node)]:
            value = getattr(node, field, None)
            if type(value) is list:
                for item in value:
                    if isinstance(item, ast.AST):
                        self._visit(item)
            elif isinstance(value, ast.AST):
                self._visit(value)

    def _all(self, nodes: Any) -> None:
        for node in nodes:
            if node is not None:
                self._visit(node)

    # Names

    def _name(self, node: Any) -> None:
        if isinstance(node.ctx, ast.Store):
            self._bind(node.id, node)
        else:
            self._load(node.id, node)

    def _load(self, name: str, node: Any) -> None:
        scope = self.scope
        use = Use(name, node.lineno, node.col_offset, scope.later or self.unrun, scope.inside)
        if scope.kind != "class":
            self._hand(scope, use)
        elif name not in scope.binds:
            self._hand(scope.parent, use)

    def _hand(self, scope: _Scope | None, use: Use) -> None:
        while scope is not None and scope.kind == "class":
            scope = scope.parent
        if scope is None or scope.kind == "module":
            self.reads.add(use.name)
            if use.later or use.name not in self.module.binds:
                self.module.loads.append(use)
        else:
            scope.loads.append(use)

    def _bind(self, name: str, node: Any, kind: str = "value", origin: str = "") -> None:
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

    def _open(self, kind: str, *, later: bool, inside: str = "") -> _Scope:
        parent = self.scope
        self.scope = _Scope(kind, parent, later=parent.later or later, inside=parent.inside or inside)
        return parent

    def _close(self, parent: _Scope) -> None:
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
                self._hand_change(parent, change)

    # Changes in place

    def _change(self, target: Any, how: str) -> None:
        """The object that the target belongs to is changed; `how` has `{}` where its name belongs."""
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
            self._hand_change(scope, change)

    def _hand_change(self, scope: _Scope, change: Change) -> None:
        while scope.kind == "class" and scope.parent is not None:
            scope = scope.parent
        scope.changes.append(change)

    def _reached(self, node: Any) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._change(
                node, f"{{}}{_tail(node)} = ..." if isinstance(node.ctx, ast.Store) else f"del {{}}{_tail(node)}"
            )
        self._parts(node)

    def _call(self, node: Any) -> None:
        for keyword in node.keywords:
            if keyword.arg == "inplace" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True:
                self._change(node.func, f"{{}}{_tail(node.func)}(..., inplace=True)")
        self._parts(node)

    def _expression(self, node: Any) -> None:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in CHANGING:
            self._change(call.func, f"{{}}{_tail(call.func)}(...)")
        self._visit(call)

    # Statements that bind

    def _assign(self, node: Any) -> None:
        self._visit(node.value)
        self._all(node.targets)

    def _augmented(self, node: Any) -> None:
        self._visit(node.value)
        target = node.target
        if isinstance(target, ast.Name):
            self._load(target.id, target)
        self._visit(target)

    def _annotated(self, node: Any) -> None:
        self._annotation(node.annotation)
        if node.value is not None:
            self._visit(node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self._visit(node.target)
        elif self.scope.kind == "function":
            self.scope.binds.add(node.target.id)

    def _named(self, node: Any) -> None:
        self._visit(node.value)
        held = self.scope
        while self.scope.kind == "comprehension" and self.scope.parent is not None:
            self.scope = self.scope.parent
        self._bind(node.target.id, node.target)
        self.scope = held

    def _for(self, node: Any) -> None:
        if isinstance(node, ast.AsyncFor):
            self._outside(node)
        self._visit(node.iter)
        self._visit(node.target)
        self._all(node.body)
        self._all(node.orelse)

    def _handler(self, node: Any) -> None:
        if node.type is not None:
            self._visit(node.type)
        if node.name:
            self._bind(node.name, node)
        self._all(node.body)

    def _captured(self, node: Any) -> None:
        self._parts(node)
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            self._bind(name, node)

    def _declared(self, node: Any) -> None:
        if self.scope.kind != "module":
            for name in node.names:
                self.scope.elsewhere[name] = isinstance(node, ast.Global)

    def _import(self, node: Any) -> None:
        for alias in node.names:
            first = alias.name.partition(".")[0]
            self._bind(alias.asname or first, node, "import", alias.name if alias.asname else first)

    def _import_from(self, node: Any) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.stars.append((module, node.lineno))
            else:
                self._bind(alias.asname or alias.name, node, "import", f"{module}:{alias.name}")

    def _alias(self, node: Any) -> None:
        self._bind(node.name.id, node)
        parent = self._open("function", later=True)
        self._typed(node.type_params)
        self._visit(node.value)
        self._close(parent)

    # Scopes

    def _function(self, node: Any) -> None:
        self._all(node.decorator_list)
        self._all(node.args.defaults)
        self._all(node.args.kw_defaults)
        typed = getattr(node, "type_params", ())
        around = self._open("function", later=False, inside=node.name) if typed else None
        self._typed(typed)
        arguments = _arguments(node.args)
        for argument in arguments:
            self._annotation(argument.annotation)
        self._annotation(node.returns)
        if around is None:
            self._bind(node.name, node, "function")
        self._body(node.body, arguments, node.name)
        if around is not None:
            self._close(around)
            self._bind(node.name, node, "function")

    def _lambda(self, node: Any) -> None:
        self._all(node.args.defaults)
        self._all(node.args.kw_defaults)
        self._body([node.body], _arguments(node.args), "")

    def _body(self, body: Any, arguments: list[ast.arg], name: str) -> None:
        parent = self._open("function", later=True, inside=name)
        self.scope.arguments = frozenset(argument.arg for argument in arguments)
        self.scope.binds.update(self.scope.arguments)
        self._all(body)
        self._close(parent)

    def _class(self, node: Any) -> None:
        self._all(node.decorator_list)
        typed = getattr(node, "type_params", ())
        around = self._open("function", later=False, inside=node.name) if typed else None
        self._typed(typed)
        self._all(node.bases)
        self._all(node.keywords)
        parent = self._open("class", later=False, inside=node.name)
        self._all(node.body)
        self.scope = parent
        if around is not None:
            self._close(around)
        self._bind(node.name, node, "class")

    def _comprehension(self, node: Any) -> None:
        first = node.generators[0]
        self._visit(first.iter)
        parent = self._open("comprehension", later=False)
        for generator in node.generators:
            if generator.is_async:
                self._outside(node)
            if generator is not first:
                self._visit(generator.iter)
            self._visit(generator.target)
            self._all(generator.ifs)
        if isinstance(node, ast.DictComp):
            self._visit(node.key)
            self._visit(node.value)
        else:
            self._visit(node.elt)
        self._close(parent)

    def _waiting(self, node: Any) -> None:
        self._outside(node)
        self._parts(node)

    def _outside(self, node: Any) -> None:
        """Remember an `await` that no function holds."""
        if not self.scope.later:
            self.awaits.append((node.lineno, node.col_offset))

    # Annotations

    def _typed(self, parameters: Any) -> None:
        for parameter in parameters:
            self.scope.binds.add(parameter.name)
            self._parts(parameter)

    def _annotation(self, node: Any) -> None:
        if node is None:
            return
        held, self.unrun = self.unrun, self.unrun or self.postponed
        self._typing(node)
        self.unrun = held

    def _typing(self, node: Any) -> None:
        """An annotation: texts in it are code too, except in `Literal[...]` and after the first of `Annotated[...]`."""
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                self._written(node)
        elif isinstance(node, ast.Subscript):
            self._typing(node.value)
            name = _last(node.value)
            if name == "Annotated" and isinstance(node.slice, ast.Tuple) and node.slice.elts:
                self._typing(node.slice.elts[0])
                self._all(node.slice.elts[1:])
            elif name != "Literal":
                self._typing(node.slice)
        elif isinstance(node, ast.Tuple | ast.List):
            for item in node.elts:
                self._typing(item)
        elif isinstance(node, ast.BinOp):
            self._typing(node.left)
            self._typing(node.right)
        else:
            self._visit(node)

    def _written(self, node: Any) -> None:
        try:
            expression = ast.parse(node.value.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for part in ast.walk(expression):
            if isinstance(part, ast.expr):
                part.lineno, part.col_offset = node.lineno, node.col_offset
        held, self.unrun = self.unrun, True
        self._typing(expression)
        self.unrun = held


def _arguments(arguments: Any) -> list[ast.arg]:
    every = (*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg)
    return [argument for argument in every if argument is not None]


def _last(node: Any) -> str:
    """The last name of a dotted one."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _tail(node: Any) -> str:
    """What follows the first name: `.loc[...]`."""
    shown = ""
    while isinstance(node, ast.Attribute | ast.Subscript):
        shown = (f".{node.attr}" if isinstance(node, ast.Attribute) else "[...]") + shown
        node = node.value
    return shown
