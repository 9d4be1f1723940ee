"""Small worlds for the persona tests: a made-up one, and one small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from environments.catalog import Catalog
from environments.dataset import Dataset, RatingScale
from environments.datasets.config import ToyOptions
from environments.datasets.toy import make_toy
from environments.interactions import Interactions
from environments.people import People
from environments.split import split_history
from personas.population import build_population
from personas.taste import fit_taste


@pytest.fixture(scope="session")
def toy():
    return make_toy(ToyOptions(n_users=90, n_items=60, n_groups=3, interactions_per_user=20))


@pytest.fixture(scope="session")
def toy_split(toy):
    return split_history(toy.interactions, "per_user_temporal", 0.2)


@pytest.fixture(scope="session")
def toy_population(toy, toy_split):
    return build_population(toy, toy_split.train, size="all", seed=1)


@pytest.fixture(scope="session")
def toy_taste(toy, toy_split):
    return fit_taste(toy, toy_split.train, salt="a", seed=1)


@pytest.fixture
def three_people():
    """Four items, three people: Ann rates three, Bob two, and nobody knows anything of Cleo."""
    catalog = Catalog(
        item_ids=("a", "b", "c", "d"),
        titles=("Alpha", "Beta", "Gamma", "Delta"),
        years=np.array([1991.0, 1992.0, np.nan, 1994.0]),
        genres=(("Drama",), ("Drama", "War"), ("Comedy",), ()),
    )
    people = People(("ann", "bob", "cleo"), ({"age": "30"}, {}, {"age": "9"}))
    interactions = Interactions.of(
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 1, 2, 0, 2]),
        np.array([5.0, 4.0, 1.0, 3.0, 2.0]),
        np.array([10, 30, 20, 10, 20]),
        n_users=3,
        n_items=4,
    )
    return Dataset("three", catalog, people, interactions, RatingScale(), "a test", "none")
