"""What an agent has before its eyes: person, memories, this session, mood and page, from what changes least to most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, IntArray
from groundlings.environments.notes import NOTE
from groundlings.environments.page import Page
from groundlings.environments.trace import Mood
from groundlings.personas.agent_notes import AgentNotes
from groundlings.personas.memory import Memory, MemoryStore
from groundlings.personas.mind import PageTurn, Situation
from groundlings.personas.minds.language.basket import offer_words
from groundlings.personas.minds.language.config import LanguageOptions
from groundlings.personas.minds.language.friends import friends_words
from groundlings.personas.minds.language.lines import page_lines
from groundlings.personas.minds.language.mood import mood_after, mood_words
from groundlings.personas.minds.language.portrait import portrait
from groundlings.personas.minds.language.search_box import SearchBox
from groundlings.personas.minds.language.text import item_line, noted_line, one_line
from groundlings.personas.population import Population
from groundlings.personas.prompts import Prompt
from groundlings.personas.social.word_of_mouth import WordOfMouth

_NAME_CHARACTERS = 60
"""Of a carousel's name."""


@dataclass(frozen=True, slots=True)
class View:
    """One page as one agent sees it.

    Attributes:
        situation: Where its cohort stands in the simulation.
        row: Which session of the cohort is its own.
        told: All that the agent is told before it is asked something.
        mood: How it feels.
        slots: Number under which a slot is shown (from 1, top to bottom) -> the slot of the page.
        display: The position at which each slot is shown, shape (1, n_slots).
    """

    situation: Situation
    row: int
    told: str
    mood: Mood
    slots: dict[int, int]
    display: IntArray


