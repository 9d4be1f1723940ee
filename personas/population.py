"""The people of an experiment: real users of a data set or synthetic ones, each known by training history alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Literal

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import DISLIKE, KINDS, Interactions
from groundlings.environments.lookalikes import same_letters
from groundlings.environments.people import People
from groundlings.environments.random_streams import name_keys
from groundlings.environments.sorting import order_of_two
from groundlings.environments.words import persons
from groundlings.personas.acts import Act, acts_of
from groundlings.personas.description import describe_person
from groundlings.personas.persona import Persona
from groundlings.personas.profile import Profiles, measure_profiles

ACTS_KEPT = 10
"""Acts of a persona at most: of interactions, and as many of earlier stages."""

_PERSONAS_KEPT = 1 << 12


@dataclass(frozen=True)
class Population:
    """Real people, addressed by their row here; personas are made when they are asked for.

    Attributes:
        users: Row numbers of users in the data set, ascending, shape (n,).
        people: All people of the data set.
        catalog: The items.
        train: The training rows of everybody, not only of these people.
        scale: The stars in use.
        profiles: Measurements of everybody in `train`.
        beside: What is known besides and is no interaction (`Split.beside`), None where nothing is.
        times_known: Whether the times of `train` are real ones.
    """

    users: IntArray
    people: People
    catalog: Catalog
    train: Interactions
    scale: RatingScale
    profiles: Profiles
    beside: Interactions | None = None
    times_known: bool = True

    def __len__(self) -> int:
        return len(self.users)

    def persona(self, row: int) -> Persona:
        """The person in one row, 0 to len - 1."""
        if row not in self._made:
            if len(self._made) >= _PERSONAS_KEPT:
                self._made.clear()
            self._made[row] = self._persona(row)
        return self._made[row]

    @cached_property
    def _made(self) -> dict[int, Persona]:
        """Personas by row: the log wants one before the first session, a language mind at the first page."""
        return {}

    def _persona(self, row: int) -> Persona:
        user = int(self.users[row])
        style, traits = self.profiles.style(user), self.profiles.traits(user)
        liked, disliked = self._examples(user)
        lifts = self._genre_lifts(user)
        taken, earlier = self._acts(user) if self.tells_acts else ((), ())
        acts = (*taken, *earlier) if self.tells_acts else None
        demographics = dict(self.people.attributes[user])
        return Persona(
            user=user,
            user_id=self.people.user_ids[user],
            demographics=demographics,
            style=style,
            traits=traits,
            liked=liked,
            disliked=disliked,
            genre_lifts=lifts,
            history_length=int(self._starts[user + 1] - self._starts[user]),
            description=describe_person(
                demographics=demographics,
                style=style,
                traits=traits,
                liked=liked,
                disliked=disliked,
                genre_lifts=lifts,
                catalog=self.catalog,
                scale=self.scale,
                acts=acts,
                n_taken=len(taken),
            ),
            acts=acts,
        )

    @property
    def says_likes(self) -> bool:
        """Whether people like and dislike instead of rating."""
        return self.scale.likes

    @cached_property
    def tells_acts(self) -> bool:
        """Whether personas say what was done item by item: the data have kinds of events, or nobody rates."""
        return self.train.kinds is not None or bool(np.isnan(self.train.ratings).all())

    def row_of(self, user_id: str) -> int:
        """The row of a person by the data set's own id; raises `ConfigError` for somebody else."""
        if user_id in self.people.user_ids:
            user = self.people.user_ids.index(user_id)
            row = int(np.searchsorted(self.users, user))
            if row < len(self) and self.users[row] == user:
                return row
            raise ConfigError(
                f"user {user_id!r} is in the data set but not among the {persons(len(self))} of this population;"
                f" choose one of them ({self._some_ids()}) or raise population.size"
            )
        told = same_letters(user_id, self.people.user_ids) or f"ids look like {self._some_ids()}"
        raise ConfigError(f"no user {user_id!r} in the data set; {told}")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over who they are and all that is known of them, in hexadecimal."""
        digest = hashlib.sha256(self.users.tobytes())
        for part in (self.train.fingerprint, self.catalog.fingerprint, repr(self.people), repr(self.scale)):
            digest.update(part.encode())
        if self.beside is not None:
            digest.update(self.beside.fingerprint.encode())
        return digest.hexdigest()

    def _some_ids(self) -> str:
        return ", ".join(repr(self.people.user_ids[user]) for user in self.users[:3])

    def latest(self, user: int, most: int) -> tuple[int, ...]:
        """The items that a user met last in training, newest first, none twice, at most so many."""
        return tuple(dict.fromkeys(self.train.items[self._rows_of(user)].tolist()))[:most]

    @property
    def history_lengths(self) -> IntArray:
        """Training rows of everybody, shape (n_users,)."""
        return np.diff(self._starts)

    @cached_property
    def _newest_first(self) -> IntArray:
        """Training rows by user, of each user the newest first, those of one moment in the order of rows."""
        return order_of_two(self.train.users, -self.train.timestamps)

    @cached_property
    def _starts(self) -> IntArray:
        """Where each user's rows begin in `_newest_first`, shape (n_users + 1,)."""
        counts = np.bincount(self.train.users, minlength=self.train.n_users)
        return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])

    def _rows_of(self, user: int) -> IntArray:
        """Training rows of a user, newest first, those of one moment in the order of rows."""
        return self._newest_first[self._starts[user] : self._starts[user + 1]]

    def _examples(self, user: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Liked and disliked items: the most extreme stars first, then the newest; an item's newest rating counts."""
        rows = self._rows_of(user)
        items, ratings = self.train.items[rows].tolist(), self.train.ratings[rows].tolist()
        newest: dict[int, float] = dict(zip(items, ratings, strict=True))
        if len(newest) < len(items):
            newest = {}
            for item, stars in zip(items, ratings, strict=True):
                newest.setdefault(item, stars)
        if self.train.kinds is not None:
            newest |= self._said(rows)
        like, dislike = self.scale.like, self.scale.dislike
        liked = [(-stars, item) for item, stars in newest.items() if stars >= like]
        disliked = [(stars, item) for item, stars in newest.items() if stars <= dislike]
        return _by_stars(liked), _by_stars(disliked)

    @cached_property
    def _beside_rows(self) -> tuple[IntArray, IntArray]:
        """Rows of `beside` by user, and where each user's begin among them, shape (n_users + 1,)."""
        assert self.beside is not None
        order = np.argsort(self.beside.users, kind="stable")
        return order, np.searchsorted(self.beside.users[order], np.arange(self.beside.n_users + 1))

    def _said(self, rows: IntArray) -> dict[int, float]:
        """Item -> the end of the scale that the newest like or dislike stands for, where there is one."""
        assert self.train.kinds is not None
        said: dict[int, float] = {}
        ends = {KINDS.index("like"): self.scale.high, DISLIKE: self.scale.low}
        for item, kind in zip(self.train.items[rows].tolist(), self.train.kinds[rows].tolist(), strict=True):
            if kind in ends:
                said.setdefault(item, ends[kind])
        return said

    def _acts(self, user: int) -> tuple[tuple[Act, ...], tuple[Act, ...]]:
        """What the user did, and what they did with other items before that stage, of each the most frequent."""
        opening = self.train.next_second if self.times_known else None
        rows = self._rows_of(user)
        acts = acts_of(self.train.take(rows), opening)
        earlier: tuple[Act, ...] = ()
        if self.beside is not None:
            known = {act.item for act in acts}
            rows, starts = self._beside_rows
            others = acts_of(self.beside.take(rows[starts[user] : starts[user + 1]]), opening)
            earlier = tuple(act for act in others if act.item not in known)
        return acts[:ACTS_KEPT], earlier[:ACTS_KEPT]

    def _genre_lifts(self, user: int) -> tuple[tuple[str, float], ...]:
        lifts = self.profiles.genre_lifts(slice(user, user + 1))[0].tolist()
        known = [(genre, lift) for genre, lift in zip(self.catalog.genre_names, lifts, strict=True) if lift > 0]
        return tuple(sorted(known, key=lambda pair: (-pair[1], pair[0])))


def build_population(
    dataset: Dataset,
    train: Interactions,
    *,
    size: int | Literal["all"],
    seed: int,
    beside: Interactions | None = None,
) -> Population:
    """Choose `size` people with a training history, or all of them.

    People are taken in the order of a hash of (seed, user id): a smaller population is a part of a larger one
    of the same seed, whatever else is in the data set.

    Args:
        dataset: People and items.
        train: The training rows.
        size: How many people; where the data set has synthetic users, these are all of them.
        seed: Of the choice.
        beside: As of `Population`.

    Raises:
        ConfigError: `size` is below 1, or larger than the number of people with training rows.
    """
    available = np.flatnonzero(np.bincount(train.users, minlength=train.n_users))
    if dataset.synthetic is not None:
        available, size = dataset.synthetic.users, "all"
    if size != "all" and not 1 <= size <= len(available):
        raise ConfigError(
            f"population.size: found {size}, but {dataset.name} has {persons(len(available))} with training "
            "interactions;"
            f' write a number from 1 to {len(available)}, or "all"; or make more users with population.synthetic'
        )
    chosen = available
    if size != "all":
        keys = name_keys(("person", seed), (dataset.people.user_ids[user] for user in available.tolist()))
        chosen = available[np.argsort(keys, kind="stable")][:size]
    return Population(
        users=np.sort(chosen).astype(np.int64),
        people=dataset.people,
        catalog=dataset.catalog,
        train=train,
        scale=dataset.scale,
        profiles=measure_profiles(train, dataset.catalog, dataset.scale),
        beside=beside,
        times_known=dataset.times_known,
    )


def _by_stars(rated: list[tuple[float, int]]) -> tuple[int, ...]:
    """The items by their first entry, in the order given where it is the same."""
    return tuple(item for _, item in sorted(rated, key=itemgetter(0)))
