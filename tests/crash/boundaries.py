"""Finds every effect of a process by Python's audit events, and kills the process right before one of them.

An effect is what changes something below `base`, where the repository, its remotes and its targets lie: a file opened
for writing, moved, linked or removed, a folder made or removed, a process started that is not one of git's reading
commands. What lies elsewhere (temporary folders) is lost with the machine and changes no state. Between two effects
nothing changes, so that the states before each effect, and the one after the last, are all states a kill can leave;
what a process that was started does is complete when the next effect comes, as every one is waited for.

A file that is opened for writing has one state more: open, and empty. `torn` leaves that.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PATHS = {  # event -> where the paths it changes stand in its arguments, and where their folders' descriptors stand
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
}
READING = frozenset(
    {
        "--version",
        "blame",
        "cat-file",
        "check-ignore",
        "config",
        "diff",
        "diff-index",
        "diff-tree",
        "for-each-ref",
        "log",
        "ls-files",
        "ls-remote",
        "ls-tree",
        "merge-base",
        "remote",
        "rev-list",
        "rev-parse",
        "show",
        "status",
        "symbolic-ref",
        "var",
        "version",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """`kind` is the audit event's last word, or `git COMMAND`; `what` the path below `base`, or the command."""

    kind: str
    what: str
    torn: bool = False


@dataclass(slots=True)
class Watch:
    """The audit hook: notes effects, and kills at the one with the index `stop`."""

    base: Path
    stop: int | None = None
    last_words: Path | None = None
    seen: list[Effect] = field(default_factory=list)
    busy: set[int] = field(default_factory=set)  # threads that are inside the hook

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        thread = threading.get_ident()
        if thread in self.busy or (event not in PATHS and event not in {"open", "subprocess.Popen", "os.posix_spawn"}):
            return
        self.busy.add(thread)
        try:
            found = self._effects(event, args)
            for effect, tear in found:
                if len(self.seen) == self.stop:
                    self._die(effect, tear)
                self.seen.append(effect)
        finally:
            self.busy.discard(thread)

    def _die(self, effect: Effect, tear: Callable[[], None] | None) -> None:
        if tear is not None:
            tear()
        if self.last_words is not None:
            self.last_words.write_text(f"{effect.kind} {effect.what}{' (torn)' if effect.torn else ''}")
        os.kill(os.getpid(), signal.SIGKILL)

    def _effects(self, event: str, args: tuple[object, ...]) -> list[tuple[Effect, Callable[[], None] | None]]:
        if event in {"subprocess.Popen", "os.posix_spawn"}:
            effect = self._started(args)
            return [(effect, None)] if effect else []
        if event == "open":
            return self._opened(args[0], args[2])
        places = [self._below(args[at], args[folder] if folder else None) for at, folder in PATHS[event]]
        named = [place for place in places if place is not None]
        if not named or self._idle(event, self.base / named[0], args):
            return []
        return [(Effect(kind=event.removeprefix("os."), what=" -> ".join(named)), None)]

    def _opened(self, path: object, flags: object) -> list[tuple[Effect, Callable[[], None] | None]]:
        place = self._below(path, None) if isinstance(flags, int) and flags & WRITING else None
        if place is None or not isinstance(flags, int):
            return []
        if os.path.lexists(self.base / place):
            if flags & os.O_EXCL:
                return []  # it will fail
            if not flags & os.O_TRUNC:
                return [(Effect(kind="open", what=place), None)]

        def tear() -> None:
            os.close(os.open(self.base / place, flags | os.O_CREAT, 0o666))

        return [(Effect(kind="open", what=place), None), (Effect(kind="open", what=place, torn=True), tear)]

    @staticmethod
    def _idle(event: str, path: Path, args: tuple[object, ...]) -> bool:
        """Whether the call will change nothing."""
        if event == "os.mkdir":
            return path.exists()
        if event in {"os.remove", "os.rmdir"}:
            return not os.path.lexists(path)
        return event == "os.chmod" and path.exists() and path.stat().st_mode & 0o7777 == args[1]

    def _started(self, args: tuple[object, ...]) -> Effect | None:
        command = [os.fsdecode(word) for word in args[1]]  # type: ignore[union-attr, attr-defined]
        if Path(command[0]).name != "git":
            return Effect(kind="run", what=" ".join(command)[:120])
        index = dict(args[3] or os.environ).get("GIT_INDEX_FILE")  # type: ignore[call-overload]
        private = index is not None and not Path(str(index)).is_relative_to(self.base)
        words = iter(command[1:])
        for word in words:
            if word in {"-c", "-C"}:
                next(words)
            elif word != "--literal-pathspecs":
                reads = word in READING or (word == "hash-object" and "-w" not in command)
                if reads or (private and word in {"read-tree", "update-index"}):
                    return None
                return Effect(kind=f"git {word}", what=" ".join([word, *words])[:160])
        return None

    def _below(self, path: object, folder: object) -> str | None:
        """The path relative to `base`; None where it is elsewhere or no path."""
        if isinstance(path, int) or path is None:
            return None
        place = Path(os.fsdecode(path))  # type: ignore[arg-type]
        if isinstance(folder, int) and folder >= 0:
            place = Path(f"/proc/self/fd/{folder}").readlink() / place
        place = Path.cwd() / place
        place = place.parent.resolve() / place.name
        return place.relative_to(self.base).as_posix() if place.is_relative_to(self.base) else None


def watch(watcher: Watch) -> None:
    """From now on, for the rest of this process's life."""
    sys.addaudithook(watcher)
