"""What a list in uniformly random order is worth, exactly: the mean over all orders instead of over a few drawn ones.

Of N candidates m are relevant. Each rank up to N holds a relevant item with probability m / N, so the expected
discounted gain is m / N times the discounts of these ranks; no relevant item is among the first k with probability
C(N - m, k) / C(N, k) (hypergeometric).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray


def expected_scores(relevant: sp.csr_array, hidden: sp.csr_array, k: int) -> tuple[FloatArray, FloatArray]:
    """Expected nDCG and hit rate of `score_rankings`, shape (n,) each, NaN for a person without a relevant item.

    Args:
        relevant: A stored entry means "relevant", shape (n, n_items).
        hidden: A stored entry means that the item is not listed, shape (n, n_items).
        k: How many ranks count.
    """
    candidates = relevant.shape[1] - np.diff(hidden.indptr).astype(np.int64)
    total = np.diff(relevant.indptr).astype(np.int64)
    found = total - np.diff(sp.csr_array(_ones(relevant).multiply(_ones(hidden))).indptr)
    ranks = np.arange(1, k + 1)
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(ranks + 1))])
    share = np.divide(found, candidates, out=np.zeros(len(total)), where=candidates > 0)
    ideal = gains[np.minimum(total, k)]
    known = total > 0
    ndcg = np.divide(share * gains[np.minimum(candidates, k)], ideal, out=np.full(len(total), np.nan), where=known)
    return ndcg, np.where(known, 1 - _chance_of_none(candidates, found, k), np.nan)


def _chance_of_none(candidates: IntArray, found: IntArray, k: int) -> FloatArray:
    """Probability that none of the first k candidates is relevant, shape (n,)."""
    chance = np.ones(len(candidates))
    for before in range(k):  # of the candidates that are left at this rank, given that none was relevant before it
        left = candidates - before
        chance *= np.divide(np.maximum(left - found, 0), left, out=np.ones(len(left)), where=left > 0)
    return chance


def _ones(matrix: sp.csr_array) -> sp.csr_array:
    return sp.csr_array((np.ones(matrix.nnz, dtype=np.int8), matrix.indices, matrix.indptr), shape=matrix.shape)
