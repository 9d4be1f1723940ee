"""From a split data set to the same one with synthetic users behind the real ones.

Two methods. `copula` draws the traits of each new user from the fitted distribution
(`groundlings.personas.synthesis.traits`) and takes the real user nearest to them as the first donor. `resample` takes
every real user as the first donor equally often, and moves their traits within the fitted distribution: a smoothed
bootstrap that keeps the variance (Silverman and Young 1987, "The bootstrap: to smooth or not to smooth?", Biometrika
74). Either way the history is put together from those of several donors who are alike
(`groundlings.personas.synthesis.histories`), and the n-th user is the same, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.memory import available_memory, spelt
from groundlings.environments.people import People
from groundlings.environments.random_streams import Draws, name_key
from groundlings.environments.split import Split
from groundlings.environments.synthetic_users import Method, SyntheticUsers
from groundlings.environments.words import persons
from groundlings.personas.synthesis.donors import Neighbourhoods
from groundlings.personas.synthesis.histories import Wanted, make_histories
from groundlings.personas.synthesis.source import Source, lay_out, some_users
from groundlings.personas.synthesis.traits import ACTIVITY, END, STARS, UserTraits, fit_traits

FEWEST_USERS = 20
"""Real users that a distribution is fitted on, at least."""

VERSION = 1
"""Raised whenever the same options make other users."""

_NOISE = 0.3
"""Standard deviation of what `resample` adds to a normal score; the score is shrunk so that the variance stays 1."""

_AT_ONCE = 4_096


@dataclass(frozen=True)
class UserModel:
    """What is fitted of the real users.

    Attributes:
        source: Their histories.
        traits: Their traits.
        near: Who is like whom.
        seed: Of everything that is drawn.
    """

    source: Source
    traits: UserTraits
    near: Neighbourhoods
    seed: int

    def parts(
        self, size: int, method: Method, most_rows: int | None = None
    ) -> Iterator[tuple[Wanted, Interactions, BoolArray]]:
        """The first `size` users, some at a time: what they were to be, their rows, and which are interactions."""
        for first in range(0, size, _AT_ONCE):
            wanted = self._wanted(np.arange(first, min(first + _AT_ONCE, size)), method)
            if most_rows is not None:  # who has few rows has few items: what is cut need not be made
                wanted = replace(wanted, pairs=np.minimum(wanted.pairs, most_rows))
            made = make_histories(self.source, wanted, most_rows)
            yield wanted, made.rows, made.known

    def _wanted(self, numbers: IntArray, method: Method) -> Wanted:
        draws = Draws.for_sessions(self.seed, numbers, 0)
        scores = self.traits.drawn(draws)
        if method == "resample":
            first = self._in_turn(numbers)
            scores = np.sqrt(1 - _NOISE**2) * self.traits.scores[first] + _NOISE * scores
        else:
            first = self.near.closest(scores, int(numbers[0]) // _AT_ONCE)
        return Wanted(
            donors=self.near.donors(first, draws),
            widths=self.near.widths,
            pairs=self._whole(self.traits.quantiles(ACTIVITY, scores), draws),
            stars=self.traits.quantiles(STARS, scores),
            ends=np.nan_to_num(self.traits.quantiles(END, scores)),
            taste=self.traits.taste(scores),
            draws=draws,
        )

    def _in_turn(self, numbers: IntArray) -> IntArray:
        """Every real user once, in a random order, then every one again in another."""
        n = len(self.source.users)
        turns = numbers // n
        orders = {
            turn: np.random.default_rng(name_key("in turn", self.seed, turn)).permutation(n)
            for turn in range(int(turns.min()), int(turns.max()) + 1)
        }
        return np.array(
            [orders[turn][number] for turn, number in zip(turns.tolist(), (numbers % n).tolist(), strict=True)]
        )

    @staticmethod
    def _whole(values: FloatArray, draws: Draws) -> IntArray:
        """Whole numbers whose mean is the values', at least 1, shape (n,)."""
        return np.maximum(np.floor(values + draws.uniform("rounding")), 1).astype(np.int64)


def fit_users(dataset: Dataset, split: Split, seed: int, users: IntArray | None = None) -> UserModel:
    """Fit the distribution of the real users.

    Args:
        dataset: The real data.
        split: Its training part is fitted on.
        seed: Of everything that is drawn.
        users: Who is fitted on; everybody with training rows if absent.

    Raises:
        ConfigError: They are too few.
    """
    known = np.flatnonzero(np.bincount(split.train.users, minlength=split.train.n_users)).astype(np.int64)
    available = known if users is None else np.intersect1d(users, known)
    if len(available) < FEWEST_USERS:
        raise ConfigError(
            f"population.synthetic: {dataset.name} has {persons(len(available))} with training interactions, and a "
            f"distribution is fitted on {FEWEST_USERS} at least; take the key out, or use more data"
        )
    root = name_key("synthetic users", seed)
    source = lay_out(dataset, split, some_users(available, root), root)
    ends = source.ends.astype(np.float64)
    traits = fit_traits(source.loadings, source.met, source.star_means, ends)
    return UserModel(source, traits, Neighbourhoods.of(traits, source.met, root), root)


