"""Rows a second that the log takes, beside plain `sqlite3.executemany` of the same rows into the same tables.

    python -m benchmarks.bulk_logging [--people 5000] [--days 4] [--rounds 5]

Ours begins with what a cohort of sessions did, and lays it out, converts it and commits it. The yardstick is given the
very same rows as ready tuples. Both write tables without indexes, in write-ahead mode, and take turns, so that a busy
machine slows both. It fails where the log reaches less than GOAL of the yardstick.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.table import Table

from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.simulator.days import live_together
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.sqlite import SqliteStore
from groundlings.simulator.log.tables import metadata
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.session import CohortRecord

GOAL = 0.8
POURED = ("sessions", "impressions", "events")
ROWS_A_TRANSACTION = 50_000


def main() -> int:
    """Measure, print, and say by the exit status whether the goal was reached."""
    arguments = _arguments()
    plan = build_plan(
        ExperimentConfig.model_validate(
            {
                "name": "bulk",
                "seed": 1,
                "dataset": {"name": "toy", "toy": {"n_users": arguments.people, "interactions_per_user": 40}},
                "simulation": {"days": arguments.days, "refit_every": 0},
                "mind": "behavioural",
                "arms": [{"name": "popular", "recommender": "popular"}],
            }
        )
    )
    records = _live(plan)
    ours, raw = [], []
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.db"
        _log(plan, records, first)
        rows = _read(first)
        for number in range(arguments.rounds):
            ours.append(_log(plan, records, Path(folder) / f"ours-{number}.db"))
            raw.append(_insert(rows, Path(folder) / f"raw-{number}.db"))
    return _print({name: len(table) for name, table in rows.items()}, ours, raw)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


class _Notebook:
    """Stands in for the log and keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[CohortRecord] = []

    def write(self, record: CohortRecord, **_about: object) -> None:
        self.records.append(record)

    def flush(self) -> None:
        pass


def _live(plan: Plan) -> Sequence[CohortRecord]:
    """What everybody did, cohort by cohort."""
    notebook = _Notebook()
    arm = plan.make_arm(plan.config.arms[0])
    asyncio.run(live_together((arm,), plan.schedule, cast(LogWriter, notebook), lambda _: None))
    return notebook.records


def _log(plan: Plan, records: Sequence[CohortRecord], path: Path) -> float:
    """Seconds that the log takes for the sessions."""
    with LogWriter(path) as log:
        log.begin(run_row(plan), plan.arms, plan.population)
        began = time.perf_counter()
        for record in records:
            log.write(record, arm=plan.config.arms[0].name, sim_time=0, policy_version="")
        log.flush()
        return time.perf_counter() - began


def _read(path: Path) -> dict[str, list[Row]]:
    with sqlite3.connect(path) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in POURED}


def _insert(rows: dict[str, list[Row]], path: Path) -> float:
    """Seconds for plain `executemany` of ready tuples."""
    engine = SqliteStore(path).for_writing()
    metadata.create_all(engine)
    engine.dispose()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -65536")
    began = time.perf_counter()
    for name, table in rows.items():
        marks = ", ".join("?" * len(metadata.tables[name].columns))
        for start in range(0, len(table), ROWS_A_TRANSACTION):
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", table[start : start + ROWS_A_TRANSACTION])
            connection.commit()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def _print(counts: dict[str, int], ours: list[float], raw: list[float]) -> int:
    total = sum(counts.values())
    table = Table(title=f"{counts['impressions']:,} impressions, {total:,} rows, median of {len(ours)} rounds")
    for column in ("", "seconds", "rows/s"):
        table.add_column(column, justify="left" if not column else "right")
    for name, seconds in (("groundlings' log", ours), ("raw sqlite3.executemany", raw)):
        middle = statistics.median(seconds)
        table.add_row(name, f"{middle:.2f}", f"{total / middle:,.0f}")
    console = Console()
    console.print(table)
    ratio = statistics.median(yardstick / mine for mine, yardstick in zip(ours, raw, strict=True))
    verdict = "reached" if ratio >= GOAL else "MISSED"
    console.print(f"{ratio:.2f} of raw SQLite; goal {GOAL}: {verdict}", highlight=False)
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
