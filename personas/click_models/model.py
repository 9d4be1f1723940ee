"""What every click model can do: be fitted, foretell clicks, and draw them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.random_streams import Draws
from groundlings.personas.click_models.chances import ByDocument, SlotChance
from groundlings.personas.click_models.pages import ResultPages


class ClickModel(ABC):
    """How people click in pages of results.

    Args:
        attractiveness: P(click | examined) of each result: per document if absent.
        steps: Steps of expectation-maximisation.
    """

    def __init__(self, attractiveness: SlotChance | None = None, steps: int = 50) -> None:
        self.attractiveness = attractiveness or ByDocument()
        self.steps = steps

    def fit(self, pages: ResultPages) -> Self:
        """Estimate all parameters from a log; returns itself."""
        self._start(pages)
        for _ in range(self.steps):
            self._improve(pages)
        return self

    @abstractmethod
    def _start(self, pages: ResultPages) -> None:
        """Estimate the parameters by counting."""

    @abstractmethod
    def _improve(self, pages: ResultPages) -> None:
        """One step of expectation-maximisation."""

    @abstractmethod
    def click_probabilities(self, pages: ResultPages) -> FloatArray:
        """P(click) of each result before anything is clicked, 0 at empty slots, shape (n_pages, depth)."""

    @abstractmethod
    def conditional(self, pages: ResultPages) -> FloatArray:
        """P(click) of each result given the clicks above it on its page, 0 at empty slots, shape (n_pages, depth)."""

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
