"""Trivial simulators: minds of one number per item, beside which the order of a real mind must show its worth."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.experiments.labs.fidelity.score_mind import ScoreMind
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.personas.mind import Mind
from groundlings.personas.minds.browsing_parameters import BrowsingParameters

POPULARITY, ITEM_MEAN, ITEM_RATE = (
    "popularity simulator",
    "item-mean simulator",
    "item rate of other people's exposures",
)

_DAMPING = 5.0
"""Number of average ratings added to every item."""


def popularity_simulator(ground: Ground, parameters: BrowsingParameters) -> Mind:
    """Clicks by popularity alone: the odds of a click are proportional to the people of an item."""
    return _by_item(ground, parameters, POPULARITY, np.log1p(ground.train.item_counts.astype(np.float64)))


def item_mean_simulator(ground: Ground, parameters: BrowsingParameters) -> Mind | None:
    """Clicks by the share of likes among an item's self-chosen ratings; None where the data set has no ratings."""
    rated = ground.train.take(~np.isnan(ground.train.ratings))
    if not len(rated):
        return None
    liked = (rated.ratings >= ground.dataset.scale.like).astype(np.float64)
    return _by_item(ground, parameters, ITEM_MEAN, _odds(rated.items, liked, ground.train.n_items))


def item_rate_simulator(ground: Ground, parameters: BrowsingParameters, salt: str) -> Mind:
    """Clicks by the share of likes among an item's exposures to people who are not judged."""
    rows = ground.fitted_half(salt)[ground.place]
    odds = _odds(ground.exposures.items[rows], ground.positive[rows], ground.train.n_items)
    return _by_item(ground, parameters, ITEM_RATE, odds)


def _odds(items: ItemArray, liked: FloatArray, n_items: int) -> FloatArray:
    """Log-odds of the share of likes of each item, drawn towards the share of all, shape (n_items,)."""
    overall = float(np.clip(liked.mean(), 0.01, 0.99)) if len(liked) else 0.5
    counts = np.bincount(items, minlength=n_items) + _DAMPING
    share = (np.bincount(items, liked, minlength=n_items) + _DAMPING * overall) / counts
    return np.asarray(np.log(share / (1 - share)))


def _by_item(ground: Ground, parameters: BrowsingParameters, name: str, odds: FloatArray) -> Mind:
    """A mind of one number per item, that browses as the mind under examination does."""

    def scores(users: IntArray) -> FloatArray:
        return np.broadcast_to(odds, (len(users), len(odds)))

    return ScoreMind(name, scores, ground.people, ground.train.matrix, parameters=parameters)
