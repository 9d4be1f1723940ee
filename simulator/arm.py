"""One arm: a recommender with its own log, and the agents that use it, all of the population or some."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord
from groundlings.environments.environment import Environment
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions, rows_of
from groundlings.environments.offers import DayOffers, Offers
from groundlings.environments.repeats import NEVER, OwnClock, RepeatRule
from groundlings.environments.sessions import Sessions
from groundlings.environments.social_turns import Told
from groundlings.personas.mind import Mind, Shown, hears, looks_back, notices
from groundlings.recommenders.base import AsyncRecommender, state_of
from groundlings.recommenders.impressions import Impressions, learners_in
from groundlings.recommenders.learning import Lessons, asks_to_learn, learn
from groundlings.simulator.effects import Effects, Wanted
from groundlings.simulator.engines.engine import IN_PROCESS, Engine, may_wait
from groundlings.simulator.log.shard_rows import ShardRows
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.lost_lessons import LessonWatch
from groundlings.simulator.lost_pages import LostPageWatch
from groundlings.simulator.resume_state import Past, PastDay
from groundlings.simulator.returns.rule import ReturnModel, ReturnState
from groundlings.simulator.sessions_written import WrittenSessions
from groundlings.simulator.shards import Occasion, Snapshot
from groundlings.simulator.shelf import Shelf, Sold, largest_cohort, without

if TYPE_CHECKING:
    from groundlings.simulator.session_schedule import Returns, SessionSchedule

SECONDS_PER_DAY = 86_400

_LESSONS_WAIT = 1.0
"""Seconds that a call of learning may wait to be committed: what a kill costs at most."""

_LAID_OUT_FROM = 1_024
"""Sessions in a shard from which on its rows are laid out where it is simulated, and committed by themselves."""


@dataclass
class Arm:
    """The state of one arm during the simulation; `groundlings.simulator.days.live_together` calls it day by day.

    Attributes:
        name: The arm's name.
        users: The real user behind each agent (row of the data set), shape (n_agents,), ascending.
        recommender, environment, mind: The collaborators.
        catalog: The items.
        history: All interactions so far: the training part, then clicks from here, or from all arms that share a log.
        seed: The run's seed.
        residents: Which agents use this arm, shape (n_agents,); None = all.
        starts_cold: Whether the recommender learns from simulated interactions alone.
        past: What an interrupted run has logged of this arm.
        cut_short: Day and user of each session that was open when the run stopped; none of them is in the log.
        offers: Prices, stock and promotions by day; the arm's purchases reduce its own stock. None where there are
            none.
        repeats: Whether items of the history may be shown again.
        clock: Where each user's real history ends; needed where they may.
        engine: Where sessions are simulated; no result depends on it.
        learns_alone: Whether its recommender learns from its own agents alone, though their minds are told what agents
            of other arms did: people talk across the arms of a test.
    """

    name: str
    users: IntArray
    recommender: AsyncRecommender
    environment: Environment[Any]
    mind: Mind
    catalog: Catalog
    history: Interactions
    seed: int
    residents: BoolArray | None = None
    starts_cold: bool = False
    past: Past = field(default_factory=Past)
    cut_short: list[tuple[int, int]] = field(default_factory=list)
    offers: Offers | None = None
    repeats: RepeatRule = NEVER
    clock: OwnClock | None = None
    engine: Engine = IN_PROCESS
    learns_alone: bool = False

    def __post_init__(self) -> None:
        self._opening_time = self.history.next_second
        self._known_before = len(self.history)
        self._schedule: SessionSchedule | None = None
        self._fitted = False
        self._returns: ReturnState | None = None
        self._sessions_per_day = 1
        self._lessons: Lessons | None = None
        self._taught: list[CallRecord] = []
        self._clicks_today: list[Interactions] = []
        self._sold_today: list[Sold] = []
        self._shelf = None if self.offers is None else Shelf(self.offers, self._opening_time)
        self._wanted = Wanted(
            arm=self.name,
            frame=self.history.take(np.zeros(0, dtype=np.int64)),
            sold=self.offers is not None,
            shown=self.counts_shown,
        )
        self._shown_today: list[Shown] = []
        self._told_today: list[Told] = []
        self._own_today = self._interactions_today()
        self._today: int  # both are of the day that goes on
        self._not_shown: sp.csr_array
        self._withdrawn: BoolArray | None = None
        self._days = np.zeros(0, dtype=np.int64) if self.clock is None else self.clock.days(self.history)

    @property
    def counts_shown(self) -> bool:
        """Whether its mind or its recommender needs to know what was shown."""
        return (notices(self.mind) and self.mind.counts_shown()) or self.learns_from_impressions

    @property
    def learns_from_impressions(self) -> bool:
        """Whether its recommender, or one inside of it, learns from what was shown."""
        return bool(learners_in(self.recommender))

    @property
    def people(self) -> int:
        """Number of agents that use this arm."""
        return len(self.users) if self.residents is None else int(self.residents.sum())

    def start(self, days: int, visit_probability: float, returns: ReturnModel | None = None) -> None:
        """Before the first day: schedule first sessions, and give the mind the memories of an interrupted run's log.

        Args:
            days: How many days there are.
            visit_probability: P(an agent has a session on a day).
            returns: When people come back, where it is more than that probability.
        """
        from groundlings.simulator.session_schedule import DailyChance, SessionSchedule

        may_visit = np.ones(len(self.users), dtype=np.bool_) if self.residents is None else self.residents
        rule: Returns = DailyChance(self.users, visit_probability, self.seed)
        if returns is not None:
            rule = self._returns = returns.begun(self.users, self.seed, self.catalog)
            self._sessions_per_day = returns.sessions_per_day
            self._wanted = replace(self._wanted, returns=True, topics=self._returns.topics)
        self._schedule = SessionSchedule(may_visit, rule, days)
        self._schedule.invite(True)
        if looks_back(self.mind):
            self.mind.remember(self.past.memories)

    def offer(self, items: ItemArray, *, offered: bool) -> None:
        """From now on show some items to nobody, or again to whoever may be shown them."""
        if self._withdrawn is None:
            self._withdrawn = np.zeros(self.history.n_items, dtype=np.bool_)
        self._withdrawn[items] = not offered

    def swap(self, recommender: AsyncRecommender) -> None:
        """Have another recommender make the lists, once it is fitted."""
        self.recommender, self._fitted = recommender, False
        self._wanted = replace(self._wanted, shown=self.counts_shown)
        if may_wait(recommender):  # it may hold connections, which workers would lack
            self.engine.over(self.name)
            self.engine = IN_PROCESS

    def fit(self) -> None:
        """Fit the recommender on all interactions so far; what it had learnt before is replaced."""
        known = (
            self.history.take(np.arange(self._known_before, len(self.history))) if self.starts_cold else self.history
        )
        try:
            self.recommender.fit(known, self.catalog)
        except MemoryError as fault:
            raise ConfigError(
                f"arm {self.name}: there is not enough memory to fit {type(self.recommender).__name__} on "
                f"{known.n_items:,} items and {known.n_users:,} users ({fault}); use item_knn or als, "
                "keep fewer items, or give it more memory"
            ) from fault
        except (ConfigError, DataError) as fault:  # a recommender does not know in which arm it stands
            kind = ConfigError if isinstance(fault, ConfigError) else DataError
            raise kind(f"arm {self.name}: {fault}") from fault
        self._fitted = True

    async def learn(self, day: int, log: LogWriter, watch: LessonWatch | None = None) -> tuple[int, int]:
        """Have the recommender learn by asking, where it does, from what it was fitted on and has observed.

        Args:
            day: The day before which it learns.
            log: Gets the calls as they are made, so that none is asked for again.
            watch: Counts lost lessons; None where any number is allowed.

        Returns:
            Questions that a model was asked, and those whose reply could not be read; answers that the log of an
            interrupted run held are not among them.

        Raises:
            TooMuchUnlearnt: The watch says so; what was answered is in the log.
        """
        if not self._fitted or not asks_to_learn(self.recommender):
            return 0, 0
        if self._lessons is None:
            served = np.unique(self.users if self.residents is None else self.users[self.residents])
            self._lessons = Lessons(self.seed, served, self.past.answers, self._taught.append)
        lessons = self._lessons
        lessons.closed = self.past.reaches(day)
        asked, unread, done = lessons.asked, lessons.unread, asyncio.ensure_future(learn(self.recommender, lessons))
        try:
            while not done.done():
                await asyncio.wait({done}, timeout=_LESSONS_WAIT)
                self._keep_lessons(day, log)
                if watch is not None:
                    watch.heard(self.name, lessons.unread, lessons.asked)
        except BaseException:
            done.cancel()
            await asyncio.wait({done})
            raise
        finally:
            self._keep_lessons(day, log)
        done.result()
        return lessons.asked - asked, lessons.unread - unread

    def _keep_lessons(self, day: int, log: LogWriter) -> None:
        calls, self._taught[:] = list(self._taught), []
        log.teach(self.name, day, calls)

    async def day(
        self,
        day: int,
        concurrency: int,
        log: LogWriter,
        on_sessions: Callable[[WrittenSessions], None],
        watch: LostPageWatch | None = None,
    ) -> None:
        """Simulate one day: tell of the sessions that the log holds already, then run those that are missing.

        Raises:
            TooMuchUnreadable: The watch says so; what it has counted is in the log.
        """
        assert self._schedule is not None, "start comes first"
        self._today, self._sold_today = day, []
        self._not_shown = self.repeats.seen(self.history, self._days, day)
        offers = None if self._shelf is None else self._shelf.on(day)
        size = largest_cohort(self.mind.cohort_size, self._hidden(offers))
        here, seconds = self._schedule.arrivals(day), SECONDS_PER_DAY // self._sessions_per_day
        version = ""
        for occasion in range(self._sessions_per_day):
            if self._returns is not None and occasion:
                here = self._returns.again(here, day, occasion)
            time = self._opening_time + day * SECONDS_PER_DAY + occasion * seconds
            logged = self.past.on(day, time if occasion else None)
            if len(logged):
                self._recalled(logged, time, day, occasion)
                on_sessions(WrittenSessions(self.name, len(logged)))
            agents = logged.missing(here)
            version = state_of(self.recommender) if len(agents) and not version else version
            seen_today = self._interactions_today() if occasion else None
            elsewhere = size >= _LAID_OUT_FROM and self.engine is not IN_PROCESS and len(agents)
            destination = log.destination(self.name, sim_time=time, policy_version=version) if elsewhere else None
            waiting = Occasion(
                snapshot=Snapshot(self.name, self.recommender, self.environment, self.mind),
                agents=agents,
                users=self.users[agents],
                day=day,
                number=occasion,
                sim_time=time,
                seed=self.seed,
                size=size,
                seen=partial(self._seen, today=seen_today),
                wanted=self._wanted,
                offers=offers,
                destination=destination,
                claim=None if destination is None else log.claim,
            )
            outcomes = self.engine.outcomes(waiting, concurrency, self._cut_short)
            async for outcome in outcomes if watch is None else watch.over(outcomes, self.name):
                sessions, effects = outcome.sessions, outcome.effects
                if isinstance(sessions, ShardRows) and not log.follows(sessions):
                    self.cut_short.extend((day, int(user)) for user in self.users[effects.agents])
                    continue  # something failed before it, and a resumed run simulates it again
                log.write(sessions, arm=self.name, sim_time=time, policy_version=version)
                self._heard(effects, day, occasion)
                on_sessions(effects.written)
        if self._shelf is not None:
            self._shelf.take_off(day, self._sold_today)
        log.flush()

    def take_clicks(self) -> Interactions:
        """The interactions of today in this arm, in agent order; a second call gets none."""
        today, self._clicks_today = self._interactions_today(), []
        # Sessions that the log held are joined with those that filled its gaps.
        self._own_today = today.take(np.argsort(today.users, kind="stable"))
        return self._own_today

    def learn_from(self, clicks: Sequence[Interactions]) -> None:
        """Add today's interactions, of all arms that share the log, to the history.

        The recommender observes them, and so does a mind that notices what its agents did.
        """
        learnt = [self._own_today] if self.learns_alone else clicks
        self.history = self.history.joined(*learnt)
        if self.clock is not None:
            self._days = np.concatenate([self._days, *(np.full(len(each), self._today) for each in learnt)])
        shown = self._shown()
        if notices(self.mind):
            nothing = self.history.take(np.zeros(0, dtype=np.int64))
            told = shown if self.mind.counts_shown() else Shown(*2 * (np.zeros(0, dtype=np.int64),))
            self.mind.notice(self._today, nothing.joined(*clicks), told)
        said, self._told_today = sorted(self._told_today, key=attrgetter("agent")), []
        if hears(self.mind):
            self.mind.hear(self._today, said)
        if self._fitted:
            for learner in learners_in(self.recommender):
                learner.observe_impressions(Impressions.of(shown.users, shown.items, self._own_today))
            for each in learnt:
                self.recommender.observe(each)

    def _shown(self) -> Shown:
        """What was shown today in this arm; a second call gets nothing."""
        today, self._shown_today = self._shown_today, []
        parts = [np.zeros(0, dtype=np.int64)]
        return Shown(*(np.concatenate([*parts, *(getattr(each, of) for each in today)]) for of in ("users", "items")))

    def left_on_shelf(self) -> Shelf | None:
        """A copy of what is left in stock, which others may buy without taking it away; None where nothing is sold."""
        return None if self._shelf is None else self._shelf.copy()

    def stop(self) -> None:
        """After the last day: close the schedule of sessions."""
        if self._schedule is not None:
            self._schedule.close()
            self._schedule = None
        self.engine.over(self.name)

    def _interactions_today(self) -> Interactions:
        return self.history.take(np.zeros(0, dtype=np.int64)).joined(*self._clicks_today)

    def _heard(self, effects: Effects, day: int, occasion: int) -> None:
        """Keep what sessions that are over leave behind: memories, interactions, and whether people come back."""
        if looks_back(self.mind):
            self.mind.remember(effects.memories)
        self._clicks_today.append(effects.clicks)
        self._told_today += effects.told
        if effects.sold is not None:
            self._sold_today.append(effects.sold)
        if effects.shown is not None:
            self._shown_today.append(effects.shown)
        if self._returns is not None and effects.signals is not None:
            self._returns.heard(effects.agents, effects.signals, day, occasion)

    def _recalled(self, logged: PastDay, time: int, day: int, occasion: int) -> None:
        """Keep the same of sessions that the log of an interrupted run holds; it holds their memories apart."""
        self._clicks_today.append(logged.clicks(self.users, time, self.history))
        self._sold_today.append(logged.sold)
        self._told_today += logged.told
        if logged.viewers is not None and logged.shown is not None:
            self._shown_today.append(Shown(self.users[logged.viewers], logged.shown))
        if self._returns is not None:
            self._returns.heard(logged.agents, logged.signals(self._returns.topics), day, occasion)

    def _seen(self, sessions: Sessions, today: Interactions | None) -> sp.csr_array:
        """What sessions must not show, shape (n, n_items): earlier sessions of the same day count."""
        seen = rows_of(self._not_shown, sessions.users)
        if today is not None and not self.repeats.at_once:
            seen = sp.csr_array(seen + today.met_by(sessions.users))
        hidden = self._hidden(sessions.offers)
        return seen if hidden is None else without(seen, hidden)

    def _hidden(self, offers: DayOffers | None) -> BoolArray | None:
        """What nobody may be shown, withdrawn or sold out, shape (n_items,); None where nothing is kept back."""
        if offers is None:
            return self._withdrawn
        return offers.sold_out if self._withdrawn is None else self._withdrawn | offers.sold_out

    def _cut_short(self, sessions: Sessions) -> None:
        """Note sessions that an error has ended."""
        self.cut_short.extend((sessions.day, int(user)) for user in sessions.users)
