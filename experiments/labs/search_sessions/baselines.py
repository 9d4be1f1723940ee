"""What click models are held against: the rank alone, and one logistic regression without a theory of examination."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.personas.click_models.chances import ByFeatures, SlotChance
from groundlings.personas.click_models.model import ClickModel
from groundlings.personas.click_models.pages import ResultPages


class Unexamined(ClickModel):
    """Clicks that depend on no other click and on no examination: one chance per slot.

    Args:
        chance: P(click) of each slot.
    """

    def __init__(self, chance: SlotChance) -> None:
        super().__init__(chance, steps=0)

    def _start(self, pages: ResultPages) -> None:
        self.attractiveness.fit(pages, pages.counted(pages.clicks), pages.counted(pages.shown))

    def _improve(self, pages: ResultPages) -> None:
        self._start(pages)

    def _before_clicks(self, pages: ResultPages) -> FloatArray:
        return self.attractiveness.of(pages)

    def _given_above(self, pages: ResultPages) -> FloatArray:
        return self.attractiveness.of(pages)


class ByRank:
    """The share of each rank; one page more, clicked half, is counted at each."""

    def __init__(self) -> None:
        self._shares = np.zeros(0)

    def fit(self, pages: ResultPages, happened: FloatArray, weights: FloatArray) -> None:
        """See `SlotChance.fit`."""
        self._shares = (np.where(pages.shown, happened, 0.0).sum(axis=0) + 0.5) / (weights.sum(axis=0) + 1)

    def of(self, pages: ResultPages) -> FloatArray:
        """See `SlotChance.of`."""
        return np.where(pages.shown, self._shares[: pages.depth], 0.0)


class ByRankAndFeatures:
    """A logistic function of the features and of which rank it is.

    Args:
        ridge: See `ByFeatures`.
    """

    def __init__(self, ridge: float) -> None:
        self._chance = ByFeatures(ridge)

    def fit(self, pages: ResultPages, happened: FloatArray, weights: FloatArray) -> None:
        """See `SlotChance.fit`."""
        self._chance.fit(_with_ranks(pages), happened, weights)

    def of(self, pages: ResultPages) -> FloatArray:
        """See `SlotChance.of`."""
        return self._chance.of(_with_ranks(pages))


def _with_ranks(pages: ResultPages) -> ResultPages:
    ranks = np.broadcast_to(np.eye(pages.depth), (len(pages), pages.depth, pages.depth))
    known = np.zeros((len(pages), pages.depth, 0)) if pages.features is None else pages.features
    return ResultPages(pages.documents, pages.clicks, np.concatenate([ranks, known], axis=2))
