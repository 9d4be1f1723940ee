"""What MovieLens-100K and MovieLens-1M have in common (Harper and Konstan 2015, "The MovieLens Datasets")."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.datasets.titles import read_title
from groundlings.environments.errors import DataError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.words import Words

if TYPE_CHECKING:
    import pandas as pd

LICENCE = (
    "GroupLens terms: research use, acknowledge GroupLens (Harper and Konstan 2015), no commercial use and no "
    "redistribution without permission."
)
GENDERS = {"M": "male", "F": "female"}


def records(content: bytes, encoding: str, separator: str, width: int, name: str) -> list[list[str]]:
    """The lines of a file, cut at its separator.

    Raises:
        DataError: A line has another number of cells than `width`.
    """
    try:
        lines = content.decode(encoding).split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: byte {error.start} is not {encoding}; fetch the file again") from error
    cells = [line.rstrip("\r").split(separator) for line in lines if line.strip()]
    for number, row in enumerate(cells, start=1):
        if len(row) != width:
            raise DataError(f"{name}, line {number}: found {len(row)} cells, expected {width}; fetch the file again")
    return cells


def table(content: bytes, name: str, *, separator: str, header: bool, columns: Sequence[int]) -> list[pd.Series]:
    """Some columns of a large file of ratings, ids as categories and numbers as they are."""
    import pandas as pd

    kinds = {0: "category", 1: "category", 2: "float64", 3: "int64"}
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            sep=separator,
            header=None,
            skiprows=1 if header else 0,
            usecols=list(columns),
            dtype={column: kinds[place] for place, column in enumerate(columns)},
            encoding="utf-8",
            quoting=3,  # titles hold quotation marks that quote nothing
            na_filter=False,
        )
    except (ValueError, OverflowError) as error:
        raise DataError(f"{name}: {error}; fetch the file again") from error
    return [frame[column] for column in columns]


def catalog(ids: Sequence[str] | None, titles: Sequence[str], genres: Sequence[Sequence[str]]) -> Catalog:
    """The films; without ids a film's id is "Title (Year)"."""
    read = [read_title(title) for title in titles]
    named = [f"{title} ({year})" for title, year in read] if ids is None else ids
    return Catalog(
        item_ids=tuple(named),
        titles=tuple(title for title, _ in read),
        years=np.array([np.nan if year is None else year for _, year in read], dtype=np.float64),
        genres=tuple(tuple(sorted(set(some) - {"", "unknown"})) for some in genres),
        words=Words("film", "films", {"interaction": "watched"}),
    )


def known(**attributes: str | None) -> dict[str, str]:
    """What a person told; what is unknown is absent."""
    return {name: value for name, value in attributes.items() if value}


def build(
    name: str, films: Catalog, people: People, columns: Sequence[pd.Series], keys: Sequence[str], source: str
) -> Dataset:
    """Put the parts together.

    Args:
        name: Of the data set.
        films: Its catalog.
        people: Its users.
        columns: Users, items (both as categories of their ids), ratings, timestamps.
        keys: What the ratings call each film of the catalog.
        source: Where the bytes came from.
    """
    users, items, ratings, timestamps = columns
    history = Interactions.of(
        _rows(users, people.user_ids, "user", name),
        _rows(items, keys, "film", name),
        ratings.to_numpy(),
        timestamps.to_numpy(),
        n_users=len(people),
        n_items=len(films),
    )
    # Pages of films were rated within one second, and the files have no order of their own: of several ratings of one
    # second the film of the smaller number comes first.
    by_film = history.take(np.argsort(history.items, kind="stable"))
    return Dataset(name, films, people, by_film.chronological(), RatingScale(), source, LICENCE)


def _rows(column: pd.Series, ids: Sequence[str], kind: str, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    import pandas as pd

    rows = pd.Index(ids).get_indexer(pd.Index(column.cat.categories.astype(str)))
    if (rows < 0).any():
        stranger = str(column.cat.categories[int(np.argmin(rows))])
        raise DataError(
            f"{name}: a rating names {kind} {shown(stranger)}, which no other file knows; fetch the data again"
        )
    return rows.astype(np.int64)[column.cat.codes.to_numpy()]
