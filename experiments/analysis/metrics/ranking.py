"""Offline ranking metrics, one definition each, written out in numpy.

Libraries disagree on these names (Tamm, Damdinov and Vasilev 2021, "Quality metrics in recommender systems: do we
calculate metrics consistently?", RecSys), so here they are fixed. An item is relevant to a person or it is not.
With R relevant items, ranks from 1, and rel(r) = 1 where the item at rank r is relevant:

    ndcg      sum over r <= k of rel(r) / log2(r + 1), divided by the same sum of a list that begins with
              min(k, R) relevant items (Jarvelin and Kekalainen 2002)
    recall    relevant items among the first k, divided by R
    capped_recall   the same, divided by min(k, R): 1 can always be reached
    precision relevant items among the first k, divided by k, however short the list is
    hit       1 if any of the first k is relevant, else 0
    mrr       1 / rank of the first relevant item among the first k, 0 without one
    ap        sum over r <= k of rel(r) * (relevant among the first r) / r, divided by R, as in trec_eval

A person without a relevant item has no value: left out, and counted. A person whose list is empty scores 0.
Lists are over the whole catalog with training items taken out; metrics on sampled candidates order recommenders
differently even in expectation (Krichene and Rendle 2020, "On sampled metrics for item recommendation", KDD).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray

ACCURACY = ("ndcg", "recall", "capped_recall", "precision", "hit", "mrr", "ap")
"""Names of the metrics of `score_rankings`."""


@dataclass(frozen=True, slots=True)
class RankingScores:
    """What lists are worth to people.

    Attributes:
        values: Metric name -> one value per person, shape (n,), NaN for a person without a relevant item.
        without_relevant: People without a relevant item; they are in no mean.
        without_list: People with a relevant item and an empty list; they score 0.
    """

    values: Mapping[str, FloatArray]
    without_relevant: int
    without_list: int


def score_rankings(items: ItemArray, relevant: sp.csr_array, k: int) -> RankingScores:
    """Accuracy of one list a person, by the definitions at the head of this module.

    Args:
        items: Best first, shape (n, depth), filled up with `NO_ITEM`; an item may stand in a list once.
        relevant: A stored entry means "relevant", shape (n, n_items).
        k: How many ranks count.

    Raises:
        ValueError: `k` is below 1, the shapes do not fit, or a list holds an item twice.
    """
    if k < 1 or len(items) != relevant.shape[0]:
        raise ValueError(
            f"{len(items)} lists for {relevant.shape[0]} people, cut at {k}; expected equal numbers, k >= 1"
        )
    top = items[:, :k]
    hits = _hits(top, relevant)
    total = np.diff(_canonical(relevant).indptr).astype(np.float64)
    reachable = np.minimum(total, k)
    ranks = np.arange(1, hits.shape[1] + 1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    found = hits.sum(axis=1)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf) if hits.size else np.full(len(hits), np.inf)
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[reachable.astype(np.int64)]
    known = total > 0

    def over(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
        return np.divide(numerator, denominator, out=np.full(len(items), np.nan), where=known)

    one = np.ones(len(items))
    values = {
        "ndcg": over(hits @ discounts[: hits.shape[1]], ideal),
        "recall": over(found, total),
        "capped_recall": over(found, reachable),
        "precision": over(found, k * one),
        "hit": over((found > 0).astype(np.float64), one),
        "mrr": over(1 / first, one),
        "ap": over((hits * np.cumsum(hits, axis=1) / ranks).sum(axis=1), total),
    }
    empty = (items == NO_ITEM).all(axis=1)
    return RankingScores(values, int((~known).sum()), int((known & empty).sum()))


def trec_order(scores: FloatArray, item_ids: Sequence[str], k: int) -> ItemArray:
    """Item numbers of each row by falling score, equal scores by falling id, shape (n, min(k, n_items)).

    That is how trec_eval breaks ties: ids compared as text, the later one first. The platform's own recommenders break
    them by the smaller item number (`groundlings.environments.ranking`); rounded scores can move nDCG by a tenth
    between two rules, so say which one was used. An item of score -inf or NaN is not listed.
    """
    by_id = np.array(sorted(range(len(item_ids)), key=item_ids.__getitem__, reverse=True), dtype=np.int64)
    arranged = np.where(np.isnan(scores), -np.inf, scores)[:, by_id]
    places = np.argsort(-arranged, axis=1, kind="stable")[:, :k]
    ordered = by_id[places].astype(np.int32)
    return np.where(np.isneginf(np.take_along_axis(arranged, places, axis=1)), np.int32(NO_ITEM), ordered)


def coverage(items: ItemArray, n_items: int) -> float:
    """Share of the catalog that stands in at least one list."""
    return len(np.unique(items[items != NO_ITEM])) / n_items


def gini(counts: NDArray[np.number]) -> float:
    """Gini coefficient of how often each item occurs: 0 = all alike, towards 1 = all on one; NaN without any.

    G = sum over i of (2 i - n - 1) x_i / (n sum x), x ascending, i from 1; items that never occur are counted in n.
    """
    ordered = np.sort(counts.astype(np.float64))
    n, total = len(ordered), ordered.sum()
    if total == 0:
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def exposure(items: ItemArray, n_items: int) -> IntArray:
    """How many lists each item stands in, shape (n_items,): what `gini` is taken of."""
    return np.bincount(items[items != NO_ITEM], minlength=n_items).astype(np.int64)


def novelty(items: ItemArray, item_counts: IntArray, n_people: int) -> FloatArray:
    """Mean self-information of a list, -log2 p(i), in bits, shape (n,), NaN for an empty list.

    p(i) = (people who met i in training + 1) / (people + 1): an item that nobody met is finite
    (Zhou et al. 2010, "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS, add nothing).
    """
    surprise = -np.log2((item_counts + 1) / (n_people + 1))
    listed = items != NO_ITEM
    return _row_mean(np.where(listed, surprise[np.where(listed, items, 0)], 0.0), listed)


def intra_list_distance(items: ItemArray, features: NDArray[np.floating] | BoolArray) -> FloatArray:
    """Mean of 1 - cosine over all pairs of a list, shape (n,), NaN for lists of fewer than two items.

    Args:
        items: Shape (n, depth).
        features: One row per item, shape (n_items, d); whoever reports this says which features. The cosine with a
            row of zeros is 0.
    """
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    unit = np.divide(features, lengths, out=np.zeros(features.shape), where=lengths > 0)
    listed = items != NO_ITEM
    result = np.full(len(items), np.nan)
    for row in np.flatnonzero(listed.sum(axis=1) > 1):
        vectors = unit[items[row, listed[row]]]
        cosines = vectors @ vectors.T
        pairs = len(vectors) * (len(vectors) - 1)
        result[row] = 1 - (cosines.sum() - np.trace(cosines)) / pairs
    return result


def _hits(top: ItemArray, relevant: sp.csr_array) -> FloatArray:
    """1.0 where a listed item is relevant, shape as `top`."""
    ordered = np.sort(np.where(top == NO_ITEM, -1 - np.arange(top.shape[1]), top), axis=1)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        raise ValueError("a list holds an item twice; it would be rewarded twice")
    n_items = relevant.shape[1]
    matrix = _canonical(relevant)
    owners = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    keys = owners * n_items + matrix.indices
    asked = np.arange(len(top), dtype=np.int64)[:, None] * n_items + top
    return np.where(top == NO_ITEM, 0.0, np.isin(asked, keys).astype(np.float64))


def _canonical(matrix: sp.csr_array) -> sp.csr_array:
    """Without twins, so that a pair that is stored twice counts once."""
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def _row_mean(values: FloatArray, listed: BoolArray) -> FloatArray:
    counts = listed.sum(axis=1)
    return np.divide(values.sum(axis=1), counts, out=np.full(len(values), np.nan), where=counts > 0)
