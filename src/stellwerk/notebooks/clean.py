"""Strips from a notebook what running it wrote: outputs, counts, and what tools note in metadata.

The rules are nbstripout's, with cells keeping their ids. Works on notebooks of any language, and on nothing but bytes.
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from stellwerk.errors import StellwerkError

FORMAT = 4  # nbformat's major version
WRITTEN_BY_TOOLS = ("signature", "widgets", "orig_nbformat")
WRITTEN_IN_CELLS = ("collapsed", "ExecuteTime", "execution", "heading_collapsed", "hidden", "scrolled")
# Inside a JSON string each quote is escaped, so this is found in no cell's text.
_SOME_OUTPUT = re.compile(rb'"outputs"\s*:\s*\[(?!\s*\])')


def stripped(content: bytes, where: str = "") -> bytes:
    """The notebook without what running it wrote; the very same bytes where there is nothing of that.

    Outputs stay in cells that ask for it: the tag or metadata `keep_output`, `init_cell`, or `keep_output` in the
    notebook's own metadata. Keys keep their order; the text is indented by 1 and ends with a line end. StellwerkError
    where these bytes are no notebook.
    """
    document = _read(content, where)
    changed = _drop(document.get("metadata"), WRITTEN_BY_TOOLS)
    metadata = document.get("metadata")
    keeps = isinstance(metadata, dict) and bool(metadata.get("keep_output"))
    for number, cell in enumerate(document["cells"], start=1):
        changed |= _strip_cell(cell, f"{where or 'notebook'} cell {number}", keeps=keeps)
    return _text(document) if changed else content


def output_cells(content: bytes) -> tuple[int, ...]:
    """The numbers, from 1, of the cells that hold an output; none where these bytes are no notebook."""
    if not _SOME_OUTPUT.search(content):
        return ()
    try:
        document = _read(content, "")
    except StellwerkError:
        return ()
    return tuple(number for number, cell in enumerate(document["cells"], start=1) if cell.get("outputs"))


def _read(content: bytes, where: str) -> dict[str, Any]:
    """The notebook, with `cells` being a list of maps."""
    again = "save it again with Jupyter"
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        message = f"the notebook is not UTF-8 (byte {error.start + 1})"
        raise StellwerkError(message, where=where, hint="save it as UTF-8") from None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        merged = re.search(r"^(<<<<<<<|>>>>>>>) ", text, re.MULTILINE)
        hint = "finish the merge: conflict markers stand in the file" if merged else again
        place = f"{where}:{error.lineno}:{error.colno}" if where else f"line {error.lineno}, column {error.colno}"
        raise StellwerkError(f"this is not JSON: {error.msg}", where=place, hint=hint) from None
    except (RecursionError, ValueError) as error:
        message = f"this JSON cannot be read: {type(error).__name__}"
        raise StellwerkError(message, where=where, hint=again) from None
    if not isinstance(document, dict) or "nbformat" not in document:
        message = "this JSON is no notebook: it does not say its `nbformat`"
        raise StellwerkError(message, where=where, hint="name a notebook that Jupyter saved")
    if document["nbformat"] != FORMAT:
        message = f"the notebook has nbformat {json.dumps(document['nbformat'])[:20]}; nbformat {FORMAT} is read"
        raise StellwerkError(message, where=where, hint=f"{again}: a current one writes nbformat {FORMAT}")
    cells = document.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise StellwerkError("the notebook has no list `cells` of cells", where=where, hint=again)
    return cast("dict[str, Any]", document)


def _strip_cell(cell: dict[str, Any], where: str, *, keeps: bool) -> bool:
    """Strip one cell in place; whether anything was there."""
    changed = False
    outputs = cell.get("outputs")
    if outputs and not _keeps_output(cell, where, keeps=keeps):
        cell["outputs"], changed = [], True
    elif isinstance(outputs, list):
        for output in outputs:
            changed |= isinstance(output, dict) and _forget_count(output)
    changed |= _forget_count(cell)
    return changed | _drop(cell.get("metadata"), WRITTEN_IN_CELLS)


def _keeps_output(cell: dict[str, Any], where: str, *, keeps: bool) -> bool:
    metadata = cell.get("metadata")
    if not isinstance(metadata, dict):
        return keeps
    if "init_cell" in metadata:
        return bool(metadata["init_cell"])
    tags = metadata.get("tags")
    tagged = isinstance(tags, list) and "keep_output" in tags
    if "keep_output" not in metadata:
        return tagged or keeps
    said = bool(metadata["keep_output"])
    if tagged and not said:
        message = "the cell's metadata say `keep_output: false`, and its tags say `keep_output`"
        raise StellwerkError(message, where=where, hint="remove one of the two")
    return said


def _forget_count(holder: dict[str, Any]) -> bool:
    known = [key for key in ("execution_count", "prompt_number") if holder.get(key) is not None]
    for key in known:
        holder[key] = None
    return bool(known)


def _drop(metadata: object, keys: tuple[str, ...]) -> bool:
    found = [key for key in keys if isinstance(metadata, dict) and key in metadata]
    for key in found:
        del cast("dict[str, Any]", metadata)[key]
    return bool(found)


def _text(document: dict[str, Any]) -> bytes:
    """As Jupyter writes it. Half a character, which UTF-8 cannot hold, makes all of the file ASCII."""
    try:
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:
        return (json.dumps(document, indent=1) + "\n").encode()
