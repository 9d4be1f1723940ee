"""The interactions of your own tables: who, what, stars, when, and which part of a split that came with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import HELD_OUT, LEFT_OUT, TRAINING, RatingScale
from groundlings.environments.datasets.config import InteractionColumns, SplitColumn
from groundlings.environments.datasets.feedback import Feedback, joined_feedback, read_feedback
from groundlings.environments.datasets.ids import unknown_ids
from groundlings.environments.datasets.ratings import read_ratings
from groundlings.environments.datasets.tables import Column, Table
from groundlings.environments.datasets.times import Times, read_times
from groundlings.environments.errors import DataError, shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.row_order import seeded_order

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
class _Read:
    """The columns of one file, shape (n,) each; stars and times are None where the configuration names none."""

    users: IntArray
    items: IntArray
    stars: FloatArray | None
    times: Times | None
    parts: Parts
    feedback: Feedback


def read_history(
    config: InteractionColumns, rows: Table, held_out: Table | None, names: Names, scale: RatingScale
) -> tuple[Interactions, Parts | None]:
    """All interactions by time, then user, and which part of the given split each belongs to.

    Where no column tells the time, it is 0 for all, and the rows of a user are in a seeded order.

    Args:
        config: Names of the columns.
        rows: The file of the interactions.
        held_out: That of the held-out ones, where there are two.
        names: Known users and items.
        scale: Of the stars.

    Raises:
        DataError: A cell is impossible, or a user or an item is not known.
    """
    files = [_read(config, rows, names, scale, TRAINING, "the users file")]
    if held_out is not None:
        home = "the users file" if names.has_users_file else f"the training interactions ({rows.path})"
        files.append(_read(config, held_out, names, scale, HELD_OUT, home))
    history = _joined(files, names)
    parts = np.concatenate([file.parts for file in files])
    if config.timestamp is None:
        order = seeded_order(history.take(_by_part(parts)), tuple(names.users), tuple(names.items))
        order = _by_part(parts)[order]
    else:
        order = np.lexsort((history.users, history.timestamps))
    given = config.split is not None or held_out is not None
    if given:
        _refuse_empty_parts(config, rows, parts)
        if config.timestamp is not None:
            _refuse_in_both(history, parts, rows if held_out is None else held_out, len(files[0].users), names)
    return history.take(order), parts[order] if given else None


def _by_part(parts: Parts) -> IntArray:
    """Row numbers, training first: a pair that stands in two parts has one key in both."""
    return np.argsort(parts, kind="stable")


def _read(config: InteractionColumns, table: Table, names: Names, scale: RatingScale, part: int, home: str) -> _Read:
    """One file, checked."""
    users = table.ids(config.user, "own.interactions.user")
    items = table.ids(config.item, "own.interactions.item")
    when = None if config.timestamp is None else table.column(config.timestamp, "own.interactions.timestamp")
    stars = None if config.rating is None else table.column(config.rating, "own.interactions.rating")
    split = None if config.split is None else table.column(config.split.column, "own.interactions.split")
    found = _Read(
        users=_looked_up(users, names.users, "user", home),
        items=_looked_up(items, names.items, "item", "the items file"),
        stars=None if stars is None else read_ratings(stars, scale, "own.scale"),
        times=None if when is None else read_times(when, config.time_unit),
        parts=np.full(len(users.codes), part, np.int8)
        if config.split is None or split is None
        else _parts(split, config.split),
        feedback=read_feedback(config, table),
    )
    _refuse_repeats(found, table, users, items)
    return found


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


def _refuse_in_both(history: Interactions, parts: Parts, later: Table, n_first: int, names: Names) -> None:
    """Refuse a row that is training and held out: what is to be foretold would be known.

    Args:
        history: Of all files.
        parts: Of each row.
        later: The last file.
        n_first: Rows of the first one.
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
        later.fail(
            row - n_first if row >= n_first else row,
            f"user {shown(who)} met item {shown(what)} at this moment among the training interactions, too "
            f"({int(same.sum()):,} rows like that); expected each interaction in one part: remove it from one of them",
        )


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


def _refuse_repeats(file: _Read, rows: Table, users: Column, items: Column) -> None:
    """Refuse a pair that stands twice in one part, at one moment or without any; two kinds of events are not alike."""
    ticks = np.zeros(len(file.users), dtype=np.int64) if file.times is None else file.times.ticks
    kinds = np.zeros(len(file.users), dtype=np.int8) if file.feedback.kinds is None else file.feedback.kinds
    keys = (kinds, file.parts, ticks, file.items, file.users)
    order = np.lexsort(keys)
    same = np.logical_and.reduce([column[order][1:] == column[order][:-1] for column in keys])
    if same.any():
        place = int(np.argmax(same))
        earlier, later = sorted((int(order[place]), int(order[place + 1])))
        moment, advice = "at the same moment as on", ""
        if file.times is None:
            moment, advice = "as on", ", or name the column with the time (own.interactions.timestamp)"
        rows.fail(
            later,
            f"user {shown(users.cells[later])} met item {shown(items.cells[later])} {moment} "
            f"{rows.where(earlier)}; remove one of the two rows{advice}",
        )
