"""What is fitted of the real users: the distribution of each trait, and how traits go together.

A Gaussian copula keeps both apart (Nelsen 2006, "An introduction to copulas"; as a synthesizer of tables Patki, Wedge
and Veeramachaneni 2016, "The synthetic data vault", DSAA): each trait becomes a normal score by its rank, the scores
have one matrix of correlations, and a drawn score becomes a trait by the same ranks, so every marginal is the empirical
one.

The mean of a few ratings varies more than the person does. It is pulled towards everybody's so that the means vary as
much as persons do (Louis 1984, "Estimating a population of parameter values using Bayes and empirical Bayes methods",
JASA 79): ratings are drawn anew afterwards, which adds their noise again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.random_streams import Draws

ACTIVITY, STARS, END, TASTE = "activity", "stars", "end", "taste"
"""Names of traits: items met, mean rating, time of the latest interaction. Those of taste are numbered."""

DIMENSIONS = 8
"""Leading dimensions of taste in items, and as many at most of taste in categories."""

_TASTE = 3.0
"""Weight of taste where two users are compared, beside 1 for items met."""

_OTHERS = 0.4
"""Weight of the mean rating and of the time of the latest interaction."""

_LEAST = 1e-9


@dataclass(frozen=True)
class Loadings:
    """What each item says of taste: that of a user is the mean over their items.

    Attributes:
        items: Mean 0 and standard deviation 1 between users' means, shape (n_items, d).
        weights: How much of what sets users apart lies in each dimension, shape (d,).
        within: Covariance within histories, inverted, shape (d, d).
    """

    items: FloatArray
    weights: FloatArray
    within: FloatArray

    def of(self, met: sp.csr_array) -> FloatArray:
        """The taste of users, shape (n_users, d)."""
        return np.asarray(met @ self.items) / np.maximum(np.diff(met.indptr), 1)[:, None]


@dataclass(frozen=True)
class UserTraits:
    """The fitted distribution.

    Attributes:
        names: Of the traits, in the order of columns; those of taste come last.
        values: Of each real user, NaN where unknown, shape (n_users, n_traits).
        scores: Normal scores, 0 where unknown, shape (n_users, n_traits).
        factor: Lower triangular root of the matrix of correlations, shape (n_traits, n_traits).
        weights: Of each column where users are compared, shape (n_traits,).
    """

    names: tuple[str, ...]
    values: FloatArray
    scores: FloatArray
    factor: FloatArray
    weights: FloatArray

    def drawn(self, draws: Draws) -> FloatArray:
        """Scores of new users, shape (n, n_traits): correlated as the real ones are."""
        columns = np.arange(len(self.names))
        uniform = draws.uniform("traits", np.broadcast_to(columns, (len(draws.who), len(columns))))
        return np.asarray(ndtri(np.clip(uniform, 1e-12, 1 - 1e-12)) @ self.factor.T)

    def quantiles(self, name: str, scores: FloatArray) -> FloatArray:
        """The values of a trait that scores stand for, between two real ones, shape (n,); NaN where unknown."""
        column = self.names.index(name)
        known = np.sort(self.values[:, column][~np.isnan(self.values[:, column])])
        if not len(known):
            return np.full(len(scores), np.nan)
        places = ndtr(scores[:, column]) * len(known) - 0.5
        return np.interp(places, np.arange(len(known)), known)

    def taste(self, scores: FloatArray) -> FloatArray:
        """The taste that scores stand for, shape (n, d)."""
        names = [name for name in self.names if name.startswith(TASTE)]
        return np.column_stack([np.zeros((len(scores), 0)), *(self.quantiles(name, scores) for name in names)])


def fit_traits(loadings: Loadings, met: sp.csr_array, stars: FloatArray, ends: FloatArray) -> UserTraits:
    """Fit the distribution of traits.

    Args:
        loadings: Of the items.
        met: 1 for each pair that occurs, shape (n_users, n_items).
        stars: Mean rating of each user, NaN where unknown, shape (n_users,).
        ends: Time of the latest interaction, NaN where unknown, shape (n_users,).
    """
    taste = loadings.of(met)
    names = (ACTIVITY, STARS, END, *(f"{TASTE} {number}" for number in range(taste.shape[1])))
    values = np.column_stack([np.diff(met.indptr).astype(np.float64), stars, ends, taste])
    scores = np.column_stack([_normal_scores(column) for column in values.T])
    weights = np.concatenate([[1.0, _OTHERS, _OTHERS], _TASTE * loadings.weights])
    return UserTraits(names, values, scores, _root(scores), weights)


def fit_loadings(met: sp.csr_array, categories: BoolArray) -> Loadings:
    """What items say of taste: leading singular vectors of histories, and of the categories in them.

    Args:
        met: 1 for each pair that occurs, shape (n_users, n_items).
        categories: Membership, shape (n_items, n_categories).
    """
    items, of_items = _item_dimensions(met)
    kinds, of_kinds = _category_dimensions(met, categories)
    raw = np.column_stack([items, kinds])
    means = Loadings(raw, np.ones(raw.shape[1]), np.eye(raw.shape[1])).of(met)
    spread = means.std(axis=0)
    scaled = np.divide(raw - means.mean(axis=0), spread, out=np.zeros_like(raw), where=spread > _LEAST)
    means = np.divide(means - means.mean(axis=0), spread, out=np.zeros_like(means), where=spread > _LEAST)
    counts = np.bincount(met.indices, minlength=met.shape[1])
    total = (scaled * counts[:, None]).T @ scaled
    between = (means * np.diff(met.indptr)[:, None]).T @ means
    within = (total - between) / max(met.nnz, 1) + 1e-3 * np.eye(scaled.shape[1])
    return Loadings(scaled, np.concatenate([of_items, of_kinds]) / np.sqrt(2), np.linalg.inv(within))


def _item_dimensions(met: sp.csr_array) -> tuple[FloatArray, FloatArray]:
    """Right singular vectors of histories of unit length in which rare items weigh more, and their shares, norm 1."""
    counts = np.maximum(np.bincount(met.indices, minlength=met.shape[1]), 1)
    rarity = np.sqrt(np.log1p(met.shape[0] / counts))
    weighted = sp.csr_array(met.multiply(rarity[None]))
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    unit = sp.csr_array(sp.diags_array(1 / np.maximum(lengths, _LEAST)) @ weighted)
    dimensions = min(DIMENSIONS, min(unit.shape) - 1)
    if dimensions < 1:
        return np.zeros((met.shape[1], 0)), np.zeros(0)
    from scipy.sparse.linalg import svds

    _, values, right = svds(unit, k=dimensions, v0=np.ones(min(unit.shape)))
    order = np.argsort(-values)
    vectors = right[order].T * rarity[:, None]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(dimensions)])
    return vectors, values[order] / np.sqrt((values**2).sum())


def _category_dimensions(met: sp.csr_array, categories: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Leading directions in which the shares of categories differ between users, and their shares, norm 1."""
    shares = categories / np.maximum(categories.sum(axis=1, keepdims=True), 1)
    means = Loadings(shares, np.ones(shares.shape[1]), np.eye(shares.shape[1])).of(met)
    if not means.size or np.ptp(means, axis=0).max() < _LEAST:
        return np.zeros((met.shape[1], 0)), np.zeros(0)
    values, vectors = np.linalg.eigh(np.cov(means.T).reshape(means.shape[1], -1))
    order = np.argsort(-values)[:DIMENSIONS]
    order = order[values[order] > _LEAST]
    leading = vectors[:, order] * np.sign(vectors[np.abs(vectors[:, order]).argmax(axis=0), order])
    spread = np.sqrt(values[order])
    return shares @ leading, spread / np.sqrt((spread**2).sum())


