"""A data set as tables of its own, from which the same data set comes back: what a run keeps of data it was handed."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from groundlings.environments.catalog import COST
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.config import (
    InteractionColumns,
    ItemColumns,
    OwnData,
    ScaleConfig,
    SplitColumn,
    Things,
    UserColumns,
)
from groundlings.environments.datasets.offer_columns import OfferColumns
from groundlings.environments.datasets.own import load_own
from groundlings.environments.datasets.tables import Table
from groundlings.environments.datasets.time_cells import TimeUnit
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import KINDS, TicksPerSecond
from groundlings.environments.offers import Offers
from groundlings.environments.words import Words

FOLDER = "data"
"""Where the copies lie, in the directory of a run."""

_SPLIT = "split"
_PARTS = ("train", "test", "valid")
"""Cells of that column, by the values of `Dataset.parts`; `SplitColumn` knows them."""

_UNNAMED = (Words().one, Words().many)

_UNITS: dict[TicksPerSecond, TimeUnit] = {1: "s", 1000: "ms", 1_000_000: "us", 1_000_000_000: "ns"}


def copies_of(dataset: Dataset) -> dict[str, pa.Table]:
    """The data set as tables: "interactions", "items", "users" and perhaps "offers", unknown cells being null.

    Raises:
        DataError: Simulated interactions are among the real ones.
    """
    history = dataset.interactions
    if history.synthetic.any():
        raise DataError("dataset: some of its interactions are simulated; a data set holds what real people did")
    people, catalog, own = dataset.people, dataset.catalog, described(dataset)
    assert own.users is not None
    interactions = {
        "user": pa.array(people.user_ids, pa.string()).take(pa.array(history.users)),
        "item": pa.array(catalog.item_ids, pa.string()).take(pa.array(history.items)),
    }
    if not dataset.scale.likes:
        interactions["rating"] = pa.array(history.ratings, from_pandas=True)
    if history.kinds is not None:
        interactions["kind"] = pa.array(KINDS, pa.string()).take(pa.array(history.kinds))
    if history.weights is not None:
        interactions[_weight_header(dataset)] = pa.array(history.weights, from_pandas=True)
    if dataset.times_known:
        interactions["timestamp"] = pa.array(history.timestamps)
    if dataset.parts is not None:
        interactions[_SPLIT] = pa.array(_PARTS, pa.string()).take(pa.array(dataset.parts))
    return {
        "interactions": pa.table(interactions),
        "items": pa.table(
            {
                own.items.id: pa.array(catalog.item_ids, pa.string()),
                own.items.title: pa.array(catalog.titles, pa.string()),
                str(own.items.year): pa.array(
                    [None if np.isnan(year) else int(year) for year in catalog.years], pa.int64()
                ),
                str(own.items.genres): pa.array(catalog.genres, pa.list_(pa.string())),
                str(own.items.text): pa.array(catalog.texts, pa.string()),
                **{
                    name: pa.array(column, pa.float64() if name == COST else pa.string(), from_pandas=name == COST)
                    for name, column in catalog.features.items()
                },
            }
        ),
        "users": pa.table(
            {
                own.users.id: pa.array(people.user_ids, pa.string()),
                **{
                    name: pa.array([known.get(name) for known in people.attributes], pa.string())
                    for name in own.users.attributes
                },
            }
        ),
        **({} if dataset.offers is None else {"offers": _offers(dataset.offers, catalog.item_ids)}),
    }


def _offers(offers: Offers, item_ids: Sequence[str]) -> pa.Table:
    """The offers, days as whole numbers or as dates."""
    kind = pa.date32() if offers.dated else pa.int64()
    days = {name: pa.array(getattr(offers, name)) for name in ("first_day", "last_day")}
    return pa.table(
        {
            "item": pa.array(item_ids, pa.string()).take(pa.array(offers.items)),
            **{name: column.cast(pa.int32()).cast(kind) for name, column in days.items()},
            "price": pa.array(offers.price, from_pandas=True),
            "stock": pa.array(offers.stock, from_pandas=True),
            "promoted": pa.array(offers.promoted.astype(np.int64)),
        }
    )


def described(dataset: Dataset) -> OwnData:
    """What `dataset.own` says of the copies, with paths that start from the run's directory."""
    attributes = _in_order([list(known) for known in dataset.people.attributes])
    history, scale = dataset.interactions, dataset.scale
    user_id = "id"
    while user_id in attributes:
        user_id += "_"
    return OwnData(
        interactions=InteractionColumns(
            path=_path("interactions"),
            user="user",
            item="item",
            rating=None if scale.likes else "rating",
            kind=None if history.kinds is None else "kind",
            weight=None if history.weights is None else _weight_header(dataset),
            counted=dataset.counted,
            timestamp="timestamp" if dataset.times_known else None,
            time_unit=_UNITS[history.ticks_per_second] if dataset.times_known else None,
            split=None if dataset.parts is None else SplitColumn(column=_SPLIT),
        ),
        items=_items(dataset),
        users=UserColumns(path=_path("users"), id=user_id, attributes=tuple(attributes)),
        scale=ScaleConfig(low=scale.low, high=scale.high, step=scale.step) if dataset.opinions == "ratings" else None,
        offers=None if dataset.offers is None else _offer_columns(dataset.offers),
    )


def _weight_header(dataset: Dataset) -> str:
    """A header that tells of plays what the header of the data told: how often, or how long."""
    return "plays" if dataset.catalog.words.counts_plays else "weight"


def _items(dataset: Dataset) -> ItemColumns:
    """Columns of the items, under names that no feature has."""
    words, features = dataset.catalog.words, list(dataset.catalog.features)
    names = {key: key for key in ("id", "title", "year", "genres", "text")}
    for key in names:
        while names[key] in features:
            names[key] += "_"
    return ItemColumns(
        path=_path("items"),
        features=tuple(name for name in features if name != COST) or None,
        cost=COST if COST in features else None,
        things=None if (words.one, words.many) == _UNNAMED else Things(one=words.one, many=words.many),
        verbs=dict(words.verbs) or None,
        **names,
    )


def _offer_columns(offers: Offers) -> OfferColumns:
    begins: str | int | None = offers.begins
    if begins is not None and offers.dated:
        begins = str(np.datetime64(offers.begins, "D"))
    return OfferColumns(
        path=_path("offers"),
        item="item",
        first_day="first_day",
        last_day="last_day",
        price="price",
        stock="stock",
        promoted="promoted",
        begins=begins,
        currency=offers.currency,
    )


def as_copied(dataset: Dataset) -> Dataset:
    """The data set that comes back from its copies: equal to one that came from tables.

    Raises:
        DataError: It holds what no table may, such as an id twice or a rating off its scale.
    """
    tables = copies_of(dataset)
    return load_own(
        described(dataset), Path(), lambda path: Table(Path(f"{path.stem} of the data set"), tables[path.stem], False)
    )


def _path(name: str) -> Path:
    return Path(FOLDER) / f"{name}.parquet"


def _in_order(rows: Sequence[Sequence[str]]) -> list[str]:
    """All names, each row's in the order that the row has them: people lack values, and lists of names have gaps."""
    after: TopologicalSorter[str] = TopologicalSorter({name: () for row in rows for name in row})
    for earlier, later in {pair: None for row in rows for pair in pairwise(row)}:
        after.add(later, earlier)
    try:
        return list(after.static_order())
    except CycleError:  # no table had these columns: any order serves
        return list(dict.fromkeys(chain.from_iterable(rows)))
