"""What a model's code is: its source, what that imports inside the repository, and its declared inputs."""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import io
import posixpath
import re
import tokenize
import warnings
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from stellwerk.model.ids import CHANGED
from stellwerk.model.observed import CodeFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.model.declared import Json, Model
    from stellwerk.model.ports import Cache, Tree

KIND = "code-2"
Import = tuple[int, str, tuple[str, ...]]  # level, module, names
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")  # where statements hold statements
_SPANS = re.compile(  # strings and comments
    r"""("{3}(?:[^"\\]|\\.|"{1,2}(?!"))*"{3}|'{3}(?:[^'\\]|\\.|'{1,2}(?!'))*'{3}"""
    r"""|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|\#[^\n]*""",
    re.DOTALL,
)
_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|\A\ufeff|\A(?:[^\n]*\n)?[^\n]*coding")
_OPEN = re.compile(r"""[\\'"]""")
_HELD = "\0"  # stands for a line's end inside a string; source has none
_FSTRING_START = getattr(tokenize, "FSTRING_START", -1)
_FSTRING_END = getattr(tokenize, "FSTRING_END", -1)


class FileFacts(Struct, frozen=True):
    """A file's digest, and what it imports: (level, module, names)."""

    digest: str
    imports: tuple[Import, ...]


class CodeReader:
    """Reads code files of one tree, each at most once, through the cache."""

    def __init__(self, tree: Tree, cache: Cache) -> None:
        self.tree = tree
        self.cache = cache
        self._facts: dict[str, FileFacts] = {}

    def load(self, paths: Iterable[str]) -> None:
        """Take the facts of many files at once: from the cache, the rest read in bulk."""
        blobs, missing = self.tree.blobs(), []
        for path in paths:
            if path in self._facts or path not in blobs:
                continue
            stored = self.cache.get(KIND, f"{blobs[path]}:{posixpath.splitext(path)[1]}")
            if isinstance(stored, list):
                self._facts[path] = _from_json(stored)
            else:
                missing.append(path)
        for path, content in self.tree.read(missing).items():
            facts = file_facts(path, content)
            self._facts[path] = facts
            if not blobs[path].startswith(CHANGED):
                self.cache.put(KIND, f"{blobs[path]}:{posixpath.splitext(path)[1]}", _to_json(facts))

    def facts(self, path: str) -> FileFacts | None:
        if path not in self._facts:
            self.load([path])
        return self._facts.get(path)


def _to_json(facts: FileFacts) -> Json:
    return [facts.digest, [[level, module, list(names)] for level, module, names in facts.imports]]


def _from_json(stored: list[Json]) -> FileFacts:
    digest, imports = stored
    made = tuple((item[0], item[1], tuple(item[2])) for item in imports)  # type: ignore[union-attr,index,arg-type]
    return FileFacts(str(digest), made)  # type: ignore[arg-type]


def file_facts(path: str, content: bytes) -> FileFacts:
    """Digest and imports of one file. Python is digested without comments and blank lines, the rest as it is."""
    if not path.endswith(".py"):
        return FileFacts(hashlib.sha256(content).hexdigest(), ())
    tree = _parsed(content)
    normal = plain_form(content) if tree else None
    normal = normal_form(content) if normal is None else normal
    return FileFacts(hashlib.sha256(normal).hexdigest(), _imports(tree) if tree else ())