class PromptRenderer:
    """Puts into words what an agent is, remembers, feels and sees.

    Args:
        population: Who the agents are.
        memory: What they remember.
        prompt: Any prompt that holds the sections of `agent.md`.
        options: How much is said.
        ties: What agents are told of their ties; None where they have none.
        learnt: What agents and items noted while they learnt from each other; None where nobody did.
    """

    def __init__(
        self,
        population: Population,
        memory: MemoryStore,
        prompt: Prompt,
        options: LanguageOptions,
        ties: WordOfMouth | None = None,
        learnt: AgentNotes | None = None,
    ) -> None:
        self._ties = ties
        self._learnt = learnt
        self._population = population
        self._memory = memory
        self._prompt = prompt
        self._options = options
        self._portraits: dict[int, str] = {}
        self._items: dict[int, str] = {}

    def render(self, situation: Situation, row: int = 0) -> View:
        """The page of a situation as the agent of one session sees it."""
        agent, day = int(situation.sessions.agents[row]), situation.sessions.day
        earlier = situation.earlier
        mood = self.mood(earlier, row)
        slots, display = self._arranged(situation, row)
        first = earlier[0].page if earlier else situation.page
        parts = [*self.person(agent, day, first, row), *self.session(earlier, row)]
        parts.append(self._prompt.fill("mood", mood=mood_words(mood)))
        lines = self._lines(situation, row, slots)
        parts.append(self._prompt.fill("page", items="\n".join(lines)))
        return View(situation, row, "\n".join(parts), mood, slots, display)

    def person(self, agent: int, day: int, first_page: Page, row: int = 0) -> list[str]:
        """Who the agent is, and what comes back to its mind at the first page of the session.

        It is recalled for the first page and stays for the session, so that the prompts of later pages begin alike.
        """
        parts = [self.portrait(agent)]
        if not self._memory.kept(agent):
            return parts
        occasion = " ".join(self.item(first_page, row, slot) for slot in first_page.shown[row].nonzero()[0].tolist())
        if recalled := self._memory.recall(agent, day, occasion):
            memories = "\n".join(map(memory_line, recalled))
            parts.append(self._prompt.fill("memory", memories=memories, today=day + 1))
        return parts

    def session(self, turns: Sequence[PageTurn], row: int = 0) -> list[str]:
        """The working memory: this session up to now, nothing where there is nothing to tell."""
        lines = page_lines(turns, row, self._options.memory.pages, self._population.catalog)
        return [self._prompt.fill("visit", pages="\n".join(lines))] if lines else []

    def mood(self, turns: Sequence[PageTurn], row: int = 0) -> Mood:
        """How the agent feels after these pages."""
        return mood_after(turns, row, self._population.catalog, self._options.mood)

    def item(self, page: Page, row: int, slot: int) -> str:
        """What a slot shows, on one line."""
        number = int(page.items[row, slot])
        notes = page.further.get(NOTE)
        if notes is not None and notes[row, slot] is not None:
            return noted_line(self._population.catalog[number], notes[row, slot], self._options.title_characters)
        if number not in self._items:
            item, options = self._population.catalog[number], self._options
            learnt = None if self._learnt is None else self._learnt.items.get(item.item_id)
            self._items[number] = (
                item_line(item, options.title_characters, options.text_characters)
                if learnt is None
                else noted_line(item, learnt, options.title_characters)
            )
        return self._items[number]

    def _lines(self, situation: Situation, row: int, slots: dict[int, int]) -> list[str]:
        """The items of a page under their numbers, with a line before each carousel that says what it is."""
        page, offers = situation.page, situation.sessions.offers
        currency = "" if offers is None else one_line(offers.currency, len(offers.currency))
        friends = None if self._ties is None else _friends_words(situation, row, self._ties)
        heading = SearchBox.of(situation, row).heading
        lines: list[str] = [heading] if heading else []
        above: int | None = None
        for number, slot in slots.items():
            if page.places is not None and page.places.names and int(page.places.rows[row, slot]) != above:
                above = int(page.places.rows[row, slot])
                lines.append(carousel_line(page, row, above))
            liked = "" if friends is None else friends(slot)
            lines.append(f"{number}. {self.item(page, row, slot)}{offer_words(page, row, slot, currency)}{liked}")
        return lines

    def title(self, page: Page, slot: int) -> str:
        """The title in a slot, on one line."""
        return one_line(self._population.catalog.titles[int(page.items[0, slot])], self._options.title_characters)

    def portrait(self, agent: int) -> str:
        """Who the agent is, on one line."""
        if agent not in self._portraits:
            population = self._population
            if self._learnt is not None:
                note = self._learnt.of_user(population.people.user_ids[population.users[agent]])
                self._portraits[agent] = self._prompt.fill("noted", note=one_line(note, len(note)))
                return self._portraits[agent]
            known = portrait(
                population.persona(agent),
                population.catalog,
                self._prompt,
                self._options,
                says_likes=population.says_likes,
            )
            self._portraits[agent] = known
        return self._portraits[agent]

    def _arranged(self, situation: Situation, row: int) -> tuple[dict[int, int], IntArray]:
        """Which slot stands where: in the site's order, or from another slot on, the same one all through a session."""
        items = situation.page.items[row]
        display = np.arange(len(items))
        if not self._options.rotate_slots:
            return {slot + 1: slot for slot, item in enumerate(items.tolist()) if item != NO_ITEM}, display[None, :]
        shown = (items != NO_ITEM).nonzero()[0]
        uniform = situation.sessions.draws.one("rotate", row=row)
        turned = np.roll(shown, -int(uniform * len(display)))
        places = situation.page.places
        if places is not None and places.names:  # a carousel keeps its place, and its items turn within it
            lines = places.rows[row, shown]
            each = [shown[lines == line] for line in np.unique(lines)]
            turned = np.concatenate([np.roll(line, -int(uniform * len(line))) for line in each])
        display[turned] = shown
        numbers = zip(shown.tolist(), turned.tolist(), strict=True)
        return {place + 1: slot for place, slot in numbers}, display[None, :]


def _friends_words(situation: Situation, row: int, ties: WordOfMouth) -> Callable[[int], str]:
    """What stands behind the item of each slot of one session about the agent's friends."""
    own = np.array([row])
    page = situation.page.take(own)
    mentioned = ties.mentioned(page, situation.sessions.users[own])
    return lambda slot: friends_words(page, slot, mentioned)


def carousel_line(page: Page, row: int, line: int) -> str:
    """What an agent reads above a carousel: its name, and how many of its items are out of view."""
    places = page.places
    assert places is not None
    here = page.shown[row] & (places.rows[row] == line)
    name = places.names[int(places.named[row, here][0])]
    hidden = int((places.scrolls[row, here] > 0).sum())
    return (
        f"Row: {one_line(name, _NAME_CHARACTERS)}{f' (the last {hidden} come into view by scrolling)' * (hidden > 0)}"
    )


def memory_line(memory: Memory) -> str:
    """A memory as its owner recalls it."""
    made = " (a thought)" if memory.kind == "reflection" else ""
    return f"Day {memory.day + 1}{made}: {memory.text}"
