"""Seconds, peak memory and size of every export of a large made-up log, a process each.

    python -m benchmarks.exports [--impressions 5000000] [--formats parquet,trec]

The log is written straight into the tables, so that its size is free; nothing in it was simulated.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from groundlings.experiments.exports.export import export_run
from groundlings.experiments.exports.registry import FORMATS
from groundlings.simulator.log.migrations import migrate
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.tables import INDEXES

GOAL_MEGABYTES = 500
PAGE_SIZE, PAGES, ITEMS, ARMS, DAYS = 10, 5, 3_000, 2, 5
SLOTS = PAGE_SIZE * PAGES
PERSONA = '{"demographics": {"age": "30"}, "history_length": 20, "traits": {"activity": {"value": 20.0}, "diversity": {"value": 5.0}}}'  # noqa: E501
RUN = (
    "bench", "bench", "done", "2026-01-01T00:00:00+00:00", None, 1, "{}", "c", "made up", "d", "made up", "none",
    PAGE_SIZE, PAGES, 4.0, "{}", None, "{}", True,
)  # fmt: skip


def main() -> None:
    """Write the log, export it, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--impressions", type=int, default=5_000_000)
    parser.add_argument("--formats", default=",".join(FORMATS))
    arguments = parser.parse_args()
    table = Table("format", "seconds", "peak memory, MB", "written, MB", title=f"{arguments.impressions:,} impressions")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run.mkdir()
        write_log(run / LOG_NAME, arguments.impressions)
        for name in arguments.formats.split(","):
            # A fresh interpreter each: the peak of a process never falls again.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seconds, memory, size = pool.apply(measure, (run, name, Path(folder) / name))
            table.add_row(name, f"{seconds:.1f}", f"{memory:.0f}", f"{size:.0f}")
            worst = max(worst, memory)
    console = Console()
    console.print(table)
    console.print(f"at most {worst:.0f} MB (goal {GOAL_MEGABYTES})")


def measure(run: Path, name: str, out: Path) -> tuple[float, float, float]:
    """Seconds, peak resident megabytes of this process, and megabytes written."""
    began = time.perf_counter()
    export_run(run, name, out)
    seconds = time.perf_counter() - began
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, size / 1e6


def write_log(path: Path, impressions: int) -> None:
    """A log of full sessions: 8 % of the items opened and rated, 1 % of the pages unreadable."""
    engine = SqliteStore(path).for_writing()
    with engine.begin() as connection:
        migrate(connection, path)
    engine.dispose()
    sessions = impressions // SLOTS
    people = max(1, sessions // (ARMS * DAYS))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        _insert(connection, "runs", [RUN])
        _insert(connection, "arms", ((arm + 1, "bench", f"arm{arm}", arm, "made_up", "{}", 0) for arm in range(ARMS)))
        _insert(connection, "agents", ((who + 1, "bench", f"u{who}", PERSONA) for who in range(people)))
        _insert(
            connection, "items", ((item + 1, "bench", f"i{item}", f"Item {item}", None, "a|b") for item in range(ITEMS))
        )
        _insert(connection, "sessions", (_session(number, people) for number in range(sessions)))
        for rows in _impressions(sessions):
            _insert(connection, "impressions", rows)
        for name, columns in INDEXES.items():
            connection.execute(f"CREATE INDEX {name} ON {columns}")


def _session(number: int, people: int) -> tuple[Any, ...]:
    session, who = divmod(number, people)
    arm, day = divmod(session, DAYS)
    return number + 1, min(arm, ARMS - 1) + 1, who + 1, day, 86_400 * day, "v", "exact", PAGES, "exit", 5.0


def _impressions(sessions: int) -> Iterator[list[tuple[Any, ...]]]:
    rng = np.random.default_rng(1)
    for first in range(0, sessions, 1_000):
        block = min(1_000, sessions - first)
        items = rng.integers(1, ITEMS + 1, (block, SLOTS)).tolist()
        opened = (rng.random((block, SLOTS)) < 0.08).tolist()
        lost = (rng.random((block, PAGES)) < 0.01).tolist()
        yield [
            (
                1 + (first + session) * SLOTS + rank, first + session + 1, page + 1, position, rank,
                items[session][rank], 0.5, 0.01, True, None, None if lost[session][page] else opened[session][rank],
                4.0 if opened[session][rank] and not lost[session][page] else None, None, None, position, None,
            )
            for session in range(block)
            for rank in range(SLOTS)
            for page, position in (divmod(rank, PAGE_SIZE),)
        ]  # fmt: skip


def _insert(connection: sqlite3.Connection, table: str, rows: Any) -> None:
    first, *others = rows
    marks = ", ".join("?" * len(first))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [first, *others])
    connection.commit()


if __name__ == "__main__":
    main()
