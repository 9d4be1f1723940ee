"""Runs that have ended, measured anew: only with the file, the data and the code that they ran with."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.archive.directory import existing_config
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.log_check import check_log, warn_of_changes
from groundlings.experiments.archive.strangers import refuse_strange
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.changes import changes_since, line
from groundlings.experiments.running.identity import code_hash, files_of
from groundlings.experiments.running.plan import build_plan
from groundlings.simulator.log.begun import begun_in
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import store_at

if TYPE_CHECKING:
    from groundlings.experiments.config.schema import ExperimentConfig
    from groundlings.experiments.running.plan import Plan


@contextmanager
def ended_log(directory: Path, *, partial: bool = False) -> Iterator[LogReader]:
    """The log of a run that has ended; whoever reads one that was changed since is warned.

    Args:
        directory: The run's.
        partial: Whether one that has not ended is read as well, with a warning.

    Raises:
        RunDirectoryError: There is no run, it is damaged, or it has not ended.
    """
    with reading(directory), LogReader(directory) as log:
        status = log.run()["status"]
        if status != "done":
            told = (
                f"{directory}: the run is {status}, so that arms have lived through different days; finish it with "
                f"`groundlings run --resume {shlex.quote(str(directory))}`"
            )
            if not partial:
                raise RunDirectoryError(told)
            warnings.warn(told, RunWarning, stacklevel=3)
        warn_of_changes(check_log(directory, log), directory)
        yield log


def plan_as_it_ran(directory: Path) -> Plan:
    """The plan of a run.

    Raises:
        RunDirectoryError: There is no run, it is somebody else's, whose file may name any code, or what it ran with is
            not the same any more.
    """
    refuse_strange(directory)
    config = load_config(existing_config(directory))
    plan = build_plan(config)
    if differing := not_as_it_ran(directory, config, plan):
        raise RunDirectoryError(
            f"{directory}: what is measured anew here is not what the run ran with: {'; '.join(differing)}. Put it "
            "back as it was, or start a new run"
        )
    return plan


def not_as_it_ran(directory: Path, config: ExperimentConfig, plan: Plan) -> list[str]:
    """What of a run's file, its data, the files that both name, and the code of its recommenders has changed since.

    Args:
        directory: The run's.
        config: As its file says it now.
        plan: Made of that, whether or not data may be fetched.
    """
    begun = begun_in(store_at(directory))
    if begun is None:
        return ["nothing has begun"]
    then = {**(begun.identity or {}), **{each.what: each.after for each in begun.accepted if each.after is not None}}
    now = {what: value for what, value in then.items() if ".file." not in what}
    now |= {"data": plan.dataset.fingerprint, **files_of(config)}
    for arm, recommender in zip(config.arms, plan.built.recommenders, strict=True):
        code = f"arms.{arm.name}.code"
        if code in then and (known := code_hash(recommender)):
            now[code] = known
    return [line(change) for change in changes_since(begun, config, now)]
