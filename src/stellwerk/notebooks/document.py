"""Reads a notebook (nbformat 4) from its bytes. Outputs, counts and metadata other than tags are not kept."""

from __future__ import annotations

import json
import posixpath
import re
from typing import Any

from msgspec import Struct

from stellwerk.errors import StellwerkError

FUNCTIONS = ("prepare", "train", "predict", "decide", "update")  # a cell with this tag defines the function
EXPORTED = frozenset({*FUNCTIONS, "parameters", "export"})
TAGS = EXPORTED | {"test"}
KINDS = ("code", "markdown", "raw")
CURRENT = 4  # nbformat's major version
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*\Z")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*\Z")
_FENCE = re.compile(r" {0,3}(```|~~~)")


class NotebookError(StellwerkError):
    """The file is no notebook that can be read; `where` names it and, where there is one, the cell."""


class Cell(Struct, frozen=True, kw_only=True):
    r"""One cell. `number` counts all cells from 1. An id that the file lacks is `derived` from the source.

    `source` has "\n" as its only line end. `kind` is code, markdown or raw.
    """

    id: str
    number: int
    kind: str
    tags: frozenset[str]
    source: str
    has_output: bool = False
    derived: bool = False

    @property
    def exported(self) -> bool:
        """Whether its code ships in the module."""
        return self.kind == "code" and not self.tags.isdisjoint(EXPORTED)

    @property
    def tested(self) -> bool:
        """Whether its code goes to the generated tests. A cell that ships is no test."""
        return self.kind == "code" and "test" in self.tags and not self.exported


class Notebook(Struct, frozen=True, kw_only=True):
    """A notebook's cells in their order, and its first markdown heading."""

    path: str
    cells: tuple[Cell, ...]
    heading: str | None = None

    @property
    def name(self) -> str:
        """The file's name without folder and ending."""
        return posixpath.splitext(posixpath.basename(self.path))[0]


def read_notebook(path: str, content: bytes) -> Notebook:
    """The notebook in these bytes. Raises NotebookError with the cell where one is at fault."""
    document = _document(path, content)
    cells = tuple(_cell(raw, number, path) for number, raw in enumerate(document["cells"], start=1))
    return Notebook(path=path, cells=cells, heading=first_heading(cells))


def first_heading(cells: tuple[Cell, ...]) -> str | None:
    """The text of the first heading in the markdown cells, without its signs."""
    for cell in cells:
        if cell.kind == "markdown":
            found = _heading(cell.source)
            if found:
                return found
    return None


def derived_id(source: str) -> str:
    """The id of a cell that has none: it follows from the source alone."""
    import hashlib  # few notebooks lack ids

    return hashlib.sha256(source.encode()).hexdigest()[:8]


def _document(path: str, content: bytes) -> dict[str, Any]:
    text = _text(path, content)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        merged = re.search(r"^(<<<<<<<|>>>>>>>) ", text, re.MULTILINE)
        raise NotebookError(
            f"this is not JSON: {error.msg}",
            where=f"{path}:{error.lineno}:{error.colno}",
            hint="finish the merge: conflict markers stand in the file" if merged else "save it again with Jupyter",
        ) from None
    except RecursionError:
        raise NotebookError("this JSON is nested too deeply", where=path, hint="save it again with Jupyter") from None
    except ValueError:  # Python's own limit
        hint = "take out the output or the metadata that holds it: stellwerk notebook clean"
        raise NotebookError("a number in this JSON has thousands of digits", where=path, hint=hint) from None
    if not isinstance(document, dict) or "nbformat" not in document:
        raise NotebookError(
            "this JSON is no notebook: it does not say its `nbformat`",
            where=path,
            hint="name a notebook that Jupyter saved, or a Python file",
        )
    version = document["nbformat"]
    if version != CURRENT:
        newer = isinstance(version, int) and version > CURRENT
        raise NotebookError(
            f"the notebook has nbformat {version}; nbformat {CURRENT} is read",
            where=path,
            hint="save it as nbformat 4" if newer else "open it in a current Jupyter and save it: that makes it 4",
        )
    if not isinstance(document.get("cells"), list):
        raise NotebookError("the notebook has no list `cells`", where=path, hint="save it again with Jupyter")
    _written_in_python(path, document)
    return document


def _text(path: str, content: bytes) -> str:
    if content.startswith(b"\xef\xbb\xbf"):
        raise NotebookError(
            "the file begins with a byte order mark, which Jupyter does not read either",
            where=path,
            hint="save it as UTF-8 without BOM",
        )
    if not content.strip():
        raise NotebookError("the file is empty", where=path, hint="save the notebook again with Jupyter")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotebookError(
            f"the file is not UTF-8 (byte {error.start + 1})", where=path, hint="save it as UTF-8"
        ) from None


def _written_in_python(path: str, document: dict[str, Any]) -> None:
    metadata = document.get("metadata")
    described = metadata if isinstance(metadata, dict) else {}
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        said = described.get(part)
        language = said.get(key) if isinstance(said, dict) else None
        if isinstance(language, str) and language.lower() not in {"python", "python3", "ipython", ""}:
            raise NotebookError(
                f"the notebook is written in {language}; only Python notebooks become source",
                where=path,
                hint="train by `command:` instead, which runs anything",
            )


def _cell(raw: Any, number: int, path: str) -> Cell:
    where = f"{path} cell {number}"
    if not isinstance(raw, dict) or raw.get("cell_type") not in KINDS:
        raise NotebookError(
            "this is no cell: its `cell_type` is not code, markdown or raw",
            where=where,
            hint="save the notebook again with Jupyter",
        )
    source = _source(raw.get("source", ""), where)
    given = raw.get("id")
    if given is not None and not (isinstance(given, str) and _ID.match(given)):
        raise NotebookError(
            f"the cell's id {given!r:.80} is none: 1 to 64 letters, digits, - and _",
            where=where,
            hint="delete the id; Jupyter gives the cell a new one",
        )
    return Cell(
        id=given or derived_id(source),
        number=number,
        kind=raw["cell_type"],
        tags=_tags(raw.get("metadata"), where),
        source=source,
        has_output=bool(raw.get("outputs")),
        derived=given is None,
    )


def _source(raw: Any, where: str) -> str:
    if isinstance(raw, list) and all(isinstance(line, str) for line in raw):
        raw = "".join(raw)
    if not isinstance(raw, str):
        raise NotebookError(
            "the cell's `source` is neither text nor a list of lines",
            where=where,
            hint="save the notebook again with Jupyter",
        )
    source = raw.replace("\r\n", "\n").replace("\r", "\n")
    try:
        source.encode()
    except UnicodeEncodeError:
        raise NotebookError(
            "the cell's `source` holds half a character (a lone surrogate)",
            where=where,
            hint="type the character again",
        ) from None
    return source


def _tags(metadata: Any, where: str) -> frozenset[str]:
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise NotebookError("the cell's `tags` are no list of words", where=where, hint="set its tags again in Jupyter")
    return frozenset(tag.strip() for tag in tags)


def _heading(text: str) -> str | None:
    fenced, above = "", ""
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if fence and (not fenced or fence[1] == fenced):
            fenced, above = "" if fenced else fence[1], ""
            continue
        if fenced:
            continue
        found = _HEADING.match(line)
        title = found[1] if found else above if above and _UNDERLINE.match(line) else ""
        if title.strip("*_` \t"):
            return " ".join(title.replace("**", "").replace("`", "").split())
        above = "" if found else line.strip()
    return None
