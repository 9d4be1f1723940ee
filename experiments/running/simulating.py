"""The simulation of an experiment: runs the days of all arms, stage after stage, and writes one log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from groundlings.environments.cleaning import logger
from groundlings.environments.errors import TooMuchUnlearnt, TooMuchUnreadable, TooMuchUnsaid
from groundlings.experiments.analysis.metrics.asked_by_recommenders import limits_of
from groundlings.experiments.analysis.metrics.lost import altogether, read_lost
from groundlings.experiments.analysis.metrics.lost_afterthoughts import read_lost_afterthoughts
from groundlings.experiments.analysis.metrics.lost_lessons import read_lessons
from groundlings.experiments.archive.directory import CONFIG_NAME
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.arms_ahead import ArmsAhead, Notebook, write
from groundlings.experiments.running.changes import check_same, line
from groundlings.experiments.running.event_loop import outside_of_loops
from groundlings.experiments.running.events import (
    BETWEEN_ARMS,
    SILENT,
    ArmBegins,
    Note,
    Progress,
    on_note,
    on_sessions,
)
from groundlings.experiments.running.interventions import ArmChanges, stated
from groundlings.experiments.running.live_requests import LiveRequests
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan, prepare
from groundlings.experiments.running.sizes import personas_of
from groundlings.personas.mind import GetsReadyAhead
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.arm import Arm
from groundlings.simulator.days import live_together
from groundlings.simulator.interventions import Intervention, Interventions
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.session_hashes import Hashes
from groundlings.simulator.log.store import Store
from groundlings.simulator.log.writer import LogWriter, PastRun
from groundlings.simulator.lost_lessons import LessonWatch
from groundlings.simulator.lost_pages import LostPageWatch

TWO = "accepted: from here on this run is another experiment than it began as"

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class CutShort:
    """A session that was open when a run stopped: it is not in the log, and resuming starts it again.

    Attributes:
        arm: Name of the arm.
        day: 0 is the first.
        user_id: The user's id in the data set.
    """

    arm: str
    day: int
    user_id: str


async def simulate(
    plan: Plan,
    run: Mapping[str, Any],
    place: Path | Store,
    progress: Progress = SILENT,
    cut_short: list[CutShort] | None = None,
    *,
    accept: bool = False,
    after_first_fit: Callable[[str, AsyncRecommender], Awaitable[None]] | None = None,
    requests: LiveRequests | None = None,
    known: Sequence[Intervention] | None = None,
) -> Hashes | None:
    """Simulate all days of every arm and write the log; sessions that the log holds already are not repeated.

    Where too many pages are lost, or too many thoughts or interviews of an arm's agents (`mind.max_unreadable`), or too
    many of an arm's lessons (its `max_unreadable`), the log stays open for going on with it.

    Args:
        plan: What to simulate; its arms are used up.
        run: The row of `runs`, from `run_row`.
        place: The log, or its file; it may exist, from the same run interrupted.
        progress: Is told how far it is.
        cut_short: Filled, where it ends early, with the sessions that were open.
        accept: Whether to go on with a run that is not the same experiment any more; the log then says so.
        after_first_fit: Is given each arm's name and recommender, fitted on the training part alone.
        requests: What somebody who watches the run asks for; None where nobody can.
        known: The interventions; what the plan's file says if absent.

    Returns:
        The hashes of all sessions in the log, for its digest; None where it must be read for these.

    Raises:
        ConfigError: The log holds a run of another experiment.
        TooMuchUnreadable: Too much of one of these is lost; the message says why and what to do.
    """
    try:
        return await _simulated(plan, run, place, progress, cut_short, accept, after_first_fit, requests, known)
    except TooMuchUnreadable as fault:
        with LogReader(place) as log:
            raise TooMuchUnreadable(_explained(fault, log, None if requests is None else requests.directory)) from None


async def _simulated(
    plan: Plan,
    run: Mapping[str, Any],
    place: Path | Store,
    progress: Progress,
    cut_short: list[CutShort] | None,
    accept: bool,
    after_first_fit: Callable[[str, AsyncRecommender], Awaitable[None]] | None,
    requests: LiveRequests | None,
    stated_before: Sequence[Intervention] | None,
) -> Hashes | None:
    async def look(arm: Arm) -> None:
        if after_first_fit is not None:
            await after_first_fit(arm.name, arm.recommender)

    watch = LostPageWatch(getattr(plan.config.mind, "max_unreadable", 1.0))
    lessons = LessonWatch(limits_of(plan.config.model_dump(include={"arms"})))
    with _minds_ready_ahead(plan), LogWriter(place) as log:
        known = stated(plan.config) if stated_before is None else tuple(stated_before)
        past = _begun(plan, run, log, place, known, progress, accept=accept)
        if past is not None:
            if past.begun.done:
                return None
            known += tuple(each for each in past.interventions if each.origin == "live")
        if requests is not None:
            requests.taken_up(known)
        interventions = Interventions(known, ArmChanges(plan).carry_out, log.intervene, requests)

        async def live(arms: Sequence[Arm], notes: Notebook) -> None:
            # Where sessions are simulated in the process of their arm, it asks its log for no more than a notebook has.
            await live_together(arms, plan.schedule, cast("LogWriter", notes), notes.told, after_first_fit=look)

        with (
            plan.execution.opened(on_note(progress)) as engine,
            ArmsAhead(plan, live, wanted=past is None and not known) as ahead,
        ):
            while plan.stages:
                ahead.begin(plan.stages[1:])
                arms = plan.stages.pop(0)  # an arm is large: this frees it after its last day
                plan.execution.assign(engine, arms, on_note(progress))
                sessions = round(sum(arm.people for arm in arms) * plan.schedule.likely_sessions)
                progress.event(ArmBegins(BETWEEN_ARMS.join(arm.name for arm in arms), sessions))
                if past is not None:
                    _go_on(arms, past)
                lived = ahead.take(arms)
                if lived is not None and (requests is None or not requests.any):
                    write(lived, log, on_sessions(progress))
                    continue
                try:
                    heard = on_sessions(progress), watch, look, interventions, _on_lessons(progress), lessons
                    await live_together(arms, plan.schedule, log, *heard)
                finally:
                    if cut_short is not None:
                        ids = plan.dataset.people.user_ids
                        cut_short += [CutShort(arm.name, day, ids[user]) for arm in arms for day, user in arm.cut_short]
        if requests is not None:
            requests.close()
        if watch.lost or watch.afterthoughts.lost or lessons.lost or past is not None:
            _end(watch, lessons, place)
        log.close()
        return log.hashes


def _minds_ready_ahead(plan: Plan) -> AbstractContextManager[None]:
    """While the log begins and recommenders are fitted, a core works for sessions that worker processes will have."""
    mind = plan.stages[0][0].mind if plan.stages else None
    everybody = plan.schedule.returns is None and plan.schedule.visit_probability == 1
    if plan.execution.engine == "pool" and everybody and isinstance(mind, GetsReadyAhead):
        return mind.ready_ahead(plan.population.users)
    return nullcontext()


def _begun(
    plan: Plan,
    run: Mapping[str, Any],
    log: LogWriter,
    place: Path | Store,
    known: Sequence[Intervention],
    progress: Progress,
    *,
    accept: bool,
) -> PastRun | None:
    """Begin the log, or go on with it: what it holds then, after a check that it is the same experiment."""
    counted = any(arm.counts_shown for stage in plan.stages for arm in stage)
    returns = plan.schedule.returns
    past = log.resume(plan.environment.schema, lists=counted or (returns is not None and returns.reads_lists))
    if log.leftovers:
        files = "1 file" if log.leftovers == 1 else f"{log.leftovers} files"
        progress.event(Note(f"{place}: removed {files} that a killed run had left and not committed"))
    if past is None:
        log.begin(run, plan.arms, plan.population, known, personas_of(plan), plan.assignment)
        return None
    changes, notes = check_same(place, past.begun, plan.config, plan.identity, accept=accept)
    for note in notes:
        progress.event(Note(note))
    if changes and not past.begun.done:
        log.accept(changes)
        progress.event(Note(f"{TWO}: {'; '.join(map(line, changes))}"))
    return past


def _on_lessons(progress: Progress) -> Callable[[str, int, int, int], None]:
    """What says that an arm's recommender has learnt by asking a model."""

    def learnt(arm: str, day: int, calls: int, unread: int) -> None:
        asked = "1 question" if calls == 1 else f"{calls:,} questions"
        lost = f"; {unread:,} of {calls:,} replies could not be read and taught it nothing" if unread else ""
        progress.event(Note(f"arm {arm}: its recommender learnt from {asked} to its model before day {day + 1}{lost}"))

    return learnt


