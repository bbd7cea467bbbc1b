"""What must hold of the loader for any bytes whatever, and the inputs that fuzzing starts from.

One input is one file, or several: a line `=== PATH` starts the file of that path (`mlops.yaml` where none does).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.model.declared import Json
    from stellwerk.model.findings import Finding

CORPUS = Path(__file__).with_name("corpus")
CHECKOUT = Path(__file__).resolve().parents[2]
DIVIDER = b"=== "
SECONDS = 10.0  # for one input, on a machine that does other things as well
MEMORY = 2 * 1024**3  # bytes of address space, the interpreter and the engine included
LONGEST = 64 * 1024  # bytes of an input that an engine makes


class MemoryTree:
    """The files of one input."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def blobs(self) -> Mapping[str, str]:
        return {path: hashlib.sha256(content).hexdigest() for path, content in self._files.items()}

    def read(self, paths: Iterable[str]) -> Mapping[str, bytes]:
        return {path: self._files[path] for path in paths if path in self._files}

    def symlinks(self) -> frozenset[str]:
        return frozenset()


class JsonCache:
    """Keeps what it is given as JSON text: what does not survive that, no cache on a disk would keep."""

    def __init__(self) -> None:
        self._stored: dict[tuple[str, str], str] = {}

    def get(self, kind: str, blob: str) -> Json:
        text = self._stored.get((kind, blob))
        return None if text is None else json.loads(text)

    def put(self, kind: str, blob: str, value: Json) -> None:
        self._stored[kind, blob] = json.dumps(value)


def files_of(data: bytes) -> dict[str, bytes]:
    """Path -> content."""
    files: dict[str, bytes] = {}
    path, lines = "mlops.yaml", []
    for line in data.splitlines(keepends=True):
        if line.startswith(DIVIDER):
            if lines:
                files[path] = b"".join(lines)
            path, lines = line[len(DIVIDER) :].decode("utf-8", "replace").strip(), []
        else:
            lines.append(line)
    return files | {path: b"".join(lines)}


def input_of(files: Mapping[str, str]) -> bytes:
    """The input that holds those files."""
    return b"".join(
        DIVIDER + path.encode() + b"\n" + text.encode().rstrip(b"\n") + b"\n" for path, text in files.items()
    )


def check(data: bytes) -> None:
    """The claim. Raises AssertionError where an answer is wrong, and whatever the loader raises."""
    check_document(data)
    check_tree(files_of(data))


def check_document(data: bytes) -> None:
    """A document or a reason why there is none; both can be written as JSON and as UTF-8."""
    from stellwerk.declarations.document import MAX_FINDINGS, load_document
    from stellwerk.declarations.schema import KINDS, check, text_shape

    for shape in (None, *(text_shape(kind) for kind in KINDS)):
        document, findings = load_document("a.yaml", data, shape=shape)
        assert document is not None or findings, "neither a document nor a reason"
        assert len(findings) <= MAX_FINDINGS
        _well_formed(findings, data)
        if document is not None:
            text = json.dumps(document.value, allow_nan=False, ensure_ascii=False)
            assert json.loads(text.encode()) == document.value
            for kind in KINDS:
                for mismatch in check(kind, document.value):
                    assert document.places.of(mismatch.keys).line >= 1


def check_tree(files: Mapping[str, bytes]) -> None:
    """All declarations, decoded and judged; what the cache gives back is what was read."""
    from stellwerk.declarations.compose import load_declarations
    from stellwerk.planning.rules import check_rules
    from stellwerk.planning.rules.rule import RuleInput

    tree, cache = MemoryTree(files), JsonCache()
    declarations, findings = load_declarations(tree)
    again = [load_declarations(tree, cache=cache) for _ in range(2)]
    assert declarations is not None or findings, "neither declarations nor a reason"
    for other, said in again:
        assert said == findings
        assert (other is None) == (declarations is None)
        assert other is None or declarations is None or other.project == declarations.project
    if declarations is not None:
        findings += check_rules(RuleInput(declarations=declarations, tree=tree))
    for finding in findings:
        _well_formed((finding,), files.get(finding.place.path, b""))


def _well_formed(findings: Iterable[Finding], data: bytes) -> None:
    lines = data.count(b"\n") + data.count(b"\r") + data.count(b"\xc2\x85") + data.count(b"\xe2\x80") + 2
    for finding in findings:
        assert finding.message
        assert 1 <= finding.place.line <= lines, finding
        assert finding.place.column >= 1, finding
        f"{finding.message}{finding.hint}".encode()


def seeds() -> dict[str, bytes]:
    """Name -> input: the files of `corpus/`, the examples of every rule, and the reference project."""
    from stellwerk.planning.rules.catalogue import ALL_RULES

    found = {path.name: path.read_bytes() for path in sorted(CORPUS.iterdir())}
    for rule in ALL_RULES:
        found |= {
            f"{rule.id}-failing": input_of(rule.failing.files),
            f"{rule.id}-passing": input_of(rule.passing.files),
        }
    paths = [CHECKOUT / "mlops.yaml", *sorted(CHECKOUT.glob("environments/*.yaml"))]
    reference = {path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return found | {"reference": input_of(reference)}


def words() -> tuple[str, ...]:
    """What the language is made of: every key and value that the schemas know, and YAML's own marks."""
    from stellwerk.declarations.schema import KINDS, schema_text

    found = {
        "<<: ",
        "&a ",
        "*a",
        "!!str ",
        "!!binary ",
        "---\n",
        "...\n",
        "|\n",
        ">-\n",
        "? ",
        ": ",
        "- ",
        "%YAML 1.1\n",
    }
    found |= {"0o17", "1e999", ".nan", "-.inf", "null", "~", "2026-02-30", "1w", "5%", "=== ", "environments/x.yaml\n"}
    for kind in KINDS:
        _collect(json.loads(schema_text(kind)), found)
    return tuple(sorted(found))


def _collect(schema: Json, found: set[str]) -> None:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties" and isinstance(value, dict):
                found.update(value)
            elif key in {"enum", "examples"} and isinstance(value, list):
                found.update(item for item in value if isinstance(item, str))
            _collect(value, found)
    elif isinstance(schema, list):
        for item in schema:
            _collect(item, found)
