"""Schedules, as GitHub reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.planning.cron import cron_problem, shortest_interval


@pytest.mark.parametrize(
    "text",
    [
        "0 3 * * 1",
        "*/5 * * * *",
        "20/15 * * * *",
        "0,30 4-6 1 JAN-mar *",
        "0 0 29 2 *",
        "0 0 31 2 1",
        "5 4 * * SUN-SAT",
    ],
)
def test_a_schedule_that_comes_has_no_problem(text):
    assert cron_problem(text) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("60 3 * * 1", "'60' is no minute: 0 to 59"),
        ("0 24 * * *", "'24' is no hour: 0 to 23"),
        ("0 3 0 * *", "'0' is no day of the month: 1 to 31"),
        ("0 3 * 13 *", "'13' is no month: 1 to 12"),
        ("0 3 * * 7", "'7' is no day of the week: 0 to 6"),
        ("0 3 * * MONDAY", "'MONDAY' is no day of the week"),
        ("0 3 MON * *", "'MON' is no day of the month: 1 to 31"),
        ("30-10 * * * *", "'30-10' ends before it begins in minute"),
        ("*/0 * * * *", "'*/0' steps by nothing in minute"),
        ("*-5 * * * *", "'*-5' is no minute"),
        ("1,,2 * * * *", "'' is no minute"),
        ("0 3 * *", "it has 4 fields instead of five"),
        ("0 0 31 4,6 *", "no month it names has a day 31: it never comes to pass"),
        ("0 0 30 FEB *", "no month it names has a day 30: it never comes to pass"),
    ],
)
def test_a_problem_is_said_in_words(text, problem):
    assert cron_problem(text) == problem


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("* * * * *", 1),
        ("*/5 * * * *", 5),
        ("*/7 * * * *", 4),
        ("0,58 * * * *", 2),
        ("0,58 3 * * *", 58),
        ("58 23,0 * * *", 60),
        ("0 3 * * 1", 24 * 60),
    ],
)
def test_the_interval_is_that_of_the_two_nearest_times(text, minutes):
    assert shortest_interval(text) == minutes


@given(st.text(alphabet="0123456789*,/- ANJS", max_size=30))
def test_any_text_is_judged(text):
    problem = cron_problem(text)
    assert problem or shortest_interval(text) >= 1
