"""A log of what was shown as `Exposures` of a data set, or one clear error that names file, row and fix."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.ids import unknown_ids
from groundlings.environments.datasets.ratings import read_ratings
from groundlings.environments.datasets.remarks import (
    REMOVE,
    remark_on_moments,
    remark_on_ratings,
    remark_on_words,
)
from groundlings.environments.datasets.tables import Table
from groundlings.environments.datasets.time_cells import TimeUnit
from groundlings.environments.datasets.times import Times, read_times
from groundlings.environments.errors import shown
from groundlings.environments.exposures import UNKNOWN, Exposures, Policy, Shape
from groundlings.environments.paths import NamedPath

Unknown = Literal["refuse", "leave_out"]

_WHOLE = re.compile(r"(\d{1,15})(\.0)?")
_FARTHEST = 100_000
"""Page or position; higher numbers are ids of something."""
_YES, _NO = frozenset({"1", "true", "yes"}), frozenset({"0", "false", "no"})


class ExposuresConfig(BaseModel):
    """A log of what was shown to real people, opened or not, for `groundlings calibrate`; no session of a run
    depends on it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    path: NamedPath
    """A CSV, TSV (`.tsv`) or Parquet file, one row per item shown; relative to the experiment file."""
    policy: Policy = "logged"
    """How the shown items were chosen: `random` (uniformly, for every place), or `logged` (by a recommender)."""
    user: str = "user"
    """Column with the user's id."""
    item: str = "item"
    """Column with the item's id."""
    list: str | None = None
    """Column with the id of the page or list that a row belongs to."""
    page: str | None = None
    """Column with the number of that page in its session, from 1. Without it, the lists of a session count in the order
    of their times."""
    session: str | None = None
    """Column with the session's id."""
    position: str | None = None
    """Column with the place in the list."""
    first_position: int = Field(default=1, ge=0, le=1)
    """Number of the first place: 1, or 0."""
    opened: str | None = None
    """Column that says whether the item was opened: 1 or 0, true or false, yes or no; an empty cell is unknown."""
    rating: str | None = None
    """Column with the stars given, on the data set's scale; an empty cell is unknown."""
    timestamp: str | None = None
    """Column with the time at which the item was shown."""
    time_unit: TimeUnit | None = None
    """What the numbers of that column are; if absent, it is told from the years that they give."""
    propensity: str | None = None
    """Column with P(this item at this place) of the policy that showed it, above 0 and at most 1."""
    censored: str | None = None
    """Column that says whether the session's end is not the person's doing: 1 where there was no further page, or the
    log ends."""
    last_page: int | None = Field(default=None, ge=1, le=1_000_000)
    """Number of the last page that there is: a session that reaches it did not end by choice."""
    shape: Shape = "list"
    """How shown items lie: `list` (looked at from the top), `grid` (row by row), or `flat` (all are seen at once)."""
    columns: int | None = Field(default=None, ge=2, le=100_000)
    """Items per row of a grid."""
    unknown_users: Unknown = "refuse"
    """What to do with rows of users that the data set does not know: `refuse` the file, or `leave_out` and count."""
    unknown_items: Unknown = "refuse"
    """The same for items."""
    hold_out: bool = True
    """Whether the test third of the users (`split.salt`) is left out of the fit. What fitted weights gain is judged on
    them; without them it is not reported."""

    @model_validator(mode="after")
    def _grid_has_columns(self) -> ExposuresConfig:
        if (self.shape == "grid") != (self.columns is not None):
            raise ValueError(
                f"shape is {self.shape}, columns {self.columns or 'absent'}; a grid needs the number of its columns, "
                "and nothing else has one"
            )
        return self


