"""The one question of the calibrated mind: does this person choose this item?

    score = log P("yes") - log P("no"), of the first token of the answer

The prompt goes from what all share to person to item and holds nothing else: no page, no mood, no day, no arm. So a
pair is asked about once in a run and keeps its score wherever it is shown, prefix caches of model servers find all but
the item, and a call store answers for it in every other run. Asked anew, a server may round a little differently.

`PairQuestions` says it in words and asks nobody: `groundlings train-mind` trains a model on exactly these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.chat import CallRecord, ChatModel, Sampling, fingerprint_of
from groundlings.environments.cleaning import printable
from groundlings.environments.patterns import NOUN
from groundlings.environments.random_streams import Draws
from groundlings.environments.side_by_side import side_by_side
from groundlings.personas.minds.language.ask import Asker, Question
from groundlings.personas.minds.language.portrait import portrait
from groundlings.personas.minds.language.text import item_line, one_line
from groundlings.personas.population import Population
from groundlings.personas.prompts import Prompt, load_prompt

PROMPT = load_prompt("score", "agent")

YES_OR_NO = ("yes", "no")
"""The answers; the score is the log-odds of the first."""

BETWEEN_TITLES = "; "
"""In the line of the items that a person met last."""

_LONGEST_QUOTE = 200
_ONE_TOKEN = Sampling(temperature=0.0, max_tokens=1)


class QuestionOptions(BaseModel):
    """How much of person and item the model is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    things: Annotated[str, Field(pattern=NOUN)] | None = None
    """What the site shows, in the plural; goes into the prompt. If absent, as the data set calls its items."""
    person_examples: int = Field(default=3, ge=0, le=20)
    """Liked items, disliked items and genres, of each so many, that describe the person; 0 for none."""
    demographics: bool = False
    """Whether the prompt tells age, gender and occupation where the data set knows them. Off, because models act out
    stereotypes."""
    title_characters: int = Field(default=80, ge=8, le=100_000)
    """Longest title; the rest is cut off."""
    text_characters: int = Field(default=120, ge=0, le=100_000)
    """How much of an item's description is shown, 0 = none."""
    latest: int = Field(default=0, ge=0, le=50)
    """How many of the items that the person met last are named, newest first; 0 for none."""
    popularity: bool = False
    """Whether it is said of how many per cent of the items fewer people have met than this one, in training."""

    @model_serializer(mode="wrap")
    def _as_before(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without later keys that are off, as every question was before they existed: weights of then still fit."""
        content: dict[str, Any] = written(self)
        return {key: value for key, value in content.items() if value or key not in ("latest", "popularity")}


class PairQuestions:
    """The words of the question about each pair, a function of population and options alone.

    Args:
        population: For personas and items; anybody of `population.people` may be asked about.
        options: How much of person and item is shown.
        item_counts: People per item, shape (n_items,); those of `population.train` if absent.
    """

    def __init__(self, population: Population, options: QuestionOptions, item_counts: IntArray | None = None) -> None:
        self.options = options.model_copy(update={"things": options.things or population.catalog.words.many})
        self.prompt = _prompt(options, history=population.tells_acts)
        counts = population.train.item_counts if item_counts is None else item_counts
        self._less_known = np.searchsorted(np.sort(counts), counts) * 100 // max(len(counts), 1)
        self.shared = self.prompt.fill("shared", things=self.options.things)
        self._everybody = replace(population, users=np.arange(population.train.n_users, dtype=np.int64))
        self._people: dict[int, str] = {}

    def told(self, user: int, item: int) -> str:
        """What is asked about a pair, after `shared`, which is the same for all."""
        options = self.options
        shown = item_line(self._everybody.catalog[item], options.title_characters, options.text_characters)
        if options.popularity:
            shown = f"{shown}, {self.prompt.fill('popularity', percent=int(self._less_known[item]))}"
        asked = self.prompt.fill("ask", item=shown, things=options.things)
        return "\n".join(filter(None, (self.person(user), asked)))

    def person(self, user: int) -> str:
        """What is said of a person, one line; empty where nothing is known."""
        if user not in self._people:
            population = self._everybody
            known = portrait(
                population.persona(user),
                population.catalog,
                self.prompt,
                self.options,
                says_likes=population.says_likes,
            )
            self._people[user] = " ".join(filter(None, (known, self._latest(user))))
        return self._people[user]

    def latest_titles(self, user: int) -> list[str]:
        """Titles of the items that the person met last, newest first, as prompts name them."""
        items = self._everybody.latest(user, self.options.latest) if self.options.latest else ()
        return [self.title(item) for item in items]

    def title(self, item: int) -> str:
        """Of an item, as prompts name it."""
        return one_line(self._everybody.catalog.titles[item], self.options.title_characters)

    @property
    def n_items(self) -> int:
        """Items that may be asked about."""
        return len(self._everybody.catalog.titles)

    def _latest(self, user: int) -> str:
        titles = BETWEEN_TITLES.join(self.latest_titles(user))
        return self.prompt.fill("latest", titles=titles) if titles else ""


def _prompt(options: QuestionOptions, *, history: bool) -> Prompt:
    wanted = {"history": history, "latest": options.latest > 0, "popularity": options.popularity}
    return load_prompt("score", "agent", *(name for name, there in wanted.items() if there))


@dataclass(frozen=True, slots=True)
class Scored:
    """What the model said of one pair.

    Attributes:
        score: Log-odds of yes, NaN where the answer could not be read.
        call: The call behind it; `reply.from_store` where the pair had been asked about before; None where a student
            answers and nobody is called.
    """

    score: float
    call: CallRecord | None


class Identified(Protocol):
    """What a question was made from; a `Prompt` is one."""

    @property
    def name(self) -> str:
        """Files and versions."""
        ...

    @property
    def sha256(self) -> str:
        """Over their text, in hexadecimal."""
        ...


class PairScorer(Protocol):
    """Who says how likely a person is to choose an item: `LanguageScorer`, or a student of one's answers."""

    @property
    def name(self) -> str:
        """Of the model, or of the student's teacher."""
        ...

    @property
    def fingerprint(self) -> str:
        """What tells it from another of its name."""
        ...

    @property
    def prompt(self) -> Identified:
        """The question that is asked, or that the teacher was asked."""
        ...

    @property
    def options(self) -> QuestionOptions:
        """How much of person and item the question says."""
        ...

    async def ask(self, user: int, items: Sequence[int]) -> list[Scored]:
        """The score of each item for one person, in the order given."""
        ...

    async def ask_pairs(
        self,
        users: IntArray,
        items: IntArray,
        *,
        people_at_once: int = 1,
        on_pairs: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> FloatArray:
        """The score of each pair, shape (n,), NaN where the answer could not be read."""
        ...


class LanguageScorer:
    """Asks a model about pairs of person and item, each pair once.

    Args:
        population: For personas and items; anybody of `population.people` may be asked about.
        model: Who is asked; it must give log probabilities.
        options: How much it is shown.
        item_counts: As of `PairQuestions`.
    """

    def __init__(
        self,
        population: Population,
        model: ChatModel,
        options: QuestionOptions,
        item_counts: IntArray | None = None,
    ) -> None:
        self.model = model
        self._questions = questions = PairQuestions(population, options, item_counts)
        self.options = questions.options
        self.prompt = questions.prompt
        self._asker = Asker(model, _ONE_TOKEN, reasks=0)
        self._known: dict[tuple[int, int], Scored] = {}
        self.refusals = 0
        """Questions that the server refuses to answer for good."""
        self.refusal = ""
        """Its words to the last of them."""

    @property
    def name(self) -> str:
        """See `PairScorer.name`."""
        return self.model.name

    @property
    def fingerprint(self) -> str:
        """What tells the model from another of its name."""
        return fingerprint_of(self.model)

    async def ask(self, user: int, items: Sequence[int]) -> list[Scored]:
        """The score of each item for one person, in the order given.

        Raises:
            ConfigError: The server gives no log probabilities.
        """
        return await side_by_side(self._pair(user, item) for item in items)

    async def ask_pairs(
        self,
        users: IntArray,
        items: IntArray,
        *,
        people_at_once: int = 1,
        on_pairs: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> FloatArray:
        """The score of each pair, shape (n,), NaN where the answer could not be read.

        Args:
            users, items: The pairs, shape (n,) each.
            people_at_once: How many people are asked about side by side; one at a time, a small cache finds each.
            on_pairs: Told how many pairs are done, of how many.
        """
        scores = np.full(len(users), np.nan)
        gate, done = asyncio.Semaphore(people_at_once), 0

        async def about(user: int, rows: IntArray) -> None:
            nonlocal done
            async with gate:
                scores[rows] = [each.score for each in await self.ask(user, items[rows].tolist())]
            done += len(rows)
            on_pairs(done, len(users))

        await side_by_side(about(int(user), np.flatnonzero(users == user)) for user in np.unique(users))
        return scores

    async def _pair(self, user: int, item: int) -> Scored:
        if (known := self._known.get((user, item))) is not None:
            return known
        shares, call = await self._asker.odds(self.question(user, item), YES_OR_NO)
        if call.status == "unanswerable":
            self.refusals, self.refusal = self.refusals + 1, call.reply.text
        score = np.nan if shares is None else float(np.log(shares[0]) - np.log(shares[1]))
        # Whoever asks again is told the same, and that nobody was asked for it.
        self._known[user, item] = Scored(score, replace(call, reply=replace(call.reply, from_store=True)))
        return Scored(score, call)

    def question(self, user: int, item: int) -> Question:
        """What the model is asked about a pair."""
        return Question(
            prompt=self.prompt,
            shared=self._questions.shared,
            told=self._questions.told(user, item),
            schema={"enum": list(YES_OR_NO)},
            # Draws of no run and no day: the question, its seed included, is a function of the pair alone.
            draws=Draws.for_sessions(0, np.array([user]), 0),
            purpose="score",
            number=item,
        )


def refusals_of(*scorers: PairScorer) -> str:
    """What servers refused to answer, as the end of a sentence that counts unreadable answers; "" for nothing."""
    asking = [scorer for scorer in scorers if isinstance(scorer, LanguageScorer) and scorer.refusals]
    if not asking:
        return ""
    number = sum(scorer.refusals for scorer in asking)
    words = printable(asking[-1].refusal, limit=_LONGEST_QUOTE)
    return f", {number:,} of them because the server refuses to answer ({words})"
