"""Sixteen reconcilers on one bare repository, beside sixteen plain loops of `git commit` and `git push` in the same run.

    python tests/benchmarks/races.py                        # 16 racers, 20 actions each, over file://
    python tests/benchmarks/races.py --racers 4 --each 5    # to try it out

The plain loops do what a careful script does: commit one file, push, and where the push is lost pause at random (doubling
up to a bound), fetch, rebase, push again. A reconciler observes, plans, commits once per action and pushes as it always
does; its trainings take no time. Both start when their processes are ready, the clones of both are fresh. The wait is
from wanting to push until the remote has it. Exits 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "races"))

from arena import IDENTITY, Arena, build

WAIT_LIMIT = 5.0  # seconds, for 95 of 100 pushes
PLAIN = """\
cd "$1"; echo ready; read go
wait() { local cap=$1; sleep "$(printf '0.%03d' $((RANDOM % cap)))"; }
printf 'began %s\\n' "$EPOCHREALTIME"
for i in $(seq "$3"); do
  mkdir -p "registry/$2/$i"; echo "number: $i" > "registry/$2/$i/version.yaml"
  git add "registry/$2"; git commit --quiet --message "train: $2 v$i"
  start=$EPOCHREALTIME; lost=0; cap=100
  until git push --quiet origin main 2>/dev/null; do
    lost=$((lost + 1)); wait $cap; cap=$((cap < 800 ? cap * 2 : 999))
    git fetch --quiet origin; git rebase --quiet origin/main >/dev/null
  done
  printf 'push %s %s %s\\n' "$start" "$EPOCHREALTIME" "$lost"
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One race, from the start to the end of the last racer; `cpu` and the sorted `waits` in seconds."""

    name: str
    actions: int
    pushes: int
    lost: int
    seconds: float
    cpu: float
    waits: tuple[float, ...]

    @property
    def rate(self) -> float:
        return self.actions / self.seconds

    def wait(self, share: float) -> float:
        """The wait that this share of the pushes does not exceed."""
        return self.waits[min(len(self.waits) - 1, int(len(self.waits) * share))]

    def line(self) -> str:
        return (
            f"{self.name:<28} {self.rate:>8.1f} {self.pushes / self.seconds:>8.1f} {self.pushes:>7} {self.lost:>6}   "
            f"{self.wait(0.5):>6.2f} {self.wait(0.95):>6.2f} {self.waits[-1]:>6.2f} {self.seconds:>8.1f} "
            f"{1000 * self.cpu / self.actions:>8.0f} ms"
        )


def race_plain(arena: Arena, each: int) -> Figures:
    """Sixteen shells that commit and push."""
    roots = [arena.clone(100 + number, f"file://{arena.bare}") for number in range(arena.racers)]
    used = processors()
    started = [
        subprocess.Popen(
            ["bash", "-c", PLAIN, "plain", str(root), names[0], str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, **IDENTITY},
        )
        for root, names in zip(roots, arena.models, strict=True)
    ]
    for process in started:
        process.stdout.readline()
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    lines = [line.split() for process in started for line in process.communicate()[0].splitlines()]
    for process in started:
        process.wait()
    began = min(float(line[1]) for line in lines if line[0] == "began")
    pushes = [(float(line[1]), float(line[2]), int(line[3])) for line in lines if line[0] == "push"]
    return Figures(
        name="plain git, one push each",
        actions=len(pushes),
        pushes=len(pushes),
        lost=sum(lost for _, _, lost in pushes),
        seconds=max(end for _, end, _ in pushes) - began,
        cpu=processors() - used,
        waits=tuple(sorted(end - start for start, end, _ in pushes)),
    )


def race_reconcilers(arena: Arena) -> Figures:
    """Sixteen reconcilers, each of its own shard of the models."""
    roots = [arena.clone(200 + number, f"file://{arena.bare}") for number in range(arena.racers)]
    jobs = [{"shard": f"{number + 1}/{arena.racers}"} for number in range(arena.racers)]
    return figures("stellwerk reconcile", arena.race(roots, jobs))


def processors() -> float:
    """Processor seconds of all processes that this one started and that ended."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def figures(name: str, answers: Sequence[dict[str, Any]]) -> Figures:
    """The figures of what racers said."""
    waits = sorted(wait for answer in answers for wait in answer["waits"])
    return Figures(
        name=name,
        actions=sum(len(answer["commits"]) for answer in answers),
        pushes=len(waits),
        lost=sum(answer["losses"] for answer in answers),
        seconds=max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers),
        cpu=sum(answer["cpu"] for answer in answers),
        waits=tuple(waits),
    )


def measure(racers: int, each: int) -> tuple[Figures, Figures]:
    """Plain git and Stellwerk, one after the other, each on a bare repository of its own."""
    with tempfile.TemporaryDirectory(prefix="stellwerk-races-") as name:
        plain = race_plain(build(Path(name) / "plain", racers=racers, each=each), each)
        ours = race_reconcilers(build(Path(name) / "ours", racers=racers, each=each))
    return plain, ours


def main() -> int:
    """Measure, print; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description="Race reconcilers and plain git.")
    parser.add_argument("--racers", type=int, default=16)
    parser.add_argument("--each", type=int, default=20)
    asked = parser.parse_args()
    plain, ours = measure(asked.racers, asked.each)
    print(f"{asked.racers} racers, {asked.each} actions each; {os.cpu_count()} CPUs\n")
    print(f"{'':<28} {'actions':>8} {'pushes':>8} {'':>7} {'':>6}   {'waits, seconds':>20}")
    print(
        f"{'':<28} {'/s':>8} {'/s':>8} {'pushes':>7} {'lost':>6}   {'p50':>6} {'p95':>6} {'max':>6} {'seconds':>8} {'CPU/action':>11}"
    )
    print(plain.line())
    print(ours.line())
    verdicts = [
        (f"{ours.rate / plain.rate:.1f} times the actions of plain pushes (>= 1)", ours.rate >= plain.rate),
        (f"95 of 100 pushes wait {ours.wait(0.95):.2f} s at most (< {WAIT_LIMIT:.0f} s)", ours.wait(0.95) < WAIT_LIMIT),
        (f"every action arrived ({ours.actions})", ours.actions == asked.racers * asked.each),
    ]
    print()
    for text, passed in verdicts:
        print(f"{'pass' if passed else 'FAIL'}  {text}")
    return int(not all(passed for _, passed in verdicts))


if __name__ == "__main__":
    sys.exit(main())
