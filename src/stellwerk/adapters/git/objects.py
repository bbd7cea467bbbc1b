"""New git objects: trees are edited in memory, and all that is new goes to git in one pack.

Git reads it (`unpack-objects`, or `index-pack` where it is large), so permissions, alternates and the object format are
git's own business. A commit with twenty files in a repository of a thousand models costs two processes, whatever lies
beside them.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stellwerk.adapters.git.read import GitReader

FOLDER = "40000"
PACKED = {"commit": 1, "tree": 2, "blob": 3}  # the numbers of gitformat-pack(5)
SHA256_DIGITS = 64
LOOSE = 20  # objects that git keeps as single files; more stay in one pack, which costs a fifth of the time


class Entry(Struct, frozen=True):
    """What a tree holds under a name. `mode` as git writes it in trees: 100644, 100755, 120000, 160000, 40000."""

    mode: str
    id: str


_Line = tuple[Entry, bytes, bytes]  # with what it is sorted by, and its bytes


class NewObjects:
    """Objects that git does not have yet, in the repository's object format; `store` hands them over."""

    def __init__(self, reader: GitReader, known: str | None = None) -> None:
        """`known`: the id of any object of the repository, which tells its format."""
        self.reader = reader
        digits = len(known) if known else _digits(reader)
        self.sha256 = digits == SHA256_DIGITS
        self._new: dict[str, tuple[str, bytes]] = {}

    def id_of(self, kind: str, content: bytes) -> str:
        """The id git gives to an object of that kind (blob, tree, commit) and content."""
        text = b"%s %d\0%s" % (kind.encode(), len(content), content)
        return (hashlib.sha256(text) if self.sha256 else hashlib.sha1(text, usedforsecurity=False)).hexdigest()

    def add(self, kind: str, content: bytes) -> str:
        """Remember an object for `store`; returns its id."""
        name = self.id_of(kind, content)
        self._new[name] = (kind, content)
        return name

    def store(self) -> None:
        """Write everything that was added. Raises GitError, and then nothing refers to what was written."""
        if not self._new:
            return
        parts = [b"PACK" + (2).to_bytes(4) + len(self._new).to_bytes(4)]
        for kind, content in self._new.values():
            # Trees are mostly ids, which hardly shrink; git stores what differs from tree to tree when it sends them.
            parts += [_size(PACKED[kind], len(content)), zlib.compress(content, 0 if kind == "tree" else 1)]
        pack = b"".join(parts)
        check = hashlib.sha256(pack) if self.sha256 else hashlib.sha1(pack, usedforsecurity=False)
        command = ("unpack-objects", "-q") if len(self._new) <= LOOSE else ("index-pack", "--stdin", "--threads=1")
        self.reader.run(*command, stdin=pack + check.digest())
        self._new.clear()


