"""What a step says to the runner: `::workflow commands::` in its output, and the files GITHUB_OUTPUT, GITHUB_ENV,
GITHUB_PATH and GITHUB_STEP_SUMMARY. Secrets are masked before a line is kept."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from .results import Annotation, StepResult

LARGEST_SUMMARY = 1024 * 1024  # bytes of one step's summary
_COMMAND = re.compile(
    r"^\s*::([A-Za-z][\w-]*)(?: ([^\n]*?))?::(.*)$|^.*?##\[([A-Za-z][\w-]*)(?: ([^\]]*))?\](.*)$", re.DOTALL
)
_DISABLED = frozenset(("set-env", "add-path"))
_LEVELS = frozenset(("error", "notice", "warning"))
_NUMBERS = {"line": "line", "endLine": "end_line", "col": "column", "endColumn": "end_column"}


class CommandError(Exception):
    """A command or a command file that fails its step."""


class Masks:
    """The secrets of a job, in the forms in which the runner recognises them."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def add(self, secret: str) -> None:
        """A secret of several lines is masked line by line as well."""
        for form in (secret, *secret.splitlines()):
            if form.strip():
                encoded = base64.b64encode(form.encode()).decode()
                self._forms |= {form.strip(), encoded, form.replace('"', '\\"')}

    def apply(self, text: str) -> str:
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, "***")
        return text


class Listener:
    """Reads one step's output line by line."""

    def __init__(self, result: StepResult, masks: Masks) -> None:
        self.result = result
        self.masks = masks
        self.failures: list[str] = []
        self._resume: str | None = None

    def hear(self, line: str) -> None:
        """One line of output, without its end."""
        found = _COMMAND.match(line)
        if found is None:
            self.say(line)
            return
        name, properties, data = found.groups()[:3] if found[1] else found.groups()[3:]
        if self._resume is not None:
            if name == self._resume:
                self._resume = None
            self.say(line)
            return
        self._obey(name.lower(), properties or "", unescaped(data), line)

    def say(self, text: str) -> None:
        """A line of the log as GitHub would show it."""
        self.result.lines.append(self.masks.apply(text))

    def fail(self, text: str) -> None:
        """The runner's own error: in the log and as an annotation."""
        self.say(f"##[error]{text}")
        self.result.annotations.append(Annotation(level="error", message=self.masks.apply(text)))

    def _obey(self, name: str, properties: str, data: str, line: str) -> None:
        if name == "add-mask":
            self.masks.add(data)
            self.say("::add-mask::***")
        elif name in _LEVELS:
            self.result.annotations.append(self._annotation(name, properties, data))
            self.say(f"##[{name}]{data}")
        elif name == "stop-commands":
            self._resume = data
            self.say(line)
        elif name in _DISABLED:
            self.failures.append(f"The `{name}` command is disabled.")
            self.say(line)
        elif name == "set-output":
            self.result.outputs[_properties(properties).get("name", "")] = data
            self.say(f"##[warning]The `{name}` command is deprecated")
        else:
            self.say(f"##[{name}]{data}" if name in {"group", "endgroup", "debug"} else line)

    def _annotation(self, level: str, properties: str, data: str) -> Annotation:
        given = _properties(properties)
        numbers = {ours: int(given[key]) for key, ours in _NUMBERS.items() if given.get(key, "").isdigit()}
        texts = {key: self.masks.apply(given[key]) for key in ("file", "title") if key in given}
        return Annotation(level=level, message=self.masks.apply(data), **texts, **numbers)


def unescaped(data: str) -> str:
    return data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def read_pairs(path: Path, command: str) -> dict[str, str]:
    """The names and values of a command file: `name=value`, or `name<<DELIMITER` and lines up to the delimiter."""
    lines = path.read_text(encoding="utf-8").replace("\r\n", "\n").split("\n")
    pairs: dict[str, str] = {}
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, value = line[:equals], line[equals + 1 :]
        elif heredoc >= 0:
            name, delimiter = line[:heredoc], line[heredoc + 2 :]
            if not name or not delimiter:
                raise _unreadable(command, f"Invalid format '{line}'. Name and delimiter must not be empty")
            if delimiter not in lines[position:]:
                raise _unreadable(command, f"Invalid value. Matching delimiter not found '{delimiter}'")
            end = lines.index(delimiter, position)
            value = "\n".join(lines[position:end])
            position = end + 1
        else:
            raise _unreadable(command, f"Invalid format '{line}'")
        if not name:
            raise _unreadable(command, f"Invalid format '{line}'. Name must not be empty")
        pairs[name] = value
    return pairs


def read_summary(path: Path, listener: Listener) -> None:
    """Keep the step's summary, if GitHub would take it."""
    size = path.stat().st_size
    if size > LARGEST_SUMMARY:
        got = -(-size // 1024)
        listener.fail(f"$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k, got {got}k.")
        return
    listener.result.summary = listener.masks.apply(path.read_text(encoding="utf-8", errors="replace"))


def _unreadable(command: str, why: str) -> CommandError:
    return CommandError(f"Unable to process file command '{command}' successfully. {why}")


def _properties(text: str) -> dict[str, str]:
    pairs = (item.strip().partition("=") for item in text.split(",") if "=" in item)
    return {key: unescaped(value.replace("%3A", ":").replace("%2C", ",")) for key, _, value in pairs}
