"""What sessions leave behind in their arm, beside what the log is given: clicks, sales, reasons to come back.

It is worked out where a shard is simulated, so that what happened, slot by slot, need not travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.social_turns import Told
from groundlings.personas.memory import Memory
from groundlings.personas.mind import Shown
from groundlings.simulator.cohorts import clicks_of, shown_of, told_of
from groundlings.simulator.returns.signals import Signals, Topics, signals_of
from groundlings.simulator.sessions_written import WrittenSessions, written
from groundlings.simulator.shelf import Sold, sold_in

if TYPE_CHECKING:
    from groundlings.simulator.session import CohortRecord


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an arm asks of its sessions; the same on all days.

    Attributes:
        arm: The arm's name.
        frame: Interactions of the arm's world without a row: how many users and items there are, and what is known of
            an interaction.
        sold: Whether it keeps a stock.
        shown: Whether its mind counts what was shown.
        returns: Whether people come back by what sessions leave behind.
        topics: Of the items, where that depends on how alike lists were.
    """

    arm: str
    frame: Interactions
    sold: bool = False
    shown: bool = False
    returns: bool = False
    topics: Topics | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What the sessions of a shard leave behind.

    Attributes:
        agents: Whose sessions, row numbers in the population, shape (n,).
        written: How many there are, for who watches the run.
        pages, lost: Pages that were decided on, and those of them that nobody could read.
        clicks: What a recommender may learn.
        memories: What agents keep; none where they keep nothing.
        told: What they said to their ties.
        sold, shown, signals: As `Wanted` says; None where it is not wanted.
    """

    agents: IntArray
    written: WrittenSessions
    pages: int
    lost: int
    clicks: Interactions
    memories: tuple[Memory, ...] = ()
    told: tuple[Told, ...] = ()
    sold: Sold | None = None
    shown: Shown | None = None
    signals: Signals | None = None


def effects_of(record: CohortRecord, wanted: Wanted, sim_time: int) -> Effects:
    """What the sessions of a cohort leave behind.

    Args:
        record: What happened.
        wanted: What is asked.
        sim_time: When they were, in seconds since 1970.
    """
    return Effects(
        agents=record.sessions.agents,
        written=written(record, wanted.arm),
        pages=sum(len(logged.turn.rows) for logged in record.turns),
        lost=sum(int(logged.turn.decision.unreadable.sum()) for logged in record.turns),
        clicks=clicks_of(record, sim_time, wanted.frame),
        memories=tuple(record.afterthoughts.memories),
        told=told_of(record),
        sold=sold_in(record) if wanted.sold else None,
        shown=shown_of(record) if wanted.shown else None,
        signals=signals_of(record, wanted.topics) if wanted.returns else None,
    )
