"""The sample of a hybrid audience: some people live through the days of a finished run again, with the language mind.

    RUN/language/pilot/log.sqlite     the people who come first, where the mind has a pilot
    RUN/language/sample/log.sqlite    all others of the sample

Both are logs like the run's own, of the same arms: `runs.mind` of each says by which mind its rows were made, and no
metric of the run reads them. The sample is drawn once the run's own log is complete, so that an empty one changes
nothing, and a resumed run finds the same people.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import fields, replace
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.chat import ChatModel
from groundlings.environments.errors import TooMuchUnreadable
from groundlings.environments.words import plural
from groundlings.experiments.analysis.hybrid.allocation import allocated, drawn
from groundlings.experiments.analysis.hybrid.reading import PHASES, language_log, read_spreads, strata_of
from groundlings.experiments.config.schema import HybridMindConfig
from groundlings.experiments.running.arm_minds import Built
from groundlings.experiments.running.events import Note, Progress, on_download, on_note
from groundlings.experiments.running.execution import IN_ONE_PROCESS
from groundlings.experiments.running.hybrid_sample import sample_size
from groundlings.experiments.running.identity import identity_of
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.arm import Arm
from groundlings.simulator.following_arm import FollowingArm
from groundlings.simulator.language.replies_so_far import NONE_SO_FAR
from groundlings.simulator.log.begun import begun_in
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reply_forms import replies_so_far
from groundlings.simulator.log.resume_reader import PastRun, read_resumption
from groundlings.simulator.log.spending import AGENT, Spending, spent_in
from groundlings.simulator.log.store import named_faults, on_disk, store_at

_KEYS = {f"mind.{key}": f"mind.language.{key}" for key in ("max_unreadable", "model.")}
"""Keys of a language mind, and where they stand in the file of a hybrid one."""


def spent_by_run(directory: Path) -> Spending:
    """What the calls of a run have taken so far, those of its sample included."""
    begun = [place for phase in PHASES if (place := language_log(directory, phase)).is_file()]
    return sum((spent_in(on_disk(place)) for place in begun), spent_in(store_at(directory)))


async def open_language_model(
    plan: Plan, stack: AsyncExitStack, progress: Progress, resumed: Path | None, spent: Spending
) -> ChatModel | None:
    """The model that the sample asks, opened; None where nobody is in it.

    Args:
        plan: Of the run.
        stack: Closes the model when it is closed.
        progress: Gets notes, and the progress of a download.
        resumed: The directory of a run that is resumed.
        spent: What this run, and others that share its budget, have used.
    """
    from groundlings.simulator.language.build import build_chat_model

    mind = plan.config.mind
    if not isinstance(mind, HybridMindConfig) or not sample_size(plan.config, len(plan.population)):
        return None
    begun = [] if resumed is None else [place for phase in PHASES if (place := language_log(resumed, phase)).is_file()]
    so_far = [replies_so_far(on_disk(place)).get(AGENT, NONE_SO_FAR) for place in begun]
    model = await build_chat_model(
        mind.language.model,
        on_download(progress),
        base=plan.config.base,
        spent=spent.agents,
        key="mind.language.model",
        so_far=reduce(or_, so_far, NONE_SO_FAR),
        tell=on_note(progress),
    )
    stack.push_async_callback(model.close)
    return model


async def live_with_language(
    directory: Path, plan: Plan, model: ChatModel | None, progress: Progress, *, accept: bool = False
) -> dict[str, str]:
    """Have the sample live through the days of a run that is in its log: the pilot first, then all others.

    Args:
        directory: The run's; its own log is complete.
        plan: It was simulated; its arms are used up, and made anew here.
        model: What the sample asks; None where nobody is in it.
        progress: Is told how far it is.
        accept: Whether to go on although something has changed since a log of the sample was begun.

    Returns:
        Phase -> digest of its log.

    Raises:
        TooMuchUnreadable: Too many pages are lost; the message says what to do.
    """
    mind = plan.config.mind
    if model is None or not isinstance(mind, HybridMindConfig):
        return {}
    total, digests = sample_size(plan.config, len(plan.population)), {}
    with LogReader(directory) as log:
        strata = strata_of(log, mind.strata)
        place = drawn(log.user_ids(), strata.numbers, plan.config.seed)
    first = np.zeros(len(strata.names), dtype=np.int64)
    if mind.pilot:
        first = allocated(strata.sizes, mind.pilot)
        asked = np.flatnonzero(place < first[strata.numbers])
        digests["pilot"] = await _live(directory, "pilot", asked, plan, model, progress, accept)
    spreads = None
    if mind.pilot:
        with LogReader(directory) as log:
            spreads = read_spreads(directory, log)
    chosen = allocated(strata.sizes, total, spreads, first if mind.pilot else None)
    rest = np.flatnonzero((place < chosen[strata.numbers]) & (place >= first[strata.numbers]))
    if len(rest):
        digests["sample"] = await _live(directory, "sample", rest, plan, model, progress, accept)
    return digests


async def _live(
    directory: Path, phase: str, agents: IntArray, plan: Plan, model: ChatModel, progress: Progress, accept: bool
) -> str:
    """Simulate one part of the sample into its log; the digest."""
    place = language_log(directory, phase)
    place.parent.mkdir(parents=True, exist_ok=True)
    store = on_disk(place)
    begun = begun_in(store) if place.is_file() else None
    if begun is None or not begun.done:
        progress.event(
            Note(
                f"{phase}: {plural(len(agents), 'person lives', 'people live')} through the same days with the "
                "language mind"
            )
        )
        past = _past_of(directory, plan)
        part = _plan_of_part(plan, agents, model, past)
        try:
            await simulate(part, run_row(part), store, progress, accept=accept, known=past.interventions)
        except TooMuchUnreadable as fault:  # in the part's own configuration the mind is the language mind
            said = str(fault)
            for key, whole in _KEYS.items():
                said = said.replace(key, whole)
            raise TooMuchUnreadable(said) from None
    with LogReader(place) as log:
        return log.digest()


def _past_of(directory: Path, plan: Plan) -> PastRun:
    """What every arm of the finished run has lived through, with what was shown: a recommender may learn from it."""
    store = store_at(directory)
    engine = store.for_reading()
    try:
        with named_faults(store), engine.connect() as connection:
            found = read_resumption(connection, store, plan.environment.schema, lists=True)
    finally:
        engine.dispose()
    assert found is not None, "the run's own log is complete"
    return found.past


def _plan_of_part(plan: Plan, agents: IntArray, model: ChatModel, past: PastRun) -> Plan:
    """The plan by which some agents of a run live with the language mind, in arms that follow those of the run."""
    mind = plan.config.mind
    assert isinstance(mind, HybridMindConfig), "nobody else has a sample"
    asked = mind.language
    people = replace(plan.population, users=plan.population.users[agents])
    context = replace(plan.minds, population=people, model=model, sampling=asked.model.sampling)
    minds = [asked.build(context) for _ in plan.config.arms]
    leaders = [plan.make_arm(arm) for arm in plan.config.arms]
    for leader in leaders:
        leader.past = past.arms[leader.name]
    arms = [_following(leader, people.users, each) for leader, each in zip(leaders, minds, strict=True)]
    part = replace(
        plan,
        config=plan.config.model_copy(update={"mind": asked}),
        population=people,
        minds=context,
        built=Built(minds=[], described=minds[0].describe(), stages=[[arm] for arm in arms]),
        execution=IN_ONE_PROCESS,
    )
    return replace(part, identity=identity_of(part, [leader.recommender for leader in leaders], minds))


def _following(leader: Arm, users: IntArray, mind: object) -> FollowingArm:
    """An arm of these users that follows another one."""
    shared = {each.name: getattr(leader, each.name) for each in fields(Arm) if each.name not in ("past", "cut_short")}
    return FollowingArm(**{**shared, "users": users, "mind": mind}, leader=leader)
