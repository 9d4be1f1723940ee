"""Histories of users as tables of one row each, and what two such tables are compared by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.stats import rankdata

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.distances import (
    intraclass_correlation,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_of_histograms,
    mean_and_spread,
    spreads,
)
from groundlings.experiments.labs.fidelity.people import counts_by_person
from groundlings.personas.profile import star_columns

_LENGTHS = 40
"""Gaps are counted by powers of two seconds, up to some ten thousand years."""

_FEWEST_CORRELATED = 3
"""The ranks of two people always agree or disagree whole."""


@dataclass(frozen=True)
class Histories:
    """What some users did, one row per user.

    Attributes:
        met: 1 for each pair, shape (n, n_items).
        rows: How often each item occurs, shape (n, n_items).
        stars: How often each rating was given, shape (n, n_stars).
        gaps: How often each length of a gap occurs, shape (n, n_lengths).
        traits: Log items met, mean rating, spread of the ratings, mean log popularity of the items, time of the latest
            row; NaN where unknown, shape (n, 5).
        shares: Of the categories among the items, shape (n, n_categories).
        values: The ratings, ascending.
    """

    met: sp.csr_array
    rows: sp.csr_array
    stars: FloatArray
    gaps: sp.csr_array
    traits: FloatArray
    shares: FloatArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.stars)

    @classmethod
    def of(cls, rows: Interactions, users: IntArray, dataset: Dataset, popularity: FloatArray) -> Histories:
        """The histories of some users, ascending.

        Args:
            rows: Theirs, and perhaps those of others.
            users: Row numbers, ascending.
            dataset: For categories and ratings.
            popularity: Log popularity of the items among real users, shape (n_items,).
        """
        wanted = np.zeros(rows.n_users, dtype=np.bool_)
        wanted[users] = True
        rows = rows.take(wanted[rows.users])
        rows = rows.take(np.lexsort((rows.timestamps, rows.users)))
        met = sp.csr_array(rows.met[users])
        items = np.maximum(np.diff(met.indptr), 1)
        rated, values = rows.take(~np.isnan(rows.ratings)), np.array(dataset.scale.values)
        cells = star_columns(rated.ratings, dataset.scale)
        stars = counts_by_person(rated.users, cells, users, len(values)).toarray()
        same = np.diff(rows.users) == 0
        gaps = np.log2(1 + np.diff(rows.timestamps)[same] / rows.ticks_per_second).astype(np.int64)
        mean, spread = mean_and_spread(stars, values)
        latest = np.full(rows.n_users, np.nan)
        latest[rows.users] = rows.timestamps  # of equal users the last one stays, which is the latest
        traits = np.column_stack([np.log(items), mean, spread, met @ popularity / items, latest[users]])
        return cls(
            met=met,
            rows=counts_by_person(rows.users, rows.items.astype(np.int64), users, rows.n_items),
            stars=stars,
            gaps=counts_by_person(rows.users[1:][same], np.minimum(gaps, _LENGTHS), users, _LENGTHS + 1),
            traits=traits,
            shares=met @ dataset.catalog.genre_matrix.astype(np.float64) / items[:, None],
            values=values,
        )

    def take(self, some: IntArray) -> Histories:
        """Some users."""
        met, rows, gaps = (sp.csr_array(part[some]) for part in (self.met, self.rows, self.gaps))
        return Histories(met, rows, self.stars[some], gaps, self.traits[some], self.shares[some], self.values)


Distance = Callable[[Histories, Histories], float]


def _column(number: int) -> Distance:
    return lambda first, second: kolmogorov_smirnov(first.traits[:, number], second.traits[:, number])


def _summed(part: sp.csr_array) -> FloatArray:
    return np.asarray(part.sum(axis=0), dtype=np.float64).ravel()


def _gap_distance(first: Histories, second: Histories) -> float:
    one, other = _summed(first.gaps), _summed(second.gaps)
    return kolmogorov_smirnov_of_histograms(one, other) if one.sum() and other.sum() else float("nan")


def _stars_distance(first: Histories, second: Histories) -> float:
    one, other = first.stars.sum(axis=0), second.stars.sum(axis=0)
    return jensen_shannon(one, other) if one.sum() and other.sum() else float("nan")


def correlations(table: Histories) -> FloatArray:
    """Rank correlations (Spearman 1904) of the traits that vary, others 0, shape (5, 5).

    They are of users who have every trait that anybody has; NaN with fewer than three of them.
    """
    measured = ~np.isnan(table.traits).all(axis=0)
    known = np.where(measured, table.traits, 0.0)
    known = known[~np.isnan(known).any(axis=1)]
    if len(known) < _FEWEST_CORRELATED:
        return np.full((known.shape[1], known.shape[1]), np.nan)
    ranks = np.column_stack([rankdata(column) for column in known.T])
    ranks -= ranks.mean(axis=0)
    lengths = np.sqrt((ranks**2).sum(axis=0))
    return np.asarray(ranks.T @ ranks / np.maximum(np.outer(lengths, lengths), 1e-9))


DISTANCES: Mapping[str, tuple[str, Distance]] = {
    "items per user ks": ("Kolmogorov-Smirnov distance between the distributions of items per user.", _column(0)),
    "item popularity jsd": (
        "Jensen-Shannon divergence (base 2) between the shares of the items among all interactions.",
        lambda first, second: jensen_shannon(_summed(first.rows), _summed(second.rows)),
    ),
    "ratings jsd": ("Jensen-Shannon divergence (base 2) between the ratings.", _stars_distance),
    "mean rating ks": ("Kolmogorov-Smirnov distance between the distributions of users' mean ratings.", _column(1)),
    "user popularity ks": (
        "Kolmogorov-Smirnov distance between the distributions of the mean log popularity of a user's items.",
        _column(3),
    ),
    "gaps ks": (
        "Kolmogorov-Smirnov distance between the distributions of times from one interaction to the next, by powers of "
        "two seconds.",
        _gap_distance,
    ),
    "correlations": (
        "Largest difference between rank correlations of users' traits: items, mean rating, spread of the ratings, "
        "mean popularity of the items, time of the latest interaction.",
        lambda first, second: float(np.abs(correlations(first) - correlations(second)).max()),
    ),
}
"""What two tables are compared by: definition and function; 0 is alike."""


def _rated(figure: Callable[[Histories], float]) -> Callable[[Histories], float]:
    """The figure where there are ratings, else NaN."""
    return lambda table: figure(table) if table.stars.sum() else float("nan")


def likeness(table: Histories) -> float:
    """Mean cosine of the histories of two users."""
    lengths = np.sqrt(np.maximum(np.diff(table.met.indptr), 1))
    total = np.asarray((1 / lengths) @ table.met).ravel()
    n = len(table)
    return float(((total**2).sum() - n) / max(n * (n - 1), 1))


def category_spread(table: Histories) -> float:
    """Standard deviation of users' shares of categories, root of the sum over categories."""
    return float(np.sqrt(table.shares.var(axis=0).sum()))


SPREADS: Mapping[str, tuple[str, Callable[[Histories], float]]] = {
    "icc ratio": (
        "ICC(1) of ratings by user,",
        _rated(lambda table: intraclass_correlation(table.stars, table.values)),
    ),
    "sd ratio, mean ratings": (
        "Standard deviation of users' mean ratings,",
        _rated(lambda table: spreads(table.stars, table.values)["between people"]),
    ),
    "sd ratio, log items": ("Standard deviation of log items per user,", lambda table: float(table.traits[:, 0].std())),
    "spread of taste ratio": ("Standard deviation of users' shares of categories,", category_spread),
    "likeness ratio": ("Mean cosine of the histories of two users (less: users differ more),", likeness),
}
"""How much users differ: the beginning of a definition, and function."""
