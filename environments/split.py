"""What is known before the experiment, what is held out, and who is never fitted on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.dataset import HELD_OUT, LEFT_OUT, TRAINING, Dataset
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_keys
from groundlings.environments.row_order import by_user_and_time, keys_of, seeded_order

TemporalKind = Literal["per_user_temporal", "global_temporal"]
Parts = NDArray[np.int8]
SplitKind = Literal["per_user_temporal", "global_temporal", "random", "given"]

LabelRows = Literal["latest", "random"]
"""Which training rows of a user serve as labels when a model of the user is fitted."""

_MOSTLY = 0.75
"""Halfway between a held-out part that comes after the training part (1) and one that does so by chance (.5)."""


@dataclass(frozen=True, slots=True)
class Split:
    """One history in two parts.

    Attributes:
        train: All that personas and recommenders may know.
        test: The held-out part, for evaluation alone.
        dropped_users: Users without any training row; they can be no persona, and are counted.
        labels: How rows of `train` are to be held out in their turn, to fit on: as `test` was drawn. Labels that are
            the latest rows of a training part with random gaps would teach another spread between users than the
            held-out part has.
        left_out: Interactions that are in neither part, because the given split leaves them out.
        moment: The latest time of `train` where everything after one moment is held out, in ticks; else None.
        beside: What is known besides `train` and is no interaction: earlier stages, such as the clicks of a shop that
            knows purchases (`groundlings.environments.feedback`), from before the held-out part. None where the data
            have none.
    """

    train: Interactions
    test: Interactions
    dropped_users: IntArray
    labels: LabelRows = "latest"
    left_out: int = 0
    moment: int | None = None
    beside: Interactions | None = None


def split_dataset(dataset: Dataset, kind: SplitKind, test_fraction: float, *, salt: str) -> Split:
    """Split by time, at random, or as the data set says.

    Args:
        dataset: The users, items and interactions.
        kind: "per_user_temporal" and "global_temporal" as `split_history` has them; "random" holds out `test_fraction`
            of each user's rows, by a hash of salt, user, item and time; "given" is the data set's own split.
        test_fraction: Not read where the split is given.
        salt: Another one gives another random split, and another order to rows without a time.

    Raises:
        ConfigError: The data set has no times and the kind needs them, or there is no given split, or there is one
            that the kind would ignore.
    """
    _check(kind, test_fraction)
    if (kind == "given") != (dataset.parts is not None):
        raise ConfigError(_unfitting(kind, dataset))
    if dataset.is_counted.all():
        return _split(dataset, dataset.history, dataset.parts, kind, test_fraction, salt)
    counted = dataset.is_counted
    parts = None if dataset.parts is None else dataset.parts[counted]
    split = _split(dataset, dataset.history, parts, kind, test_fraction, salt)
    known = ~counted if dataset.parts is None else ~counted & (dataset.parts == TRAINING)
    return replace(split, beside=_before(dataset.interactions.take(known), split.test, kind))


def _split(
    dataset: Dataset, history: Interactions, parts: Parts | None, kind: SplitKind, test_fraction: float, salt: str
) -> Split:
    """As `split_dataset`, of the rows that are interactions."""
    people, items = dataset.people.user_ids, dataset.catalog.item_ids
    if not len(history):
        raise DataError(_NOTHING)
    if not dataset.times_known:
        order = seeded_order(history, people, items, salt)
        history, parts = history.take(order), None if parts is None else parts[order]
    if parts is not None:
        train, test = history.take(parts == TRAINING), history.take(parts == HELD_OUT)
        labels: LabelRows = "latest" if dataset.times_known and _comes_later(train, test) else "random"
        return Split(train, test, _without(train), labels, int((parts == LEFT_OUT).sum()))
    if kind == "random":
        keys = keys_of(history, people, items, "split", salt)
        held_out = _last_rows(history, np.lexsort((keys, history.users)), test_fraction)
        train = history.take(~held_out)
        return Split(train, history.take(held_out), _without(train), "random")
    _refuse_unordered(dataset, kind)
    return split_history(history, kind, test_fraction)


def _before(rows: Interactions, held_out: Interactions, kind: SplitKind) -> Interactions:
    """Rows that tell nothing of the held-out part: earlier ones, or those of other pairs where nothing is earlier."""
    if kind == "random":
        pairs = held_out.users * held_out.n_items + held_out.items
        return rows.take(~np.isin(rows.users * rows.n_items + rows.items, pairs))
    if kind == "given":
        return rows
    first = np.full(rows.n_users, np.iinfo(np.int64).max)
    np.minimum.at(first, held_out.users, held_out.timestamps)
    if kind == "global_temporal" and len(held_out):
        first[:] = held_out.timestamps.min()
    return rows.take(rows.timestamps < first[rows.users])


def split_training(dataset: Dataset, train: Interactions, fraction: float, labels: LabelRows, *, salt: str) -> Split:
    """Hold out a fraction of each user's training rows to fit on, the latest or random ones.

    Args:
        dataset: For the ids of users and items.
        train: Training rows.
        fraction: Of each user's rows.
        labels: `Split.labels` of the split that `train` comes from.
        salt: As of `split_dataset`.
    """
    if labels == "latest":
        return split_history(train, "per_user_temporal", fraction)
    keys = keys_of(train, dataset.people.user_ids, dataset.catalog.item_ids, "labels", salt)
    held_out = _last_rows(train, np.lexsort((keys, train.users)), fraction)
    kept = train.take(~held_out)
    return Split(kept, train.take(held_out), _without(kept), "random")


def split_history(history: Interactions, kind: SplitKind, test_fraction: float) -> Split:
    """Split by time: the later `test_fraction` of each user's rows, or all rows after one moment.

    "per_user_temporal" gives every person a held-out part but lets the training part of one person be later
    than the test part of another; "global_temporal" leaks nothing from the future (Ji et al. 2023, "A critical
    study on data leakage in recommender system offline evaluation") but leaves some people without one.
    """
    if kind not in get_args(TemporalKind):
        raise ConfigError(f"split.kind: found {kind!r}, expected one of {', '.join(get_args(TemporalKind))}")
    _check(kind, test_fraction)
    if not len(history):
        raise DataError(_NOTHING)
    moment = None
    if kind == "per_user_temporal":
        # Ties in time are broken by the order of rows, as everywhere (`Interactions.chronological`).
        later = _last_rows(history, by_user_and_time(history), test_fraction)
    else:
        # Rows of the very moment stay together in training, so the test part is the fraction at most.
        last = int(_kept(np.array([len(history)]), test_fraction)[0]) - 1
        moment = int(np.partition(history.timestamps, last)[last])
        later = history.timestamps > moment
    train = history.take(~later)
    return Split(train, history.take(later), _without(train), moment=moment)


def tied_cuts(split: Split) -> int:
    """Users whose held-out part begins among interactions of one moment: the order of rows decided which it holds."""
    earliest = np.full(split.train.n_users, np.iinfo(np.int64).max)
    np.minimum.at(earliest, split.test.users, split.test.timestamps)
    return int((_latest(split.train) == earliest).sum())


_NOTHING = "split: the history has no interactions; there is nothing to learn from and nothing to test on"


def _check(kind: SplitKind, test_fraction: float) -> None:
    if kind not in get_args(SplitKind):
        raise ConfigError(f"split.kind: found {kind!r}, expected one of {', '.join(get_args(SplitKind))}")
    if not 0 < test_fraction < 1:
        raise ConfigError(f"split.test_fraction: found {test_fraction}, expected a number between 0 and 1")


def _unfitting(kind: SplitKind, dataset: Dataset) -> str:
    """What is wrong where the data has a split that the kind does not ask for, or lacks one that it does."""
    if kind == "given":
        return (
            f"split.kind: found 'given', but the data set {dataset.name!r} brings no split; name its column "
            "(dataset.own.interactions.split) or its file (dataset.own.interactions.held_out), or write random or "
            "per_user_temporal"
        )
    return (
        f"split.kind: found {kind!r}, but the data set {dataset.name!r} brings a split of its own; write `kind: given` "
        "to use it, or take it out of the data (dataset.own.interactions.split, held_out)"
    )


def _refuse_unordered(dataset: Dataset, kind: SplitKind) -> None:
    """Refuse to split by time where no time tells two rows apart."""
    history = dataset.interactions
    advice = "write `split: {kind: random}`"
    if not dataset.times_known:
        raise ConfigError(
            f"split.kind: {kind} asks what came first, and the data set {dataset.name!r} has no times; {advice}, or "
            "name the column with the time (dataset.own.interactions.timestamp)"
        )
    of_each = kind == "per_user_temporal"
    if _of_one_moment(history, of_each):
        whose = "of each user " if of_each else ""
        raise ConfigError(
            f"split.kind: {kind} asks what came first, and all interactions {whose}in the data set {dataset.name!r} "
            f"are of one moment; {advice}, and where that column holds no real time, leave it out of "
            "dataset.own.interactions"
        )


def _of_one_moment(history: Interactions, of_each: bool) -> bool:
    """Whether there are rows to be told apart by time, of each user or altogether, and no time tells any two apart."""
    if not of_each:
        return len(history) > 1 and bool((history.timestamps == history.timestamps[0]).all())
    any_of = np.zeros(history.n_users, dtype=np.int64)
    any_of[history.users] = history.timestamps  # one of each user's times, whichever
    several = np.bincount(history.users).max(initial=0) > 1
    return bool(several and (history.timestamps == any_of[history.users]).all())


def _comes_later(train: Interactions, test: Interactions) -> bool:
    """Whether held-out rows mostly come after the latest training row of their user, ties counting half."""
    latest = _latest(train)[test.users]
    known = latest > _NEVER
    later = (test.timestamps > latest) + 0.5 * (test.timestamps == latest)
    return bool(known.any() and later[known].mean() >= _MOSTLY)


_NEVER = np.iinfo(np.int64).min


def _latest(rows: Interactions) -> IntArray:
    """The latest time of each user, shape (n_users,), `_NEVER` where a user has no row."""
    latest = np.full(rows.n_users, _NEVER)
    np.maximum.at(latest, rows.users, rows.timestamps)
    return latest


def _without(train: Interactions) -> IntArray:
    """Users without a training row, ascending."""
    return np.flatnonzero(np.bincount(train.users, minlength=train.n_users) == 0).astype(np.int64)


def _last_rows(rows: Interactions, order: IntArray, fraction: float) -> BoolArray:
    """True for the last `fraction` of each user's rows, shape (n,); `order` sorts the rows by user, then as wanted."""
    users = rows.users[order]
    counts = np.bincount(users, minlength=rows.n_users)
    place = np.arange(len(users)) - (np.cumsum(counts) - counts)[users]
    last = np.zeros(len(rows), dtype=np.bool_)
    last[order] = place >= _kept(counts, fraction)[users]
    return last


def _kept(counts: IntArray, test_fraction: float) -> IntArray:
    """Training rows out of so many, rounded up; 10 rows at 0.7 keep 3, although 10 * (1 - 0.7) > 3 in floats."""
    return np.maximum(np.ceil(np.round(counts * (1 - test_fraction), 6)), counts > 0).astype(np.int64)


def people_in_thirds(user_ids: tuple[str, ...], salt: str) -> IntArray:
    """Which third each person belongs to, by a hash of id and salt alone.

    Returns:
        Shape (n_users,): 0 for fitting, 1 for validation, 2 for the test third that no fitting may touch.
    """
    return name_keys(("third", salt), user_ids) % 3


def test_people(user_ids: tuple[str, ...], salt: str) -> BoolArray:
    """True for the test third, shape (n_users,)."""
    return people_in_thirds(user_ids, salt) == 2
