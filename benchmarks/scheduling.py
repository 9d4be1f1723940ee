"""Bytes per person, and microseconds per person and day, that Mesa takes to schedule sessions.

    python benchmarks/scheduling.py [--days 5] [--visit-probability 0.3] [--rounds 3]

The yardstick is one line of numpy that draws for everybody on each day and keeps nothing. Both name the same visitors,
which is checked, and take turns, so that a busy machine slows both. Time includes making the agents. Memory is the
highest that Python and numpy held at any moment, measured in a round of its own. A first row shows what one Mesa agent
per person would take. It fails where the shipped schedule takes more than MOST_BYTES or MOST_MICROSECONDS.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from groundlings.environments.arrays import IntArray
from groundlings.environments.random_streams import Draws
from groundlings.simulator.session_schedule import PEOPLE_PER_AGENT, DailyChance, SessionSchedule

MOST_BYTES, MOST_MICROSECONDS = 700, 1.0
SEED = 1

Days = Callable[[], list[IntArray]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one side takes: bytes per person, and microseconds per person and day."""

    bytes_: float
    microseconds: float


def main() -> int:
    """Measure, print, and say by the exit status whether the goal was reached."""
    arguments = _arguments()
    console = Console()
    title = f"{arguments.days} days, P(session) {arguments.visit_probability}, median of {arguments.rounds}"
    table = Table(title=title)
    for column in ("people", "per agent", "bytes/person", "by numpy", "us/person and day", "by numpy"):
        table.add_column(column, justify="right")
    reached = True
    for people, per_agent in ((10_000, 1), *((people, PEOPLE_PER_AGENT) for people in arguments.people)):
        mesa, plain = _measure(people, per_agent, arguments)
        table.add_row(
            f"{people:,}", f"{per_agent:,}", f"{mesa.bytes_:,.0f}", f"{plain.bytes_:,.0f}",
            f"{mesa.microseconds:.3f}", f"{plain.microseconds:.3f}",
        )  # fmt: skip
        if per_agent > 1:
            reached &= mesa.bytes_ <= MOST_BYTES and mesa.microseconds <= MOST_MICROSECONDS
    console.print(table)
    verdict = "reached" if reached else "MISSED"
    goal = f"{MOST_BYTES} bytes per person, {MOST_MICROSECONDS:.0f} microsecond per person and day"
    console.print(f"with {PEOPLE_PER_AGENT:,} people per agent; goal {goal}: {verdict}", highlight=False)
    return 0 if reached else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--visit-probability", type=float, default=0.3)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _measure(people: int, per_agent: int, arguments: argparse.Namespace) -> tuple[Cost, Cost]:
    """What Mesa takes, and what numpy takes."""
    users = np.arange(people)
    sides: tuple[Days, Days] = (
        lambda: _scheduled(users, per_agent, arguments.days, arguments.visit_probability),
        lambda: _plain(users, arguments.days, arguments.visit_probability),
    )
    for ours, theirs in zip(*(side() for side in sides), strict=True):
        assert np.array_equal(ours, theirs), "both name the same visitors"
    seconds: list[list[float]] = [[], []]
    for _ in range(arguments.rounds):
        for side, taken in zip(sides, seconds, strict=True):
            began = time.perf_counter()
            side()
            taken.append(time.perf_counter() - began)
    per_person_and_day = 1e6 / (people * arguments.days)
    mesa, plain = (
        Cost(_most_held(side) / people, statistics.median(taken) * per_person_and_day)
        for side, taken in zip(sides, seconds, strict=True)
    )
    return mesa, plain


def _most_held(side: Days) -> int:
    tracemalloc.start()
    side()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def _scheduled(users: IntArray, per_agent: int, days: int, probability: float) -> list[IntArray]:
    everybody = np.ones(len(users), dtype=np.bool_)
    schedule = SessionSchedule(everybody, DailyChance(users, probability, SEED), days, per_agent)
    schedule.invite(True)
    arrivals = [schedule.arrivals(day) for day in range(days)]
    schedule.close()
    return arrivals


def _plain(users: IntArray, days: int, probability: float) -> list[IntArray]:
    return [np.flatnonzero(Draws.for_sessions(SEED, users, day).uniform("come") < probability) for day in range(days)]


if __name__ == "__main__":
    sys.exit(main())
