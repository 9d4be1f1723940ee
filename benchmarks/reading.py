"""CPU seconds that reading and checking one's own tables takes, the first time and afterwards, beside bare pandas.

    python -m benchmarks.reading [--rows 1500000] [--times iso]

The tables are made up: people and items as a shop has them, times in one of the usual notations. The first time, all
cells are read and checked; afterwards the data set is taken from what was kept of it. Each is measured in a process of
its own. Fails above the goals, which are of 1,500,000 rows.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from groundlings.environments.datasets.config import DatasetConfig

GOAL_FIRST, GOAL_AFTERWARDS = 10.0, 1.0
"""CPU seconds."""
USERS, ITEMS = 20_000, 20_000
NOTATIONS = ("seconds", "iso", "iso with milliseconds", "decimals", "calendar")
CONFIG = {
    "name": "own",
    "own": {
        "interactions": {"path": "met.csv", "user": "user", "item": "item", "rating": "stars", "timestamp": "when"},
        "items": {"path": "items.csv", "id": "item", "title": "title", "genres": "genres"},
    },
}


def main() -> None:
    """Write the tables, read them, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_500_000)
    parser.add_argument("--times", choices=NOTATIONS, action="append")
    arguments = parser.parse_args()
    table = Table(
        "times", "first, CPU s", "afterwards, CPU s", "pandas, CPU s", "ratio of the first", "peak memory, MB",
        title=f"{arguments.rows:,} rows",
    )  # fmt: skip
    worst = [0.0, 0.0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["GROUNDLINGS_DATA"] = str(folder / "downloads")
        for times in arguments.times or NOTATIONS:
            write(folder, arguments.rows, times)
            (first, peak), (afterwards, _), (pandas, _) = (in_process(each, folder) for each in (ours, ours, bare))
            cells = (f"{first:.1f}", f"{afterwards:.2f}", f"{pandas:.1f}", f"{first / pandas:.1f}", f"{peak:.0f}")
            table.add_row(times, *cells)
            worst = [max(worst[0], first), max(worst[1], afterwards)]
    console = Console()
    console.print(table)
    console.print(f"at most {worst[0]:.1f} and {worst[1]:.2f} s (goals {GOAL_FIRST:g} and {GOAL_AFTERWARDS:g})")
    sys.exit(worst[0] > GOAL_FIRST or worst[1] > GOAL_AFTERWARDS)


def in_process(read: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """CPU seconds and peak resident megabytes of reading, in a fresh interpreter; imports do not count."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (read, folder))


def measured(read: Callable[[Path], None], folder: Path) -> tuple[float, float]:
    """See `in_process`."""
    import pandas  # noqa: F401 - its import is not what is measured

    from groundlings.environments.datasets import load_dataset  # noqa: F401

    began = time.process_time()
    read(folder)
    return time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ours(folder: Path) -> None:
    """Read, check and hash, as a run does."""
    from groundlings.environments.datasets import load_dataset

    assert load_dataset(DatasetConfig.model_validate(CONFIG), base=folder).fingerprint


def bare(folder: Path) -> None:
    """Read the cells and make codes of users and items, and check nothing."""
    import pandas as pd

    frame = pd.read_csv(folder / "met.csv", dtype={"user": "str", "item": "str"})
    pd.factorize(frame["user"])
    pd.factorize(frame["item"])
    if frame["when"].dtype == object:
        pd.to_datetime(frame["when"], format="ISO8601")


def write(folder: Path, rows: int, times: str) -> None:
    """The tables, the same for the same size and notation."""
    import pandas as pd

    rng = np.random.default_rng(1)
    seconds = 1_500_000_000 + np.sort(rng.integers(0, 50_000_000, rows))
    parts = rng.integers(1, 1000, rows)
    moments = pd.to_datetime(seconds, unit="s")
    notations: dict[str, Callable[[], object]] = {
        "seconds": lambda: seconds,
        "iso": lambda: moments.strftime("%Y-%m-%d %H:%M:%S"),
        "iso with milliseconds": lambda: (moments + pd.to_timedelta(parts, unit="ms")).astype(str) + "+01:00",
        "decimals": lambda: [f"{second}.{part:03d}" for second, part in zip(seconds, parts, strict=True)],
        "calendar": lambda: moments.strftime("%Y%m%d%H%M%S"),
    }
    met = pd.DataFrame(
        {
            "user": rng.integers(0, USERS, rows),
            "item": (rng.pareto(1.2, rows) * 50).astype(int) % ITEMS,
            "stars": rng.integers(1, 6, rows),
            "when": notations[times](),
        }
    )
    met.drop_duplicates(["user", "item", "when"]).to_csv(folder / "met.csv", index=False)
    items = {"item": range(ITEMS), "title": [f"Item {item}" for item in range(ITEMS)], "genres": "some|other"}
    pd.DataFrame(items).to_csv(folder / "items.csv", index=False)


if __name__ == "__main__":
    main()
