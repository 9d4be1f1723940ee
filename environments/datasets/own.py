"""Your own tables as a data set, or one clear error that names files, rows and fixes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import BETWEEN_GENRES, COST, Catalog
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.config import (
    HeldOutFile,
    InteractionColumns,
    ItemColumns,
    OwnData,
    UserColumns,
)
from groundlings.environments.datasets.feedback import (
    feedback_notes,
    refuse_nothing_counted,
    with_liking,
    words_of,
)
from groundlings.environments.datasets.genres import genres_of
from groundlings.environments.datasets.ids import alike, by_length
from groundlings.environments.datasets.offer_columns import OfferColumns
from groundlings.environments.datasets.own_history import History, Names, read_history
from groundlings.environments.datasets.own_offers import read_offers, unit_costs
from groundlings.environments.datasets.problems import Problems
from groundlings.environments.datasets.remarks import (
    DROP_OR_REMOVE,
    MAKE_EMPTY,
    REMOVE,
    remark_on_ratings,
    remark_on_words,
)
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError, shown
from groundlings.environments.memory import available_memory, spelt
from groundlings.environments.offers import Offers
from groundlings.environments.paths import files_at, together
from groundlings.environments.people import People
from groundlings.environments.words import Words, plural

OWN_LICENCE = "Your own data, on your own terms."

_BYTES_PER_MEMBERSHIP = 16
"""Of an item in a genre and of a person's taste for it, in the tables that are made of them."""

_YEAR = re.compile(r"(\d{1,4})(\.0)?")


@dataclass(frozen=True, slots=True)
class _Items:
    """What the file of the items says, one entry per usable row; see `Catalog`."""

    ids: Sequence[str]
    titles: Sequence[str]
    years: FloatArray
    genres: Sequence[tuple[str, ...]]
    texts: Sequence[str]
    features: Mapping[str, NDArray[Any]]

    def take(self, rows: IntArray) -> _Items:
        """Some of the rows."""
        ids, titles, genres, texts = (
            [column[row] for row in rows.tolist()] for column in (self.ids, self.titles, self.genres, self.texts)
        )
        features = {name: values[rows] for name, values in self.features.items()}
        return _Items(ids, titles, self.years[rows], genres, texts, features)

    def catalog(self, words: Words) -> Catalog:
        """The catalog of these items, and what they are called."""
        texts = tuple(cell or None for cell in self.texts)
        return Catalog(
            tuple(self.ids), tuple(self.titles), self.years, tuple(self.genres), texts, dict(self.features), words
        )


def load_own(config: OwnData, base: Path, read: Callable[[Path], Table] | None = None) -> Dataset:
    """The tables a configuration names.

    Args:
        config: Files and column names.
        base: What relative paths start from.
        read: Gives the table that lies at a path; files are read if absent.

    Raises:
        DataError: A table is missing or damaged, or rows say something impossible and `on_problem` says to stop; the
            message names every kind of problem.
    """
    problems, on_problem = Problems(), config.on_problem or "stop"

    def table(path: Path | tuple[Path, ...]) -> Table | None:
        if read is not None and isinstance(path, Path):
            return replace(read(path), problems=problems)
        return problems.attempt(lambda: Table.read_all(files_at(base, path), problems))

    tables = {name: table(section.path) for name, section in sections_of(config)}
    items, rows, held_out, users = (tables.get(name) for name in ("items", "interactions", "held_out", "users"))
    catalog, people, history, offers = None, None, None, None
    for name, section in sections_of(config):
        _check_headers(tables[name], name, config.interactions if name == "held_out" else section)
    if items is not None and rows is not None and not problems.faults:
        described = _items(config.items, items)
        named = _met_in(rows, config) if config.users is None or users is None else _users(config.users, users)
        if described is not None and named is not None:
            all_items = tuple(dict.fromkeys(described.ids))
            if on_problem != "stop":  # else items of bad rows would be unknown to all who met them
                described = described.take(_usable(items))
                named = named if users is None else _some(named, _usable(users))
            ids = Names(tuple(dict.fromkeys(named.user_ids)), tuple(dict.fromkeys(described.ids)), users is not None)
            history = problems.attempt(partial(_history, config, rows, held_out, ids))
            offers = problems.attempt(partial(_offers, config, tables.get("offers"), all_items, ids.items))
            catalog, people = described, named
    problems.stop(on_problem)
    if catalog is None or people is None or history is None:
        raise DataError("; ".join(["own.on_problem leaves out all rows", *problems.notes("report")]))
    if problems.rows and users is None:
        history, people = _who_is_left(history, people)
    return _dataset(config, catalog.catalog(words_of(config)), people, history, offers, problems)


