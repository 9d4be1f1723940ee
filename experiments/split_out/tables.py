"""What goes out of a split, with the data's own ids: what is known, who is served, and what is not shown to whom."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from groundlings.environments.arrays import IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.interactions import KINDS, Interactions, rows_of
from groundlings.environments.repeats import OwnClock, RepeatRule
from groundlings.environments.split import Split

TIMESTAMP = "timestamp"


def interactions(dataset: Dataset, rows: Interactions, *, as_text: bool) -> pa.Table:
    """Rows by time, then user: user_id, item_id, and rating, kind, weight and timestamp where the data have them.

    Args:
        dataset: For the ids, and whether times are known.
        rows: Interactions of it.
        as_text: Whether the table becomes text, in which times with fractions are decimal seconds; else they are
            timestamps.
    """
    columns: dict[str, Any] = {
        "user_id": pa.array(dataset.people.user_ids, pa.string()).take(pa.array(rows.users)),
        "item_id": pa.array(dataset.catalog.item_ids, pa.string()).take(pa.array(rows.items)),
    }
    if not np.isnan(rows.ratings).all():
        columns["rating"] = pa.array(rows.ratings, from_pandas=True)
    if rows.kinds is not None:
        columns["kind"] = pa.array(KINDS, pa.string()).take(pa.array(rows.kinds))
    if rows.weights is not None:
        columns["weight"] = pa.array(rows.weights, from_pandas=True)
    if dataset.times_known:
        columns[TIMESTAMP] = _seconds(rows) if as_text else _moments(rows)
    return pa.table(columns)


def served(dataset: Dataset, train: Interactions, users: IntArray) -> pa.Table:
    """The users whom a recommender has to serve, with the length of their training history."""
    counts = np.bincount(train.users, minlength=train.n_users)
    return pa.table(
        {
            "user_id": pa.array(dataset.people.user_ids, pa.string()).take(pa.array(users)),
            "training_interactions": pa.array(counts[users]),
        }
    )


def items(dataset: Dataset) -> pa.Table:
    """The items that may be recommended: all of the catalog."""
    catalog = dataset.catalog
    return pa.table(
        {"item_id": pa.array(catalog.item_ids, pa.string()), "title": pa.array(catalog.titles, pa.string())}
    )


def excluded(dataset: Dataset, split: Split, users: IntArray, repeats: RepeatRule) -> pa.Table:
    """The items of the training part that each of some users is not shown, or not yet on the first simulated day.

    Args:
        dataset: For the ids.
        split: Whose training part is known.
        users: Row numbers of users.
        repeats: Whether known items are shown again.
    """
    met = rows_of(repeats.seen(split.train, OwnClock.of(split).days(split.train), 0), users)
    rows = np.repeat(users, np.diff(met.indptr))
    return pa.table(
        {
            "user_id": pa.array(dataset.people.user_ids, pa.string()).take(pa.array(rows)),
            "item_id": pa.array(dataset.catalog.item_ids, pa.string()).take(pa.array(met.indices)),
        }
    )


def _seconds(rows: Interactions) -> pa.Array:
    """Seconds since 1970: whole numbers, or decimal ones to the last digit that the clock has."""
    if rows.ticks_per_second == 1:
        return pa.array(rows.timestamps)
    digits = len(str(rows.ticks_per_second)) - 1
    whole, part = np.divmod(rows.timestamps, rows.ticks_per_second)
    below = (whole < 0) & (part > 0)  # -1.75 s is -2 s and a quarter
    whole, part = np.where(below, whole + 1, whole), np.where(below, rows.ticks_per_second - part, part)
    signs = np.where(below & (whole == 0), "-", "")
    return pa.array(
        [f"{sign}{second}.{fraction:0{digits}d}" for sign, second, fraction in zip(signs, whole, part, strict=True)]
    )


def _moments(rows: Interactions) -> pa.Array:
    """Whole seconds since 1970, or timestamps in UTC where the clock is finer."""
    if rows.ticks_per_second == 1:
        return pa.array(rows.timestamps)
    unit = {1_000: "ms", 1_000_000: "us", 1_000_000_000: "ns"}[rows.ticks_per_second]
    return pa.array(rows.timestamps, pa.timestamp(unit, "UTC"))
