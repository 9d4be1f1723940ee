"""A language model decides: one checked call a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from environments.actions import Decision
from environments.chat import CallRecord, ChatModel, ChatReply, ChatRequest, Message, ParseStatus, Sampling
from environments.errors import UnreadableReply
from environments.page import Page
from personas.mind import PageTurn, Situation, Visits
from personas.minds.language_config import LanguageOptions
from personas.minds.language_form import PageReply, read_reply, reply_schema
from personas.minds.language_memory import VisitMemory, page_line, visit_line
from personas.minds.language_portrait import portrait
from personas.minds.language_text import item_line, one_line
from personas.population import Population
from personas.prompts import load_prompt

__all__ = ["LanguageMind", "LanguageOptions"]

_LARGEST_SEED = 2**31
_LONGEST_QUOTE = 300


class LanguageMind:
    """Puts a page before a language model as one real person would see it, and reads what that person does.

    A prompt goes from what all share to what one page has: instruction, person, earlier visits, this visit so far,
    page. Prefix caches of model servers then find most of it. The legal actions travel with the question as the
    schema of the reply, and the reply is checked whatever the server promises. An unreadable reply is asked for once
    more with its error; after that the page is lost, and logged as such: no action is made up.

    A small model decides badly. That is what the log is for; nothing here mends it.

    Args:
        population: Who the agents are.
        model: Who is asked.
        options: What the prompt says and how much is remembered.
        sampling: How replies are drawn.

    Agents remember, so every arm of an experiment needs a mind of its own.
    """

    cohort_size = 1

    def __init__(
        self,
        population: Population,
        model: ChatModel,
        options: LanguageOptions,
        sampling: Sampling,
    ) -> None:
        self._population = population
        self._model = model
        self._sampling = sampling
        self._options = options
        self._memory = VisitMemory(self._options.memory_visits)
        self._prompt = load_prompt("page")
        self._portraits: dict[int, str] = {}

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`."""
        if len(situation.visits) != 1:
            raise ValueError(f"a language mind decides for one visit at a time, found {len(situation.visits)}")
        request = self._request(situation)
        takes_stars, may_go_on = bool(situation.actions.stars), bool(situation.actions.may_go_on[0])
        calls: list[CallRecord] = []
        for attempt in range(self._options.reasks + 1):
            if attempt:
                request = replace(request, seed=_seed(situation, attempt))
            reply = await self._model.ask(request)
            try:
                said = read_reply(reply.text, takes_stars=takes_stars, may_go_on=may_go_on)
            except UnreadableReply as error:
                calls.append(
                    self._record(request, reply, "reasked" if attempt < self._options.reasks else "unreadable")
                )
                request = self._asked_again(request, reply, error)
            else:
                calls.append(self._record(request, reply, "ok"))
                return _decision(situation.page, said, calls)
        return Decision.lost(situation.page, calls)

    def remember(self, visits: Visits, turns: tuple[PageTurn, ...]) -> None:
        """See `Mind.remember`; pages whose reply was unreadable leave no memory, because nothing is known of them."""
        for place, agent in enumerate(visits.agents):
            lived = [
                (turn, int(row))
                for turn in turns
                for row in np.flatnonzero(turn.rows == place)
                if not turn.decision.unreadable[row]
            ]
            if lived:
                line = visit_line(visits.day, lived, self._population.catalog, self._options.title_characters)
                self._memory.add(int(agent), line)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        return {
            "kind": "language",
            "model": self._model.name,
            "temperature": self._sampling.temperature,
            "max_tokens": self._sampling.max_tokens,
            "template": self._prompt.name,
            "template_sha256": self._prompt.sha256,
            "options": self._options.model_dump(mode="json", include=set(LanguageOptions.model_fields)),
        }

    def _request(self, situation: Situation) -> ChatRequest:
        page, actions = situation.page, situation.actions
        slots = [int(slot) + 1 for slot in np.flatnonzero(page.shown[0])]
        may_go_on = bool(actions.may_go_on[0])
        return ChatRequest(
            messages=(
                Message("system", self._shared(actions.stars)),
                Message("user", self._told(situation, slots, may_go_on)),
            ),
            reply_schema=reply_schema(slots, actions.stars, may_go_on, self._options.feelings),
            max_tokens=self._sampling.max_tokens,
            temperature=self._sampling.temperature,
            seed=_seed(situation, attempt=0),
        )

    def _shared(self, stars: Sequence[float]) -> str:
        """What every agent of a run is told: the longest prefix that all prompts have in common."""
        listed = ", ".join(f"{each:g}" for each in stars)
        unrated = f"the {self._options.things} you open"
        rated = f"{unrated}, with your stars ({listed})"
        return self._prompt.fill(
            "shared",
            things=self._options.things,
            opened='{"NUMBER":STARS}' if stars else "[NUMBER]",
            opened_nothing="{}" if stars else "[]",
            opened_meaning=rated if stars else unrated,
            feelings=", ".join(self._options.feelings),
        )

    def _told(self, situation: Situation, slots: Sequence[int], may_go_on: bool) -> str:
        """What this agent alone is told, from what changes least to what changes most."""
        options, catalog = self._options, self._population.catalog
        agent = int(situation.visits.agents[0])
        parts = [self._portrait(agent)]
        if visits := self._memory.recall(agent):
            parts.append(self._prompt.fill("memory", visits="\n".join(visits)))
        recent = situation.earlier[-options.memory_pages :] if options.memory_pages else ()
        if recent:
            pages = [page_line(turn, 0, catalog, options.title_characters) for turn in recent]
            parts.append(self._prompt.fill("visit", pages="\n".join(pages)))
        shown = [catalog[int(situation.page.items[0, slot - 1])] for slot in slots]
        lines = [item_line(item, options.title_characters, options.text_characters) for item in shown]
        parts.append(
            self._prompt.fill(
                "page" if may_go_on else "last_page",
                items="\n".join(f"{slot}. {line}" for slot, line in zip(slots, lines, strict=True)),
                number=situation.page.number,
            )
        )
        return "\n".join(parts)

    def _portrait(self, agent: int) -> str:
        if agent not in self._portraits:
            population = self._population
            known = portrait(population.persona(agent), population.catalog, self._prompt, self._options)
            self._portraits[agent] = known
        return self._portraits[agent]

    def _asked_again(self, request: ChatRequest, reply: ChatReply, error: UnreadableReply) -> ChatRequest:
        """The same question, with the reply and what is wrong with it; each time from the first question on."""
        again = self._prompt.fill("again", error=one_line(str(error), _LONGEST_QUOTE))
        said = Message("assistant", one_line(reply.text, _LONGEST_QUOTE))
        return replace(request, messages=(*request.messages[:2], said, Message("user", again)))

    def _record(self, request: ChatRequest, reply: ChatReply, status: ParseStatus) -> CallRecord:
        return CallRecord(request, reply, self._prompt.name, self._prompt.sha256, status)


def _seed(situation: Situation, attempt: int) -> int:
    """The sampling seed: who, when, which page and which attempt, never the arm and never the order of asking."""
    luck = situation.visits.draws.uniform(f"reply {attempt}", np.array([situation.page.number]))
    return int(luck[0] * _LARGEST_SEED)


def _decision(page: Page, said: PageReply, calls: Sequence[CallRecord]) -> Decision:
    decision = Decision.from_actions(page, [said.actions()])
    return replace(
        decision,
        satisfaction=np.array([float(said.satisfaction)]),
        feelings=(said.feel,),
        calls=tuple(calls),
    )