def _offers(config: OwnData, table: Table | None, all_items: Sequence[str], item_ids: Sequence[str]) -> Offers | None:
    """The offers, if there are any, without those of items that were left out.

    Another row that says something impossible is never left out: periods hang together.
    """
    if config.offers is None or table is None:
        return None
    offers = read_offers(config.offers, replace(table, problems=None), tuple(all_items))
    remark_on_words(table.ids(config.offers.item, "own.offers.item"), "own.offers.item", REMOVE)
    if len(all_items) == len(item_ids):
        return offers
    places = {item_id: place for place, item_id in enumerate(item_ids)}
    numbers = np.array([places.get(item_id, -1) for item_id in all_items], dtype=np.int32)[offers.items]
    if (numbers < 0).any():
        missing = shown(all_items[int(offers.items[np.argmax(numbers < 0)])])
        table.reject(np.flatnonzero(numbers < 0), f"column {config.offers.item!r}: the item {missing} is left out")
    return offers.take(np.flatnonzero(numbers >= 0), numbers, len(item_ids))


def _history(config: OwnData, rows: Table, held_out: Table | None, names: Names) -> History | None:
    """See `read_history`; at least one row is an interaction."""
    columns = config.interactions
    found = read_history(columns, rows, held_out, names, config.rating_scale())
    if found is not None:
        refuse_nothing_counted(found.interactions, columns, together(columns.path))
    return found


Section = ItemColumns | InteractionColumns | HeldOutFile | UserColumns | OfferColumns


def sections_of(config: OwnData) -> Iterator[tuple[str, Section]]:
    """The parts of a configuration that name files, with the name of each, in the order of `Dataset.source`."""
    yield "interactions", config.interactions
    if config.interactions.held_out is not None:
        yield "held_out", config.interactions.held_out
    yield "items", config.items
    if config.users is not None:
        yield "users", config.users
    if config.offers is not None:
        yield "offers", config.offers


_NAMES_COLUMNS = ("user", "item", "timestamp", "rating", "kind", "weight", "id", "title", "year", "genres", "text")


def _check_headers(table: Table | None, name: str, section: Section) -> None:
    """Note each column that a part of the configuration names and its file does not have."""
    named = [(key, getattr(section, key, None)) for key in _NAMES_COLUMNS]
    named += [("attributes", each) for each in getattr(section, "attributes", ())]
    part = "interactions" if name == "held_out" else name
    for key, header in named:
        if table is not None and header is not None:
            table.attempt(partial(table.check_header, header, f"own.{part}.{key}"))


