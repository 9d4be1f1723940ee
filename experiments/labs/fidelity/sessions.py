"""Short simulations for the lab: a page, a session, or some days, with the same code as experiments."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from groundlings.environments.actions import Actions, LegalActions
from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.decision import Decision
from groundlings.environments.feed import PaginatedFeed, feed_schema
from groundlings.environments.interactions import Interactions
from groundlings.environments.page import Page
from groundlings.environments.sessions import Sessions
from groundlings.environments.trace import Chance, Trace
from groundlings.experiments.labs.fidelity.stage import Stage
from groundlings.personas.mind import Mind, Situation
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.cohorts import clicks_at, cohorts
from groundlings.simulator.session import CohortRecord, browse

PEOPLE_AT_ONCE = 256


@dataclass(frozen=True)
class SessionOutcomes:
    """One session of each agent.

    Attributes:
        users: Shape (n,).
        clicks: Number of clicks, shape (n,).
        expected_clicks: Sum of the click probabilities of the pages seen; `clicks` where the mind has none.
        pages: Pages seen, shape (n,).
        left: Whether the agent left by choice, and not because the pages ended, shape (n,).
        shown, clicked: The items of the slots seen, and whether each was clicked, shape (n, depth) each.
        chances: Click probabilities of the slots seen; `clicked` where the mind has none, shape (n, depth).
    """

    users: IntArray
    clicks: FloatArray
    expected_clicks: FloatArray
    pages: IntArray
    left: BoolArray
    shown: ItemArray
    clicked: BoolArray
    chances: FloatArray


def simulate_sessions(
    stage: Stage,
    recommender: AsyncRecommender,
    mind: Mind,
    site: PaginatedFeed,
    *,
    day: int,
    seen: sp.csr_array | None = None,
) -> SessionOutcomes:
    """One session of every agent under examination.

    Args:
        stage: The users and the seed.
        recommender: The recommender, fitted.
        mind: Decides.
        site: The environment.
        day: Another day has other random numbers.
        seen: Items that are not shown again, shape (n_users, n_items); the training part if absent.
    """
    known = stage.train.matrix if seen is None else seen
    records = [
        asyncio.run(
            browse(
                sessions,
                sp.csr_array(known[sessions.users]),
                recommender=recommender,
                environment=site,
                mind=mind,
            )
        )
        for sessions in _cohorts(stage, stage.testers, mind, day)
    ]
    return _joined([_summed(record, site.depth) for record in records])


def decide(stage: Stage, mind: Mind, users: IntArray, items: ItemArray, *, day: int) -> Decision:
    """The decisions about one page per user, each column of shape (n, n_slots), in sessions that begin there."""
    parts = []
    schema = feed_schema(stage.dataset.scale.values)
    for sessions in _cohorts(stage, users, mind, day):
        page = Page(1, 0, items[sessions.agents])
        legal = LegalActions(schema, {"next_page": np.zeros(len(sessions), dtype=np.bool_)})
        parts.append(asyncio.run(mind.decide(Situation(sessions, page, legal, np.arange(len(sessions))))))
    chances = [part.trace.chances.get("click") for part in parts]
    known = [chance for chance in chances if chance is not None]
    trace = Trace()
    if len(known) == len(parts):
        trace = Trace(
            {
                "click": Chance(
                    np.concatenate([chance.probability for chance in known]),
                    np.concatenate([chance.draw for chance in known]),
                )
            }
        )
    columns = {name: np.concatenate([part[name] for part in parts]) for name in schema.names}
    return Decision(Actions(schema, columns), np.concatenate([part.unreadable for part in parts]), trace)


@dataclass
class Days:
    """Some days in a row; the recommender is refitted on its own log after each.

    Attributes:
        stage: The users and the seed.
        recommender, mind, site: As in `simulate_sessions`.
    """

    stage: Stage
    recommender: AsyncRecommender
    mind: Mind
    site: PaginatedFeed
    _history: Interactions = field(init=False)

    def live(self, days: int) -> Iterator[SessionOutcomes]:
        """Each day's sessions."""
        self._history = self.stage.train
        now = self._history.next_second
        for day in range(days):
            self.recommender.fit(self._history, self.stage.dataset.catalog)
            today = simulate_sessions(
                self.stage, self.recommender, self.mind, self.site, day=day, seen=self._history.matrix
            )
            who, slots = np.nonzero(today.clicked)
            clicks = clicks_at(
                now + day, today.users[who], today.shown[who, slots], np.full(len(who), np.nan), self._history
            )
            self._history = self._history.joined(clicks)
            yield today


def _cohorts(stage: Stage, users: IntArray, mind: Mind, day: int) -> Iterator[Sessions]:
    size = min(mind.cohort_size, PEOPLE_AT_ONCE)
    return cohorts(np.arange(len(users)), users, day, seed=stage.seed, size=size)


def _summed(record: CohortRecord, depth: int) -> SessionOutcomes:
    n = len(record.sessions)
    chances = np.zeros((n, depth))
    shown = np.full((n, depth), -1, dtype=np.int32)
    clicked = np.zeros((n, depth), dtype=np.bool_)
    for logged in record.turns:
        rows, page, decision = logged.turn.rows, logged.turn.page, logged.turn.decision
        here = slice(page.first_rank, page.first_rank + page.items.shape[1])
        shown[rows, here] = page.items
        clicked[rows, here] = decision["click"]
        probability = decision.trace.probability("click")
        chances[rows, here] = decision["click"] if probability is None else probability
    left = np.array([str(why) == "exit" for why in record.ended_by], dtype=np.bool_)
    clicks = clicked.sum(axis=1).astype(np.float64)
    return SessionOutcomes(
        record.sessions.users, clicks, chances.sum(axis=1), record.pages, left, shown, clicked, chances
    )


def _joined(parts: list[SessionOutcomes]) -> SessionOutcomes:
    names = ("users", "clicks", "expected_clicks", "pages", "left", "shown", "clicked", "chances")
    return SessionOutcomes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
