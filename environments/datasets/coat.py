"""Coat: people who rated what they had chosen themselves, and later items that were drawn at random for them.

Schnabel, Swaminathan, Singh, Chandak and Joachims 2016, "Recommendations as treatments: debiasing learning and
evaluation" (ICML): 290 people chose and rated 24 of 300 coats, then rated 16 coats that were drawn uniformly. The first
part is the history of the data set; the second says what people like that they would not have picked, which no history
tells, and `random_part` reads it. Any data in the same files can be read, whatever their size:

    train.ascii, test.ascii                               a row per person, a number per item; 0 = not rated
    user_features.ascii, user_features_map.txt            a row per person, 0 or 1 per feature; names as attribute:value
    item_features.ascii, item_features_map.txt            the same per item; each feature becomes a genre

The feature files may be absent. The files know no times (`Dataset.times_known`), so runs need `split: {kind: random}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.errors import DataError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.row_order import seeded_order
from groundlings.environments.words import Words

LICENCE = (
    "Coat: given out by its authors for research; acknowledge Schnabel et al. 2016. It is not part of this project and "
    "may not be passed on without their permission."
)
WHERE = (
    "Coat (Schnabel et al. 2016, Recommendations as treatments: 290 people, 300 coats, self-chosen and uniformly "
    "random ratings) is not downloaded: get it from its authors, https://www.cs.cornell.edu/~schnabts/mnar/, unpack it "
    "and name the folder that holds train.ascii and test.ascii"
)
CHOSEN, RANDOM = "train.ascii", "test.ascii"
"""The file of each part."""


def load_coat(directory: Path) -> Dataset:
    """The self-chosen part of the data in a folder, with what is known of people and items.

    Raises:
        DataError: A file is missing or says something impossible.
    """
    users, items, ratings, shape = _ratings(directory / CHOSEN)
    people, catalog = _people(directory, shape[0]), _catalog(directory, shape[1])
    history = Interactions.of(
        users, items, ratings, np.zeros(len(users), dtype=np.int64), n_users=shape[0], n_items=shape[1]
    )
    history = history.take(seeded_order(history, people.user_ids, catalog.item_ids, "coat"))
    return Dataset("coat", catalog, people, history, RatingScale(), str(directory), LICENCE, times_known=False)


def random_part(directory: Path, history: Interactions) -> tuple[Interactions, int]:
    """The ratings of randomly drawn items, and how many of them were left out because the history holds the pair too.

    Args:
        directory: The folder that the history was read from.
        history: The self-chosen part.

    Raises:
        DataError: The file is missing, says something impossible, or is of other people or items.
    """
    users, items, ratings, shape = _ratings(directory / RANDOM)
    if shape != (history.n_users, history.n_items):
        raise DataError(
            f"{directory / RANDOM}: found {shape[0]} people and {shape[1]} items, expected {history.n_users} and "
            f"{history.n_items} as in {CHOSEN}; take both files from one copy of the data"
        )
    known = np.isin(users * shape[1] + items, history.users * shape[1] + history.items)
    drawn = Interactions.of(
        users, items, ratings, np.zeros(len(users), dtype=np.int64), n_users=shape[0], n_items=shape[1]
    )
    return drawn.take(~known), int(known.sum())


def _ratings(path: Path) -> tuple[IntArray, IntArray, np.ndarray[tuple[int], np.dtype[np.float64]], tuple[int, int]]:
    """People, items and ratings of a file, and how many people and items it has."""
    users, items, ratings, width, height = [], [], [], 0, 0
    for user, row in enumerate(_rows(path)):
        width, height = len(row), user + 1
        (rated,) = np.nonzero(row)
        if not np.isin(row[rated], RatingScale().values).all():
            wrong = row[rated][~np.isin(row[rated], RatingScale().values)][0]
            raise DataError(f"{path}, line {user + 1}: found {wrong:g}, expected 1, 2, 3, 4 or 5, or 0 for not rated")
        users.append(np.full(len(rated), user, dtype=np.int64))
        items.append(rated.astype(np.int64))
        ratings.append(row[rated])
    return np.concatenate(users), np.concatenate(items), np.concatenate(ratings), (height, width)


def _people(directory: Path, n_users: int) -> People:
    known = _features(directory, "user", n_users)
    attributes = tuple({name: value for name, _, value in (each.partition(":") for each in row)} for row in known)
    return People(tuple(map(str, range(n_users))), attributes)


def _catalog(directory: Path, n_items: int) -> Catalog:
    genres = _features(directory, "item", n_items)
    return Catalog(
        item_ids=tuple(map(str, range(n_items))),
        titles=tuple(_title(item, row) for item, row in enumerate(genres)),
        years=np.full(n_items, np.nan),
        genres=genres,
        words=Words("coat", "coats"),
    )


def _title(item: int, features: tuple[str, ...]) -> str:
    """The files name no item, so it is called by its number and what is known of it."""
    values = [value for name, _, value in (each.partition(":") for each in features) if value not in ("yes", "no")]
    return f"Item {item}" + (f" ({', '.join(values)})" if values else "")


def _features(directory: Path, kind: str, size: int) -> tuple[tuple[str, ...], ...]:
    """What is known of each person or item, as "name:value"; nothing where the data have no such files."""
    table, names = directory / f"{kind}_features.ascii", directory / f"{kind}_features_map.txt"
    if not table.exists() and not names.exists():
        return ((),) * size
    called = [line.strip() for line in _lines(names) if line.strip()]
    rows = []
    for number, row in enumerate(_rows(table), start=1):
        if len(row) != len(called) or not np.isin(row, (0, 1)).all():
            raise DataError(
                f"{table}, line {number}: expected a 0 or a 1 for each of the {len(called)} features in {names.name}, "
                f"found {len(row)} cells; take both files from one copy of the data"
            )
        rows.append(tuple(called[column] for column in np.flatnonzero(row)))
    if len(rows) != size:
        raise DataError(f"{table}: found {len(rows)} lines, expected {size}, one per {kind}")
    return tuple(rows)


def _rows(path: Path) -> Iterator[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The lines of a file as numbers, all of one length; a line at a time, because most cells are 0."""
    width = 0
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split()
        width = width or len(cells)
        if not cells or len(cells) != width:
            raise DataError(f"{path}, line {number}: found {len(cells)} cells, expected {width}; get the file again")
        try:
            yield np.array(cells, dtype=np.float64)
        except ValueError:
            raise DataError(f"{path}, line {number}: found {shown(line.strip())}, expected numbers") from None
    if not width:
        raise DataError(f"{path}: the file is empty, expected a line per row; get it again")


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            yield from file
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. {WHERE}") from None
    except (OSError, UnicodeDecodeError) as fault:
        raise DataError(f"{path}: cannot be read as text ({fault}); get the file again") from None
