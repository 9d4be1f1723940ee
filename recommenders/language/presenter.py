"""Another recommender's lists, each item shown with the facts of it that fit the user best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.errors import ConfigError, UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.notes import Notes
from groundlings.environments.prompts import read_prompt
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.environments.replies import read_json
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.facts import LONGEST_FACT, ItemFacts
from groundlings.recommenders.language.asking import LARGEST_SEED, Asker, Question
from groundlings.recommenders.language.grounding import Grounding, ground
from groundlings.recommenders.language.histories import Histories
from groundlings.recommenders.language.wording import ItemWords
from groundlings.recommenders.learning import Lessons
from groundlings.recommenders.wrapping import OuterRecommender

TEMPLATE = "presenter"
FACTS_HEADING = "Facts:"
_BYTES_PER_TOKEN = 2

Keywords = Mapping[int, float]
"""Number of a fact (`facts.Fact.number`) -> its weight."""


class Presenter(OuterRecommender):
    """Shows each item of another recommender with one to three of the item's own facts, those that fit the user best.

    The text form of Shen et al. (2024), "PMG: personalized multimodal generation with large language models", WWW:
    keywords of the user are taken from the history, and what is shown of an item is made from the user's keywords and
    the item's own. PMG generates an image; here the facts are chosen, so none can be made up. The order of the list
    stays.

    An item's facts are ordered by the weight of the user's keyword that they fit; those that fit none follow, and of
    equal ones the rarest comes first. The first `facts` are the line that the page shows in the place of the
    catalogue's own words. So every user with keywords is shown as much text, whoever's the keywords are. Items without
    a fact, and all items of a user without keywords, are shown in the catalogue's words.

    Args:
        of: The recommender whose lists are shown.
        model: The language model of the arm; asked where `keywords` is `model`.
        sampling: How its replies are drawn.
        facts: How many facts a line has at most.
        keywords: Where a user's keywords come from: `history`, the facts of its items by tf-idf; `model`, one question
            per user at each fit, whose reply names facts of the history, the most telling first.
        keywords_of: Whose keywords choose: the user's own (`self`), or those of `another user`, drawn once per user.
            The second is a placebo: it tells what personal text does from what any text does.
        most: How many keywords a user has at most.
        history: From how many of a user's latest different items keywords are taken.
        fallback: Which keywords a user has whose reply cannot be read or names no fact: none, or those of `history`.
    """

    presents = True

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel | None = None,
        sampling: Sampling | None = None,
        facts: Annotated[int, Field(ge=1, le=3)] = 2,
        keywords: Literal["history", "model"] = "history",
        keywords_of: Literal["self", "another user"] = "self",
        most: Annotated[int, Field(ge=1, le=50)] = 10,
        history: Annotated[int, Field(ge=1, le=200)] = 50,
        fallback: Literal["none", "history"] = "none",
    ) -> None:
        if keywords == "model" and (model is None or sampling is None):
            raise ConfigError(
                "presenter: found keywords: model in an arm that names no language model; add `model` to the arm, with "
                "the keys of `mind.model`, or choose keywords: history"
            )
        super().__init__(of)
        self.of, self.randomised = of, of.randomised
        self._asker = None if model is None or sampling is None else Asker(model, sampling)
        self._most_facts, self._most, self._length = facts, most, history
        self._asks, self._of_another, self._fallback = keywords == "model", keywords_of == "another user", fallback
        self._prompt = read_prompt(__package__, TEMPLATE)
        self._facts: ItemFacts | None = None
        self._words: ItemWords | None = None
        self._histories: Histories | None = None
        self._said: dict[int, Keywords] = {}
        self._to_ask = False

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, read the catalogue's facts, and note the histories."""
        super().fit(interactions, catalog)
        self._facts, self._words = ItemFacts(catalog), ItemWords(catalog)
        self._histories = Histories.of(interactions, self._length)
        self._said, self._to_ask = {}, self._asks

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, and add to the histories; what a model said stays until the next fit."""
        super().observe(interactions)
        self._histories = fitted(self._histories, self).followed_by(interactions)

    def calls_per_list(self) -> Mapping[str, int]:
        """None: keywords are known before lists are made."""
        return {}

    def calls_to_learn(self, users: int) -> Mapping[str, int]:
        """One question per user where a model names the keywords."""
        return {self._prompt.name: users} if self._asks else {}

    def state(self) -> str:
        """What the recommender inside has learnt, the histories, and what a model made of them."""
        if self._histories is None:
            return ""
        learnt = f"{self.of.state()} {self._histories.hash()} {sorted(self._said.items())!r}"
        return hash_of(np.frombuffer(learnt.encode(), dtype=np.uint8))

    async def rank(self, request: RankingRequest) -> Ranking:
        """See `AsyncRecommender.rank`: the list of the recommender inside, with notes."""
        fitted(self._facts, self)
        ranking = await self.of.rank(request)
        notes = Notes.empty(ranking.items.shape)
        for row, whose in enumerate(self._whose(request)):
            keywords = {} if whose is None else self.keywords(whose)
            for slot in np.flatnonzero(ranking.items[row] != NO_ITEM):
                self._note(notes, (row, int(slot)), int(ranking.items[row, slot]), keywords)
        return replace(ranking, notes=notes)

    def keywords(self, user: int) -> Keywords:
        """The keywords of a user, the weightiest first; empty where there are none."""
        if self._asks:
            return self._said.get(user, {})
        items, _ = fitted(self._histories, self).of_user(user)
        return fitted(self._facts, self).keywords(np.array(items, dtype=np.int32), self._most)

    def line(self, item: int, keywords: Keywords) -> tuple[str, int] | None:
        """What is shown of an item: the line, and how many facts in it fit a keyword; None for nothing."""
        facts = fitted(self._facts, self)
        if not keywords or not facts.of[item]:
            return None
        ordered = sorted(facts.of[item], key=lambda fact: (-keywords.get(fact.number, 0), -facts.rarity[fact.number]))
        chosen = ordered[: self._most_facts]
        return ", ".join(fact.line for fact in chosen), sum(fact.number in keywords for fact in chosen)

    def _note(self, notes: Notes, place: tuple[int, int], item: int, keywords: Keywords) -> None:
        """Write down, in place, what a slot says."""
        notes.originals[place] = fitted(self._facts, self).originals[item]
        said = self.line(item, keywords)
        if said is not None:
            notes.shown[place], notes.fitting[place] = said

    def _whose(self, request: RankingRequest) -> list[int | None]:
        """The user whose keywords choose for each session; None for a user who has none of their own."""
        mine = [user if self._has_keywords(user) else None for user in request.users.tolist()]
        if not self._of_another:
            return mine
        pool = self._with_keywords()
        lots = Draws.for_sessions(request.draws.root, request.users, 0).uniform("presenter: whose keywords")
        return [None if user is None else _other(user, pool, lot) for user, lot in zip(mine, lots, strict=True)]

    def _has_keywords(self, user: int) -> bool:
        starts = fitted(self._histories, self).starts
        return bool(self._said.get(user)) if self._asks else bool(starts[user + 1] > starts[user])

    def _with_keywords(self) -> IntArray:
        """All users who have keywords, ascending."""
        if self._asks:
            return np.array(sorted(user for user, said in self._said.items() if said), dtype=np.int64)
        return np.flatnonzero(np.diff(fitted(self._histories, self).starts))

    async def learn_by_asking(self, lessons: Lessons) -> None:
        """Ask for the keywords of each user whom lists are made for, once after each fit."""
        if not self._to_ask:
            return
        self._to_ask = False
        starts = fitted(self._histories, self).starts
        users = np.arange(len(starts) - 1) if lessons.served is None else lessons.served
        known = users[starts[users + 1] > starts[users]].tolist()
        said = await side_by_side(self._learn(lessons, user) for user in known)
        self._said = {user: each for user, each in zip(known, said, strict=True) if each}

    async def _learn(self, lessons: Lessons, user: int) -> Keywords:
        """The keywords that a model takes from one history."""
        assert self._asker is not None
        words, facts = fitted(self._words, self), fitted(self._facts, self)
        items, kinds = fitted(self._histories, self).of_user(user)
        numbers = dict.fromkeys(fact.number for item in items for fact in facts.of[item])
        if not numbers:
            return {}
        names = {facts.names[number]: number for number in numbers}
        told = [f"{words.name(item)}: {', '.join(facts.shared(item))}" for item in items]
        question = Question(
            prompt=self._prompt,
            shared=self._prompt.fill("shared", many=words.many),
            told=self._prompt.fill(
                "ask",
                many=words.many,
                verb=words.did(kinds),
                items="\n".join(told),
                facts="\n".join(names),
                number=self._most,
            ),
            schema=_schema(self._most),
            more_tokens=math.ceil(self._most * LONGEST_FACT / _BYTES_PER_TOKEN),
            seed=int(Draws.for_sessions(lessons.root, np.array([user]), 0).uniform(TEMPLATE)[0] * LARGEST_SEED),
            row=0,
        )
        found = await lessons.ask(self._asker, question, lambda text: read_keywords(text, list(names)))
        if found is None or not found.order:
            return facts.keywords(np.array(items, dtype=np.int32), self._most) if self._fallback == "history" else {}
        named = list(names.values())
        return {named[each]: float(self._most - place) for place, each in enumerate(found.order[: self._most])}


def _other(user: int, pool: IntArray, lot: float) -> int | None:
    """One of a pool of users other than a user, who is in it; None where there is no other."""
    if len(pool) < 2:
        return None
    place = int(lot * (len(pool) - 1))
    return int(pool[place + (place >= int(np.searchsorted(pool, user)))])


def _schema(most: int) -> dict[str, Any]:
    keywords = {"type": "array", "items": {"type": "string", "maxLength": LONGEST_FACT}, "maxItems": most}
    return {
        "type": "object",
        "properties": {"keywords": keywords},
        "required": ["keywords"],
        "additionalProperties": False,
    }


def facts_shown(question: str) -> list[str]:
    """The facts in the text of a question, in the order shown; [] where it shows none."""
    _, _, behind = question.rpartition(f"\n{FACTS_HEADING}\n")
    return behind.partition("\n\n")[0].splitlines()


def read_keywords(text: str, facts: Sequence[str]) -> Grounding:
    """The facts that a reply names, as places among those that it was shown; raises `UnreadableReply`."""
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["keywords"] or not isinstance(value["keywords"], list):
        raise UnreadableReply("expected an object with one key, keywords, that holds a list")
    if not all(isinstance(each, str) for each in value["keywords"]):
        raise UnreadableReply("keywords: expected texts")
    return ground(value["keywords"], facts)
