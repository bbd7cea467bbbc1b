"""Environments that exist only while needed: `up` before their checks, `down` after them, whatever happened."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from stellwerk.adapters.shell import run_shell
from stellwerk.errors import StellwerkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stellwerk.model.declared import Environment
    from stellwerk.reconcile.world import World

TIMEOUT = 1800.0  # seconds
STANDING = "STELLWERK_STANDING"  # names the environment that somebody else brings up and takes down, such as a CI job


@contextmanager
def brought_up(world: World, environment: Environment) -> Iterator[None]:
    """Run `up`, then the block, then `down` in any case. Raises StellwerkError where `up` or `down` fails.

    An environment that stands already, as `STELLWERK_STANDING` says, is left alone.
    """
    if world.environ.get(STANDING) == environment.name:
        yield
        return
    if environment.up is not None:
        try:
            _run(world, environment, environment.up, "up")
        except BaseException:
            _tear_down(world, environment)
            raise
    try:
        yield
    except BaseException:
        _tear_down(world, environment)
        raise
    if environment.down is not None:
        _run(world, environment, environment.down, "down")


def _tear_down(world: World, environment: Environment) -> None:
    """Take the environment down after a failure; the failure itself is what is reported."""
    if environment.down is not None:
        _shell(world, environment, environment.down)


def _run(world: World, environment: Environment, command: str, key: str) -> None:
    ending = _shell(world, environment, command)
    if ending:
        raise StellwerkError(
            f"`{key}` of {environment.name} failed: it {ending}",
            where=f"environments/{environment.name}.yaml",
            hint="run the command by hand to see why; nothing was recorded",
        )


def _shell(world: World, environment: Environment, command: str) -> str:
    """How the command failed, in words; '' where it did not."""
    variables = {**world.environ, "STELLWERK_ENVIRONMENT": environment.name}
    result = run_shell(command, cwd=world.root, env=variables, timeout=TIMEOUT)
    return "" if result.code == 0 else result.ending
