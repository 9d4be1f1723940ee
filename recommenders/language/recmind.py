"""An agent looks things up, tries other ways, and ranks by all that it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.interactions import Interactions
from groundlings.environments.prompts import Prompt
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import AsyncRecommender, fitted
from groundlings.recommenders.language.agent_loop import FINISH, NONE, AgentLoop
from groundlings.recommenders.language.asking import LARGEST_SEED, Question
from groundlings.recommenders.language.grounding import Grounding
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.language.tools.catalogue import CatalogueSql
from groundlings.recommenders.language.tools.search import CatalogueSearch
from groundlings.recommenders.language.tools.summary import ItemSummary
from groundlings.recommenders.language.tools.tool import Seat
from groundlings.recommenders.language.wording import told_history

TEMPLATE = "recmind"
STEPS = "recmind_steps"
"""Name of its questions for a step in the log; they are made from the same file."""
_STEP_TOKENS = 200


class RecMind(LlmRanker):
    """Lets a language model look things up with tools, and rank another recommender's candidates by what it found.

    The method of Wang et al. (2024), "RecMind: large language model powered agent for recommendation", Findings of
    NAACL. The agent thinks, uses a tool and reads its answer, several times. After each step it is asked whether
    another way is worth trying from there; what the other way finds is kept beside the first (*self-inspiring*
    planning), where a tree search would keep one branch. At the end it ranks the candidates with all notes before it.

    Tools: `sql` over the catalogue and the user's own history, `search` in the words of the catalogue (there is no
    web), and `summarise`, which says what all users made of an item (there are no reviews).

    A list takes at most `steps` x (1 + `alternatives`) + 1 questions, one after the other.

    Args:
        of: The recommender whose best items are the candidates; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many items the model ranks. Where a list is to hold more, those of `of` follow behind.
        history: How many of a user's latest different items it is shown.
        steps: Tools used one after the other at most.
        alternatives: Other ways that may be tried beside each step; 0 is a plain loop of thought, action and
            observation.
        fallback: What is listed where the last reply names no candidate; see `llm_ranker`.
    """

    template = TEMPLATE

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=2, le=100)] = 20,
        history: Annotated[int, Field(ge=0, le=200)] = 20,
        steps: Annotated[int, Field(ge=1, le=10)] = 3,
        alternatives: Annotated[int, Field(ge=0, le=2)] = 1,
        fallback: Literal["none", "candidates"] = "none",
    ) -> None:
        super().__init__(of, model, sampling, candidates, history, "sequential", 1, fallback)
        self._steps, self._alternatives = steps, alternatives
        self._step_prompt: Prompt = replace(self._prompt, name=self._prompt.name.replace(TEMPLATE, STEPS))
        self._catalog: Catalog | None = None
        self._known: Interactions | None = None
        self._loop: AgentLoop | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, note the histories, and make the tools."""
        super().fit(interactions, catalog)
        self._catalog, self._known = catalog, interactions
        self._loop = self._made(CatalogueSearch(catalog))

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, add to the histories, and have the tools know it, too."""
        super().observe(interactions)
        self._known = fitted(self._known, self).joined(interactions)
        (search,) = (tool for tool in fitted(self._loop, self).tools if isinstance(tool, CatalogueSearch))
        self._loop = self._made(search)

    def calls_per_list(self) -> Mapping[str, int]:
        """The steps with their other ways, and the question that ranks."""
        return {self._step_prompt.name: self._steps * (1 + self._alternatives), **super().calls_per_list()}

    def _made(self, search: CatalogueSearch) -> AgentLoop:
        catalog, known = fitted(self._catalog, self), fitted(self._known, self)
        tools = (CatalogueSql(catalog, known), search, ItemSummary(catalog, known))
        return AgentLoop(self._asker, tools, self._steps, self._alternatives)

    async def _asked(
        self, request: RankingRequest, row: int, candidates: ItemArray
    ) -> list[tuple[Grounding | None, CallRecord]]:
        """The replies of the steps, which rank nothing, and that of the ranking."""
        user = int(request.users[row])
        draws = Draws.for_sessions(request.draws.root, np.array([user]), 0)
        seat = Seat(user, fitted(self._histories, self).of_user(user)[0])

        def question(number: int, way: int, notes: Sequence[str], schema: dict[str, Any]) -> Question:
            place = np.array([request.page])
            lot = draws.uniform(f"recmind step {number}, way {way}", place)[0]
            return Question(
                prompt=self._step_prompt,
                shared=self._prompt.fill("shared", many=fitted(self._words, self).many),
                told=self._step(user, sorted(candidates.tolist()), notes, FINISH if way == 0 else NONE),
                schema=schema,
                more_tokens=_STEP_TOKENS,
                seed=int(lot * LARGEST_SEED),
                row=row,
            )

        trace = await fitted(self._loop, self).run(seat, question)
        last = await self._round(request, row, candidates, draws, 0, notes=self._found(trace.notes))
        return [*((None, call) for call in trace.calls), last]

    def _step(self, user: int, candidates: Sequence[int], notes: Sequence[str], end: str) -> str:
        """The question for a step; `end` is the action that uses no tool. The order of candidates tells nothing."""
        words, fill, tools = fitted(self._words, self), self._prompt.fill, fitted(self._loop, self).tools
        told = "\n".join(f"{tool.name}: {tool.about}" for tool in tools)
        actions = ", ".join(f'"{name}"' for name in (*(tool.name for tool in tools), end))
        task = fill("tools", number=len(candidates), many=words.many, items=words.numbered(candidates), tools=told)
        ask = fill("first" if end == FINISH else "other", actions=actions)
        return "\n\n".join([self._past(user), task, *self._found(notes), ask])

    def _told(self, user: int, shown: Sequence[int], notes: Sequence[str] = ()) -> str:
        """The history, what was found, and the candidates."""
        words = fitted(self._words, self)
        rank = self._prompt.fill("candidates", number=len(shown), many=words.many, items=words.numbered(shown))
        return "\n\n".join([self._past(user), *notes, rank])

    def _past(self, user: int) -> str:
        return told_history(self._prompt, fitted(self._words, self), *fitted(self._histories, self).of_user(user))

    def _found(self, notes: Sequence[str]) -> list[str]:
        return [self._prompt.fill("found", notes="\n".join(notes))] if notes else []
