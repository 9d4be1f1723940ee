"""The interactions of your own tables: who, what, stars, when, and which part of a split that came with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import HELD_OUT, LEFT_OUT, TRAINING, RatingScale
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.config import InteractionColumns, SplitColumn
from groundlings.environments.datasets.feedback import Feedback, joined_feedback, read_feedback
from groundlings.environments.datasets.ids import places_of, unknown_ids
from groundlings.environments.datasets.ratings import read_ratings
from groundlings.environments.datasets.remarks import DROP_OR_REMOVE, remark_on_moments, remark_on_words
from groundlings.environments.datasets.same_moment import together
from groundlings.environments.datasets.tables import Table
from groundlings.environments.datasets.times import Times, read_times
from groundlings.environments.errors import DataError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.row_order import seeded_order
from groundlings.environments.sorting import order_of_two

Parts = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Names:
    """The ids that interactions may name.

    Attributes:
        users, items: In the order of user and item numbers.
        has_users_file: Whether users are those of a file of their own; else those of the (training) interactions.
    """

    users: Sequence[str]
    items: Sequence[str]
    has_users_file: bool


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What the files of interactions say.

    Attributes:
        interactions: All rows, by time, then user.
        parts: The part of the given split that each row belongs to; None where none was given.
        merged: Rows that say again what an earlier one says, and were merged with it.
        bare: Rows whose time says no offset from UTC where others of their column do.
    """

    interactions: Interactions
    parts: Parts | None
    merged: int
    bare: int


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """The usable rows of one file, shape (n,) each; stars and times are None where the configuration names none.

    Attributes:
        table: The file.
        rows: Their numbers in it.
    """

    table: Table
    rows: IntArray
    users: IntArray
    items: IntArray
    stars: FloatArray | None
    times: Times | None
    parts: Parts
    feedback: Feedback

    def take(self, kept: IntArray) -> _Read:
        """Some of the rows."""
        return replace(
            self,
            rows=self.rows[kept],
            users=self.users[kept],
            items=self.items[kept],
            stars=None if self.stars is None else self.stars[kept],
            times=None if self.times is None else replace(self.times, ticks=self.times.ticks[kept]),
            parts=self.parts[kept],
            feedback=self.feedback.take(kept),
        )


def read_history(
    config: InteractionColumns, rows: Table, held_out: Table | None, names: Names, scale: RatingScale
) -> History | None:
    """All interactions by time, then user, and which part of the given split each belongs to.

    Where no column tells the time, it is 0 for all, and the rows of a user are in a seeded order.

    Args:
        config: Names of the columns.
        rows: The file of the interactions; what is wrong with its rows is noted where it collects problems.
        held_out: That of the held-out ones, where there are two.
        names: Known users and items.
        scale: Of the stars.

    Returns:
        None where a column or all rows of a file cannot be used, which has been noted.

    Raises:
        DataError: A cell is impossible, or a user or an item is not known, and nobody collects that; or the split is
            impossible.
    """
    files = [_read(config, rows, names, scale, TRAINING, "the users file" if names.has_users_file else None)]
    if held_out is not None:
        home = "the users file" if names.has_users_file else f"the training interactions ({rows.path})"
        files.append(_read(config, held_out, names, scale, HELD_OUT, home))
    told = [file for file in files if file is not None and len(file.rows)]
    if len(told) < len(files):
        return None
    read, merged = zip(*(_merged(file, config) for file in told), strict=True)
    history = _joined(read, names)
    parts = np.concatenate([file.parts for file in read])
    if config.timestamp is None:
        order = seeded_order(history.take(_by_part(parts)), tuple(names.users), tuple(names.items))
        order = _by_part(parts)[order]
    else:
        order = order_of_two(history.timestamps, history.users)
    given = config.split is not None or held_out is not None
    if given:
        _refuse_empty_parts(config, rows, parts)
        if config.timestamp is not None:
            _refuse_in_both(history, parts, read, names)
    bare = sum(0 if file.times is None else file.times.bare for file in told)
    return History(history.take(order), parts[order] if given else None, sum(merged), bare)


