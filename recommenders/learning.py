"""How recommenders learn by asking a language model: once per question, with every call kept.

`fit` and `observe` wait for nothing. A recommender that learns by asking writes `AsyncRecommender.learn_by_asking` as
well, which the simulator awaits behind them, and asks through `Lessons`: an answer that the arm has had is never asked
for again. So a run that was interrupted learns the same from its log, and a refit pays only for what is new. That is
also the response library of Shu et al. (2024, RAH), whose key is the question here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from groundlings.environments.arrays import IntArray
from groundlings.environments.chat import CallRecord, ChatRequest
from groundlings.environments.errors import RunDirectoryError, UnreadableReply

if TYPE_CHECKING:
    from groundlings.recommenders.base import AsyncRecommender
    from groundlings.recommenders.language.asking import Asker, Question

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to a question of learning.

    Attributes:
        messages: All that it was shown, as JSON.
        temperature, seed: How the reply was drawn.
        reply: All that it said.
        status: What became of the reply.
    """

    messages: str
    temperature: float
    seed: int | None
    reply: str
    status: str

    @property
    def question(self) -> tuple[str, float, int | None]:
        """What is equal for two questions that have one answer."""
        return self.messages, self.temperature, self.seed


def messages_as_json(request: ChatRequest) -> str:
    """The messages of a request as the log has them."""
    told = [{"role": message.role, "content": message.content} for message in request.messages]
    return json.dumps(told, ensure_ascii=False)


class Lessons:
    """The questions of one arm's learning, and their answers so far.

    Args:
        root: The seed of the run, for draws (`Draws.for_sessions`).
        served: Users whom lists are made for, row numbers, ascending; None = all. Others need not be learnt about.
        known: Answers that the log of an interrupted run holds.
        keep: Is given each call that was made.
    """

    def __init__(
        self,
        root: int,
        served: IntArray | None = None,
        known: Iterable[Answer] = (),
        keep: Callable[[CallRecord], None] = lambda _: None,
    ) -> None:
        self.root, self.served = root, served
        self.closed = False
        """Whether sessions that rest on these lessons are in the log, so that all answers must be known."""
        self.asked = 0
        """Questions that a model was asked, since this was made."""
        self.unread = 0
        """Of these, the ones whose reply could not be read or was refused."""
        self._keep = keep
        self._known = {each.question: each for each in known}
        self._open: dict[tuple[str, float, int | None], asyncio.Lock] = {}

    async def ask(self, asker: Asker, question: Question, read: Callable[[str], _Read]) -> _Read | None:
        """What was said, None where it could not be read or the server refuses to answer.

        Args:
            asker: Asks the model where the answer is not known.
            question: What is asked; the same question has the same answer.
            read: Reads a reply; raises `UnreadableReply`.

        Raises:
            RunDirectoryError: The log of an interrupted run lacks a call that its sessions rest on.
        """
        request = asker.request(question)
        key = messages_as_json(request), request.temperature, request.seed
        async with self._open.setdefault(key, asyncio.Lock()):
            if key not in self._known:
                if self.closed:
                    raise RunDirectoryError(
                        "found sessions in the log of an interrupted run whose recommender had learnt from a call that "
                        "is not there, expected the call as a row of `lessons`; restore the log from a copy, or start "
                        "a new run"
                    )
                said, call = await asker.ask(question, read)
                self.asked += 1
                self.unread += call.status != "ok"
                self._keep(call)
                self._known[key] = Answer(*key, call.reply.text, call.status)
                return said
        known = self._known[key]
        return None if known.status == "unanswerable" else said_in(known.reply, read)


def said_in(reply: str, read: Callable[[str], _Read]) -> _Read | None:
    """What a reply says, None where it cannot be read."""
    try:
        return read(reply)
    except UnreadableReply:
        return None


async def learn(recommender: AsyncRecommender, lessons: Lessons) -> None:
    """Have a recommender, and those inside of it, learn by asking; those inside first.

    One that was trained before keeps what it has learnt.
    """
    for each in reversed(learners(recommender)):
        await each.learn_by_asking(lessons)


def learners(recommender: AsyncRecommender) -> list[AsyncRecommender]:
    """A recommender and those inside of it, where they learn by asking, the outermost first."""
    from groundlings.recommenders.base import AsyncRecommender
    from groundlings.recommenders.registry import parts_of
    from groundlings.recommenders.supplied import TrainedRecommender

    parts = [part for part in parts_of(recommender) if isinstance(part, AsyncRecommender)]
    trained = [id(part) for each in parts if isinstance(each, TrainedRecommender) for part in parts_of(each)]
    return [
        part
        for part in parts
        if type(part).learn_by_asking is not AsyncRecommender.learn_by_asking and id(part) not in trained
    ]


def asks_to_learn(recommender: AsyncRecommender) -> bool:
    """Whether a recommender, or one inside of it, learns by asking."""
    return bool(learners(recommender))
