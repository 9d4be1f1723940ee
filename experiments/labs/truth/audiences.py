"""Who is examined: the mind as it stands, and the mind after a fit on the exposures of other people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.labs.fidelity.score_mind import ScoreMind
from groundlings.experiments.labs.fidelity.scorers import CatalogScores
from groundlings.experiments.labs.fidelity.stage import MIND
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.personas.mind import Mind
from groundlings.personas.minds.behavioural import BehaviouralMind
from groundlings.personas.taste.model import fit_taste

FITTED_MIND = f"{MIND}, fitted on exposures"
"""The same mind after a fit on the exposures of people who are not judged."""

POPULARITY, ITEM_MEAN, ITEM_RATE = (
    "popularity simulator",
    "item-mean simulator",
    "item rate of other people's exposures",
)
"""The trivial simulators of the order."""

_DAMPING = 5.0


class _Prefers(Protocol):
    def preference(self, users: IntArray) -> FloatArray: ...


@dataclass(frozen=True)
class Audience:
    """A mind under examination.

    Attributes:
        name: In every record.
        fitted: Whether it was fitted on exposures (of people who are not judged).
        mind: Decides in sessions.
        shares: P(each rating) for some users and items, were the items shown to them, shape (n_pairs, n_ratings); None
            where the data set has no ratings.
    """

    name: str
    fitted: bool
    mind: BehaviouralMind
    shares: Callable[[IntArray, IntArray], FloatArray] | None


def audiences(ground: Ground, salt: str) -> list[Audience]:
    """The minds of one partition: what they are fitted on depends on the salt."""
    taste = fit_taste(ground.dataset, ground.train, salt=salt, seed=ground.seed)
    mind = BehaviouralMind(ground.population, taste, ground.config.mind.options)
    plain = Audience(MIND, False, mind, None if taste.stars is None else taste.stars.shares)
    return [plain]


def open_and_like(mind: _Prefers, users: IntArray, items: IntArray) -> FloatArray:
    """P(click | looked at) * P(like | rated) of some pairs, shape (n_pairs,), some users at a time."""
    found = np.empty(len(users))
    everybody, row = np.unique(users, return_inverse=True)
    for first in range(0, len(everybody), 256):
        here = (row >= first) & (row < first + 256)
        table = mind.preference(everybody[first : first + 256])
        found[here] = table[row[here] - first, items[here]]
    return found


def popularity_simulator(ground: Ground) -> Mind:
    """Clicks by popularity alone: the odds of a click are proportional to the people of an item."""
    return _by_item(ground, POPULARITY, np.log1p(ground.train.item_counts.astype(np.float64)))


def item_mean_simulator(ground: Ground) -> Mind | None:
    """Clicks by the share of likes among an item's self-chosen ratings; None where the data set has no ratings."""
    rated = ground.train.take(~np.isnan(ground.train.ratings))
    if not len(rated):
        return None
    liked = (rated.ratings >= ground.dataset.scale.like).astype(np.float64)
    return _by_item(ground, ITEM_MEAN, _odds(rated.items, liked, ground.train.n_items))


def item_rate_simulator(ground: Ground, salt: str) -> Mind:
    """Clicks by the share of likes among an item's exposures to people who are not judged."""
    rows = ground.fitted_half(salt)[ground.place]
    return _by_item(ground, ITEM_RATE, _odds(ground.exposures.items[rows], ground.positive[rows], ground.train.n_items))


def _odds(items: np.ndarray[tuple[int], np.dtype[np.int32]], liked: FloatArray, n_items: int) -> FloatArray:
    """Log-odds of the share of likes of each item, drawn towards the share of all, shape (n_items,)."""
    overall = float(np.clip(liked.mean(), 0.01, 0.99)) if len(liked) else 0.5
    counts = np.bincount(items, minlength=n_items) + _DAMPING
    share = (np.bincount(items, liked, minlength=n_items) + _DAMPING * overall) / counts
    return np.asarray(np.log(share / (1 - share)))


def _by_item(ground: Ground, name: str, odds: FloatArray) -> Mind:
    options = ground.config.mind

    def scores(users: IntArray) -> FloatArray:
        return np.broadcast_to(odds, (len(users), len(odds)))

    catalog: CatalogScores = scores
    return ScoreMind(
        name, catalog, ground.people, ground.train.matrix, random_click_rate=options.random_click_rate,
        exponent=options.examination_exponent, leave_rate=options.leave_rate,
    )  # fmt: skip
