"""Business rules around any recommender: pin, exclude, cap and boost, and random slots for exploration.

However a file orders them, they act in this order, from the inside out, because each would undo those after it:

1. `boost` moves items up or down by places: the k-th item of the inner list is ordered as if it were the (k - by)-th,
   boosted items before others that they draw level with. Several boosts act one after the other.
2. Pins, caps and random slots fill the slots together, from the first to the last (`groundlings.recommenders.placing`).
3. `exclude` keeps items out of all of this, random slots included.

Scores are the recommender's own, also where items have moved; what a pin or chance has put there has none. Propensities
are exact: those of the recommender inside where it draws lots itself, with pins and exclusions alone around it, since
both leave nothing to chance; with boosts, caps or random slots around it, they would depend on lists that were never
drawn, so it is refused.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender, Recommender
from groundlings.recommenders.parts import joined, parts_of
from groundlings.recommenders.placing import Placing
from groundlings.recommenders.rule_options import RandomSlots, Rule
from groundlings.recommenders.stated_placing import placing_of
from groundlings.recommenders.wrapping import DelegatingRecommender

Ask: TypeAlias = Callable[[RankingRequest], Awaitable[Ranking]]
Answer = TypeVar("Answer")


class ChangingRecommender(DelegatingRecommender):
    """Changes what is asked of another recommender, or its answer. Subclasses write `changed`."""

    def __init__(self, of: AsyncRecommender) -> None:
        super().__init__(of)
        self.randomised = of.randomised

    @abstractmethod
    async def changed(self, request: RankingRequest, ask: Ask) -> Ranking:
        """The list that is shown; `ask` asks the recommender inside."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; TypeError where the recommender inside has to be waited for."""
        inner = self.of
        if not isinstance(inner, Recommender):
            raise TypeError(f"{type(inner).__name__} takes its time: await `rank` instead of calling `recommend`")

        async def ask(asked: RankingRequest) -> Ranking:
            return inner.recommend(asked)

        return _at_once(self.changed(request, ask))

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        return await self.changed(request, self.of.rank)


class ExcludingRecommender(ChangingRecommender):
    """Never lists some items: the recommender inside is asked as if everybody had seen them.

    Args:
        of: The recommender inside.
        items: Which, shape (n_items,).
    """

    def __init__(self, of: AsyncRecommender, items: BoolArray) -> None:
        super().__init__(of)
        self.items = items

    async def changed(self, request: RankingRequest, ask: Ask) -> Ranking:
        """See `ChangingRecommender.changed`."""
        parts = []
        for rows in parts_of(len(request), int(self.items.sum())):
            part = await ask((request if len(rows) == len(request) else request.take(rows)).without(self.items))
            parts.append(replace(part, calls=tuple(replace(call, row=int(rows[call.row])) for call in part.calls)))
        return joined(parts)


class BoostingRecommender(ChangingRecommender):
    """Moves some items up by places.

    A list of so many further places is asked for, which holds every item that can come into the one that is shown.

    Args:
        of: The recommender inside; not a randomised one.
        items: Which, shape (n_items,).
        by: Places; fewer than 0 move them down.
    """

    def __init__(self, of: AsyncRecommender, items: BoolArray, by: int) -> None:
        super().__init__(of)
        refuse_chance(of, "a boost")
        self.items = items
        self.by = by

    async def changed(self, request: RankingRequest, ask: Ask) -> Ranking:
        """See `ChangingRecommender.changed`."""
        wider = min(request.seen.shape[1], request.size + abs(self.by))
        inner = await ask(replace(request, size=wider))
        listed = inner.items != NO_ITEM
        boosted = listed & self.items[np.maximum(inner.items, 0)]
        places = np.arange(inner.items.shape[1]) - boosted * float(self.by)
        places = np.where(listed, places - 0.5 * boosted * np.sign(self.by), np.inf)
        order = np.argsort(places, axis=1, kind="stable")[:, : request.size]
        return replace(
            inner,
            items=np.take_along_axis(inner.items, order, axis=1),
            scores=np.take_along_axis(inner.scores, order, axis=1),
            propensities=np.take_along_axis(inner.propensities, order, axis=1),
            explored=np.take_along_axis(inner.explored, order, axis=1),
        )


