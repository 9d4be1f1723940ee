"""What a Ray cluster of this machine reaches of the throughput of worker processes, on one and the same run.

    python -m benchmarks.ray_cluster [--people 3000] [--items 2000] [--days 4] [--workers 2] [--rounds 2]

Both engines simulate the same sessions with the same number of workers, in turn, everything logged in Parquet; the
ratio is of neighbours in time, so that a busy machine slows both. Before that each simulates a few people, which is
where the cluster and the imports of its workers are paid for. Beside the seconds stand those of CPU, of this process
and all its descendants: where other programs keep the machine busy, they say more. The digests must be equal. Exits
with 1 where the cluster reaches less than GOAL.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from groundlings.environments.cores import usable_cores
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.log.parquet import ParquetStore
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

GOAL = 0.9
"""Least ratio of the impressions per second of a cluster and of worker processes."""
_ENGINES = ("pool", "ray")
_FEW = {"n_users": 600, "n_items": 100, "interactions_per_user": 20}
_SMALL_SHARD = 64
"""Of the few people: so each worker gets some of them."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One simulation: impressions, wall seconds, CPU seconds of all processes, and the digest of its log."""

    impressions: int
    wall: float
    cpu: float
    digest: str


def main() -> int:
    """Measure, print, and say by the exit status whether the goal was reached."""
    import ray

    arguments, console = _arguments(), Console()
    # Ray makes its workers nicer than others by 15: on a busy machine they would wait where those of the pool work.
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init("local", num_cpus=arguments.workers, include_dashboard=False, log_to_driver=False)
    shop = {"n_users": arguments.people, "n_items": arguments.items, "interactions_per_user": 40}
    passes = defaultdict[str, list[Pass]](list)
    with tempfile.TemporaryDirectory() as folder:
        for engine in _ENGINES:
            _simulated(_config(_FEW, 2, engine, arguments.workers, _SMALL_SHARD), Path(folder) / "few" / engine)
        for number in range(arguments.rounds):
            for engine in _ENGINES if number % 2 == 0 else reversed(_ENGINES):
                config = _config(shop, arguments.days, engine, arguments.workers, arguments.shard)
                one = _simulated(config, Path(folder) / str(number) / engine)
                passes[engine].append(one)
                console.print(f"[dim]{engine}: {one.wall:.1f} s, {one.cpu:.1f} CPU s")
    if len({one.digest for each in passes.values() for one in each}) > 1:
        raise AssertionError("the engines have simulated different runs")
    return _print(console, passes["pool"], passes["ray"], arguments.workers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=3_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--shard", type=int, default=1_024, help="sessions per shard")
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


def _config(shop: dict[str, Any], days: int, engine: str, workers: int, shard: int) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "name": "cluster",
            "seed": 1,
            "dataset": {"name": "toy", "toy": shop},
            "simulation": {"days": days, "refit_every": 0},
            "site": {"page_size": 10, "max_pages": 5},
            "mind": {"kind": "behavioural", "cohort_size": shard},
            "arms": [{"name": name, "recommender": name} for name in ("popular", "item_knn")],
            "execution": {"engine": engine, "workers": workers},
        }
    )


def _simulated(config: ExperimentConfig, folder: Path) -> Pass:
    """One simulation; what a run does before its first session and after its last is not measured."""
    folder.mkdir(parents=True)
    plan, store = build_plan(config), ParquetStore(folder / LOG_NAME)
    run = run_row(plan)
    began, busy = time.perf_counter(), _processor_seconds()
    asyncio.run(simulate(plan, run, store))
    wall, cpu = time.perf_counter() - began, _processor_seconds() - busy
    with LogReader(store) as log:
        impressions = int(log.query("SELECT count(*) AS n FROM impressions")["n"][0])
        return Pass(impressions, wall, cpu, log.digest())


def _processor_seconds() -> float:
    """CPU seconds so far of this process and its descendants, those that have ended included (Linux)."""
    children, spent = defaultdict[int, list[int]](list), dict[int, float]()
    ticks = os.sysconf("SC_CLK_TCK")
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()  # a name may hold anything, and stands in brackets
        except OSError:
            continue  # it has ended meanwhile
        number = int(entry.parent.name)
        children[int(fields[1])].append(number)
        spent[number] = sum(map(int, fields[11:15])) / ticks  # its own and that of its children that have ended
    total, waiting = 0.0, [os.getpid()]
    while waiting:
        number = waiting.pop()
        total += spent.get(number, 0.0)
        waiting += children[number]
    return total


def _print(console: Console, pool: Sequence[Pass], ray: Sequence[Pass], workers: int) -> int:
    table = Table(title=f"{pool[0].impressions:,} impressions, {workers} workers, median of {len(pool)} rounds")
    for column in ("", "seconds", "CPU, s", "impressions/s"):
        table.add_column(column, justify="left" if not column else "right")
    for name, passes in (("worker processes", pool), ("Ray", ray)):
        wall = statistics.median(one.wall for one in passes)
        cpu = statistics.median(one.cpu for one in passes)
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}", f"{pool[0].impressions / wall:,.0f}")
    console.print(table)
    ratio = statistics.median(mine.wall / other.wall for mine, other in zip(pool, ray, strict=True))
    busy = statistics.median(mine.cpu / other.cpu for mine, other in zip(pool, ray, strict=True))
    reached = ratio >= GOAL
    verdict = "reached" if reached else "MISSED"
    console.print(
        f"Ray reaches {ratio:.2f} of the throughput (CPU: {busy:.2f}); goal {GOAL}: {verdict}", highlight=False
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
