"""A manager has a team of agents find things out, ranks, and ranks once more where a reflector finds fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.arrays import ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.prompts import Prompt, one_line
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.replies import read_json
from groundlings.recommenders.base import AsyncRecommender, fitted
from groundlings.recommenders.language.agent_loop import AgentLoop, Trace
from groundlings.recommenders.language.asking import LARGEST_SEED, Question
from groundlings.recommenders.language.grounding import Grounding
from groundlings.recommenders.language.llm_ranker import LlmRanker
from groundlings.recommenders.language.team import (
    ANALYST,
    INTERPRETER,
    QUERY_CHARACTERS,
    SEARCHER,
    Team,
    described,
    found,
    listed,
)
from groundlings.recommenders.language.tools.tool import Seat
from groundlings.recommenders.language.wording import told_history

TEMPLATE = "macrec"
MANAGER, REFLECTOR = "manager", "reflector"

_TOKENS = 300
"""Of a step or a reflection."""
_REASON = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class Reflection:
    """What a reflector says of a ranking.

    Attributes:
        reason: Why, in its own words.
        holds: Whether the ranking holds together.
    """

    reason: str
    holds: bool


class MacRec(LlmRanker):
    """Lets a manager ask a team of agents, rank another recommender's candidates, and rank anew after a reflection.

    The method of Wang et al. (2024), "MACRec: a multi-agent collaboration framework for recommendation", SIGIR. The
    manager thinks and acts in steps. It can have an *analyst* look up the user or an item, a *searcher* search the
    catalogue, and, where the session has words of the user, an *interpreter* say what they ask for. Each works in a
    loop with tools of its own and reports. The manager's last step is its ranking. A *reflector* is asked whether that
    holds together, and on a no the manager begins again with the reason before it.

    A list takes at most (1 + `reflections`) x (`steps` + (`steps` - 1) x `helper_steps`) + `reflections` questions, one
    after the other.

    Args:
        of: The recommender whose best items are the candidates; it may not draw lots.
        model: The language model of the arm.
        sampling: How its replies are drawn.
        candidates: How many items the model ranks. Where a list is to hold more, those of `of` follow behind.
        history: How many of a user's latest different items it is shown.
        steps: Questions of the manager per trial at most; the last one is for the ranking.
        helper_steps: Questions of one task of an analyst or a searcher at most; the last one is for the report.
        reflections: How often the reflector is asked at most; after each no there is one more trial.
        fallback: What is listed where the last ranking names no candidate; see `llm_ranker`.
        demographics: What users said of themselves; the analyst may look it up.
    """

    template = TEMPLATE
    reads_queries = True

    def __init__(
        self,
        of: AsyncRecommender,
        model: ChatModel,
        sampling: Sampling,
        candidates: Annotated[int, Field(ge=2, le=100)] = 20,
        history: Annotated[int, Field(ge=0, le=200)] = 20,
        steps: Annotated[int, Field(ge=2, le=10)] = 4,
        helper_steps: Annotated[int, Field(ge=2, le=10)] = 3,
        reflections: Annotated[int, Field(ge=0, le=3)] = 1,
        fallback: Literal["none", "candidates"] = "none",
        demographics: People | None = None,
    ) -> None:
        super().__init__(of, model, sampling, candidates, history, "sequential", 1, fallback)
        self._steps, self._helper_steps, self._reflections = steps, helper_steps, reflections
        self._demographics = demographics
        self._catalog: Catalog | None = None
        self._known: Interactions | None = None
        self._team: Team | None = None

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Fit the recommender inside, note the histories, and put the team together."""
        super().fit(interactions, catalog)
        self._catalog, self._known = catalog, interactions
        people, steps = self._demographics, self._helper_steps
        self._team = Team.of(self._prompt, self._asker, catalog, interactions, people, steps)

    def observe(self, interactions: Interactions) -> None:
        """Tell the recommender inside, add to the histories, and have the team know it, too."""
        super().observe(interactions)
        self._known = fitted(self._known, self).joined(interactions)
        self._team = fitted(self._team, self).knowing(fitted(self._catalog, self), self._known)

    def calls_per_list(self) -> Mapping[str, int]:
        """The manager's steps, a task in each of them, the rankings, and the reflections.

        Each prompt has its own bound. A task is of one agent, so that all together are fewer: see the class.
        """
        trials, tasks = 1 + self._reflections, self._steps - 1
        return {
            _named(self._prompt, MANAGER): trials * tasks,
            **{_named(self._prompt, name): trials * tasks * self._helper_steps for name in (ANALYST, SEARCHER)},
            _named(self._prompt, INTERPRETER): trials * tasks,
            _named(self._prompt, REFLECTOR): self._reflections,
            self._prompt.name: trials,
        }

    async def _asked(
        self, request: RankingRequest, row: int, candidates: ItemArray
    ) -> list[tuple[Grounding | None, CallRecord]]:
        """The replies of all trials; only the last ranking counts."""
        session = _Session(self._prompt, fitted(self._words, self).many, request, row)
        replies: list[tuple[Grounding | None, CallRecord]] = []
        for trial in range(1 + self._reflections):
            session.trial = trial
            trace = await self._managed(session, sorted(candidates.tolist()))
            notes = found(self._prompt, trace.notes)
            ranked = await self._round(
                request, row, candidates, session.draws, trial, [*session.asked_for, *session.reflection, *notes]
            )
            replies = [(None, call) for _, call in replies] + [*((None, call) for call in trace.calls), ranked]
            if trial == self._reflections or ranked[0] is None or not ranked[0].order:
                break
            said, call = await self._reflected(session, candidates[list(ranked[0].order)].tolist(), notes)
            replies.append((None, call))
            if said is None or said.holds:
                break
            session.reflection = [self._prompt.fill("reflection", reason=one_line(said.reason, _REASON))]
        return replies

    async def _managed(self, session: _Session, candidates: Sequence[int]) -> Trace:
        """What the manager had found out. The order of candidates tells nothing."""
        words, user = fitted(self._words, self), session.user
        helpers = fitted(self._team, self).helpers(session.query, session.question)
        task = self._prompt.fill(
            "manager", number=len(candidates), many=words.many, items=words.numbered(candidates),
            tools=described(helpers),
        )  # fmt: skip
        before = [self._past(user), *session.asked_for, task, *session.reflection]

        def question(number: int, way: int, notes: Sequence[str], schema: dict[str, Any]) -> Question:  # noqa: ARG001
            ask = self._prompt.fill("step", actions=listed(schema["properties"]["action"]["enum"]))
            told = "\n\n".join([*before, *found(self._prompt, notes), ask])
            return session.question(MANAGER, number, told, schema)

        seat = Seat(user, fitted(self._histories, self).of_user(user)[0])
        return await AgentLoop(self._asker, helpers, self._steps - 1, 0).run(seat, question)

    async def _reflected(
        self, session: _Session, ranked: Sequence[int], notes: Sequence[str]
    ) -> tuple[Reflection | None, CallRecord]:
        """What the reflector says of a ranking; it knows no more than the manager."""
        words = fitted(self._words, self)
        ask = self._prompt.fill("reflector", many=words.many, items=words.numbered(ranked))
        told = "\n\n".join([self._past(session.user), *session.asked_for, *notes, ask])
        return await self._asker.ask(session.question(REFLECTOR, 0, told, _REFLECTION), read_reflection)

    def _told(self, user: int, shown: Sequence[int], notes: Sequence[str] = ()) -> str:
        """The history, what was found, and the candidates."""
        words = fitted(self._words, self)
        rank = self._prompt.fill("candidates", number=len(shown), many=words.many, items=words.numbered(shown))
        return "\n\n".join([self._past(user), *notes, rank])

    def _past(self, user: int) -> str:
        return told_history(self._prompt, fitted(self._words, self), *fitted(self._histories, self).of_user(user))


