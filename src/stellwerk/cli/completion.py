"""`stellwerk completion`: completion for your shell."""

from __future__ import annotations

import click

from stellwerk.cli.console import Console
from stellwerk.cli.options import examples

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=examples(
        'eval "$(stellwerk completion bash)"      # in ~/.bashrc; zsh alike',
        "stellwerk completion fish > ~/.config/fish/completions/stellwerk.fish",
    )
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, /, *, shell: str) -> int:
    """Print the script that completes commands in SHELL."""
    from click.shell_completion import get_completion_class

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion is known for {shell}")
    script = completion(context.find_root().command, {}, "stellwerk", "_STELLWERK_COMPLETE").source()
    console = context.find_object(Console)
    if console is not None:
        console.show(script)
    return 0
