"""The made-up world has the structure it says it has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.datasets import DatasetConfig, ToyOptions, load_dataset


def toy(**options):
    return load_dataset(DatasetConfig(name="toy", toy=ToyOptions(**options)))


def matches(dataset) -> np.ndarray:
    """True where a person met an item of their own group, shape (n,)."""
    taste = np.array([known["favourite_genre"] for known in dataset.people.attributes])
    genre = np.array([genres[0] for genres in dataset.catalog.genres])
    return taste[dataset.interactions.users] == genre[dataset.interactions.items]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_size_is_a_valid_world(data):
    n_items = data.draw(st.integers(2, 40))
    options = {
        "n_users": data.draw(st.integers(1, 30)),
        "n_items": n_items,
        "n_groups": data.draw(st.integers(1, n_items)),
        "interactions_per_user": data.draw(st.integers(1, n_items)),
        "seed": data.draw(st.integers(0, 2**40)),
    }
    dataset = toy(**options)
    history = dataset.interactions
    assert (np.bincount(history.users, minlength=options["n_users"]) == options["interactions_per_user"]).all()
    assert history.matrix.nnz == len(history)  # no item twice
    assert np.isin(history.ratings, dataset.scale.values).all()
    for user in range(options["n_users"]):
        assert (np.diff(history.timestamps[history.users == user]) > 0).all()


def test_equal_options_make_equal_worlds_and_seeds_differ():
    assert toy(seed=3).fingerprint == toy(seed=3).fingerprint
    assert toy(seed=3).fingerprint != toy(seed=4).fingerprint


@pytest.mark.parametrize("seed", range(3))
def test_people_mostly_meet_and_like_their_own_group(seed):
    dataset = toy(n_users=300, n_items=200, seed=seed)
    own = matches(dataset)
    stars = dataset.interactions.ratings
    assert own.mean() > 0.6  # a quarter would be chance
    assert stars[own].mean() > stars[~own].mean() + 1


def test_popularity_has_a_long_tail_within_every_group():
    dataset = toy(n_users=2000, n_items=400, seed=1)
    counts = np.sort(dataset.interactions.item_counts)[::-1]
    assert counts[:40].sum() > 6 * counts[-40:].sum()
    assert counts.min() > 0
    for group in range(len(dataset.catalog.genre_names)):
        members = np.sort(dataset.interactions.item_counts[dataset.catalog.genre_matrix[:, group]])
        assert members[-1] > 4 * members[len(members) // 2]


def test_a_world_larger_than_one_block_is_complete():
    dataset = toy(n_users=2_500, n_items=9_000, interactions_per_user=3)
    assert (np.bincount(dataset.interactions.users) == 3).all()
    assert matches(dataset)[-1000:].mean() > 0.6
