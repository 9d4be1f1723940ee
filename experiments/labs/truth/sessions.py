"""Sessions of the agents with each recommender, by the code that runs experiments, and a run's headline metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.labs.truth.arms import PEOPLE_AT_ONCE, Arm
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.personas.mind import Mind
from groundlings.simulator.cohorts import cohorts
from groundlings.simulator.session import CohortRecord, browse

HEADLINES = ("likes_per_session", "view_ratio", "clicks_per_session", "like_ratio")
"""A run's metrics by which recommenders are ordered; the first is the one that the targets are about."""


@dataclass(frozen=True)
class Totals:
    """What the agents did with each recommender, summed over sessions, shape (n_people, n_arms) each; 0 for people who
    did not take part.

    Attributes:
        sessions, shown, clicks, ratings, likes: Counts.
    """

    sessions: FloatArray
    shown: FloatArray
    clicks: FloatArray
    ratings: FloatArray
    likes: FloatArray

    def per_person(self, metric: str) -> FloatArray:
        """A metric of each person with each recommender, NaN where the denominator is 0, as in a run's summary."""
        parts = {
            "likes_per_session": (self.likes, self.sessions),
            "clicks_per_session": (self.clicks, self.sessions),
            "view_ratio": (self.clicks, self.shown),
            "like_ratio": (self.likes, self.ratings),
        }
        above, below = parts[metric]
        return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def live(ground: Ground, arms: Sequence[Arm], mind: Mind, who: IntArray, *, clicks_are_likes: bool = False) -> Totals:
    """Let agents have sessions with every recommender; no recommender is fitted again, and nothing shown is remembered.

    Args:
        ground: The people and the site.
        arms: The recommenders.
        mind: Decides.
        who: Which of the people, ascending, shape (n,).
        clicks_are_likes: For minds that give no ratings and click what they take for liked, and for exposures that say
            only what was opened.
    """
    totals = Totals(*(np.zeros((len(ground.people), len(arms))) for _ in range(5)))

    async def all_sessions() -> None:
        users = ground.people[who]
        seen, size = ground.train.matrix, min(mind.cohort_size, PEOPLE_AT_ONCE)
        for column, arm in enumerate(arms):
            for day in range(ground.config.truth.sessions):
                for cohort in cohorts(np.arange(len(users)), users, day, seed=ground.seed, size=size):
                    record = await browse(
                        cohort,
                        sp.csr_array(seen[cohort.users]),
                        recommender=arm.recommender,
                        environment=ground.site,
                        mind=mind,
                    )
                    _add(totals, record, who[cohort.agents], column, ground.dataset.scale.like, clicks_are_likes)

    # One event loop for all: on its way out `asyncio.run` writes out its task, result included, and a cohort's record
    # takes ten times as long to write out as to make.
    asyncio.run(all_sessions())
    return totals


def _add(
    totals: Totals, record: CohortRecord, rows: IntArray, column: int, like_from: float, clicks_are_likes: bool
) -> None:
    totals.sessions[rows, column] += 1
    for logged in record.turns:
        turn = logged.turn
        here = rows[turn.rows]
        clicks = turn.decision["click"].sum(axis=1)
        totals.shown[here, column] += turn.page.shown.sum(axis=1)
        totals.clicks[here, column] += clicks
        ratings = turn.decision.opinion
        if clicks_are_likes or ratings is None:
            totals.ratings[here, column] += clicks
            totals.likes[here, column] += clicks
        else:
            totals.ratings[here, column] += (~np.isnan(ratings)).sum(axis=1)
            totals.likes[here, column] += (ratings >= like_from).sum(axis=1)
