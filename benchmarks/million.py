"""What users' own commands take for 10,000, 100,000 and 1,000,000 people, and how it grows.

    python -m benchmarks.million --size S            10,000 people x 5,000 items x .4 million interactions
    python -m benchmarks.million --size M            100,000 x 20,000 x 3 million
    python -m benchmarks.million --size L            1,000,000 x 50,000 x 20 million
    python -m benchmarks.million --size S --size M   both, and the growth exponent in people of each command

The shop is made up (`benchmarks.made_shop`), so the size is free. Two arms, one day, three pages of ten; everything is
logged, measured, reported and exported. Each command is a process of its own: wall seconds, CPU seconds of it and of
its workers, and the most memory that they held together. Fails where `run` takes longer, or more memory, than its goal.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

from rich.console import Console
from rich.table import Table

from benchmarks.made_shop import make_shop
from groundlings.simulator.log.reader import LogReader

GIB = 2**30
_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Size:
    """A made-up shop, and what a whole run of it may take.

    Attributes:
        people, items, interactions: How many there are.
        seconds: Wall seconds of `run`.
        memory: Bytes of `run`.
    """

    people: int
    items: int
    interactions: int
    seconds: float
    memory: float


SIZES = {
    "S": Size(10_000, 5_000, 440_000, 8, 2 * GIB),
    "M": Size(100_000, 20_000, 2_950_000, 25, 4 * GIB),
    "L": Size(1_000_000, 50_000, 20_600_000, 180, 8 * GIB),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: wall seconds, CPU seconds, and the most bytes it held."""

    wall: float
    cpu: float
    memory: int


def main() -> None:
    """Make the shops, run the commands, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, action="append", help="which shops; S if absent")
    parser.add_argument("--set", action="append", default=[], help="a key of the experiment, as for `groundlings run`")
    parser.add_argument("--folder", type=Path, help="where shops are kept from one time to the next")
    arguments = parser.parse_args()
    console = Console()
    taken: dict[str, dict[str, Cost]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in arguments.size or ["S"]:
            folder = (arguments.folder or Path(scratch)) / name
            taken[name] = measured(folder, SIZES[name], arguments.set, console, name)
    print_growth(console, taken)
    sys.exit(any(too_much(SIZES[name], costs["run"]) for name, costs in taken.items()))


def measured(folder: Path, size: Size, settings: Sequence[str], console: Console, name: str) -> dict[str, Cost]:
    """Make one shop unless it is there, run every command on it, and print what each took."""
    if not (folder / "experiment.yaml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_shop(folder, size.people, size.items, size.interactions)
    run = folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    given = [part for each in settings for part in ("--set", each)]
    commands = {
        "check": ["check", "experiment.yaml", *given],
        "run": ["run", "experiment.yaml", "--out", "run", "--quiet", *given],
        "digest": ["digest", "run"],
        "report": ["report", "run"],
        "export": ["export", "run", "--format", "parquet", "--out", str(folder / "exported")],
    }
    costs: dict[str, Cost] = {}
    table = Table("command", "wall, s", "CPU, s", "memory, GiB", "goal", title=f"{name}: {size.people:,} people")
    for command, words in commands.items():
        shutil.rmtree(folder / "exported", ignore_errors=True)
        costs[command] = cost = cost_of([sys.executable, "-m", "groundlings", *words], folder)
        goal = f"{size.seconds:g} s, {size.memory / GIB:g} GiB" if command == "run" else ""
        table.add_row(command, f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.memory / GIB:.2f}", goal)
    console.print(table)
    _print_run(console, run)
    return costs


def cost_of(command: Sequence[str], folder: Path) -> Cost:
    """Run a command in a folder; one that fails ends the benchmark with what it said."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, cwd=folder, stdout=told, stderr=subprocess.STDOUT)  # noqa: S603 - our own
        most, over = [0], Event()
        watching = Thread(target=_watch, args=(process.pid, most, over), daemon=True)
        watching.start()
        # Unlike `Popen.wait`, this says what the process and the workers that it waited for took.
        _, status, usage = os.wait4(process.pid, 0)
        over.set()
        watching.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            told.seek(0)
            said = told.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(command)}: status {process.returncode}\n{said}")
    seconds = time.perf_counter() - began
    return Cost(seconds, usage.ru_utime + usage.ru_stime, max(most[0], usage.ru_maxrss * 1024))


def _watch(root: int, most: list[int], over: Event) -> None:
    """Keep the most memory that a process and those below it held together, shared pages once."""
    while not over.wait(_LOOK_EVERY):
        most[0] = max(most[0], sum(_share(process) for process in _family(root)))


def _family(root: int) -> list[int]:
    """A process and all below it."""
    found = [root]
    for process in found:
        for tasks in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += map(int, tasks.read_text().split())
            except OSError:
                continue  # it has ended
    return found


def _share(process: int) -> int:
    """Bytes that a process holds, of pages that it shares with others its share; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _print_run(console: Console, run: Path) -> None:
    """Impressions, how fast they came while simulating, and what the log takes."""
    with LogReader(run) as log:
        impressions = int(log.query("SELECT count(*) AS n FROM impressions").n[0])
    seconds = json.loads((run / "manifest.json").read_text("utf-8"))["seconds"]["simulate"]
    size = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
    console.print(
        f"{impressions:,} impressions, {impressions / seconds:,.0f} a second while simulating (fits included); "
        f"{size / impressions:.1f} bytes of run directory an impression"
    )


def print_growth(console: Console, taken: dict[str, dict[str, Cost]]) -> None:
    """For each command the exponent by which its CPU seconds grew with people, from one size to the next."""
    names = sorted(taken, key=lambda name: SIZES[name].people)
    for smaller, larger in pairwise(names):
        people = math.log(SIZES[larger].people / SIZES[smaller].people)
        parts = [
            f"{command} {math.log(taken[larger][command].cpu / taken[smaller][command].cpu) / people:.2f}"
            for command in taken[smaller]
        ]
        console.print(f"growth of CPU seconds with people, {smaller} to {larger} (1 = as people): {', '.join(parts)}")


def too_much(size: Size, cost: Cost) -> bool:
    """Whether a run took more than its goals."""
    return cost.wall > size.seconds or cost.memory > size.memory


if __name__ == "__main__":
    main()
