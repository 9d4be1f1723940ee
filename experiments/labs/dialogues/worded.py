"""Seekers whose words a language model chooses: told the title of their target (leaky), or told wishes alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groundlings.environments.chat import ChatModel, Sampling
from groundlings.environments.prompts import one_line, read_prompt
from groundlings.experiments.labs.dialogues.reading import Dialogues, Turn
from groundlings.experiments.labs.dialogues.seekers import Answer, Asked, Wishes
from groundlings.personas.minds.conversing_language import SAID_CHARACTERS, read_spoken
from groundlings.recommenders.language.asking import Asker, Question

NO_WISHES = "nothing in particular"
"""What a seeker is told that has no wish which may be told."""

TEMPERATURE = 0.0
"""At which seekers are asked."""

_HEARD_CHARACTERS = 400
"""Of what was said before, per message."""

_HEARD_MESSAGES = 12
"""Of the dialogue, the last ones."""

_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"say": {"type": "string", "maxLength": SAID_CHARACTERS}},
    "required": ["say"],
    "additionalProperties": False,
}


class WordedSeeker:
    """One question to a model per round, at `TEMPERATURE`; whether an item is accepted is computed, not asked.

    Args:
        dialogues: What items are called.
        wishes: What it wishes; None for the leaky seeker, which is told the titles of its targets.
        model: Who words it.
        max_tokens: Of a reply.
        seed: Of the replies.
    """

    is_asked = False

    def __init__(
        self, dialogues: Dialogues, wishes: Wishes | None, model: ChatModel, max_tokens: int, seed: int
    ) -> None:
        self._names, self._wishes, self._seed = dialogues.names, wishes, seed
        self._prompt = read_prompt(__package__, "seeker")
        self._asker = Asker(model, Sampling(TEMPERATURE, max_tokens))

    async def answer(self, asked: Asked) -> Answer | None:
        """See `Seeker.answer`."""
        lines = [
            f"{'Recommender' if place % 2 else 'You'}: {one_line(words, _HEARD_CHARACTERS)}"
            for place, words in enumerate(asked.said)
            if words
        ]
        said, _ = await self._asker.ask(
            Question(
                prompt=self._prompt,
                shared=self._prompt.fill(
                    "leaky" if self._wishes is None else "leak_free",
                    told=self._told(asked.turn),
                    characters=SAID_CHARACTERS,
                ),
                told=self._prompt.fill("turn", dialogue="\n".join(lines[-_HEARD_MESSAGES:])),
                schema=_SCHEMA,
                more_tokens=0,
                seed=self._seed,
                row=0,
            ),
            read_spoken,
        )
        return None if said is None else Answer(said, said)

    def _told(self, turn: Turn) -> str:
        if self._wishes is None:
            return ", ".join(f'"{one_line(self._names[target], _HEARD_CHARACTERS)}"' for target in turn.targets)
        wishes = [f"{field}: {', '.join(values)}" for field, values in self._wishes.of(turn).items() if values]
        return one_line("; ".join(wishes), _HEARD_CHARACTERS) or NO_WISHES
