"""Models in which people read from the top down and at each result go on or stop for good.

    cascade        stops at the first click (Craswell et al. 2008); what is clicked below it has no place in the model
    dependent      goes on after a click with a chance that depends on the rank, and always without one (Guo, Liu and
                   Wang 2009, "Efficient multiple-click models in web search", WSDM: the dependent click model, DCM)
    bayesian       a click satisfies with a chance of the document's own; who is not satisfied goes on with one chance
                   (Chapelle and Zhang 2009, "A dynamic Bayesian network click model for web search ranking", WWW: DBN)
    simplified     the same, where those who are not satisfied always go on (SDBN, in the same paper)

Whoever looks at a result has looked at all above it, so P(examined | clicks) says all that a step of
expectation-maximisation needs. The last three start from the papers' own counts, which take everything below the last
click as unseen, and are right only where pages have no end; `steps=0` leaves them at that.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.personas.click_models.chances import LEAST, ByDocument, SlotChance
from groundlings.personas.click_models.model import ClickModel, within
from groundlings.personas.click_models.pages import ResultPages

_FIRST_PERSEVERANCE = 0.9
"""Where the search for P(goes on | not satisfied) begins, and what one slot more is taken to say of it."""


class Chain(ClickModel):
    """What models that read from the top down share."""

    @abstractmethod
    def _goes_on(self, pages: ResultPages) -> tuple[FloatArray, FloatArray]:
        """P(the next is examined | this one is) without and with a click, shape (n_pages, depth) each."""

    @abstractmethod
    def _maximise(self, pages: ResultPages, examined: FloatArray) -> None:
        """Estimate how people go on, from P(examined | clicks) times how much a page counts, shape (n_pages, depth)."""

    def _start(self, pages: ResultPages) -> None:
        last = pages.last_click()[:, None]
        seen = pages.shown & ((np.arange(pages.depth) <= last) | (last < 0))
        self.attractiveness.fit(pages, pages.counted(pages.clicks), pages.counted(seen))
        self._maximise(pages, pages.counted(seen))

    def _improve(self, pages: ResultPages) -> None:
        examined = pages.counted(self.examined(pages))
        self.attractiveness.fit(pages, pages.counted(pages.clicks), examined)
        self._maximise(pages, examined)

    def examined(self, pages: ResultPages) -> FloatArray:
        """P(examined | all clicks of the page), 0 at empty slots, shape (n_pages, depth)."""
        attractive = self.attractiveness.of(pages)
        emitted = np.where(pages.clicks, attractive, 1 - attractive)
        skipped, clicked = self._goes_on(pages)
        onward = np.where(pages.clicks, clicked, skipped)
        silent = np.arange(pages.depth) >= pages.last_click()[:, None]  # nothing is clicked below this rank
        below = np.ones((len(pages), pages.depth + 1))  # P(clicks from this rank on | it is examined)
        for rank in reversed(range(pages.depth)):
            stops = (1 - onward[:, rank]) * silent[:, rank]
            below[:, rank] = emitted[:, rank] * (onward[:, rank] * below[:, rank + 1] + stops)
        above = np.cumprod(np.column_stack([np.ones(len(pages)), (emitted * onward)[:, :-1]]), axis=1)
        return np.where(pages.shown, above * below[:, :-1] / below[:, [0]], 0.0)

    def _given_above(self, pages: ResultPages) -> FloatArray:
        attractive = self.attractiveness.of(pages)
        skipped, clicked = self._goes_on(pages)
        found, looks = np.zeros(attractive.shape), np.ones(len(pages))
        for rank in range(pages.depth):
            found[:, rank] = chance = looks * attractive[:, rank]
            passed = skipped[:, rank] * looks * (1 - attractive[:, rank]) / np.maximum(1 - chance, LEAST)
            looks = np.where(pages.clicks[:, rank], clicked[:, rank], passed)
        return found

    def _before_clicks(self, pages: ResultPages) -> FloatArray:
        attractive = self.attractiveness.of(pages)
        skipped, clicked = self._goes_on(pages)
        onward = attractive * clicked + (1 - attractive) * skipped
        looks = np.cumprod(np.column_stack([np.ones(len(pages)), onward[:, :-1]]), axis=1)
        return looks * attractive


class Cascade(Chain):
    """The cascade model. Its fit is a count: everything down to the first click was examined, and nothing below."""

    def __init__(self, attractiveness: SlotChance | None = None) -> None:
        super().__init__(attractiveness, steps=0)

    def _start(self, pages: ResultPages) -> None:
        before: IntArray = np.cumsum(pages.clicks, axis=1) - pages.clicks
        examined = pages.shown & (before == 0)
        self.attractiveness.fit(pages, pages.counted(pages.clicks & examined), pages.counted(examined))

    def _improve(self, pages: ResultPages) -> None:
        self._start(pages)

    def _goes_on(self, pages: ResultPages) -> tuple[FloatArray, FloatArray]:
        return np.ones(pages.documents.shape), np.zeros(pages.documents.shape)

    def _maximise(self, pages: ResultPages, examined: FloatArray) -> None:
        """Nothing is left to estimate."""


class DependentClick(Chain):
    """The dependent click model. `after_click` has P(goes on | click) per rank, shape (depth,)."""

    after_click: FloatArray

    def _goes_on(self, pages: ResultPages) -> tuple[FloatArray, FloatArray]:
        within(pages, len(self.after_click))
        shape = pages.documents.shape
        return np.ones(shape), np.broadcast_to(self.after_click[: pages.depth], shape)

    def _maximise(self, pages: ResultPages, examined: FloatArray) -> None:
        above, below = np.where(_followed(pages), _next(examined), 0.0).sum(axis=0), _clicks(pages).sum(axis=0)
        overall = (above.sum() + 0.5) / (below.sum() + 1)
        self.after_click = np.clip((above + overall) / (below + 1), LEAST, 1 - LEAST)


class SimplifiedBayesian(Chain):
    """The simplified dynamic Bayesian network.

    Args:
        attractiveness: See `ClickModel`.
        satisfaction: P(satisfied | click) of each result: per document if absent.
        steps: See `ClickModel`.
    """

    def __init__(
        self, attractiveness: SlotChance | None = None, satisfaction: SlotChance | None = None, steps: int = 50
    ) -> None:
        super().__init__(attractiveness, steps)
        self.satisfaction = satisfaction or ByDocument()
        self.perseverance = 1.0
        """P(goes on | not satisfied)."""

    def _goes_on(self, pages: ResultPages) -> tuple[FloatArray, FloatArray]:
        skipped = np.full(pages.documents.shape, self.perseverance)
        return skipped, skipped * (1 - self.satisfaction.of(pages))

    def _maximise(self, pages: ResultPages, examined: FloatArray) -> None:
        self.satisfaction.fit(pages, _stops(pages, examined), _clicks(pages))


class Bayesian(SimplifiedBayesian):
    """The dynamic Bayesian network."""

    def _start(self, pages: ResultPages) -> None:
        self.satisfaction.fit(pages, _clicks(pages) / 2, _clicks(pages))
        self.perseverance = _FIRST_PERSEVERANCE
        super()._start(pages)

    def _maximise(self, pages: ResultPages, examined: FloatArray) -> None:
        clicks, goes_on = _clicks(pages), _next(examined)
        satisfied = self.satisfaction.of(pages)
        # Who stops after a click is satisfied, or is not and gives up.
        gives_up = (1 - satisfied) * (1 - self.perseverance)
        content = _stops(pages, examined) * satisfied / np.maximum(satisfied + gives_up, LEAST)
        skips = np.where(_has_next(pages) & ~pages.clicks, examined, 0.0)
        went_on, could = goes_on[_has_next(pages)].sum(), (clicks - content).sum() + skips.sum()
        self.perseverance = float(np.clip((went_on + _FIRST_PERSEVERANCE) / (could + 1), LEAST, 1 - LEAST))
        self.satisfaction.fit(pages, content, clicks)


def _has_next(pages: ResultPages) -> BoolArray:
    """Slots with a result below them: only there a log can say whether people went on, shape (n_pages, depth)."""
    return np.column_stack([pages.shown[:, 1:], np.zeros(len(pages), dtype=np.bool_)])


def _followed(pages: ResultPages) -> BoolArray:
    """Clicks with a result below them, shape (n_pages, depth)."""
    return pages.clicks & _has_next(pages)


def _clicks(pages: ResultPages) -> FloatArray:
    """How much each click with a result below it counts, shape (n_pages, depth)."""
    return pages.counted(_followed(pages))


def _stops(pages: ResultPages, examined: FloatArray) -> FloatArray:
    """The part of `_clicks` after which people stop, from what they examined, shape (n_pages, depth)."""
    return np.where(_followed(pages), _clicks(pages) - _next(examined), 0.0)


def _next(examined: FloatArray) -> FloatArray:
    """The same of the next rank, 0 behind the last one, shape as given."""
    return np.column_stack([examined[:, 1:], np.zeros(len(examined))])
