"""Some rounds between recommenders and seekers, and where the targets stand in each round's list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import NO_ITEM, IntArray, ItemArray
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.side_by_side import side_by_side
from groundlings.experiments.labs.dialogues.leaks import names_any
from groundlings.experiments.labs.dialogues.reading import Dialogues, Turn
from groundlings.experiments.labs.dialogues.seekers import Answer, Asked, Seeker
from groundlings.experiments.labs.dialogues.systems import Batch, Material
from groundlings.recommenders.base import AsyncRecommender

LIST = 50
"""Items of a list. A target anywhere in it ends the conversation, as in iEvaLM."""


@dataclass(slots=True)
class Conversation:
    """One conversation.

    Attributes:
        turn: Where it goes on from.
        said: All that was said, the seeker's words first and then in turn.
        wanted: What the seeker said about what is wanted.
        ranks: Of each target in the list of each round, from 1, 0 where it is not in it. A conversation that is over
            keeps its last list.
        over: Why it is over: a target was listed, or an answer was not read or refused; empty while it goes on.
        answers: How often the seeker was answered in words that could be read.
        naming: Answers that name a target.
    """

    turn: Turn
    said: list[str]
    wanted: list[str] = field(default_factory=list)
    ranks: list[tuple[int, ...]] = field(default_factory=list)
    over: str = ""
    answers: int = 0
    naming: int = 0


ACCEPTED, UNREADABLE = "accepted", "unreadable"


@dataclass(frozen=True)
class Stage:
    """What all conversations of an examination have in common.

    Attributes:
        material: The dialogues.
        ask: The fields that a system asks about, in this order, once each.
        rounds: How many there are.
        seed: Of whatever systems leave to chance.
    """

    material: Material
    ask: tuple[str, ...]
    rounds: int
    seed: int

    async def play(self, system: AsyncRecommender, seeker: Seeker, batch: Batch) -> list[Conversation]:
        """The conversations of a batch with a system that is fitted for it."""
        talks = [Conversation(turn, list(turn.context)) for turn in batch.turns]
        for number in range(self.rounds):
            asked = self.ask[number] if seeker.is_asked and number < len(self.ask) else None
            rows = np.array([row for row, talk in enumerate(talks) if not talk.over], dtype=np.int64)
            lists = await self._lists(system, batch, talks, rows) if len(rows) else None
            for talk in talks:
                if talk.over:
                    talk.ranks.append(talk.ranks[-1])
            if lists is None:
                continue
            for row, listed in zip(rows.tolist(), lists, strict=True):
                self._list(talks[row], listed, asked)
            if number + 1 < self.rounds and system.reads_queries:  # whoever hears no words is told none
                going_on = [talks[row] for row in rows.tolist() if not talks[row].over]
                await side_by_side(self._answer(seeker, talk, asked) for talk in going_on)
        return talks

    def _list(self, talk: Conversation, listed: ItemArray, asked: str | None) -> None:
        """What the system does with its list."""
        places = {item: place for place, item in enumerate(listed.tolist(), 1) if item != NO_ITEM}
        talk.ranks.append(tuple(places.get(target, 0) for target in talk.turn.targets))
        if asked is not None:
            talk.said.append(f"What do you wish about {asked}?")
            return
        if any(talk.ranks[-1]):
            talk.over = ACCEPTED
            return
        first = int(listed[0]) if len(listed) else NO_ITEM
        found = f"Would {self.dialogues.names[first]} suit you?" if first != NO_ITEM else "I know of nothing yet."
        talk.said.append(f"{found} What should it be like?")

    async def _answer(self, seeker: Seeker, talk: Conversation, asked: str | None) -> None:
        answer: Answer | None = await seeker.answer(Asked(talk.turn, tuple(talk.said), asked))
        if answer is None:
            talk.over = UNREADABLE
            return
        talk.answers += 1
        talk.naming += names_any(answer.wanted, [self.dialogues.catalog.titles[target] for target in talk.turn.targets])
        talk.said.append(answer.said)
        if answer.wanted:
            talk.wanted.append(answer.wanted)

    async def _lists(
        self, system: AsyncRecommender, batch: Batch, talks: Sequence[Conversation], rows: IntArray
    ) -> ItemArray:
        some = [talks[row] for row in rows.tolist()]
        request = RankingRequest(
            users=rows,
            size=LIST,
            seen=self._named(batch, rows),
            draws=Draws.for_sessions(self.seed, rows, 0),
            queries=tuple(" ".join(talk.wanted or talk.turn.context[::2]) for talk in some),
            dialogue=tuple(tuple(talk.said) for talk in some),
        )
        return (await system.rank(request)).items

    def _named(self, batch: Batch, rows: IntArray) -> sp.csr_array:
        """What was named in the dialogue before, and is not recommended: it is no target, for those are left out."""
        named = [sorted(batch.named[row]) for row in rows.tolist()]
        cells = np.repeat(np.arange(len(rows)), [len(each) for each in named])
        items = np.array([item for each in named for item in each], dtype=np.int32)
        marks = np.ones(len(items), dtype=np.bool_)
        return sp.csr_array((marks, (cells, items)), shape=(len(rows), len(self.dialogues.catalog)))

    @property
    def dialogues(self) -> Dialogues:
        """All of them."""
        return self.material.dialogues
