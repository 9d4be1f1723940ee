"""A mind without a language model: a choice model estimated on real histories, decided for thousands at once.

P(click | examined) = logistic(appeal + constant): appeal is the person's taste (`groundlings.personas.taste.model`),
the constant makes the mean over random items that the person has not met equal `random_click_rate`. All else, from
examination to leaving, is `groundlings.personas.minds.click_model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from groundlings.environments.actions import Decision
from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.mind import Situation
from groundlings.personas.minds.click_model import UNRATED_FIND, Browsing, BrowsingOptions, open_constant, unmet_appeal
from groundlings.personas.population import Population
from groundlings.personas.taste.model import Taste

__all__ = ["UNRATED_FIND", "BehaviouralMind", "BehaviouralOptions"]


class BehaviouralOptions(BrowsingOptions):
    """How people browse; what they like is estimated from the data set."""


class BehaviouralMind:
    """Decides by arithmetic on a taste; see the module for the model.

    Args:
        population: Who the agents are.
        taste: What they like.
        options: How they browse.
        grounding: What they really met later; only grounded replay may look at it.
    """

    def __init__(
        self, population: Population, taste: Taste, options: BehaviouralOptions, grounding: Grounding | None = None
    ) -> None:
        self._taste = taste
        self._options = options
        self._browsing = Browsing(taste, options, grounding)
        self._constant = open_constant(unmet_appeal(population, taste), options.random_click_rate)

    @property
    def cohort_size(self) -> int:
        """See `Mind.cohort_size`."""
        return min(self._options.cohort_size, self._taste.table.capacity)

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        page = situation.page
        rows = self._taste.table.slots(situation.visits.users)
        items = np.where(page.shown, page.items, 0)
        appeal = self._taste.table.appeal[rows[:, None], items].astype(np.float64)
        return self._browsing.decide(situation, expit(appeal + self._constant))

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        options = BehaviouralOptions(**{name: getattr(self._options, name) for name in BehaviouralOptions.model_fields})
        return {
            "kind": "behavioural",
            **options.model_dump(),
            "click_constant": self._constant,
            "taste": dict(self._taste.describe()),
        }

    def preference(self, users: IntArray) -> FloatArray:
        """P(click | looked at) * P(like | rated) of every item, shape (n, n_items): likes it would bring if seen."""
        table, stars = self._taste.table, self._taste.stars
        result = np.empty((len(users), self._taste.n_items))
        for part, rows in table.parts(users):
            result[part] = expit(table.appeal[rows].astype(np.float64) + self._constant)
            if stars is not None and table.leaning is not None:
                result[part] *= stars.like_probability(users[part], table.leaning[rows])
        return result
