"""Measures the arms of a run that was made without: from its data, with recommenders that are built and fitted anew.

Nothing is written into the run's directory, which may be somebody else's or read-only: what was measured is kept in the
cache, under the run's own id. No code is imported that the run's files name, and nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from groundlings.environments.errors import RunDirectoryError, UserError
from groundlings.experiments.analysis.comparison.held_out import HeldOut, of_dict, read_held_out
from groundlings.experiments.archive.directory import CONFIG_NAME
from groundlings.experiments.archive.strangers import strange
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.as_it_ran import not_as_it_ran
from groundlings.experiments.running.event_loop import completed, outside_of_loops
from groundlings.experiments.running.events import SILENT, Note, Progress
from groundlings.experiments.running.held_out.figures import VERSION, cache_directory
from groundlings.experiments.running.held_out.measuring import ArmMeasurement
from groundlings.experiments.running.kept_values import read_kept, write_kept
from groundlings.experiments.running.own_code import code_of_its_own
from groundlings.experiments.running.plan import build_plan
from groundlings.simulator.log.reader import LogReader


def measured_later(directory: Path, log: LogReader, progress: Progress = SILENT) -> HeldOut | None:
    """What real behaviour says of the arms of a run, or why that cannot be told; None where the run says it itself.

    Args:
        directory: The run's.
        log: Its log.
        progress: Is told that something is measured.

    Raises:
        RunDirectoryError: What the run says of it is damaged.
    """
    if read_held_out(directory) is not None:
        return None
    run = log.run()
    arms = log.logged_arms()
    baseline = arms[0].name if arms else ""
    place = _place(run)
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        return of_dict(read_kept(place))
    try:
        found = _measured(directory, run, progress)
    except UserError as fault:
        return HeldOut(baseline, missing=f"this run did not measure it, and it cannot be measured now ({fault})")
    write_kept(place, found.as_dict())
    return found


def _measured(directory: Path, run: dict[str, Any], progress: Progress) -> HeldOut:
    if run["status"] != "done":
        raise RunDirectoryError(f"the run is {run['status']}")
    if not (directory / CONFIG_NAME).is_file():
        raise RunDirectoryError(f"there is no {CONFIG_NAME} beside its log")
    if why := strange(directory):
        raise RunDirectoryError(f"{why}, so only its log is read")
    config = load_config(directory / CONFIG_NAME)
    if own := code_of_its_own(config):
        again = f"groundlings run --resume {shlex.quote(str(directory))}"
        raise RunDirectoryError(f"{own} is code of its own, which a comparison does not import; `{again}` does")
    progress.event(Note("measuring what held-out behaviour says of the arms; it is kept for the next time"))
    here = config.dataset.model_copy(update={"allow_download": False})
    plan = build_plan(config.model_copy(update={"dataset": here}))
    if differing := not_as_it_ran(directory, config, plan):
        raise RunDirectoryError(f"it is not what it ran with any more ({'; '.join(differing)})")
    return outside_of_loops(lambda _: completed(ArmMeasurement(plan).finished()), progress)


def _place(run: dict[str, Any]) -> Path:
    facts = [VERSION, *(run[name] for name in ("run_id", "config_hash", "dataset_hash"))]
    return cache_directory() / f"run-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}.json"
