"""The grammar of `${{ }}`: text to a tree. It knows no values and no contexts.

Precedence, tightest first: index and property, `!`, order, equality, `&&`, `||`. Strings are in single quotes, doubled
inside; numbers are JSON's, hexadecimal or octal; keywords are lower case.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 21_000  # characters of one expression
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^']|'')*')
  | (?P<operator>&&|\|\||[!=<>]=|[()\[\],*!<>])
  | (?P<number>[-+]?(?:0x[0-9a-fA-F]+|0o[0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|Infinity)(?![\w.]))
  | (?P<dot>\.)
  | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    )""",
    re.VERBOSE,
)
_KEYWORDS = {"true": True, "false": False, "null": None, "NaN": math.nan, "Infinity": math.inf}
_ORDER, _EQUALITY = ("<", "<=", ">", ">="), ("==", "!=")


class ExpressionError(Exception):
    """An expression that GitHub would refuse or that could not be evaluated."""


@dataclass(frozen=True, slots=True)
class Literal:
    value: object


@dataclass(frozen=True, slots=True)
class Context:
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`of[key]` and `of.key`; a key of None is the filter `*`."""

    of: Node
    key: Node | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function; its name in lower case."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    of: Node


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Node
    right: Node


Node = Literal | Context | Index | Call | Not | Binary


def number_of(text: str) -> float:
    """What GitHub makes of a string where it needs a number; NaN where it is none."""
    text = text.strip()
    if not text:
        return 0.0
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if re.fullmatch(r"0x[0-9a-fA-F]+", digits):
        return float(sign * int(digits, 16))
    if re.fullmatch(r"0o[0-7]+", digits):
        return float(sign * int(digits, 8))
    if digits == "Infinity":
        return sign * math.inf
    return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) else math.nan


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The tree of one expression, without its `${{ }}`."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression has {len(text)} characters, more than {LONGEST}")
    parser = _Parser(text, list(_tokens(text)))
    tree = parser.chain(0)
    parser.expect("end")
    return tree


def nodes(tree: Node) -> Iterator[Node]:
    """The tree and everything below it."""
    yield tree
    match tree:
        case Index(of, key):
            yield from nodes(of)
            if key is not None:
                yield from nodes(key)
        case Call(_, arguments):
            for argument in arguments:
                yield from nodes(argument)
        case Not(of):
            yield from nodes(of)
        case Binary(_, left, right):
            yield from nodes(left)
            yield from nodes(right)
        case _:
            pass


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    before = ""
    while text[position:].strip():
        found = _TOKEN.match(text, position)
        # `.5` is a number only where no property can stand.
        if (
            found
            and found.lastgroup == "number"
            and found["number"].startswith(".")
            and before in {"name", ")", "]", "*"}
        ):
            dot = text.index(".", position)
            position, before = dot + 1, "dot"
            yield "dot", "."
            continue
        if found is None:
            raise ExpressionError(f"unexpected symbol {text[position:].strip()[:20]!r} in {text!r}")
        kind = str(found.lastgroup)
        value = found[kind]
        position = found.end()
        before = value if kind == "operator" else kind
        yield kind, value
    yield "end", ""


@dataclass
class _Parser:
    text: str
    tokens: list[tuple[str, str]]
    at: int = 0

    def refuse(self) -> ExpressionError:
        symbol = self.tokens[self.at][1]
        where = f"unexpected symbol {symbol!r}" if symbol else "unexpected end"
        return ExpressionError(f"{where} in {self.text!r}")

    def accept(self, *operators: str) -> str | None:
        kind, value = self.tokens[self.at]
        if kind == "operator" and value in operators:
            self.at += 1
            return value
        return None

    def expect(self, what: str) -> str:
        kind, value = self.tokens[self.at]
        if what not in {kind, value}:
            raise self.refuse()
        self.at += 1
        return value

    def chain(self, level: int) -> Node:
        """Binary operators from the loosest (0) to the tightest, each evaluated from the left."""
        levels = (("||",), ("&&",), _EQUALITY, _ORDER)
        if level == len(levels):
            return self.negated()
        tree = self.chain(level + 1)
        while operator := self.accept(*levels[level]):
            tree = Binary(operator, tree, self.chain(level + 1))
        return tree

    def negated(self) -> Node:
        return Not(self.negated()) if self.accept("!") else self.indexed()

    def indexed(self) -> Node:
        grouped = self.tokens[self.at][1] == "("
        tree = self.primary()
        while grouped or not isinstance(tree, Literal):
            if self.accept("["):
                key = None if self.accept("*") else self.chain(0)
                self.expect("]")
            elif self.tokens[self.at][0] == "dot":
                self.at += 1
                key = None if self.accept("*") else Literal(self.expect("name"))
            else:
                break
            tree = Index(tree, key)
        return tree

    def primary(self) -> Node:
        kind, value = self.tokens[self.at]
        self.at += 1
        match kind:
            case "string":
                return Literal(value[1:-1].replace("''", "'"))
            case "number":
                return Literal(number_of(value))
            case "name" if value in _KEYWORDS:
                return Literal(_KEYWORDS[value])
            case "name":
                return Call(value.lower(), self.arguments()) if self.accept("(") else Context(value)
            case "operator" if value == "(":
                tree = self.chain(0)
                self.expect(")")
                return tree
            case _:
                self.at -= 1
                raise self.refuse()

    def arguments(self) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.accept(")"):
            if found:
                self.expect(",")
            found.append(self.chain(0))
        return tuple(found)
