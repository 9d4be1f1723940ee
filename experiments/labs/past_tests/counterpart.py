"""The simulated effect that belongs to a past test: the same arm, the same metric, in a finished run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from groundlings.environments.errors import DataError, RunDirectoryError, shown
from groundlings.environments.words import plural
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes, read_outcomes
from groundlings.experiments.analysis.comparison.primary_effect import is_unvaried
from groundlings.experiments.analysis.comparison.verdict import UNVARIED
from groundlings.experiments.analysis.metrics.registry import metrics_of
from groundlings.experiments.archive.cells import runs_in
from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.log_check import check_log
from groundlings.experiments.labs.past_tests.tests_file import PastTest, Scale
from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a run says of a test.

    Attributes:
        effect, error: Of the arm over the baseline, relative or absolute, and its standard error over agents.
        agents: With a value in both arms.
        run_id: Of the run.
        changed: What of its log was changed after it was written, in words.
    """

    effect: float
    error: float
    agents: int
    run_id: str
    changed: tuple[str, ...]


def read_run(directory: Path, where: str) -> Outcomes:
    """What a comparison needs of a finished run.

    Args:
        directory: The run's.
        where: The test that names it, for messages.

    Raises:
        DataError: There is no run, its log cannot be read, it is not finished, holds several runs, or its arms share
            every list.
    """
    try:
        return _read(directory, where)
    except RunDirectoryError as fault:
        raise DataError(f"{where}: {fault}") from None


def _read(directory: Path, where: str) -> Outcomes:
    runs = runs_in(directory)
    if len(runs) > 1:
        raise DataError(f"{where}: {directory} holds {len(runs)} runs; name one of them, such as {runs[0]}")
    with reading(runs[0]), LogReader(runs[0]) as log:
        row = log.run()
        if row["status"] != "done":
            raise DataError(
                f"{where}: the run in {directory} is {row['status']}; finish it with `groundlings run --resume`"
            )
        outcomes = read_outcomes(log, metrics_of(row["config"], (), log.action_names()))
        changes = check_log(runs[0], log)
    if outcomes.preference is not None:
        raise DataError(f"{where}: {directory} is an interleaving run, which has no effect on a metric")
    return replace(outcomes, changes=changes)


def counterpart(test: PastTest, outcomes: Outcomes, scale: Scale) -> Simulated:
    """The simulated effect of a test.

    Raises:
        DataError: The run has no such arm or metric, or the effect cannot be told: from too few agents, or from arms
            that are copies of each other or differ by the same amount for everybody, whose error of 0 would be taken
            for certainty.
    """
    baseline = outcomes.baseline if test.baseline is None else _arm(test, test.baseline, outcomes)
    arm = _arm(test, test.arm, outcomes)
    if arm.name == baseline.name:
        raise DataError(f"{test.where}: arm {shown(arm.name)} is the baseline of the run; name one of the others")
    known = [metric.name for metric in outcomes.metrics]
    if test.metric not in known:
        raise DataError(
            f"{test.where}: the run has no metric {shown(test.metric)}; it has {', '.join(known)}; correct the cell"
        )
    sides = arm.values(test.metric), baseline.values(test.metric)
    gap = outcomes.estimator.difference(*sides)
    effect, error, agents = gap.difference, gap.standard_error, gap.n
    if scale == "relative":
        lift = outcomes.estimator.lift(*sides)
        effect, error, agents = lift.mean, lift.standard_error, lift.n
    if effect is None or error is None:
        raise DataError(
            f"{test.where}: the {scale} effect on {test.metric} cannot be told from {plural(agents, 'agent')} "
            "with a value in "
            "both arms (or the baseline's mean is 0); simulate more agents, or leave the test out"
        )
    if is_unvaried(gap, *sides):
        copies = all(each.identical or each is outcomes.baseline for each in (arm, baseline))
        why = "they are identical, equal in every slot of every session" if copies else UNVARIED
        raise DataError(
            f"{test.where}: {shown(arm.name)} against {shown(baseline.name)} tells nothing of {test.metric}: {why}; "
            "name arms that differ, or leave the test out"
        )
    changes = () if outcomes.changes is None else tuple(outcomes.changes.faults)
    return Simulated(effect, error, agents, str(outcomes.run["run_id"]), changes)


def _arm(test: PastTest, name: str, outcomes: Outcomes) -> ArmOutcomes:
    for arm in outcomes.arms:
        if arm.name == name:
            return arm
    known = ", ".join(shown(arm.name) for arm in outcomes.arms)
    raise DataError(f"{test.where}: the run has no arm {shown(name)}; it has {known}; correct the cell")