def _dataset(
    config: OwnData, catalog: Catalog, people: People, history: History, offers: Offers | None, problems: Problems
) -> Dataset:
    _refuse_many_genres(catalog, people, config.items)
    columns, notes = config.interactions, (*problems.notes(config.on_problem or "stop"), *problems.remarks)
    if history.merged:
        rule = columns.same_moment or "merge"
        name, count = ("row names", "counts") if history.merged == 1 else ("rows name", "count")
        notes += (
            f"interactions: {history.merged:,} {name} a user, an item and a time that another row names, and {count} "
            f"once with it (own.interactions.same_moment: {rule})",
        )
    if history.bare:
        notes += (
            f"interactions: {plural(history.bare, 'row')} without an offset from UTC, where others have one, "
            "counted as UTC (own.interactions.timestamp); where they were read from another clock, write its offset",
        )
    interactions, scale = with_liking(
        history.interactions, columns, config.rating_scale(), stated=config.scale is not None
    )
    if columns.rating is not None:
        notes += remark_on_ratings(interactions.ratings, scale, "own.interactions.rating")
    if same := alike(catalog.genre_names):
        notes += (f"items: of the genres {same} (own.items.genres)",)
    for name, ids in (("items", catalog.item_ids), ("users", people.user_ids)):
        if not all(map(str.isascii, ids)) and (same := alike(ids)):
            notes += (f"{name}: of the ids {same}",)
    return Dataset(
        "own",
        catalog,
        people,
        interactions,
        scale,
        ", ".join(together(section.path) for _, section in sections_of(config)),
        OWN_LICENCE,
        columns.timestamp is not None,
        history.parts,
        (*notes, *feedback_notes(interactions, columns.counted)),
        counted=columns.counted,
        asks_ratings=config.scale is not None,
        offers=offers,
    )


def _items(config: ItemColumns, table: Table) -> _Items | None:
    """The items of all rows; None where a column cannot be used."""
    ids = table.attempt(lambda: table.ids(config.id, "own.items.id"))
    titles = table.attempt(lambda: table.column(config.title, "own.items.title"))
    columns: dict[str, Column | None] = {}
    for key in ("year", "genres", "text"):
        name: str | None = getattr(config, key)
        if name is not None:
            columns[key] = table.attempt(partial(_item_column, table, name, key))
    if ids is None or titles is None or None in columns.values():
        return None
    _unique(ids, "an item's id")
    titles.refuse_empty("a title")
    remark_on_words(ids, "own.items.id", DROP_OR_REMOVE)
    remark_on_words(titles, "own.items.title", DROP_OR_REMOVE)
    for key, each in columns.items():
        remark_on_words(each, f"own.items.{key}", MAKE_EMPTY)
    years, genres, texts = (columns.get(key) for key in ("year", "genres", "text"))
    n_rows = len(ids.codes)
    return _Items(
        ids.cells,
        titles.cells,
        np.full(n_rows, np.nan) if years is None else years.parsed(_year, np.float64),
        ((),) * n_rows if genres is None else _genres(genres, config.genre_separator),
        [""] * n_rows if texts is None else texts.cells,
        _features(config, table),
    )


def _features(config: ItemColumns, table: Table) -> dict[str, NDArray[Any]]:
    """Further columns by their headers, and the cost per unit; without those that cannot be used."""
    features: dict[str, NDArray[Any]] = {}
    for name in config.features or ():
        column = table.attempt(partial(table.column, name, "own.items.features"))
        remark_on_words(column, "own.items.features", MAKE_EMPTY)
        if column is not None:
            features[name] = np.array([*(cell or None for cell in column.cells), None], dtype=np.object_)[:-1]
    if config.cost is not None:
        costs = table.attempt(partial(table.column, config.cost, "own.items.cost"))
        if costs is not None:
            features[COST] = unit_costs(costs)
    return features


def _item_column(table: Table, name: str, key: str) -> Column:
    return table.column(name, f"own.items.{key}", lists=key == "genres")


def _refuse_many_genres(catalog: Catalog, people: People, config: ItemColumns) -> None:
    """Refuse genres that no memory could hold, as where a whole description was taken for one."""
    genres = len({genre for each in catalog.genres for genre in each})
    needed, there = genres * (len(catalog) + len(people)) * _BYTES_PER_MEMBERSHIP, available_memory()
    if there.bytes is not None and needed > there.bytes:
        raise DataError(
            f"{together(config.path)}: column {config.genres!r} (own.items.genres) has {genres:,} different genres for "
            f"{len(catalog):,} items, which takes {spelt(needed)}, and {spelt(there.bytes)} are left ({there.limit}); "
            f"name a column of few genres, or what stands between them (own.items.genre_separator, now "
            f"{config.genre_separator!r})"
        )


