"""What sessions leave behind in their arm, beside what the log is given: clicks, sales, reasons to come back.

It is worked out where a shard is simulated, so that what happened, slot by slot, need not travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from groundlings.environments.arrays import IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.social_turns import Told
from groundlings.personas.memory import Memory
from groundlings.personas.mind import Shown
from groundlings.simulator.cohorts import clicks_of, shown_of, told_of
from groundlings.simulator.lost_pages import AFTER_SESSIONS
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
        afterthoughts: Prompt of what agents were asked after their sessions -> how often, and how often in vain, as
            nobody could read the reply.
        memories: What agents keep; none where they keep nothing.
        told: What they said to their ties.
        sold, shown, signals: As `Wanted` says; None where it is not wanted.
    """

    agents: IntArray
    written: WrittenSessions
    pages: int
    lost: int
    clicks: Interactions
    afterthoughts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
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
        afterthoughts=_asked_after(record),
        memories=tuple(record.afterthoughts.memories),
        told=told_of(record),
        sold=sold_in(record) if wanted.sold else None,
        shown=shown_of(record) if wanted.shown else None,
        signals=signals_of(record, wanted.topics) if wanted.returns else None,
    )


def _asked_after(record: CohortRecord) -> dict[str, tuple[int, int]]:
    """What agents were asked after their sessions and what of it is lost, by prompt, as `LogReader.afterthoughts`."""
    found: dict[str, tuple[int, int]] = {}
    for call in record.afterthoughts.calls:
        prompt = call.template.partition("-")[0]
        if call.status != "reasked" and prompt in AFTER_SESSIONS:
            asked, lost = found.get(prompt, (0, 0))
            found[prompt] = asked + 1, lost + (call.status != "ok")
    return found
