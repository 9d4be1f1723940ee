"""What another recommender lists for each session, from which an agent goes on."""

from __future__ import annotations

from dataclasses import replace

from groundlings.environments.arrays import NO_ITEM, ItemArray
from groundlings.environments.chat import CallRecord
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.parts import parts_of


async def first_lists(
    of: AsyncRecommender, request: RankingRequest, most: int | None
) -> tuple[list[ItemArray], list[CallRecord]]:
    """The items of each session, the best first, and the calls behind them.

    Args:
        of: Whose lists.
        request: For whom; some sessions are asked for at a time where lists are long.
        most: Items of a list, at least `request.size` of them; None for all that can be listed.
    """
    size = max(request.size, most) if most else request.seen.shape[1]
    lists: list[ItemArray] = []
    calls: list[CallRecord] = []
    for rows in parts_of(len(request), size):
        inner = await of.rank(replace(request.take(rows), size=size))
        lists += [each[each != NO_ITEM] for each in inner.items]
        calls += [replace(call, row=int(rows[call.row])) for call in inner.calls]
    return lists, calls
