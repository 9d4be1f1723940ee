"""Replicates of one experiment: every combination of prompts, models and seeds is a run of its own, side by side.

    RUN/config.yaml             with `variants`
    RUN/cells/seed-7/           a whole run each: configuration, log, summary, report
    RUN/cells/seed-8/
    RUN/report.html             the first cell's, whose verdict heard all the others

A sceptic asks whether an effect is the recommender's or the prompt's. Agents of one run cannot tell: they share prompt,
model and seed. So the cells are a second random factor (see `comparison.headline`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive import directory as files
from groundlings.experiments.config.loading import as_yaml, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.config.variants import cells_of
from groundlings.experiments.python_api.kept_data import with_data_kept
from groundlings.experiments.running.run import Outcome, Watcher, measure, resume_experiment, run_experiment, spent_in
from groundlings.experiments.running.supplied import Supplied
from groundlings.simulator.language.budget import Spent
from groundlings.simulator.log.store import ADDRESS_NAME, LOG_NAME, open_log, store_at

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class MatrixOutcome:
    """All finished runs of a matrix.

    Attributes:
        directory: Where the cells lie.
        cells: Name -> outcome, in the order of the matrix.
    """

    directory: Path
    cells: dict[str, Outcome]


def run_as_configured(
    config: ExperimentConfig,
    out: Path | None = None,
    watcher: Watcher | None = None,
    supplied: Supplied | None = None,
) -> Outcome | MatrixOutcome:
    """A run, or all the runs that the configuration's variants ask for."""
    if config.variants:
        return run_matrix(config, out, watcher, supplied)
    return run_experiment(config, out, watcher, supplied=supplied)


def go_on_with(
    directory: Path, watcher: Watcher | None = None, supplied: Supplied | None = None
) -> Outcome | MatrixOutcome:
    """Resume whatever was begun in a directory."""
    if load_config(files.existing_config(directory)).variants is not None:
        return resume_matrix(directory, watcher, supplied)
    return resume_experiment(directory, watcher, supplied=supplied)


def run_matrix(
    config: ExperimentConfig,
    out: Path | None = None,
    watcher: Watcher | None = None,
    supplied: Supplied | None = None,
) -> MatrixOutcome:
    """Run every cell, one after the other; a budget holds for all of them together.

    Raises:
        UserError: As `run_experiment`; what was logged before stays, and `resume_matrix` goes on.
    """
    directory = files.choose_directory(config.name, out)
    with files.locked(directory):
        dataset = supplied.dataset if supplied else None
        files.write_text(directory / files.CONFIG_NAME, as_yaml(with_data_kept(config, dataset, directory)))
        return _carry_out(config, directory, watcher or Watcher(), supplied)


def resume_matrix(directory: Path, watcher: Watcher | None = None, supplied: Supplied | None = None) -> MatrixOutcome:
    """Go on with a matrix, wherever it was interrupted; every cell ends with the digest of an uninterrupted one.

    Raises:
        UserError: As `resume_experiment`.
    """
    config = load_config(files.existing_config(directory))
    with files.locked(directory):
        return _carry_out(config, directory, watcher or Watcher(), supplied)


def has_cells(directory: Path) -> bool:
    """Whether a directory holds a matrix and not a run."""
    return (directory / files.CELLS).is_dir()


def runs_in(directory: Path) -> list[Path]:
    """The runs of a matrix, or the one run that a directory is."""
    return cell_directories(directory) if has_cells(directory) else [directory]


def cell_directories(directory: Path) -> list[Path]:
    """The runs of a matrix, in its order.

    Raises:
        RunDirectoryError: One of them has not begun.
    """
    found = [directory / files.CELLS / cell.name for cell in cells_of(load_config(files.existing_config(directory)))]
    for cell in found:
        if not _has_log(cell):
            raise RunDirectoryError(
                f"{cell}: this cell has not begun; finish the matrix with groundlings run --resume {directory}"
            )
    return found


def write_reports(directory: Path) -> None:
    """Draw every cell again, the first one with the others as its variants, and put its page on top."""
    cells = cell_directories(directory)
    with _opened(cells) as engines:
        for number, (cell, engine) in enumerate(zip(cells, engines, strict=True)):
            measure(cell, engine, [] if number else engines[1:])
    _put_on_top(directory, cells[0])


def _carry_out(config: ExperimentConfig, directory: Path, watcher: Watcher, supplied: Supplied | None) -> MatrixOutcome:
    watcher.begins(directory)
    cells = cells_of(config)
    outcomes = {}
    for number, cell in enumerate(cells, start=1):
        place = directory / files.CELLS / cell.name
        others = sum((_spent(directory / files.CELLS / each.name) for each in cells if each is not cell), Spent())
        heard = _CellWatcher(watcher, f"{number}/{len(cells)} {cell.name}")
        if (place / files.CONFIG_NAME).is_file():
            outcomes[cell.name] = resume_experiment(place, heard, spent=others, supplied=supplied)
        else:
            place.parent.mkdir(exist_ok=True)
            outcomes[cell.name] = run_experiment(cell.config, place, heard, spent=others, supplied=supplied)
    if len(cells) > 1:
        watcher.note("comparing the cells")
    write_reports(directory)
    return MatrixOutcome(directory, outcomes)


def _spent(cell: Path) -> Spent:
    return spent_in(store_at(cell)) if _has_log(cell) else Spent()


def _has_log(cell: Path) -> bool:
    return any((cell / name).is_file() for name in (LOG_NAME, ADDRESS_NAME))


def _put_on_top(directory: Path, cell: Path) -> None:
    files.write_bytes(directory / files.REPORT_NAME, (cell / files.REPORT_NAME).read_bytes())


@contextmanager
def _opened(directories: Sequence[Path]) -> Iterator[list[Engine]]:
    """The logs of some runs, opened for reading and closed again."""
    with ExitStack() as stack:
        engines = []
        for directory in directories:
            engines.append(open_log(directory))
            stack.callback(engines[-1].dispose)
        yield engines


class _CellWatcher(Watcher):
    """Tells another watcher which cell its arms are of, and that the whole matrix is what can be resumed."""

    def __init__(self, watcher: Watcher, cell: str) -> None:
        self._watcher = watcher
        self._cell = cell

    def note(self, line: str) -> None:
        """See `Watcher.note`."""
        self._watcher.note(line)

    def download(self, what: str, done: int, total: int | None) -> None:
        """See `Watcher.download`."""
        self._watcher.download(what, done, total)

    def calibration(self, done: int, total: int) -> None:
        """See `Watcher.calibration`."""
        self._watcher.calibration(done, total)

    def begins(self, directory: Path) -> None:
        """The matrix has begun before its cells."""

    def arm(self, name: str, visits: int) -> None:
        """See `Watcher.arm`."""
        self._watcher.arm(f"{self._cell}: {name}", visits)

    def visits(self, count: int) -> None:
        """See `Watcher.visits`."""
        self._watcher.visits(count)
