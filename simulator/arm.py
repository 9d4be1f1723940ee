"""One arm's world, with a recommender of its own: the people of every other arm, or some of them."""

from __future__ import annotations

import asyncio
import gc
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.environment import Environment
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.visits import Visits
from groundlings.personas.mind import Mind, looks_back
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.resume_state import Past, synthetic_interactions
from groundlings.simulator.session import CohortRecord, browse
from groundlings.simulator.visit_schedule import Audience

SECONDS_A_DAY = 86_400

_OBJECTS_BEFORE_A_LOOK = 10_000

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When things happen.

    Attributes:
        days: How many days are simulated.
        concurrency: Cohorts that may be open at once.
        refit_every: Days between two fits of the recommender, 0 = only before the first day.
        visit_probability: P(an agent comes on a day).
    """

    days: int
    concurrency: int
    refit_every: int
    visit_probability: float

    def refits_after(self, days_done: int) -> bool:
        """Whether the recommender learns anew once so many days are over."""
        return self.refit_every > 0 and days_done % self.refit_every == 0


@dataclass
class World:
    """Everything that one arm may change while it runs.

    Attributes:
        arm: The arm's name.
        users: The real person behind each agent, shape (n_agents,).
        recommender, site, mind: The collaborators.
        catalog: The items.
        history: What everybody has met: the training part, then what was done here, or in all arms that share a log.
        seed: The run's seed.
        like: From this many stars on, a rating is a like.
        residents: Who may come, shape (n_agents,); None = everybody.
        starts_cold: Whether the recommender learns from simulated interactions alone.
        cut_short: Day and user of each visit that was open when everything stopped; nothing of them is in the log.
    """

    arm: str
    users: IntArray
    recommender: AsyncRecommender
    site: Environment[Any]
    mind: Mind
    catalog: Catalog
    history: Interactions
    seed: int
    like: float
    residents: BoolArray | None = None
    starts_cold: bool = False
    cut_short: list[tuple[int, int]] = field(default_factory=list)
    _today: list[Interactions] = field(default_factory=list)
    _learnt: bool = False
    _opening: int = 0

    @property
    def people(self) -> int:
        """How many may come."""
        return len(self.users) if self.residents is None else int(self.residents.sum())

    async def live(
        self, schedule: Schedule, log: LogWriter, on_visits: Callable[[int], None], past: Past | None = None
    ) -> None:
        """Let the days pass; see `live_together`, of which this is the case of one arm."""
        await live_together((self,), schedule, log, on_visits, (past,))

    def wake(self, schedule: Schedule, past: Past) -> Audience:
        """Before the first day: the audience of this arm, minds that remember, a recommender that has learnt."""
        self._opening = int(self.history.timestamps.max(initial=0)) + 1
        if looks_back(self.mind):
            self.mind.remember(past.memories)
        self._learn(schedule, days_done=0, past=past)
        return Audience(self.users, schedule.visit_probability, self.seed)

    async def day(
        self, audience: Audience, schedule: Schedule, log: LogWriter, on_visits: Callable[[int], None], past: Past
    ) -> None:
        """One day of visits: those that the log holds already, then those that are still to come."""
        audience.step()
        now = self._opening + audience.day * SECONDS_A_DAY
        arrivals = np.array(audience.arrivals, dtype=np.int64)
        if self.residents is not None:
            arrivals = arrivals[self.residents[arrivals]]
        done = past.on(audience.day)
        if done is not None:
            arrivals = np.setdiff1d(arrivals, done.agents)
            self._today.append(done.interactions(self.users, self.history, now))
            on_visits(len(done.agents))
        version = self.recommender.state() if len(arrivals) else ""
        async for record in in_order(self._browse, self._cohorts(arrivals, audience.day), schedule.concurrency):
            log.write(record, arm=self.arm, sim_time=now, policy_version=version)
            if looks_back(self.mind):
                self.mind.remember(record.afterthoughts.memories)
            self._today.append(self._interactions(record, now))
            on_visits(len(record.visits))
        log.flush()
        if done is not None and self._today:
            self._today = [_by_agent(self._today)]

    def evening(self) -> list[Interactions]:
        """What was done here today, in agent order; asking takes it away."""
        today, self._today = self._today, []
        return today

    def night(self, day: int, heard: Sequence[Interactions], schedule: Schedule, past: Past) -> None:
        """The barrier between two days: the recommender hears of today, and on schedule learns anew."""
        if heard:
            self.history = self.history.joined(*heard)
        if self._learnt:
            for interactions in heard:
                self.recommender.observe(interactions)
        if day + 1 < schedule.days and schedule.refits_after(day + 1):
            self._learn(schedule, days_done=day + 1, past=past)

    def _cohorts(self, agents: IntArray, day: int) -> Iterable[Visits]:
        for start in range(0, len(agents), self.mind.cohort_size):
            rows = agents[start : start + self.mind.cohort_size]
            users = self.users[rows]
            yield Visits(rows, users, day, Draws.for_visits(self.seed, users, day), self._opening + day * SECONDS_A_DAY)

    async def _browse(self, visits: Visits) -> CohortRecord:
        try:
            return await browse(
                visits,
                self.history.met_by(visits.users),
                recommender=self.recommender,
                environment=self.site,
                mind=self.mind,
            )
        except BaseException:
            self.cut_short.extend((visits.day, int(user)) for user in visits.users)
            raise

    def _interactions(self, record: CohortRecord, now: int) -> Interactions:
        """What a recommender may learn from a cohort: who opened what, and the stars; visit by visit, slot by slot."""
        strength = record.schema.strength
        visits, items, stars = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int32)], [np.zeros(0)]
        for logged in record.turns:
            turn = logged.turn
            rows, slots = np.nonzero(turn.decision[record.schema.interaction])
            visits.append(turn.rows[rows])
            items.append(turn.page.items[rows, slots])
            given = turn.decision.get(strength) if strength else None
            stars.append(np.full(len(rows), np.nan) if given is None else given[rows, slots])
        visit = np.concatenate(visits)
        order = np.argsort(visit, kind="stable")
        return synthetic_interactions(
            record.visits.users[visit[order]],
            np.concatenate(items)[order],
            np.concatenate(stars)[order],
            now,
            self.history,
        )

    def _learn(self, schedule: Schedule, days_done: int, past: Past) -> None:
        """Fit on everything known, unless the log shows that nobody was asked before the next fit.

        A fit forgets what was learnt before, so in a resumed arm only the last one before its first open day counts.
        """
        following = range(days_done + 1, past.whole_days + 1)
        if not any(schedule.refits_after(day) for day in following):
            known = self.history.take(self.history.synthetic) if self.starts_cold else self.history
            self.recommender.fit(known, self.catalog)
            self._learnt = True


async def live_together(
    worlds: Sequence[World],
    schedule: Schedule,
    log: LogWriter,
    on_visits: Callable[[int], None],
    pasts: Sequence[Past | None],
) -> None:
    """Let the days pass in some arms side by side; each night every one of them hears what was done in all.

    Args:
        worlds: The arms; those that are to learn from themselves alone live one at a time.
        schedule: How many days, how busy, how often recommenders learn.
        log: Where cohorts are written, in agent order, as soon as those before them are.
        on_visits: Told how many visits the log has just taken, or held already.
        pasts: What an interrupted run has logged of each arm; it is lived through again, not asked again.
    """
    lived = [past or Past(()) for past in pasts]
    audiences = [world.wake(schedule, past) for world, past in zip(worlds, lived, strict=True)]
    with _little_collecting():
        for day in range(schedule.days):
            for world, audience, past in zip(worlds, audiences, lived, strict=True):
                await world.day(audience, schedule, log, on_visits, past)
            heard = [interactions for world in worlds for interactions in world.evening()]
            for world, past in zip(worlds, lived, strict=True):
                world.night(day, heard, schedule, past)
    for audience in audiences:
        audience.remove_all_agents()


def _by_agent(today: Sequence[Interactions]) -> Interactions:
    """A day's interactions in agent order: what a stopped run has logged of a day has gaps that were filled later."""
    whole = today[0].joined(*today[1:])
    return whole.take(np.argsort(whole.users, kind="stable"))


