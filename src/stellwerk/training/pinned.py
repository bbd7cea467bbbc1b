"""The `requirements.txt` of a folder to deploy: exact versions, with hashes where every one of them is known.

Pip checks hashes of all requirements or of none, so one that nobody knows leaves all without; the file says so. No
index is asked: hashes are those that the model's requirements have, or the project's lock, and Stellwerk's own for what
the service needs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.training.package import REQUIREMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SERVICE = (  # what serve.py imports and all that needs, as constraints.txt has them; the hash is that of the one wheel
    "anyio==4.16.0 --hash=sha256:c66ae634e0b8228396b801741beb3294326d4b6102f7bba4041c0dfb58c29026",
    "click==8.5.1 --hash=sha256:8bb5376d2006950386f8c6427613334a2acadc5f559cb80e638d00b4df957e37",
    "h11==0.16.0 --hash=sha256:63cf8bbe7522de3bf65932fda1d9c2772064ffb3dae62d55932da54b31cb6c86",
    "idna==3.20 --hash=sha256:ab7ae7122974553370f0bdb919e1a960b2cd1bc1ef0276416d896db81c14582c",
    "starlette==1.10.0 --hash=sha256:478c0ab3b4ced6e82719849c118fa406f0278a3499c1a898cd15cd31bdc38ce4",
    "typing_extensions==4.16.0 --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8",
    "uvicorn==0.54.0 --hash=sha256:505bdb0f318731d45f1f712071fc781a8981f6847a31c902c9f5e652d4f67faf",
)
NAMED = 3  # packages named in the head of a file


class Pinned(Struct, frozen=True, kw_only=True):
    """Lines without their hashes, sorted; `hashes` for each line, none where nobody knows one of it."""

    lines: tuple[str, ...]
    hashes: Mapping[str, tuple[str, ...]]

    @property
    def unknown(self) -> tuple[str, ...]:
        """The lines without a hash; where it is empty, pip is told all of them."""
        return tuple(line for line in self.lines if not self.hashes.get(line))

    def text(self) -> str:
        """The file."""
        if not self.unknown:
            entries = (" \\\n    ".join((line, *self.hashes[line])) for line in self.lines)
            return "# Exact versions, each with the hashes of its files.\n" + "".join(f"{line}\n" for line in entries)
        names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in self.unknown]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        head = (
            f"# Exact versions, without hashes: none is declared of {', '.join(names[:NAMED])}{more}.\n"
            "# Where the model's requirements have them, or the lock it was trained with, they are in this file.\n"
        )
        return head + "".join(f"{line}\n" for line in self.lines)


def pinned(declared: str, packages: Mapping[str, str], *, service: Iterable[str] = SERVICE, lock: str = "") -> Pinned:
    """Exact versions that training recorded, else what is declared.

    `declared` is the model's own requirements, `packages` distribution -> version, `lock` another file that knows
    hashes. What the service needs comes last: where the model has the same package, the model's version is the one it
    was judged with. StellwerkError where no version is known of a package, or a line cannot be read.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    hashes: dict[str, dict[str, None]] = {}
    for line, known in (entry for text in (declared, lock, "\n".join(service)) for entry in requirements(text)):
        hashes.setdefault(_pin(line), {}).update(dict.fromkeys(known))
    found = {_key(line.partition("==")[0]): line for line, _ in requirements("\n".join(service))}
    for line, _ in requirements(declared):
        try:
            asked = Requirement(line)
        except InvalidRequirement:
            raise StellwerkError(
                f"this requirement cannot be locked: {line}",
                where=REQUIREMENTS,
                hint="write each as name==version, train again",
            ) from None
        found[_key(asked.name)] = line
    for name, version in packages.items():
        found[_key(name)] = f"{name}=={version}"
    loose = [line for line in found.values() if "==" not in line and "@" not in line]
    if loose:
        raise StellwerkError(
            f"no version is known of {', '.join(sorted(loose))}: training did not import it",
            where=REQUIREMENTS,
            hint="declare it as name==version",
        )
    lines = tuple(found[key] for key in sorted(found))
    return Pinned(lines=lines, hashes={line: tuple(sorted(hashes.get(_pin(line), ()))) for line in lines})


def requirements(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Each requirement of a file and its hashes, without comments and options; lines that go on are one."""
    lines = re.sub(r"\\\r?\n", " ", text).splitlines()
    bare = (re.sub(r"(^|\s)#.*", " ", line).strip() for line in lines)
    return [
        (re.sub(r"\s+--hash=\S+", "", line).strip(), tuple(re.findall(r"--hash=\S+", line)))
        for line in bare
        if line and not line.startswith("-")
    ]


def _pin(line: str) -> str:
    """A requirement without extras, markers and blanks: the same file is installed for all of these."""
    name, _, version = line.partition(";")[0].partition("==")
    return f"{_key(name.partition('[')[0])}=={version.strip()}"


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
