"""A made-up shop of any size: users, items, and interactions whose structure real ones have.

Items are met by a power law of their popularity rank. Users and items have hidden tastes in `TASTES` dimensions: of
`OFFERED` items drawn by popularity a user takes the one that fits best, with noise. Ratings follow the same fit. How
much users do is log-normal. The same size gives the same rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from groundlings.environments.arrays import FloatArray, IntArray

TASTES = 30
OFFERED = 4
_CATEGORIES = 18
_USERS_AT_ONCE = 20_000
_TWO_YEARS = 730 * 86_400

EXPERIMENT = """\
name: made_shop
seed: 7
dataset:
  name: own
  own:
    interactions: {path: interactions.parquet, user: customer, item: sku, rating: rating, timestamp: time}
    items: {path: items.parquet, id: sku, title: name, genres: categories, genre_separator: "|"}
    scale: {low: 1, high: 5, step: 1}
population: {size: all}
simulation: {days: 1}
site: {page_size: 10, max_pages: 3}
mind: behavioural
arms:
  - {name: popular, recommender: popular}
  - {name: item_knn, recommender: item_knn}
"""


def make_shop(folder: Path, users: int, items: int, rows: int) -> Path:
    """Write interactions, items and an experiment file; returns the experiment file.

    Args:
        folder: Where to; it exists.
        users: Number of users.
        items: Number of items.
        rows: About how many interactions there are.
    """
    rng = np.random.default_rng(7)
    tastes = [_directions(rng, users), _directions(rng, items)]
    weights = np.arange(1, items + 1) ** -0.9
    reach = np.cumsum(weights / weights.sum())
    by_rank = rng.permutation(items)
    activity = rng.lognormal(0.0, 0.9, users)
    # Pairs that are drawn twice are written once, so a few more than `rows` are drawn.
    drawn = np.clip(np.rint(activity * (rows * 1.12 / activity.sum())), 2, max(2, items // 10)).astype(np.int64)
    names = pa.array([f"i{item}" for item in range(items)])
    with pq.ParquetWriter(folder / "interactions.parquet", _schema()) as writer:
        for first in range(0, users, _USERS_AT_ONCE):
            here = np.arange(first, min(first + _USERS_AT_ONCE, users))
            who = np.repeat(here, drawn[here])
            offered = by_rank[np.minimum(np.searchsorted(reach, rng.random((len(who), OFFERED))), items - 1)]
            fit = np.einsum("nd,nkd->nk", tastes[0][who], tastes[1][offered]) * np.sqrt(TASTES)
            taken = np.argmax(1.5 * fit + rng.gumbel(size=fit.shape), axis=1)
            rows_of = np.arange(len(who))
            met, liking = offered[rows_of, taken], fit[rows_of, taken]
            _, once = np.unique(who * items + met, return_index=True)
            writer.write_table(_rows(rng, names, who[once], met[once], liking[once]))
    leading = np.argsort(-tastes[1], axis=1)[:, :2] % _CATEGORIES
    categories = [f"c{one}|c{other}" if one != other else f"c{one}" for one, other in leading.tolist()]
    titles = [f"Item {item}" for item in range(items)]
    pq.write_table(pa.table({"sku": names, "name": titles, "categories": categories}), folder / "items.parquet")
    experiment = folder / "experiment.yaml"
    experiment.write_text(EXPERIMENT, "utf-8")
    return experiment


def _directions(rng: np.random.Generator, count: int) -> FloatArray:
    """Unit vectors, shape (count, TASTES)."""
    vectors = rng.standard_normal((count, TASTES))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _schema() -> pa.Schema:
    return pa.schema({"customer": pa.string(), "sku": pa.string(), "rating": pa.int8(), "time": pa.int64()})


def _rows(rng: np.random.Generator, names: pa.Array, users: IntArray, items: IntArray, fit: FloatArray) -> pa.Table:
    ratings = np.clip(np.rint(3.3 + 0.9 * fit + 0.8 * rng.standard_normal(len(fit))), 1, 5).astype(np.int8)
    times = 1_600_000_000 + rng.integers(0, _TWO_YEARS, len(users))
    people, who = np.unique(users, return_inverse=True)
    ids = pa.array([f"u{user}" for user in people.tolist()]).take(pa.array(who))
    return pa.Table.from_arrays(
        [ids, names.take(pa.array(items)), pa.array(ratings), pa.array(times)], schema=_schema()
    )
