"""Impressions a second, everything logged, beside what SQLite itself takes for the same rows.

    python -m benchmarks.impressions [--people 5000] [--items 1682] [--days 5]

The platform ranks, decides, checks and logs; the yardstick only inserts the very same rows, ready made, through
`sqlite3.executemany` into the same tables. What every person thinks of every item is worked out once for a data set,
and shown on a line of its own. The people are made up, so the size is free.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from groundlings.environments.cores import usable_cores
from groundlings.experiments.config.execution import ExecutionConfig
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.engines.pool import why_no_fork
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.tables import metadata

GOAL = 100_000
POURED = ("sessions", "impressions", "events")


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    console = Console()
    config = ExperimentConfig.model_validate(
        {
            "name": "bench",
            "seed": 1,
            "dataset": {
                "name": "toy",
                "toy": {"n_users": arguments.people, "n_items": arguments.items, "interactions_per_user": 40},
            },
            "simulation": {"days": arguments.days, "refit_every": 0},
            "site": {"page_size": 10, "max_pages": 5},
            "mind": "behavioural",
            "arms": [{"name": name, "recommender": name} for name in ("popular", "ease")],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / LOG_NAME
        knowing_seconds, platform_seconds = _simulate(config, "process", log)
        _, pool_seconds = _simulate(config, "pool", Path(folder) / "pool.db") if why_no_fork() is None else (0.0, 0.0)
        rows = _read(log)
        raw_seconds = _insert(rows, Path(folder) / "raw.db")
    console.print(f"getting to know {arguments.people:,} people, once: {knowing_seconds:.1f} s")
    _print(console, {name: len(table) for name, table in rows.items()}, platform_seconds, raw_seconds)
    if pool_seconds:
        ratio = platform_seconds / pool_seconds
        console.print(f"{usable_cores()} worker processes: {pool_seconds:.2f} s, {ratio:.2f} times as fast")


def _simulate(config: ExperimentConfig, engine: Literal["process", "pool"], log: Path) -> tuple[float, float]:
    """Seconds for getting to know everybody, and for simulating them by an engine."""
    plan = build_plan(config.model_copy(update={"execution": ExecutionConfig(engine=engine)}))
    began = time.perf_counter()
    run = run_row(plan)
    _know_everybody(plan)
    known = time.perf_counter()
    asyncio.run(simulate(plan, run, log))
    return known - began, time.perf_counter() - known


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--items", type=int, default=1_682)
    parser.add_argument("--days", type=int, default=5)
    return parser.parse_args()


def _know_everybody(plan: Plan) -> None:
    """Find the users who are like each of them; the minds of all arms share it."""
    plan.minds.taste.evidence.similar.of(plan.population.users)


def _read(log: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(log) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in POURED}


def _insert(rows: dict[str, list[tuple[object, ...]]], path: Path) -> float:
    """Seconds for plain `executemany`, 50,000 rows a transaction, write-ahead logging, no index."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    for name in POURED:
        columns = ", ".join(column.name for column in metadata.tables[name].columns)
        connection.execute(f"CREATE TABLE {name} ({columns})")
    began = time.perf_counter()
    for name, table in rows.items():
        marks = ", ".join("?" * len(metadata.tables[name].columns))
        for start in range(0, len(table), 50_000):
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", table[start : start + 50_000])
            connection.commit()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def _print(console: Console, counts: dict[str, int], platform_seconds: float, raw_seconds: float) -> None:
    impressions, total = counts["impressions"], sum(counts.values())
    table = Table(title=f"{impressions:,} impressions ({total:,} rows)")
    for column in ("", "seconds", "impressions/s", "rows/s"):
        table.add_column(column, justify="left" if not column else "right")
    for name, seconds in (("groundlings, all of it", platform_seconds), ("raw sqlite3.executemany", raw_seconds)):
        table.add_row(name, f"{seconds:.2f}", f"{impressions / seconds:,.0f}", f"{total / seconds:,.0f}")
    console.print(table)
    speed = impressions / platform_seconds
    console.print(
        f"{speed:,.0f} impressions/s logged, {raw_seconds / platform_seconds:.2f} of raw SQLite (goal {GOAL:,})"
    )


if __name__ == "__main__":
    main()
