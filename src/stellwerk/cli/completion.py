"""`stellwerk completion`: completion for your shell."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console, with_console
from stellwerk.cli.options import examples

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        'eval "$(stellwerk completion bash)"      # in ~/.bashrc; zsh alike',
        "stellwerk completion fish > ~/.config/fish/completions/stellwerk.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
@with_console
def command(console: Console, /, *, shell: str) -> int:
    """Print the script that completes commands in SHELL."""
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion is known for {shell}")
    verbs = click.get_current_context().find_root().command
    console.show(completion(verbs, {}, "stellwerk", "_STELLWERK_COMPLETE").source())
    return 0
