"""What a run holds and goes through grows about as users do and as items do: exponents of bytes and counts, no seconds.

`make growth` runs it. Sizes are small and limits are made small likewise, so that the laws of a million users show.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.split import split_history
from groundlings.personas.profile import measure_profiles
from groundlings.personas.taste import co_occurrence, features, item_tables, sampled_items, similar_users, star_features
from groundlings.personas.taste.co_occurrence import Steps, histories
from groundlings.personas.taste.training_data import measure, measure_rows
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.popular import PopularRecommender

pytestmark = pytest.mark.growth

USERS, ITEMS, TIMES = 1500, 1500, 4
EACH = 15

IN_USERS, IN_ITEMS = 1.05, 1.1
"""Largest exponents: twice as many may take 2 ** 1.05 times as much."""


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (features, sampled_items, similar_users, star_features):
        monkeypatch.setattr(module, "MANY", 500)
    for module, name, value in (
        (sampled_items, "MOST_NEAR", 100_000),
        (features, "_CELLS_AT_ONCE", 50_000),
        (co_occurrence, "_PAIRS_AT_ONCE", 50_000),
        (similar_users, "MOST_RECENT_OF_MANY", 5),
        (similar_users, "ALIKE_OF_MANY", 10),
        (similar_users, "_CELLS_AT_ONCE", 50_000),
        (star_features, "_CELLS_AT_ONCE", 50_000),
        (item_tables, "MOST_CELLS", 0),
        (item_tables, "LEAST_WIDTH", 20),
        (item_tables, "DIMENSIONS", 8),
    ):
        monkeypatch.setattr(module, name, value)


@cache
def shop(n_users: int, n_items: int) -> Dataset:
    """Everybody has up to `EACH` items: popular ones, and some near a place of their own."""
    chance = np.random.default_rng(n_users + n_items)
    users = np.repeat(np.arange(n_users), EACH)
    popular = (n_items * chance.random(len(users)) ** 3).astype(np.int64)
    near = (users * 7 + chance.integers(0, 40, len(users))) % n_items
    pairs = np.unique(users * n_items + np.where(chance.random(len(users)) < 0.5, popular, near))
    rows = Interactions.of(
        pairs // n_items,
        pairs % n_items,
        chance.integers(1, 6, len(pairs)).astype(float),
        chance.integers(0, 10**7, len(pairs)),
        n_users=n_users,
        n_items=n_items,
    ).chronological()
    names = tuple(map(str, range(max(n_users, n_items))))
    catalog = Catalog(
        names[:n_items], names[:n_items], np.full(n_items, np.nan), tuple((f"group {i % 9}",) for i in range(n_items))
    )
    return Dataset("made up", catalog, People(names[:n_users], ({},) * n_users), rows, RatingScale(), "a test", "none")


def _split(dataset: Dataset) -> None:
    split_history(dataset.interactions, "per_user_temporal", 0.2)


def _profiles(dataset: Dataset) -> None:
    measure_profiles(dataset.interactions, dataset.catalog, dataset.scale)


def _taste(dataset: Dataset) -> None:
    measure(dataset, dataset.interactions, salt="a", seed=1)


def _similar(dataset: Dataset) -> None:
    measure_rows(dataset, dataset.interactions)[0].similar.find(np.arange(len(dataset.people)))


def _shown(dataset: Dataset) -> None:
    evidence = measure_rows(dataset, dataset.interactions)[0]
    users = np.repeat(np.arange(len(dataset.people)), 5)
    evidence.pairs(users, (users * 31) % len(dataset.catalog))


def _popular(dataset: Dataset) -> None:
    PopularRecommender().fit(dataset.interactions, dataset.catalog)


def _item_knn(dataset: Dataset) -> None:
    recommender = ItemKnnRecommender()
    recommender.fit(dataset.interactions, dataset.catalog)
    recommender.candidates(np.arange(200), 30)


PHASES: dict[str, Callable[[Dataset], None]] = {
    "split": _split,
    "profiles": _profiles,
    "taste": _taste,
    "similar users": _similar,
    "pairs that are shown": _shown,
    "popular": _popular,
    "item_knn": _item_knn,
}


def peak(phase: Callable[[Dataset], None], n_users: int, n_items: int) -> int:
    """The most bytes that a phase holds beside the data."""
    dataset = shop(n_users, n_items)
    phase(shop(200, 200))  # what is imported counts for nobody
    for rows in (dataset.interactions,):
        _ = rows.matrix, rows.item_counts, dataset.catalog.genre_matrix
    tracemalloc.start()
    try:
        phase(dataset)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def exponent(before: float, after: float) -> float:
    return math.log(after / before) / math.log(TIMES)


@pytest.mark.parametrize("phase", PHASES)
def test_memory_grows_no_faster_than_users(phase: str) -> None:
    assert exponent(peak(PHASES[phase], USERS, ITEMS), peak(PHASES[phase], TIMES * USERS, ITEMS)) <= IN_USERS


@pytest.mark.parametrize("phase", PHASES)
def test_memory_grows_no_faster_than_items(phase: str) -> None:
    assert exponent(peak(PHASES[phase], USERS, ITEMS), peak(PHASES[phase], USERS, TIMES * ITEMS)) <= IN_ITEMS


def near_each_other(steps: Steps) -> int:
    """How often two items of a history are neighbours, from the view of either."""
    return 2 * int(np.minimum(steps.before, co_occurrence.WINDOW).sum())


def work(n_users: int, n_items: int) -> Iterator[tuple[str, int]]:
    """Cells that each part of the work goes through."""
    dataset = shop(n_users, n_items)
    evidence, stars = measure_rows(dataset, dataset.interactions)
    tables = evidence.tables
    yield "items near each other", near_each_other(Steps.of(*histories(dataset.interactions)[:2], n_items))
    yield "similar users", int((evidence.met @ np.diff(evidence.latest_users.indptr)).sum())
    yield "tables", tables.following.nnz + tables.associations.nnz + tables.vectors.size
    yield "histories", evidence.latest.nnz + evidence.recent.nnz + evidence.met.nnz
    yield "stars", stars.coefficients.size + stars.item_features.size + stars.thresholds.size
    yield "pairs that are shown", int(evidence._cells[np.arange(5000) % n_items].sum())


@pytest.mark.parametrize(("users", "items", "most"), [(TIMES, 1, IN_USERS), (1, TIMES, IN_ITEMS)])
def test_work_grows_no_faster_than_users_and_items(users: int, items: int, most: float) -> None:
    before, after = dict(work(USERS, ITEMS)), dict(work(users * USERS, items * ITEMS))
    grown = {name: exponent(before[name], after[name]) for name in before}
    assert {name: each for name, each in grown.items() if each > most} == {}


def test_items_near_each_other_are_counted_on_a_sample_whose_work_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    real = Steps.of

    def noted(users, items, n_items):
        counted.append(real(users, items, n_items))
        return counted[-1]

    monkeypatch.setattr(Steps, "of", noted)
    for n_users in (USERS, TIMES * USERS):
        measure_rows(shop(n_users, ITEMS), shop(n_users, ITEMS).interactions)
    smaller, larger = map(near_each_other, counted)
    assert larger <= max(sampled_items.MOST_NEAR, 1.05 * smaller)