def shrunk_means(sums: FloatArray, squares: FloatArray, counts: IntArray) -> tuple[FloatArray, float]:
    """Means of groups that vary as much as what they estimate, and the prior strength that this takes.

    Args:
        sums, squares: Sum of the values and of their squares in each group, shape (n,).
        counts: Values in each group, shape (n,).

    Returns:
        Shape (n,), NaN for a group without values; and the variance within groups over that between them.
    """
    known, total = counts > 0, max(counts.sum(), 1)
    means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=known)
    overall = sums.sum() / total
    groups = max(int(known.sum()), 1)
    within = max(float((squares - np.where(known, sums * means, 0.0)).sum()), 0.0) / max(total - groups, 1)
    spread = float((counts * np.where(known, (means - overall) ** 2, 0.0)).sum()) / max(groups - 1, 1)
    typical = (total - (counts**2).sum() / total) / max(groups - 1, 1)
    between = max((spread - within) / max(typical, 1.0), 0.0)
    prior = float(np.clip(within / max(between, _LEAST), 0.05, 100.0))
    return overall + np.sqrt(counts / (counts + prior)) * (means - overall), prior


def _normal_scores(values: FloatArray) -> FloatArray:
    """Normal scores by rank, equal values alike; 0 where unknown or where all are equal."""
    known = ~np.isnan(values)
    scores = np.zeros(len(values))
    if known.any() and np.ptp(values[known]) > 0:
        ranks = rankdata(values[known])
        scores[known] = ndtri((ranks - 0.5) / known.sum())
    return scores


def _root(scores: FloatArray) -> FloatArray:
    """Cholesky factor of the correlations, pulled a little towards none where users are few."""
    n, size = scores.shape
    spread = scores.std(axis=0)
    standard = np.divide(scores - scores.mean(axis=0), spread, out=np.zeros_like(scores), where=spread > 0)
    correlations = standard.T @ standard / n
    np.fill_diagonal(correlations, 1.0)
    pull = size / (n + size)
    return np.linalg.cholesky((1 - pull) * correlations + pull * np.eye(size))