_BYTES_PER_ROW = 16
"""Of a made interaction at least: user, item, rating and time."""


def _refuse_more_than_memory(size: int, rows_each: float) -> None:
    """Return where so many users with histories of that length fit into memory."""
    wanted, left = round(size * max(rows_each, 1.0) * _BYTES_PER_ROW), available_memory()
    if left.bytes is not None and wanted > left.bytes:
        raise ConfigError(
            f"population.size: {size:,} synthetic users have about {spelt(wanted)} of history, and "
            f"{spelt(left.bytes)} of memory are left ({left.limit}); take fewer"
        )


def add_synthetic_users(
    dataset: Dataset,
    split: Split,
    *,
    size: int | Literal["all"],
    method: Method,
    seed: int,
    most_rows: int | None = None,
) -> tuple[Dataset, Split]:
    """The same data with synthetic users behind the real ones; they have training rows and nothing held out.

    Args:
        dataset: The real data.
        split: Of it.
        size: How many there are to be; "all" makes as many as there are real ones with training rows.
        method: How they are drawn.
        seed: Another one makes other users.
        most_rows: A history has no more items than that, and is cut to its latest so many rows.

    Raises:
        ConfigError: There are too few real users, or their histories take more memory than there is.
    """
    model = fit_users(dataset, split, seed)
    n_real = len(dataset.people)
    if size == "all":
        size = int(np.count_nonzero(np.bincount(split.train.users)))
    _refuse_more_than_memory(size, min(len(split.train) / n_real, most_rows or np.inf))
    train, beside = _Columns(split.train, n_real + size), _Columns(split.beside or split.train, n_real + size)
    made_from, attributes_from, done = [], [], n_real
    for wanted, rows, known in model.parts(size, method, most_rows):
        train.add(rows if split.beside is None else rows.take(known), done)
        if split.beside is not None:
            beside.add(rows.take(~known), done)
        made_from.append(model.source.users[wanted.donors].astype(np.int32))
        attributes_from.append(model.source.users[_drawn(wanted)])
        done += len(wanted.pairs)
    behind = np.concatenate(attributes_from)
    recipe = f"{size} synthetic users, {method} {VERSION}, seed {seed}, most rows {most_rows}, split {len(split.train)}"
    people = People(
        (*dataset.people.user_ids, *_new_ids(dataset.people.user_ids, size)),
        (*dataset.people.attributes, *(dataset.people.attributes[user] for user in behind.tolist())),
    )
    widened = replace(
        dataset,
        people=people,
        interactions=replace(dataset.interactions, n_users=done),
        synthetic=SyntheticUsers(dataset, np.concatenate(made_from), behind, recipe),
    )
    return widened, replace(
        split,
        train=train.joined(),
        test=replace(split.test, n_users=done),
        beside=None if split.beside is None else beside.joined(),
    )


def _drawn(wanted: Wanted) -> IntArray:
    """The donor whose attributes each user has: any of them, so that they do not point to who gave most items."""
    lots = wanted.draws.uniform("attributes") * wanted.donors.shape[1]
    return np.asarray(wanted.donors[np.arange(len(wanted.donors)), lots.astype(np.int64)])


def _new_ids(taken: tuple[str, ...], size: int) -> list[str]:
    """Ids of the new users, which no real one has."""
    prefix = "synthetic-"
    while any(user_id.startswith(prefix) for user_id in taken):
        prefix = f"{prefix}-"
    return [f"{prefix}{number}" for number in range(1, size + 1)]


class _Columns:
    """Rows that are collected column by column: at no time more than one of them is held twice."""

    def __init__(self, real: Interactions, n_users: int) -> None:
        self._real, self._n_users = real, n_users
        names = ("users", "items", "ratings", "timestamps", "synthetic", "kinds", "weights")
        self._parts = {name: [getattr(real, name)] for name in names if getattr(real, name) is not None}

    def add(self, rows: Interactions, first_user: int) -> None:
        """More rows, whose users are numbered from `first_user`."""
        for name, parts in self._parts.items():
            column = getattr(rows, name)
            parts.append(column + first_user if name == "users" else column)

    def joined(self) -> Interactions:
        """The real rows and all others."""
        columns: dict[str, Any] = {name: np.concatenate(self._parts.pop(name)) for name in list(self._parts)}
        return replace(self._real, n_users=self._n_users, **columns)
