"""Deploy by a declared command, told by variables what to do; it must be idempotent and wait for the effect.

| variable | value |
|---|---|
| `STELLWERK_ACTION` | `deploy` or `withdraw` (`probe` for the probe) |
| `STELLWERK_MODEL`, `STELLWERK_ENVIRONMENT` | names |
| `STELLWERK_VERSION` | the version's number; empty when withdrawing |
| `STELLWERK_PACKAGE` | the folder of the package, there only while the command runs; empty when withdrawing |
| `STELLWERK_SHA256` | the package's SHA-256; empty when withdrawing |
| `STELLWERK_FALLBACK` | the model's declared fallback; empty where there is none |
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stellwerk.adapters.shell import ShellResult, run_shell
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stellwerk.model.ports import DeployRequest

SHA256 = re.compile(r"[0-9a-f]{64}")


class CommandTarget:
    """`DeployPort` for a shell command, run in the folder `root` with the variables of `environ` and ours."""

    def __init__(self, root: Path, *, environ: Mapping[str, str]) -> None:
        self.root = root
        self.environ = environ

    def deploy(self, request: DeployRequest) -> str:
        """Run the command; where a probe is declared, it must then see the package. Returns the last line printed."""
        if request.target.command is None:
            raise StellwerkError(
                f"the target of {request.environment} has no command",
                where=f"environments/{request.environment}.yaml",
                hint="deploy: {target: command, command: COMMAND}",
            )
        action = "withdraw" if request.version is None else "deploy"
        result = self._run(request.target.command, request, action)
        if result.code != 0:
            raise StellwerkError(
                f"the deploy command of {request.environment} {result.ending}",
                where=f"environments/{request.environment}.yaml",
                hint=f"run it yourself with the same variables: {request.target.command}",
            )
        if request.target.probe is not None:
            seen = self.running(request)
            if seen != request.sha256:
                raise StellwerkError(
                    f"the deploy command of {request.environment} ended well, but the probe sees "
                    f"{seen or 'no package'} instead of {request.sha256 or 'none'}",
                    where=f"environments/{request.environment}.yaml",
                    hint="let the command wait until its effect can be seen",
                )
        return result.last_line or ("withdrawn" if request.version is None else "deployed")

    def running(self, request: DeployRequest) -> str | None:
        """The SHA-256 that the probe prints; None without a probe, or where it prints nothing.

        A probe that fails, or prints something else, is a StellwerkError: not to know is no answer.
        """
        if request.target.probe is None:
            return None
        result = self._run(request.target.probe, request, "probe")
        if result.code != 0 or (result.last_line and not SHA256.fullmatch(result.last_line)):
            raise StellwerkError(
                f"the probe of {request.environment} {result.ending}",
                where=f"environments/{request.environment}.yaml",
                hint="it should print the SHA-256 of the package that runs, or nothing where none does",
            )
        return result.last_line or None

    def _run(self, command: str, request: DeployRequest, action: str) -> ShellResult:
        variables = {
            **self.environ,
            **request.variables,
            "STELLWERK_ACTION": action,
            "STELLWERK_MODEL": request.model,
            "STELLWERK_ENVIRONMENT": request.environment,
            "STELLWERK_VERSION": str(request.version or ""),
            "STELLWERK_PACKAGE": str(request.package or ""),
            "STELLWERK_SHA256": request.sha256 or "",
            "STELLWERK_FALLBACK": request.fallback or "",
        }
        return run_shell(command, cwd=self.root, env=variables, timeout=request.target.timeout)
