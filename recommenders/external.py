"""Rankings made elsewhere, read from a file: the door for every library that cannot be imported here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import DataError, NotFitted, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.paths import NamedPath
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import Recommender, hash_of

if TYPE_CHECKING:
    import pandas as pd


class ExternalRecommender(Recommender):
    """Reads each user's ranked list from a CSV or Parquet file; it learns nothing.

    The file has the columns user_id and item_id (the data set's own ids) and rank (smaller = earlier), or score
    (higher = earlier, ties by the order of the catalog), or both: then rank decides the order. Other columns are
    not read. Items a user has seen are left out of their list and nothing fills it up: give lists longer than a
    visit can go. A user the file does not know cannot be ranked for; that is an error, not an empty page.

    Args:
        path: The file, relative to the experiment file.
        catalog: The items the file may name.
        user_ids: The users the file may name, in the order of user numbers.
        base_directory: Where a relative path starts.
    """

    def __init__(self, path: NamedPath, *, catalog: Catalog, user_ids: Sequence[str], base_directory: Path) -> None:
        self.path = base_directory / path
        self._user_ids = tuple(user_ids)
        frame = _read(self.path)
        users = _numbers(frame, "user_id", self._user_ids, self.path)
        items = _numbers(frame, "item_id", catalog.item_ids, self.path)
        _refuse_twice(frame, ["user_id", "item_id"], self.path)
        scores = _values(frame, "score", self.path)
        if "rank" in frame:
            _refuse_twice(frame, ["user_id", "rank"], self.path)
            key = _values(frame, "rank", self.path)
        else:
            key = -scores
        order = np.lexsort((items, key, users))
        self._items: ItemArray = items[order].astype(np.int32)
        self._scores = scores[order]
        self._starts: IntArray = np.searchsorted(users[order], np.arange(len(self._user_ids) + 1)).astype(np.int64)
        self._fitted = False

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """Nothing is learnt: the lists are those of the file."""
        self._fitted = True

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; raises `DataError` for a user the file does not know."""
        if not self._fitted:
            raise NotFitted("ExternalRecommender.recommend was called before fit")
        lengths = self._starts[request.users + 1] - self._starts[request.users]
        if not lengths.all():
            missing = [self._user_ids[user] for user in request.users[lengths == 0]]
            raise DataError(
                f"{self.path}: no ranking for user {missing[0]!r} ({len(missing)} of {len(request)} users who came "
                "have none); add their rows, or let only users browse that the file covers"
            )
        rows = np.repeat(np.arange(len(request)), lengths)
        first = np.cumsum(lengths) - lengths
        places = self._starts[request.users][rows] + np.arange(len(rows)) - first[rows]

        n_items = request.seen.shape[1]
        seen = request.seen.tocoo()
        new = ~np.isin(rows * n_items + self._items[places], seen.coords[0].astype(np.int64) * n_items + seen.coords[1])
        rows, places = rows[new], places[new]
        ranks = np.arange(len(rows)) - np.searchsorted(rows, rows)
        rows, places, ranks = (column[ranks < request.size] for column in (rows, places, ranks))

        items = np.full((len(request), request.size), NO_ITEM, dtype=np.int32)
        scores = np.full(items.shape, np.nan)
        items[rows, ranks] = self._items[places]
        scores[rows, ranks] = self._scores[places]
        return Ranking.deterministic(items, scores)

    def state(self) -> str:
        """See `Recommender.state`."""
        return hash_of(self._items, self._starts)


def _read(path: Path) -> pd.DataFrame:
    """The file as text columns; which columns it must have is checked here, what is in them is not."""
    import pandas as pd

    if path.suffix not in (".csv", ".parquet"):
        raise DataError(f"{path}: rankings are read from .csv or .parquet files, found {path.suffix or 'no suffix'!r}")
    try:
        if path.suffix == ".csv":
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        else:
            frame = pd.read_parquet(path).astype(str)
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file; the path starts at the experiment file") from error
    except (ValueError, OSError, LookupError, TypeError, AttributeError) as error:  # the last three: Parquet metadata
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {error}") from error
    missing = {"user_id", "item_id"} - set(frame.columns)
    if missing or not {"rank", "score"} & set(frame.columns):
        raise DataError(
            f"{path}: found columns {', '.join(map(str, frame.columns))}; expected user_id, item_id, and rank or score"
        )
    return frame


def _numbers(frame: pd.DataFrame, column: str, ids: Sequence[str], path: Path) -> IntArray:
    """Row numbers for ids, all of which must be known."""
    number = {name: row for row, name in enumerate(ids)}
    rows = frame[column].map(number)
    if rows.isna().any():
        bad = int(np.flatnonzero(rows.isna())[0])
        raise DataError(
            f"{path}, row {bad + 1}: {column} {shown(frame[column].iloc[bad])} is not in the data set "
            f"({int(rows.isna().sum())} such rows); ids are those of the data set's own files"
        )
    return np.asarray(rows, dtype=np.int64)


def _values(frame: pd.DataFrame, column: str, path: Path) -> FloatArray:
    """A numeric column, NaN throughout where the file does not have it."""
    import pandas as pd

    if column not in frame:
        return np.full(len(frame), np.nan)
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(values).any():
        bad = int(np.flatnonzero(np.isnan(values))[0])
        raise DataError(f"{path}, row {bad + 1}: {column} {shown(frame[column].iloc[bad])} is not a number")
    return values


def _refuse_twice(frame: pd.DataFrame, columns: list[str], path: Path) -> None:
    twice = frame.duplicated(columns)
    if twice.any():
        bad = int(np.flatnonzero(twice)[0])
        pair = ", ".join(f"{column} {shown(frame[column].iloc[bad])}" for column in columns)
        raise DataError(f"{path}, row {bad + 1}: {pair} occur together a second time; once is expected")
