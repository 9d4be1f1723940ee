"""What is asked of a recommender, and what it answers: for many visits at once, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from environments.draws import Draws

PropensityKind = Literal["deterministic", "exact", "estimated"]


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """A request for one ranked list a visit.

    Attributes:
        users: Row numbers of users, shape (n,); a user may occur once at most.
        size: How many items each list may hold.
        seen: Items that must not be listed, shape (n, n_items), a stored entry means "seen".
        draws: The only source of chance a recommender may use, one row a visit.
    """

    users: IntArray
    size: int
    seen: sp.csr_array
    draws: Draws

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ordered lists, best first; a short list is filled up with `NO_ITEM` at its end.

    Attributes:
        items: Item numbers, shape (n, size), no item twice in a row.
        scores: The recommender's own scores, shape (n, size), NaN where there is none.
        propensities: P(this item at this rank | request), shape (n, size); 1 for a deterministic list.
        explored: True where chance, not the score, chose the slot, shape (n, size).
        propensity_kind: "deterministic", "exact" (known in closed form) or "estimated".
    """

    items: ItemArray
    scores: FloatArray
    propensities: FloatArray
    explored: BoolArray
    propensity_kind: PropensityKind = "deterministic"

    @classmethod
    def deterministic(cls, items: ItemArray, scores: FloatArray) -> Ranking:
        """A ranking in which chance played no part."""
        explored = np.zeros(items.shape, dtype=np.bool_)
        return cls(items, scores, np.ones(items.shape), explored, "deterministic")

    def check(self, request: RankingRequest, n_items: int) -> None:
        """Raise ValueError at the first promise that this answer to `request` breaks."""
        if self.items.ndim != 2 or self.items.shape[0] != len(request) or self.items.shape[1] > request.size:
            raise ValueError(f"ranking of shape {self.items.shape}; expected ({len(request)}, at most {request.size})")
        for name in ("scores", "propensities", "explored"):
            if getattr(self, name).shape != self.items.shape:
                raise ValueError(f"ranking.{name} has another shape than ranking.items {self.items.shape}")
        listed = self.items != NO_ITEM
        if np.any(listed[:, 1:] & ~listed[:, :-1]):
            raise ValueError("a ranking may be short, but it has no gaps: NO_ITEM only at the end of a row")
        if np.any(self.items[listed] < 0) or np.any(self.items[listed] >= n_items):
            raise ValueError(f"ranking names an item outside 0..{n_items - 1}")
        ordered = np.sort(np.where(listed, self.items, -1 - np.arange(self.items.shape[1])), axis=1)
        if np.any(ordered[:, 1:] == ordered[:, :-1]):
            raise ValueError("ranking lists an item twice for one user")
        rows = np.broadcast_to(np.arange(len(request))[:, None], self.items.shape)[listed]
        if np.any(request.seen[rows, self.items[listed]]):
            raise ValueError("ranking lists an item of request.seen")
        chances = self.propensities[listed]
        if not np.all((chances > 0) & (chances <= 1)):
            raise ValueError("propensities must lie in (0, 1]")


def top_items(scores: FloatArray, request: RankingRequest) -> Ranking:
    """Rank by score, seen items left out, ties by the smaller item number.

    Args:
        scores: Shape (n, n_items), one row a visit of the request; -inf never lists an item.
        request: Says what was seen and how many items are wanted.
    """
    masked = np.array(scores, dtype=np.float64)
    seen = request.seen.tocoo()
    masked[seen.coords] = -np.inf
    size = min(request.size, masked.shape[1])
    if size < masked.shape[1]:
        # Keep every item that ties with the last one kept, so that the tie rule and not the partition decides.
        floor = -np.partition(-masked, size - 1, axis=1)[:, size - 1 : size]
        width = int((masked >= floor).sum(axis=1).max())
        near = np.argpartition(-masked, min(width, masked.shape[1]) - 1, axis=1)[:, :width]
        near.sort(axis=1)
    else:
        near = np.broadcast_to(np.arange(masked.shape[1]), masked.shape)
    values = np.take_along_axis(masked, near, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :size]
    items = np.take_along_axis(near, order, axis=1).astype(np.int32)
    kept = np.take_along_axis(values, order, axis=1)
    hidden = np.isneginf(kept)
    items[hidden] = NO_ITEM
    return Ranking.deterministic(items, np.where(hidden, np.nan, kept))
