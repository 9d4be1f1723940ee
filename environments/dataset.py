"""A data set as every other room sees it, whatever files it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from groundlings.environments import levels
from groundlings.environments.arrays import BoolArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.feedback import Opinions, is_counted
from groundlings.environments.interactions import KINDS, Interactions, Kind
from groundlings.environments.offers import Offers
from groundlings.environments.people import People
from groundlings.environments.synthetic_users import SyntheticUsers

TRAINING, HELD_OUT, LEFT_OUT = 0, 1, 2
"""Values of `Dataset.parts`."""

TIMES_UNKNOWN = (
    "unknown: the interactions of each user are in a seeded order, which says nothing; the simulated clock starts at 0"
)
"""What reports say of a data set without times."""

_ZERO = 1e-9
"""In steps: -0.3 + 3 * 0.1 is 5.6e-17, which nobody would know for zero."""


@dataclass(frozen=True, slots=True)
class RatingScale:
    """The stars people may give: `low`, `low + step`, ..., `high`.

    Attributes:
        low, high, step: As above.
        likes: Whether people like (1) and dislike (0) instead of rating.
    """

    low: float = 1.0
    high: float = 5.0
    step: float = 1.0
    likes: bool = field(default=False, repr=False)  # fingerprints hold the text of a scale

    @property
    def values(self) -> tuple[float, ...]:
        """Every legal rating, ascending."""
        values = [self.low + self.step * n for n in range(round((self.high - self.low) / self.step) + 1)]
        return tuple(0.0 if abs(value) < _ZERO * self.step else value for value in values)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every legal rating as prompts and messages name it, in the order of `values`."""
        return levels.texts(self.values)

    @property
    def like(self) -> float:
        """From here on a rating counts as a like: 4 on a scale of 1 to 5, its equal share on others."""
        return _part_of_the_way(self, 0.75, min)

    @property
    def dislike(self) -> float:
        """Up to here a rating counts as a dislike: 2 on a scale of 1 to 5, its equal share on others."""
        return _part_of_the_way(self, 0.25, max)


LIKES = RatingScale(0.0, 1.0, 1.0, likes=True)
"""Of people who like and dislike."""


@lru_cache(maxsize=64)
def _part_of_the_way(scale: RatingScale, share: float, outermost: Callable[[float, float], float]) -> float:
    """A part of the way up a scale; where a rating lies there but for rounding, it is included."""
    bound = scale.low + share * (scale.high - scale.low)
    values = scale.values
    place = levels.place(values, bound)
    return bound if place < 0 else outermost(bound, values[place])


@dataclass(frozen=True)
class Dataset:
    """People, items and what passed between them.

    Attributes:
        name: As in the YAML ("ml-100k").
        catalog: The items.
        people: The users, in the order of user numbers.
        interactions: The whole real history.
        scale: The stars it uses.
        source: Where the bytes came from, for the manifest.
        licence: Its terms in a sentence.
        times_known: False where nobody knows when interactions took place. Then all of them have the time 0, and the
            rows of a user are in a seeded order, which says nothing (`groundlings.environments.row_order`).
        parts: The split that came with the data, shape (n_interactions,), `TRAINING`, `HELD_OUT` or `LEFT_OUT` per
            row; None where none came with it.
        notes: What a reader has to know of how it was made, such as rows that were left out, with counts.
        offers: Prices, stock and promotions by day; None where the data know of none.
        counted: The kinds that are interactions; None = those of the furthest stage that occurs
            (`groundlings.environments.feedback`).
        asks_ratings: Whether agents may rate although nobody of the data did, on the scale.
        synthetic: The users, behind the real ones, whom nobody was; None where all are real. They have no row in
            `interactions`, which is what real people did.
    """

    name: str
    catalog: Catalog
    people: People
    interactions: Interactions
    scale: RatingScale
    source: str
    licence: str
    times_known: bool = True
    parts: NDArray[np.int8] | None = None
    notes: tuple[str, ...] = ()
    offers: Offers | None = None
    counted: tuple[Kind, ...] | None = None
    asks_ratings: bool = False
    synthetic: SyntheticUsers | None = None

    @property
    def real(self) -> Dataset:
        """The data set as it was read, without synthetic users; itself where there are none."""
        return self if self.synthetic is None else self.synthetic.real

    @cached_property
    def opinions(self) -> Opinions:
        """How people say what they think of an item here, and so what agents may do."""
        if self.scale.likes:
            return "likes"
        return "ratings" if self.asks_ratings or not np.isnan(self.interactions.ratings).all() else "none"

    @cached_property
    def is_counted(self) -> BoolArray:
        """Which rows of `interactions` are interactions, dislikes included, rather than earlier stages of one."""
        return is_counted(self.interactions, self.counted)

    @cached_property
    def history(self) -> Interactions:
        """The rows that are interactions; all of them where the data tell no kinds apart."""
        return self.interactions if self.is_counted.all() else self.interactions.take(self.is_counted)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over people, items and interactions: two runs with the same one saw the same data."""
        if self.synthetic is not None:
            return hashlib.sha256(f"{self.real.fingerprint} {self.synthetic.recipe}".encode()).hexdigest()
        digest = hashlib.sha256()
        for part in (
            self.catalog.fingerprint,
            self.interactions.fingerprint,
            repr(self.people),
            repr(self.scale),
        ):
            digest.update(part.encode())
        # Data sets without these are hashed as they always were, so that their runs can be resumed.
        if not self.times_known:
            digest.update(b"times unknown")
        if self.parts is not None:
            digest.update(b"parts" + np.ascontiguousarray(self.parts, dtype=np.int8).tobytes())
        if self.offers is not None:
            digest.update(b"offers" + self.offers.fingerprint.encode())
        if self.counted is not None:
            digest.update(f"counted {sorted(map(KINDS.index, self.counted))}".encode())
        if self.scale.likes:
            digest.update(b"likes")
        return digest.hexdigest()
