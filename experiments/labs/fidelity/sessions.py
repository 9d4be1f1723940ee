"""Short simulations for the lab: a page, a session, or some days, with the same code as experiments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from groundlings.environments.actions import Actions, LegalActions
from groundlings.environments.arrays import IntArray, ItemArray
from groundlings.environments.decision import Decision
from groundlings.environments.feed import PaginatedFeed, feed_schema
from groundlings.environments.interactions import Interactions
from groundlings.environments.page import Page
from groundlings.environments.sessions import Sessions
from groundlings.environments.trace import Chance, Trace
from groundlings.experiments.labs.fidelity.stage import Stage
from groundlings.experiments.running.event_loop import completed
from groundlings.experiments.running.short_sessions import PEOPLE_AT_ONCE, ShortSessions, short_sessions
from groundlings.personas.mind import Mind, Situation
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.cohorts import clicks_at, cohorts


def simulate_sessions(
    stage: Stage,
    recommender: AsyncRecommender,
    mind: Mind,
    site: PaginatedFeed,
    *,
    day: int,
    seen: sp.csr_array | None = None,
) -> ShortSessions:
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
    return completed(
        short_sessions(
            stage.testers, known, recommender=recommender, mind=mind, environment=site, seed=stage.seed, day=day
        )
    )


def decide(stage: Stage, mind: Mind, users: IntArray, items: ItemArray, *, day: int) -> Decision:
    """The decisions about one page per user, each column of shape (n, n_slots), in sessions that begin there."""
    parts = []
    schema = feed_schema(stage.dataset.scale.values, opinions=stage.dataset.opinions)
    for sessions in _cohorts(stage, users, mind, day):
        page = Page(1, 0, items[sessions.agents])
        legal = LegalActions(schema, {"next_page": np.zeros(len(sessions), dtype=np.bool_)})
        parts.append(completed(mind.decide(Situation(sessions, page, legal, np.arange(len(sessions))))))
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

    def live(self, days: int) -> Iterator[ShortSessions]:
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
