"""What recommenders around others have in common, and those that change another one's list."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from groundlings.environments.arrays import IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender, Recommender
from groundlings.recommenders.parts import joined, parts_of


class OuterRecommender(AsyncRecommender):
    """Fits the recommenders inside, asks about their needs, and tells them of each day. Subclasses write `rank`.

    Args:
        inside: Those recommenders.
    """

    def __init__(self, *inside: AsyncRecommender) -> None:
        self.inside = inside
        self.sees_hidden_preference = any(each.sees_hidden_preference for each in inside)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommenders inside."""
        for each in self.inside:
            each.fit(interactions, catalog)

    def memory_bytes(self, interactions: Interactions) -> int:
        """What the recommenders inside take; they are fitted one after the other, and what each has learnt stays."""
        return sum(each.memory_bytes(interactions) for each in self.inside)

    def check_users(self, users: IntArray) -> None:
        """Whether the recommenders inside can rank for them."""
        for each in self.inside:
            each.check_users(users)

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommenders inside."""
        for each in self.inside:
            each.observe(interactions)

    def state(self) -> str:
        """The states of the recommenders inside."""
        return "+".join(each.state() for each in self.inside)


class DelegatingRecommender(OuterRecommender, Recommender):
    """Learns nothing itself, and makes of a query what the recommender inside makes of it.

    Args:
        of: That recommender.
    """

    def __init__(self, of: AsyncRecommender) -> None:
        super().__init__(of)
        self.of = of
        self.reads_queries, self.needs_query = of.reads_queries, of.needs_query


class WrappingRecommender(DelegatingRecommender):
    """Mixes chance into the lists of another recommender.

    That one must not be randomised itself: the chance of an item would then depend on lists that were never
    drawn, and no exact propensity could be logged.

    Args:
        of: The recommender whose lists are changed; it is fitted, and told of each day, through this one.
    """

    randomised = True

    def __init__(self, of: AsyncRecommender) -> None:
        if of.randomised:
            raise ConfigError(
                f"{type(self).__name__} mixes chance into another recommender's lists, and {type(of).__name__} "
                "draws lots already: the propensities would not be known. Choose one that is not randomised"
            )
        super().__init__(of)

    @abstractmethod
    def mix(self, request: RankingRequest, inner: Ranking) -> Ranking:
        """The list that is shown in place of the inner one; asked for some sessions at a time where items are many."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; TypeError where the recommender inside has to be waited for."""
        if not isinstance(self.of, Recommender):
            raise TypeError(f"{type(self.of).__name__} takes its time: await `rank` instead of calling `recommend`")
        return self._mixed(request, self.of.recommend(request))

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        return self._mixed(request, await self.of.rank(request))

    def _mixed(self, request: RankingRequest, inner: Ranking) -> Ranking:
        if inner.propensity_kind != "deterministic":
            raise ValueError(f"{type(self.of).__name__} draws lots but does not say so: set `randomised = True` on it")
        parts = list(parts_of(len(request), request.seen.shape[1]))
        if len(parts) == 1:
            mixed = self.mix(request, inner)
        else:
            mixed = joined([self.mix(request.take(rows), inner.take(rows)) for rows in parts])
        return replace(mixed, calls=inner.calls) if inner.calls else mixed


def refuse_drawn_lists(of: AsyncRecommender, whose: str) -> None:
    """Raise `ConfigError` where the lists that a recommender goes on from are drawn by lot.

    Args:
        of: Whose lists.
        whose: Name of the recommender that goes on from them.
    """
    if of.randomised:
        raise ConfigError(
            f"{whose} goes on from lists that are not drawn by lot, and {type(of).__name__} draws lots: the "
            "propensities would not be known. Choose another one for `of`"
        )
