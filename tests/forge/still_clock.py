"""Time that stands still but for those who sleep."""

from __future__ import annotations


class Clock:
    """Its `sleep` and `now` are what a `Patience` asks for; `slept` is what was slept, in seconds."""

    def __init__(self):
        self.time = 1_800_000_000.0
        self.slept: list[float] = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds

    def now(self):
        return self.time
