"""A linear bandit: it learns from its own impressions which items are clicked, and explores what it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field, NonNegativeInt
from scipy.special import ndtri
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import Recommender, ScoringRecommender, fitted, hash_of
from groundlings.recommenders.impressions import Impressions
from groundlings.recommenders.parts import joined
from groundlings.recommenders.policies.vectors import SessionVectors
from groundlings.recommenders.wrapping import OuterRecommender

Exploration = Literal["thompson", "ucb", "none"]
_Count: TypeAlias = Annotated[int, Field(ge=1, le=10_000)]
_Width: TypeAlias = Annotated[int, Field(ge=1, le=256)]
_Strength: TypeAlias = Annotated[float, Field(ge=0, le=1_000)]
_Ridge: TypeAlias = Annotated[float, Field(ge=1e-6, le=1e9)]
"""Beyond these bounds the covariance has no square root in floats of 64 bits."""

_NUMBERS_AT_ONCE = 2**22
_SMALLEST_LOT = 2.0**-54
_COPIES = 3
"""Arrays of that many numbers at a time: features, further draws, and those of them that are left."""


class ContextualBandit(OuterRecommender, Recommender):
    """Linear Thompson sampling (Agrawal and Goyal 2013) or LinUCB (Li et al. 2010) among another one's candidates.

    The chance of a click is a linear function of features of user and item. What is known of its coefficients is a
    normal distribution, which each day's impressions make narrower. `thompson` draws coefficients anew for every slot
    and shows the best item they know; `ucb` adds `noise` standard errors to what is expected; `none` shows what is
    expected to be best, which is the myopic policy. The propensities of `thompson` have no closed form and are
    estimated by `samples` further draws.

    Features: a constant; the retriever's score over the user's largest; the logarithm of people per item over its
    largest; the item's vector, its product with the user's vector number by number, and their inner product. Vectors
    are those of `policy`, from who interacted with what. They stay once something was shown, because the coefficients
    mean them; users' histories, the retriever and the counts follow every fit.

    Args:
        retriever: Makes the candidates, and gives them their first order.
        explore: "thompson", "ucb" or "none".
        candidates: Items of a candidate set at most.
        width: Numbers of an item's vector.
        noise: Standard deviation of what features do not explain of a click; scales all exploration.
        ridge: How many impressions the first opinion weighs.
        trust: Clicks per impression that the retriever's best item is first thought to have more than its worst.
        samples: Draws from which propensities are estimated.
        seed: Of these draws.
    """

    def __init__(
        self,
        retriever: ScoringRecommender,
        explore: Exploration = "thompson",
        candidates: _Count = 100,
        width: _Width = 8,
        noise: _Strength = 0.1,
        ridge: _Ridge = 10.0,
        trust: _Strength = 0.1,
        samples: _Count = 100,
        seed: NonNegativeInt = 0,
    ) -> None:
        if not isinstance(retriever, ScoringRecommender):
            raise ConfigError(f"ContextualBandit needs a recommender that scores items, unlike {retriever!r}")
        super().__init__(retriever)
        self.retriever, self.explore, self.candidates, self.width = retriever, explore, candidates, width
        self.noise, self.ridge, self.trust, self.samples, self.seed = noise, ridge, trust, samples, seed
        self.randomised = explore == "thompson"
        self._vectors: SessionVectors | None = None
        self._popularity = np.zeros(0)
        size = 4 + 2 * width
        self._first = np.zeros(size)
        self._first[1] = trust
        self._precision, self._moment, self._impressions = ridge * np.eye(size), np.zeros(size), 0
        self._further = np.random.default_rng(seed).normal(size=(size, samples))
        self._update()

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the retriever and see what users did; what impressions have taught stays."""
        super().fit(interactions, catalog)
        if self._vectors is None or not self._impressions:
            self._vectors = SessionVectors.fit(interactions, self.width)
        else:
            self._vectors = self._vectors.of_history(interactions)
        counts = np.log1p(interactions.item_counts)
        self._popularity = counts / max(1.0, counts.max(initial=0.0))

    def memory_bytes(self, interactions: Interactions) -> int:
        """What the retriever takes, the vectors, and the draws of the sessions that are ranked together."""
        vectors = 4 * self.width * (interactions.n_users + interactions.n_items)
        drawn = _COPIES * 8 * max(_NUMBERS_AT_ONCE, self.candidates * (self.samples + len(self._first)))
        return super().memory_bytes(interactions) + vectors + drawn

    def observe_impressions(self, impressions: Impressions) -> None:
        """Learn from a day; see `groundlings.recommenders.impressions.LearnsFromImpressions`."""
        fitted(self._vectors, self)
        with threadpool_limits(1, "blas"):
            for rows in self._parts(impressions):
                features = self._features(impressions.users[rows], impressions.items[rows][:, None])[:, 0]
                surprise = impressions.taken[rows] - features @ self._first
                self._precision = self._precision + features.T @ features
                self._moment = self._moment + features.T @ surprise
        self._impressions += len(impressions.users)
        self._update()

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        fitted(self._vectors, self)
        numbers = self.candidates * (request.size + self.samples + len(self._first))
        height = max(1, _NUMBERS_AT_ONCE // numbers)
        rows = np.arange(len(request))
        with threadpool_limits(1, "blas"):
            parts = [self._ranked(request.take(rows[first : first + height])) for first in rows[::height]]
        return joined(parts) if parts else self._ranked(request)

    def state(self) -> str:
        """See `AsyncRecommender.state`."""
        if self._vectors is None:
            return ""
        vectors = self._vectors.items, self._vectors.users
        own = hash_of(*vectors, self._popularity, self._precision, self._moment)
        return hash_of(np.array([super().state(), own]))

    def _update(self) -> None:
        """The mean of the coefficients, and a matrix that turns independent normal numbers into deviations from it."""
        with threadpool_limits(1, "blas"):
            covariance = np.linalg.inv(self._precision)
            self._mean = self._first + covariance @ self._moment
            self._spread = self.noise * np.linalg.cholesky((covariance + covariance.T) / 2)

    def _ranked(self, request: RankingRequest) -> Ranking:
        asked = replace(request, size=max(self.candidates, request.size))
        items = self.retriever.recommend(asked).items
        features = self._features(request.users, items)
        expected = (features @ self._mean[:, None])[..., 0]
        expected[items == NO_ITEM] = -np.inf
        size = min(request.size, items.shape[1])
        if self.explore != "thompson":
            bonus = np.sqrt(((features @ self._spread) ** 2).sum(axis=-1)) if self.explore == "ucb" else 0.0
            order = np.argsort(-(expected + bonus), axis=1, kind="stable")[:, :size]
            chosen = np.take_along_axis(items, order, axis=1)
            scores = np.take_along_axis(expected, order, axis=1)
            return Ranking.deterministic(chosen, np.where(chosen == NO_ITEM, np.nan, scores))
        return self._drawn(request, items, features, expected, size)

    def _drawn(
        self, request: RankingRequest, items: ItemArray, features: FloatArray, expected: FloatArray, size: int
    ) -> Ranking:
        """Each slot by coefficients of its own, and its chance by what further coefficients would choose there."""
        numbers = len(self._first)
        lots = request.draws.uniform("bandit", np.arange(size * numbers)[None]).reshape(-1, size, numbers)
        own = ndtri(np.maximum(lots, _SMALLEST_LOT)).swapaxes(1, 2)
        drawn = expected[..., None] + features @ (self._spread @ own)
        further = expected[..., None] + features @ (self._spread @ self._further)
        left = items != NO_ITEM
        places = np.zeros((len(request), size), dtype=np.int64)
        chances, explored = np.ones(places.shape), np.zeros(places.shape, dtype=np.bool_)
        for slot in range(size):
            place = np.where(left, drawn[..., slot], -np.inf).argmax(axis=1)
            others = np.where(left[..., None], further, -np.inf).argmax(axis=1)
            alike = (others == place[:, None]).sum(axis=1)
            chances[:, slot] = (alike + 1) / (self.samples + 1)
            explored[:, slot] = np.where(left, expected, -np.inf).argmax(axis=1) != place
            filled = left.any(axis=1)
            places[:, slot] = np.where(filled, place, -1)
            left[np.flatnonzero(filled), place[filled]] = False
        there = places >= 0
        chosen = np.where(there, np.take_along_axis(items, np.maximum(places, 0), axis=1), NO_ITEM).astype(np.int32)
        scores = np.where(there, np.take_along_axis(expected, np.maximum(places, 0), axis=1), np.nan)
        return Ranking(chosen, scores, np.where(there, chances, 1.0), explored & there, "estimated")

    def _features(self, users: IntArray, items: ItemArray) -> FloatArray:
        """What is known of each user and the items of their row, shape (n, k, numbers); 0 for `NO_ITEM`.

        Args:
            users: Row numbers, ascending where they repeat, shape (n,).
            items: Item numbers, shape (n, k).
        """
        vectors = fitted(self._vectors, self)
        there = items != NO_ITEM
        named = np.where(there, items, 0)
        whose, row = np.unique(users, return_inverse=True)
        scores = np.asarray(self.retriever.score(whose), dtype=np.float64)
        largest = np.abs(np.where(np.isfinite(scores), scores, 0.0)).max(axis=1, initial=0.0)
        relative = scores[row[:, None], named] / np.where(largest > 0, largest, 1.0)[row][:, None]
        of_items = vectors.items[named].astype(np.float64)
        products = of_items * vectors.users[users][:, None].astype(np.float64)
        single = [np.ones(items.shape), np.where(np.isfinite(relative), relative, 0.0), self._popularity[named]]
        columns = [each[..., None] for each in (*single, products.sum(axis=-1))]
        return np.concatenate([*columns, of_items, products], axis=-1) * there[..., None]

    def _parts(self, impressions: Impressions) -> Iterator[BoolArray]:
        """Rows of some users at a time, whose scores of all items fit into little memory."""
        users = np.unique(impressions.users)
        height = max(1, _NUMBERS_AT_ONCE // max(1, len(self._popularity)))
        for first in range(0, len(users), height):
            some = users[first : first + height]
            yield (impressions.users >= some[0]) & (impressions.users <= some[-1])
