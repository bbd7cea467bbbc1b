"""The entry point: loads the verb that was asked for and no other."""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from stellwerk import __version__
from stellwerk.cli.boundary import guarded
from stellwerk.cli.console import Console, silence
from stellwerk.cli.options import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order in which a newcomer meets them; each is a module of this package that holds `command`.
GROUPS = {
    "Start": ("init", "demo", "completion"),
    "Look": ("validate", "plan", "report", "jobs", "status", "drift", "diff", "log"),
    "Do": ("reconcile", "check", "snapshot", "stand-in", "notebook", "render", "lock", "package", "announce", "gc"),
    "Decide": ("promote", "approve", "reject", "hold", "rollback", "withdraw"),
    "Explain": ("why", "rule", "schema"),
}
# Git sets some of these for its hooks: they would lead every git below us to another repository, index or meaning of a
# path than the one we are asked about.
ELSEWHERE = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_IMPLICIT_WORK_TREE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_SHALLOW_FILE"),
    *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
)
SHORT = 80  # cells of the longest purpose; none is cut off
COLUMN = 12  # where the purposes start, in every group alike
VERBS = (*(verb for verbs in GROUPS.values() for verb in verbs), "stage")


class Verbs(click.Group):
    """A group whose commands are imported when they are asked for, and whose errors meet one boundary."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The verbs in their order."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb's command; None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        found: object = import_module(f"stellwerk.cli.{cmd_name.replace('-', '_')}").command
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs, grouped by what a person wants."""
        for title, verbs in GROUPS.items():
            commands = [(verb, self.get_command(ctx, verb)) for verb in verbs]
            with formatter.section(title):
                formatter.write_dl(
                    [(verb, command.get_short_help_str(SHORT)) for verb, command in commands if command],
                    col_spacing=COLUMN - max(len(verb) for verb in verbs),
                )

    def invoke(self, ctx: click.Context) -> int:
        """Run the verb. Its errors are met here already: click's own `main` would swallow a broken pipe."""
        return guarded(lambda: super(Verbs, self).invoke(ctx), environ=os.environ)

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Parse, run, exit. Mistakes in the command line itself are met here."""
        asked = {**kwargs, "standalone_mode": False}
        code = guarded(lambda: super(Verbs, self).main(*args, **asked), environ=os.environ)
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            silence(sys.stdout)
        sys.exit(code)


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("stellwerk demo", "stellwerk -C my-project plan"),
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option(
    "-C",
    "directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    default=".",
    help="Run as if started in DIR.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say only what was asked for; also after the command.")
@click.option("--no-color", is_flag=True, help="No colours, as with NO_COLOR=1; also after the command.")
@click.pass_context
def cli(ctx: click.Context, /, *, directory: str, quiet: bool, no_color: bool) -> None:
    """Declarative GitOps for machine learning: declare in YAML, plan, reconcile; git holds every decision."""
    for name in ELSEWHERE:
        os.environ.pop(name, None)
    ctx.obj = Console(directory=directory, environ=dict(os.environ), quiet=quiet, no_color=no_color)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a cancelled CI job ends as an interrupted one
    gc.set_threshold(100_000, 50, 50)  # a plan makes many objects that live to its end: a sixth of its time
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape, never a traceback.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    cli.main(args=None if argv is None else list(argv), prog_name="stellwerk")
