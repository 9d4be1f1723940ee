"""How many stars a person would give: an ordinal model with each person's own thresholds.

Behind each rating stands a hidden liking, normal with variance 1 around a leaning m_ui; person u gives at most star
k when the liking is below a threshold c_uk. The thresholds come from the person's own star shares, so that somebody
who gives many fives keeps giving many fives; the leaning only says for which items. Part of the variance is the
person's mood on an occasion, the same for all items. Ratings drawn from this have the spread of the person and the
spread between people, which a point prediction loses.

    leaning     m_ui = w1 standing_ui + w2 group_ui + w3 taste_ui + w4 drift_u          (`STAR_FEATURES`)
    thresholds  c_uk = stretch * normal_quantile(smoothed share of ratings up to k) + shift
    liking      m_ui + sqrt(mood) * v + sqrt(1 - mood) * e,  v and e standard normal, v one an occasion

stretch, shift, mood and the weights are estimated on held-out ratings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.personas.profile import star_columns
from groundlings.personas.taste.regression import OrdinalFit, fit_ordinal
from groundlings.personas.taste.star_features import StarEvidence

WITHOUT_DATA = OrdinalFit(stretch=1.15, shift=0.05, weights=np.array([1.2, 0.85, 0.85, 0.25]))
"""Where the estimate starts, and stays without held-out ratings: about what the two MovieLens data sets give."""

MOOD_WITHOUT_DATA = 0.1
"""The same for the share of variance that is mood."""

FEWEST_FOR_MOOD = 200
"""With fewer held-out ratings than this, mood is not estimated."""

_RIDGE = 10.0
_NEXT_TO_NOTHING = 2.0**-54


@dataclass(frozen=True)
class StarModel:
    """The fitted model of ratings.

    Attributes:
        evidence: From the training rows.
        fit: Stretch, shift and weights.
        mood: Share of the variance that one occasion's ratings have in common, 0 to 1.
        labels: Held-out ratings it was estimated on.
    """

    evidence: StarEvidence
    fit: OrdinalFit
    mood: float
    labels: int

    @property
    def scale(self) -> RatingScale:
        """The stars in use."""
        return self.evidence.scale

    def leaning(self, users: IntArray) -> NDArray[np.float32]:
        """m of all items for some users, shape (n, n_items)."""
        return self.evidence.weighted(users, self.fit.weights)

    def leaning_of(self, users: IntArray, items: IntArray) -> FloatArray:
        """m of some pairs, shape (n_pairs,); that of a pair is the same to the last bit in any company."""
        return self.evidence.weighted_pairs(users, items, self.fit.weights)

    def cuts(self, users: IntArray) -> FloatArray:
        """c of some users, shape (n, n_stars - 1)."""
        return self.fit.stretch * self.evidence.thresholds[users] + self.fit.shift

    def shares(self, users: IntArray, items: IntArray) -> FloatArray:
        """P(each star value) for some pairs, shape (n_pairs, n_stars), columns as in `scale.values`."""
        return self.shares_at(users, self.leaning_of(users, items))

    def shares_at(self, users: IntArray, leaning: FloatArray) -> FloatArray:
        """As `shares`, where m is given, shape (n_pairs,)."""
        below = ndtr(self.cuts(users) - leaning[:, None])
        return np.diff(np.pad(below, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1))), axis=1)

    def like_probability(self, users: IntArray, leaning: NDArray[np.floating]) -> FloatArray:
        """P(the stars count as a like) where m is given for some users and items, shape (n, m) as `leaning`."""
        return 1.0 - ndtr(self.like_cuts(users)[:, None] - leaning)

    def like_cuts(self, users: IntArray) -> FloatArray:
        """c of the lowest stars that count as a like, of some users, shape (n,)."""
        below = sum(value < self.scale.like for value in self.scale.values)
        return self.fit.stretch * self.evidence.thresholds[users, below - 1] + self.fit.shift

    def draw(self, users: IntArray, leaning: FloatArray, mood: FloatArray, uniform: FloatArray) -> IntArray:
        """Columns of `scale.values` for some pairs, shape (n_pairs,).

        Args:
            users: Who rates, shape (n_pairs,).
            leaning: m of each pair.
            mood: A uniform number, the same for all pairs of one occasion.
            uniform: A uniform number for each pair.
        """
        together = ndtri(np.maximum(mood, _NEXT_TO_NOTHING))
        alone = ndtri(np.maximum(uniform, _NEXT_TO_NOTHING))
        liking = leaning + np.sqrt(self.mood) * together + np.sqrt(1 - self.mood) * alone
        return (liking[:, None] > self.cuts(users)).sum(axis=1)


def fit_stars(earlier: StarEvidence, held_out: Interactions, final: StarEvidence) -> StarModel:
    """Estimate the weights on held-out ratings.

    Args:
        earlier: Measured without the held-out rows.
        held_out: Rated rows of the people that may be fitted on.
        final: Measured on all training rows; what the model then works with.
    """
    features = earlier.pairs(held_out.users, held_out.items.astype(np.int64))
    thresholds = earlier.thresholds[held_out.users]
    columns = star_columns(held_out.ratings, final.scale)
    fit = fit_ordinal(features, thresholds, columns, prior=WITHOUT_DATA, ridge=_RIDGE)
    mood = MOOD_WITHOUT_DATA
    if len(held_out) >= FEWEST_FOR_MOOD:
        mood = _common_share(held_out.users, fit.scores(features, thresholds, columns))
    return StarModel(final, fit, mood, len(held_out))


def _common_share(people: IntArray, scores: FloatArray) -> float:
    """Share of the liking's variance that a person's held-out ratings have in common.

    A score is E[e | stars], whose variance s^2 is below 1 because stars are coarse; to first order two scores
    of one person covary by s^4 times the share. The covariance is that of the one-way analysis of variance.
    """
    _, rows, counts = np.unique(people, return_inverse=True, return_counts=True)
    means = np.bincount(rows, scores) / counts
    groups, n = len(counts), len(scores)
    if n == groups or groups < 2:
        return MOOD_WITHOUT_DATA
    within = ((scores - means[rows]) ** 2).sum() / (n - groups)
    between = (counts * (means - scores.mean()) ** 2).sum() / (groups - 1)
    typical = (n - (counts**2).sum() / n) / (groups - 1)
    covariance = (between - within) / typical
    return float(np.clip(covariance / scores.var() ** 2, 0.0, 0.5))
