"""Reading and writing the rows of a dataset: csv as text, jsonl and parquet typed.

CSV values stay the very characters of the file, so that a split hands the model what the snapshot holds. Error messages
name rows and columns, never values: those may be personal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

CHUNK = 1 << 20
BLOCK = 1 << 24  # bytes; the longest CSV row that can be read
SHOWN = 10  # row numbers named in one message
_LOOKS_LIKE_DATA = re.compile(r"\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{4}-\d{2}-\d{2}\S*)?\s*")


def read_rows(path: Path, format: str) -> pd.DataFrame:  # noqa: A002  (the declaration's own key)
    """Read every row of a `csv`, `jsonl` or `parquet` file; the index counts rows from 0.

    StellwerkError names the file and the row of what cannot be read.
    """
    if not path.is_file():
        raise StellwerkError("there is no such file", where=str(path), hint="check the dataset's `path`")
    if path.stat().st_size == 0:
        raise StellwerkError("the file is empty", where=str(path), hint="it needs a header and at least one row")
    match format:
        case "csv":
            return _read_csv(path)
        case "jsonl":
            return _read_jsonl(path)
        case "parquet":
            return _read_parquet(path)
        case _:
            raise StellwerkError(f"unknown format {format}", where=str(path), hint="use csv, jsonl or parquet")


def write_rows(frame: pd.DataFrame, path: Path, format: str) -> None:  # noqa: A002
    """Write the rows, whole or not at all: a temporary file beside `path`, then a rename."""
    import os

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        match format:
            case "csv":
                part.write_bytes(csv_bytes(frame))
            case "jsonl":
                part.write_bytes(_jsonl_bytes(frame))
            case "parquet":
                frame.to_parquet(part, index=False)
            case _:
                raise StellwerkError(f"unknown format {format}", where=str(path), hint="use csv, jsonl or parquet")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def typed(frame: pd.DataFrame, format: str) -> pd.DataFrame:  # noqa: A002
    """What pandas makes of the rows, which is what a model sees; for csv the text is inferred anew."""
    if format != "csv" or not len(frame.columns):
        return frame
    import io

    import pandas as pd

    # low_memory=False: a column's type must not depend on where a chunk of the file ends.
    return pd.read_csv(io.BytesIO(csv_bytes(frame)), low_memory=False)


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """UTF-8, header first, LF line ends (CRLF where a value holds a CR), quotes only where a value needs them."""
    import pyarrow as pa
    import pyarrow.csv as pacsv

    if len(frame.columns) < 2 or not _plain(frame):  # noqa: PLR2004  (an empty value alone on its line needs quotes)
        return _quoted(frame)
    header = frame.iloc[:0].to_csv(index=False, lineterminator="\n").encode()
    buffer = pa.BufferOutputStream()
    buffer.write(header)
    table = pa.table({str(position): pa.array(frame.iloc[:, position]) for position in range(len(frame.columns))})
    pacsv.write_csv(table, buffer, pacsv.WriteOptions(include_header=False, quoting_style="none"))
    return bytes(buffer.getvalue())


def _quoted(frame: pd.DataFrame) -> bytes:
    """Write with quotes where needed. A carriage return is quoted only if it is part of the line end as well."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return (frame.to_csv(index=False, lineterminator="\r\n") if "\r" in text else text).encode()


