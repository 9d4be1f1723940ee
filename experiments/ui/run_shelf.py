"""The runs of a directory under addresses that no request can make up: an address is looked up, never turned into a
path."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import CELLS, REPORT_NAME
from groundlings.experiments.archive.inventory import looks_like_a_run

_UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ShelvedRun:
    """A run directory.

    Attributes:
        key: Its part of an address: letters, digits and hyphens, the same at each start.
        name: Its path from the directory of all runs.
        directory: Where it lies.
        whole: Where the command works that makes it: of a replicate the directory of all replicates, else its own.
        is_matrix: Whether it is a matrix, the directory of all replicates: it has a page of its own, and no log.
    """

    key: str
    name: str
    directory: Path
    whole: Path
    is_matrix: bool = False


def shelved_runs(root: Path) -> Iterator[ShelvedRun]:
    """The runs directly under a directory, by name; the directory itself where it is a run.

    Replicates come one by one, after the page of all of them together where that has been drawn. A link is left out:
    it may lead anywhere.
    """
    try:
        if looks_like_a_run(root) and not (root / CELLS).is_dir():
            yield _shelved(root, root.resolve().name, root)
            return
        directories = [root] if (root / CELLS).is_dir() else sorted(root.iterdir())
    except OSError as fault:
        raise RunDirectoryError(f"{root}: cannot be read ({fault.strerror}); it held the runs") from None
    for directory in directories:
        # Somebody else's, closed to us, or removed in between: the others are shown all the same.
        with suppress(OSError):
            runs = _runs_in(directory)
            if runs and _is_drawn_matrix(directory):
                name = directory.resolve().name if directory == root else directory.relative_to(root).as_posix()
                yield _shelved(directory, name, directory, is_matrix=True)
            for run in runs:
                yield _shelved(run, run.relative_to(root).as_posix(), directory)


def _runs_in(directory: Path) -> list[Path]:
    if directory.is_symlink() or not directory.is_dir():
        return []
    cells = directory / CELLS
    whole = sorted(cells.iterdir()) if cells.is_dir() and not cells.is_symlink() else [directory]
    return [run for run in whole if not run.is_symlink() and looks_like_a_run(run)]


def _is_drawn_matrix(directory: Path) -> bool:
    cells, report = directory / CELLS, directory / REPORT_NAME
    return cells.is_dir() and report.is_file() and not cells.is_symlink() and not report.is_symlink()


def find_run(root: Path, key: str) -> ShelvedRun | None:
    """The run of an address, None where there is none."""
    return next((run for run in shelved_runs(root) if run.key == key), None)


def find_replicate(root: Path, matrix: ShelvedRun, name: str) -> ShelvedRun | None:
    """A replicate of a matrix by the name of its directory, None where there is none."""
    replicates = (run for run in shelved_runs(root) if run.whole == matrix.directory and not run.is_matrix)
    return next((run for run in replicates if run.directory.name == name), None)


def _shelved(directory: Path, name: str, whole: Path, *, is_matrix: bool = False) -> ShelvedRun:
    told = _UNSAFE.sub("-", name.removesuffix("/").lower()).strip("-")[:40] or "run"
    mark = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return ShelvedRun(f"{told}-{mark}", name, directory, whole, is_matrix)
