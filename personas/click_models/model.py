"""What every click model can do: be fitted, predict clicks, and draw them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.random_streams import Draws
from groundlings.personas.click_models.chances import LEAST, ByDocument, SlotChance
from groundlings.personas.click_models.pages import ResultPages

_FEWEST_STEPS = 10
"""Steps with pages that are not in the log, for models that need none without them."""


class ClickModel(ABC):
    """How people click in pages of results.

    Args:
        attractiveness: P(click | examined) of each result: per document if absent.
        steps: Steps of expectation-maximisation.
    """

    def __init__(self, attractiveness: SlotChance | None = None, steps: int = 50) -> None:
        self.attractiveness = attractiveness or ByDocument()
        self.steps = steps

    clicked_only = False
    """Whether all is said of pages that get a click; see `fit`."""

    def fit(self, pages: ResultPages, *, clicked_only: bool = False) -> Self:
        """Estimate all parameters from a log; returns itself.

        Args:
            pages: The log.
            clicked_only: Whether only pages with a click are in the log, others having been left out. Then each page
                is taken to have been shown some times more without one, as often as the model says (expectation-
                maximisation of the likelihood given a click), and what is predicted is given a click on the page.
        """
        self.clicked_only = clicked_only
        self._start(pages)
        for _ in range(max(self.steps, _FEWEST_STEPS) if clicked_only else self.steps):
            self._improve(pages.with_unclicked(self._unlogged(pages)) if clicked_only else pages)
        return self

    def _unlogged(self, pages: ResultPages) -> FloatArray:
        """How often each page is expected to have been shown without a click for each time that it got one."""
        none = self._silent(pages)[:, 0]
        times: FloatArray = none / np.maximum(1 - none, LEAST)
        return times

    def _silent(self, pages: ResultPages) -> FloatArray:
        """P(no click from this rank on | none above), shape (n_pages, depth)."""
        chances = self._given_above(pages.clicked(np.zeros_like(pages.clicks)))
        return np.asarray(np.cumprod(1 - chances[:, ::-1], axis=1)[:, ::-1], dtype=np.float64)

    @abstractmethod
    def _start(self, pages: ResultPages) -> None:
        """Estimate the parameters by counting."""

    @abstractmethod
    def _improve(self, pages: ResultPages) -> None:
        """One step of expectation-maximisation."""

    @abstractmethod
    def _before_clicks(self, pages: ResultPages) -> FloatArray:
        """See `click_probabilities`, of all pages."""

    @abstractmethod
    def _given_above(self, pages: ResultPages) -> FloatArray:
        """See `conditional`, of all pages."""

    def click_probabilities(self, pages: ResultPages) -> FloatArray:
        """P(click) of each result before anything is clicked, 0 at empty slots, shape (n_pages, depth)."""
        chances = self._before_clicks(pages)
        if not self.clicked_only:
            return chances
        return np.minimum(chances / np.maximum(1 - self._silent(pages)[:, [0]], LEAST), 1.0)

    def conditional(self, pages: ResultPages) -> FloatArray:
        """P(click) of each result given the clicks above it on its page, 0 at empty slots, shape (n_pages, depth)."""
        chances = self._given_above(pages)
        if not self.clicked_only:
            return chances
        none_above: BoolArray = (
            np.cumsum(pages.clicks, axis=1) - pages.clicks == 0
        )  # then a click must come, here or below
        surer = np.minimum(chances / np.maximum(1 - self._silent(pages), LEAST), 1.0)
        return np.where(none_above, surer, chances)

    def simulate(self, pages: ResultPages, draws: Draws) -> BoolArray:
        """Clicks on pages, from the top down, shape (n_pages, depth).

        Args:
            pages: What is shown; their own clicks are not read.
            draws: One row per page; a document has the same luck wherever it stands on the page.
        """
        luck = draws.uniform("click", pages.documents)
        clicks = np.zeros(pages.documents.shape, dtype=np.bool_)
        for rank in range(pages.depth):
            clicks[:, rank] = luck[:, rank] < self.conditional(pages.clicked(clicks))[:, rank]
        return clicks


def within(pages: ResultPages, depth: int) -> None:
    """Refuse pages with more ranks than a model was fitted to.

    Raises:
        ValueError: They are longer.
    """
    if pages.depth > depth:
        raise ValueError(
            f"pages: found {pages.depth} ranks; expected at most {depth}, as in the log the model was fitted to"
        )
