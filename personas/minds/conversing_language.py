"""A mind that converses by rule, and whose words a language model chooses.

What is wanted, answered, accepted and refused follows from the need and the style, as in
`groundlings.personas.minds.conversing`. The model is told what is to be said, and what was said before, and words it:
one checked call a turn. So its prompt has no title but of items that were named before, no hidden wish, and nothing of
the history. The environment counts titles in the user's words that were not shown (`titles_not_shown`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.conversation.talk import HEARD
from groundlings.environments.conversation.talk_actions import SAY, Heard
from groundlings.environments.decision import Decision
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.page import Page
from groundlings.environments.replies import read_json
from groundlings.environments.trace import Trace
from groundlings.personas.mind import Situation
from groundlings.personas.minds.conversing import ConversingMind, TalkOptions
from groundlings.personas.minds.language.ask import Asker, Question
from groundlings.personas.minds.language.text import one_line
from groundlings.personas.population import Population
from groundlings.personas.prompts import load_prompt
from groundlings.personas.taste.model import Taste

SAID_CHARACTERS = 240
"""Longest reply: two sentences or three."""

_HEARD_CHARACTERS = 400
"""Of what was said before, per message."""


class WordedOptions(TalkOptions):
    """What people look for and how they talk, as of those who converse by rule; and who words it."""

    states: bool = True
    """Whether the sentence by rule follows the model's own words in each message, so that recommenders by rule read
    what they read from users by rule. With `false` they hear the model's words alone."""
    reasks: Annotated[int, Field(ge=0, le=5)] = 1
    """How often a reply that cannot be read is asked for again, with what is wrong with it."""


class ConversingLanguageMind(ConversingMind):
    """Converses by rule in a model's words.

    A reply that cannot be read is asked for again; after that the page is lost, which ends the conversation.

    Args:
        population: Who the agents are.
        taste: What they like.
        options: How they talk.
        model: Who words it.
        sampling: How its replies are drawn.
    """

    Options: ClassVar = WordedOptions
    kind = "conversing_language"

    def __init__(
        self, population: Population, taste: Taste, options: WordedOptions, model: ChatModel, sampling: Sampling
    ) -> None:
        super().__init__(population, taste, options)
        self._states, self._style_name = options.states, options.style
        self._catalog = population.catalog
        self._prompt = load_prompt("talk")
        self._asker = Asker(model, sampling, options.reasks)

    @property
    def model(self) -> ChatModel:
        """See `AsksModel.model`."""
        return self._asker.model

    def ask_through(self, model: ChatModel) -> None:
        """See `AsksModel.ask_through`."""
        self._asker.model = model

    async def decide(self, situation: Situation) -> Decision:
        """See `Mind.decide`; of one session."""
        by_rule = await super().decide(situation)
        wanted = None if SAY not in situation.legal.schema else by_rule[SAY][0]
        if wanted is None:
            return by_rule
        said, calls = await self._asker.ask(self._question(situation, wanted), read_spoken)
        if said is None:
            return Decision.lost(situation.legal, situation.page, calls)
        words = by_rule[SAY].copy()
        words[0] = f"{said} {wanted}" if self._states else said
        return replace(by_rule.taking(**{SAY: words}), trace=Trace(calls=calls))

    def describe(self) -> Mapping[str, Any]:
        """See `Mind.describe`."""
        sampling = self._asker.sampling
        return {
            **super().describe(),
            "model": self._asker.model.name,
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_tokens,
            "prompts": {self._prompt.name: self._prompt.sha256},
        }

    def _question(self, situation: Situation, wanted: str) -> Question:
        earlier = [
            line
            for turn in situation.earlier
            for line in (*_system_line(turn.page, self._catalog), *_own_line(turn.decision))
        ]
        dialogue = [*earlier, *_system_line(situation.page, self._catalog)]
        return Question(
            prompt=self._prompt,
            shared=self._prompt.fill("shared", things=self._catalog.words.many, characters=SAID_CHARACTERS),
            told=self._prompt.fill(
                "turn",
                manner=self._prompt.fill(f"manner_{self._style_name}"),
                dialogue="\n".join(dialogue) or "You speak first.",
                wanted=one_line(wanted, len(wanted)),
            ),
            schema=_SCHEMA,
            draws=situation.sessions.draws,
            purpose="say",
            number=situation.page.number,
        )


_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"say": {"type": "string", "maxLength": SAID_CHARACTERS}},
    "required": ["say"],
    "additionalProperties": False,
}


def read_spoken(text: str) -> str:
    """What a reply says.

    Raises:
        UnreadableReply: It is not of the form asked for, or says nothing.
    """
    found = read_json(text)
    if not isinstance(found, dict) or list(found) != ["say"] or not isinstance(found["say"], str):
        raise UnreadableReply("expected an object with the one key say, and a text in it")
    said = found["say"].strip()
    if not said or not said.isprintable() or len(said) > SAID_CHARACTERS:
        raise UnreadableReply(f"say: expected 1 to {SAID_CHARACTERS} characters on one line")
    return said


def _system_line(page: Page, catalog: Catalog) -> Iterator[str]:
    """What the system said on a page, and which item it named, if its words do not tell."""
    heard: Heard | None = page.further[HEARD][0]
    if heard is None or heard.move is None:
        return
    words, item = heard.move.say, int(page.items[0, 0])
    if item != NO_ITEM and catalog.titles[item] not in words:
        words = f"{words} {catalog.titles[item]}?".strip()
    yield f"System: {one_line(words, _HEARD_CHARACTERS)}"


def _own_line(decision: Decision) -> Iterator[str]:
    """What the agent said on a page."""
    said = decision[SAY][0]
    if said is not None:
        yield f"You: {one_line(said, _HEARD_CHARACTERS)}"
