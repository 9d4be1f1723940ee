"""Your own tables as a data set, or one clear error that names file, row and fix."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from groundlings.environments import levels
from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.datasets.config import InteractionColumns, ItemColumns, OwnData, UserColumns
from groundlings.environments.datasets.genres import genres_of
from groundlings.environments.datasets.ids import unknown_ids
from groundlings.environments.datasets.tables import Column, Table
from groundlings.environments.datasets.times import read_times
from groundlings.environments.errors import DataError, shown
from groundlings.environments.interactions import Interactions
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
    rows = read(base / config.interactions.path.expanduser())
    users = rows.ids(config.interactions.user, "own.interactions.user")
    if config.users is None:
        _filled(users, "a user's id")
        # Shorter ids first puts "2" before "10"; any fixed order would do, as long as the file's does not matter.
        people = _nameless(sorted(set(users.cells), key=lambda user_id: (len(user_id), user_id)))
    else:
        people = _users(config.users, read(base / config.users.path.expanduser()))
    _refuse_many_genres(catalog, people, config.items)
    history = _interactions(config.interactions, rows, users, people, catalog, config.scale.scale())
    paths = [config.interactions.path, config.items.path, *([config.users.path] if config.users else [])]
    source = ", ".join(str(path) for path in paths)
    return Dataset("own", catalog, people, history, config.scale.scale(), source, OWN_LICENCE)


def _items(config: ItemColumns, table: Table) -> Catalog:
    ids = table.ids(config.id, "own.items.id")
    titles = table.column(config.title, "own.items.title")
    _unique(ids, "an item's id")
    _filled(titles, "a title")
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
    )


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


def _interactions(
    config: InteractionColumns, rows: Table, users: Column, people: People, catalog: Catalog, scale: RatingScale
) -> Interactions:
    items = rows.ids(config.item, "own.interactions.item")
    times = rows.column(config.timestamp, "own.interactions.timestamp")
    stars = None if config.rating is None else rows.column(config.rating, "own.interactions.rating")
    user_rows = _looked_up(users, people.user_ids, "user", "the users file")
    item_rows = _looked_up(items, catalog.item_ids, "item", "the items file")
    moments = read_times(times, config.time_unit)
    history = Interactions.of(
        user_rows,
        item_rows,
        None if stars is None else _ratings(stars, scale),
        moments.ticks,
        n_users=len(people),
        n_items=len(catalog),
        ticks_per_second=moments.per_second,
    )
    _refuse_repeats(history, rows, users, items)
    return history.chronological()


def _filled(column: Column, what: str) -> None:
    """Refuse an empty cell."""
    if "" in column.values:
        row = int(np.flatnonzero(np.array([value == "" for value in column.values])[column.codes])[0])
        column.fail(row, f"the cell is empty, expected {what}; fill it in or remove the row")


def _unique(column: Column, what: str) -> None:
    """Refuse an empty cell, and a cell that an earlier row holds."""
    _filled(column, what)
    first: dict[str, int] = {}
    for row, cell in enumerate(column.cells):
        if cell in first:
            earlier = column.table.where(first[cell])
            column.fail(row, f"{shown(cell)} stands already on {earlier}; {what} must be unique: remove one of the two")
        first[cell] = row


def _looked_up(column: Column, ids: Sequence[str], kind: str, home: str) -> IntArray:
    """The row number of each cell's id, shape (n_rows,)."""
    number = {known: row for row, known in enumerate(ids)}
    found = np.array([number.get(value, -1) for value in column.values], dtype=np.int64)[column.codes]
    if (found < 0).any():
        row = int(np.argmax(found < 0))
        missing = [column.cells[each] for each in np.flatnonzero(found < 0).tolist()]
        told = unknown_ids(kind, missing, ids, home)
        column.fail(row, told)
    return found


def _ratings(column: Column, scale: RatingScale) -> FloatArray:
    values = scale.values

    def stars(cell: str) -> float:
        if not cell:
            return math.nan  # met, but not rated
        wanted = f"a rating from {scale.low:g} to {scale.high:g} in steps of {scale.step:g} (own.scale), or nothing"
        try:
            value = float("" if "_" in cell else cell)  # Python takes 1_0 for ten
        except ValueError:
            raise ValueError(wanted) from None
        place = levels.place(values, value)
        if place < 0:
            raise ValueError(wanted)
        return values[place]  # to the last bit what the site offers: 1 + 3 * 0.1 is not 1.3

    return column.parsed(stars, np.float64)


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


def _refuse_repeats(history: Interactions, rows: Table, users: Column, items: Column) -> None:
    order = np.lexsort((history.timestamps, history.items, history.users))
    columns = (history.users[order], history.items[order], history.timestamps[order])
    same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    if same.any():
        place = int(np.argmax(same))
        earlier, later = sorted((int(order[place]), int(order[place + 1])))
        rows.fail(
            later,
            f"user {shown(users.cells[later])} met item {shown(items.cells[later])} at the same moment as on "
            f"{rows.where(earlier)}; remove one of the two rows",
        )
