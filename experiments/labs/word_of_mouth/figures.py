"""Figures of one arm under resampled agents: how varied, how alike and how told-of what was shown and taken is.

A figure is a function of weights of agents, shape (1 + times, n_agents); see `groundlings.experiments.labs.resampling`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.ties import Ties
from groundlings.experiments.labs.resampling import Resamples, alone_without_interval

_ROWS = 50
"""Resamples at a time; bounds the memory."""


def category_entropy(taken: sp.csr_array, categories: BoolArray, resamples: Resamples) -> FloatArray:
    """Entropy of the categories of all that was taken, in bits, shape (1 + times,); NaN without categories.

    Args:
        taken: How often each agent took each item, shape (n_agents, n_items).
        categories: Membership, shape (n_items, n_categories); an item counts for each of its categories.
        resamples: Of the agents.
    """
    counts = resamples.weights @ (taken @ categories.astype(np.float64))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    found = np.where(totals[:, 0] > 0, -(shares * logs).sum(axis=1), np.nan)
    return alone_without_interval(found, _takers(taken) < 2)


def cross_cutting(
    impressions: pd.DataFrame, categories: BoolArray, liked_most: IntArray, resamples: Resamples
) -> FloatArray:
    """Share of the impressions that are not of the category that the agent liked most, shape (1 + times,).

    Whether an item without a category cuts across is not known: it is left out, as is an agent who liked none most.

    Args:
        impressions: What was shown: user, item.
        categories: Membership, shape (n_items, n_categories).
        liked_most: The category that each agent liked most, -1 for none, shape (n_agents,).
        resamples: Of the agents.
    """
    users, items = _of_known_liking(impressions, liked_most)
    told = np.asarray(categories.any(axis=1))[items]
    users, items = users[told], items[told]
    across = ~categories[items, liked_most[users]].astype(np.bool_)
    counts = [np.bincount(who, minlength=len(liked_most)).astype(np.float64) for who in (users[across], users)]
    return resamples.ratio(counts[0], counts[1], np.ones(len(liked_most), dtype=np.bool_))


def without_category(impressions: pd.DataFrame, categories: BoolArray, liked_most: IntArray) -> int:
    """Impressions that `cross_cutting` leaves out because their item has no category, though others have one."""
    _, items = _of_known_liking(impressions, liked_most)
    return int((~np.asarray(categories.any(axis=1))[items]).sum())


def _of_known_liking(impressions: pd.DataFrame, liked_most: IntArray) -> tuple[IntArray, IntArray]:
    """User and item of each impression of an agent who liked some category most."""
    users, items = impressions.user.to_numpy(), impressions["item"].to_numpy()
    known = liked_most[users] >= 0
    return users[known], items[known]


def same_item(taken: sp.csr_array, resamples: Resamples) -> FloatArray:
    """P(what two agents took, drawn at random from all that was taken, is one item), shape (1 + times,)."""
    totals, squares = np.asarray(taken.sum(axis=1)).ravel(), taken.multiply(taken).tocsr()
    found = []
    for start in range(0, len(resamples.weights), _ROWS):
        weights = resamples.weights[start : start + _ROWS]
        # Pairs of one agent with itself are taken out.
        alike = ((weights @ taken) ** 2).sum(axis=1) - ((weights**2) @ squares).sum(axis=1)
        pairs = (weights @ totals) ** 2 - (weights**2) @ totals**2
        found.append(np.divide(alike, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))
    return alone_without_interval(np.concatenate(found), _takers(taken) < 3)  # two are one pair


def same_item_of_ties(taken: sp.csr_array, ties: Ties, resamples: Resamples) -> FloatArray:
    """The same of two agents who have a tie, shape (1 + times,)."""
    first, second = sp.triu(ties.graph).nonzero()
    totals = np.asarray(taken.sum(axis=1)).ravel()
    known = totals[first] * totals[second] > 0
    first, second = first[known], second[known]
    alike = np.asarray(taken[first].multiply(taken[second]).sum(axis=1)).ravel()
    found = []
    for start in range(0, len(resamples.weights), _ROWS):
        weights = resamples.weights[start : start + _ROWS]
        both = weights[:, first] * weights[:, second]
        pairs = both @ (totals[first] * totals[second])
        found.append(np.divide(both @ alike, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))
    return alone_without_interval(np.concatenate(found), len(first) < 2)


def opinion_variance(opinions: FloatArray, resamples: Resamples) -> FloatArray:
    """Variance of the agents' opinions, summed over categories, shape (1 + times,); NaN where nobody has one.

    Args:
        opinions: A row per agent that sums to 1, NaN for none, shape (n_agents, n_categories).
        resamples: Of the agents.
    """
    known = ~np.isnan(opinions).any(axis=1)
    weights, opinions = resamples.weights[:, known], opinions[known]
    totals = weights.sum(axis=1, keepdims=True)
    sums = weights @ np.column_stack([opinions, (opinions**2).sum(axis=1)])
    means = np.divide(sums, totals, out=np.full_like(sums, np.nan), where=totals > 0)
    return alone_without_interval(means[:, -1] - (means[:, :-1] ** 2).sum(axis=1), known.sum() < 2)


def _takers(taken: sp.csr_array) -> int:
    """How many agents took anything."""
    return int((taken.sum(axis=1) > 0).sum())


def strongest(opinions: FloatArray) -> IntArray:
    """The category with the largest share of each opinion, the first of equal ones; -1 for none, shape (n_agents,)."""
    known = ~np.isnan(opinions).any(axis=1)
    return np.where(known, np.nan_to_num(opinions).argmax(axis=1), -1)


def external_internal(ties: Ties, groups: IntArray) -> float:
    """The E-I index of Krackhardt and Stern (1988): (E - I) / (E + I); NaN where no tie joins two agents with a group.

    Args:
        ties: E of them join two groups, I stay within one; ties of agents without a group do not count.
        groups: Of each agent, -1 for none, shape (n_agents,).
    """
    first, second = sp.triu(ties.graph).nonzero()
    known = (groups[first] >= 0) & (groups[second] >= 0)
    external = groups[first[known]] != groups[second[known]]
    return float(2 * external.mean() - 1) if len(external) else float("nan")