def normal_form(source: bytes) -> bytes:
    """Python source without comments, blank lines, trailing blanks and Windows line ends; strings stay as they are.

    Works on the text and not on the syntax tree, so that the digest is the same in every Python release. Source that
    does not tokenize, or says that it is not UTF-8, is returned unchanged.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = source.decode("utf-8-sig").replace("\r\n", "\n")
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (ValueError, tokenize.TokenError, SyntaxError):
        return source
    if encoding not in ("utf-8", "utf-8-sig") or any(token.type == tokenize.ERRORTOKEN for token in tokens):
        return source
    lines = text.split("\n")
    for token in tokens:
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    inside = _inside_strings(tokens)
    kept = []
    continued = False  # a backslash joins a line to the one before it, even a blank one
    for number, line in enumerate(lines, start=1):
        if number in inside:
            kept.append(line)
        elif number - 1 in inside or line.strip() or continued:
            kept.append(line.rstrip())
        continued = number not in inside and line.endswith("\\")
    return "\n".join(kept).encode()


def _inside_strings(tokens: list[tokenize.TokenInfo]) -> frozenset[int]:
    """The numbers of the lines that end inside a string."""
    inside: set[int] = set()
    starts: list[int] = []
    for token in tokens:
        if token.type == tokenize.STRING:
            inside.update(range(token.start[0], token.end[0]))
        elif token.type == _FSTRING_START:
            starts.append(token.start[0])
        elif token.type == _FSTRING_END:
            inside.update(range(starts.pop(), token.end[0]))
    return frozenset(inside)


def plain_form(source: bytes) -> bytes | None:
    """The normal form of source that parses; None where strings and comments cannot be told from the text alone.

    Five times as quick as taking it apart into tokens.
    """
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError:
        return None  # it declares another encoding
    if _ODD.search(text):
        return None
    kept, code, at = [], [], 0
    for found in _SPANS.finditer(text):
        start, string = found.start(), found[1]
        code.append(text[at:start])
        kept.append(code[-1])
        if string is not None:
            if text[max(start - 2, 0) : start].strip("rR")[-1:] in {"f", "F"} and not _simple_fields(string):
                return None
            kept.append(string.replace("\n", _HELD))
        at = found.end()
    code.append(text[at:])
    kept.append(code[-1])
    outside = "".join(code)
    if not outside.isascii() or _OPEN.search(outside):
        return None
    lines = (line.rstrip() for line in "".join(kept).split("\n"))
    return "\n".join(filter(None, lines)).replace(_HELD, "\n").encode()


def _simple_fields(string: str) -> bool:
    """Whether an f-string ends where its quotes say: no field of it holds quotes or comments of its own."""
    return not any(sign in string for sign in ("{{", "}}", "#")) and string.count("{") == string.count("}")


def imports_of(source: bytes) -> tuple[Import, ...]:
    """The import statements anywhere in the source; () where it does not parse (training will say so)."""
    tree = _parsed(source)
    return _imports(tree) if tree else ()


def _parsed(source: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about somebody's code, which is not ours to print
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imports(tree: ast.Module) -> tuple[Import, ...]:
    """The import statements in the bodies of all statements; no expression holds one."""
    found: set[Import] = set()
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found.update((0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.level, node.module or "", tuple(alias.name for alias in node.names)))
        else:
            for name in _BODIES:
                waiting.extend(getattr(node, name, ()))
    return tuple(sorted(found))


def code_files(model: Model, reader: CodeReader) -> tuple[CodeFile, ...]:
    """Every file of the model's code, sorted by path. A named file that is not there has the digest ''."""
    blobs = reader.tree.blobs()
    paths: dict[str, None] = {}
    if model.module:
        _follow(model.module, posixpath.dirname(model.module), reader, paths)
    for pattern in model.inputs:
        for path in match_inputs(pattern, blobs):
            paths.setdefault(path)
    if model.requirements:
        paths.setdefault(model.requirements)
    files = []
    for path in sorted(paths):
        facts = reader.facts(path)
        files.append(CodeFile(path=path, digest=facts.digest if facts else ""))
    return tuple(files)


def match_inputs(pattern: str, blobs: Mapping[str, str]) -> tuple[str, ...]:
    """The files an `inputs` entry names: itself, a folder's files, or a glob's; itself where none is there."""
    if pattern in blobs:
        return (pattern,)
    if any(sign in pattern for sign in "*?["):
        matched = tuple(sorted(fnmatch.filter(blobs, pattern)))
    else:
        folder = pattern.rstrip("/") + "/"
        matched = tuple(sorted(path for path in blobs if path.startswith(folder)))
    return matched or (pattern,)


def metric_files(model: Model, reader: CodeReader) -> tuple[CodeFile, ...]:
    """The files of the custom metrics (`module:function`) that the model's thresholds name."""
    paths: dict[str, None] = {}
    home = posixpath.dirname(model.module or "")
    for threshold in model.thresholds:
        module, colon, _ = threshold.metric.partition(":")
        if colon:
            for path in _candidates(0, module, (), home, home):
                if path in reader.tree.blobs():
                    _follow(path, home, reader, paths)
    made = ((path, reader.facts(path)) for path in sorted(paths))
    return tuple(CodeFile(path=path, digest=facts.digest if facts else "") for path, facts in made)


def _follow(path: str, home: str, reader: CodeReader, paths: dict[str, None]) -> None:
    """Add the file and, recursively, what it imports inside the repository."""
    waiting = [path]
    blobs = reader.tree.blobs()
    while waiting:
        current = waiting.pop()
        if current in paths:
            continue
        paths[current] = None
        facts = reader.facts(current)
        if facts is None:
            continue
        for level, module, names in facts.imports:
            waiting.extend(
                candidate
                for candidate in _candidates(level, module, names, home, posixpath.dirname(current))
                if candidate in blobs and candidate not in paths
            )


def _candidates(level: int, module: str, names: tuple[str, ...], home: str, folder: str) -> Iterable[str]:
    """Where an import may live: beside the source, or from the repository's root; packages' __init__ included."""
    parts = module.split(".") if module else []
    if level:
        base = folder
        for _ in range(level - 1):
            base = posixpath.dirname(base)
        bases = [base]
    else:
        bases = [home, ""]
    for base in dict.fromkeys(bases):
        for depth in range(1, len(parts)):
            yield posixpath.join(base, *parts[:depth], "__init__.py")
        stem = posixpath.join(base, *parts)
        if parts:
            yield f"{stem}.py"
        yield posixpath.join(stem, "__init__.py")
        for name in names:
            yield posixpath.join(stem, f"{name}.py")
            yield posixpath.join(stem, name, "__init__.py")
