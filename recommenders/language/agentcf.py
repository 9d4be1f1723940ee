"""User agents and item agents that learn from each other: a language model ranks by what they have noted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import one_line
from groundlings.environments.random_streams import Draws
from groundlings.environments.replies import read_json
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.language.asking import LARGEST_SEED, Question
from groundlings.recommenders.language.learning_pairs import Pair, in_turn, pairs_of
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.learning import Lessons

TEMPLATE = "agentcf"

_REASON = 200
"""Characters of a reason at most."""
_BYTES_PER_TOKEN = 2


class AgentCf(LlmRanker):
    """Lets a language model rank another recommender's candidates by the notes of user agents and item agents.

    The method of Zhang et al. (2024), "AgentCF: collaborative learning with autonomous language agents for recommender
    systems", WWW. Users and items are agents, each with a note in words. To learn, a user agent chooses between an item
    that the user took and one that it did not (drawn by popularity). Where it chooses wrongly, both sides reflect:
    the user's note and the notes of both items are written anew. So what one user teaches an item reaches the others,
    which is the collaborative part. Lists are made of notes alone (`prompt: basic`) or with the history (`sequential`).

    Learning costs one question per pair and two more where the choice was wrong. `learners` and `pairs` bound it: other
    users have the note that everybody begins with, and are ranked for by the items' notes (and their history) alone.
    After each day the learners' new interactions are pairs, too. An unreadable reply leaves the notes as they are.

    Args:
        of: The recommender whose best items are the candidates; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many items the model ranks.
        history: How many of a user's latest items it is shown with `prompt: sequential`.
        prompt: `basic` or `sequential`.
        learners: How many of the users whom lists are made for learn at most; drawn at random.
        pairs: From how many of their latest interactions, at a fit and at each day.
        note: Characters of a note at most.
        fallback: What is listed where no reply names a candidate; see `llm_ranker`.
    """

    template = TEMPLATE

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=2, le=100)] = 20,
        history: Annotated[int, Field(ge=1, le=200)] = 20,
        prompt: Literal["basic", "sequential"] = "basic",
        learners: Annotated[int, Field(ge=0, le=10_000_000)] = 50,
        pairs: Annotated[int, Field(ge=1, le=100)] = 4,
        note: Annotated[int, Field(ge=40, le=2000)] = 300,
        fallback: Literal["none", "candidates"] = "none",
    ) -> None:
        super().__init__(of, model, sampling, candidates, history, "sequential", 1, fallback)
        self._with_history, self._learners, self._pairs, self._note = prompt == "sequential", learners, pairs, note
        self._of_users: dict[int, str] = {}
        self._of_items: dict[int, str] = {}
        self._news: list[Interactions] = []
        self._known: Interactions | None = None
        self._catalog: Catalog | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, and forget all notes; `learn_by_asking` writes them anew."""
        super().fit(interactions, catalog)
        self._of_users, self._of_items, self._news = {}, {}, [interactions]
        self._known, self._catalog = interactions, catalog

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, add to the histories, and keep the interactions for learning."""
        super().observe(interactions)
        self._known = fitted(self._known, self).joined(interactions)
        self._news.append(interactions)

    def calls_to_learn(self, users: int) -> Mapping[str, int]:
        """A choice per pair, and the two reflections of a wrong one."""
        return {self._prompt.name: 3 * self._pairs * min(self._learners, users)}

    def state(self) -> str:
        """What the recommender inside has learnt, histories and notes."""
        notes = repr((sorted(self._of_users.items()), sorted(self._of_items.items())))
        before = super().state()
        return before and hash_of(np.frombuffer(f"{before} {notes}".encode(), dtype=np.uint8))

    def first_note(self) -> str:
        """What every user agent begins with."""
        return f"I look for {fitted(self._words, self).many} that I enjoy."

    def user_notes(self) -> Mapping[int, str]:
        """User -> the note that was learnt; users who learnt nothing are absent."""
        return dict(self._of_users)

    def item_notes(self) -> Mapping[int, str]:
        """Item -> the note that was learnt; items that no reflection reached are absent."""
        return dict(self._of_items)

    async def learn_by_asking(self, lessons: Lessons) -> None:
        """Learn from the pairs of what was fitted or observed since the last time.

        Pairs are gone through in rounds: the earliest of each learner, then the next. One that shares an agent with
        earlier ones waits for these, so that no reflection is lost and none depends on who answered first.
        """
        news, self._news = self._news, []
        known = fitted(self._known, self)
        for interactions in news:
            found = pairs_of(interactions, known, self._pairs, self._served(lessons), lessons.root)
            await in_turn(found, lambda pair: self._learn(lessons, pair))

    def _served(self, lessons: Lessons) -> IntArray:
        """The users who learn."""
        users = np.arange(len(fitted(self._histories, self).starts) - 1) if lessons.served is None else lessons.served
        lots = Draws.for_sessions(lessons.root, users, 0).uniform("agentcf learner")
        return np.sort(users[np.argsort(lots, kind="stable")[: self._learners]])

    async def _learn(self, lessons: Lessons, pair: Pair) -> None:
        """One choice, and the reflections where it was wrong."""
        shown = (pair.right, pair.wrong) if pair.right_first else (pair.wrong, pair.right)
        (first, first_note), (second, second_note) = ((self._name(item), self._item_note(item)) for item in shown)
        choice = await self._lesson(
            lessons,
            pair,
            "choose",
            {"why": _text(_REASON), "chosen": {"type": "integer", "enum": [1, 2]}},
            memory=self._user_note(pair.user),
            first=first,
            first_note=first_note,
            second=second,
            second_note=second_note,
        )
        if choice is None or shown[int(choice["chosen"]) - 1] == pair.right:
            return
        told = {
            "memory": self._user_note(pair.user),
            "why": one_line(str(choice["why"]), _REASON) or "no reason",
            "right": self._name(pair.right),
            "wrong": self._name(pair.wrong),
            "right_note": self._item_note(pair.right),
            "wrong_note": self._item_note(pair.wrong),
        }
        note = _text(self._note)
        user, items = await side_by_side(
            self._lesson(lessons, pair, section, dict.fromkeys(keys, note), **told)
            for section, keys in (("user", ["note"]), ("items", ["right", "wrong"]))
        )
        if user is not None and (written := one_line(str(user["note"]), self._note)):
            self._of_users[pair.user] = written
        if items is not None:
            for item, key in ((pair.right, "right"), (pair.wrong, "wrong")):
                if written := one_line(str(items[key]), self._note):
                    self._of_items[item] = written

    async def _lesson(
        self, lessons: Lessons, pair: Pair, section: str, keys: Mapping[str, Any], **told: object
    ) -> Mapping[str, Any] | None:
        """The reply to a question of learning, None where it cannot be read."""
        words = fitted(self._words, self)
        characters = sum(self._note if key not in ("why", "chosen") else _REASON for key in keys)
        question = Question(
            prompt=self._prompt,
            shared=self._prompt.fill("shared", many=words.many),
            told=self._prompt.fill(section, many=words.many, **told),
            schema={"type": "object", "properties": keys, "required": list(keys), "additionalProperties": False},
            more_tokens=math.ceil(characters / _BYTES_PER_TOKEN),
            seed=int(pair.lot * LARGEST_SEED),
            row=0,
        )
        return await lessons.ask(self._asker, question, lambda text: _read(text, keys))

    def _told(self, user: int, shown: Sequence[int], notes: Sequence[str] = ()) -> str:  # noqa: ARG002 - of others
        """The notes of the user and the candidates, and the history where it is shown."""
        words, fill = fitted(self._words, self), self._prompt.fill
        items, kinds = fitted(self._histories, self).of_user(user)
        past = fill("no_past")
        if items and self._with_history:
            past = fill("past", many=words.many, verb=words.did(kinds), items=words.numbered(items))
        return fill(
            "rank",
            memory=self._user_note(user),
            history=past,
            notes="\n".join(f"- {words.name(item)}: {self._item_note(item)}" for item in shown),
            number=len(shown),
            many=words.many,
            items=words.numbered(shown),
        )

    def _name(self, item: int) -> str:
        return fitted(self._words, self).name(item)

    def _user_note(self, user: int) -> str:
        """What was learnt of a user; else what everybody begins with."""
        return self._of_users.get(user, self.first_note())

    def _item_note(self, item: int) -> str:
        """What was learnt of an item; else its categories."""
        if item in self._of_items:
            return self._of_items[item]
        categories = fitted(self._catalog, self).genres[item]
        return one_line(f"Of the kind {', '.join(categories)}.", self._note) if categories else "Nothing is noted."


def _text(most: int) -> dict[str, object]:
    return {"type": "string", "maxLength": most}


def _read(text: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a reply; raises `UnreadableReply` where it is not the form asked for."""
    value = read_json(text)
    if not isinstance(value, dict) or set(value) != set(keys):
        raise UnreadableReply(f"expected an object with the keys {', '.join(keys)}")
    for key, said in value.items():
        if key == "chosen":
            if said not in (1, 2) or isinstance(said, bool):
                raise UnreadableReply("chosen: expected 1 or 2")
        elif not isinstance(said, str):
            raise UnreadableReply(f"{key}: expected text")
    return value