def load_exposures(config: ExposuresConfig, base: Path, dataset: Dataset) -> Exposures:
    """The exposures that a configuration names.

    Args:
        config: File and column names.
        base: What a relative path starts from.
        dataset: Whose people and items the ids are.

    Raises:
        DataError: The file is missing or damaged, says something impossible, or names somebody whom nobody knows.
    """
    rows = Table.read(base / config.path)
    users, items = _column(rows, config.user, "user"), _column(rows, config.item, "item")
    user_rows = _looked_up(users, dataset.people.user_ids, "user", config.unknown_users)
    item_rows = _looked_up(items, dataset.catalog.item_ids, "item", config.unknown_items)
    times = _optional(rows, config.timestamp, "timestamp")
    moments = None if times is None else read_times(times, config.time_unit)
    if times is not None and moments is not None:
        remark_on_moments(times, moments, "exposures.timestamp", REMOVE)
    lists, sessions = (_numbered(_optional(rows, getattr(config, key), key)) for key in ("list", "session"))
    opened, censored = (_truths(_optional(rows, getattr(config, key), key)) for key in ("opened", "censored"))
    for numbers, kind, name in ((lists, "list", config.list), (sessions, "session", config.session)):
        if numbers is not None and name is not None:
            _refuse_shared(rows, numbers, users, kind, name)
    pages = _places(_optional(rows, config.page, "page"), 1)
    if pages is None:
        pages = _pages_by_time(lists, sessions, moments)
    positions = _places(_optional(rows, config.position, "position"), config.first_position)
    stars = _optional(rows, config.rating, "rating")
    ratings = None if stars is None else read_ratings(stars, dataset.scale, "the data set's scale")
    if ratings is not None:
        for told in remark_on_ratings(ratings, dataset.scale, "exposures.rating"):
            rows.remark(int(np.argmax(~np.isnan(ratings))), told)
    known = (user_rows >= 0) & (item_rows >= 0)
    table = Exposures.of(
        np.maximum(user_rows, 0),
        np.maximum(item_rows, 0),
        n_users=len(dataset.people),
        n_items=len(dataset.catalog),
        policy=config.policy,
        lists=lists,
        pages=pages,
        sessions=sessions,
        positions=positions,
        opened=opened,
        ratings=ratings,
        propensities=_propensities(_optional(rows, config.propensity, "propensity")),
        censored=_ends(censored, pages, config.last_page, len(user_rows)) | _shortened(sessions, pages, known),
        timestamps=None if moments is None else moments.ticks,
        ticks_per_second=1 if moments is None else moments.per_second,
        left_out=_left_out(user_rows, item_rows),
    )
    if lists is not None and positions is not None:
        _refuse_taken(rows, lists, positions, config.position or "")
    if not known.any():
        users.fail(0, f"{shown(users.cells[0])}: no row has both a user and an item of the data set {dataset.name}")
    return table if known.all() else table.take(known)


def _column(rows: Table, name: str, key: str) -> Column:
    read = rows.ids if key in ("user", "item", "list", "session") else rows.column
    column = read(name, f"exposures.{key}")
    if key in ("user", "item", "list", "session") and "" in column.values:
        empty = np.array([value == "" for value in column.values])[column.codes]
        column.fail(int(np.argmax(empty)), f"the cell is empty, expected the id of a {key}")
    if key in ("user", "item", "list", "session"):
        remark_on_words(column, f"exposures.{key}", REMOVE)
    return column


def _optional(rows: Table, name: str | None, key: str) -> Column | None:
    return None if name is None else _column(rows, name, key)


def _looked_up(column: Column, ids: Sequence[str], kind: str, unknown: Unknown) -> IntArray:
    """The row number of each id, -1 where it is unknown and may be, shape (n_rows,)."""
    number = {known: row for row, known in enumerate(ids)}
    found = np.array([number.get(value, -1) for value in column.values], dtype=np.int64)[column.codes]
    if unknown == "refuse" and (found < 0).any():
        missing = [column.cells[row] for row in np.flatnonzero(found < 0).tolist()]
        advice = f"remove the rows, or count and leave them out (exposures.unknown_{kind}s: leave_out)"
        column.fail(int(np.argmax(found < 0)), unknown_ids(kind, missing, ids, "the data set", advice))
    return found


def _left_out(users: IntArray, items: IntArray) -> dict[str, int]:
    """Why -> rows that are left out; a row counts once."""
    counts = {"unknown user": int((users < 0).sum()), "unknown item": int(((items < 0) & (users >= 0)).sum())}
    return {why: count for why, count in counts.items() if count}


def _numbered(column: Column | None) -> IntArray | None:
    """A number for each distinct id, shape (n_rows,); cells that differ only in spaces at their ends are one id."""
    if column is None:
        return None
    number = {cell: place for place, cell in enumerate(sorted(set(column.values)))}
    return np.array([number[cell] for cell in column.values], dtype=np.int64)[column.codes]


def _truths(column: Column | None) -> FloatArray | None:
    def truth(cell: str) -> float:
        if not cell:
            return math.nan
        plain = cell.lower().removesuffix(".0")
        if plain not in _YES | _NO:
            raise ValueError("1 or 0, true or false, yes or no, or nothing (unknown)")
        return float(plain in _YES)

    return None if column is None else column.parsed(truth, np.float64)


