"""Shards: the unit of work of a simulation, a pure function of what it is given.

A shard is a cohort of sessions of one arm, day and occasion: the same number in each, whoever simulates it. What comes
out depends on the snapshot of recommender, environment and mind, on the sessions and on what they must not be shown,
and on nothing else; so a shard may be simulated in any process, in any order, and again after a failure, and gives the
same bytes (`groundlings.simulator.engines`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import scipy.sparse as sp

from groundlings.environments.arrays import IntArray
from groundlings.environments.environment import Environment
from groundlings.environments.errors import ProviderError, UnanswerablePrompt
from groundlings.environments.offers import DayOffers
from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import Mind
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.cohorts import cohort
from groundlings.simulator.session import CohortRecord, browse


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What all sessions of an arm depend on until the night; it does not change while they are open.

    Attributes:
        arm: The arm's name.
        recommender, environment, mind: The collaborators, as they are this day.
    """

    arm: str
    recommender: AsyncRecommender
    environment: Environment[Any]
    mind: Mind


@dataclass(frozen=True, slots=True)
class Shard:
    """One unit of work.

    Attributes:
        sessions: Who comes, one row per session.
        seen: What each session must not be shown, shape (n, n_items).
    """

    sessions: Sessions
    seen: sp.csr_array


async def simulate_shard(snapshot: Snapshot, shard: Shard) -> CohortRecord:
    """What happens in the sessions of a shard.

    Raises:
        ProviderError: The recommender, or the mind after a session, asked what its server refuses for good.
    """
    try:
        return await browse(
            shard.sessions,
            shard.seen,
            recommender=snapshot.recommender,
            environment=snapshot.environment,
            mind=snapshot.mind,
        )
    except UnanswerablePrompt as fault:
        # A mind's question would have been a lost page; a list, or a memory, cannot be lost.
        raise ProviderError(
            f"arm {snapshot.arm}: the recommender, or the mind after a session, asked what the server refuses for "
            f"good ({fault.what}); catch UnanswerablePrompt there and say what happens without an answer"
        ) from None


@dataclass(frozen=True, slots=True)
class Occasion:
    """The sessions of an arm on one occasion of a day, in shards; the shards do not depend on who simulates them.

    Attributes:
        snapshot: What all of them depend on.
        agents: Who comes, row numbers in the population, shape (n,).
        users: The real user behind each of them, shape (n,).
        day: 0 for the first day.
        number: Which session of their day it is, 0 for the first.
        sim_time: When they come, in seconds since 1970.
        seed: The run's.
        size: Sessions in a shard; fewer in the last.
        seen: What sessions must not be shown, shape (n, n_items); asked for one shard at a time.
        offers: What is offered on that day; None where the data know of no offers.
    """

    snapshot: Snapshot
    agents: IntArray
    users: IntArray
    day: int
    number: int
    sim_time: int
    seed: int
    size: int
    seen: Callable[[Sessions], sp.csr_array]
    offers: DayOffers | None = None

    @property
    def words(self) -> str:
        """Whose and when, for messages."""
        return f"arm {self.snapshot.arm}, day {self.day + 1}"

    def __len__(self) -> int:
        """How many shards there are."""
        return -(-len(self.agents) // self.size)

    def sessions(self, shard: int) -> Sessions:
        """The sessions of a shard, in the order of agents."""
        some = slice(shard * self.size, (shard + 1) * self.size)
        return cohort(
            self.agents[some],
            self.users[some],
            self.day,
            seed=self.seed,
            sim_time=self.sim_time,
            occasion=self.number,
            offers=self.offers,
        )

    def shard(self, number: int) -> Shard:
        """A shard by its number, 0 to len - 1."""
        sessions = self.sessions(number)
        return Shard(sessions, self.seen(sessions))

    async def record(self, number: int) -> CohortRecord:
        """What happens in the sessions of a shard; see `simulate_shard`."""
        return await simulate_shard(self.snapshot, self.shard(number))
