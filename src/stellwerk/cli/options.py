"""Options and arguments that several verbs share, so that they read alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stellwerk.planning.portion import Portion
    from stellwerk.planning.shard import Shard

Decorated = TypeVar("Decorated", bound="Callable[..., Any]")


def examples(*lines: str) -> str:
    """The Examples block at the end of a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def formats(*names: str) -> Callable[[Decorated], Decorated]:
    """`--format`, the first name being the default."""
    return click.option(
        "--format", "form", type=click.Choice(names), default=names[0], show_default=True, help="How to print it."
    )


def completing(kind: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """How the shell completes a name of this kind; the kinds are those of `stellwerk.cli.names`."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        from stellwerk.cli.names import completions

        return completions(kind, context, incomplete)

    return complete


def model_argument(function: Decorated) -> Decorated:
    """The model, required."""
    return click.argument("model", shell_complete=completing("models"))(function)


def environment_argument(function: Decorated) -> Decorated:
    """The environment, required."""
    return click.argument("environment", shell_complete=completing("environments"))(function)


def any_environment_argument(function: Decorated) -> Decorated:
    """The environment; all of them where left out."""
    return click.argument("environment", required=False, shell_complete=completing("environments"))(function)


def push_option(function: Decorated) -> Decorated:
    """`--push/--no-push`; without either, what is usual for the repository."""
    return click.option(
        "--push/--no-push",
        default=None,
        help="Push the commits, or keep them here. Default: push where the branch has a remote.",
    )(function)


def because_option(*, required: bool) -> Callable[[Decorated], Decorated]:
    """`--because`: the reason that is recorded."""
    return click.option("--because", metavar="REASON", required=required, help="Why; it is recorded.")


def until_option(function: Decorated) -> Decorated:
    """`--until`: when a hold ends by itself."""
    return click.option("--until", metavar="DATE", help="End the hold by itself then, as 2026-01-31.")(function)


def model_option(function: Decorated) -> Decorated:
    """`--model`: only this one."""
    option = click.option("--model", metavar="MODEL", help="Only this model.", shell_complete=completing("models"))
    return option(function)


def environment_option(function: Decorated) -> Decorated:
    """`--environment`: only this one."""
    option = click.option(
        "--environment",
        metavar="ENVIRONMENT",
        help="Only this environment.",
        shell_complete=completing("environments"),
    )
    return option(function)


def shard_option(function: Decorated) -> Decorated:
    """`--shard`: one of several parts of the plan."""
    option = click.option(
        "--shard", metavar="I/N", callback=_shard, help="Only the I-th of N parts; models are split by their names."
    )
    return option(function)


def _shard(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Shard | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise click.BadParameter(f"{value!r} is no part of a whole; write I/N, as 1/3, 2/3 and 3/3")

    from stellwerk.planning.shard import Shard

    return Shard(number=int(found[1]), of=int(found[2]))


ANYWHERE = "*"  # no environment has this name


def portion_options(function: Decorated) -> Decorated:
    """`--no-render`, `--training` and `--models`: the part of a plan that one CI job carries out."""
    render = click.option(
        "--no-render",
        is_flag=True,
        help="Leave generated files to people: what they differ in waits, and so does what needs them.",
    )
    training = click.option(
        "--training",
        metavar="[ENVIRONMENT]",
        is_flag=False,
        flag_value=ANYWHERE,
        help="Only snapshots and trainings; of models that train in ENVIRONMENT, as `stellwerk jobs` says ('': none).",
    )
    models = click.option(
        "--models", metavar="NAMES", help="Only the steps of these models, separated by spaces ('': of all)."
    )
    return render(training(models(function)))


def portion_of(*, no_render: bool, training: str | None, models: str | None) -> Portion | None:
    """What those options ask for; None: the whole plan."""
    names = tuple((models or "").split())
    if not no_render and training is None and not names:
        return None
    from stellwerk.planning.portion import Portion

    place = None if training == ANYWHERE else training
    return Portion(render=not no_render, training=training is not None, place=place, models=names)


class Count(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in newer releases of click
    """A number from 0 on. An empty text is none: a CI service hands on what nobody filled in."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The number; None for an empty text."""
        return None if value == "" else click.IntRange(min=0).convert(value, param, ctx)


def confirm_options(function: Decorated) -> Decorated:
    """`--confirm-trainings` and `--confirm-removals`: the numbers a person has seen and agrees to."""
    trainings = click.option("--confirm-trainings", type=Count(), metavar="N", help="Agree to N trainings at once.")
    removals = click.option("--confirm-removals", type=Count(), metavar="N", help="Agree to N models removed at once.")
    return trainings(removals(function))
