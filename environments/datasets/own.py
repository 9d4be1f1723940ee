"""Your own tables as a data set, or one clear error that names file, row and fix."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.catalog import COST, Catalog
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.config import ItemColumns, OwnData, UserColumns
from groundlings.environments.datasets.feedback import (
    feedback_notes,
    refuse_nothing_counted,
    with_liking,
    words_of,
)
from groundlings.environments.datasets.genres import genres_of
from groundlings.environments.datasets.own_history import Names, read_history
from groundlings.environments.datasets.own_offers import read_offers, unit_costs
from groundlings.environments.datasets.tables import Column, Table
from groundlings.environments.errors import DataError, shown
from groundlings.environments.memory import available_memory, spelt
from groundlings.environments.people import People

OWN_LICENCE = "Your own data, on your own terms."

_BYTES_PER_MEMBERSHIP = 16
"""Of an item in a genre and of a person's taste for it, in the tables that are made of them."""

_YEAR = re.compile(r"(\d{1,4})(\.0)?")


def load_own(config: OwnData, base: Path, read: Callable[[Path], Table] = Table.read) -> Dataset:
    """The tables a configuration names.

    Args:
        config: Files and column names.
        base: What relative paths start from.
        read: Gives the table that lies at a path.

    Raises:
        DataError: A table is missing, damaged, or says something impossible.
    """
    catalog = _items(config.items, read(base / config.items.path.expanduser()))
    columns = config.interactions
    rows = read(base / columns.path.expanduser())
    held_out = None if columns.held_out is None else read(base / columns.held_out.path.expanduser())
    users = rows.ids(columns.user, "own.interactions.user")
    if config.users is None:
        users.refuse_empty("a user's id")
        # Shorter ids first puts "2" before "10"; any fixed order would do, as long as the file's does not matter.
        people = _nameless(sorted(set(users.cells), key=lambda user_id: (len(user_id), user_id)))
    else:
        people = _users(config.users, read(base / config.users.path.expanduser()))
    _refuse_many_genres(catalog, people, config.items)
    names = Names(people.user_ids, catalog.item_ids, has_users_file=config.users is not None)
    history, parts = read_history(columns, rows, held_out, names, config.rating_scale())
    refuse_nothing_counted(history, columns, str(columns.path))
    history, scale = with_liking(history, columns, config.rating_scale(), stated=config.scale is not None)
    offers = config.offers
    offered = None if offers is None else read_offers(offers, read(base / offers.path.expanduser()), catalog.item_ids)
    paths = [columns.path, *([columns.held_out.path] if columns.held_out else []), config.items.path]
    paths += [part.path for part in (config.users, offers) if part is not None]
    source = ", ".join(map(str, dict.fromkeys(paths)))
    return Dataset(
        "own",
        catalog,
        people,
        history,
        scale,
        source,
        OWN_LICENCE,
        columns.timestamp is not None,
        parts,
        feedback_notes(history, columns.counted),
        counted=columns.counted,
        asks_ratings=config.scale is not None,
        offers=offered,
    )


def _items(config: ItemColumns, table: Table) -> Catalog:
    ids = table.ids(config.id, "own.items.id")
    titles = table.column(config.title, "own.items.title")
    _unique(ids, "an item's id")
    titles.refuse_empty("a title")
    nothing = [""] * len(ids.codes)
    genres = None if config.genres is None else table.column(config.genres, "own.items.genres", lists=True)
    texts = nothing if config.text is None else table.column(config.text, "own.items.text").cells
    years = None if config.year is None else table.column(config.year, "own.items.year").parsed(_year, np.float64)
    return Catalog(
        item_ids=tuple(ids.cells),
        titles=tuple(titles.cells),
        years=np.full(len(ids.codes), np.nan) if years is None else years,
        genres=((),) * len(nothing) if genres is None else _genres(genres, config.genre_separator),
        texts=tuple(cell or None for cell in texts),
        features=_features(config, table),
        words=words_of(config),
    )


def _features(config: ItemColumns, table: Table) -> dict[str, NDArray[Any]]:
    """Further columns by their headers, and the cost per unit."""
    features: dict[str, NDArray[Any]] = {}
    for name in config.features or ():
        cells = table.column(name, "own.items.features").cells
        features[name] = np.array([*(cell or None for cell in cells), None], dtype=np.object_)[:-1]
    if config.cost is not None:
        features[COST] = unit_costs(table.column(config.cost, "own.items.cost"))
    return features


def _refuse_many_genres(catalog: Catalog, people: People, config: ItemColumns) -> None:
    """Refuse genres that no memory could hold, as where a whole description was taken for one."""
    genres = len({genre for each in catalog.genres for genre in each})
    needed, there = genres * (len(catalog) + len(people)) * _BYTES_PER_MEMBERSHIP, available_memory()
    if there.bytes is not None and needed > there.bytes:
        raise DataError(
            f"{config.path}: column {config.genres!r} (own.items.genres) has {genres:,} different genres for "
            f"{len(catalog):,} items, which takes {spelt(needed)}, and {spelt(there.bytes)} are left ({there.limit}); "
            f"name a column of few genres, or what stands between them (own.items.genre_separator, now "
            f"{config.genre_separator!r})"
        )


def _users(config: UserColumns, table: Table) -> People:
    ids = table.ids(config.id, "own.users.id")
    _unique(ids, "a user's id")
    columns = {name: table.column(name, "own.users.attributes").cells for name in config.attributes}
    known = tuple({name: cells[row] for name, cells in columns.items() if cells[row]} for row in range(len(ids.codes)))
    return People(tuple(ids.cells), known)


def _nameless(user_ids: Sequence[str]) -> People:
    return People(tuple(user_ids), tuple({} for _ in user_ids))


def _unique(column: Column, what: str) -> None:
    """Refuse an empty cell, and a cell that an earlier row holds."""
    column.refuse_empty(what)
    first: dict[str, int] = {}
    for row, cell in enumerate(column.cells):
        if cell in first:
            earlier = column.table.where(first[cell])
            column.fail(row, f"{shown(cell)} stands already on {earlier}; {what} must be unique: remove one of the two")
        first[cell] = row


def _year(cell: str) -> float:
    if not cell:
        return math.nan
    match = _YEAR.fullmatch(cell)
    if match is None:
        raise ValueError("a year such as 1993, or nothing")
    return float(match[1])


def _genres(column: Column, separator: str) -> tuple[tuple[str, ...], ...]:
    """The genres of every row."""
    distinct = column.each(lambda cell: genres_of(cell, separator))
    return tuple(distinct[code] for code in column.codes.tolist())
