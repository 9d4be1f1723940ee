"""What is known before the experiment, what is held out, and who is never fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key

SplitKind = Literal["per_user_temporal", "global_temporal"]


@dataclass(frozen=True, slots=True)
class Split:
    """One history in two parts.

    Attributes:
        train: All that personas and recommenders may know.
        test: The later part, for evaluation alone.
        dropped_users: Users without any training row; they can be no persona, and are counted.
    """

    train: Interactions
    test: Interactions
    dropped_users: IntArray


def split_history(history: Interactions, kind: SplitKind, test_fraction: float) -> Split:
    """Split by time: the later `test_fraction` of each user's rows, or all rows after one moment.

    "per_user_temporal" gives every person a held-out part but lets the training part of one person be later
    than the test part of another; "global_temporal" leaks nothing from the future (Ji et al. 2023, "A critical
    study on data leakage in recommender system offline evaluation") but leaves some people without one.
    """
    if kind not in get_args(SplitKind):
        raise ConfigError(f"split.kind: found {kind!r}, expected one of {', '.join(get_args(SplitKind))}")
    if not 0 < test_fraction < 1:
        raise ConfigError(f"split.test_fraction: found {test_fraction}, expected a number between 0 and 1")
    if not len(history):
        raise DataError("split: the history has no interactions; there is nothing to learn from and nothing to test on")
    # Ties in time are broken by the order of rows, as everywhere (`Interactions.chronological`).
    order = np.lexsort((history.timestamps, history.users))
    users = history.users[order]
    counts = np.bincount(users, minlength=history.n_users)
    later = np.zeros(len(history), dtype=np.bool_)
    if kind == "per_user_temporal":
        place = np.arange(len(users)) - (np.cumsum(counts) - counts)[users]
        kept = _kept(counts, test_fraction)
        later[order] = place >= kept[users]
    else:
        # Rows of the very moment stay together in training, so the test part is the fraction at most.
        last = int(_kept(np.array([len(history)]), test_fraction)[0]) - 1
        moment = np.partition(history.timestamps, last)[last]
        later = history.timestamps > moment
    train = history.take(~later)
    known = np.bincount(train.users, minlength=history.n_users) > 0
    return Split(train, history.take(later), np.flatnonzero(~known).astype(np.int64))


def _kept(counts: IntArray, test_fraction: float) -> IntArray:
    """Training rows out of so many, rounded up; 10 rows at 0.7 keep 3, although 10 * (1 - 0.7) > 3 in floats."""
    return np.maximum(np.ceil(np.round(counts * (1 - test_fraction), 6)), counts > 0).astype(np.int64)


def people_in_thirds(user_ids: tuple[str, ...], salt: str) -> IntArray:
    """Which third each person belongs to, by a hash of id and salt alone.

    Returns:
        Shape (n_users,): 0 for fitting, 1 for validation, 2 for the test third that no fitting may touch.
    """
    return np.array([name_key("third", salt, user_id) % 3 for user_id in user_ids], dtype=np.int64)


def test_people(user_ids: tuple[str, ...], salt: str) -> BoolArray:
    """True for the test third, shape (n_users,)."""
    return people_in_thirds(user_ids, salt) == 2
