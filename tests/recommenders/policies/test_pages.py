"""From actions to pages: nothing is shown twice, nothing is left out without being counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError
from groundlings.recommenders.policies.pages import (
    checked_actions,
    free_candidates,
    items_at,
    named_places,
    nearest_places,
    without_places,
)

K, SLOTS = 6, 3
CANDIDATES = np.array([[10, 11, 12, 13, 14, NO_ITEM]], dtype=np.int32)


def page(places, shown=()):
    free = free_candidates(CANDIDATES, np.array([shown or [NO_ITEM]], dtype=np.int32))
    found, unused = named_places(np.array([places]), free)
    return items_at(found, CANDIDATES)[0].tolist(), int(unused[0])


def test_places_name_candidates_slot_by_slot():
    assert page([4, 0, 2]) == ([14, 10, 12], 0)


@pytest.mark.parametrize(
    ("places", "shown", "expected"),
    [
        ([2, 2, 0], (), [12, 10, 11]),  # named twice
        ([5, 1, 3], (), [11, 13, 10]),  # there is no sixth candidate
        ([0, 1, 3], (11,), [10, 13, 12]),  # shown before
    ],
)
def test_a_place_that_names_nothing_leaves_its_slot_to_the_first_free_candidate(places, shown, expected):
    assert page(places, shown) == (expected, 1)


def test_a_page_is_short_where_too_few_candidates_are_free():
    assert page([0, 1, 2], (10, 11, 12)) == ([13, 14, NO_ITEM], 3)
    assert page([0, 0, 0], (10, 11, 12, 13, 14)) == ([NO_ITEM] * 3, 3)


@pytest.mark.parametrize("places", [[0, 1, K], [-1, 0, 1]])
def test_a_place_outside_of_the_candidate_set_is_refused(places):
    with pytest.raises(ConfigError, match="expected whole numbers from 0 to 5"):
        checked_actions([places], "slate", (1, SLOTS), K)


def test_an_action_of_one_number_needs_no_second_axis():
    assert checked_actions([2, 0], "slate", (2, 1), K).tolist() == [[2], [0]]
    assert checked_actions(np.ones((2, 1)), "embedding", (2, 1), K).tolist() == [[1], [1]]


@given(
    st.lists(st.lists(st.integers(0, K - 1), min_size=SLOTS, max_size=SLOTS), min_size=1, max_size=5),
    st.lists(st.sampled_from([NO_ITEM, 10, 11, 12, 13, 14]), min_size=4, max_size=4),
)
def test_no_page_holds_an_item_twice_or_one_that_was_shown_and_all_have_as_many_as_there_are(places, shown):
    n = len(places)
    candidates = np.repeat(CANDIDATES, n, axis=0)
    free = free_candidates(candidates, np.repeat(np.array([shown], dtype=np.int32), n, axis=0))
    found, unused = named_places(np.array(places), free)
    for row, (named, kept) in enumerate(zip(places, found.tolist(), strict=True)):
        listed = [place for place in kept if place >= 0]
        assert len(listed) == len(set(listed)) == min(SLOTS, free[row].sum())
        assert free[row, listed].all()
        legal = [place for number, place in enumerate(named) if free[row, place] and place not in named[:number]]
        assert listed[: len(legal)] == legal
        assert unused[row] == SLOTS - len(legal)
    assert (without_places(free, found).sum(axis=1) == free.sum(axis=1) - (found >= 0).sum(axis=1)).all()


def test_a_vector_gets_the_candidates_that_point_its_way_and_ties_go_to_the_retrievers_order():
    vectors = np.zeros((15, 2), dtype=np.float32)
    vectors[[10, 11, 12, 13, 14]] = [[1, 0], [0, 1], [1, 0], [-1, 0], [0.5, 0]]
    free = free_candidates(CANDIDATES, np.array([[NO_ITEM]], dtype=np.int32))
    places = nearest_places(np.array([[2.0, 0]], dtype=np.float32), CANDIDATES, free, vectors, SLOTS)
    assert items_at(places, CANDIDATES).tolist() == [[10, 12, 14]]
    nothing = nearest_places(np.array([[2.0, 0]], dtype=np.float32), CANDIDATES, free & False, vectors, SLOTS)
    assert nothing.tolist() == [[-1, -1, -1]]


@given(
    st.lists(
        st.lists(st.sampled_from([-2.0, -0.5, -0.0, 0.0, 0.5, 2.0]), min_size=5, max_size=5), min_size=1, max_size=4
    ),
    st.integers(1, 7),
)
def test_the_nearest_candidates_are_those_of_a_stable_order(products, slots):
    vectors, n = np.array(products, dtype=np.float32).ravel()[:, None], len(products)
    candidates = np.column_stack([np.arange(5 * n).reshape(n, 5), np.full(n, NO_ITEM)]).astype(np.int32)
    places = nearest_places(np.ones((n, 1), dtype=np.float32), candidates, candidates != NO_ITEM, vectors, slots)
    for row, found in zip(products, places.tolist(), strict=True):
        listed = sorted(range(5), key=lambda place: -row[place])
        assert found == [*listed, -1][:slots]
