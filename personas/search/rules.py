"""How real people looked down pages of results and stopped, as arithmetic for thousands of sessions at once.

    looks   P(look at a result | the clicks above it): a table per rank (the position-based model), or per rank and rank
            of the last click above (the user browsing model; `groundlings.personas.click_models.examination`)
    stops   P(a page of results is the session's last) = logistic(intercept + weights . `STOP_FEATURES`)

What makes one result more attractive than another is no part of it: that is said by whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray, seal_arrays

STOP_FEATURES = ("number", "first", "clicks", "lowest_click", "clicks_before")
"""What a stop depends on: log(1 + pages of results before this one), whether there was none, clicks on the page, the
rank of the lowest of them (from 1; 0 without a click), and log(1 + clicks on the pages before)."""


def stop_features(number: IntArray, clicks: BoolArray, before: IntArray) -> FloatArray:
    """`STOP_FEATURES` of pages, shape (n, 5).

    Args:
        number: Pages of results that each session had before, shape (n,).
        clicks: On the page, shape (n, depth).
        before: Clicks on the pages before, shape (n,).
    """
    depth = clicks.shape[1]
    lowest = np.where(clicks.any(axis=1), depth - np.argmax(clicks[:, ::-1], axis=1), 0)
    columns = np.log1p(number), number == 0, clicks.sum(axis=1), lowest, np.log1p(before)
    return np.column_stack(columns).astype(np.float64)


@dataclass(frozen=True, slots=True)
class SearchRules:
    """What a log of search sessions says of how people read results.

    Attributes:
        examination: P(look at a rank), shape (depth, 1); or P(look at it | rank of the last click above, 0 for none),
            shape (depth, depth).
        stop: Intercept, and the weights of `STOP_FEATURES`, shape (6,).
        level: P(click | looked at), mean over the results of the log.
        reformulation: P(the next page is of another query | goes on).
    """

    examination: FloatArray
    stop: FloatArray
    level: float
    reformulation: float

    def __post_init__(self) -> None:
        seal_arrays(self, "examination", "stop")

    @property
    def depth(self) -> int:
        """Ranks of the longest page that it knows."""
        return len(self.examination)

    def looks(self, open_if_seen: FloatArray, luck: FloatArray, shown: BoolArray) -> FloatArray:
        """P(look) of each slot given the clicks above it, from the top down, shape (n, n_slots).

        A slot is clicked where `luck` is below P(look) * `open_if_seen`, so that whoever decides clicks in the same way
        with the same numbers finds the clicks that these chances are given.

        Args:
            open_if_seen: P(click | looked at), shape (n, n_slots) as the others.
            luck: Uniform numbers.
            shown: Where there is a result.

        Raises:
            ValueError: There are more slots than ranks.
        """
        n_slots = open_if_seen.shape[1]
        if n_slots > self.depth:
            raise ValueError(f"open_if_seen: found {n_slots} slots; expected at most {self.depth}")
        found = np.empty(open_if_seen.shape)
        last = np.zeros(len(found), dtype=np.int64)
        knows_last = self.examination.shape[1] > 1
        for rank in range(n_slots):
            found[:, rank] = self.examination[rank, last]
            if knows_last:
                clicked = shown[:, rank] & (luck[:, rank] < found[:, rank] * open_if_seen[:, rank])
                last = np.where(clicked, rank + 1, last)
        return found

    def stops(self, number: IntArray, clicks: BoolArray, before: IntArray) -> FloatArray:
        """P(a page is the session's last) once its clicks are made, shape (n,); arguments as of `stop_features`."""
        return np.asarray(expit(self.stop[0] + stop_features(number, clicks, before) @ self.stop[1:]))
