"""A language model decides: one checked call a page, or graded answers from which the platform draws."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.decision import Decision
from groundlings.environments.interactions import Interactions
from groundlings.environments.sessions import Sessions
from groundlings.environments.side_by_side import side_by_side
from groundlings.environments.social_turns import SocialTurns, Told, takes_turns
from groundlings.personas.agent_notes import read_agent_notes
from groundlings.personas.memory import Memory, MemoryStore
from groundlings.personas.memory_relevance import load_embedder
from groundlings.personas.mind import (
    FEED_ACTIONS,
    SEARCH_ACTIONS,
    SHOP_ACTIONS,
    TURN_ACTIONS,
    Afterthoughts,
    PageTurn,
    Shown,
    Situation,
    by_pages_seen,
)
from groundlings.personas.minds.language import logprob_decision, reflection
from groundlings.personas.minds.language import verdict as verdict_decision
from groundlings.personas.minds.language.ask import Asker
from groundlings.personas.minds.language.config import LanguageOptions, Wording
from groundlings.personas.minds.language.hearsay import Hearsay
from groundlings.personas.minds.language.logprob_decision import GradedPage
from groundlings.personas.minds.language.prompt_rendering import PromptRenderer
from groundlings.personas.minds.language.reflection import LookingBack, Visit
from groundlings.personas.minds.language.social_turn import SOCIAL, SocialTurn
from groundlings.personas.minds.language.verdict import Verdict, decided, verdict
from groundlings.personas.population import Population
from groundlings.personas.social.word_of_mouth import word_of_mouth

__all__ = ["LanguageMind", "LanguageOptions"]


class LanguageMind:
    """Puts a page before a language model as one real person would see it, and reads what that person does.

    Four parts, each to be read alone: who the agent is (`portrait`), what it remembers (`groundlings.personas.memory`),
    how it feels (`mood`), and how it decides (`verdict`, `logprob_decision`). A prompt goes from what
    all share to what one page has, so that prefix caches of model servers find most of it (`prompt_rendering`). The
    legal actions travel with the question as the schema of the reply, and the reply is checked whatever the server
    promises. An unreadable reply is asked for once more with its error; after that the page is lost, and logged as
    such: no action is made up.

    A small model decides badly. That is what the log is for; nothing here mends it.

    Args:
        population: Who the agents are.
        model: Who is asked.
        options: What the prompt says, how much is remembered, how a decision is read.
        sampling: How replies are drawn.
        base_directory: Where the paths of `options.social` and `options.agent_notes` start.
        cohort_size: Sessions that go from page to page together; what each is asked does not depend on it.

    Agents remember, so every arm of an experiment needs a mind of its own.
    """

    def __init__(
        self,
        population: Population,
        model: ChatModel,
        options: LanguageOptions,
        sampling: Sampling,
        base_directory: Path = Path(),
        cohort_size: int = 1,
    ) -> None:
        self.cohort_size = cohort_size
        self._things = options.things or population.catalog.words.many
        self._population = population
        self._options = options.model_copy(update={"things": self._things})
        self._memory = MemoryStore(options.memory, load_embedder(options.memory.embedder))
        self._word_of_mouth = word_of_mouth(options.social, population, base_directory)
        named = options.agent_notes
        self._notes = None if named is None else read_agent_notes(named, base_directory)
        self._asker = Asker(model, sampling, options.reasks)
        self._hearsay: Hearsay | None = None
        if self._word_of_mouth is not None and options.social is not None and options.social.turns is not None:
            days, ties = options.social.days, self._word_of_mouth.ties
            self._hearsay = Hearsay(population, ties, days, self._memory, options.title_characters)
        self.speak(options.wording)

    def speak(self, wording: Wording) -> None:
        """Tell agents in these words from now on who they are and what to do; what they remember stays."""
        population = self._population
        self._options = options = self._options.model_copy(update={"wording": wording})
        asks = verdict_decision if options.decision == "verdict" else logprob_decision
        self._prompt = asks.prompt_of(
            wording, history=population.tells_acts or population.says_likes, noted=self._notes is not None
        )
        self._renderer = PromptRenderer(
            population, self._memory, self._prompt, options, self._word_of_mouth, self._notes
        )
        self._looking_back = LookingBack(population, self._memory, self._renderer, self._asker, options)
        self._turn: SocialTurn | None = None
        if self._hearsay is not None and options.social is not None and options.social.turns is not None:
            turns = options.social.turns
            self._turn = SocialTurn(population, self._hearsay, self._renderer, self._asker, options, turns)

    @property
    def model(self) -> ChatModel:
        """See `AsksModel.model`."""
        return self._asker.model

    def ask_through(self, model: ChatModel) -> None:
        """See `AsksModel.ask_through`."""
        self._asker.model = model

    @property
    def actions(self) -> frozenset[str]:
        """See `Mind.actions`; carts, purchases and queries are read from a verdict, and not asked for slot by slot."""
        turns = TURN_ACTIONS if self._turn is not None else frozenset()
        able = FEED_ACTIONS | SHOP_ACTIONS | SEARCH_ACTIONS if self._options.decision == "verdict" else FEED_ACTIONS
        return able | turns

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`; all sessions of a cohort are asked at once, each by itself."""
        if self._turn is not None and takes_turns(situation.legal.schema):
            if situation.page.number <= SocialTurns.pages_before:
                return await _each_alone(self._turn.decide, situation)
            situation = _on_the_site(situation)
        if self._options.decision == "verdict":
            return await self._verdicts(situation)
        return await _each_alone(self._graded, situation)

    async def _verdicts(self, situation: Situation) -> Decision:
        """What a cohort does, from a reply to each session."""
        here = replace(situation, turns=situation.earlier)

        async def asked(row: int) -> Verdict:
            view = self._renderer.render(here, row)
            return await verdict(view, self._asker, self._options, self._prompt, self._things)

        if len(here.sessions) == 1:  # needs no task of its own
            return decided(here, [await asked(0)])
        return decided(here, await side_by_side(map(asked, range(len(here.sessions)))))

    async def _graded(self, situation: Situation) -> Decision:
        """What one session does, by graded answers."""
        view = self._renderer.render(situation)
        page = GradedPage(view, self._renderer, self._asker, self._options, self._prompt, self._things)
        decision = await page.decide()
        return replace(decision, trace=replace(decision.trace, moods=(view.mood,), display=view.display))

    async def look_back(self, sessions: Sessions, turns: tuple[PageTurn, ...]) -> Afterthoughts:
        """See `LooksBack.look_back`; only sessions of which something is asked need a task of their own."""
        found: list[Afterthoughts] = [Afterthoughts()] * len(sessions)
        asking: list[tuple[int, Visit]] = []
        for rows, pages in by_pages_seen(len(sessions), turns):
            for place, row in enumerate(rows):
                visit = Visit(int(sessions.agents[row]), sessions, row, pages, place)
                if self._looking_back.asks(visit.agent):
                    asking.append((row, visit))
                else:
                    found[row] = await self._look_back(visit)
        thought = await side_by_side(self._look_back(visit) for _, visit in asking)
        for (row, _), own in zip(asking, thought, strict=True):
            found[row] = own
        return Afterthoughts.joined(found)

    async def _look_back(self, visit: Visit) -> Afterthoughts:
        """What stays of one session."""
        turns = visit.turns
        if self._turn is None or not turns or not takes_turns(turns[0].decision.actions.schema):
            return await self._looking_back.think(visit)
        said = self._turn.memory(visit.agent, visit.sessions.day, turns[0], visit.place)
        thoughts = await self._looking_back.think(replace(visit, turns=_site_pages(turns)))
        return replace(thoughts, memories=(*said, *thoughts.memories))

    def remember(self, memories: Sequence[Memory]) -> None:
        """See `LooksBack.remember`."""
        for memory in memories:
            self._memory.add(memory)

    def counts_shown(self) -> bool:
        """See `Notices.counts_shown`."""
        return False

    def notice(self, day: int, interactions: Interactions, shown: Shown) -> None:  # noqa: ARG002 - as all minds have it
        """See `Notices.notice`: what ties mention is told on later pages."""
        if self._word_of_mouth is not None:
            self._word_of_mouth.notice(day, interactions)
        if self._hearsay is not None:
            self._hearsay.took(day, interactions)

    def hear(self, day: int, told: Sequence[Told]) -> None:
        """See `Hears.hear`: it comes back to whom it was said to, with who said it."""
        if self._hearsay is not None:
            self._hearsay.hear(day, told)

    def ties_who_liked(self, users: IntArray, items: NDArray[np.integer]) -> IntArray | None:
        """See `KnowsTies.ties_who_liked`."""
        return None if self._word_of_mouth is None else self._word_of_mouth.counts("liked", users, items)

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        prompts = [self._prompt]
        if self._options.reflection.every:
            prompts.append(reflection.REFLECTION)
        if self._options.interview.questions:
            prompts.append(reflection.INTERVIEW)
        if self._turn is not None:
            prompts.append(SOCIAL)
        described = {
            "kind": "language",
            "model": self._asker.model.name,
            "temperature": self._asker.sampling.temperature,
            "max_tokens": self._asker.sampling.max_tokens,
            "prompts": {prompt.name: prompt.sha256 for prompt in prompts},
            "options": self._options.model_dump(mode="json"),
        }
        if self._notes is not None:
            described["agent_notes"] = self._notes.sha256
        ties = self._word_of_mouth
        return described if ties is None else {**described, "social": dict(ties.describe())}


async def _each_alone(decide: Callable[[Situation], Coroutine[Any, Any, Decision]], situation: Situation) -> Decision:
    """What a cohort does where each of its sessions is decided as a cohort of its own."""
    if len(situation.sessions) == 1:
        return await decide(situation)
    return Decision.joined(await side_by_side(map(decide, situation.each())))


def _site_pages(turns: tuple[PageTurn, ...]) -> tuple[PageTurn, ...]:
    """The pages behind a social turn, numbered as the site numbers them."""
    before = SocialTurns.pages_before
    return tuple(replace(turn, page=replace(turn.page, number=turn.page.number - before)) for turn in turns[before:])


def _on_the_site(situation: Situation) -> Situation:
    """A situation behind a social turn, as it is on a site without one."""
    page = replace(situation.page, number=situation.page.number - SocialTurns.pages_before)
    return replace(situation, page=page, turns=_site_pages(situation.turns))
