"""A conversing recommender on a server of its own: each turn is one request with all that was said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from groundlings.environments.errors import ConfigError
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import fitted
from groundlings.recommenders.conversation.talking import Reply, Talk, TalkingRecommender


class PostJson(Protocol):
    """Sends objects to servers."""

    def check(self, url: str) -> None:
        """Raise `ValueError` where an address is none that a server can have, or holds a secret."""

    async def __call__(self, url: str, body: Mapping[str, Any], seconds: float) -> str:
        """The answer to an object as text, if it is whole within so many seconds."""


class HttpChat(TalkingRecommender):
    """Asks a server for each of its moves, and takes them as they are.

    The server is sent `{"user": ..., "messages": [...], "had": [...], "fields": [...]}` and answers with a move
    (docs/conversation-world.md#over-http). It keeps nothing between requests, unless it wants to. What is no move is
    counted; a server that does not answer stops the run.

    Args:
        url: Where requests are posted.
        user_ids: The data set's own ids of users.
        post: Sends requests.
        seconds: How long it may take until a whole answer is there.
        at_once: Requests that are open at a time.
    """

    def __init__(
        self,
        url: str,
        user_ids: Sequence[str],
        post: PostJson | None = None,
        seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0,
        at_once: Annotated[int, Field(ge=1, le=10_000)] = 8,
    ) -> None:
        super().__init__()
        if post is None:
            raise ConfigError("chat_http: nobody sends requests here; name it in an experiment file")
        try:
            post.check(url)
        except ValueError:
            raise ConfigError(  # the address is not repeated: it may hold a secret
                "url: expected an address such as http://127.0.0.1:8000/reply, with no user, password, key or fragment "
                "in it, because it stands in the run's files; a key is for a server of your own to add"
            ) from None
        self._url, self._user_ids, self._post, self._seconds = url, tuple(user_ids), post, seconds
        self._at_once = at_once

    async def answer(self, talks: Sequence[Talk], request: RankingRequest) -> Sequence[Reply]:  # noqa: ARG002
        """See `TalkingRecommender.answer`."""
        turns = asyncio.Semaphore(self._at_once)

        async def one(talk: Talk) -> Reply:
            async with turns:
                return Reply(await self._post(self._url, self._told(talk), self._seconds))

        return await side_by_side(map(one, talks))

    def _told(self, talk: Talk) -> Mapping[str, Any]:
        """A conversation as the server is sent it."""
        attributes = fitted(self._attributes, self)
        return {
            "user": self._user_ids[talk.user],
            "messages": list(talk.messages),
            "had": [attributes.item_ids[item] for item in np.flatnonzero(talk.had)],
            "fields": list(attributes.fields),
        }