def _users(config: UserColumns, table: Table) -> People | None:
    """The people of all rows of their file; None where a column cannot be used."""
    ids = table.attempt(lambda: table.ids(config.id, "own.users.id"))
    columns = {name: table.attempt(partial(table.column, name, "own.users.attributes")) for name in config.attributes}
    if ids is None or None in columns.values():
        return None
    _unique(ids, "a user's id")
    remark_on_words(ids, "own.users.id", DROP_OR_REMOVE)
    for each in columns.values():
        remark_on_words(each, "own.users.attributes", MAKE_EMPTY)
    cells = {name: column.cells for name, column in columns.items() if column is not None}
    known = tuple({name: each[row] for name, each in cells.items() if each[row]} for row in range(len(ids.codes)))
    return People(tuple(ids.cells), known)


def _met_in(rows: Table, config: OwnData) -> People | None:
    """The people of the interactions, of whom nothing else is known; None where the column cannot be used."""
    users = rows.attempt(lambda: rows.ids(config.interactions.user, "own.interactions.user"))
    if users is None:
        return None
    users.refuse_empty("a user's id")
    return _nameless(by_length(users.texts))


def _who_is_left(history: History, people: People) -> tuple[History, People]:
    """The same without people all of whose rows were left out."""
    users, places = np.unique(history.interactions.users, return_inverse=True)
    left = replace(history.interactions, users=places.astype(np.int64), n_users=len(users))
    return replace(history, interactions=left), _some(people, users)


def _some(people: People, rows: IntArray) -> People:
    return People(
        tuple(people.user_ids[row] for row in rows.tolist()), tuple(people.attributes[row] for row in rows.tolist())
    )


def _usable(table: Table) -> IntArray:
    """Numbers of the rows that nobody has complained of."""
    assert table.problems is not None
    return np.flatnonzero(table.problems.usable(table))


def _nameless(user_ids: Sequence[str]) -> People:
    nothing: dict[str, str] = {}  # one for all: a million of them take 70 MB
    return People(tuple(user_ids), (nothing,) * len(user_ids))


def _unique(column: Column, what: str) -> None:
    """Reject an empty cell, and a cell that an earlier row holds."""
    column.refuse_empty(what)
    if len(set(column.values)) == len(column.codes):
        return
    first: dict[str, int] = {}
    again = np.zeros(len(column.codes), dtype=np.bool_)
    for row, cell in enumerate(column.cells):
        again[row] = bool(cell) and first.setdefault(cell, row) != row
    if again.any():
        cell = column.cells[int(np.argmax(again))]
        column.reject(
            again,
            f"{shown(cell)} stands already on {column.table.where(first[cell])}; {what} must be unique: remove one of "
            "the two",
        )


def _year(cell: str) -> float:
    if not cell:
        return math.nan
    match = _YEAR.fullmatch(cell)
    if match is None:
        raise ValueError("a year such as 1993, or nothing")
    return float(match[1])


def _genres(column: Column, separator: str) -> tuple[tuple[str, ...], ...]:
    """The genres of every row, () where the cell was rejected."""

    def read(cell: str) -> tuple[str, ...]:
        found = genres_of(cell, separator)
        if any(BETWEEN_GENRES in genre for genre in found):
            raise ValueError(
                f"genres without the sign {BETWEEN_GENRES}, which stands between genres in logs and exports; write "
                f"another sign in its place, or name it as own.items.genre_separator (now {separator!r})"
            )
        return found

    distinct = [each or () for each in column.each(read)]
    return tuple(distinct[code] for code in column.codes.tolist())