def _places(column: Column | None, first: int) -> IntArray | None:
    """Places from 1, `UNKNOWN` for empty cells."""

    def place(cell: str) -> int:
        if not cell:
            return UNKNOWN
        match = _WHOLE.fullmatch(cell)  # with .0 where a data frame keeps whole numbers beside unknown ones
        if match is None or not first <= int(match[1]) <= _FARTHEST:
            zero = match is not None and int(match[1]) == 0
            hint = "; where places count from 0, say exposures.first_position: 0" if zero else ""
            raise ValueError(f"a whole number from {first} to {_FARTHEST:,}, or nothing (unknown){hint}")
        return int(match[1]) - first + 1

    return None if column is None else column.parsed(place, np.int64)


def _propensities(column: Column | None) -> FloatArray | None:
    def propensity(cell: str) -> float:
        if not cell:
            return math.nan
        wanted = "a probability above 0 and at most 1, or nothing (unknown)"
        try:
            value = float("" if "_" in cell else cell)
        except ValueError:
            raise ValueError(wanted) from None
        if not 0 < value <= 1:
            raise ValueError(wanted)
        return value

    return None if column is None else column.parsed(propensity, np.float64)


def _refuse_shared(rows: Table, numbers: IntArray, users: Column, kind: str, name: str) -> None:
    """Refuse a list or session that belongs to two people."""
    whose = _numbered(users)
    assert whose is not None
    order = np.lexsort((np.arange(len(numbers)), numbers))
    mixed = (numbers[order][1:] == numbers[order][:-1]) & (whose[order][1:] != whose[order][:-1])
    if mixed.any():
        place = int(np.argmax(mixed))
        earlier, later = int(order[place]), int(order[place + 1])
        rows.fail(
            later,
            f"column {name!r}: the {kind} of user {shown(users.cells[later])} is that of user "
            f"{shown(users.cells[earlier])} on {rows.where(earlier)}; expected one person per {kind}: give "
            "each its own id",
        )


def _refuse_taken(rows: Table, lists: IntArray, positions: IntArray, name: str) -> None:
    """Refuse a place of a list that is given twice: rows that a join doubled, or two lists under one id."""
    told = np.flatnonzero(positions != UNKNOWN)
    order = told[np.lexsort((told, positions[told], lists[told]))]
    again = (lists[order][1:] == lists[order][:-1]) & (positions[order][1:] == positions[order][:-1])
    if again.any():
        place = int(np.argmax(again))
        earlier, later = int(order[place]), int(order[place + 1])
        rows.fail(
            later,
            f"column {name!r}: this place of the list is taken on {rows.where(earlier)} ({int(again.sum()):,} rows "
            "like that); expected one item per place: remove rows that stand twice, or give each list an id of its own",
        )


def _pages_by_time(lists: IntArray | None, sessions: IntArray | None, moments: Times | None) -> IntArray | None:
    """The number of each row's list among those of its session, in the order of their first times, shape (n,)."""
    if lists is None or sessions is None or moments is None:
        return None
    order = np.lexsort((np.arange(len(lists)), moments.ticks))
    _, first = np.unique(lists[order], return_index=True)
    start = np.empty(int(lists.max()) + 1, dtype=np.int64)
    start[np.unique(lists)] = first  # rank of each list's first row in time
    order = np.lexsort((start[lists], sessions))
    turned = lists[order][1:] != lists[order][:-1]
    entered = sessions[order][1:] != sessions[order][:-1]
    count = np.cumsum(np.r_[True, turned | entered])
    begin = np.maximum.accumulate(np.where(np.r_[True, entered], count, 0))
    pages = np.empty(len(lists), dtype=np.int64)
    pages[order] = count - begin + 1
    return pages


def _ends(censored: FloatArray | None, pages: IntArray | None, last_page: int | None, n: int) -> BoolArray:
    """Rows of sessions, or their last pages, that did not end by choice; what is unknown did not either, shape (n,)."""
    ends = np.zeros(n, dtype=np.bool_) if censored is None else np.isnan(censored) | (censored == 1)
    return ends if pages is None or last_page is None else ends | (pages >= last_page)


def _shortened(sessions: IntArray | None, pages: IntArray | None, kept: BoolArray) -> BoolArray:
    """Rows of sessions whose last page is among the rows left out: their end is not where they seem to, shape (n,)."""
    if sessions is None or pages is None or kept.all():
        return np.zeros(len(kept), dtype=np.bool_)
    last, left = (np.full(int(sessions.max()) + 1, UNKNOWN) for _ in range(2))
    np.maximum.at(last, sessions, pages)
    np.maximum.at(left, sessions[kept], pages[kept])
    return np.asarray((left < last)[sessions])
