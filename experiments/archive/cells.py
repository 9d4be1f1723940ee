"""The runs that a directory holds: one, or the cells of a matrix."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path

from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.archive import directory as files
from groundlings.simulator.log.store import ADDRESS_NAME, LOG_NAME


def has_cells(directory: Path) -> bool:
    """Whether a directory holds a matrix and not a run."""
    return (directory / files.CELLS).is_dir()


def runs_in(directory: Path) -> list[Path]:
    """The runs of a matrix, or the one run that a directory is."""
    return cell_directories(directory) if has_cells(directory) else [directory]


def cell_directories(directory: Path) -> list[Path]:
    """The runs of a matrix, in its order. It warns of others beside them: an effect must not hold by leaving some out.

    Raises:
        RunDirectoryError: One of them has not begun.
    """
    # Reading an experiment file takes a second to import, which who asks about a single run need not wait for.
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.config.variants import cells_of

    found = [directory / files.CELLS / cell.name for cell in cells_of(load_config(files.existing_config(directory)))]
    for cell in found:
        if not has_log(cell):
            raise RunDirectoryError(
                f"{cell}: this cell has not begun; finish the matrix with "
                f"groundlings run --resume {shlex.quote(str(directory))}"
            )
    if others := sorted(run.name for run in (directory / files.CELLS).glob("*") if run not in found and has_log(run)):
        warnings.warn(
            f"{directory / files.CELLS}: {', '.join(others)} lies there too, and is left out, because `variants` of "
            f"{files.CONFIG_NAME} does not ask for it; put that back if it was changed after the runs",
            RunWarning,
            stacklevel=2,
        )
    return found


def has_log(cell: Path) -> bool:
    """Whether a run has begun in a directory."""
    return any((cell / name).is_file() for name in (LOG_NAME, ADDRESS_NAME))
