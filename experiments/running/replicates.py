"""Replicates of one experiment: every combination of prompts, models and seeds is a run of its own, side by side.

    RUN/config.yaml             with `variants`
    RUN/cells/seed-7/           a whole run each: configuration, log, summary, report
    RUN/cells/seed-8/
    RUN/report.html             what all of them say together, and whether they agree

A sceptic asks whether an effect is the recommender's or the prompt's. Agents of one run cannot tell: they share prompt,
model and seed. So the cells are a second random factor (see `comparison.headline`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from groundlings.experiments.analysis.measuring import Measured, measure
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.cells import cell_directories, has_log
from groundlings.experiments.config.keys_in_options import refuse_keys_in_options
from groundlings.experiments.config.loading import as_yaml, load_config
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.config.variants import Cell, cells_of
from groundlings.experiments.running.changes import check_sibling
from groundlings.experiments.running.events import SILENT, ArmBegins, Changed, Note, Progress, ProgressEvent, RunBegins
from groundlings.experiments.running.hybrid import spent_by_run
from groundlings.experiments.running.kept_data import with_data_kept
from groundlings.experiments.running.own_code import home
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.relocation import with_data_at
from groundlings.experiments.running.run import Outcome, resume_experiment, run_experiment
from groundlings.experiments.running.run_directory import AS_BEGUN, Resuming
from groundlings.experiments.running.supplied import Supplied
from groundlings.simulator.log.begun import begun_in
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.spending import Spending
from groundlings.simulator.log.store import store_at
from groundlings.simulator.log.trusted_hosts import refuse_unnamed


@dataclass(frozen=True, slots=True)
class MatrixOutcome:
    """All finished runs of a matrix.

    Attributes:
        directory: Where the cells lie.
        cells: Name -> outcome, in the order of the matrix.
        measured: The figures of the first cell, and what all cells answer together.
    """

    directory: Path
    cells: dict[str, Outcome]
    measured: Measured


def run_as_configured(
    config: ExperimentConfig,
    out: Path | None = None,
    progress: Progress = SILENT,
    supplied: Supplied | None = None,
) -> Outcome | MatrixOutcome:
    """A run, or all the runs that the configuration's variants ask for."""
    if config.variants:
        return run_matrix(config, out, progress, supplied)
    return run_experiment(config, out, progress, supplied=supplied)


def go_on_with(
    directory: Path,
    progress: Progress = SILENT,
    supplied: Supplied | None = None,
    resuming: Resuming = AS_BEGUN,
) -> Outcome | MatrixOutcome:
    """Resume whatever was begun in a directory; of a matrix one cell, if that is named, within the same budget."""
    if load_config(files.existing_config(directory)).variants is not None:
        return resume_matrix(directory, progress, supplied, resuming)
    others = _spent_by_other_cells(directory)
    return resume_experiment(directory, progress, spent=others, supplied=supplied, resuming=resuming)


def run_matrix(
    config: ExperimentConfig,
    out: Path | None = None,
    progress: Progress = SILENT,
    supplied: Supplied | None = None,
) -> MatrixOutcome:
    """Run every cell, one after the other; a budget holds for all of them together.

    Raises:
        UserError: As `run_experiment`; what was logged before stays, and `resume_matrix` goes on.
    """
    refuse_keys_in_options(config)
    files.check_server(config.log.url if config.log else None)
    directory = files.choose_directory(config.name, out, home(config, supplied))
    with files.locked(directory):
        dataset = supplied.dataset if supplied else None
        files.write_text(directory / files.CONFIG_NAME, as_yaml(with_data_kept(config, dataset, directory)))
        return _carry_out(config, directory, progress, supplied)


def resume_matrix(
    directory: Path,
    progress: Progress = SILENT,
    supplied: Supplied | None = None,
    resuming: Resuming = AS_BEGUN,
) -> MatrixOutcome:
    """Go on with a matrix, wherever it was interrupted; every cell ends with the digest of an uninterrupted one.

    Raises:
        UserError: As `resume_experiment`.
    """
    path = files.existing_config(directory)
    config = load_config(path)
    if (
        config.log is not None and config.log.url is not None
    ):  # cells that have not begun would be written to the server that the directory names
        refuse_unnamed(config.log.url, path)
    if resuming.data is not None:
        config = with_data_at(config, resuming.data)
    directory = home(config, supplied) / directory
    with files.locked(directory):
        outcome = _carry_out(config, directory, progress, supplied, resuming)
        if resuming.data is not None:
            files.write_text(directory / files.CONFIG_NAME, as_yaml(config))
        return outcome


