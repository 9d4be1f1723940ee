"""Models in which a result is clicked when it is examined and attractive, independently (the examination hypothesis).

    position_based   P(examined) depends on the rank (Craswell, Zoeter, Taylor and Ramsey 2008, "An experimental
                     comparison of click position-bias models", WSDM)
    user_browsing    P(examined) depends on the rank and on the rank of the last click above it (Dupret and Piwowarski
                     2008, "A user browsing model to predict search engine click data from past observations", SIGIR)

Only the product of examination and attractiveness shows in a log. The first rank, with nothing above it, is taken to be
examined always, which settles the scale.
"""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.click_models.chances import LEAST
from groundlings.personas.click_models.model import ClickModel, within
from groundlings.personas.click_models.pages import ResultPages

_PRIOR = 1.0
"""Slots, half of them examined, that every case of examination is given."""


class PositionBased(ClickModel):
    """The position-based model. `examination` has P(examined) per rank, shape (depth, 1)."""

    examination: FloatArray

    def _start(self, pages: ResultPages) -> None:
        clicks, shown = pages.counted(pages.clicks), pages.counted(pages.shown)
        self.examination = np.ones(self._shape(pages.depth))
        self._maximise(pages, clicks, shown)
        self.attractiveness.fit(pages, clicks, shown)

    def _improve(self, pages: ResultPages) -> None:
        attractive, seen = self.attractiveness.of(pages), self._examined(pages)
        passed = np.maximum(1 - attractive * seen, LEAST)
        shown = pages.counted(pages.shown)
        # P(attractive | not clicked) and P(examined | not clicked); a click is both.
        liked = np.where(pages.clicks, 1.0, attractive * (1 - seen) / passed)
        looked = np.where(pages.clicks, 1.0, seen * (1 - attractive) / passed)
        self.attractiveness.fit(pages, liked * shown, shown)
        self._maximise(pages, looked * shown, shown)

    def _maximise(self, pages: ResultPages, looked: FloatArray, shown: FloatArray) -> None:
        index = self._index(pages)
        above = np.bincount(index.ravel(), looked.ravel(), minlength=self.examination.size)
        below = np.bincount(index.ravel(), shown.ravel(), minlength=self.examination.size)
        table = (above + _PRIOR / 2) / (below + _PRIOR)
        table[0] = 1 - LEAST
        self.examination = np.clip(table, LEAST, 1 - LEAST).reshape(self.examination.shape)

    def _shape(self, depth: int) -> tuple[int, int]:
        """Ranks, and cases of each."""
        return depth, 1

    def _cases(self, pages: ResultPages) -> IntArray:
        """The case of each slot: what examination depends on beside the rank, shape (n_pages, depth)."""
        return np.zeros(pages.documents.shape, dtype=np.int64)

    def _index(self, pages: ResultPages) -> IntArray:
        return np.arange(pages.depth) * self.examination.shape[1] + self._cases(pages)

    def _examined(self, pages: ResultPages) -> FloatArray:
        within(pages, len(self.examination))
        return self.examination.ravel()[self._index(pages)]

    def _given_above(self, pages: ResultPages) -> FloatArray:
        return self.attractiveness.of(pages) * self._examined(pages)

    def _before_clicks(self, pages: ResultPages) -> FloatArray:
        return self._given_above(pages)


class UserBrowsing(PositionBased):
    """The user browsing model. `examination` has P(examined) per rank and rank of the last click above it.

    The second place is 0 without a click above, else its rank counted from 1; shape (depth, depth).
    """

    def _shape(self, depth: int) -> tuple[int, int]:
        return depth, depth

    def _cases(self, pages: ResultPages) -> IntArray:
        place = np.where(pages.clicks, np.arange(1, pages.depth + 1), 0)
        return np.column_stack([np.zeros(len(pages), dtype=np.int64), np.maximum.accumulate(place, axis=1)[:, :-1]])

    def _before_clicks(self, pages: ResultPages) -> FloatArray:
        attractive = self.attractiveness.of(pages)
        last = np.zeros((len(pages), pages.depth + 1))  # P(the last click above is there)
        last[:, 0] = 1.0
        found = np.zeros(attractive.shape)
        within(pages, len(self.examination))
        for rank in range(pages.depth):
            each = last[:, : pages.depth] * attractive[:, [rank]] * self.examination[rank, : pages.depth]
            found[:, rank] = each.sum(axis=1)
            last[:, : pages.depth] -= each
            last[:, rank + 1] += found[:, rank]
        return found
