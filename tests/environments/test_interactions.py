"""The one table every recommender learns from: checked when made, the same whoever reads it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import DataError
from groundlings.environments.interactions import KINDS, Interactions


def some(users=(0, 1, 1), items=(2, 0, 2), ratings=(4.0, np.nan, 2.5), times=(30, 10, 20), **world) -> Interactions:
    stars = None if ratings is None else np.array(ratings, dtype=np.float64)
    size = {"n_users": 2, "n_items": 3} | world
    return Interactions.of(np.array(users), np.array(items), stars, np.array(times), **size)


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(DataError, match="3 users, but columns of lengths"):
        some(items=(2, 0))


@pytest.mark.parametrize("wrong", [{"users": (0, 1, 2)}, {"users": (0, -1, 1)}, {"items": (0, 1, 3)}])
def test_row_numbers_outside_the_world_are_refused(wrong):
    with pytest.raises(DataError, match="numbers must lie in"):
        some(**wrong)


def test_without_ratings_nobody_gave_any():
    assert np.isnan(some(ratings=None).ratings).all()


def test_the_matrix_counts_a_pair_once_and_people_per_item():
    history = some(users=(0, 0, 1), items=(2, 2, 2))
    assert history.matrix.toarray().tolist() == [[0, 0, 1], [0, 0, 1]]
    assert history.item_counts.tolist() == [0, 0, 2]


def test_an_empty_history_has_an_empty_matrix():
    nothing = some().take(np.array([], dtype=np.int64))
    assert nothing.matrix.nnz == 0
    assert nothing.item_counts.tolist() == [0, 0, 0]


def test_rows_are_taken_by_number_or_mask():
    history = some()
    by_mask, by_number = history.take(history.timestamps < 25), history.take(np.array([1, 2]))
    assert by_mask.fingerprint == by_number.fingerprint
    assert by_mask.items.tolist() == [0, 2]


def test_joining_keeps_order_and_marks():
    later = Interactions.of(np.array([0]), np.array([1]), None, np.array([99]), n_users=2, n_items=3, synthetic=True)
    both = some().joined(later)
    assert both.timestamps.tolist() == [30, 10, 20, 99]
    assert both.synthetic.tolist() == [False, False, False, True]


@pytest.mark.parametrize("world", [{"n_users": 9}, {"n_items": 9}])
def test_histories_of_two_worlds_cannot_be_joined(world):
    with pytest.raises(DataError, match="cannot join"):
        some().joined(some(**world))


@given(st.permutations(range(6)))
def test_chronological_order_does_not_depend_on_the_order_of_rows_where_no_moment_ties(order):
    users, items, times = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 1, 0, 1, 2, 2]), np.array([5, 4, 5, 1, 2, 2])
    history = Interactions.of(users, items, None, times, n_users=2, n_items=3)
    ordered = history.take(np.array(order)).chronological()
    assert ordered.timestamps.tolist() == [1, 2, 2, 4, 5, 5]
    assert ordered.fingerprint == history.chronological().fingerprint


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 9)), max_size=12))
def test_first_meetings_keep_the_earliest_row_of_each_pair_and_the_order(rows):
    users, items, times = (
        (np.array(column, dtype=int) for column in zip(*rows, strict=True)) if rows else [np.zeros(0, int)] * 3
    )
    history = Interactions.of(users, items, None, times, n_users=3, n_items=4)
    found = history.first_meetings()
    earliest: dict[tuple[int, int], tuple[int, int]] = {}
    for place, (user, item, time) in enumerate(rows):
        if (user, item) not in earliest or time < earliest[user, item][0]:
            earliest[user, item] = time, place
    kept = sorted(place for _, place in earliest.values())
    assert found.fingerprint == history.take(np.array(kept, dtype=int)).fingerprint
    assert found.first_meetings() is found


@given(st.permutations(range(5)))
def test_rows_of_one_user_at_one_moment_keep_their_order(items):
    history = Interactions.of(np.zeros(5, int), np.array(items), None, np.full(5, 7), n_users=1, n_items=5)
    assert history.chronological().items.tolist() == items


def test_a_clock_of_milliseconds_is_part_of_what_is_known():
    second, fine = some(), replace(some(), ticks_per_second=1000)
    assert fine.fingerprint != second.fingerprint
    assert fine.seconds.tolist() == [0.03, 0.01, 0.02]
    assert (fine.next_second, second.next_second) == (1, 31)
    with pytest.raises(DataError, match=r"1 and 1,000 ticks per second"):
        second.joined(fine)


def test_the_fingerprint_notices_every_column():
    plain = some()
    changed = [
        some(users=(1, 1, 1)),
        some(items=(1, 0, 2)),
        some(ratings=(4.0, np.nan, 3.0)),
        some(times=(30, 10, 21)),
        some(n_users=3),
        some(synthetic=True),
    ]
    assert len({plain.fingerprint, *(each.fingerprint for each in changed)}) == 7
    assert some().fingerprint == plain.fingerprint


def test_the_frame_shows_the_columns():
    frame = some().frame()
    assert list(frame.columns) == ["user", "item", "rating", "timestamp", "synthetic"]
    assert frame["rating"].isna().tolist() == [False, True, False]


def shop(kinds=(4, 8, 1), weights=(2.0, np.nan, 0.5)) -> Interactions:
    """The rows of `some`, with kinds and weights."""
    return some(kinds=np.array(kinds), weights=np.array(weights))


def test_kinds_and_weights_go_with_their_rows():
    history = shop()
    by_time = history.chronological()
    assert [KINDS[kind] for kind in by_time.kinds.tolist()] == ["dislike", "view", "purchase"]
    np.testing.assert_array_equal(by_time.weights, [np.nan, 0.5, 2.0])
    assert history.take(history.timestamps > 25).kinds.tolist() == [4]
    assert some().take(np.array([0])).kinds is None
    assert some().take(np.array([0])).weights is None


def test_rows_of_unnamed_kind_join_as_interactions_of_unknown_weight():
    both = some().joined(shop())
    assert both.kinds.tolist() == [0, 0, 0, 4, 8, 1]
    np.testing.assert_array_equal(both.weights, [np.nan, np.nan, np.nan, 2.0, np.nan, 0.5])
    assert shop().joined(some()).kinds.dtype == np.int8
    assert some().joined(some()).kinds is None
    assert some().joined(some()).weights is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"kinds": (0, 1)}, "columns of lengths"),
        ({"weights": (1.0,)}, "columns of lengths"),
        ({"kinds": (0, 1, len(KINDS))}, r"kinds must lie in 0\.\.8"),
        ({"kinds": (0, 1, -1)}, "kinds must lie in"),
        ({"weights": (1.0, 2.0, -1.0)}, "at least 0"),
        ({"weights": (1.0, 2.0, np.inf)}, "finite"),
    ],
)
def test_impossible_kinds_and_weights_are_refused(columns, message):
    with pytest.raises(DataError, match=message):
        shop(**columns)


def test_the_fingerprint_is_as_ever_without_kinds_and_weights_and_notices_them():
    assert some().fingerprint == "a4e2d72838b8b529db63a6d5bb0ee4d16e6f7ea57407865e77696759e67d1b58"
    kinds, weights = np.array((4, 8, 1)), np.array((2.0, np.nan, 0.5))
    several = [some(), some(kinds=kinds), some(weights=weights), shop(), shop(kinds=(4, 8, 2)), shop(weights=(2, 1, 1))]
    assert len({each.fingerprint for each in several}) == len(several)


def test_the_frame_names_kinds():
    frame = shop().frame()
    assert list(frame.columns) == ["user", "item", "rating", "timestamp", "synthetic", "kind", "weight"]
    assert frame["kind"].tolist() == ["purchase", "dislike", "view"]
