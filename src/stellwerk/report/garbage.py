"""What a garbage collection took, or would take: sizes and reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.planning.gates import duration_words
from stellwerk.report.json_text import document, plain
from stellwerk.report.terminal import Ink, clean, wrap
from stellwerk.report.words import plural, short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stellwerk.model.declared import Json
    from stellwerk.model.garbage import ErasureDone, Garbage, Goes, Sweep

SHOWN = 20  # objects of a place that are named one by one, unless all are asked for
UNITS = ("B", "kB", "MB", "GB", "TB")
THOUSAND = 1000


def size_words(size: float) -> str:
    """`512 B`, `1.4 MB`."""
    unit = 0
    while size >= THOUSAND and unit + 1 < len(UNITS):
        size, unit = size / THOUSAND, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 else f"{size:.1f} {UNITS[unit]}"


def garbage_text(garbage: Garbage, *, verbose: bool, color: bool, width: int) -> str:
    """One block for each place, then what follows."""
    ink = Ink(color=color)
    lines: list[str] = []
    for sweep in garbage.sweeps:
        lines += [*_place(sweep, garbage, ink, verbose=verbose, width=width), ""]
    total = sum(item.size for sweep in garbage.sweeps if not sweep.problem for item in sweep.goes)
    count = sum(len(sweep.goes) for sweep in garbage.sweeps if not sweep.problem)
    done = "would go" if garbage.dry_run else "deleted"
    lines.append(ink.bold(f"{plural(count, 'object')}, {size_words(total)} {done}."))
    if garbage.versions:
        words = f"Packages that {'would go' if garbage.dry_run else 'went'}: {', '.join(map(clean, garbage.versions))}."
        lines += wrap(f"{words} Their records stay.", width=width)
    if garbage.lost:
        words = f"The lists of {plural(len(garbage.lost), 'needed folder')} are nowhere ({clean(garbage.lost[0])})"
        lines += wrap(f"{words}: what could belong to them stays.", width=width)
    if garbage.commit:
        lines += wrap(f"Recorded in {short(garbage.commit)}{'' if garbage.pushed else ' (not pushed)'}.", width=width)
    if any(sweep.problem for sweep in garbage.sweeps):
        lines += wrap("Next: stellwerk gc, once every place answers", width=width)
    elif garbage.dry_run and count:
        lines += wrap("Next: the same without --dry-run deletes it", width=width)
    return "\n".join(lines) + "\n"


def _place(sweep: Sweep, garbage: Garbage, ink: Ink, *, verbose: bool, width: int) -> list[str]:
    lines = [f"{ink.bold(clean(sweep.place.name))}  {ink.dim(clean(sweep.place.address))}"]
    if sweep.problem:
        return [*lines, *wrap(f"{ink.red('!')} {clean(sweep.problem)}", width=width, indent=2)]
    shown = sweep.goes if verbose else _largest(sweep.goes)
    for item in shown:
        lines += wrap(f"- {clean(item.what)}, {size_words(item.size)}: {clean(item.reason)}", width=width, indent=2)
    if len(shown) < len(sweep.goes):
        lines.append(f"  - and {plural(len(sweep.goes) - len(shown), 'more object')} (-v shows them)")
    count, size = (sum(numbers) for numbers in zip(*sweep.stays.values(), strict=True)) if sweep.stays else (0, 0)
    lines.append(f"  {plural(count, 'object')}, {size_words(size)} needed")
    if verbose:
        for reason, (many, total) in sweep.stays.items():
            words = f"= {plural(many, 'object')}, {size_words(total)}: {clean(reason)}"
            lines += wrap(words, width=width, indent=4)
    if sweep.young[0]:
        words = (
            f"{_amount(sweep.young)} not needed, but younger than {duration_words(int(garbage.grace))}: a run may be"
        )
        lines += wrap(f"{words} about to push a commit that names it (--grace)", width=width, indent=2)
    if sweep.unnamed[0]:
        words = f"{_amount(sweep.unnamed)} that no commit here names: another repository may use this place"
        lines += wrap(f"{words} (--unnamed takes them)", width=width, indent=2)
    return lines


def _largest(items: tuple[Goes, ...]) -> tuple[Goes, ...]:
    """The objects that are named: those that somebody knows by a name first, then by size."""
    return tuple(sorted(items, key=lambda item: (item.kind == "unnamed", -item.size, item.md5)))[:SHOWN]


def _amount(numbers: tuple[int, int]) -> str:
    return f"{plural(numbers[0], 'object')}, {size_words(numbers[1])}"


def erasure_text(done: ErasureDone, *, color: bool, width: int) -> str:
    """What is gone, what the record is, and who was trained on it."""
    ink = Ink(color=color)
    gone = [sweep for sweep in done.garbage.sweeps if sweep.goes and not sweep.problem]
    places = ", ".join(f"{clean(sweep.place.name)} ({_amount(_sum(sweep.goes))})" for sweep in gone)
    made = ink.yellow(short(done.commit)) if done.commit else ink.dim("(decided before)")
    lines = [f"{ink.green('✓')} {made}  {clean(done.summary)}", ink.dim(f"  {clean(done.path)}")]
    lines += wrap(f"deleted from {places}" if places else "it lay nowhere any more", width=width, indent=2)
    for sweep in done.garbage.sweeps:
        if sweep.problem:
            words = f"! {clean(sweep.place.name)}: {clean(sweep.problem)}; stellwerk gc tries again"
            lines += wrap(words, width=width, indent=2)
    if done.depended:
        words = f"trained on it: {', '.join(map(clean, done.depended))}; their packages stay (docs/garbage.md)"
        lines += wrap(words, width=width, indent=2)
    for place in done.serving:
        lines += wrap(f"! {clean(place)} was trained on it and serves", width=width, indent=2)
    return "\n".join(lines) + "\n"


def _sum(items: Iterable[Goes]) -> tuple[int, int]:
    sizes = [item.size for item in items]
    return len(sizes), sum(sizes)


def garbage_json(garbage: Garbage) -> str:
    """The shape is `garbage.schema.json`."""
    return document(_garbage(garbage))


def erasure_json(done: ErasureDone) -> str:
    """The shape is `garbage.schema.json`, with `erased`."""
    erased: dict[str, Json] = {
        "summary": done.summary,
        "path": done.path,
        "commit": done.commit,
        "depended": list(done.depended),
        "serving": list(done.serving),
    }
    return document({**_garbage(done.garbage), "erased": erased})


def _garbage(garbage: Garbage) -> dict[str, Json]:
    places: list[Json] = [
        {
            "name": sweep.place.name,
            "address": sweep.place.address,
            "problem": sweep.problem,
            "goes": plain(sweep.goes),
            "stays": [
                {"reason": words, "objects": count, "bytes": size} for words, (count, size) in sweep.stays.items()
            ],
            "young": {"objects": sweep.young[0], "bytes": sweep.young[1]},
            "unnamed": {"objects": sweep.unnamed[0], "bytes": sweep.unnamed[1]},
        }
        for sweep in garbage.sweeps
    ]
    return {
        "dry_run": garbage.dry_run,
        "grace": garbage.grace,
        "places": places,
        "versions": list(garbage.versions),
        "kept": plain(garbage.kept),
        "lost": list(garbage.lost),
        "commit": garbage.commit,
        "pushed": garbage.pushed,
    }