class TreeEditor:
    """The trees of a commit, changed path by path. Reads only the folders on the way to what changes."""

    def __init__(self, objects: NewObjects, commit: str | None) -> None:
        self.objects = objects
        self.commit = commit
        self._folders: dict[str, dict[str, Entry] | None] = {}
        self._lines: dict[str, dict[str, _Line]] = {}

    def entries(self, paths: Iterable[str]) -> dict[str, Entry]:
        """Path -> what is there now; absent paths are left out."""
        wanted = list(paths)
        self._load(wanted)
        found = {}
        for path in wanted:
            folder, _, name = path.rpartition("/")
            entry = (self._folders[folder] or {}).get(name)
            if entry is not None:
                found[path] = entry
        return found

    def change(self, changes: Mapping[str, Entry | None]) -> str:
        """Set (None: remove) the paths; returns the id of the whole tree, which `objects.store` will write.

        Raises StellwerkError where a file stands in place of a folder that is needed, or the other way round.
        """
        self._load(changes)
        touched: set[str] = {""}
        for path in sorted(path for path, entry in changes.items() if entry is None):
            self._remove(path)
            touched.update(_folders(path))
        for path, entry in sorted(changes.items()):
            if entry is not None:
                self._put(path, entry)
                touched.update(_folders(path))
        return self._write(touched)

    def _load(self, paths: Iterable[str]) -> None:
        """Read the folders of the paths that are not known yet, in one process."""
        wanted = sorted({"", *(folder for path in paths for folder in _folders(path))} - self._folders.keys())
        if not wanted or self.commit is None:
            self._folders |= dict.fromkeys(wanted)
            return
        asked = [f"{self.commit}:{folder}".encode("utf-8", "surrogateescape") for folder in wanted]
        output = self.objects.reader.run("cat-file", "--batch", "-z", stdin=b"".join(item + b"\0" for item in asked))
        position = 0
        for folder, question in zip(wanted, asked, strict=True):
            if output.startswith(question + b" missing\n", position):
                self._folders[folder] = None
                position += len(question) + len(b" missing\n")
                continue
            end = output.index(b"\n", position)
            _, kind, *size = output[position:end].split(b" ")
            position = end + 1
            if size:
                content = output[position : position + int(size[0])]
                position += int(size[0]) + 1
                self._folders[folder] = self._parsed(content) if kind == b"tree" else None
            else:  # a submodule
                self._folders[folder] = None

    def _parsed(self, content: bytes) -> dict[str, Entry]:
        found, position, width = {}, 0, 32 if self.objects.sha256 else 20
        while position < len(content):
            end = content.index(b"\0", position)
            mode, _, name = content[position:end].partition(b" ")
            found[name.decode("utf-8", "surrogateescape")] = Entry(
                mode.decode(), content[end + 1 : end + 1 + width].hex()
            )
            position = end + 1 + width
        return found

    def _remove(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        entries = self._folders[folder]
        if entries is None or name not in entries or entries[name].mode == FOLDER:
            return
        del entries[name]
        while not entries and folder:
            self._folders[folder] = None
            folder, _, name = folder.rpartition("/")
            entries = self._folders[folder] or {}
            entries.pop(name, None)

    def _put(self, path: str, entry: Entry) -> None:
        entries: dict[str, Entry] = {}
        for folder in _folders(path):
            if folder:
                present = entries.setdefault(folder.rpartition("/")[2], Entry(FOLDER, ""))
                if present.mode != FOLDER:
                    raise _in_the_way(folder)
            known = self._folders.get(folder)
            if known is None:
                known = self._folders[folder] = {}
            entries = known
        name = path.rpartition("/")[2]
        if name in entries and entries[name].mode == FOLDER:
            raise _in_the_way(path)
        entries[name] = entry

    def _write(self, touched: Iterable[str]) -> str:
        root = ""
        for folder in sorted(touched, key=lambda item: (-item.count("/") - bool(item), item)):
            entries = self._folders[folder]
            if entries is None and folder:
                continue
            root = self.objects.add("tree", _tree(entries or {}, self._lines.setdefault(folder, {})))
            if folder:
                parent, _, name = folder.rpartition("/")
                above = self._folders[parent]
                if above is not None:
                    above[name] = Entry(FOLDER, root)
        return root


def _digits(reader: GitReader) -> int:
    return SHA256_DIGITS if reader.text("rev-parse", "--show-object-format") == "sha256" else 40


def _folders(path: str) -> list[str]:
    """Every folder on the way to a path, the root ('') first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts))]


def _tree(entries: Mapping[str, Entry], lines: dict[str, _Line]) -> bytes:
    """The content of a tree object: sorted as if the names of folders ended in a slash.

    `lines`: those of the folder's last tree, which become those of this one.
    """
    named = []
    for name, entry in entries.items():
        line = lines.get(name)
        if line is None or line[0] is not entry:
            line = lines[name] = (entry, *_line(name, entry))
        named.append(line[1:])
    named.sort()
    return b"".join([line for _, line in named])


def _line(name: str, entry: Entry) -> tuple[bytes, bytes]:
    """By what an entry of a tree is sorted, and its bytes."""
    said = name.encode("utf-8", "surrogateescape")
    line = b"%s %s\0%s" % (entry.mode.encode(), said, bytes.fromhex(entry.id))
    return (said + b"/" if entry.mode == FOLDER else said), line


def _size(kind: int, size: int) -> bytes:
    """Kind and size of an object in a pack: four bits of the size, then seven in each byte."""
    first, rest = kind << 4 | size & 15, size >> 4
    found = bytearray()
    while rest:
        found.append(first | 128)
        first, rest = rest & 127, rest >> 7
    found.append(first)
    return bytes(found)


def _in_the_way(path: str) -> StellwerkError:
    """Git would drop a file to make room for a folder, or a folder for a file; nothing here means that."""
    return StellwerkError(
        "a file or a link stands where a folder is needed, or the other way round",
        where=path,
        hint="move it away, commit that and run it again",
    )
