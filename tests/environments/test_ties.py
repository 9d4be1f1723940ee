"""Ties are symmetric, and what a person's ties did is counted as by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import DataError
from groundlings.environments.ties import Ties

N_USERS = 6
people = st.integers(0, N_USERS - 1)
pairs = st.lists(st.tuples(people, people).filter(lambda pair: pair[0] != pair[1]), max_size=20)


def ties_of(found: list[tuple[int, int]]) -> Ties:
    first, second = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return Ties.of(first, second, N_USERS)


@given(pairs, st.lists(st.tuples(people, st.integers(0, 3)), max_size=15))
def test_counts_are_those_of_a_loop(found: list[tuple[int, int]], acts: list[tuple[int, int]]) -> None:
    known = {frozenset(pair) for pair in found}
    did = np.zeros((N_USERS, 4))
    for user, item in acts:
        did[user, item] = 1
    ties = ties_of(found)
    assert len(ties) == len(known)
    counted = ties.counts(sp.csr_array(did)).toarray()
    for user in range(N_USERS):
        friends = [other for other in range(N_USERS) if frozenset((user, other)) in known]
        assert counted[user].tolist() == did[friends].sum(axis=0).tolist()


@given(pairs, st.integers(0, 100))
def test_relabelling_exchanges_people_and_keeps_the_graph(found: list[tuple[int, int]], seed: int) -> None:
    before = ties_of(found).graph
    after = ties_of(found).relabelled(np.random.default_rng(seed)).graph
    assert (after != after.T).nnz == 0
    assert sorted(after.sum(axis=1)) == sorted(before.sum(axis=1))
    assert (after @ after @ after).trace() == (before @ before @ before).trace()  # as many triangles


@pytest.mark.parametrize(
    ("pair", "complaint"), [((2, 2), "user number 2 has a tie to itself"), ((0, 6), r"must lie in 0\.\.5")]
)
def test_impossible_ties_are_refused(pair: tuple[int, int], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        ties_of([pair])