def write_reports(directory: Path, fidelity: Path | None = None, truth: Path | None = None) -> Measured:
    """Draw every cell again, and the page of all of them together.

    Args:
        directory: Of the matrix.
        fidelity, truth: Files of the labs, where they do not lie beside a run.

    Returns:
        What was measured of the first cell, and what all cells answer together.
    """
    cells = cell_directories(directory)
    for cell in cells:
        with LogReader(cell) as log:
            measure(cell, log, fidelity=fidelity, truth=truth)
    return _compare_cells(directory, cells, fidelity, truth)


def _compare_cells(
    directory: Path, cells: Sequence[Path], fidelity: Path | None = None, truth: Path | None = None
) -> Measured:
    """Draw the page of all cells together."""
    from groundlings.experiments.analysis.matrix.page import measure_matrix

    with ExitStack() as stack:
        logs = [stack.enter_context(LogReader(cell)) for cell in cells]
        return measure_matrix(directory, cells, logs, fidelity, truth)


def _carry_out(
    config: ExperimentConfig,
    directory: Path,
    progress: Progress,
    supplied: Supplied | None,
    resuming: Resuming = AS_BEGUN,
) -> MatrixOutcome:
    progress.event(RunBegins(directory))
    cells = cells_of(config)
    outcomes = {}
    for number, cell in enumerate(cells, start=1):
        place = directory / files.CELLS / cell.name
        others = sum((_spent(directory / files.CELLS / each.name) for each in cells if each is not cell), Spending())
        heard = _in_cell(progress, f"{number}/{len(cells)} {cell.name}")
        if (place / files.CONFIG_NAME).is_file():
            outcomes[cell.name] = resume_experiment(place, heard, spent=others, supplied=supplied, resuming=resuming)
        else:
            place.parent.mkdir(exist_ok=True)
            outcomes[cell.name] = run_experiment(
                cell.config,
                place,
                heard,
                spent=others,
                supplied=supplied,
                check=_like_the_others(directory, cells, resuming),
            )
    if len(cells) > 1:
        progress.event(Note("comparing the cells"))
    # Each cell has drawn its own page; only what all of them say together is new.
    return MatrixOutcome(directory, outcomes, _compare_cells(directory, cell_directories(directory)))


def _like_the_others(directory: Path, cells: Sequence[Cell], resuming: Resuming) -> Callable[[Plan], None]:
    """Checks that a cell that begins is of the experiment that the matrix began as, which may be long ago."""

    def checked(plan: Plan) -> None:
        for cell in cells:
            place = directory / files.CELLS / cell.name
            begun = begun_in(store_at(place)) if has_log(place) else None
            if begun is not None:
                check_sibling(place, begun, cell.config, plan.identity, accept=resuming.accept_changes)

    return checked


def _spent(cell: Path) -> Spending:
    return spent_by_run(cell) if has_log(cell) else Spending()


def _spent_by_other_cells(directory: Path) -> Spending:
    """What the other cells of its matrix have taken of the budgets; nothing where a directory is no cell."""
    place = directory.resolve()
    whole = place.parent.parent
    if place.parent.name != files.CELLS or not (whole / files.CONFIG_NAME).is_file():
        return Spending()
    others = (cell.name for cell in cells_of(load_config(whole / files.CONFIG_NAME)) if cell.name != place.name)
    return sum((_spent(place.parent / name) for name in others), Spending())


def _in_cell(progress: Progress, cell: str) -> Progress:
    """Tells which cell an arm is of; what can be resumed is the whole matrix, which has begun before its cells."""

    def named(event: ProgressEvent) -> ProgressEvent | None:
        match event:
            case RunBegins():
                return None
            case ArmBegins(name, sessions):
                return ArmBegins(f"{cell}: {name}", sessions)
            case _:
                return event

    return Changed(progress, named)