def rows_in_words(rows: Sequence[int], count: int | None = None) -> str:
    """Say which rows (0-based positions) are meant, as people count them: 'row 5 (line 6)', at most ten."""
    shown = [f"row {row + 1} (line {row + 2})" for row in rows[:SHOWN]]
    more = (len(rows) if count is None else count) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _plain(frame: pd.DataFrame) -> bool:
    """Whether every column is text in which no value needs a quote."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    for position in range(len(frame.columns)):
        column = frame.iloc[:, position]
        if not isinstance(column.dtype, pd.StringDtype):
            return False
        values = pa.array(column)
        if values.null_count or pc.any(pc.match_substring_regex(values, '[",\r\n]')).as_py():
            return False
    return True


def _read_csv(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    _check_text(path)
    names = _csv_header(path)
    ragged: list[tuple[int | None, int, int]] = []

    def note(row: pacsv.InvalidRow) -> str:
        ragged.append((row.number, row.expected_columns, row.actual_columns))
        return "skip"

    try:
        table = pacsv.read_csv(
            path,
            # One thread: only then does Arrow know the number of a bad row.
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=_places(names), skip_rows=0
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(_places(names), pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        hint = "look for a quote that is opened and never closed"
        raise StellwerkError("the file is not readable as CSV", where=str(path), hint=hint) from error
    if ragged:
        number, expected, actual = ragged[0]
        position = f"row {number - 1} (line {number})" if number else "a row"
        more = f"; {len(ragged)} rows are like that" if len(ragged) > 1 else ""
        raise StellwerkError(
            f"{position} has {actual} values, the header has {expected}{more}",
            where=f"{path}:{number}" if number else str(path),
            hint="quote values that contain a comma, and give every row one value per column",
        )
    return _with_header_removed(table, names)


def _places(names: Sequence[str]) -> list[str]:
    return [str(position) for position in range(len(names))]


def _with_header_removed(table: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    frame: pd.DataFrame = table.slice(1).to_pandas().astype("str")
    frame.columns = list(names)
    return frame


def _csv_header(path: Path) -> tuple[str, ...]:
    import csv

    with path.open(encoding="utf-8-sig", newline="") as handle:
        try:
            names = tuple(next((row for row in csv.reader(handle) if row), []))
        except csv.Error as error:
            raise StellwerkError("the header is not readable as CSV", where=f"{path}:1") from error
    if not names:
        raise StellwerkError("the file has no header", where=str(path), hint="the first line names the columns")
    if all(_LOOKS_LIKE_DATA.fullmatch(name) for name in names):
        hint = "put a first line with the columns' names in"
        raise StellwerkError("the file has no header: its first line holds data", where=f"{path}:1", hint=hint)
    _check_names(path, names)
    return names


def _check_names(path: Path, names: Sequence[str]) -> None:
    if "" in names:
        hint = "name the column, or leave it out (pandas: to_csv(index=False))"
        raise StellwerkError(f"column {names.index('') + 1} has no name", where=f"{path}:1", hint=hint)
    for position, name in enumerate(names):
        first = names.index(name)
        if first != position:
            # Without a header the "name" is a value of somebody's row, so it is not repeated here.
            raise StellwerkError(
                f"columns {first + 1} and {position + 1} have the same name",
                where=f"{path}:1",
                hint="rename one of them; if the first line holds data, put a line with the columns' names before it",
            )


def _check_text(path: Path) -> None:
    """Refuse what is not UTF-8 or holds NUL bytes, with the line it is on."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            nul = chunk.find(b"\0")
            if nul >= 0:
                number = line + chunk.count(b"\n", 0, nul)
                hint = "write the file as plain UTF-8 text; UTF-16 and binary files look like this"
                raise StellwerkError("the file holds NUL bytes", where=f"{path}:{number}", hint=hint)
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(path, line + chunk.count(b"\n", 0, max(error.start, 0))) from error
            line += chunk.count(b"\n")
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise _not_utf8(path, line) from error


def _not_utf8(path: Path, line: int) -> StellwerkError:
    hint = "convert it, for example: iconv -f latin1 -t utf-8"
    return StellwerkError("the file is not UTF-8 text", where=f"{path}:{line}", hint=hint)


def _read_jsonl(path: Path) -> pd.DataFrame:
    import json

    import pandas as pd

    _check_text(path)
    records: list[dict[str, object]] = []
    with path.open(encoding="utf-8-sig") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                hint = "every line holds one JSON object"
                raise StellwerkError(f"line {number} is not JSON", where=f"{path}:{number}", hint=hint) from error
            if not isinstance(record, dict):
                hint = 'every line holds one object, such as {"column": 1}'
                raise StellwerkError(f"line {number} is not a JSON object", where=f"{path}:{number}", hint=hint)
            records.append(record)
    if not records:
        raise StellwerkError("the file has no rows", where=str(path), hint="every line holds one JSON object")
    return pd.DataFrame.from_records(records)


def _jsonl_bytes(frame: pd.DataFrame) -> bytes:
    import json

    import pandas as pd

    columns = [frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame.columns]
    names = [str(name) for name in frame.columns]
    lines = [
        json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=pd.Timestamp.isoformat)
        for row in zip(*columns, strict=True)
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        _check_names(path, pq.read_schema(path).names)
        frame = pd.read_parquet(path)
    except (pa.ArrowException, OSError) as error:
        hint = "write the file again, or set the dataset's `format`"
        raise StellwerkError("the file is not readable as Parquet", where=str(path), hint=hint) from error
    return frame.reset_index(drop=True)
