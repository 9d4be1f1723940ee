"""What each user was shown lately and did not take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from groundlings.recommenders.base import hash_of
from groundlings.recommenders.impressions import Impressions


@dataclass(frozen=True, slots=True)
class PassedOver:
    """The latest different items that users were shown and did not take, as their arm's impressions tell.

    Whether a user looked at them is not known to a recommender. What is taken later is taken out.

    Attributes:
        length: The most items of a user.
        items: User -> items, the latest day last and within a day by number; users without any are absent.
    """

    length: int
    items: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def followed_by(self, impressions: Impressions) -> PassedOver:
        """With a later day behind it."""
        found = dict(self.items)
        bounds = np.flatnonzero(np.diff(impressions.users, prepend=-1, append=-1))
        for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            user = int(impressions.users[first])
            shown, taken = impressions.items[first:last], impressions.taken[first:last]
            today = set(shown.tolist())
            before = [item for item in found.pop(user, ()) if item not in today]
            kept = [*before, *shown[~taken].tolist()]
            if latest := kept[max(0, len(kept) - self.length) :]:
                found[user] = tuple(latest)
        return PassedOver(self.length, found)

    def hash(self) -> str:
        """A short hash of all of it."""
        return hash_of(np.frombuffer(repr(sorted(self.items.items())).encode(), dtype=np.uint8))
