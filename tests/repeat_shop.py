"""A made-up shop in which people buy again: staples at their own pace, and now and then something new."""

from __future__ import annotations

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.people import People

PEOPLE, ITEMS, DAYS = 60, 40, 200
STAPLES = 8
"""Items of the lowest numbers that are bought again; the others are bought once."""
SECONDS = 86_400


def repeat_shop(seed: int = 3) -> Dataset:
    """Everybody comes about every fourth day, takes two or three staples whose time has come, and one new item."""
    chance = np.random.default_rng(seed)
    rows = []
    for user in range(PEOPLE):
        pace = dict(zip(chance.permutation(STAPLES)[:5].tolist(), chance.integers(6, 30, 5).tolist(), strict=True))
        latest = {item: -int(chance.integers(0, every)) for item, every in pace.items()}
        others = chance.permutation(np.arange(STAPLES, ITEMS)).tolist()
        for day in np.flatnonzero(chance.random(DAYS) < 0.25).tolist():
            due = [item for item, every in pace.items() if chance.random() < (day - latest[item]) / (2 * every)]
            latest.update(dict.fromkeys(due, day))
            new = [others.pop()] if others and chance.random() < 0.4 else []
            rows += [(user, item, day) for item in (*due, *new)]
    users, items, days = map(np.array, zip(*rows, strict=True))
    history = Interactions.of(
        users, items, None, days * SECONDS + 36_000, n_users=PEOPLE, n_items=ITEMS,
        kinds=np.full(len(users), KINDS.index("purchase")), weights=np.ones(len(users)),
    )  # fmt: skip
    catalog = Catalog(
        tuple(f"p{item}" for item in range(ITEMS)),
        tuple(f"Product {item}" for item in range(ITEMS)),
        np.full(ITEMS, np.nan),
        tuple((("Bread", "Soap", "Tea")[item % 3],) for item in range(ITEMS)),
    )
    people = People(tuple(f"h{user}" for user in range(PEOPLE)), ({},) * PEOPLE)
    return Dataset("shop", catalog, people, history.chronological(), RatingScale(), "made up", "nobody's")
