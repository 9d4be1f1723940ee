"""Kinds and weights of your own interactions, and how liking is said in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, KindArray
from groundlings.environments.dataset import LIKES, RatingScale
from groundlings.environments.datasets.amounts import amount
from groundlings.environments.datasets.columns import Column
from groundlings.environments.datasets.config import InteractionColumns, OwnData, Things
from groundlings.environments.datasets.header_words import says_count
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import ConfigError, DataError, shown
from groundlings.environments.feedback import default_counted, occurring_kinds
from groundlings.environments.interactions import DISLIKE, KINDS, Interactions, Kind
from groundlings.environments.words import Words

_LIKE = KINDS.index("like")
_NAMED = 8
"""Unknown kinds that a message names."""


@dataclass(frozen=True, slots=True, eq=False)
class Feedback:
    """What the rows of one file are, shape (n,) each.

    Attributes:
        kinds: Places in `KINDS`; None where the configuration names no kinds.
        weights: Quantity or play time, NaN where the cell is empty; None where the configuration names no column.
    """

    kinds: KindArray | None
    weights: FloatArray | None

    def take(self, rows: IntArray) -> Feedback:
        """Some of the rows."""
        return Feedback(
            None if self.kinds is None else self.kinds[rows], None if self.weights is None else self.weights[rows]
        )


def read_feedback(config: InteractionColumns, table: Table) -> Feedback:
    """The kinds and weights of one file.

    Raises:
        DataError: A kind is not known, with all unknown ones and their counts, or a weight is no number from 0 on.
    """
    kinds: KindArray | None = None
    if config.kind is not None:
        kinds = _kinds(table.column(config.kind, "own.interactions.kind"), config.named_kinds())
    elif isinstance(config.kinds, str):
        kinds = np.full(table.data.num_rows, KINDS.index(config.kinds), dtype=np.int8)
    weights: FloatArray | None = None
    if config.weight is not None:
        column = table.column(config.weight, "own.interactions.weight")
        weights = column.parsed(lambda cell: _weight(column.with_point(cell)), np.float64)
    return Feedback(kinds, weights)


def _kinds(column: Column, named: Mapping[str, Kind]) -> KindArray:
    """The kind of each row, as a place in `KINDS`."""
    codes = np.array([KINDS.index(named[cell]) if cell in named else -1 for cell in column.values], dtype=np.int8)
    found = codes[column.codes]
    if (found < 0).any():
        _reject_unknown(column, codes, named)
    return np.maximum(found, 0)


def _reject_unknown(column: Column, codes: KindArray, named: Mapping[str, Kind]) -> None:
    counts = np.bincount(column.codes, minlength=len(column.values))
    unknown = sorted((-int(counts[place]), column.values[place]) for place in np.flatnonzero(codes < 0).tolist())
    told = ", ".join(
        f"{shown(cell)} ({-count:,} row{'s' * (count != -1)})" for count, cell in unknown[:_NAMED] if count
    )
    more = f" and {len(unknown) - _NAMED:,} more" if len(unknown) > _NAMED else ""
    column.reject(
        codes[column.codes] < 0,
        f"found {told}{more}, which own.interactions.kinds does not name (it names "
        f"{', '.join(map(shown, named))}); map each to one of {', '.join(KINDS)}, or take these rows out",
    )


def _weight(cell: str) -> float:
    return amount(cell, "a quantity or a play time from 0 on, or nothing")


def joined_feedback(files: Sequence[Feedback]) -> Feedback:
    """The rows of several files one after another; all were read with one configuration."""
    kinds = [file.kinds for file in files if file.kinds is not None]
    weights = [file.weights for file in files if file.weights is not None]
    return Feedback(np.concatenate(kinds) if kinds else None, np.concatenate(weights) if weights else None)


def with_liking(
    history: Interactions, config: InteractionColumns, scale: RatingScale, *, stated: bool
) -> tuple[Interactions, RatingScale]:
    """The history with likes and dislikes as opinions, and the scale of opinions.

    Where there is no column of ratings and people both like and dislike, a like is 1 and a dislike 0 of a scale of two
    values. Of likes alone nobody can tell what is not liked, so they say what people chose and no more. Likes that are
    not counted (`counted`) are no opinions.

    Args:
        history: As read.
        config: Names of its columns.
        scale: Of the ratings, as the configuration has it.
        stated: Whether the configuration has it, or it is the default.

    Raises:
        ConfigError: A scale is stated, and people like and dislike instead of rating.
    """
    both = {"like", "dislike"} <= set(occurring_kinds(history))
    if config.rating is not None or not both or "like" not in (config.counted or ("like",)):
        return history, scale
    if stated:
        raise ConfigError(
            "dataset.own.scale: found a scale, but there is no column `rating`, and people say like and dislike; take "
            "the scale out, or name the column with the ratings (dataset.own.interactions.rating)"
        )
    liked = np.where(history.kinds == _LIKE, 1.0, np.where(history.kinds == DISLIKE, 0.0, np.nan))
    return history.rated(liked), LIKES


def refuse_nothing_counted(history: Interactions, config: InteractionColumns, path: str) -> None:
    """Refuse a history without a single interaction.

    Raises:
        DataError: None of its kinds is an interaction.
    """
    if history.kinds is None:
        return
    kinds = occurring_kinds(history)
    counted = default_counted(kinds) if config.counted is None else config.counted
    if not set(counted) & set(kinds):
        what = (
            "own.interactions.counted names" if config.counted is not None else "interactions are rows of other kinds"
        )
        raise DataError(
            f"{path}: all rows are of the kinds {', '.join(kinds)}, and {what}"
            f"{' ' + ', '.join(counted) if counted else ''}; nothing would be an interaction"
        )


def feedback_notes(history: Interactions, counted: Sequence[Kind] | None) -> tuple[str, ...]:
    """What a reader has to know of the kinds, in a sentence; nothing where there are none."""
    if history.kinds is None:
        return ()
    kinds = occurring_kinds(history)
    counts = np.bincount(history.kinds, minlength=len(KINDS))
    wanted = {*(default_counted(kinds) if counted is None else counted), "dislike"}
    told = [f"{counts[KINDS.index(kind)]:,} of kind {kind}" for kind in kinds if kind in wanted]
    beside = [f"{counts[KINDS.index(kind)]:,} of kind {kind}" for kind in kinds if kind not in wanted]
    words = f"interactions are {', '.join(told)}"
    if beside:
        words += f"; known of people, and learnt by nobody: {', '.join(beside)} (own.interactions.counted)"
    return (words,)


def words_of(config: OwnData) -> Words:
    """What items are called, as a configuration says; the header of the weights tells whether they count plays."""
    things = config.items.things or Things()
    counts_plays = config.interactions.weight is not None and says_count(config.interactions.weight)
    return Words(things.one, things.many, dict(config.items.verbs or {}), counts_plays)
