"""A mind that decides by one score: the baseline of minds on the system level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import FloatArray
from groundlings.environments.decision import Decision
from groundlings.environments.trace import Chance, Trace
from groundlings.experiments.labs.fidelity.scorers import CatalogScores
from groundlings.personas.exposure.presets import LEVEL
from groundlings.personas.mind import Situation
from groundlings.personas.minds.browsing_parameters import BrowsingParameters
from groundlings.personas.minds.click_model import open_constant

_SAMPLE = 200


class ScoreMind:
    """Clicks items by P = P(look at the slot) * logistic(score + constant), and leaves at a constant rate.

    The same position-based model as the behavioural mind, with one score instead of its utility and no memory of the
    page. The constant gives random candidates the same click-through rate. No stars, no satisfaction.

    Args:
        name: For the records.
        scores: Log-odds of interest up to a constant, for all items.
        users: Users on whom the constant is set.
        met: Their training interactions, shape (n_users, n_items), sparse.
        parameters: How the behavioural mind browses.
    """

    cohort_size = 1024
    actions = frozenset({"click", "next_page"})

    def __init__(
        self,
        name: str,
        scores: CatalogScores,
        users: np.ndarray,
        met: Any,
        *,
        parameters: BrowsingParameters,
    ) -> None:
        self.name = name
        self._scores = scores
        self._parameters = parameters
        some = users[:: max(len(users) // _SAMPLE, 1)]
        known = np.asarray(scores(some), dtype=np.float64)[met[some].toarray() == 0]
        self._constant = open_constant(known, LEVEL.value if parameters.level is None else parameters.level)

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        sessions, page = situation.sessions, situation.page
        scores: FloatArray = np.asarray(self._scores(sessions.users), dtype=np.float64)
        asked = np.where(page.shown, page.items, 0).astype(np.int64)
        attention = self._parameters.look(page.items.shape[1])
        chance = attention * expit(np.take_along_axis(scores, asked, axis=1) + self._constant)
        chance = np.where(page.shown, chance, 0.0)
        stays = sessions.draws.uniform("leave", np.full(len(sessions), page.number)) >= self._parameters.leave_rate
        draw = sessions.draws.uniform("click", page.items)
        return Decision.of(
            situation.legal,
            page,
            Trace({"click": Chance(chance, draw)}),
            click=draw < chance,
            next_page=situation.legal.offers("next_page", page) & stays,
        )

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        return {"kind": "score", "name": self.name}
