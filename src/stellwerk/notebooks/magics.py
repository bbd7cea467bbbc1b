"""Takes what only IPython understands out of a cell. Line n of the result is line n of the cell.

A cell that Python parses holds no magic: none of IPython's forms is valid Python, and a line that begins with `%`
inside brackets or a string is none of IPython's. Only other cells are read line by line.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.notebooks.magic_names import (
    CELL_DROPPED,
    CELL_UNWRAPPED,
    DROPPED,
    HINTS,
    INSTALLERS,
    OTHERWISE,
    UNWRAPPED,
)
from stellwerk.notebooks.problem import Fault

if TYPE_CHECKING:
    from stellwerk.notebooks.document import Cell

_SIGNS = re.compile(
    r"""\#[^\n]*|[rRbBuUfF]{0,3}("{3}|'{3}|"|')|[][(){}]|\\\n""",
)
_STRING_ENDS = {
    '"': re.compile(r'(?:[^"\\\n]|\\.)*"', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*'", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*'''", re.DOTALL),
}
_MAGIC = re.compile(r"(?P<sign>%%?|!!?)\s*(?P<rest>.*)\Z", re.DOTALL)
_ASSIGNED = re.compile(r"[^=!%'\"#\n]*[^=!<>%'\"#\n]=\s*(?P<sign>[%!])\s*(?P<rest>[^=].*)\Z", re.DOTALL)
_HELP = re.compile(r"(?:\?{1,2}\s*%{0,2}[\w.*]+|%{0,2}[\w.*]+(?:\[[^\]]*\])*\s*\?{1,2})\s*;?\s*\Z")
_OPTION = re.compile(r"-{1,2}[a-zA-Z][\w-]*(?:\s*\d+)?(?:\s+|\Z)")
_NAME = re.compile(r"[\w.]+")


class PlainCell(Struct, frozen=True, kw_only=True):
    """A cell's text as plain Python of as many lines; what it installs; and its magics that cannot ship.

    `tree` is None where the code does not parse.
    """

    cell: Cell
    code: str
    tree: ast.Module | None
    requirements: tuple[str, ...] = ()
    problems: tuple[Fault, ...] = ()


def plain(cell: Cell) -> PlainCell:
    """The cell without magics."""
    tree = parsed(cell.source)
    if tree is not None:
        return PlainCell(cell=cell, code=cell.source, tree=tree)
    reading = _Reading(cell)
    tree = reading.read()
    code = "\n".join(reading.lines)
    if tree is None:
        code, tree = _filled(reading.lines, reading.emptied)
    return PlainCell(
        cell=cell,
        code=code,
        tree=tree,
        requirements=tuple(reading.requirements),
        problems=tuple(reading.faults),
    )


def parsed(code: str) -> ast.Module | None:
    """The code's tree; None where it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about somebody's code, which is not ours to print
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _filled(lines: list[str], emptied: dict[int, str]) -> tuple[str, ast.Module | None]:
    """The code and its tree. A block that lost all its statements gets a `pass`; `emptied`: index -> indentation."""
    code = "\n".join(lines)
    tree = parsed(code)
    if tree is not None or not any(emptied.values()):
        return code, tree
    held = list(lines)
    for index, indentation in emptied.items():
        held[index] = f"{indentation}pass"
    tree = parsed("\n".join(held))
    if tree is None:
        return code, None
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if not isinstance(statements, list):
                continue
            ours = [s for s in statements if isinstance(s, ast.Pass) and s.lineno - 1 in emptied]
            for statement in ours[1:] if len(ours) == len(statements) else ours:
                held[statement.lineno - 1] = ""
    code = "\n".join(held)
    return code, parsed(code)


class _Reading:
    """Reads one cell line by line: `lines` begin as the cell's, and lose their magics."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.lines = cell.source.split("\n")
        self.text = f"{cell.source}\n"
        self.starts = [0, *(found.end() for found in re.finditer("\n", self.text))]
        self.emptied: dict[int, str] = {}
        self.requirements: list[str] = []
        self.faults: list[Fault] = []

    def read(self) -> ast.Module | None:
        """Take the magics out of the lines; their tree where nothing but the magic of the cell was in the way."""
        index = self._cell_magic()
        tree = parsed("\n".join(self.lines)) if index else None
        if tree is not None:
            return tree
        while index < len(self.lines):
            line = self.lines[index]
            stripped = line.lstrip()
            if not stripped or self._magic(index, stripped, line[: len(line) - len(stripped)]):
                index += 1
            else:
                index = self._after_statement(index)
        return None

    def _cell_magic(self) -> int:
        """Handle `%%name` on the first line that is not blank; the index of the line to go on with."""
        first = next((index for index, line in enumerate(self.lines) if line.strip()), 0)
        while first < len(self.lines) and self.lines[first].startswith("%%"):  # one may hold another
            name = _name(self.lines[first][2:])
            if name in CELL_UNWRAPPED:
                self._unwrap_cell(first)
            elif name in CELL_DROPPED or name in INSTALLERS:
                if name in INSTALLERS:
                    self._install(first, self.lines[first][2:])
                self.lines[first:] = [""] * (len(self.lines) - first)
            else:
                self._forbid(first, f"%%{name}", name)
                self.lines[first:] = [""] * (len(self.lines) - first)
            first += 1
        return first

    def _unwrap_cell(self, index: int) -> None:
        _, _, rest = self.lines[index].partition(_name(self.lines[index][2:]))
        name = _name(self.lines[index][2:])
        code = "" if name == "capture" else _without_options(rest)
        self.lines[index] = code

    def _magic(self, index: int, stripped: str, indentation: str) -> bool:
        """Handle the line if it is IPython's; whether it was."""
        if "?" in stripped and _HELP.match(stripped):
            self._drop(index, indentation)
            return True
        if stripped[0] in "%!":
            found = _MAGIC.match(self._whole(index).lstrip())
            if found:
                self._line_magic(index, found["sign"], found["rest"].strip(), indentation)
                return True
        found = _ASSIGNED.match(stripped) if "!" in stripped or "%" in stripped else None
        if found:
            shell = found["sign"] == "!"
            shown = f"{stripped.partition('=')[0].strip()} = {found['sign']}{found['rest']}".strip()
            self._forbid(index, shown[:60], "" if shell else _name(found["rest"]))
            self._whole(index)
            self._drop(index, indentation)
            return True
        return False

    def _whole(self, index: int) -> str:
        """The magic's line with those it goes on in, which are emptied."""
        text = self.lines[index]
        following = index + 1
        while text.endswith("\\") and following < len(self.lines):
            text = f"{text[:-1]} {self.lines[following].strip()}"
            self.lines[following] = ""
            following += 1
        return text

    def _line_magic(self, index: int, sign: str, rest: str, indentation: str) -> None:
        name = _name(rest)
        if sign.startswith("!"):
            if not self._install(index, rest):
                self._forbid(index, f"{sign}{rest}"[:60], "bash")
        elif sign == "%" and name in UNWRAPPED:
            code = _without_options(rest[len(name) :])
            if code:
                self.lines[index] = indentation + code
                return
        elif sign == "%" and name in INSTALLERS:
            if not self._install(index, rest):
                self._forbid(index, f"%{rest}"[:60], name)
        elif sign == "%%" or name not in DROPPED:
            self._forbid(index, f"{sign}{name}", name)
        self._drop(index, indentation)

    def _install(self, index: int, command: str) -> bool:
        """Take what the command installs; whether it is an installer's."""
        from stellwerk.notebooks.installs import UnreadableInstallError, requirements_of

        try:
            found = requirements_of(command)
        except UnreadableInstallError as error:
            self.faults.append(
                Fault(
                    cell=self.cell.number,
                    line=index + 1,
                    message=f"this cannot become a requirement: {error}",
                    hint="write it into the model's requirements file, and delete the line",
                )
            )
            return True
        self.requirements += found or ()
        return found is not None

    def _forbid(self, index: int, shown: str, name: str) -> None:
        self.faults.append(
            Fault(
                cell=self.cell.number,
                line=index + 1,
                message=f"`{shown}` is not Python, so it cannot ship",
                hint=HINTS.get(name, OTHERWISE),
            )
        )

    def _drop(self, index: int, indentation: str) -> None:
        self.lines[index] = ""
        self.emptied[index] = indentation

    def _after_statement(self, index: int) -> int:
        """The index after the logical line that begins here: strings, brackets and backslashes hold lines together."""
        text, at, depth = self.text, self.starts[index], 0
        while True:
            end = text.find("\n", at)
            sign = _SIGNS.search(text, at)
            if sign is None or (end < sign.start() and depth <= 0):
                break
            at = sign.end()
            found = sign[0]
            if sign[1]:
                closed = _STRING_ENDS[sign[1]].match(text, at)
                if closed is None and len(sign[1]) > 1:
                    return len(self.lines)
                at = closed.end() if closed else text.find("\n", at)
            elif found in "([{":
                depth += 1
            elif found in ")]}":
                depth -= 1
        end = text.find("\n", at)
        return len(self.lines) if end < 0 else bisect_left(self.starts, end + 1)


def _name(text: str) -> str:
    found = _NAME.match(text.strip())
    return found[0] if found else ""


def _without_options(text: str) -> str:
    """What `%time` and its like are to run, without their own options (`-n 10 -r 3`)."""
    text = text.strip()
    while True:
        found = _OPTION.match(text)
        if found is None:
            return text
        text = text[found.end() :]
