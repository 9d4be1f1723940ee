"""A run in its directory: begun there, simulated into its log, and left so that it can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from groundlings.environments.cleaning import logger
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.comparison.held_out import HeldOut, is_as_written, read_held_out
from groundlings.experiments.analysis.metrics.fit_counts import add_fit_counts
from groundlings.experiments.archive import directory as files
from groundlings.experiments.config.loading import as_yaml
from groundlings.experiments.running.agent_notes import write_agent_notes
from groundlings.experiments.running.calibration import FILE_NAME as CALIBRATION_NAME
from groundlings.experiments.running.changes import check_same
from groundlings.experiments.running.events import Progress, RunBegins
from groundlings.experiments.running.held_out.measuring import ArmMeasurement
from groundlings.experiments.running.kept_data import with_data_kept
from groundlings.experiments.running.live_requests import LiveRequests
from groundlings.experiments.running.made_from import write_made_from
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.simulating import CutShort, simulate
from groundlings.experiments.running.sizes import store_of
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.fit_counts import fit_counts_of
from groundlings.simulator.log.begun import Begun
from groundlings.simulator.log.session_hashes import Hashes
from groundlings.simulator.log.store import store_at

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class Resuming:
    """What may differ from a run's beginning when it is resumed.

    Attributes:
        accept_changes: Whether to go on with another experiment than it began as; the log says so from then on.
        data: Where the files lie that it reads, if not where its configuration says; their content must be the same.
    """

    accept_changes: bool = False
    data: Path | None = None


AS_BEGUN = Resuming()
"""Nothing may differ."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """What is known of a run whose log is complete.

    Attributes:
        held_out: What held-out behaviour and other audiences say of the arms.
        hashes: Of all sessions, for the log's digest; None where it is read for these.
    """

    held_out: HeldOut
    hashes: Hashes | None


@contextmanager
def kept(directory: Path) -> Iterator[None]:
    """Keep a run's directory for this process; where somebody removes it meanwhile, that is the one error.

    Raises:
        RunDirectoryError: Another process works on it, it cannot be written, or it was removed.
    """
    with files.locked(directory):
        try:
            yield
        except Exception as fault:
            if directory.is_dir():
                raise
            raise RunDirectoryError(
                f"{directory}: the directory of this run was removed or renamed while the run was at work; what was "
                "in it is not there any more. Start a new run, and leave its directory in place until it has ended"
            ) from fault


def prepare_again(plan: Plan, directory: Path, begun: Begun | None, resuming: Resuming) -> None:
    """Bring the files of a run that is resumed up to date before anything is simulated.

    Args:
        plan: What is to be simulated.
        directory: The run's.
        begun: What its log says that it began with; None where it was stopped before that.
        resuming: What may differ.

    Raises:
        ConfigError: Its data was said to lie elsewhere, and is not what the run began with.
    """
    term = plan.minds.language_term
    if begun is None and term is not None:
        files.write_text(directory / CALIBRATION_NAME, term.calibration.as_text())
    if resuming.data is not None:
        if begun is not None:
            check_same(directory, begun, plan.config, plan.identity, accept=resuming.accept_changes)
        files.write_text(directory / files.CONFIG_NAME, as_yaml(plan.config))


def check_log_is_there(directory: Path, begun: Begun | None) -> None:
    """Raise `RunDirectoryError` where a run had ended and its log has gone: resuming would be another run of its name.

    Args:
        directory: The run's.
        begun: What its log says that it began with; None where there is no log, or nothing in it.
    """
    if begun is None and (directory / files.MANIFEST_NAME).is_file():
        raise RunDirectoryError(
            f"{store_at(directory)}: nothing of a run is in this log, and {files.MANIFEST_NAME} says that the run had "
            "ended; restore the log from a copy, or start a new run with --out in another directory"
        )


def begin(plan: Plan, out: Path | None, home: Path, held: ExitStack, progress: Progress) -> Path:
    """The directory of a new run, kept for this process, with its configuration in it.

    Args:
        plan: What is to be run.
        out: The directory; one under `runs` if absent.
        home: What relative paths begin at.
        held: Gives the directory free when it is closed.
        progress: Is told where the run can be resumed.

    Raises:
        RunDirectoryError: The directory holds something already, or cannot be written.
    """
    directory = files.choose_directory(plan.config.name, out, home)
    held.enter_context(kept(directory))
    files.write_text(directory / files.CONFIG_NAME, as_yaml(with_data_kept(plan.config, plan.dataset.real, directory)))
    if plan.minds.language_term is not None:
        files.write_text(directory / CALIBRATION_NAME, plan.minds.language_term.calibration.as_text())
    if plan.dataset.synthetic is not None:
        write_made_from(directory, plan.dataset, plan.dataset.synthetic)
    progress.event(RunBegins(directory))
    _logger.info("%s: begun", directory)
    return directory


async def simulate_into(
    directory: Path, plan: Plan, run: Mapping[str, Any], progress: Progress, *, accept: bool = False
) -> Simulated:
    """As `simulate`, into the log of a run's directory; where it ends early, open sessions are written down there."""
    measurement = ArmMeasurement(plan)

    async def after_first_fit(name: str, recommender: AsyncRecommender) -> None:
        add_fit_counts(directory, name, fit_counts_of(recommender, plan.population.users))
        write_agent_notes(directory, plan.config, plan.dataset, name, recommender)
        await measurement.after_first_fit(name, recommender)

    cut_short: list[CutShort] = []
    store = files.log_store(directory, plan.config.log.url if plan.config.log else None, store_of(plan))
    try:
        hashes = await simulate(
            plan,
            run,
            store,
            progress,
            cut_short,
            accept=accept,
            after_first_fit=after_first_fit,
            requests=LiveRequests(directory, plan, progress),
        )
    except BaseException as fault:
        _logger.info("%s: stopped with %d open sessions (%s)", directory, len(cut_short), type(fault).__name__)
        if cut_short or not (directory / files.MANIFEST_NAME).is_file():  # a finished run was only looked at
            with suppress(RunDirectoryError):  # a full disk may be why we are here
                files.write_json(directory / files.STOPPED_NAME, {"cut_short": [asdict(each) for each in cut_short]})
        raise
    (directory / files.STOPPED_NAME).unlink(missing_ok=True)
    with suppress(RunDirectoryError):  # a damaged file is measured and written anew
        if is_as_written(directory) and (before := read_held_out(directory)):
            return Simulated(before, hashes)  # of a finished run that is resumed
    return Simulated(await measurement.finished(), hashes)