def _end(watch: LostPageWatch, lessons: LessonWatch, place: Path | Store) -> None:
    """Stop with an error where the whole log has lost too many pages, afterthoughts or lessons."""
    with LogReader(place) as written:
        watch.end_run(*written.lost_and_shown())
        names = {arm.arm_id: arm.name for arm in written.logged_arms()}
        after = written.afterthoughts().items()
        watch.afterthoughts.end_run((names[arm], prompt, *counts) for (arm, prompt), counts in after if arm in names)
        lessons.end_run({names[arm]: counts for arm, counts in written.lessons_by_arm().items() if arm in names})


def _explained(fault: TooMuchUnreadable, log: LogReader, directory: Path | None) -> str:
    """The message of a run that stopped, with what its log says of what is lost."""
    # With its path: of an experiment with variants each run has a configuration of its own.
    file = "config.yaml in the run's directory" if directory is None else directory / CONFIG_NAME
    run, names = log.run(), {arm.arm_id: arm.name for arm in log.logged_arms()}
    if isinstance(fault, TooMuchUnlearnt):
        learnt = read_lessons(log, run["config"])
        said = "; ".join(f"arm {names[arm]}: {each.sentence()}" for arm, each in learnt.items() if each.lost)
        lost, key = "lessons", "max_unreadable of the arm: 1"
    elif isinstance(fault, TooMuchUnsaid):
        unsaid = read_lost_afterthoughts(log)
        said = "; ".join(f"arm {names[arm]}: {each.sentence()}" for arm, each in unsaid.items())
        lost, key = "thoughts and interviews", "mind.max_unreadable: 1"
    else:
        arms = [arm.arm_id for arm in log.visited_arms()]
        said = altogether(list(read_lost(log, arms, run["mind"]).values())).sentence()
        lost, key = "pages", "mind.max_unreadable: 1"
    return (
        f"{said}. The run stopped: {fault}. Everything decided so far is kept, and lost {lost} stay lost: mend the "
        f"cause and run anew, or change {file} ({key} allows any share) and resume"
    )


def _go_on(arms: Sequence[Arm], past: PastRun) -> None:
    """Give each arm its logged days; a loop in the caller would keep a finished arm in memory."""
    for arm in arms:
        arm.past = past.arms[arm.name]


def log_experiment(config: ExperimentConfig, place: Path | Store, progress: Progress = SILENT) -> None:
    """Prepare and simulate an experiment into a log alone: no directory, no manifest, no report.

    Args:
        config: What to simulate.
        place: The log, or its file; sessions that it holds already are not repeated.
        progress: Is told how far it is.
    """

    async def simulated(events: Progress) -> None:
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack, progress=events)
            await simulate(plan, run_row(plan), place, events)

    outside_of_loops(lambda events: asyncio.run(simulated(events)), progress)
