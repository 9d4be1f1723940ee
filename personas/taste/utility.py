"""What makes a person open an item that is before them: its utility, apart from the chance that they meet it.

    log-odds of opening = constant + appeal * A + liking * L + popularity * P

    A  the taste's appeal: log-odds that the person meets the item of their own accord (`Taste.appeal`)
    L  log-odds that the person would like it: logit P(rating >= the like threshold); 0 in a data set without ratings
    P  log(1 + people who met it)

Appeal is learnt from self-chosen interactions, so it mixes what people want with what they come across: an item that
few people come across has little of it, however much they would like it. On a page that somebody else filled, the
second part is given. How much of each counts has to be measured where exposures are known (`groundlings calibrate
--exposures`); `SHOWN` is what is assumed elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import log_ndtr

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.taste.model import Taste

FEATURES = ("appeal", "liking", "popularity")
"""Names and order of what a utility is made of."""


class UtilityWeights(BaseModel):
    """Log-odds of opening per unit of each feature."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    appeal: float = Field(default=0.0)
    """Per log-odds of meeting the item of one's own accord."""
    liking: float = Field(default=0.0)
    """Per log-odds of liking it; without effect in a data set without ratings."""
    popularity: float = Field(default=0.0)
    """Per log(1 + people who met it)."""


MET = UtilityWeights(appeal=1.0)
"""Opens what people would meet of their own accord; all that can be said without ratings."""

SHOWN = UtilityWeights(appeal=0.2)
"""Opens what draws people, as weakly as they are known to be drawn to what is put before them.

On a short video site people opened .176 of random and .379 of recommended items (KuaiRand, Gao et al. 2022), 2.15 times
as many. With this weight, lists of item kNN, EASE and ALS are opened 2.0 to 2.1 times as often as random items where
random ones are opened as often as there (MovieLens, validation users). Whether an opened item is liked is left to
P(like): liking is learnt by opening. docs/browsing.md has the evidence."""


@dataclass(frozen=True, slots=True)
class Utility:
    """Weights for one taste, and the constant that sets the level.

    Attributes:
        taste: Where the features come from.
        weights: Of the features.
        constant: Log-odds of an item whose features are all 0.
    """

    taste: Taste
    weights: UtilityWeights
    constant: float = 0.0

    def log_odds(self, users: IntArray, items: IntArray) -> FloatArray:
        """Of opening each of some items, shape (n, m) as `items`.

        Args:
            users: Shape (n,).
            items: Of each user, shape (n, m).
        """
        odds = self.of_pairs(np.repeat(users, items.shape[1]), items.astype(np.int64).ravel())
        return odds.reshape(items.shape)

    def of_pairs(self, users: IntArray, items: IntArray) -> FloatArray:
        """Of opening one item each, shape (n,) as both."""
        weights, taste = self.weights, self.taste
        total = np.full(len(users), self.constant)
        if weights.appeal:
            total += weights.appeal * taste.known_pairs.of(users, items)
        if weights.liking and taste.stars is not None:
            leaning = taste.stars.leaning_of(users, items)
            total += weights.liking * liking_log_odds(taste, users, leaning[:, None])[:, 0]
        if weights.popularity:
            total += weights.popularity * taste.evidence.popularity[items]
        return total

    def catalog_log_odds(self, users: IntArray) -> FloatArray:
        """Of opening every item, shape (n, n_items); at most `Taste.catalog_rows.capacity` users."""
        weights, table = self.weights, self.taste.catalog_rows
        rows = table.slots(users)
        total = weights.appeal * table.appeal[rows].astype(np.float64)
        if weights.liking and table.leaning is not None:
            total += weights.liking * liking_log_odds(self.taste, users, table.leaning[rows])
        if weights.popularity:
            total += weights.popularity * self.taste.evidence.popularity
        return total + self.constant


def liking_log_odds(taste: Taste, users: IntArray, leaning: NDArray[np.floating]) -> FloatArray:
    """logit P(like) where the star model's leaning is given for some users and items, shape (n, m) as `leaning`."""
    assert taste.stars is not None
    above = leaning - taste.stars.like_cuts(users)[:, None]
    # log P - log(1 - P), exact far out on either side.
    return np.asarray(log_ndtr(above) - log_ndtr(-above), dtype=np.float64)


def utility_features(taste: Taste, users: IntArray, items: IntArray) -> FloatArray:
    """`FEATURES` of some pairs, shape (n_pairs, 3); rows of a user are best kept together."""
    columns = np.zeros((len(users), len(FEATURES)))
    columns[:, 0] = taste.appeal_of(users, items)
    if taste.stars is not None:
        leaning = taste.stars.leaning_of(users, items)
        columns[:, 1] = liking_log_odds(taste, users, leaning[:, None])[:, 0]
    columns[:, 2] = taste.evidence.popularity[items]
    return columns
