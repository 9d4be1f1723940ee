"""A log in which it is known why arms differ: one shows the same items in another order, one shows items that are more
relevant everywhere, one has longer sessions, and nothing else differs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

AGENTS, SESSIONS, SLOTS, PAGES, ITEMS = 240, 2, 8, 5, 48
LOOKS = 0.95 * 0.75 ** np.arange(SLOTS)
"""P(an agent looks at a slot)."""
LIKED = 0.6
"""P(an agent likes what it opened)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What an arm does.

    Attributes:
        sorted_by_relevance: Whether the items of a page stand in the order of their relevance.
        relevance: What P(open | looked at) is multiplied with.
        goes_on: P(next page).
        looks: What P(look) is multiplied with.
        seed: Of the draws; arms with the same one differ by nothing but what is above.
    """

    sorted_by_relevance: bool = False
    relevance: float = 1.0
    goes_on: float = 0.5
    looks: float = 1.0
    seed: int = 0


CAUSES = (
    Cause(),
    Cause(sorted_by_relevance=True),
    Cause(relevance=1.5),
    Cause(goes_on=0.75),
)
"""Of the four arms of the small run, in their order."""


def plant(log: Path, causes: tuple[Cause, ...] = CAUSES, *, agents: int = AGENTS, seed: int = 1) -> None:
    """Replace everything that happened in a log of the small run by what these causes bring about."""
    with closing(sqlite3.connect(log)) as connection, connection:
        arms = [row[0] for row in connection.execute("SELECT arm_id FROM arms ORDER BY position")]
        items = [row[0] for row in connection.execute("SELECT item_id FROM items ORDER BY item_id")]
        run_id, persona = connection.execute("SELECT run_id, persona FROM agents").fetchone()
        for table in ("events", "impressions", "sessions", "agents", "calls", "moods", "memories", "interviews"):
            connection.execute(f"DELETE FROM {table}")
        people = [(number + 1, run_id, f"p{number}", persona) for number in range(agents)]
        connection.executemany("INSERT INTO agents VALUES (?, ?, ?, ?)", people)
        sessions, impressions = _rows(np.random.default_rng(seed), arms, items, causes, agents)
        connection.executemany(f"INSERT INTO sessions VALUES ({', '.join('?' * 10)})", sessions)
        names = "impression_id, session_id, page, position, rank, item_id, pscore, is_random, examined, clicked, rating"
        connection.executemany(
            f"INSERT INTO impressions ({names}, display_position) VALUES ({', '.join('?' * 12)})", impressions
        )


def _rows(rng, arms, items, causes, agents):
    relevance = rng.uniform(0.1, 0.6, ITEMS)
    sessions, impressions = [], []
    for arm, cause in zip(arms, causes, strict=False):
        world = np.random.default_rng(99 + cause.seed)
        for agent in range(1, agents + 1):
            for day in range(SESSIONS):
                number = len(sessions) + 1
                stays, order = world.random(PAGES), world.permutation(ITEMS)
                looks, opens, likes = world.random((3, PAGES, SLOTS))
                pages = 1 + int(np.argmin(np.append(stays[: PAGES - 1] < cause.goes_on, False)))
                ended = "last_page" if pages == PAGES else "exit"
                sessions.append((number, arm, agent, day, 1000 + day, "v", "deterministic", pages, ended, None))
                for page in range(pages):
                    shown = order[page * SLOTS : (page + 1) * SLOTS]
                    if cause.sorted_by_relevance:
                        shown = shown[np.argsort(-relevance[shown])]
                    looked = looks[page] < LOOKS * cause.looks
                    opened = looked & (opens[page] < cause.relevance * relevance[shown])
                    for slot, item in enumerate(shown):
                        rating = None if not opened[slot] else 5.0 if likes[page, slot] < LIKED else 2.0
                        impressions.append(
                            (
                                len(impressions) + 1, number, page + 1, slot, page * SLOTS + slot, items[item], 1.0, 0,
                                int(looked[slot]), int(opened[slot]), rating, slot,
                            )
                        )  # fmt: skip
    return sessions, impressions
