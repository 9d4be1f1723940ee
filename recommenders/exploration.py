"""Two ways to explore with known propensities, so that other policies can be estimated from the log."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, ItemArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.recommenders.base import AsyncRecommender, Recommender, ScoringRecommender
from groundlings.recommenders.chances import first_left
from groundlings.recommenders.chances import is_next as next_of
from groundlings.recommenders.wrapping import WrappingRecommender


class EpsilonSlots(WrappingRecommender):
    """Fills each slot with probability epsilon by a uniformly random unseen item instead of the next best.

    The list is built from the top. At rank k the candidates are the unseen items that stand at no rank < k;
    `next` is the first candidate in the order of the inner list. With probability epsilon the slot gets a
    candidate drawn uniformly (`next` may be drawn, too), else it gets `next`. An item that an explored slot
    pushed aside is not lost: it is `next` again at the following rank. The list is as long as the inner one.

    P(item at rank k | items at ranks < k, request)
        = (1 - epsilon) [item is next] + epsilon / (number of unseen items - (k - 1)), ranks from 1.

    That is exact: the prefix alone decides what `next` and the candidates are. Candidates are drawn by one lot an
    item, the lowest first; given what was taken before, every order of the others is equally likely. `explored`
    marks the slots where the coin said so; they have no score.

    Args:
        of: The recommender whose list is explored around; not a randomised one.
        epsilon: How many of the slots are left to chance, 0 = none, 1 = all.
    """

    def __init__(self, of: AsyncRecommender, epsilon: Annotated[float, Field(ge=0, le=1)]) -> None:
        super().__init__(of)
        self.epsilon = epsilon

    def mix(self, request: RankingRequest, inner: Ranking) -> Ranking:
        """See `WrappingRecommender.mix`."""
        sessions, size = inner.items.shape
        n_items = request.seen.shape[1]
        lots = request.draws.uniform("epsilon_item", np.arange(n_items)[None])
        chance = top_items(lots, replace(request, size=size)).items
        listed = inner.items != NO_ITEM
        explored = listed & (request.draws.uniform("epsilon_slot", np.arange(size)[None]) < self.epsilon)

        items = np.full((sessions, size), NO_ITEM, dtype=np.int32)
        scores = np.full((sessions, size), np.nan)
        is_next = np.zeros((sessions, size), dtype=np.bool_)
        taken = np.zeros((sessions, n_items), dtype=np.bool_)
        place, chance_place = np.zeros((2, sessions), dtype=np.int64)
        rows = np.arange(sessions)
        for rank in range(size):
            best = first_left(inner.items, place, taken)
            drawn = first_left(chance, chance_place, taken)
            items[:, rank] = np.where(explored[:, rank], drawn, best)
            items[~listed[:, rank], rank] = NO_ITEM
            is_next[:, rank] = items[:, rank] == best
            scores[:, rank] = inner.scores[rows, place]
            filled = listed[:, rank]
            taken[rows[filled], items[filled, rank]] = True
        return Ranking(
            items=items,
            scores=np.where(explored | ~listed, np.nan, scores),
            propensities=self._chances(request, items, is_next),
            explored=explored,
            propensity_kind="exact",
        )

    def chances(self, request: RankingRequest, items: ItemArray) -> FloatArray:
        """See `groundlings.recommenders.chances.KnowsChances`; TypeError where the recommender inside must wait."""
        if not isinstance(self.of, Recommender):
            raise TypeError(f"{type(self.of).__name__} takes its time, and its lists are not known beforehand")
        inner = self.of.recommend(replace(request, size=items.shape[1])).items
        return self._chances(request, items, next_of(inner, items, request.seen.shape[1]))

    def _chances(self, request: RankingRequest, items: ItemArray, is_next: BoolArray) -> FloatArray:
        candidates = request.unseen_counts()[:, None] - np.arange(items.shape[1])
        chances = (1 - self.epsilon) * is_next + self.epsilon / np.maximum(candidates, 1)
        # A lone candidate has (1 - epsilon) + epsilon, which rounding may lift above 1.
        return np.where(items != NO_ITEM, np.minimum(chances, 1.0), 1.0)


class PlackettLuce(WrappingRecommender):
    """Draws each list without replacement, with chances that grow with the score (Plackett 1975, Luce 1959).

    P(item at rank k | items at ranks < k, request)
        = exp(score / temperature) / sum of exp(score' / temperature) over the unseen items at no rank < k.

    Drawn by adding a Gumbel lot to each score / temperature and sorting (Yellott 1977): exact, and an item keeps
    its lot whatever else is on offer. Items of score -inf are never listed. `explored` marks the slots whose item
    is not one of the best-scored still left.

    Args:
        of: A recommender that scores items; not a randomised one.
        temperature: In the units of its scores: near 0 the list is the inner one, the higher the more random.
            Scores of `popular` are counts of people, those of `als` mostly lie between 0 and 1.
    """

    def __init__(self, of: ScoringRecommender, temperature: PositiveFloat) -> None:
        super().__init__(of)
        if not isinstance(of, ScoringRecommender):
            raise ConfigError(f"PlackettLuce needs a recommender that scores items, and {type(of).__name__} has none")
        self._scorer = of
        self.temperature = temperature

    def mix(self, request: RankingRequest, inner: Ranking) -> Ranking:  # noqa: ARG002 - see the docstring
        """See `WrappingRecommender.mix`; all scores count, and not the inner list alone."""
        scores, utilities = self._utilities(request)
        lots = request.draws.uniform("plackett_luce", np.arange(utilities.shape[1])[None])
        gumbel = -np.log(-np.log(np.maximum(lots, 2.0**-54)))  # a lot of exactly 0 has no logarithm
        items = top_items(utilities + gumbel, request).items
        chances, explored = _plackett_luce_chances(utilities, items)
        shown = np.take_along_axis(scores, np.maximum(items, 0).astype(np.int64), axis=1)
        return Ranking(
            items=items,
            scores=np.where(items == NO_ITEM, np.nan, shown),
            propensities=chances,
            explored=explored,
            propensity_kind="exact",
        )

    def chances(self, request: RankingRequest, items: ItemArray) -> FloatArray:
        """See `groundlings.recommenders.chances.KnowsChances`; an item that cannot be listed has no chance."""
        _, utilities = self._utilities(request)
        listed = items != NO_ITEM
        rows = np.broadcast_to(np.arange(len(items))[:, None], items.shape)
        possible = np.zeros(items.shape, dtype=np.bool_)
        possible[listed] = np.isfinite(utilities[rows[listed], items[listed]])
        # Behind an item that has no chance nothing is known of, and nothing asked about, the rest of the list.
        possible = np.logical_and.accumulate(possible | ~listed, axis=1)
        chances, _ = _plackett_luce_chances(utilities, np.where(possible, items, NO_ITEM).astype(np.int32))
        return np.where(possible, chances, 0.0)

    def _utilities(self, request: RankingRequest) -> tuple[FloatArray, FloatArray]:
        """The scores of all items, and these over the temperature, -inf for what was seen, shape (n, n_items) each."""
        scores = self._scorer.score(request.users)
        utilities = np.array(scores, dtype=np.float64) / self.temperature
        request.hide_seen(utilities)
        return scores, utilities


def _plackett_luce_chances(utilities: FloatArray, items: ItemArray) -> tuple[FloatArray, BoolArray]:
    """The chance of each listed item among those still left, and whether a better one was left, as `items`.

    Args:
        utilities: Shape (n, n_items), -inf for what cannot be listed.
        items: The lists drawn, shape (n, size).
    """
    listed = items != NO_ITEM
    rows = np.broadcast_to(np.arange(len(items))[:, None], items.shape)
    own = np.where(listed, utilities[rows, items], -np.inf)
    rest = utilities.copy()
    rest[rows[listed], items[listed]] = -np.inf
    best = rest.max(axis=1, keepdims=True, initial=-np.inf)
    top = np.where(np.isneginf(best), 0.0, best)
    with np.errstate(divide="ignore"):  # nothing is left: log(0) = -inf is meant
        unlisted = np.log(np.exp(rest - top).sum(axis=1, keepdims=True)) + top
    # From the last rank up: adding what is left loses nothing, subtracting what is gone would.
    upwards = np.concatenate([unlisted, own[:, ::-1]], axis=1)
    left = np.logaddexp.accumulate(upwards, axis=1)[:, :0:-1]
    best_left = np.maximum.accumulate(np.concatenate([best, own[:, ::-1]], axis=1), axis=1)[:, :0:-1]
    chances = np.ones(items.shape)
    chances[listed] = np.minimum(np.exp(own[listed] - left[listed]), 1.0)
    return chances, listed & (own < best_left)
