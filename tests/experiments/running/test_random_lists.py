"""The exact worth of a list in random order, beside the mean over every order there is."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.ranking import NO_ITEM
from groundlings.experiments.analysis.metrics.ranking import score_rankings
from groundlings.experiments.running.held_out.random_lists import expected_scores

ITEMS = 6
SETS = st.sets(st.integers(0, ITEMS - 1))


def row(items: set[int]) -> sp.csr_array:
    return sp.csr_array(np.isin(np.arange(ITEMS), sorted(items)).astype(float)[None])


@settings(max_examples=25, deadline=None)
@given(relevant=SETS, hidden=SETS, k=st.integers(1, 7))
def test_it_is_the_mean_over_all_orders(relevant, hidden, k):
    left = [item for item in range(ITEMS) if item not in hidden]
    orders = np.array(list(permutations(left)), dtype=np.int32)  # one, empty, where nothing is left
    lists = np.pad(orders, ((0, 0), (0, max(k - len(left), 0))), constant_values=NO_ITEM)
    scores = score_rankings(lists, sp.csr_array(sp.vstack([row(relevant)] * len(lists), format="csr")), k).values
    ndcg, hit = expected_scores(row(relevant), row(hidden), k)
    if not relevant:
        assert np.isnan([ndcg[0], hit[0]]).all()
    else:
        assert ndcg[0] == pytest.approx(scores["ndcg"].mean())
        assert hit[0] == pytest.approx(scores["hit"].mean())
