"""Do the tests notice? Changes the files of the story one place at a time, and runs the tests nearest to each.

    make mutate                       every mutant; results are kept in build/mutation, so a second run goes on
    make mutate ARGS="--sample 60"    sixty of them, the same ones each time
    make mutate ARGS="--only feed.py" those of one file

A mutant is one change of one place: a comparison, `and`, `or`, `not`, plus and minus, a number, True and False, a
dropped statement, an end of a slice, two swapped arguments. It survives when the tests named beside its file in
`stories.py` pass all the same, whatever tests further away would say. Survivors that change no behaviour stand in
`explained.txt` with the reason; any other makes this command fail.

Nothing is written to the tree: a process that is forked for each mutant imports the changed text in the file's place.

The project has a mutator of its own because cosmic-ray, which was tried, writes 1,902 mutants of these files into the
tree one by one, takes some five hours, and neither drops a statement nor swaps two arguments.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from itertools import pairwise
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "src")]

from places import Mutant, mutants_of  # noqa: E402
from stories import STORY  # noqa: E402

RESULTS = ROOT / "build" / "mutation" / "results.tsv"
SURVIVORS = ROOT / "build" / "mutation" / "survivors.txt"
EXPLAINED = Path(__file__).with_name("explained.txt")
# Loaded once in the parent; modules of the project are imported by each child anew.
HEAVY = ("hypothesis", "mesa", "numpy", "pandas", "pydantic", "pytest", "scipy.sparse", "scipy.stats", "sqlalchemy")
PROCESSOR_SECONDS, WALL_SECONDS = 60, 600
"""What the tests of a mutant may take. A loop without end uses the processor up; a wait without end, the clock."""


class Changed(SourceFileLoader):
    """Imports one module from a changed text; as an entry of `sys.meta_path` it finds that module alone."""

    def __init__(self, path: str, text: bytes) -> None:
        super().__init__("groundlings." + path.removesuffix(".py").replace("/", "."), str(ROOT / path))
        self.text = text

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec", dont_inherit=True)


def started(path: str, text: bytes) -> int:
    """The id of a child process that runs the tests of a file whose text is this; it exits with 0 where they pass."""
    child = os.fork()
    if child:
        return child
    # A mutant that never ends is killed by a signal and counts as noticed; a busy machine must not look like one.
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    signal.alarm(WALL_SECONDS)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.meta_path.insert(0, Changed(path, text))
    import pytest

    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile", "mutation"]
    code = 1
    try:
        code = int(pytest.main([*quiet, *STORY[path]]))
    finally:
        os._exit(code)


def digest_of(path: str) -> str:
    """Changes with a file and with its tests, so that results are only kept while both are the same."""
    files = [ROOT / path, *(ROOT / test for test in STORY[path])]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def kept_results() -> dict[tuple[str, str], bool]:
    """What earlier runs found: (digest, mutant) -> whether it survived."""
    if not RESULTS.exists():
        return {}
    rows = (line.split("\t") for line in RESULTS.read_text("utf-8").splitlines())
    return {(digest, key): verdict == "survived" for digest, verdict, key in rows}


def explained() -> set[str]:
    """Survivors with a reason: a mutant per line, each followed by its indented reason."""
    lines = EXPLAINED.read_text("utf-8").splitlines()
    found = {key for key, reason in pairwise(lines) if reason.startswith("    ")}
    listed = {line for line in lines if line and not line.startswith(("    ", "#"))}
    if listed - found:
        raise SystemExit(f"{EXPLAINED}: no reason is given for {sorted(listed - found)[0]}")
    return found


def wait(running: dict[int, Mutant]) -> tuple[Mutant, bool]:
    """The next mutant whose tests have ended, and whether it survived."""
    child, status = os.wait()
    return running.pop(child), status == 0


def judged(mutants: Sequence[Mutant], digests: dict[str, str], workers: int) -> list[Mutant]:
    """Run the tests of each mutant, some at a time; returns the survivors."""
    survivors: list[Mutant] = []
    running: dict[int, Mutant] = {}
    waiting = list(reversed(mutants))
    with RESULTS.open("a", encoding="utf-8") as results:
        while waiting or running:
            while waiting and len(running) < workers:
                mutant = waiting.pop()
                running[started(mutant.path, mutant.text)] = mutant
            mutant, survived = wait(running)
            verdict = "survived" if survived else "killed"
            print(f"{digests[mutant.path]}\t{verdict}\t{mutant.key}", file=results, flush=True)
            if survived:
                print(f"survived, line {mutant.line}: {mutant.key}", flush=True)
                survivors.append(mutant)
    return survivors


def prepare() -> None:
    """Load what every child needs, and let Hypothesis try the same examples each time."""
    os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", GROUNDLINGS_REMOTE="forbid")
    for name in HEAVY:
        importlib.import_module(name)
    from hypothesis import settings

    settings.register_profile("mutation", derandomize=True, database=None, max_examples=60, deadline=None)
    os.chdir(ROOT)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)


def main() -> int:
    """See the module; returns the exit status: 0 when no survivor is unexplained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="judge so many mutants, the same ones each time")
    parser.add_argument("--only", default="", help="judge mutants whose file's path holds this")
    parser.add_argument("--workers", type=int, default=2, help="test runs at a time")
    args = parser.parse_args()
    prepare()
    paths = [path for path in STORY if args.only in path]
    mutants = [mutant for path in paths for mutant in mutants_of(path, (ROOT / path).read_bytes())]
    if args.sample and args.sample < len(mutants):
        chosen = sorted(random.Random(0).sample(range(len(mutants)), args.sample))
        mutants = [mutants[place] for place in chosen]
    for path in sorted({mutant.path for mutant in mutants}):
        _, status = os.waitpid(started(path, (ROOT / path).read_bytes()), 0)
        if status:
            print(f"The tests of {path} fail before anything is changed: pytest {' '.join(STORY[path])}")
            return 2
    digests, kept = {path: digest_of(path) for path in paths}, kept_results()
    new = [mutant for mutant in mutants if (digests[mutant.path], mutant.key) not in kept]
    print(f"{len(mutants)} mutants in {len(paths)} files, {len(mutants) - len(new)} of them judged before.", flush=True)
    begun = time.monotonic()
    survivors = judged(new, digests, args.workers)
    took = time.monotonic() - begun
    survivors += [mutant for mutant in mutants if kept.get((digests[mutant.path], mutant.key))]
    reasons = explained()
    unexplained = sorted(mutant.key for mutant in survivors if mutant.key not in reasons)
    SURVIVORS.write_text("".join(f"{key}\n" for key in unexplained), "utf-8")
    print(f"{len(mutants) - len(survivors)} killed, {len(survivors) - len(unexplained)} survive and are explained, ")
    print(f"{len(unexplained)} survive unexplained ({SURVIVORS}). {len(new)} runs took {took:.0f} seconds.")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
