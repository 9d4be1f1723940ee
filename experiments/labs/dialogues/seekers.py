"""Who answers the recommender: seekers that know their target, as in iEvaLM, and seekers that do not.

iEvaLM (Wang et al. 2023, "Rethinking the Evaluation for Conversational Recommendation in the Era of Large Language
Models", EMNLP) has two modes. Both leak, and say so in their names: in `attribute_leaky` the seeker recites everything
that the catalogue says of its target, in `free_form_leaky` a language model is told the target's title. They are for
holding figures against published ones, never for a run: no mind can be built from them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from groundlings.environments.conversation.messages import NO_WISH, named
from groundlings.experiments.labs.dialogues.leaks import names_any
from groundlings.experiments.labs.dialogues.reading import Dialogues, Turn

ATTRIBUTE, NEED, TITLE = "attribute_leaky", "need", "title_told"
FREE_FORM, WORDED = "free_form_leaky", "need_worded"

BY_RULE = (ATTRIBUTE, NEED, TITLE)
BY_MODEL = (FREE_FORM, WORDED)
SEEKERS = (*BY_RULE, *BY_MODEL)
LEAKY = frozenset({ATTRIBUTE, TITLE, FREE_FORM})

WITHOUT_LEAK = {ATTRIBUTE: NEED, FREE_FORM: WORDED}
"""Leaky seeker -> the one that differs from it by the leak alone."""

REFUSAL = "I do not like them."
"""What seekers by rule say of a list without a target."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a seeker answers.

    Attributes:
        turn: Whose targets it looks for.
        said: The dialogue so far, the seeker's words first and then in turn; the recommender's are the last.
        field: What the recommender asks about; none where it has named an item.
    """

    turn: Turn
    said: tuple[str, ...]
    field: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a seeker says.

    Attributes:
        said: The sentence.
        wanted: Of it, the words about what is wanted; empty where it has none.
    """

    said: str
    wanted: str


class Seeker(Protocol):
    """Answers a recommender.

    Attributes:
        is_asked: Whether recommenders ask it about one field after the other before they list anything (iEvaLM's
            attribute mode), or name items in each round (free form).
    """

    is_asked: bool

    async def answer(self, asked: Asked) -> Answer | None:
        """What it says; None where a language model gave no answer that can be read."""
        ...


class Wishes(Protocol):
    """What a seeker is told of its targets."""

    def of(self, turn: Turn) -> Mapping[str, Sequence[str]]:
        """Field -> values, each once; none where nothing is told."""
        ...


class ReciterOfValues:
    """Answers each question by some values of the targets, in one template.

    Args:
        wishes: What is told of a turn's targets, by field.
    """

    is_asked = True

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes

    async def answer(self, asked: Asked) -> Answer | None:
        """See `Seeker.answer`."""
        if asked.field is None:
            return Answer(REFUSAL, "")
        values = ", ".join(self._wishes.of(asked.turn)[asked.field])
        return Answer(values or named(NO_WISH, asked.field), values)


class TellerOfTitles:
    """Answers each question by the titles of its targets: the most that a seeker can leak.

    Args:
        dialogues: What the items are called.
    """

    is_asked = True

    def __init__(self, dialogues: Dialogues) -> None:
        self._names = dialogues.names

    async def answer(self, asked: Asked) -> Answer | None:
        """See `Seeker.answer`."""
        if asked.field is None:
            return Answer(REFUSAL, "")
        titles = ", ".join(self._names[target] for target in asked.turn.targets)
        return Answer(titles, titles)


@dataclass(frozen=True)
class EveryValue:
    """Everything that the catalogue lists of the targets: as a rule nothing else in the catalogue is like that.

    Attributes:
        dialogues: What the items are like.
    """

    dialogues: Dialogues

    def of(self, turn: Turn) -> Mapping[str, Sequence[str]]:
        """See `Wishes.of`."""
        return {
            field: list(dict.fromkeys(value for target in turn.targets for value in values[target]))
            for field, values in self.dialogues.fields.items()
        }


@dataclass(frozen=True)
class SharedNeed:
    """What somebody may wish who knows no item: many items fit all that is told of a target, and nothing names it.

    Fields are gone through in the order in which they are asked about, and in each the target's values from the most
    common one on; a value is told if enough items still have it and all values that were told before.

    Attributes:
        dialogues: What the items are like.
        ask: The fields.
        shared_by: So many items at least fit all that is told of one target.
    """

    dialogues: Dialogues
    ask: tuple[str, ...]
    shared_by: int

    def of(self, turn: Turn) -> Mapping[str, Sequence[str]]:
        """See `Wishes.of`."""
        titles = [self.dialogues.catalog.titles[target] for target in turn.targets]
        told: dict[str, list[str]] = {field: [] for field in self.ask}
        for target in turn.targets:
            fitting: frozenset[int] | None = None
            for field in self.ask:
                have = self._have[field]
                for value in sorted(dict.fromkeys(self.dialogues.fields[field][target]), key=lambda v: -len(have[v])):
                    left = have[value] if fitting is None else have[value] & fitting
                    if len(left) < self.shared_by or names_any(", ".join([*told[field], value]), titles):
                        continue
                    fitting = left
                    if value not in told[field]:
                        told[field].append(value)
        return told

    @cached_property
    def _have(self) -> Mapping[str, Mapping[str, frozenset[int]]]:
        """Field -> value -> the items that have it."""
        found: dict[str, dict[str, set[int]]] = {field: defaultdict(set) for field in self.ask}
        for field, having in found.items():
            for item, values in enumerate(self.dialogues.fields[field]):
                for value in values:
                    having[value].add(item)
        return {field: {value: frozenset(items) for value, items in each.items()} for field, each in found.items()}
