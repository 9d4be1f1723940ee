"""What a policy sees: vectors that are the same on every machine, and the session so far."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.policies.observation import SessionSoFar, observation_length, observe
from groundlings.recommenders.policies.vectors import SessionVectors

WIDTH = 2


@pytest.fixture(scope="module")
def interactions():
    """Three users know items 0, 1 and 5, two others items 2 and 3; item 4 and user 4 are by themselves."""
    users = np.array([0, 0, 0, 1, 1, 1, 5, 5, 5, 2, 2, 3, 3])
    items = np.array([0, 1, 5, 0, 1, 5, 0, 1, 5, 2, 3, 2, 3])
    return Interactions.of(users, items, None, np.arange(13), n_users=6, n_items=6)


@pytest.fixture(scope="module")
def vectors(interactions):
    return SessionVectors.fit(interactions, WIDTH)


def test_items_that_the_same_users_chose_point_the_same_way(vectors):
    likeness = vectors.items @ vectors.items.T
    assert likeness[0, 1] == pytest.approx(1, abs=1e-5)
    assert likeness[2, 3] == pytest.approx(1, abs=1e-5)
    assert likeness[0, 2] == pytest.approx(0, abs=1e-5)
    assert (vectors.items[4] == 0).all()


def test_a_user_is_the_mean_of_the_history_and_nobody_is_nothing(vectors):
    assert vectors.users[0] == pytest.approx(vectors.items[[0, 1, 5]].mean(axis=0))
    assert (vectors.users[4] == 0).all()
    assert vectors.histories.tolist() == [3, 3, 2, 2, 0, 3]


def test_vectors_do_not_depend_on_the_order_of_interactions(interactions, vectors):
    again = SessionVectors.fit(interactions.take(np.arange(13)[::-1]), WIDTH)
    assert again.items == pytest.approx(vectors.items, abs=1e-5)


def test_more_directions_than_the_data_have_are_zero(interactions, vectors):
    wide = SessionVectors.fit(interactions, 9)
    assert wide.items.shape == (6, 9)
    assert (wide.items[:, 5:] == 0).all()
    nothing = SessionVectors.fit(interactions.take(np.zeros(0, dtype=np.int64)), WIDTH)
    assert (nothing.items == 0).all()


def test_later_interactions_move_users_and_no_item(interactions, vectors):
    more = Interactions.of(np.array([4]), np.array([2]), None, np.array([19]), n_users=6, n_items=6)
    after = vectors.of_history(interactions.joined(more))
    assert (after.items == vectors.items).all()
    assert after.users[4] == pytest.approx(vectors.items[2])
    assert after.histories[4] == 1


def test_a_row_says_what_was_clicked_and_how_far_the_session_is(vectors):
    shown = np.array([[0, 2, 3, NO_ITEM], [NO_ITEM] * 4], dtype=np.int32)
    clicked = np.array([[True, False, True, True], [True] * 4])  # a click on an empty slot counts for nothing
    row, fresh = observe(vectors, SessionSoFar(np.array([0, 4]), np.array([2, 0]), shown, clicked, 2))
    assert len(row) == observation_length(WIDTH)
    assert row[:2] == pytest.approx(vectors.users[0])
    assert row[2:4] == pytest.approx((vectors.items[0] + vectors.items[3]) / 2)
    assert row[4:] == pytest.approx([2 / 3, np.log(4) / 10, 2 / 3, 1.0])
    assert (fresh == 0).all()
