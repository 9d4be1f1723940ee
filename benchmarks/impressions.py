"""Impressions a second, everything logged, beside what SQLite itself takes for the same rows.

    python -m benchmarks.impressions [--people 5000] [--items 1682] [--days 5] [--arm popular --arm ease] [--ray]

The platform ranks, decides, checks and logs, in SQLite and in Parquet, in one process and in worker processes; the
yardstick only inserts the very same rows, ready made, through `sqlite3.executemany` into the same tables. Who is like
whom is worked out once for a data set, and shown on a line of its own. The people are made up, so the size is free.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from rich.console import Console
from rich.table import Table

from groundlings.environments.cores import usable_cores
from groundlings.experiments.config.execution import ExecutionConfig
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.engines.forked import why_no_fork
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.tables import metadata

GOAL = 1_000_000
"""Impressions a second in Parquet, with two cores."""
POURED = ("sessions", "impressions", "events")


Engine: TypeAlias = Literal["process", "pool", "ray"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall seconds, and CPU seconds of this process and the workers that it forked."""

    wall: float
    cpu: float


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
            "arms": [{"name": name, "recommender": name} for name in arguments.arm or ("popular", "ease")],
        }
    )
    costs: dict[str, Cost] = {}
    few = {"name": "toy", "toy": {"n_users": 60, "n_items": 60, "interactions_per_user": 10}}
    with tempfile.TemporaryDirectory() as folder:
        for engine in _engines(arguments.ray):
            for store in ("SQLite", "Parquet"):
                # A few people first: whoever comes first would pay for what all import.
                tried = ExperimentConfig.model_validate({**config.model_dump(), "dataset": few})
                _simulate(
                    tried, engine, Path(folder) / "tried" / engine / store / LOG_NAME, in_parts=store == "Parquet"
                )
                place = Path(folder) / engine / store / LOG_NAME
                known, costs[_name(engine, store)] = _simulate(config, engine, place, in_parts=store == "Parquet")
        rows = _read(Path(folder) / "process" / "SQLite" / LOG_NAME)
        costs["raw sqlite3.executemany"] = _insert(rows, Path(folder) / "raw.db")
    console.print(f"getting to know {arguments.people:,} people, once: {known:.1f} s")
    _print(console, {name: len(table) for name, table in rows.items()}, costs)


def _engines(with_ray: bool) -> list[Engine]:
    engines: list[Engine] = ["process"]
    if why_no_fork() is None:
        engines.append("pool")
    if with_ray:
        import ray

        # Started before: what a cluster takes to start is no part of what it takes to simulate.
        ray.init("local", num_cpus=usable_cores(), include_dashboard=False, log_to_driver=False)
        engines.append("ray")
    return engines


def _name(engine: Engine, store: str) -> str:
    workers = usable_cores()
    where = {"process": "one process", "pool": f"{workers} worker processes", "ray": f"Ray, {workers} workers"}
    return f"{where[engine]}, {store}"


def _simulate(config: ExperimentConfig, engine: Engine, log: Path, *, in_parts: bool) -> tuple[float, Cost]:
    """Seconds for getting to know everybody, and what simulating them by an engine takes."""
    log.parent.mkdir(parents=True)
    plan = build_plan(config.model_copy(update={"execution": ExecutionConfig(engine=engine)}))
    began = time.perf_counter()
    run = run_row(plan)
    _know_everybody(plan)
    known, cpu = time.perf_counter(), _cpu()
    asyncio.run(simulate(plan, run, ParquetStore(log) if in_parts else log))
    return known - began, Cost(time.perf_counter() - known, _cpu() - cpu)


def _cpu() -> float:
    """CPU seconds so far of this process and the workers that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=5_000)
    parser.add_argument("--items", type=int, default=1_682)
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--arm", action="append", help="a recommender; popular and ease if absent")
    parser.add_argument("--ray", action="store_true", help="on a Ray cluster of this machine as well")
    return parser.parse_args()


def _know_everybody(plan: Plan) -> None:
    """Find the users who are like each of them; the minds of all arms share it."""
    plan.minds.taste.evidence.similar.of(plan.population.users)


def _read(log: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(log) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in POURED}


def _insert(rows: dict[str, list[tuple[object, ...]]], path: Path) -> Cost:
    """What it takes for plain `executemany`, 50,000 rows a transaction, write-ahead logging, no index."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    for name in POURED:
        columns = ", ".join(column.name for column in metadata.tables[name].columns)
        connection.execute(f"CREATE TABLE {name} ({columns})")
    began, cpu = time.perf_counter(), _cpu()
    for name, table in rows.items():
        marks = ", ".join("?" * len(metadata.tables[name].columns))
        for start in range(0, len(table), 50_000):
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", table[start : start + 50_000])
            connection.commit()
    cost = Cost(time.perf_counter() - began, _cpu() - cpu)
    connection.close()
    return cost


def _print(console: Console, counts: Mapping[str, int], costs: Mapping[str, Cost]) -> None:
    impressions, total = counts["impressions"], sum(counts.values())
    raw = costs["raw sqlite3.executemany"].wall
    table = Table(title=f"{impressions:,} impressions ({total:,} rows)")
    for column in ("", "seconds", "CPU, s", "impressions/s", "of raw SQLite"):
        table.add_column(column, justify="left" if not column else "right")
    for name, cost in costs.items():
        speed, share = impressions / cost.wall, raw / cost.wall
        table.add_row(name, f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{speed:,.0f}", f"{share:.2f}")
    console.print(table)
    fastest = max(impressions / cost.wall for name, cost in costs.items() if name.endswith("Parquet"))
    console.print(f"{fastest:,.0f} impressions/s in Parquet (goal {GOAL:,} with two cores)")


if __name__ == "__main__":
    main()
