"""A made-up world whose right answer is known: groups of people who like their own group's items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import COST, Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.toy_offers import make_offers
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People

TOY_LICENCE = "Made up by Groundlings; do with it what you like."

_POPULARITY_EXPONENT = 0.8  # weight of the r-th most popular item: r ** -0.8, a long tail as in Zipf's law
_OWN_GROUP_FACTOR = 12.0  # an item of one's own group is met so many times as often as another one of its rank
_STARS_OWN, _STARS_OTHER = 4.2, 2.4  # mean rating with and without a match
_START = 1_577_836_800  # 2020-01-01, UTC
_MEAN_GAP_SECONDS = 6 * 3600
_CELLS_AT_ONCE = 20_000_000


def make_toy(options: ToyOptions) -> Dataset:
    """A world of the size asked for; equal options make equal worlds.

    Users and items belong to one group each ("genre 1", ...); a person's group stands in the attribute
    "favourite_genre". People mostly meet items of their own group, popular ones more often, and like those.
    """
    rng = np.random.default_rng([options.seed, options.n_users, options.n_items])
    user_groups = rng.permutation(np.arange(options.n_users) % options.n_groups)
    ranks = rng.permutation(options.n_items)  # rank 0 is the most popular item; neighbours differ in group
    item_groups = ranks % options.n_groups
    items = _meet(rng, options, user_groups, ranks, item_groups)
    users = np.repeat(np.arange(options.n_users), options.interactions_per_user)
    history = Interactions.of(
        users,
        items.ravel(),
        _rate(rng, user_groups[users] == item_groups[items.ravel()], users, items.ravel(), options),
        _times(rng, items.shape).ravel(),
        n_users=options.n_users,
        n_items=options.n_items,
    )
    catalog, people = _catalog(rng, item_groups), _people(rng, user_groups)
    offers = None
    if options.offers:  # drawn last, so that everything else is that of a world without them
        offers, costs = make_offers(rng, options.n_items, history.timestamps)
        catalog = replace(catalog, features={COST: costs})
    return Dataset(
        name="toy",
        catalog=catalog,
        people=people,
        interactions=history.chronological(),
        scale=RatingScale(),
        source=f"made up from {options!r}",
        licence=TOY_LICENCE,
        offers=offers,
    )


def _meet(
    rng: np.random.Generator, options: ToyOptions, user_groups: IntArray, ranks: IntArray, item_groups: IntArray
) -> IntArray:
    """Distinct items for each person, in the order they are met, shape (n_users, interactions_per_user).

    Weighted sampling without replacement as a race: the smallest Exp(1) / weight come first (Efraimidis and
    Spirakis 2006, "Weighted random sampling with a reservoir").
    """
    popularity = (ranks + 1.0) ** -_POPULARITY_EXPONENT
    matches = np.arange(options.n_groups)[:, None] == item_groups
    slowness = (1 / (popularity * np.where(matches, _OWN_GROUP_FACTOR, 1.0))).astype(np.float32)
    wanted = options.interactions_per_user
    chosen = np.empty((options.n_users, wanted), dtype=np.int64)
    block = max(1, _CELLS_AT_ONCE // options.n_items)
    for first in range(0, options.n_users, block):
        groups = user_groups[first : first + block]
        finish = rng.standard_exponential((len(groups), options.n_items), dtype=np.float32)
        finish *= slowness[groups]
        early = np.argpartition(finish, wanted - 1, axis=1)[:, :wanted]
        order = np.argsort(np.take_along_axis(finish, early, axis=1), axis=1, kind="stable")
        chosen[first : first + block] = np.take_along_axis(early, order, axis=1)
    return chosen


def _rate(
    rng: np.random.Generator, matches: np.ndarray, users: IntArray, items: IntArray, options: ToyOptions
) -> FloatArray:
    """Stars from match, the person's strictness, the item's quality and a rest of chance, shape (n,)."""
    strictness = rng.normal(0, 0.3, options.n_users)[users]
    quality = rng.normal(0, 0.4, options.n_items)[items]
    taste = np.where(matches, _STARS_OWN, _STARS_OTHER)
    return np.clip(np.rint(taste + strictness + quality + rng.normal(0, 0.6, len(users))), 1, 5)


def _times(rng: np.random.Generator, shape: tuple[int, ...]) -> IntArray:
    """Seconds since 1970 that increase along each person's row, same shape."""
    gaps = 1 + rng.exponential(_MEAN_GAP_SECONDS, shape).astype(np.int64)
    return _START + np.cumsum(gaps, axis=1)


def _catalog(rng: np.random.Generator, item_groups: IntArray) -> Catalog:
    n_items = len(item_groups)
    return Catalog(
        item_ids=tuple(f"i{number}" for number in range(1, n_items + 1)),
        titles=tuple(f"Toy {number}" for number in range(1, n_items + 1)),
        years=rng.integers(1980, 2020, n_items).astype(np.float64),
        genres=tuple((f"genre {group + 1}",) for group in item_groups.tolist()),
    )


def _people(rng: np.random.Generator, user_groups: IntArray) -> People:
    ages = rng.integers(18, 70, len(user_groups)).tolist()
    genders = rng.integers(0, 2, len(user_groups)).tolist()
    rows = zip(ages, genders, user_groups.tolist(), strict=True)
    return People(
        user_ids=tuple(f"u{number}" for number in range(1, len(user_groups) + 1)),
        attributes=tuple(
            {"age": str(age), "gender": ("female", "male")[gender], "favourite_genre": f"genre {group + 1}"}
            for age, gender, group in rows
        ),
    )
