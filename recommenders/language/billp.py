"""A language model plans for the long run by what it made of earlier days, and ranks by its plan."""

from __future__ import annotations

import math
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import FloatArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import Prompt, one_line
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.replies import read_json
from groundlings.environments.side_by_side import side_by_side
from groundlings.recommenders.base import AsyncRecommender, fitted, hash_of
from groundlings.recommenders.impressions import Impressions
from groundlings.recommenders.language.asking import LARGEST_SEED, Question
from groundlings.recommenders.language.grounding import Grounding
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.language.long_term import (
    HIGHEST,
    LOWEST,
    Case,
    Episode,
    Episodes,
    Memory,
    Situation,
    case_of,
    situation_vector,
    situation_vectors,
)
from groundlings.recommenders.language.wording import told_history
from groundlings.recommenders.learning import Lessons

TEMPLATE = "billp"
PLANS = "billp_plan"
"""Name of its questions for a plan in the log; they are made from the same file."""

_REFLECTIONS, _CASES = 2, 2
"""How many similar reflections the planner is told, and how many similar cases the actor."""
_LEAST_ALIKE = 0.3
"""The least cosine of a case that is told."""
_NEW_KINDS = 2
"""Categories without an item in the history that the actor is told."""
_FEW = 3
"""Items of a case's situation, and of each side of a case, that are told."""
_CHARACTERS = 200
"""Of a plan and of a reflection at most."""
_TEXT = {"type": "string", "maxLength": _CHARACTERS}
_VALUE = {"type": "integer", "enum": list(range(LOWEST, HIGHEST + 1))}
_BYTES_PER_TOKEN = 2


