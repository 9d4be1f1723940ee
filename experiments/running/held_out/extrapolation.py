"""How much of what an arm shows lies outside what people pick, and what its likes would be if such items disappoint.

P(like) is learnt from items that people picked. Of an item that they would hardly pick it is an extrapolation. What
random exposures say of such items differs from site to site (`groundlings.personas.exposure.presets.NOT_CHOSEN`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import Split
from groundlings.experiments.analysis.compare import mean_interval, within_one
from groundlings.experiments.analysis.comparison.held_out import Extrapolation
from groundlings.experiments.analysis.comparison.ratios import relative_lift
from groundlings.experiments.running.short_sessions import ShortSessions
from groundlings.personas.exposure.presets import NOT_CHOSEN
from groundlings.personas.mind import Mind
from groundlings.personas.minds.browsing_parameters import PRESET
from groundlings.personas.taste.model import Taste
from groundlings.personas.taste.utility import liking_log_odds

PICKED = 0.95
"""An item lies outside what people pick if so large a share of the items that they really met later has more appeal."""

FEWEST = 20
"""With fewer items met later than this, the quantile of `PICKED` would be that of the least appealing one alone."""


@dataclass(frozen=True)
class ExtrapolatedLikes:
    """Of each person's session with an arm.

    Attributes:
        outside: Share of the items shown that lie outside what people pick, shape (n,), NaN where nothing was shown.
        likes: Expected likes, shape (n,).
        if_disliked: The same if items outside are liked as little as the least favourable source of `NOT_CHOSEN` says.
    """

    outside: FloatArray
    likes: FloatArray
    if_disliked: FloatArray


def likes_are_extrapolated(mind: Mind, taste: Taste) -> bool:
    """Whether a mind's P(like) is the taste's, learnt from picked items alone, and no log of exposures says it."""
    browsing = mind.describe().get("browsing")
    origins = browsing.get("origins", {}) if isinstance(browsing, dict) else {}
    return taste.stars is not None and origins.get("liking") == PRESET


def least_picked(taste: Taste, split: Split, users: IntArray) -> float | None:
    """The appeal that `PICKED` of the new items that some users really met later have; None with fewer than `FEWEST`.

    Args:
        taste: Fitted on the training part.
        split: The history.
        users: Who is asked, as row numbers of the data set.
    """
    later = split.test.take(np.isin(split.test.users, users)).first_meetings()
    new = later.take(~_known(split.train, later.users, later.items))
    if len(new) < FEWEST:
        return None
    return float(np.quantile(_appeal_and_liking(taste, new.users, new.items.astype(np.int64))[0], 1 - PICKED))


def extrapolated_likes(found: ShortSessions, taste: Taste, train: Interactions, least: float) -> ExtrapolatedLikes:
    """What a session with each of some people holds of items outside what people pick.

    Args:
        found: The sessions; their mind opens items, and P(like) of an opened item is the taste's.
        taste: With ratings.
        train: The training part: an item that a person has picked there is not outside.
        least: As `least_picked` says.
    """
    assert NOT_CHOSEN.low is not None
    row, slot = np.nonzero(found.shown != NO_ITEM)
    users, items = found.users[row], found.shown[row, slot].astype(np.int64)
    appeal, liking = _appeal_and_liking(taste, users, items)
    outside = (appeal < least) & ~_known(train, users, items)
    opened = found.chances[row, slot]

    def summed(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(row, values, minlength=len(found.users)), dtype=np.float64)

    shown = summed(np.ones(len(row)))
    share = np.divide(summed(outside.astype(np.float64)), shown, out=np.full(len(shown), np.nan), where=shown > 0)
    disliked = expit(liking + NOT_CHOSEN.low * outside)
    return ExtrapolatedLikes(share, summed(opened * expit(liking)), summed(opened * disliked))


def extrapolation(ours: ExtrapolatedLikes | None, base: ExtrapolatedLikes | None) -> Extrapolation | None:
    """What an arm's effect on likes rests on, against the first arm; None where either was not measured."""
    if ours is None or base is None:
        return None
    return Extrapolation(
        outside=within_one(mean_interval(ours.outside)),
        as_modelled=relative_lift(ours.likes, base.likes),
        if_disliked=relative_lift(ours.if_disliked, base.if_disliked),
    )


def _appeal_and_liking(taste: Taste, users: IntArray, items: IntArray) -> tuple[FloatArray, FloatArray]:
    """Appeal and logit P(like) of some pairs, shape (n_pairs,) each."""
    assert taste.stars is not None
    leaning = taste.stars.leaning_of(users, items)
    return taste.known_pairs.of(users, items), liking_log_odds(taste, users, leaning[:, None])[:, 0]


def _known(train: Interactions, users: IntArray, items: np.ndarray) -> BoolArray:
    """Whether each pair is in the training part, shape (n_pairs,)."""
    return np.asarray(np.asarray(train.matrix[users, items]).ravel() > 0, dtype=np.bool_)
