"""A run in its directory: begun there, simulated into its log, and left so that it can be resumed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from groundlings.environments.cleaning import logger
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive import directory as files
from groundlings.experiments.config.loading import as_yaml
from groundlings.experiments.running.calibration import FILE_NAME as CALIBRATION_NAME
from groundlings.experiments.running.events import Progress, RunBegins
from groundlings.experiments.running.kept_data import with_data_kept
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.simulating import CutShort, simulate

_logger = logger(__name__)


def begin(plan: Plan, out: Path | None, held: ExitStack, progress: Progress) -> Path:
    """The directory of a new run, kept for this process, with its configuration in it.

    Args:
        plan: What is to be run.
        out: The directory; one under `runs` if absent.
        held: Gives the directory free when it is closed.
        progress: Is told where the run can be resumed.

    Raises:
        RunDirectoryError: The directory holds something already, or cannot be written.
    """
    directory = files.choose_directory(plan.config.name, out)
    held.enter_context(files.locked(directory))
    files.write_text(directory / files.CONFIG_NAME, as_yaml(with_data_kept(plan.config, plan.dataset, directory)))
    if plan.minds.language_term is not None:
        files.write_text(directory / CALIBRATION_NAME, plan.minds.language_term.calibration.as_text())
    progress.event(RunBegins(directory))
    _logger.info("%s: begun", directory)
    return directory


async def simulate_into(directory: Path, plan: Plan, run: Mapping[str, Any], progress: Progress) -> None:
    """As `simulate`, into the log of a run's directory; where it ends early, the open visits are written down there."""
    cut_short: list[CutShort] = []
    store = files.log_store(directory, plan.config.log.url if plan.config.log else None)
    try:
        await simulate(plan, run, store, progress, cut_short)
    except BaseException as fault:
        _logger.info("%s: stopped with %d open visits (%s)", directory, len(cut_short), type(fault).__name__)
        with suppress(RunDirectoryError):  # a full disk may be why we are here
            files.write_json(directory / files.STOPPED_NAME, {"cut_short": [asdict(each) for each in cut_short]})
        raise
    (directory / files.STOPPED_NAME).unlink(missing_ok=True)
