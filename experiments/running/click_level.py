"""Whether agents would open far more of what they are shown than people do, before anything runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.interactions import rows_of
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.experiments.config.minds import CalibratedMindConfig
from groundlings.experiments.running.arm_minds import estimates_taste
from groundlings.experiments.running.plan import Plan
from groundlings.recommenders.popular import PopularRecommender
from groundlings.simulator.session import browse

MOST_PLAUSIBLE = 0.10
"""Share of impressions that people open or act on lies below this (OmniBehavior, arXiv 2604.08362): 0.4 % of a shop's
recommendations (Open Bandit, Saito et al. 2021), about 4 % of a news site's."""

_SAMPLE = 48

MOST_ROWS = 200_000
"""Training interactions up to which `check` estimates a taste to look at the level; `run` says it of larger data."""


@dataclass(frozen=True, slots=True)
class ClickLevel:
    """How much of the most popular items agents open.

    Attributes:
        popular: Mean P(click) on the first page of the most popular items.
        met_later: Share of the same agents' unobserved items that they really met in the held-out part.
    """

    popular: float
    met_later: float

    @property
    def is_plausible(self) -> bool:
        """Whether people are known to open so much."""
        return self.popular <= MOST_PLAUSIBLE


def _is_of_a_choice_model(plan: Plan) -> bool:
    """Whether a choice model alone decides: the answers of a student have no weight before a run fits one."""
    mind = plan.config.mind
    return estimates_taste(plan) and not (isinstance(mind, CalibratedMindConfig) and mind.student is not None)


def click_level(plan: Plan) -> ClickLevel | None:
    """The level of an evenly spaced sample of agents, None where another mind decides than a shipped choice model."""
    return asyncio.run(_click_level(plan))


async def _click_level(plan: Plan) -> ClickLevel | None:
    if not _is_of_a_choice_model(plan):
        return None
    agents = np.unique(np.linspace(0, len(plan.population) - 1, _SAMPLE).astype(np.int64))
    popular = await _first_page(plan, agents)
    if popular is None:
        return None
    users = plan.population.users[agents]
    known, later = plan.split.train.matrix[users], plan.split.test.matrix[users]
    unobserved = plan.split.train.n_items - np.diff(known.indptr)
    new = np.diff(later.indptr) - np.diff(later.multiply(known).tocsr().indptr)
    return ClickLevel(popular, float((new / np.maximum(unobserved, 1)).mean()))


def level_warning(plan: Plan) -> str | None:
    """What `check` says of the level: see `_warning`; of large data, that `run` says it."""
    if not _is_of_a_choice_model(plan):
        return None
    if not is_large(plan):
        return _warning(plan, click_level(plan))
    return (
        f"how much agents would open is not looked at here: that takes estimating what they like from "
        f"{len(plan.split.train):,} interactions, and `run` says it before the first session"
    )


async def level_warning_of_run(plan: Plan) -> str | None:
    """What `run` says of the level before the first session: nothing where `check` says it."""
    return _warning(plan, await _click_level(plan)) if is_large(plan) else None


def is_large(plan: Plan) -> bool:
    """Whether estimating a taste takes so long that `check` does not."""
    return len(plan.split.train) > MOST_ROWS


def _warning(plan: Plan, level: ClickLevel | None) -> str | None:
    """A line about agents who would open more than people do, with what to do; None where they would not."""
    if level is None or level.is_plausible:
        return None
    return (
        f"agents would open {level.popular:.0%} of a first page of the most popular of {len(plan.dataset.catalog):,} "
        f"items; people open less than {MOST_PLAUSIBLE:.0%} of what they are shown. Then no level can be believed, and "
        "effects are too small, because there is little left to open. State how much of random items people open "
        f"(mind.random_click_rate; they met {level.met_later:.2%} of them later), or fit it to a log of what was shown "
        "(groundlings calibrate --exposures)"
    )


async def _first_page(plan: Plan, agents: IntArray) -> float | None:
    """Mean P(click) of agents on their first page of the most popular items."""
    recommender = PopularRecommender()
    recommender.fit(plan.split.train, plan.dataset.catalog)
    mind = plan.mind()
    chances: list[float] = []
    for first in range(0, len(agents), mind.cohort_size):
        some = agents[first : first + mind.cohort_size]
        users = plan.population.users[some]
        sessions = Sessions(some, users, 0, Draws.for_sessions(plan.config.seed, users, 0))
        seen = rows_of(plan.first_seen, users)
        record = await browse(sessions, seen, recommender=recommender, environment=plan.environment, mind=mind)
        if not record.turns:  # nothing is left to be shown to any of them
            continue
        turn = record.turns[0].turn
        probability = turn.decision.trace.probability("click")
        if probability is None:
            return None
        chances += probability[turn.page.items != NO_ITEM].tolist()
    return float(np.mean(chances)) if chances else None
