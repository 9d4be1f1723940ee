"""Shards: the unit of work of a simulation, a pure function of what it is given.

A shard is a cohort of sessions of one arm, day and occasion: the same number in each, whoever simulates it. What comes
out depends on the snapshot of recommender, environment and mind, on the sessions and on what they must not be shown,
and on nothing else; so a shard may be simulated in any process, in any order, and again after a failure, and gives the
same bytes (`groundlings.simulator.engines`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
from groundlings.simulator.effects import Effects, Wanted, effects_of
from groundlings.simulator.log.row_layout import Origin
from groundlings.simulator.log.shard_rows import Counts, Destination, LaidOut, ShardRows
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
class Outcome:
    """What came out of a shard.

    Attributes:
        sessions: What happened, or its rows where they were laid out by whoever simulated the shard.
        effects: What it leaves behind in the arm.
    """

    sessions: CohortRecord | ShardRows
    effects: Effects


@dataclass(frozen=True, slots=True)
class Simulated:
    """A shard whose rows still lack the ids that they begin from.

    Attributes:
        rows: The rows.
        effects: What the shard leaves behind in the arm.
    """

    rows: LaidOut
    effects: Effects

    def outcome(self, origin: Origin) -> Outcome:
        """What came out of the shard, once it is known where its ids begin."""
        return Outcome(self.rows.numbered(origin), self.effects)


@dataclass(frozen=True, slots=True)
class Task:
    """A shard, and what is to be made of what happens in it.

    Attributes:
        shard: Who comes.
        wanted: What the arm asks.
        destination: Where the rows go; None where the record itself is asked for.
    """

    shard: Shard
    wanted: Wanted
    destination: Destination | None

    def sent(self) -> Task:
        """The same task without the names of all agents and items, which would travel with each to another machine."""
        return self if self.destination is None else replace(self, destination=replace(self.destination, names=None))


async def work_on(snapshot: Snapshot, task: Task) -> Outcome | Simulated:
    """Simulate a shard, and keep of it what is asked for; see `simulate_shard`."""
    record = await simulate_shard(snapshot, task.shard)
    effects = effects_of(record, task.wanted, task.shard.sessions.sim_time)
    if task.destination is None:
        return Outcome(record, effects)
    return Simulated(task.destination.lay_out(record), effects)


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
        wanted: What the arm asks of its sessions.
        offers: What is offered on that day; None where the data know of no offers.
        destination: Where rows go that are laid out by whoever simulates them; None where the log lays them out.
        claim: Gives ids to such rows, shard by shard in their order.
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
    wanted: Wanted
    offers: DayOffers | None = None
    destination: Destination | None = None
    claim: Callable[[Counts], Origin] | None = None

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

    def task(self, number: int, *, laid_out: bool = True) -> Task:
        """What is to be done about a shard.

        Args:
            number: Of the shard, 0 to len - 1.
            laid_out: Whether its rows are laid out where the log lets others do that.
        """
        sessions = self.sessions(number)
        destination = self.destination if laid_out else None
        return Task(Shard(sessions, self.seen(sessions)), self.wanted, destination)

    async def outcome(self, number: int) -> Outcome:
        """What happens in the sessions of a shard, as a record; see `simulate_shard`."""
        done = await work_on(self.snapshot, self.task(number, laid_out=False))
        assert isinstance(done, Outcome), "nobody asked for rows"
        return done


class Numbering:
    """Gives ids to the rows of an occasion in the order of its shards, whoever is ready first.

    Args:
        claim: Where the next rows begin, as `LogWriter.claim` says it.
    """

    def __init__(self, claim: Callable[[Counts], Origin]) -> None:
        self._claim = claim
        self._waiting: dict[int, Counts] = {}
        self._given: list[Origin] = []

    def ready(self, shard: int, counts: Counts) -> list[tuple[int, Origin]]:
        """The shards that can be numbered now that another one is laid out, and where their ids begin.

        A shard that was numbered and had to be simulated again gets the ids that it had.
        """
        if shard < len(self._given):
            return [(shard, self._given[shard])]
        self._waiting[shard] = counts
        numbered = []
        while len(self._given) in self._waiting:
            number = len(self._given)
            self._given.append(self._claim(self._waiting.pop(number)))
            numbered.append((number, self._given[number]))
        return numbered
