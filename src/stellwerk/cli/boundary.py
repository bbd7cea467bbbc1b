"""The one place where errors become words and exit codes."""

from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING

import click

from stellwerk.cli.console import Console, silence
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stellwerk.model.findings import DeclarationsError

FAILED = 1
BLOCKED = 3
USAGE = 64
BUG = 70
INTERRUPTED = 130

# What the machine refuses, as against what we got wrong.
_REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE})

_REMEDIES = {
    errno.EACCES: "give this user the right to do that",
    errno.EPERM: "give this user the right to do that",
    errno.EROFS: "make that file system writable",
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or raise the quota",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def guarded(call: Callable[[], object], *, environ: Mapping[str, str]) -> int:  # noqa: PLR0911  one per kind of end
    """Run the command and return its exit code, whatever happens in it."""
    try:
        result = call()
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; the next run goes on from git")
        return INTERRUPTED
    except click.ClickException as error:
        _tell(error.show)
        return USAGE if isinstance(error, click.UsageError) else FAILED
    except StellwerkError as error:
        _say_error(error)
        return error.exit_code
    except OSError as error:
        if error.errno not in _REFUSALS:
            return _confess(error, environ)
        _say(f"error: {_line(str(error.filename or 'system'))}: {error.strerror}")
        _say(f"  → {_REMEDIES.get(error.errno, 'put that right')}, then run it again: it goes on from git")
        return FAILED
    except Exception as error:  # noqa: BLE001  this is what the boundary is for
        return _confess(error, environ)
    return result if isinstance(result, int) else 0


def _say(text: str) -> None:
    _tell(lambda: click.echo(text, err=True))


def _tell(speak: Callable[[], None]) -> None:
    """Speak on standard error; where nobody listens any more the exit code still says it."""
    try:
        speak()
    except BrokenPipeError:
        silence(sys.stderr)


def _line(text: str) -> str:
    from stellwerk.report.terminal import clean_lines

    return clean_lines(text)


def _say_error(error: StellwerkError) -> None:
    from stellwerk.model.findings import DeclarationsError

    if isinstance(error, DeclarationsError):
        _say_findings(error)
    where = f"{_line(error.where)}: " if error.where else ""
    _say(f"error: {where}{_line(error.message)}")
    if error.hint:
        _say(f"  → {_line(error.hint)}")


def _say_findings(error: DeclarationsError) -> None:
    from stellwerk.report.findings import findings_text

    context = click.get_current_context(silent=True)
    console = context.find_object(Console) if context is not None else None
    color = console is not None and console.color
    _say(findings_text(error.findings, error.sources, color=color))


def _confess(error: Exception, environ: Mapping[str, str]) -> int:
    """Our own mistake: the traceback goes to a file that can be sent, and to the terminal only on demand."""
    import traceback

    if environ.get("STELLWERK_DEBUG") == "1":
        traceback.print_exception(error)
        return BUG
    _say(f"error: this is a bug in Stellwerk ({_line(type(error).__name__)}: {_line(str(error))})")
    saved = _save("".join(traceback.format_exception(error)))
    if saved:
        _say(f"  → please report it with the file {saved}")
    else:
        _say("  → run it again with STELLWERK_DEBUG=1 and please report what it prints")
    return BUG


def _save(trace: str) -> str:
    import platform
    import tempfile

    from stellwerk import __version__

    head = f"stellwerk {__version__}, Python {platform.python_version()}, {platform.platform()}\n{sys.argv}\n\n"
    try:
        handle, path = tempfile.mkstemp(prefix="stellwerk-bug-", suffix=".txt")
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123  a descriptor
            file.write(head + trace)
    except OSError:
        return ""
    return path