def _by_part(parts: Parts) -> IntArray:
    """Row numbers, training first: a pair that stands in two parts has one key in both."""
    return np.argsort(parts, kind="stable")


def _read(
    config: InteractionColumns, table: Table, names: Names, scale: RatingScale, part: int, home: str | None
) -> _Read | None:
    """The usable rows of one file; None where a column cannot be used."""
    users = table.attempt(lambda: table.ids(config.user, "own.interactions.user"))
    items = table.attempt(lambda: table.ids(config.item, "own.interactions.item"))
    when = _optional(table, config.timestamp, "timestamp")
    stars = _optional(table, config.rating, "rating")
    split = _optional(table, None if config.split is None else config.split.column, "split")
    moments = None if when is None else table.attempt(lambda: read_times(when, config.time_unit))
    for key, column in (("user", users), ("item", items)):
        remark_on_words(column, f"own.interactions.{key}", DROP_OR_REMOVE)
    if when is not None and moments is not None:
        remark_on_moments(when, moments, "own.interactions.timestamp", DROP_OR_REMOVE)
    found = (
        (None if users is None else _looked_up(users, names.users, "user", home)),
        (None if items is None else _looked_up(items, names.items, "item", "the items file")),
    )
    ratings = None if stars is None else read_ratings(stars, scale, "own.scale")
    parts = np.full(table.data.num_rows, part, np.int8)
    if config.split is not None and split is not None:
        parts = _parts(split, config.split)
    feedback = table.attempt(lambda: read_feedback(config, table))
    lacks = (
        (config.timestamp is not None and moments is None)
        or (config.rating is not None and stars is None)
        or (config.split is not None and split is None)
    )
    if found[0] is None or found[1] is None or feedback is None or lacks:
        return None
    rows = np.arange(table.data.num_rows)
    every = _Read(table, rows, found[0], found[1], ratings, moments, parts, feedback)
    usable = None if table.problems is None else table.problems.usable(table)
    return every if usable is None or usable.all() else every.take(np.flatnonzero(usable))


def _optional(table: Table, name: str | None, key: str) -> Column | None:
    """A column, None where none is named or it cannot be used."""
    return None if name is None else table.attempt(lambda: table.column(name, f"own.interactions.{key}"))


def _merged(file: _Read, config: InteractionColumns) -> tuple[_Read, int]:
    """The rows of a file with those of one user, item and moment as one, by the rule of the configuration.

    Returns:
        The rows, and how many were merged with another one.
    """
    ticks = np.zeros(len(file.users), dtype=np.int64) if file.times is None else file.times.ticks
    kinds = () if file.feedback.kinds is None else (file.feedback.kinds,)  # two kinds of events are not alike
    found = together((file.users, file.items, ticks, file.parts, *kinds), file.stars)
    if found is None:
        return file, 0
    rule = config.same_moment or ("refuse" if file.times is None else "merge")
    bad = found.disputed if rule == "merge" else found.again if rule == "refuse" else np.zeros(0, np.int64)
    if len(bad):
        _reject_repeats(file, bad, found.first_of(int(bad[0])), config, differ=rule == "merge")
    kept = file.take(found.last if rule == "last" else found.first)
    if rule == "merge" and found.stars is not None:
        kept = replace(kept, stars=found.stars)
    if rule == "merge" and file.feedback.weights is not None:
        kept = replace(kept, feedback=Feedback(kept.feedback.kinds, found.sums(file.feedback.weights)))
    return kept, len(found.again) - len(bad)


def _reject_repeats(file: _Read, bad: IntArray, earlier: int, config: InteractionColumns, *, differ: bool) -> None:
    """Reject rows that say again, or otherwise, what an earlier row of the same user, item and moment says."""
    table, first, before = file.table, int(file.rows[bad[0]]), int(file.rows[earlier])
    who, what = (shown(table.column(name, name).cell(first)) for name in (config.user, config.item))
    moment = "as on" if file.times is None else "at the same moment as on"
    advice = "; remove one of the two rows"
    if differ:
        advice = (
            ", with another rating" + advice + ", or say which counts (own.interactions.same_moment: first or last)"
        )
    elif config.same_moment is None:
        advice += (
            ", or name the column with the time (own.interactions.timestamp), or count such rows once "
            "(own.interactions.same_moment: merge)"
        )
    table.reject(np.sort(file.rows[bad]), f"user {who} met item {what} {moment} {table.where(before)}{advice}")


