"""Names are resolved as Python resolves them: its own `symtable` is asked, on Python's own library."""

from __future__ import annotations

import ast
import re
import symtable
import sys
from pathlib import Path

import pytest

from stellwerk.notebooks.scopes import names_of

LIBRARY = Path(ast.__file__).parent
# Where the two may differ: a name in a class before the class binds it is the global one here; names in texts of annotations
# are read here, and those that are deleted; `__class__` belongs to methods; symtable takes functions called `top` for modules.
ALLOWED = {"shutil": {"bz2", "lzma", "zlib"}, "poplib": {"howmuch", "self", "which"}}
FILES = sorted(path.stem for path in LIBRARY.glob("*.py"))


def globals_of(table, *, top=True):
    names = {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return names.union(*(globals_of(child, top=False) for child in table.get_children()))


def class_names(tree):
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {part.id for body in bodies for node in body for part in ast.walk(node) if isinstance(part, ast.Name)}


def deleted(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del)}


def annotation_words(tree):
    held = [node.annotation for node in ast.walk(tree) if isinstance(node, ast.arg | ast.AnnAssign)]
    held += [node.returns for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    texts = [part.value for node in held if node for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return {word for text in texts if isinstance(text, str) for word in re.findall(r"\w+", text)}


@pytest.mark.parametrize("part", range(4))
def test_the_names_that_code_reads_from_the_top_are_those_python_finds(part):
    compared = 0
    for stem in FILES[part::4]:
        source = (LIBRARY / f"{stem}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        read = names_of(tree).reads
        expected = globals_of(symtable.symtable(source, stem, "exec"))
        allowed = ALLOWED.get(stem, set()) | {"__class__", "__annotations__"} | deleted(tree)
        assert expected - read <= allowed, stem
        assert read - expected <= allowed | class_names(tree) | annotation_words(tree), stem
        compared += len(expected)
    assert compared > 1000


def names(source):
    return names_of(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "now", "later"),
    [
        ("a = b", {"b"}, set()),
        ("a = a", {"a"}, set()),
        ("a = 1\nb = a", set(), set()),
        ("def f(x=y):\n    return x, z", {"y"}, {"z"}),
        ("f = lambda x: x + y", set(), {"y"}),
        ("def f():\n    return g\ng = 1", set(), set()),
        ("def f():\n    x = 1\n    def g():\n        return x, y\n    return g", set(), {"y"}),
        ("def f():\n    global x\n    x = 1\ndef g():\n    return x", set(), set()),
        ("class A:\n    b = c\n    def m(self):\n        return b", {"c"}, {"b"}),
        ("class A:\n    xs = [1]\n    ys = [x for x in xs]\n    zs = [xs for _ in xs]", {"xs"}, set()),
        ("[x for x in y if z]", {"y", "z"}, set()),
        ("[x for x in a for y in x]\nx", {"a", "x"}, set()),
        ("def f(x: a) -> b: ...", {"a", "b"}, set()),
        ("def f(x: 'a.b') -> 'list[c]': ...", set(), {"a", "c", "list"}),
        ("x: a = 1", {"a"}, set()),
        ("x += 1", {"x"}, set()),
        ("del x", {"x"}, set()),
        ("for x in xs:\n    pass\nelse:\n    x", {"xs"}, set()),
        ("import a.b\na.b", set(), set()),
        ("try:\n    pass\nexcept E as e:\n    e", {"E"}, set()),
        ("f'{a!r:{b}}'", {"a", "b"}, set()),
        ("with a as b:\n    b", {"a"}, set()),
    ],
)
def test_what_a_cell_reads_from_elsewhere(source, now, later):
    found = names(source)
    assert {use.name for use in found.uses if not use.later} == now
    assert {use.name for use in found.uses if use.later} == later


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 brought this syntax")
def test_type_parameters_belong_to_what_they_parametrise():
    found = names("def f[T: A](x: T) -> T:\n    y: T\n    return z\nclass C[U](B[U]): ...\ntype D[V] = list[V | W]")
    assert {use.name for use in found.uses} == {"A", "z", "B", "W", "list"}


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("a[0] = 1", ["a[...] = ..."]),
        ("a.b.c = 1", ["a.b.c = ..."]),
        ("del a['x']", ["del a[...]"]),
        ("a.loc[0, 'x'] += 1", ["a.loc[...] = ..."]),
        ("a.sort_values('x', inplace=True)", ["a.sort_values(..., inplace=True)"]),
        ("a.sort_values('x', inplace=False)", []),
        ("a.append(1)", ["a.append(...)"]),
        ("b = a.pop()", []),
        ("a = {}\na['x'] = 1", []),
        ("def f(a):\n    a['x'] = 1", []),
        ("def f():\n    a['x'] = 1", ["a[...] = ..."]),
        ("def f(a):\n    def g():\n        a['x'] = 1\n    return g", []),
        ("a.copy()['x'] = 1", []),
    ],
)
def test_what_a_cell_changes_in_place(source, changes):
    assert [change.how for change in names(source).changes] == changes


