"""Generate the reference project's data: what a shoe shop sold, by style and day. No real firm stands behind it.

    python data/generate.py               # data/sales.csv and data/sales-stand-in.csv, two years
    python data/generate.py --seasons 9   # one season more; what was there before stays as it is

`sales.csv` plays the confidential production data. `sales-stand-in.csv` has the same columns and none of the truth:
other seed, other levels, no trend. It is what is used where production data are not allowed.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_DAY = date(2024, 3, 1)
SEASONS = ("spring", "summer", "autumn", "winter")  # three months each, from 1 March
COLUMNS = ("day", "style", "season", "part_of_week", "price", "promotion", "sold")

# style: (price, pairs on an ordinary day, factor in spring, summer, autumn, winter)
STYLES = {
    "ballerina": (59.0, 30, (1.3, 1.1, 0.9, 0.6)),
    "chelsea-boot": (129.0, 24, (0.8, 0.4, 1.5, 1.4)),
    "hiking-boot": (149.0, 18, (1.1, 1.0, 1.3, 0.7)),
    "rain-boot": (45.0, 14, (1.2, 0.5, 1.7, 0.9)),
    "sandal": (49.0, 40, (1.0, 2.0, 0.4, 0.1)),
    "sneaker": (89.0, 60, (1.2, 1.1, 1.0, 0.9)),
}
WEEKDAYS = (0.8, 0.8, 0.9, 1.0, 1.2, 1.7, 0.5)  # Monday to Sunday
PROMOTION = 1.35  # demand in a promotion week, at a price a fifth lower
GROWTH = 1.015  # per season


def season_start(number: int) -> date:
    """The first day of the season with that number; 0 begins on FIRST_DAY."""
    months = FIRST_DAY.month - 1 + 3 * number
    return date(FIRST_DAY.year + months // 12, months % 12 + 1, 1)


def sales(seasons: int, *, seed: int) -> Iterator[tuple[object, ...]]:
    """Rows in order of day, then style. The rows of a season do not depend on how many seasons follow."""
    for number in range(seasons):
        dice = random.Random(f"{seed}:{number}")  # noqa: S311  not a secret
        day, end = season_start(number), season_start(number + 1)
        sale = day + timedelta(weeks=dice.randint(3, 9))
        while day < end:
            promoted = sale <= day < sale + timedelta(weeks=1)
            for style, (price, level, factors) in STYLES.items():
                mean = level * factors[number % 4] * WEEKDAYS[day.weekday()] * GROWTH**number
                mean *= PROMOTION if promoted else 1.0
                yield row(day, style, number, price * (0.8 if promoted else 1.0), promoted, pairs(dice, mean))
            day += timedelta(days=1)


def stand_in(seasons: int, *, seed: int) -> Iterator[tuple[object, ...]]:
    """Rows of the same shape whose numbers are made up: every style sells alike, every day of the week too."""
    dice = random.Random(f"stand-in:{seed}")  # noqa: S311
    day, end = FIRST_DAY, season_start(seasons)
    number = 0
    while day < end:
        number += day == season_start(number + 1)
        for style in STYLES:
            promoted = dice.random() < 0.1  # noqa: PLR2004
            yield row(day, style, number, dice.choice((40.0, 80.0, 120.0)), promoted, pairs(dice, 10.0 + number % 4))
        day += timedelta(days=1)


def row(day: date, style: str, season: int, price: float, promoted: bool, sold: int) -> tuple[object, ...]:  # noqa: FBT001, PLR0917
    """One line of the file, in the order of COLUMNS."""
    part = "weekend" if day.weekday() > 4 else "week"  # noqa: PLR2004
    return day.isoformat(), style, SEASONS[season % 4], part, f"{price:.2f}", int(promoted), sold


def pairs(dice: random.Random, mean: float) -> int:
    """Pairs sold on a day with that mean: a Poisson number by its normal approximation."""
    return max(0, round(dice.gauss(mean, math.sqrt(mean))))


def write(path: Path, rows: Iterator[tuple[object, ...]]) -> None:
    """Write a CSV file with a header and Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def generate(folder: Path, *, seasons: int = 8, seed: int = 7) -> None:
    """Write both files into the folder."""
    write(folder / "sales.csv", sales(seasons, seed=seed))
    write(folder / "sales-stand-in.csv", stand_in(4, seed=seed))


def main() -> None:
    """Read the command line and generate."""
    parser = argparse.ArgumentParser(description="Generate the reference project's data.")
    parser.add_argument("--seasons", type=int, default=8, help="how many seasons of sales (default: 8, two years)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent)
    asked = parser.parse_args()
    generate(asked.folder, seasons=asked.seasons, seed=asked.seed)


if __name__ == "__main__":
    main()
