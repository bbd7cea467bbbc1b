"""The values a column may take, numbered: made by number, drawn by weight, the same in every release of Python.

Only the raw stream of PCG64 is used, which numpy promises to keep; its distributions are not promised.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.int64]

MOST = 1 << 62  # values that are numbered; of more, this many are spread over all
STEPS = 10**6  # values of a range of real numbers
EXACT = 1 << 53


class Draw:
    """A stream of random numbers for one purpose; its words do not depend on any other stream."""

    def __init__(self, seed: int, *purpose: str) -> None:
        import numpy as np

        digest = hashlib.sha256("\0".join((str(seed), *purpose)).encode()).digest()
        self._bits = np.random.PCG64(int.from_bytes(digest[:16]))

    def below(self, size: int, count: int) -> Numbers:
        """So many whole numbers from 0 up to, not including, `size`."""
        import numpy as np

        raw = np.asarray(self._bits.random_raw(count), dtype=np.uint64)
        return (raw % np.uint64(size)).astype(np.int64)

    def shares(self, count: int) -> npt.NDArray[np.float64]:
        """So many numbers in [0, 1)."""
        return self.below(EXACT, count) / float(EXACT)

    def some(self, size: int, count: int) -> Numbers:
        """`count` different numbers below `size`, in any order."""
        import numpy as np

        if size <= 4 * count:
            return np.argsort(self.shares(size), kind="stable")[:count].astype(np.int64)
        found = self.below(size, count)
        while True:
            first = np.sort(np.unique(found, return_index=True)[1])
            if len(first) == count:
                return found
            found = np.concatenate([found[first], self.below(size, count - len(first))])


class Part(Struct, frozen=True, kw_only=True):
    """`size` values that are equally likely; `values(numbers)` makes those of these numbers. `weight`: how many."""

    size: int
    values: Callable[[Numbers], Sequence[object]]
    weight: float = 1.0


class Space(Struct, frozen=True):
    """Parts side by side; the numbers of the second go on where those of the first end."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """How many values there are; not more than MOST are counted."""
        return min(sum(part.size for part in self.parts), MOST)

    def drawn(self, draw: Draw, count: int) -> Numbers:
        """The numbers of `count` values, by weight."""
        import numpy as np

        weights = np.cumsum([part.weight for part in self.parts])
        chosen = np.minimum(np.searchsorted(weights, draw.shares(count) * weights[-1], "right"), len(weights) - 1)
        sizes = np.array([part.size for part in self.parts], dtype=np.int64)
        begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        raw = draw.below(MOST, count)
        return np.asarray(begins[chosen] + raw % sizes[chosen], dtype=np.int64)

    def values(self, numbers: Numbers) -> list[object]:
        """The values of these numbers, in their order."""
        import numpy as np

        found = np.empty(len(numbers), dtype=object)
        begin = 0
        for part in self.parts:
            inside = (numbers >= begin) & (numbers < begin + part.size)
            if inside.any():
                made = np.empty(int(inside.sum()), dtype=object)
                made[:] = part.values(numbers[inside] - begin)
                found[inside] = made
            begin += part.size
        return list(found)


def listed(values: Sequence[object], weight: float = 1.0) -> Part:
    """These values."""
    return Part(size=len(values), values=lambda numbers: [values[i] for i in numbers.tolist()], weight=weight)


def whole(low: int, high: int, weight: float = 1.0) -> Part | None:
    """The whole numbers from `low` to `high`; None where there is none."""
    size = high - low + 1
    return (
        Part(size=size, values=lambda numbers: [low + i for i in numbers.tolist()], weight=weight)
        if 1 <= size <= MOST
        else None
    )


def texts(size: int, nth: Callable[[int], str], weight: float = 1.0) -> Part:
    """Texts by number. Where there are more than MOST, those that are numbered are spread over all."""
    shown = min(size, MOST)
    step = size // shown

    def values(numbers: Numbers) -> list[str]:
        return [nth(i * step + (i * 0x9E3779B97F4A7C15) % step) for i in numbers.tolist()]

    return Part(size=shown, values=values, weight=weight)


def real(low: Decimal, high: Decimal, weight: float = 1.0, *, above: bool = False) -> Part | None:
    """About STEPS decimal numbers from `low` (`above`: not itself) to `high`; None where there is none."""
    from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

    with localcontext() as context:
        context.prec = 1000
        width = high - low
        if width < 0 or (above and width == 0):
            return None
        digits = math.ceil(math.log10(STEPS)) - width.adjusted() if width else -min(low.as_tuple().exponent, 0)  # type: ignore[operator]
        scale = Decimal(10) ** digits
        first = int((low * scale).to_integral_value(ROUND_CEILING))
        first += above and first == low * scale
        last = int((high * scale).to_integral_value(ROUND_FLOOR))
    if first > last:
        return None

    def values(numbers: Numbers) -> list[object]:
        if digits >= 0:
            power = 10**digits
            return [(first + i) / power for i in numbers.tolist()]  # rounds right, however large
        power = 10**-digits
        return [float((first + i) * power) for i in numbers.tolist()]

    return Part(size=last - first + 1, values=values, weight=weight)
