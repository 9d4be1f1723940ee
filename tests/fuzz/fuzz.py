"""Spoil thousands of files and answers of model servers: each must end in a clear error, an event of a session or a
valid run, and none may harm an earlier run.

    python tests/fuzz/fuzz.py [--seed S] [--yaml N] [--data N] [--replies N] [--only CAMPAIGN[:NUMBER]]

What happens to a file follows from the seed, the campaign and its number, so `--only` repeats one alone and prints the
traceback. The last line counts; the exit status is 1 where anything but valid runs and clear errors was found.
"""

# ruff: noqa: E402 - the environment is set before anything of ours is imported

from __future__ import annotations

import argparse
import faulthandler
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

os.environ["GROUNDLINGS_REMOTE"] = "forbid"
os.environ["GROUNDLINGS_OFFLINE"] = "1"
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from data_files import call_stores, movielens_archives, own_tables, ranking_files
from run_directories import run_directories
from server_replies import server_replies
from world import Campaign, World
from yaml_files import yaml_files

from groundlings.environments.errors import BudgetExhausted, TooMuchUnreadable, UserError

SECONDS_A_FILE = 60
"""Of the processor: many times what one of these tiny runs takes, however busy the machine is."""
MEMORY_BYTES = 8 << 30
"""Address space: an absurd size is to be refused, not tried."""
LONGEST_MESSAGE = 6000
"""A message that nobody would read to its end is not clear."""


class TooLong(BaseException):
    """Not an `Exception`, so that nobody takes it for one of his own."""


def main() -> int:
    """1 where anything was found, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--yaml", type=int, default=10_000, help="spoiled experiment files")
    parser.add_argument("--data", type=int, default=1_000, help="spoiled data files and run directories")
    parser.add_argument("--replies", type=int, default=10_000, help="spoiled answers of a model server")
    parser.add_argument("--only", metavar="CAMPAIGN[:NUMBER]", help="one campaign, or one file with its traceback")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _too_long)
    tally: Counter[tuple[str, str]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    found = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        world = World(Path(scratch).resolve())
        for campaign in _campaigns(world, given.yaml, given.data, given.replies):
            for number in range(campaign.total):
                name = f"{campaign.name}:{number}"
                if given.only in (None, name, campaign.name):
                    kind, outcome = _one(world, campaign, number, given.seed, given.only == name)
                    tally[campaign.name, outcome.partition(":")[0]] += 1
                    kinds[campaign.name, kind] += 1
                    if outcome.startswith("FOUND"):
                        found += 1
                        print(f"{name} ({kind}) {outcome}", flush=True)
    for counted in (kinds, tally):
        for (name, what), count in sorted(counted.items()):
            print(f"{count:>7,}  {name}: {what}")
    total = tally.total()
    print(f"{total:,} spoiled files, seed {given.seed}: {found} ended in neither a valid run nor a clear error")
    return int(found > 0)


def _one(world: World, campaign: Campaign, number: int, seed: int, loud: bool) -> tuple[str, str]:
    """How a file was spoilt, and what came of it."""
    luck = random.Random(f"{seed}:{campaign.name}:{number}")
    kind, work = campaign.spoil(number, luck)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_A_FILE)
    faulthandler.dump_traceback_later(20 * SECONDS_A_FILE, exit=True)  # for what waits, and what no signal interrupts
    try:
        outcome = work()
    except (UserError, BudgetExhausted, TooMuchUnreadable) as error:
        outcome = type(error).__name__
        if loud:
            print(error)
        if not str(error).strip() or len(str(error)) > LONGEST_MESSAGE:
            outcome = f"FOUND a message of {len(str(error))} characters: {str(error)[:200]}"
    except (Exception, TooLong, SystemExit) as error:
        last = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename][
            -1
        ]
        outcome = f"FOUND {type(error).__name__}: {str(error)[:200]} ({last.filename}:{last.lineno})"
        if loud:
            traceback.print_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    harmed = world.harmed()
    return kind, f"FOUND harm done to {harmed}" if harmed else outcome


def _campaigns(world: World, yaml: int, data: int, replies: int) -> list[Campaign]:
    """All kinds of files, the last of which takes what the shares leave, and answers of servers."""
    shares = {own_tables: 0.4, ranking_files: 0.15, movielens_archives: 0.1, call_stores: 0.05}
    counts = {make: round(data * share) for make, share in shares.items()}
    rest = data - sum(counts.values())
    return [
        yaml_files(world, yaml),
        *(make(world, count) for make, count in counts.items()),
        run_directories(world, rest),
        server_replies(world, replies),
    ]


def _too_long(*_: object) -> None:
    raise TooLong(f"still at it after {SECONDS_A_FILE} seconds of the processor")


if __name__ == "__main__":
    sys.exit(main())