@contextmanager
def _little_collecting() -> Iterator[None]:
    """Have the garbage collector look less often, and not at what is here now, which stays to the end.

    Hardly anything here makes cycles. Left alone, the collector takes a tenth of the time of a language agent's page.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_A_LOOK, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def in_order(
    work: Callable[[Task], Awaitable[Result]], tasks: Iterable[Task], concurrency: int
) -> AsyncIterator[Result]:
    """Work on tasks side by side and yield the results in the order of the tasks.

    At most `concurrency` are open at once. A slow one holds back the results behind it, not the work: up to
    eight times as many finished ones wait their turn. When one fails, the open ones are cancelled, and those that were
    finished are yielded before the failure is raised: what was decided, and paid for, is not thrown away.
    """
    gate = asyncio.Semaphore(concurrency)

    async def admitted(task: Task) -> Result:
        async with gate:
            return await work(task)

    waiting: deque[asyncio.Task[Result]] = deque()
    try:
        for task in tasks:
            waiting.append(asyncio.create_task(admitted(task)))
            if len(waiting) >= 8 * concurrency:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    except (Exception, asyncio.CancelledError):
        for open_task in waiting:
            open_task.cancel()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            if not isinstance(result, BaseException):
                yield result
        raise
    finally:
        for open_task in waiting:
            open_task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
