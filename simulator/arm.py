"""One arm: a recommender with its own log, and the agents that use it, all of the population or some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.environment import Environment
from groundlings.environments.errors import ConfigError, ProviderError, UnanswerablePrompt
from groundlings.environments.interactions import Interactions
from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import Mind, looks_back
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.cohorts import clicks_of, cohorts
from groundlings.simulator.concurrency import in_order
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.lost_pages import LostPageWatch
from groundlings.simulator.resume_state import Past
from groundlings.simulator.returns.rule import ReturnModel, ReturnState
from groundlings.simulator.returns.signals import signals_of
from groundlings.simulator.session import CohortRecord, browse
from groundlings.simulator.session_schedule import DailyChance, Returns, SessionSchedule

SECONDS_PER_DAY = 86_400


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

    def __post_init__(self) -> None:
        self._opening_time = self.history.next_second
        self._schedule: SessionSchedule | None = None
        self._fitted = False
        self._returns: ReturnState | None = None
        self._sessions_per_day = 1
        self._clicks_today: list[Interactions] = []

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
        may_visit = np.ones(len(self.users), dtype=np.bool_) if self.residents is None else self.residents
        rule: Returns = DailyChance(self.users, visit_probability, self.seed)
        if returns is not None:
            rule = self._returns = returns.begun(self.users, self.seed, self.catalog)
            self._sessions_per_day = returns.sessions_per_day
        self._schedule = SessionSchedule(may_visit, rule, days)
        self._schedule.invite(True)
        if looks_back(self.mind):
            self.mind.remember(self.past.memories)

    def fit(self) -> None:
        """Fit the recommender on all interactions so far; what it had learnt before is replaced."""
        known = self.history.take(self.history.synthetic) if self.starts_cold else self.history
        try:
            self.recommender.fit(known, self.catalog)
        except MemoryError as fault:
            raise ConfigError(
                f"arm {self.name}: there is not enough memory to fit {type(self.recommender).__name__} on "
                f"{known.n_items:,} items and {known.n_users:,} users ({fault}); use item_knn or als, "
                "keep fewer items, or give it more memory"
            ) from fault
        self._fitted = True

    async def day(
        self,
        day: int,
        concurrency: int,
        log: LogWriter,
        on_sessions: Callable[[int], None],
        watch: LostPageWatch | None = None,
    ) -> None:
        """Simulate one day: count the sessions that the log holds already, then run those that are missing.

        Raises:
            TooMuchUnreadable: The watch says so; what it has counted is in the log.
        """
        assert self._schedule is not None, "start comes first"
        here, seconds = self._schedule.arrivals(day), SECONDS_PER_DAY // self._sessions_per_day
        version = ""
        for occasion in range(self._sessions_per_day):
            if self._returns is not None and occasion:
                here = self._returns.again(here, day, occasion)
            time = self._opening_time + day * SECONDS_PER_DAY + occasion * seconds
            logged = self.past.on(day, time if occasion else None)
            if len(logged):
                self._clicks_today.append(logged.clicks(self.users, time, self.history))
                if self._returns is not None:
                    self._returns.heard(logged.agents, logged.signals(self._returns.topics), day, occasion)
                on_sessions(len(logged))
            agents = logged.missing(here)
            version = self.recommender.state() if len(agents) and not version else version
            seen_today = self._interactions_today() if occasion else None
            waiting = cohorts(
                agents,
                self.users[agents],
                day,
                seed=self.seed,
                size=self.mind.cohort_size,
                sim_time=time,
                occasion=occasion,
            )
            records = in_order(partial(self._browse, seen_today=seen_today), waiting, concurrency)
            async for record in records if watch is None else watch.over(records):
                log.write(record, arm=self.name, sim_time=time, policy_version=version)
                self._heard(record, time, day, occasion)
                on_sessions(len(record.sessions))
        log.flush()

    def take_clicks(self) -> Interactions:
        """The interactions of today in this arm, in agent order; a second call gets none."""
        today, self._clicks_today = self._interactions_today(), []
        # Sessions that the log held are joined with those that filled its gaps.
        return today.take(np.argsort(today.users, kind="stable"))

    def learn_from(self, clicks: Sequence[Interactions]) -> None:
        """Add today's interactions, of all arms that share the log, to the history; the recommender observes them."""
        self.history = self.history.joined(*clicks)
        if self._fitted:
            for each in clicks:
                self.recommender.observe(each)

    def stop(self) -> None:
        """After the last day: close the schedule of sessions."""
        if self._schedule is not None:
            self._schedule.close()
            self._schedule = None

    def _interactions_today(self) -> Interactions:
        return self.history.take(np.zeros(0, dtype=np.int64)).joined(*self._clicks_today)

    def _heard(self, record: CohortRecord, time: int, day: int, occasion: int) -> None:
        """Keep what sessions that are over leave behind: memories, interactions, and whether people come back."""
        if looks_back(self.mind):
            self.mind.remember(record.afterthoughts.memories)
        self._clicks_today.append(clicks_of(record, time, self.history))
        if self._returns is not None:
            signals = signals_of(record, self._returns.topics)
            self._returns.heard(record.sessions.agents, signals, day, occasion)

    def _seen(self, users: IntArray, today: Interactions | None) -> sp.csr_array:
        """What sessions must not show again, shape (n, n_items): earlier sessions of the same day count."""
        before = self.history.met_by(users)
        return before if today is None else sp.csr_array(before + today.met_by(users))

    async def _browse(self, sessions: Sessions, seen_today: Interactions | None) -> CohortRecord:
        """Run one cohort's sessions; where an error ends them, note them as cut short."""
        try:
            return await browse(
                sessions,
                self._seen(sessions.users, seen_today),
                recommender=self.recommender,
                environment=self.environment,
                mind=self.mind,
            )
        except BaseException as fault:
            self.cut_short.extend((sessions.day, int(user)) for user in sessions.users)
            if isinstance(fault, UnanswerablePrompt):
                # A mind's question would have been a lost page; a list, or a memory, cannot be lost.
                raise ProviderError(
                    f"arm {self.name}: the recommender, or the mind after a session, asked what the server refuses for "
                    f"good ({fault.what}); catch UnanswerablePrompt there and say what happens without an answer"
                ) from None
            raise
