"""A data set as every other room sees it, whatever files it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People


@dataclass(frozen=True, slots=True)
class RatingScale:
    """The stars people may give: `low`, `low + step`, ..., `high`."""

    low: float = 1.0
    high: float = 5.0
    step: float = 1.0

    @property
    def values(self) -> tuple[float, ...]:
        """Every legal rating, ascending."""
        return tuple(self.low + self.step * n for n in range(round((self.high - self.low) / self.step) + 1))

    @property
    def like(self) -> float:
        """From here on a rating counts as a like: 4 on a scale of 1 to 5, its equal share on others."""
        return self.low + 0.75 * (self.high - self.low)


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
    """

    name: str
    catalog: Catalog
    people: People
    interactions: Interactions
    scale: RatingScale
    source: str
    licence: str

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over people, items and interactions: two runs with the same one saw the same data."""
        digest = hashlib.sha256()
        for part in (
            self.catalog.fingerprint,
            self.interactions.fingerprint,
            repr(self.people),
            repr(self.scale),
        ):
            digest.update(part.encode())
        return digest.hexdigest()
