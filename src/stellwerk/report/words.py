"""How actions, versions, numbers and times are said, in every report alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from msgspec import Struct

from stellwerk.model.actions import Action, Check, Deploy, Promote, Render, Retire, Snapshot, Train, Wait
from stellwerk.report.terminal import clean

if TYPE_CHECKING:
    from stellwerk.model.records import Measurement

MINUTE = 60
HOUR = 3600
ORDER = ("render", "snapshot", "train", "check", "promote", "deploy", "retire")


class Words(Struct, frozen=True, kw_only=True):
    """An action for people: its name, the model or dataset it is about, a symbol, and a phrase without the subject.

    Symbols: `+` create, `~` change, `-` remove, `=` judge, `>` forward, `<` back. Every text is harmless on a terminal.
    """

    name: str
    subject: str
    symbol: str
    text: str


def action_words(action: Action) -> Words:
    """The one place that tells the actions apart."""
    match action:
        case Render():
            name, subject, symbol, text = "render", action.model or "project", _render_symbol(action), _render(action)
        case Snapshot():
            name, subject, symbol, text = "snapshot", action.dataset, "+", "take a snapshot of the data"
        case Train():
            name, subject, symbol, text = "train", action.model, "+", "train a new version"
        case Check():
            name, subject, symbol, text = "check", action.model, "=", _check(action)
        case Promote():
            name, subject, symbol, text = "promote", action.model, "<" if action.back else ">", _promote(action)
        case Deploy():
            name, subject, symbol, text = "deploy", action.model, "<" if action.withdraw else ">", _deploy(action)
        case Retire():
            name, subject, symbol = "retire", action.model, "-"
            text = f"retire {version(action.version)} from {clean(action.environment)}"
        case _:
            assert_never(action)
    return Words(name=name, subject=clean(subject), symbol=symbol, text=text)


def _render_symbol(action: Render) -> str:
    if action.rename_from is not None:
        return "~"
    if action.text is None:
        return "-"
    return "+" if action.new else "~"


def _render(action: Render) -> str:
    path = clean(action.path)
    if action.rename_from is not None:
        return f"move {clean(action.rename_from)} → {path}"
    if action.text is None:
        return f"delete {path}"
    return f"{'write' if action.new else 'update'} {path}"


def _check(action: Check) -> str:
    against = f" against {version(action.champion)}" if action.champion is not None else ""
    return f"check {version(action.version)} in {clean(action.environment)}{against}"


def _promote(action: Promote) -> str:
    verb = "roll back in" if action.back else "promote to"
    asked = " by pull request" if action.mode == "pull-request" else ""
    return f"{verb} {clean(action.environment)}{asked}, {change(action.previous, action.version)}"


def _deploy(action: Deploy) -> str:
    environment = clean(action.environment)
    if action.withdraw:
        return f"withdraw {version(action.previous)} from {environment}; the fallback serves"
    return f"deploy to {environment}, {change(action.previous, action.version)}"


def version(number: int | None) -> str:
    """`v3`, or `the new version` for one that is not born yet."""
    return "the new version" if number is None else f"v{number}"


def change(previous: int | None, number: int | None) -> str:
    """`v2 → v3`, or `v3` where there was none before."""
    return version(number) if previous is None or previous == number else f"{version(previous)} → {version(number)}"


def wait_subject(wait: Wait) -> str:
    """`shoe-demand v3 in production`, as far as the wait is about them."""
    parts = [clean(wait.model)] if wait.model else []
    parts += [version(wait.version)] if wait.version is not None else []
    parts += [f"in {clean(wait.environment)}"] if wait.environment else []
    return " ".join(parts)


def duration(seconds: float) -> str:
    """`8 s`, `3 min`, `1 h 05 min`."""
    if seconds < MINUTE - 0.5:
        return f"{round(seconds)} s"
    minutes = round(seconds / MINUTE)
    return f"{minutes} min" if seconds < HOUR - MINUTE / 2 else f"{minutes // 60} h {minutes % 60:02d} min"


def short(commit: str) -> str:
    """The first seven characters of a commit."""
    return clean(commit[:7])


def number(value: float) -> str:
    """A measured value with four significant digits."""
    return f"{value:.4g}"


def measurement(measured: Measurement) -> str:
    """`0.812 [0.79, 0.83] n=1,204`, or why there is none."""
    if measured.value is None:
        return clean(measured.problem or "not measured")
    text = number(measured.value)
    if measured.low is not None and measured.high is not None:
        text += f" [{number(measured.low)}, {number(measured.high)}]"
    return f"{text} n={measured.n:,}"


def plural(count: int, noun: str) -> str:
    """`1 wait`, `2 waits`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