class PlacingRecommender(ChangingRecommender):
    """Fills slots one after the other, with pinned items, within caps, and some of them at random.

    Args:
        of: The recommender inside; not a randomised one where there are caps or random slots.
        placing: What stands where.
    """

    def __init__(self, of: AsyncRecommender, placing: Placing) -> None:
        super().__init__(of)
        if placing.capped or placing.draws:
            refuse_chance(of, "a cap" if placing.capped else "random slots")
        self.randomised = of.randomised or placing.draws
        self.placing = placing

    async def changed(self, request: RankingRequest, ask: Ask) -> Ranking:
        """See `ChangingRecommender.changed`."""
        return await self.placing.filled(request, ask)


class RuledRecommender(DelegatingRecommender):
    """Keeps business rules around another recommender: pin, exclude, cap, boost, and random slots.

    `arms[].rules`, `arms[].slots` and `site.slots` put it around the recommender of an arm; named as a recommender
    itself it can stand inside another one, such as `epsilon_slots`.

    Args:
        of: The recommender that the rules are for.
        rules: As in `arms[].rules`.
        slots: As in `arms[].slots`.
        catalog: For the items and categories that rules name.
        site_page_size: Slots of a page, for what counts by page.
    """

    def __init__(
        self,
        of: AsyncRecommender,
        catalog: Catalog,
        site_page_size: int | None,
        rules: tuple[Rule, ...] = (),
        slots: RandomSlots | None = None,
    ) -> None:
        self.whole = ruled(of, rules, slots, catalog, site_page_size)
        super().__init__(of)
        self.randomised = self.whole.randomised

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; TypeError where the recommender inside has to be waited for."""
        if not isinstance(self.whole, Recommender):
            raise TypeError(f"{type(self.of).__name__} takes its time: await `rank` instead of calling `recommend`")
        return self.whole.recommend(request)

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        return await self.whole.rank(request)


def ruled(
    of: AsyncRecommender,
    rules: Sequence[Rule],
    slots: RandomSlots | None,
    catalog: Catalog,
    page_size: int | None,
    where: str = "rules",
    slots_where: str = "slots",
) -> AsyncRecommender:
    """A recommender with rules and random slots around it; itself where there are none.

    Args:
        of: The recommender inside.
        rules: In any order.
        slots: Random slots, None for none.
        catalog: For the items and categories that they name.
        page_size: Slots of a page; None where nobody says.
        where, slots_where: Key paths of both, for messages.

    Raises:
        ConfigError: An item or a category is not known, rules contradict each other, or the recommender draws lots
            that rules do not leave as they are.
    """
    out = np.zeros(len(catalog), dtype=np.bool_)
    for number, rule in enumerate(rules):
        if rule.exclude is not None:
            out |= rule.exclude.mask(catalog, f"{where}[{number}].exclude")
        if rule.boost is not None:
            items = rule.boost.mask(catalog, f"{where}[{number}].boost")
            of = _at(f"{where}[{number}].boost", BoostingRecommender, of, items, rule.boost.by)
    placing = placing_of(rules, slots, catalog, page_size, where, slots_where)
    for number, rule in enumerate(rules):
        if rule.pin is not None and out[catalog.item_ids.index(rule.pin.item)]:
            raise ConfigError(
                f"{where}[{number}].pin: the item {shown(rule.pin.item)} is excluded by another rule; take one out"
            )
    if placing is not None:
        of = _at(where if placing.capped else slots_where, PlacingRecommender, of, placing)
    return ExcludingRecommender(of, out) if out.any() else of


def _at(where: str, kind: Callable[..., AsyncRecommender], *arguments: Any) -> AsyncRecommender:
    try:
        return kind(*arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def refuse_chance(of: AsyncRecommender, what: str) -> None:
    """Raise `ConfigError` where a recommender draws lots that would not be known any more."""
    if of.randomised:
        raise ConfigError(
            f"{what} would change lists that {type(of).__name__} draws at random: their propensities would not be "
            "known. Put the rules inside instead: the recommender `ruled` as `of` of the one that draws lots; pins and "
            "exclusions may stay around it"
        )


def _at_once(answer: Coroutine[Any, Any, Answer]) -> Answer:
    """What a coroutine returns that waits for nothing."""
    try:
        answer.send(None)
    except StopIteration as end:
        answered: Answer = end.value
        return answered
    raise TypeError("a recommender that answers at once was waited for")