class _Session:
    """One session of a request, as its agents have it.

    Attributes:
        user: Its user's number.
        query: What the user asked for, None where nothing in particular.
        asked_for: The same as paragraphs of a prompt.
        draws: Of the user alone and not of the day, as those of `LlmRanker`.
        trial: Which trial it is, 0 the first.
        reflection: Paragraphs with what was wrong with the last trial.
    """

    def __init__(self, prompt: Prompt, many: str, request: RankingRequest, row: int) -> None:
        self._prompt, self._many, self._row = prompt, many, row
        self._page = np.array([request.page])
        self.user = int(request.users[row])
        self.query = None if request.queries is None else request.queries[row]
        asked_for = () if self.query is None else (one_line(self.query, QUERY_CHARACTERS),)
        self.asked_for = [prompt.fill("query", query=words) for words in asked_for]
        self.draws = Draws.for_sessions(request.draws.root, np.array([self.user]), 0)
        self.trial = 0
        self.reflection: list[str] = []

    def question(self, agent: str, number: int, told: str, schema: Mapping[str, Any]) -> Question:
        """What an agent is asked in a step of this trial."""
        lot = self.draws.uniform(f"macrec {agent} {self.trial} {number}", self._page)[0]
        return Question(
            prompt=replace(self._prompt, name=_named(self._prompt, agent)),
            shared=self._prompt.fill("shared", many=self._many),
            told=told,
            schema=schema,
            more_tokens=_TOKENS,
            seed=int(lot * LARGEST_SEED),
            row=self._row,
        )


def template_of(agent: str) -> str:
    """The name of an agent's questions in the log; they are made from the same file as the rankings."""
    return f"{TEMPLATE}_{agent}"


def _named(prompt: Prompt, agent: str) -> str:
    """The same with the version of the file."""
    return prompt.name.replace(TEMPLATE, template_of(agent))


_REFLECTION: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": _REASON}, "holds": {"type": "boolean"}},
    "required": ["reason", "holds"],
    "additionalProperties": False,
}


def read_reflection(text: str) -> Reflection:
    """What a reply says of a ranking; raises `UnreadableReply`."""
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["reason", "holds"]:
        raise UnreadableReply("expected an object with the keys reason and holds")
    if not isinstance(value["reason"], str) or not isinstance(value["holds"], bool):
        raise UnreadableReply("expected a text and true or false")
    return Reflection(value["reason"], value["holds"])
