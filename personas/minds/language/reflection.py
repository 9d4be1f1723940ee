"""After a session: what stays of it, the thought that several sessions become, and the interview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.environments.chat import CallRecord
from groundlings.environments.sessions import Sessions
from groundlings.personas.memory import Memory, MemoryStore
from groundlings.personas.mind import Afterthoughts, Answer, PageTurn
from groundlings.personas.minds.language.ask import Asker, Question
from groundlings.personas.minds.language.config import LanguageOptions
from groundlings.personas.minds.language.lines import session_importance, session_line
from groundlings.personas.minds.language.mood import mood_words
from groundlings.personas.minds.language.prompt_rendering import PromptRenderer, memory_line
from groundlings.personas.minds.language.reply_schema import (
    interview_schema,
    read_interview,
    read_thought,
    thought_schema,
)
from groundlings.personas.minds.language.text import one_line
from groundlings.personas.population import Population
from groundlings.personas.prompts import load_prompt

REFLECTION = load_prompt("reflection", "agent")
INTERVIEW = load_prompt("interview", "agent")

_MOST_SESSIONS = 20
"""Sessions that a thought is made of at most, the newest."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A finished session of a cohort.

    Attributes:
        agent: Whose.
        sessions: Those of the cohort.
        row: Which of them it is.
        turns: Its pages, and those of other sessions that saw as many, oldest first.
        place: Its row in each of them.
    """

    agent: int
    sessions: Sessions
    row: int
    turns: tuple[PageTurn, ...]
    place: int


class LookingBack:
    """Thinks a finished session over.

    Args:
        population: For titles and stars.
        memory: What the agent remembers of earlier sessions.
        renderer: Puts into words what an agent is, remembers and feels.
        asker: Asks the model.
        options: When to reflect and what to ask.
    """

    def __init__(
        self,
        population: Population,
        memory: MemoryStore,
        renderer: PromptRenderer,
        asker: Asker,
        options: LanguageOptions,
    ) -> None:
        self._population = population
        self._memory = memory
        self._renderer = renderer
        self._asker = asker
        self._options = options

    def asks(self, agent: int) -> bool:
        """Whether anything may be asked when a session of an agent is over."""
        return bool(self._options.interview.questions) or self._is_time(len(self._since(agent)) + 1)

    async def think(self, visit: Visit) -> Afterthoughts:
        """What stays of a session; pages whose reply was unreadable leave nothing, because nothing is known of them."""
        place = visit.place
        lived = tuple(turn for turn in visit.turns if not turn.decision.unreadable[place])
        if not lived:
            return Afterthoughts()
        catalog = self._population.catalog
        session = Memory(
            agent=visit.agent,
            day=visit.sessions.day,
            kind="visit",
            text=session_line(lived, place, catalog),
            importance=session_importance(lived, place, self._population.scale),
        )
        thought, calls = await self._reflect(visit, session)
        answers, asked = await self._interview(visit, lived, first_call=len(calls))
        return Afterthoughts((session, *thought), answers, (*calls, *asked))

    def _since(self, agent: int) -> list[Memory]:
        """The sessions of an agent since its last thought."""
        return [each for each in self._memory.kept(agent) if each.kind == "visit"]

    def _is_time(self, n_sessions: int) -> bool:
        """Whether so many sessions make a thought."""
        return 0 < self._options.reflection.every <= n_sessions

    async def _reflect(self, visit: Visit, session: Memory) -> tuple[tuple[Memory, ...], tuple[CallRecord, ...]]:
        """One thought in the place of the sessions since the last one, when it is time."""
        since, sessions = [*self._since(visit.agent), session], visit.sessions
        if not self._is_time(len(since)):
            return (), ()
        characters = self._options.reflection.characters
        thoughts = [each for each in self._memory.kept(session.agent) if each.kind == "reflection"][-1:]
        lines = [memory_line(each) for each in (*thoughts, *since[-_MOST_SESSIONS:])]
        question = Question(
            prompt=REFLECTION,
            shared=REFLECTION.fill("shared", things=self._options.things, characters=characters),
            told="\n".join(
                [
                    self._renderer.portrait(session.agent),
                    REFLECTION.fill("visits", visits="\n".join(lines)),
                    REFLECTION.fill("ask"),
                ]
            ),
            schema=thought_schema(characters),
            draws=sessions.draws,
            purpose="reflection",
            number=sessions.day,
            row=visit.row,
        )
        said, calls = await self._asker.ask(question, lambda text: read_thought(text, characters))
        if said is None:
            return (), calls
        text = one_line(said.thought, characters)
        return (Memory(session.agent, sessions.day, "reflection", text, float(said.importance)),), calls

    async def _interview(
        self, visit: Visit, lived: Sequence[PageTurn], first_call: int
    ) -> tuple[tuple[Answer, ...], tuple[CallRecord, ...]]:
        """All questions at once, asked while the session is fresh; a reply that cannot be read answers none of them."""
        asked, characters = self._options.interview.questions, self._options.interview.characters
        if not asked:
            return (), ()
        listed = "\n".join(f"{number}. {one_line(text, 300)}" for number, text in enumerate(asked, start=1))
        sessions, place = visit.sessions, visit.place
        mood = mood_words(self._renderer.mood(lived, place))
        question = Question(
            prompt=INTERVIEW,
            shared=INTERVIEW.fill("shared", things=self._options.things, characters=characters),
            told="\n".join(
                [
                    *self._renderer.person(visit.agent, sessions.day, lived[0].page, place),
                    *self._renderer.session(lived, place),
                    INTERVIEW.fill("mood", mood=mood),
                    INTERVIEW.fill("ask", questions=listed),
                ]
            ),
            schema=interview_schema(len(asked), characters),
            draws=sessions.draws,
            purpose="interview",
            number=sessions.day,
            more_tokens=len(asked) * characters // 2,
            row=visit.row,
        )
        said, calls = await self._asker.ask(question, lambda text: read_interview(text, len(asked), characters))
        last = first_call + len(calls) - 1
        replies: Sequence[str | None] = said if said is not None else [None] * len(asked)
        answers = tuple(Answer(0, text, reply, last) for text, reply in zip(asked, replies, strict=True))
        return answers, calls
