"""One arm: a recommender of its own, and the people who visit it, all of the population or some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.environment import Environment
from groundlings.environments.interactions import Interactions
from groundlings.environments.visits import Visits
from groundlings.personas.mind import Mind, looks_back
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.cohorts import clicks_of, cohorts
from groundlings.simulator.concurrency import in_order
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.resume_state import Past
from groundlings.simulator.session import CohortRecord, browse
from groundlings.simulator.visit_schedule import DailyChance, VisitSchedule

SECONDS_PER_DAY = 86_400


@dataclass
class Arm:
    """One arm while it runs; `groundlings.simulator.days.live_together` leads it through its days.

    Attributes:
        name: The arm's name.
        users: The real person behind each agent, shape (n_agents,), ascending.
        recommender, environment, mind: The collaborators.
        catalog: The items.
        history: All interactions so far: the training part, then clicks from here, or from all arms that share a log.
        seed: The run's seed.
        residents: Who may visit, shape (n_agents,); None = everybody.
        starts_cold: Whether the recommender learns from simulated interactions alone.
        past: What an interrupted run has logged of this arm.
        cut_short: Day and user of each visit that was open when everything stopped; nothing of them is in the log.
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
        self._opening_time = int(self.history.timestamps.max(initial=0)) + 1
        self._visits: VisitSchedule | None = None
        self._fitted = False
        self._clicks_today: list[Interactions] = []

    @property
    def people(self) -> int:
        """How many may visit."""
        return len(self.users) if self.residents is None else int(self.residents.sum())

    def wake(self, days: int, visit_probability: float) -> None:
        """Before the first day: first visits are scheduled, and minds remember what the log of a past run says.

        Args:
            days: How many days there are.
            visit_probability: P(an agent visits on a day).
        """
        may_visit = np.ones(len(self.users), dtype=np.bool_) if self.residents is None else self.residents
        self._visits = VisitSchedule(may_visit, DailyChance(self.users, visit_probability, self.seed), days)
        self._visits.invite(True)
        if looks_back(self.mind):
            self.mind.remember(self.past.memories)

    def fit(self) -> None:
        """The recommender learns from all interactions so far, and forgets what it had learnt before."""
        known = self.history.take(self.history.synthetic) if self.starts_cold else self.history
        self.recommender.fit(known, self.catalog)
        self._fitted = True

    async def day(self, day: int, concurrency: int, log: LogWriter, on_visits: Callable[[int], None]) -> None:
        """One day of visits: those that the log holds already, then those that are still to come."""
        assert self._visits is not None, "wake comes first"
        time = self._opening_time + day * SECONDS_PER_DAY
        logged = self.past.on(day)
        if len(logged):
            self._clicks_today.append(logged.clicks(self.users, time, self.history))
            on_visits(len(logged))
        agents = logged.missing(self._visits.arrivals(day))
        version = self.recommender.state() if len(agents) else ""
        waiting = cohorts(agents, self.users[agents], day, seed=self.seed, size=self.mind.cohort_size, sim_time=time)
        async for record in in_order(self._browse, waiting, concurrency):
            log.write(record, arm=self.name, sim_time=time, policy_version=version)
            if looks_back(self.mind):
                self.mind.remember(record.afterthoughts.memories)
            self._clicks_today.append(clicks_of(record, time, self.history))
            on_visits(len(record.visits))
        log.flush()

    def evening(self) -> Interactions:
        """What was clicked here today, in agent order; asking takes it away."""
        nothing = self.history.take(np.zeros(0, dtype=np.int64))
        today, self._clicks_today = nothing.joined(*self._clicks_today), []
        # Visits that the log held are joined with those that filled its gaps.
        return today.take(np.argsort(today.users, kind="stable"))

    def hear(self, clicks: Sequence[Interactions]) -> None:
        """Note what was clicked today, in this arm or in all that share a log; a recommender may observe it at once."""
        self.history = self.history.joined(*clicks)
        if self._fitted:
            for each in clicks:
                self.recommender.observe(each)

    def sleep(self) -> None:
        """After the last day: let go of the schedule of visits."""
        if self._visits is not None:
            self._visits.close()
            self._visits = None

    async def _browse(self, visits: Visits) -> CohortRecord:
        """One cohort's visits, noted as cut short where they do not end."""
        try:
            return await browse(
                visits,
                self.history.met_by(visits.users),
                recommender=self.recommender,
                environment=self.environment,
                mind=self.mind,
            )
        except BaseException:
            self.cut_short.extend((visits.day, int(user)) for user in visits.users)
            raise
