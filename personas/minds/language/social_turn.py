"""The social turn of a language agent: what it does today, and what it tells whom of which item.

The actions are those of RecAgent (Wang et al. 2023, "User behavior simulation with large language model based agents"):
enter the recommender, chat with one acquaintance, post to all of them, or nothing. Two checked questions at most: which
of them, and the words, about one item that the agent took or heard of. Items and people are named by number, so that
nothing has to be found in a text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groundlings.environments.actions import Cells
from groundlings.environments.chat import CallRecord
from groundlings.environments.decision import Decision
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.social_turns import ABOUT, CHAT, ENTER, POST, SAY, TO, Told
from groundlings.environments.trace import Trace
from groundlings.personas.memory import Memory
from groundlings.personas.mind import PageTurn, Situation
from groundlings.personas.minds.language.ask import Asker, Question
from groundlings.personas.minds.language.config import LanguageOptions
from groundlings.personas.minds.language.hearsay import TOLD_IMPORTANCE, Hearsay, Topic
from groundlings.personas.minds.language.lines import opinion_words
from groundlings.personas.minds.language.prompt_rendering import PromptRenderer
from groundlings.personas.minds.language.reply_schema import Reply, WholeNumber, object_schema, read_form, text_schema
from groundlings.personas.minds.language.text import one_line
from groundlings.personas.population import Population
from groundlings.personas.prompts import load_prompt
from groundlings.personas.social.turn_options import TurnOptions

SOCIAL = load_prompt("social", "agent")

_VISIT, _NOTHING = "visit", "nothing"


class _Deed(Reply):
    """What an agent does today."""

    do: str


class _Message(Reply):
    """What it tells, about the item under a number."""

    about: WholeNumber
    say: str


class SocialTurn:
    """Asks agents what they do before a site, and what they say.

    Args:
        population: Who the agents are.
        hearsay: What they took and heard of lately.
        renderer: Puts into words what an agent is and remembers.
        asker: Asks the model.
        options: How much a prompt says.
        turns: The same of social turns.
    """

    def __init__(
        self,
        population: Population,
        hearsay: Hearsay,
        renderer: PromptRenderer,
        asker: Asker,
        options: LanguageOptions,
        turns: TurnOptions,
    ) -> None:
        self._population, self._hearsay, self._renderer = population, hearsay, renderer
        self._asker, self._options, self._turns = asker, options, turns

    async def decide(self, situation: Situation) -> Decision:
        """What the agent of a session does; a reply that cannot be read loses the turn, and nobody hears anything."""
        agent, day = int(situation.sessions.agents[0]), situation.sessions.day
        friends = self._hearsay.friends(agent, situation.sessions.draws, self._turns.friends)
        topics = self._hearsay.topics(agent, day, self._turns.topics) if friends else []
        person = self._renderer.person(agent, day, situation.page)
        deed, calls = await self._what(situation, person, friends, talks=bool(topics))
        if deed is None:
            return Decision.lost(situation.legal, situation.page, calls)
        if deed in (_VISIT, _NOTHING):
            return _done(situation, calls, **{ENTER: np.array([deed == _VISIT])})
        friend = None if deed == POST else friends[int(deed.removeprefix(f"{CHAT} ")) - 1]
        message, further = await self._words(situation, person, friend, topics)
        calls = (*calls, *further)
        if message is None:
            return Decision.lost(situation.legal, situation.page, calls)
        told = self._hearsay.ties_of(agent) if friend is None else [friend]
        ids, item_ids = self._population.people.user_ids, self._population.catalog.item_ids
        return _done(
            situation,
            calls,
            **{
                POST if friend is None else CHAT: np.array([float(len(told))]),
                TO: _text(json.dumps([ids[user] for user in told])),
                ABOUT: _text(item_ids[topics[message.about - 1].item]),
                SAY: _text(message.say.strip()),
            },
        )

    def memory(self, agent: int, day: int, turn: PageTurn, row: int) -> tuple[Memory, ...]:
        """What an agent keeps of its own words; nothing where it said none."""
        told = Told.of(agent, {name: turn.decision[name][row] for name in (POST, TO, ABOUT, SAY)})
        if told is None:
            return ()
        whom = "all people you know" if told.posted else self._hearsay.named(told.to[0])
        text = f"You told {whom} of {self._hearsay.titled(told.about)}: {one_line(told.words, self._turns.characters)}"
        return (Memory(agent, day, "said", text, TOLD_IMPORTANCE),)

    async def _what(
        self, situation: Situation, person: Sequence[str], friends: Sequence[int], *, talks: bool
    ) -> tuple[str | None, tuple[CallRecord, ...]]:
        kinds = self._in_drawn_order(situation, [_VISIT, CHAT, POST, _NOTHING] if talks else [_VISIT, _NOTHING])
        chats = [f"{CHAT} {number}" for number in range(1, len(friends) + 1)]
        deeds = [deed for kind in kinds for deed in (chats if kind == CHAT else [kind])]
        names = "; ".join(f"{number}. {self._hearsay.name_of(user)}" for number, user in enumerate(friends, start=1))
        asked = SOCIAL.fill(
            "do",
            friends=SOCIAL.fill("friends", names=names or "nobody"),
            deeds="\n".join(SOCIAL.fill(f"do_{kind}", things=self._options.things) for kind in kinds),
            examples=", ".join(f'{{"do":"{CHAT} 1"}}' if kind == CHAT else f'{{"do":"{kind}"}}' for kind in kinds),
        )

        def read(text: str) -> str:
            deed = read_form(text, _Deed).do
            if deed not in deeds:
                raise UnreadableReply(f"do: expected one of {', '.join(deeds)}")
            return deed

        schema = object_schema({"do": {"enum": deeds}})
        return await self._asker.ask(self._question(situation, person, asked, schema, "social do"), read)

    def _in_drawn_order(self, situation: Situation, kinds: Sequence[str]) -> list[str]:
        """What can be done, in another order each day: models like the first of a list, and small ones repeat it."""
        order = situation.sessions.draws.uniform("deeds", np.arange(len(kinds)))
        return [kinds[place] for place in np.argsort(order).tolist()]

    async def _words(
        self, situation: Situation, person: Sequence[str], friend: int | None, topics: Sequence[Topic]
    ) -> tuple[_Message | None, tuple[CallRecord, ...]]:
        numbers, most = list(range(1, len(topics) + 1)), self._turns.characters
        asked = SOCIAL.fill(
            "say",
            whom="all people you know" if friend is None else self._hearsay.name_of(friend),
            things=self._options.things,
            topics="\n".join(f"{number}. {self._line(topic)}" for number, topic in zip(numbers, topics, strict=True)),
            characters=most,
        )

        def read(text: str) -> _Message:
            message = read_form(text, _Message)
            if message.about not in numbers:
                raise UnreadableReply(f"about: expected a number from 1 to {len(topics)}")
            if not message.say.strip() or not message.say.isprintable() or len(message.say) > most:
                raise UnreadableReply(f"say: expected 1 to {most} characters on one line")
            return message

        schema = object_schema({"about": {"enum": numbers}, "say": text_schema(most)})
        question = self._question(situation, person, asked, schema, "social say", more_tokens=most // 2)
        return await self._asker.ask(question, read)

    def _question(
        self,
        situation: Situation,
        person: Sequence[str],
        asked: str,
        schema: Mapping[str, Any],
        purpose: str,
        more_tokens: int = 0,
    ) -> Question:
        return Question(
            prompt=SOCIAL,
            shared=SOCIAL.fill("shared", things=self._options.things),
            told="\n".join([*person, asked]),
            schema=schema,
            draws=situation.sessions.draws,
            purpose=purpose,
            number=situation.sessions.day,
            more_tokens=more_tokens,
        )

    def _line(self, topic: Topic) -> str:
        """What an agent knows of an item: what it thought of it, or who told it."""
        title = one_line(self._population.catalog.titles[topic.item], self._options.title_characters)
        if topic.teller is not None:
            return f"{title}: {self._hearsay.name_of(topic.teller)} told you of it on day {topic.day + 1}"
        if math.isnan(topic.rating):
            return f"{title}: you {self._population.catalog.words.did('interaction')} it on day {topic.day + 1}"
        action = "like" if self._population.says_likes else "rate"
        said = opinion_words(topic.rating, action)
        return f"{title}: you {said if action == 'like' else f'gave it {said}'} on day {topic.day + 1}"


def _done(situation: Situation, calls: tuple[CallRecord, ...], **taken: Cells) -> Decision:
    return Decision.of(situation.legal, situation.page, Trace(calls=calls), **taken)


def _text(words: str | None) -> Cells:
    cells = np.empty(1, dtype=np.object_)
    cells[0] = words
    return cells
