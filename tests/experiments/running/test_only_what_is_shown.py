"""A run holds no array of users times items, and what it holds grows as users and as items do, not as their squares."""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from groundlings import personas
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import simulate
from groundlings.experiments.running.supplied import Supplied
from groundlings.personas.taste import item_tables
from groundlings.personas.taste.features import measure_evidence
from groundlings.personas.taste.row_cache import CatalogRows
from groundlings.personas.taste.similar_users import MOST_RECENT
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

EACH = 15
"""Items of each person's history."""


def made_up(n_users: int, n_items: int) -> Dataset:
    """Everybody has `EACH` items at times of their own: popular ones and some near a place of their own."""
    chance = np.random.default_rng(n_users + n_items)
    users = np.repeat(np.arange(n_users), EACH)
    popular = (n_items * chance.random(len(users)) ** 4).astype(np.int64)
    near = (users * 7 + chance.integers(0, 40, len(users))) % n_items
    items = np.where(chance.random(len(users)) < 0.5, popular, near)
    pairs = np.unique(users * n_items + items)
    rows = Interactions.of(
        pairs // n_items,
        pairs % n_items,
        chance.integers(1, 6, len(pairs)).astype(float),
        chance.integers(0, 10**7, len(pairs)),
        n_users=n_users,
        n_items=n_items,
    )
    names = tuple(map(str, range(max(n_users, n_items))))
    genres = tuple((f"genre {item % 9}",) for item in range(n_items))
    catalog = Catalog(names[:n_items], names[:n_items], np.full(n_items, np.nan), genres)
    return Dataset("made up", catalog, People(names[:n_users], ({},) * n_users), rows, RatingScale(), "a test", "none")


def test_a_whole_run_takes_less_memory_than_one_number_for_each_user_and_item(tmp_path, monkeypatch):
    def refuse(self, users):
        raise AssertionError("a decision asked for whole rows of the catalog")

    monkeypatch.setattr(CatalogRows, "slots", refuse)
    users, items = 3000, 12_000
    dataset = made_up(users, items)
    config = ExperimentConfig.model_validate(
        {
            "name": "large",
            "seed": 3,
            "dataset": "toy",  # not read
            "simulation": {"days": 1, "visit_probability": 0.15},
            "site": {"page_size": 10, "max_pages": 2},
            "mind": {"kind": "behavioural", "cohort_size": 128},  # the recommender's scores are of a cohort
            "arms": [{"name": "popular", "recommender": "popular"}],
            "held_out": False,
        }
    )

    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack, supplied=Supplied(dataset=dataset))
            await simulate(plan, run_row(plan), tmp_path / LOG_NAME)

    tracemalloc.start()
    try:
        asyncio.run(whole())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < users * items * np.dtype(np.float32).itemsize
    with LogReader(tmp_path / LOG_NAME) as log:
        assert log.digest()


def test_only_few_places_of_personas_make_whole_rows_and_none_on_the_way_to_a_decision_makes_them_of_users():
    folder = Path(personas.__file__).parent
    found = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8").count(".toarray()")
        for path in folder.rglob("*.py")
    }
    assert {path: count for path, count in found.items() if count} == {
        "repeats/known_items.py": 1,  # levels of users who meet items again
        "synthesis/donors.py": 1,  # of 500 users, with at most 20,000 others
        "taste/content.py": 2,  # new items, in the warm-up lab
        "taste/features.py": 3,  # rows that bounds and labs ask for
        "taste/item_tables.py": 1,  # at most 256 items
        "taste/sparse_rows.py": 1,  # tables of items, on the way to a decision, where an eighth of the places is stored
    }


def held(n_users: int, n_items: int) -> tuple[int, int]:
    """Bytes of the evidence, and cells that finding everybody's similar users goes through."""
    dataset = made_up(n_users, n_items)
    evidence = measure_evidence(dataset.interactions, dataset.catalog)
    cells = (evidence.met @ np.diff(evidence.latest_users.indptr)).sum()
    return sum(array.nbytes for array in evidence.arrays()), int(cells)


@pytest.mark.parametrize(("users", "items"), [(2, 1), (1, 2), (2, 2)])
def test_twice_the_users_or_items_take_twice_the_memory_and_work_at_most(users, items, monkeypatch):
    monkeypatch.setattr(item_tables, "MOST_CELLS", 0)
    monkeypatch.setattr(item_tables, "LEAST_WIDTH", 20)
    monkeypatch.setattr("groundlings.personas.taste.similar_users.MOST_RECENT", 5)
    bytes_before, work_before = held(1000, 1000)
    bytes_after, work_after = held(1000 * users, 1000 * items)
    assert bytes_after < 2.1 * bytes_before
    assert work_after < 2.1 * work_before


def test_finding_similar_users_takes_no_more_work_than_the_cap_allows_each_interaction():
    dataset = made_up(3000, 200)
    _, work = held(3000, 200)
    assert dataset.interactions.item_counts.max() > MOST_RECENT
    assert work < MOST_RECENT * len(dataset.interactions)
