"""What simulated people make of items that nobody has met."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.content import measure_content
from groundlings.environments.datasets import load_dataset
from groundlings.environments.datasets.config import DatasetConfig, ToyOptions
from groundlings.environments.errors import DataError
from groundlings.environments.split import test_people as in_test_third
from groundlings.personas.taste.cold_start import with_new_items
from groundlings.personas.taste.content import FEATURES, fit_content_taste
from groundlings.personas.taste.model import fit_taste

TOY = ToyOptions(n_users=160, n_items=120, n_groups=4, interactions_per_user=30, seed=2)


@pytest.fixture(scope="module")
def world():
    """A data set with twelve new and twelve hidden items, its training rows, and the judgement fitted on them."""
    dataset = load_dataset(DatasetConfig(name="toy", toy=TOY))
    history = dataset.interactions
    cold = np.random.default_rng(0).permutation(120)[:24]
    new, hidden = np.sort(cold[:12]), np.sort(cold[12:])
    train = history.take(~np.isin(history.items, cold))
    people = np.flatnonzero(~in_test_third(dataset.people.user_ids, "a"))
    taste = fit_content_taste(
        train, measure_content(dataset.catalog), new, labels=history, hidden=hidden, people=people, seed=1
    )
    return dataset, train, new, hidden, taste


def test_people_take_items_of_the_genre_they_live_in(world):
    dataset, _, new, _, taste = world
    everybody = np.arange(len(dataset.people))
    chance = taste.chance(everybody, new)
    favourites = np.array([person["favourite_genre"] for person in dataset.people.attributes])
    genres = np.array([dataset.catalog.genres[item][0] for item in new])
    own = favourites[:, None] == genres[None]
    assert chance[own].mean() > 2 * chance[~own].mean()
    real = dataset.interactions.matrix[:, new].toarray() > 0
    assert chance[real].mean() > 1.5 * chance[~real].mean()
    assert chance.mean() == pytest.approx(real.mean(), rel=0.5), "chances are chances"


def test_a_chance_depends_on_the_person_and_the_item_alone(world):
    _, _, new, _, taste = world
    whole = taste.log_odds(np.arange(50), new)
    np.testing.assert_allclose(taste.log_odds(np.array([7, 3]), new[[4, 1]]), whole[[7, 3]][:, [4, 1]], atol=1e-4)
    assert set(taste.describe()["weights"]) == set(FEATURES)


def test_an_item_that_it_was_not_made_for_is_refused(world):
    _, train, _, _, taste = world
    with pytest.raises(DataError, match="not made for"):
        taste.chance(np.array([0]), np.array([train.items[0]]))


def test_too_few_meetings_are_refused(world):
    dataset, train, new, hidden, _ = world
    nothing = dataset.interactions.take(np.zeros(len(dataset.interactions), dtype=bool))
    with pytest.raises(DataError, match=r"met 0 times, expected at least .*`cold.share`"):
        fit_content_taste(
            train, measure_content(dataset.catalog), new, labels=nothing, hidden=hidden, people=np.arange(20), seed=1
        )


def test_a_taste_with_new_items_changes_nothing_about_old_ones(world):
    dataset, train, new, _, judged = world
    plain = fit_taste(dataset, train, salt="a", seed=1)
    both = with_new_items(plain, judged)
    users = np.arange(0, 160, 7)
    old = np.setdiff1d(np.arange(120), judged.items)
    np.testing.assert_array_equal(both.appeal(users)[:, old], plain.appeal(users)[:, old])
    pairs = np.repeat(users, len(new)), np.tile(new, len(users))
    np.testing.assert_allclose(both.appeal_of(*pairs), both.appeal(users)[:, new].ravel(), atol=1e-3)
    everybody = np.arange(160)
    assert both.appeal(everybody)[:, judged.items].mean() == pytest.approx(
        both.appeal(everybody)[:, old].mean(), abs=1e-3
    )
