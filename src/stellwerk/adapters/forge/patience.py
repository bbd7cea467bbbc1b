"""How long to wait for a forge, and for what.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api says how: `retry-after` first, then
`x-ratelimit-reset` where none is left, else at least a minute, longer each time.
"""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.forge.refusal import FORBIDDEN, TOO_MANY, ForgeDown, graphql_types, words_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from github import GithubException

TRIES = 5  # of one request that meets a forge that is down
BURST = 20  # writes of a run that may follow each other at once; GitHub asks for a second between writes
SECONDARY = 60.0  # seconds, where GitHub names none


class Patience(Struct, kw_only=True):
    """Waits, at most `budget` seconds in all; `now` is in seconds since 1970."""

    sleep: Callable[[float], None]
    now: Callable[[], float]
    jitter: random.Random
    budget: float = 120.0
    waited: float = 0.0
    writes: int = 0
    last_write: float = 0.0

    def before_write(self) -> None:
        """Keep many writes apart; this is no waiting for a forge, so it takes nothing from the budget."""
        self.writes += 1
        pause = self.last_write + 1.0 - self.now()
        if self.writes > BURST and pause > 0:
            self.sleep(pause)
        self.last_write = self.now()

    def for_limit(self, error: GithubException, *, attempt: int, where: str) -> None:
        """Wait until the rate limit ends; ForgeDown, saying when that is, if it takes longer than there is time."""
        seconds = self._seconds_to_wait(error.headers or {}, attempt)
        if not self._wait(seconds + self.jitter.uniform(0, 1)):
            ends = datetime.fromtimestamp(self.now() + seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            raise ForgeDown(
                f"GitHub's rate limit is used up until {ends}: {words_of(error)}",
                where=where,
                hint="run it again after that; nothing but this request is missing",
                status=error.status,
            )

    def for_recovery(self, reason: str, *, attempt: int, where: str, at_least: float = 0.0) -> None:
        """Wait 1, 2, 4, 8 seconds, more or less; ForgeDown when it was tried often enough or there is no time left."""
        seconds = max(2.0 ** (attempt - 1) * self.jitter.uniform(0.5, 1.5), at_least)
        if attempt >= TRIES or not self._wait(seconds):
            raise ForgeDown(
                f"GitHub cannot be reached ({reason}), after {attempt} {'try' if attempt == 1 else 'tries'}",
                where=where,
                hint="run it again later; nothing but what was to be shown there is missing",
            )

    def a_moment(self, attempt: int) -> bool:
        """Let the forge finish what it computes in the background; whether there was time for it."""
        return self._wait(2.0**attempt)

    def _seconds_to_wait(self, headers: Mapping[str, str], attempt: int) -> float:
        told = self.told(headers)
        if told is not None:
            return told
        reset = headers.get("x-ratelimit-reset", "")
        if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
            return max(0.0, int(reset) - self.now())
        return SECONDARY * 2.0 ** (attempt - 1)

    def told(self, headers: Mapping[str, str]) -> float | None:
        """Seconds that a `retry-after` asks for, as a number or a date; None without one."""
        value = headers.get("retry-after", "").strip()
        if value.isdigit():
            return float(value)
        if value:
            try:
                return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - self.now())
            except ValueError:
                return None
        return None

    def _wait(self, seconds: float) -> bool:
        if self.waited + seconds > self.budget:
            return False
        self.waited += seconds
        self.sleep(seconds)
        return True


def is_limit(error: GithubException) -> bool:
    """Whether the refusal is a rate limit, primary or secondary; such a request was not carried out."""
    if "RATE_LIMITED" in graphql_types(error) or error.status == TOO_MANY:
        return True
    headers = error.headers or {}
    return error.status == FORBIDDEN and (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in words_of(error).lower()
    )