def _joined(files: Sequence[_Read], names: Names) -> Interactions:
    """The rows of all files one after another, on the finest of their clocks."""
    clocks = [1 if file.times is None else file.times.per_second for file in files]
    finest = max(clocks)
    ticks = [
        np.zeros(len(file.users), dtype=np.int64) if file.times is None else file.times.ticks * (finest // clock)
        for file, clock in zip(files, clocks, strict=True)
    ]
    stars = [file.stars for file in files if file.stars is not None]
    feedback = joined_feedback([file.feedback for file in files])
    return Interactions.of(
        np.concatenate([file.users for file in files]),
        np.concatenate([file.items for file in files]),
        np.concatenate(stars) if stars else None,
        np.concatenate(ticks),
        n_users=len(names.users),
        n_items=len(names.items),
        ticks_per_second=finest,
        kinds=feedback.kinds,
        weights=feedback.weights,
    )


def _parts(column: Column, config: SplitColumn) -> Parts:
    """The part of each row, shape (n,)."""
    named = {TRAINING: config.training, HELD_OUT: config.held_out, LEFT_OUT: config.left_out}
    part_of = {cell: part for part, cells in named.items() for cell in cells}
    keys = ("training", "held_out", "left_out")
    wanted = "; ".join(
        f"{', '.join(map(shown, cells))} ({key})" for key, cells in zip(keys, named.values(), strict=True)
    )

    def part(cell: str) -> int:
        if cell not in part_of:
            raise ValueError(f"one of {wanted}; say what the cells of yours mean with own.interactions.split")
        return part_of[cell]

    return column.parsed(part, np.int8)


def _refuse_empty_parts(config: InteractionColumns, rows: Table, parts: Parts) -> None:
    for part, key in ((TRAINING, "training"), (HELD_OUT, "held_out")):
        if config.split is not None and not (parts == part).any():
            cells = ", ".join(map(shown, getattr(config.split, key)))
            raise DataError(
                f"{rows.path}: column {config.split.column!r} (own.interactions.split) says of no interaction {cells} "
                f"({key}); a split needs a training part and a held-out part"
            )


def _refuse_in_both(history: Interactions, parts: Parts, files: Sequence[_Read], names: Names) -> None:
    """Refuse a row that is training and held out: what is to be predicted would be known.

    Args:
        history: Of all files.
        parts: Of each row.
        files: The files, in the order of rows.
        names: For the message.
    """
    rows = np.flatnonzero(parts != LEFT_OUT)
    order = rows[np.lexsort((parts[rows], history.timestamps[rows], history.items[rows], history.users[rows]))]
    same = np.logical_and.reduce(
        [column[order][1:] == column[order][:-1] for column in (history.users, history.items, history.timestamps)]
    )
    if same.any():
        row = int(order[1:][same][0])
        who, what = names.users[int(history.users[row])], names.items[int(history.items[row])]
        file, place = files[0], row
        if row >= len(file.rows):
            file, place = files[-1], row - len(file.rows)
        file.table.fail(
            int(file.rows[place]),
            f"user {shown(who)} met item {shown(what)} at this moment among the training interactions, too "
            f"({int(same.sum()):,} rows like that); expected each interaction in one part: remove it from one of them",
        )


def _looked_up(column: Column, ids: Sequence[str], kind: str, home: str | None) -> IntArray:
    """The row number of each cell's id, shape (n_rows,); 0 where it was rejected.

    Args:
        column: The cells.
        ids: All that there are.
        kind: What they are ids of.
        home: Where they stand; None where they are those of this column, which holds others only in rejected rows.
    """
    found = places_of(column.values, ids)[column.codes]
    if home is not None and (found < 0).any():
        missing = [column.values[code] for code in column.codes[found < 0].tolist()]
        column.reject(found < 0, unknown_ids(kind, missing, ids, home))
    return np.maximum(found, 0)
