"""A language model converses: one question per turn, whose reply asks, suggests one candidate, or gives up."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.cleaning import storable
from groundlings.environments.conversation.attributes import Cell
from groundlings.environments.conversation.messages import Move, read_move
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import one_line, read_prompt
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.replies import read_json
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.conversation.talking import Reply, Talk, TalkingRecommender
from groundlings.recommenders.language.asking import LARGEST_SEED, Asker, Question
from groundlings.recommenders.language.first_lists import first_lists
from groundlings.recommenders.language.grounding import Grounding, ground
from groundlings.recommenders.language.wording import ItemWords, candidates_shown
from groundlings.recommenders.wrapping import OuterRecommender, refuse_drawn_lists

TEMPLATE = "llm_chat"
"""Name of the prompt file; the log has it with its version ("llm_chat-1")."""

ASK, SUGGEST, GIVE_UP = "ask", "suggest", "give up"

_FACTS = " <"
"""Between a name and its facts; stands in no name, because `one_line` replaces these brackets."""

_FIELDS = "\nFields that you may ask about: "
"""Comes before the fields, written as JSON on one line; what users say is on lines that begin with who says it."""

_LONGEST_WORDS, _LONGEST_FACTS = 400, 160
_MORE_CHARACTERS = 4
"""Of a number before a name in a reply, which should not be there ("20. ")."""
_BYTES_PER_TOKEN = 2


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """What a model wants to do.

    Attributes:
        do: One of `ASK`, `SUGGEST` and `GIVE_UP`.
        what: The field or the name; empty where it gives up.
        named: The candidate that the name means; None where it suggests none.
    """

    do: str
    what: str
    named: Grounding | None = None


class LlmChat(TalkingRecommender, OuterRecommender):
    """Lets a language model choose each move of a conversation, and words it by rule.

    The model is asked once per turn. It reads all that was said, the fields that it has not asked about yet, and the
    best items of another recommender that may still be named, with what the catalogue says of them. It asks about one
    field, suggests one candidate by its name, or gives up. Names are matched to candidates (`grounding`): what fits
    none is counted, never replaced unless `fallback` says so. The words that the user hears are written by rule, so
    that no title is in them but that of the candidate.

    Where `of` has nothing left to list it gives up without asking the model.

    Args:
        of: The recommender whose best items are the candidates; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many items the model chooses from in each turn.
        fallback: What becomes of a reply that cannot be read or names no candidate: with `none` the conversation is
            broken off, and counted as such; `candidates` suggests the first candidate of `of`.
    """

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=1, le=100)] = 20,
        fallback: Literal["none", "candidates"] = "none",
    ) -> None:
        TalkingRecommender.__init__(self)
        OuterRecommender.__init__(self, of)
        refuse_drawn_lists(of, TEMPLATE)
        self.of = of
        self._asker = Asker(model, sampling)
        self._most, self._fallback = candidates, fallback
        self._prompt = read_prompt(__package__, TEMPLATE)
        self._words: ItemWords | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, and read the catalogue; the model learns nothing."""
        TalkingRecommender.fit(self, interactions, catalog)
        OuterRecommender.fit(self, interactions, catalog)
        self._words = ItemWords(catalog)

    def calls_per_list(self) -> Mapping[str, int]:
        """One question per turn."""
        return {self._prompt.name: 1}

    def state(self) -> str:
        """What the recommender inside has learnt."""
        if self._words is None:
            return ""
        return hash_of(np.frombuffer(f"{self.of.state()} {TalkingRecommender.state(self)}".encode(), dtype=np.uint8))

    async def answer(self, talks: Sequence[Talk], request: RankingRequest) -> Sequence[Reply]:
        """See `TalkingRecommender.answer`; the questions of one cohort do not wait for each other."""
        lists, inner = await first_lists(self.of, request, self._most)
        calls = [tuple(call for call in inner if call.row == talk.row) for talk in talks]
        work = (self._turn(talk, lists[talk.row][: self._most]) for talk in talks)
        replies = await side_by_side(work)
        return [Reply(each.text, (*before, *each.calls)) for before, each in zip(calls, replies, strict=True)]

    async def _turn(self, talk: Talk, candidates: ItemArray) -> Reply:
        """What is said in one conversation."""
        if not len(candidates):
            return Reply(Move("I have nothing left to suggest.", "abstain").as_json())
        question, fields, names = self._question(talk, candidates)
        turn, call = await self._asker.ask(question, lambda text: read_turn(text, fields, names))
        if turn is not None and turn.do == ASK:
            return Reply(Move(f"What do you wish about {turn.what}?", "ask", fields=(turn.what,)).as_json(), (call,))
        if turn is not None and turn.named is None:
            return Reply(Move("Nothing that I know of is like that.", "abstain").as_json(), (call,))
        if turn is not None and turn.named is not None and turn.named.order:
            return Reply(self._suggested(int(candidates[turn.named.order[0]])), (call,))
        if self._fallback == "candidates":
            return Reply(self._suggested(int(candidates[0])), (call,))
        return Reply(no_move(call), (call,))

    def _suggested(self, item: int) -> str:
        attributes = fitted(self._attributes, self)
        return Move(f"Would {attributes.titles[item]} suit you?", "suggest", item=attributes.item_ids[item]).as_json()

    def _question(self, talk: Talk, candidates: ItemArray) -> tuple[Question, list[str], list[str]]:
        """The question of one turn, and the fields and names that its reply may have."""
        words, attributes = fitted(self._words, self), fitted(self._attributes, self)
        said = [read_move(each, attributes) for each in talk.messages[1::2]]
        asked = {field for move in said for field in move.fields}
        fields = [field for field in attributes.fields if field not in asked]
        lines = [
            f"{'You' if place % 2 else 'User'}: {one_line(said[place // 2].say if place % 2 else each, _LONGEST_WORDS)}"
            for place, each in enumerate(talk.messages)
        ]
        names = [words.name(item) for item in candidates.tolist()]
        shown = [f"{number}. {names[number - 1]}{self._facts(item)}" for number, item in enumerate(candidates, start=1)]
        question = Question(
            prompt=self._prompt,
            shared=self._prompt.fill("shared", many=words.many),
            told=self._prompt.fill(
                "turn", dialogue="\n".join(lines), fields=json.dumps(fields, ensure_ascii=False), items="\n".join(shown)
            ),
            schema=turn_schema(fields, names),
            more_tokens=math.ceil(max(len(each.encode()) for each in (*fields, *names)) / _BYTES_PER_TOKEN),
            seed=int(talk.draws.uniform(TEMPLATE, np.array([len(talk.messages)]))[0] * LARGEST_SEED),
            row=talk.row,
        )
        return question, fields, names

    def _facts(self, item: int) -> str:
        """What the catalogue says of an item; the year stands beside its name already."""
        fields = fitted(self._attributes, self).fields
        known = [(name, cells[item]) for name, cells in fields.items() if name != "year" and cells[item] is not None]
        told = "; ".join(f"{name}: {_cell(cell)}" for name, cell in known)
        return f"{_FACTS}{one_line(told, _LONGEST_FACTS)}>" if told else ""


