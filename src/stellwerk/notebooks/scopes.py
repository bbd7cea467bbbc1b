"""Which names a cell's code reads and binds at the top level, found in one walk over its tree.

A name that a function, lambda, comprehension or class binds for itself is not one of them. What the body of a function
or lambda reads is read `later`: when it is called. Annotations are read like code, written as text or not.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from stellwerk.notebooks.resolution import Resolution

if TYPE_CHECKING:
    from collections.abc import Callable

    from stellwerk.notebooks.uses import Names

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


MOST_BLOCKS = 20  # that Python compiles inside each other
TRY_BLOCKS = 4  # that `try` takes of them, with a handler and a `finally`
_NO_NODES = frozenset(  # fields that hold names, numbers and signs
    [
        *("id", "attr", "arg", "name", "names", "rest", "module", "level", "kwd_attrs", "kind", "type_comment"),
        *("ctx", "op", "ops", "conversion", "is_async", "simple", "tag"),
    ]
)
_HOLDING = {  # node -> its fields that hold nodes
    kind: tuple(field for field in kind._fields if field not in _NO_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and kind not in {ast.Constant, ast.MatchSingleton}
}


def names_of(tree: ast.Module, *, postponed: bool = False) -> Names:
    """The names of one cell; `postponed`: annotations are not evaluated.

    Raises RecursionError for expressions that are nested hundreds of times.
    """
    walk = _Walk(postponed=postponed)
    walk.all(tree.body)
    return walk.found(doubtful=walk.doubtful or walk.blocks > MOST_BLOCKS)


class _Walk(Resolution):
    """One walk over one tree, in the order in which Python runs it."""

    def __init__(self, *, postponed: bool) -> None:
        super().__init__()
        self.postponed = postponed
        self.blocks = 0  # at most so many are nested
        self.doubtful = False

    def visit(self, node: Any) -> None:
        special = self.special.get(type(node))
        if special is not None:
            special(self, node)
        else:
            self.parts(node)

    def parts(self, node: Any) -> None:
        """Visit the nodes that this one holds."""
        for field in _HOLDING.get(type(node), ()):
            value = getattr(node, field)
            if type(value) is list:
                self.all(value)
            elif value is not None:
                self.visit(value)

    def all(self, nodes: Any) -> None:
        find = self.special.get
        for node in nodes:
            special = find(type(node))
            if special is not None:
                special(self, node)
            elif node is not None:
                self.parts(node)

    def _name(self, node: Any) -> None:
        if type(node.ctx) is ast.Store:
            self.bind(node.id, node)
        else:
            self.load(node.id, node)

    # Changes in place

    def _attribute(self, node: Any) -> None:
        if type(node.ctx) is not ast.Load:
            self._reached(node)
        self.visit(node.value)

    def _subscript(self, node: Any) -> None:
        if type(node.ctx) is not ast.Load:
            self._reached(node)
        self.visit(node.value)
        self.visit(node.slice)

    def _reached(self, node: Any) -> None:
        self.change(node, f"{{}}{_tail(node)} = ..." if isinstance(node.ctx, ast.Store) else f"del {{}}{_tail(node)}")

    def _call(self, node: Any) -> None:
        self.visit(node.func)
        self.all(node.args)
        given = set()
        for keyword in node.keywords:
            name = keyword.arg
            if name == "inplace" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True:
                self.change(node.func, f"{{}}{_tail(node.func)}(..., inplace=True)")
            if name in given:
                self.doubtful = True
            if name is not None:
                given.add(name)
            self.visit(keyword.value)

    def _expression(self, node: Any) -> None:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in CHANGING:
            self.change(call.func, f"{{}}{_tail(call.func)}(...)")
        self.visit(call)

    # Statements that bind

    def _assign(self, node: Any) -> None:
        self.visit(node.value)
        self.all(node.targets)

    def _augmented(self, node: Any) -> None:
        self.visit(node.value)
        target = node.target
        if isinstance(target, ast.Name):
            self.load(target.id, target)
        self.visit(target)

    def _annotated(self, node: Any) -> None:
        self._annotation(node.annotation)
        if node.value is not None:
            self.visit(node.value)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self.visit(node.target)
        elif self.scope.kind == "function":
            self.scope.binds.add(node.target.id)

    def _named(self, node: Any) -> None:
        self.doubtful = True
        self.visit(node.value)
        held = self.scope
        while self.scope.kind == "comprehension" and self.scope.parent is not None:
            self.scope = self.scope.parent
        self.bind(node.target.id, node.target)
        self.scope = held

    def _for(self, node: Any) -> None:
        if isinstance(node, ast.AsyncFor):
            self._outside(node)
        self.blocks += 1
        self.visit(node.iter)
        self.visit(node.target)
        self.all(node.body)
        self.all(node.orelse)

    def _handler(self, node: Any) -> None:
        if node.type is None:
            self.doubtful = True
        else:
            self.visit(node.type)
        if node.name:
            self.bind(node.name, node)
        self.all(node.body)

    def _captured(self, node: Any) -> None:
        self.parts(node)
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name:
            self.bind(name, node)

    def _declared(self, node: Any) -> None:
        self.doubtful = True
        if self.scope.kind != "module":
            for name in node.names:
                self.scope.elsewhere[name] = isinstance(node, ast.Global)

    def _import(self, node: Any) -> None:
        for alias in node.names:
            first = alias.name.partition(".")[0]
            self.bind(alias.asname or first, node, "import", alias.name if alias.asname else first)

    def _import_from(self, node: Any) -> None:
        module = "." * node.level + (node.module or "")
        if module == "__future__":
            self.doubtful = True
        for alias in node.names:
            if alias.name == "*":
                self.stars.append((module, node.lineno))
                self.doubtful = True
            else:
                self.bind(alias.asname or alias.name, node, "import", f"{module}:{alias.name}")

    def _alias(self, node: Any) -> None:
        self.doubtful = True
        self.bind(node.name.id, node)
        parent = self.open("function", later=True)
        self._typed(node.type_params)
        self.visit(node.value)
        self.close(parent)

    # Scopes

    def _function(self, node: Any) -> None:
        if type(node) is ast.AsyncFunctionDef:
            self.doubtful = True
        self.all(node.decorator_list)
        self.all(node.args.defaults)
        self.all(node.args.kw_defaults)
        typed = getattr(node, "type_params", ())
        around = self.open("function", later=False, inside=node.name) if typed else None
        self._typed(typed)
        arguments = _arguments(node.args)
        for argument in arguments:
            self._annotation(argument.annotation)
        self._annotation(node.returns)
        if around is None:
            self.bind(node.name, node, "function")
        self._body(node.body, arguments, node.name)
        if around is not None:
            self.close(around)
            self.bind(node.name, node, "function")

    def _lambda(self, node: Any) -> None:
        self.all(node.args.defaults)
        self.all(node.args.kw_defaults)
        self._body([node.body], _arguments(node.args), "")

    def _body(self, body: Any, arguments: list[ast.arg], name: str) -> None:
        parent = self.open("function", later=True, inside=name)
        self.scope.arguments = frozenset(argument.arg for argument in arguments)
        if len(self.scope.arguments) < len(arguments):
            self.doubtful = True
        self.scope.binds.update(self.scope.arguments)
        self.all(body)
        self.close(parent)

    def _class(self, node: Any) -> None:
        self.all(node.decorator_list)
        self.doubtful = self.doubtful or len(node.keywords) > 1
        typed = getattr(node, "type_params", ())
        around = self.open("function", later=False, inside=node.name) if typed else None
        self._typed(typed)
        self.all(node.bases)
        self.all(node.keywords)
        parent = self.open("class", later=False, inside=node.name)
        self.all(node.body)
        self.scope = parent
        if around is not None:
            self.close(around)
        self.bind(node.name, node, "class")

    def _comprehension(self, node: Any) -> None:
        first = node.generators[0]
        self.blocks += len(node.generators)
        self.visit(first.iter)
        parent = self.open("comprehension", later=False)
        for generator in node.generators:
            if generator.is_async:
                self._outside(node)
            if generator is not first:
                self.visit(generator.iter)
            self.visit(generator.target)
            self.all(generator.ifs)
        if isinstance(node, ast.DictComp):
            self.visit(node.key)
            self.visit(node.value)
        else:
            self.visit(node.elt)
        self.close(parent)

    def _waiting(self, node: Any) -> None:
        self._outside(node)
        self.parts(node)

    def _outside(self, node: Any) -> None:
        """Remember an `await` that no function holds."""
        self.doubtful = True
        if not self.scope.later:
            self.awaits.append((node.lineno, node.col_offset))

    # What only the compiler refuses

    def _returned(self, node: Any) -> None:
        if self.scope.kind != "function":
            self.doubtful = True
        self.parts(node)

    def _block(self, node: Any) -> None:
        self.blocks += len(node.items) if isinstance(node, ast.With) else TRY_BLOCKS
        self.parts(node)

    def _doubted(self, node: Any) -> None:
        self.doubtful = True
        self.parts(node)

    # Annotations

    def _typed(self, parameters: Any) -> None:
        for parameter in parameters:
            self.doubtful = True
            self.scope.binds.add(parameter.name)
            self.parts(parameter)

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
                self.all(node.slice.elts[1:])
            elif name != "Literal":
                self._typing(node.slice)
        elif isinstance(node, ast.Tuple | ast.List):
            for item in node.elts:
                self._typing(item)
        elif isinstance(node, ast.BinOp):
            self._typing(node.left)
            self._typing(node.right)
        else:
            self.visit(node)

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

    # What is done with a node; all others hand on to those they hold.
    special: ClassVar[dict[type[ast.AST], Callable[[Any, Any], None]]] = {
        ast.Name: _name,
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
        ast.Lambda: _lambda,
        ast.ClassDef: _class,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.DictComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.Import: _import,
        ast.ImportFrom: _import_from,
        ast.Assign: _assign,
        ast.AugAssign: _augmented,
        ast.AnnAssign: _annotated,
        ast.NamedExpr: _named,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.AsyncWith: _waiting,
        ast.Await: _waiting,
        ast.Expr: _expression,
        ast.Call: _call,
        ast.Subscript: _subscript,
        ast.Attribute: _attribute,
        ast.Global: _declared,
        ast.Nonlocal: _declared,
        ast.ExceptHandler: _handler,
        ast.MatchAs: _captured,
        ast.MatchStar: _captured,
        ast.MatchMapping: _captured,
        ast.Return: _returned,
        ast.While: _block,
        ast.With: _block,
        ast.Try: _block,
        **dict.fromkeys(
            (ast.TryStar, ast.Match, ast.Break, ast.Continue, ast.Yield, ast.YieldFrom, ast.Starred), _doubted
        ),
    }
    if sys.version_info >= (3, 12):
        special[ast.TypeAlias] = _alias


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
