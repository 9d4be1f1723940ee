"""Histories in the order of time, as rows for a network."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.interactions import DISLIKE, Interactions
from groundlings.recommenders.neural.sequences import Sequences, hidden_items

N_USERS, N_ITEMS = 4, 7

ROWS = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 5)), min_size=0, max_size=40
)


def interactions(rows, kinds=None):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Interactions.of(columns[0], columns[1], None, columns[2], n_users=N_USERS, n_items=N_ITEMS, kinds=kinds)


def of_user(sequences, user):
    return sequences.items[sequences.starts[user] : sequences.starts[user + 1]].tolist()


@given(ROWS)
def test_a_sequence_holds_every_choice_by_time_and_repeats_stay(rows):
    sequences = Sequences.of(interactions(rows))
    for user in range(N_USERS):
        expected = [item for _, item, _ in sorted((row for row in rows if row[0] == user), key=lambda row: row[2])]
        assert of_user(sequences, user) == expected


@given(ROWS, ROWS)
def test_later_interactions_stand_behind(rows, later):
    later = [(user, item, time + 10) for user, item, time in later]
    at_once = Sequences.of(interactions(rows + later))
    in_turn = Sequences.of(interactions(rows)).followed_by(interactions(later))
    np.testing.assert_array_equal(in_turn.items, at_once.items)
    np.testing.assert_array_equal(in_turn.starts, at_once.starts)


def test_a_dislike_is_no_choice():
    sequences = Sequences.of(interactions([(0, 1, 0), (0, 2, 1)], np.array([0, DISLIKE])))
    assert of_user(sequences, 0) == [1]


@given(ROWS, st.integers(2, 6))
def test_every_item_but_the_first_follows_its_predecessor_in_exactly_one_window(rows, length):
    sequences = Sequences.of(interactions(rows))
    windows = sequences.windows(length)
    found = sorted((int(before), int(after)) for row in windows for before, after in pairwise(row) if before != N_ITEMS)
    items = [of_user(sequences, user) for user in range(N_USERS)]
    assert found == sorted(pair for own in items for pair in pairwise(own))


@given(ROWS, st.integers(1, 6))
def test_the_latest_items_stand_at_the_end_of_a_row(rows, length):
    sequences = Sequences.of(interactions(rows))
    for user, row in enumerate(sequences.latest(np.arange(N_USERS), length).tolist()):
        own = of_user(sequences, user)[-length:]
        assert row == [N_ITEMS] * (length - len(own)) + own


def test_the_last_item_of_some_users_is_kept_back():
    sequences = Sequences.of(interactions([(0, 1, 0), (0, 2, 1), (1, 3, 0), (1, 4, 1)]))
    kept, last = sequences.without_last(np.array([1]))
    assert last.tolist() == [4]
    assert [of_user(kept, user) for user in (0, 1)] == [[1, 2], [3]]


@given(st.integers(0, 100), st.floats(0.01, 0.99))
def test_each_row_hides_something_and_never_what_fills_it_up(seed, share):
    rows = np.array([[N_ITEMS, N_ITEMS, 1], [2, 3, 4]])
    hidden = hidden_items(rows, N_ITEMS, share, np.random.default_rng(seed))
    assert hidden.any(axis=1).all()
    assert not hidden[rows == N_ITEMS].any()
