"""Errors that carry data. Only the CLI prints them; its boundary turns each into an exit code.

A person's mistakes in declarations are findings (`model.findings`), not exceptions; an exception is
for an operation that cannot go on.
"""

from __future__ import annotations


class StellwerkError(Exception):
    """An operation failed for a reason the user can act on.

    `where` is a file:line:column, a path, a remote or an environment; `hint` says what to type or change.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint


class BlockedError(StellwerkError):
    """A gate is closed, or the operation waits for an approval or a confirmation."""

    exit_code = 3


class PushLostError(StellwerkError):
    """The push lost the race after all retries; nothing of it reached the remote."""

    exit_code = 4


class UsageError(StellwerkError):
    """The command line asks for something that makes no sense."""

    exit_code = 64


class TrainingFailed(StellwerkError):  # noqa: N818 - the name of an outcome, recorded as an incident
    """The model's own code failed. `kind` is one of docs/design.md's, `log` the end of what it printed."""

    def __init__(self, message: str, *, kind: str, log: str = "", where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.kind = kind
        self.log = log
