"""Recommenders that converse, as arms: every turn is answered from all that was said, and nothing else is kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, BoolArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord
from groundlings.environments.conversation.attributes import Attributes
from groundlings.environments.conversation.messages import read_move
from groundlings.environments.errors import ConfigError, UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation as it stands when it is the system's turn.

    Attributes:
        row: Which session of the request.
        user: Row number of the user.
        messages: The user's first, then the system's and the user's in turn; the last is the user's.
        had: Items that are not to be named because the user has had them, shape (n_items,).
        named: Items that the system has named, in their order.
        draws: The only random numbers that may be used, of one row; the same at every turn of the conversation.
    """

    row: int
    user: int
    messages: tuple[str, ...]
    had: BoolArray
    named: tuple[int, ...]
    draws: Draws


@dataclass(frozen=True, slots=True)
class Reply:
    """What a system says: its text, and the calls to a language model behind it."""

    text: str
    calls: tuple[CallRecord, ...] = ()


class TalkingRecommender(AsyncRecommender):
    """Answers what users say; subclasses write `answer`.

    A move that names an item of the catalogue which may be named is listed; every other text goes on as it is, and the
    environment says what it makes of it.

    Attributes:
        attributes: What items are like; made by `fit`.
    """

    converses = True
    reads_queries = True

    def __init__(self) -> None:
        self._attributes: Attributes | None = None
        self._counts: IntArray | None = None

    @abstractmethod
    async def answer(self, talks: Sequence[Talk], request: RankingRequest) -> Sequence[Reply]:
        """What is said in each of some conversations."""

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Learn what items are like, and how often each was chosen."""
        self._attributes = Attributes.of_catalog(catalog)
        self._counts = interactions.item_counts

    def state(self) -> str:
        """See `AsyncRecommender.state`."""
        return "" if self._counts is None else hash_of(self._counts)

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`."""
        attributes = fitted(self._attributes, self)
        if request.dialogue is None:
            raise ConfigError(
                f"recommender {type(self).__name__} converses, and the environment has nobody say anything; "
                "choose `environment: conversation`, or another recommender"
            )
        replies = await self.answer([talk_of(request, row) for row in range(len(request))], request)
        items = np.full((len(request), 1), NO_ITEM, dtype=np.int32)
        for row, reply in enumerate(replies):
            try:
                move = read_move(reply.text, attributes)
            except UnreadableReply:
                continue  # the environment reads it again, and counts it
            if move.item:
                items[row, 0] = attributes.rows[move.item]
        items[request.was_seen(items)] = NO_ITEM
        calls = tuple(call for reply in replies for call in reply.calls)
        explored = np.zeros(items.shape, dtype=np.bool_)
        nothing = np.full(items.shape, np.nan)
        texts = tuple(reply.text for reply in replies)
        return Ranking(items, nothing, np.ones(items.shape), explored, calls=calls, replies=texts)


def talk_of(request: RankingRequest, row: int) -> Talk:
    """One conversation of a request that has a dialogue."""
    assert request.dialogue is not None
    shown = [] if request.shown is None else request.shown[row].tolist()
    named = tuple(item for item in shown if item != NO_ITEM)
    had = np.zeros(request.seen.shape[1], dtype=np.bool_)
    had[sp.csr_array(request.seen[[row]]).indices] = True
    had[list(named)] = False
    return Talk(row, int(request.users[row]), request.dialogue[row], had, named, request.draws.take(np.array([row])))