class BiLlp(LlmRanker):
    """Lets a language model plan for the long run, and rank another recommender's candidates by its plan.

    The method of Shi et al. (2024), "Large language models are learnable planners for long-term recommendation",
    SIGIR (BiLLP). Before a list a *planner* says what kind of items to show next, told two reflections on users in the
    most similar situations; an *actor* ranks the candidates by that plan, told what was good and bad after similar
    histories. Nothing is trained: after each day the recommender looks at episodes that are over. An episode is a
    user's day with sessions and what came of it: the user came back, or stayed away for `away` days. A *critic* gives
    the situations before and after it a value from -5 to 5 (-5 of a user who stayed away). The sign of the advantage
    A = r + 0.5 V(s') - V(s) of an item shown, with r = 1 for one that was taken, goes into the actor's memory; a
    *reflector* writes a sentence or two into that of the planner. Both memories outlive a fit, as all that impressions
    have taught does.

    A list takes two questions, one after the other; `horizon: myopic` takes one, the same actor without plan and
    memory, who ranks for the next choice alone. A day takes at most three questions per episode looked at.

    Args:
        of: The recommender whose best items are the candidates; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many items the model ranks. Where a list is to hold more, those of `of` follow behind.
        history: How many of a user's latest different items it is shown.
        horizon: `long_term` or `myopic`.
        episodes: How many episodes are looked at after a day at most; drawn at random.
        away: Days without a session after which a user counts as staying away.
        remembered: How many reflections, and how many cases, are kept; the oldest make room.
        fallback: What is listed where the reply of the actor names no candidate; see `llm_ranker`. A plan that cannot
            be read is none: the list is made without it, and the reply is counted.
    """

    template = TEMPLATE

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=2, le=100)] = 20,
        history: Annotated[int, Field(ge=1, le=200)] = 10,
        horizon: Literal["long_term", "myopic"] = "long_term",
        episodes: Annotated[int, Field(ge=0, le=10_000_000)] = 20,
        away: Annotated[int, Field(ge=1, le=1_000_000)] = 7,
        remembered: Annotated[int, Field(ge=1, le=100_000)] = 500,
        fallback: Literal["none", "candidates"] = "none",
    ) -> None:
        super().__init__(of, model, sampling, candidates, history, "sequential", 1, fallback)
        self._plans, self._per_day = horizon == "long_term", episodes
        self._plan_prompt: Prompt = replace(self._prompt, name=self._prompt.name.replace(TEMPLATE, PLANS))
        self._episodes, self._memory = Episodes(away), Memory(remembered)
        self._catalog: Catalog | None = None
        self._vectors = np.zeros((0, 0))

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, and note the histories; both memories stay."""
        super().fit(interactions, catalog)
        if self._catalog is not catalog:
            self._catalog = catalog
            self._vectors = situation_vectors(catalog) if self._plans else self._vectors

    def observe_impressions(self, impressions: Impressions) -> None:
        """Take note of who was shown what on a day, which ends the episodes of those who came back."""
        if self._plans:
            self._episodes.follow(impressions, self._situation)

    def calls_per_list(self) -> Mapping[str, int]:
        """The plan, unless the horizon is myopic, and the ranking."""
        return {**({self._plan_prompt.name: 1} if self._plans else {}), **super().calls_per_list()}

    def calls_to_learn(self, users: int) -> Mapping[str, int]:
        """Two values and a reflection per episode; a day ends one of a user at most."""
        return {self._prompt.name: 3 * min(self._per_day, users)} if self._plans else {}

    def state(self) -> str:
        """What the recommender inside has learnt, histories, and both memories."""
        before = super().state()
        learnt = f"{before} {self._memory.told()}"
        return before and hash_of(np.frombuffer(learnt.encode(), dtype=np.uint8))

    def reflections(self) -> list[str]:
        """What the reflector wrote, the earliest first."""
        return [text for _, text in self._memory.reflections]

    def cases(self) -> list[Case]:
        """What the actor remembers, the earliest first."""
        return [case for _, case in self._memory.cases]

    async def learn_by_asking(self, lessons: Lessons) -> None:
        """Look at some of the episodes that are over since the last time, day by day."""
        for ended in self._episodes.over():
            users, days = (np.array([getattr(each, key) for each in ended], dtype=np.int64) for key in ("user", "day"))
            lots = Draws.for_sessions(lessons.root, users, 0).uniform("billp episode", days)
            chosen = [ended[place] for place in np.sort(np.argsort(lots, kind="stable")[: self._per_day])]
            learnt = await side_by_side(self._look_back(lessons, each) for each in chosen)
            for each, (reflection, case) in zip(chosen, learnt, strict=True):
                self._memory.add(self._vector(each.before), reflection, case)

    async def _look_back(self, lessons: Lessons, episode: Episode) -> tuple[str | None, Case | None]:
        """The reflection and the case of one episode; None where replies cannot be read or no advantage has a sign."""
        few = _few(episode, Draws.for_sessions(lessons.root, np.array([episode.user]), episode.day))
        questions: list[Coroutine[Any, Any, Any]] = [
            self._value(lessons, episode.user, episode.before),
            self._value(lessons, episode.user, episode.after),
            self._reflect(lessons, episode, few),
        ]
        before, after, reflection = await side_by_side(questions)
        if before is None or after is None:
            return reflection, None
        return reflection, case_of(episode, before, after, few, _FEW)

    async def _value(self, lessons: Lessons, user: int, situation: Situation | None) -> int | None:
        """What the critic says a situation is worth, None where that cannot be read; the lowest of one who is gone."""
        if situation is None:
            return LOWEST
        lot = Draws.for_sessions(lessons.root, np.array([user]), 0).uniform("billp value")[0]
        question = self._question("value", _VALUE, [self._past(situation), self._prompt.fill("value")], lot)
        return await lessons.ask(self._asker, question, read_value)

    async def _reflect(self, lessons: Lessons, episode: Episode, few: Sequence[int]) -> str | None:
        """What the reflector writes, None where it cannot be read."""
        words, fill = fitted(self._words, self), self._prompt.fill
        taken = [words.name(item) for item in few if item in episode.taken]
        told = [
            self._past(episode.before),
            fill("shown", shown="; ".join(map(words.name, few)), taken="; ".join(taken) or "nothing"),
            fill("stayed_away" if episode.after is None else "came_back", days=episode.days),
            fill("reflect"),
        ]
        lot = Draws.for_sessions(lessons.root, np.array([episode.user]), episode.day).uniform("billp reflection")[0]
        question = self._question("reflection", _TEXT, told, lot)
        return await lessons.ask(self._asker, question, partial(read_text, key="reflection"))

    async def _asked(
        self, request: RankingRequest, row: int, candidates: ItemArray
    ) -> list[tuple[Grounding | None, CallRecord]]:
        """The reply of the planner, which ranks nothing, and that of the actor."""
        user = int(request.users[row])
        draws = Draws.for_sessions(request.draws.root, np.array([user]), 0)
        if not self._plans:
            return [await self._round(request, row, candidates, draws, 0)]
        situation, fill = self._situation(user), self._prompt.fill
        vector = self._vector(situation)
        learnt = "\n".join(f"- {each}" for each in self._memory.similar_reflections(vector, _REFLECTIONS))
        told = [self._past(situation), *([fill("reflections", reflections=learnt)] if learnt else [])]
        told.append(fill("plan", many=fitted(self._words, self).many))
        lot = draws.uniform("billp plan", np.array([request.page]))[0]
        question = replace(self._question("plan", _TEXT, told, lot), prompt=self._plan_prompt, row=row)
        plan, call = await self._asker.ask(question, partial(read_text, key="plan"))
        notes = [fill("planned", plan=plan)] if plan else []
        notes += [*self._remembered(vector), *self._new_kinds(situation, draws)]
        return [(None, call), await self._round(request, row, candidates, draws, 0, notes=notes)]

    def _question(self, key: str, form: Mapping[str, Any], told: Sequence[str], lot: float) -> Question:
        """A question whose reply is an object with one key."""
        return Question(
            prompt=self._prompt,
            shared=self._prompt.fill("shared", many=fitted(self._words, self).many),
            told="\n\n".join(told),
            schema={"type": "object", "properties": {key: form}, "required": [key], "additionalProperties": False},
            more_tokens=math.ceil(form.get("maxLength", 0) / _BYTES_PER_TOKEN),
            seed=int(lot * LARGEST_SEED),
            row=0,
        )

    def _told(self, user: int, shown: Sequence[int], notes: Sequence[str] = ()) -> str:
        """The history, the plan and what is remembered, and the candidates with their categories."""
        words, fill = fitted(self._words, self), self._prompt.fill
        genres = fitted(self._catalog, self).genres
        kinds = [f"- {words.name(item)}: {_joined(genres[item])}" for item in shown if genres[item]]
        rank = fill(
            "rank" if self._plans else "rank_next",
            number=len(shown),
            many=words.many,
            items=words.numbered(shown),
        )
        of_each = [fill("kinds", kinds="\n".join(kinds))] if kinds else []
        return "\n\n".join([self._past(self._situation(user)), *notes, *of_each, rank])

    def _past(self, situation: Situation) -> str:
        return told_history(self._prompt, fitted(self._words, self), situation.items, situation.kinds)

    def _remembered(self, vector: FloatArray) -> list[str]:
        """What was good and bad after similar histories, as the actor is told."""
        words, fill = fitted(self._words, self), self._prompt.fill

        def names(items: Sequence[int]) -> str:
            return "; ".join(map(words.name, items))

        def line(case: Case) -> str:
            sides = {"good": case.good, "bad": case.bad}
            told = {side: f" {fill(side, items=names(items))}" if items else "" for side, items in sides.items()}
            return fill("case", before=names(case.before) or "an empty one", **told)

        lines = [line(case) for case in self._memory.similar_cases(vector, _CASES, _LEAST_ALIKE)]
        return [fill("remembered", lines="\n".join(lines))] if lines else []

    def _new_kinds(self, situation: Situation, draws: Draws) -> list[str]:
        """Some categories that the history lacks, drawn."""
        catalog = fitted(self._catalog, self)
        known = {name for item in situation.items for name in catalog.genres[item]}
        lots = draws.uniform("billp kinds", np.arange(len(catalog.genre_names))[None, :])[0]
        new = [name for _, name in sorted(zip(lots, catalog.genre_names, strict=True)) if name not in known]
        return [self._prompt.fill("new_kinds", kinds=_joined(new[:_NEW_KINDS]))] if new else []

    def _situation(self, user: int) -> Situation:
        items, kinds = fitted(self._histories, self).of_user(user)
        return Situation(tuple(items), kinds)

    def _vector(self, situation: Situation) -> FloatArray:
        return situation_vector(self._vectors, situation.items)


def read_text(text: str, key: str) -> str:
    """The text in a reply of one key; raises `UnreadableReply`, also where it is blank."""
    said = _only(text, key)
    if not isinstance(said, str) or not said.strip():
        raise UnreadableReply(f"{key}: expected a text")
    return one_line(said, _CHARACTERS)


def read_value(text: str) -> int:
    """The critic's value in a reply; raises `UnreadableReply`."""
    said = _only(text, "value")
    if not isinstance(said, int) or isinstance(said, bool) or not LOWEST <= said <= HIGHEST:
        raise UnreadableReply(f"value: expected a whole number from {LOWEST} to {HIGHEST}")
    return said


def _only(text: str, key: str) -> object:
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != [key]:
        raise UnreadableReply(f"expected an object with one key, {key}")
    return value[key]


def _few(episode: Episode, draws: Draws) -> list[int]:
    """Some of the items shown: those taken first, then others, of each at most `_FEW`, drawn."""
    lots = draws.uniform("billp item", np.array([episode.shown], dtype=np.int64))[0]
    shown = [item for _, item in sorted(zip(lots, episode.shown, strict=True))]
    taken = [item for item in shown if item in episode.taken]
    return [*taken[:_FEW], *[item for item in shown if item not in episode.taken][:_FEW]]


def _joined(names: Sequence[str]) -> str:
    return one_line(", ".join(names), _CHARACTERS)