# Parsed, and refused by the compiler only.
REFUSED = (
    *("return 1", "class A:\n    return 1", "def f():\n    class A:\n        return 1", "if a:\n    return"),
    *("break", "continue", "def f():\n    break", "for a in b:\n    def f():\n        continue"),
    *("yield 1", "class A:\n    yield 1", "a = yield from b", "def f():\n    await a", "def f(a, b, a): ..."),
    *("lambda a, a: 1", "f(a=1, a=2)", "class A(B, c=1, c=2): ...", "def f(a, *a): ...", "*a, *b = c", "*a = c"),
    *("def f():\n    a = 1\n    global a", "def f(a):\n    global a", "nonlocal a", "def f():\n    nonlocal a"),
    *("def f():\n    from a import *", "a = 1\nfrom __future__ import annotations", "from __future__ import braces"),
    *("try: ...\nexcept: ...\nexcept E: ...", "try: ...\nexcept* E:\n    return", "[(a := 1) for a in b]"),
    *("[a for b in (a := c)]", "class A:\n    [(a := b) for b in c]", "class A:\n    def f(self):\n        nonlocal b"),
    *(
        "match a:\n    case b: ...\n    case c: ...",
        "match a:\n    case {1: b, 1: c}: ...",
        "match a:\n    case (b, b): ...",
    ),
    *(
        "def f():\n    async with a: ...",
        "def f():\n    [a async for a in b]",
        "async def f():\n    yield 1\n    return 1",
    ),
    *("\n".join(f"{' ' * at}for a{at} in b:" for at in range(21)) + " pass"),
    "\n".join(f"{' ' * at}while a:" for at in range(21)) + " pass",
    f"with {', '.join(['a'] * 21)}: pass",
)


def is_refused(source):
    try:
        compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError:
        return True
    return False


@pytest.mark.parametrize("source", REFUSED)
def test_what_only_the_compiler_refuses_is_in_doubt(source):
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return  # a newer parser refuses it
    if is_refused(source):
        assert names_of(tree).doubtful


def test_most_of_what_the_compiler_refuses_parses_and_most_code_is_in_no_doubt():
    """So that the test above can fail, and that compiling is saved."""
    parsed = [source for source in REFUSED if is_refused(source) and not refused_by_parser(source)]
    assert len(parsed) > 30
    usual = "import a\nfrom b import c\n\nclass D(a.E):\n    x: int = 1\n\n    def f(self, *, g=c):\n"
    usual += "        for h in self.x:\n            with open(h) as i:\n                return [j for j in i if j]\n"
    usual += "        try:\n            return a.k(l=1, m=2)\n        except E:\n            raise\n"
    assert not names(usual).doubtful


def refused_by_parser(source):
    try:
        ast.parse(source)
    except SyntaxError:
        return True
    return False