def _cell(cell: Cell) -> str:
    if isinstance(cell, tuple):
        return ", ".join(cell)
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def no_move(call: CallRecord) -> str:
    """What goes into the log as the system's words where its model's reply is no move; `read_move` refuses it."""
    why = "names no candidate" if call.status == "ok" else call.status
    return f"The reply of the language model is no move ({why}): {storable(call.reply.text)}"


def turn_schema(fields: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of a reply: names and fields are free text, so that what a model makes up is counted."""
    longest = max(map(len, (*fields, *names))) + _MORE_CHARACTERS
    return {
        "type": "object",
        "properties": {
            "do": {"type": "string", "enum": [*([ASK] if fields else []), SUGGEST, GIVE_UP]},
            "what": {"type": "string", "maxLength": longest},
        },
        "required": ["do", "what"],
        "additionalProperties": False,
    }


def read_turn(text: str, fields: Sequence[str], names: Sequence[str]) -> ChatTurn:
    """What a reply says; a suggestion that fits no candidate has an empty order.

    Args:
        text: The reply.
        fields: Those that may be asked about.
        names: Of the candidates, as they were shown.

    Raises:
        UnreadableReply: It is not of the form asked for, or asks about something else than these fields.
    """
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["do", "what"]:
        raise UnreadableReply("expected an object with the keys do and what")
    do, what = value["do"], value["what"]
    if not isinstance(what, str) or do not in (ASK, SUGGEST, GIVE_UP):
        raise UnreadableReply(f"expected do to be {ASK}, {SUGGEST} or {GIVE_UP}, and what to be a text")
    if do == ASK and what not in fields:
        raise UnreadableReply("what: expected one of the fields that may be asked about")
    return ChatTurn(do, what, ground([what], names) if do == SUGGEST else None)


def shown_in(question: str) -> tuple[list[str], list[str]]:
    """The fields and the names of the candidates in the text of a question, as `read_turn` takes them."""
    names = [line.partition(_FACTS)[0] for line in candidates_shown(question)]
    fields = question.rpartition(_FIELDS)[2].partition("\n")[0]
    return json.loads(fields), names
