"""Whether the served copy says what the trained model says: some live questions, asked of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.chat import ChatModel
from groundlings.personas.minds.calibrated_question import LanguageScorer
from groundlings.simulator.language.embedded import EmbeddedModel, ServerSettings

SCENES = 4
"""Test scenes that are asked about."""


@dataclass(frozen=True, slots=True)
class Served:
    """How a served copy compares.

    Attributes:
        questions, unreadable: Asked of the server, and not readable there or in training.
        largest_difference: Of the log-odds of yes, over the readable ones; None where there is none. The copy is
            rounded to eight bits, and so are its states while it computes.
    """

    questions: int
    unreadable: int
    largest_difference: float | None


async def ask_served(
    path: Path, words: Callable[[ChatModel], LanguageScorer], items: Sequence[Sequence[int]], said: FloatArray
) -> Served | None:
    """Start the embedded server on a copy and compare; None where the extra `embedded` is not installed.

    Args:
        path: The GGUF file.
        words: A scorer of a model; its first people are asked about.
        items: Those that each of the first people is asked about.
        said: What the trained model said of each of them, in one row, NaN where unreadable.
    """
    if find_spec("xllamacpp") is None:
        return None
    model = await EmbeddedModel.open(ServerSettings(path))
    try:
        return await compare(words(model), items, said)
    finally:
        await model.close()


async def compare(scorer: LanguageScorer, items: Sequence[Sequence[int]], said: FloatArray) -> Served:
    """The same with a scorer of any model."""
    scored = [each.score for user, own in enumerate(items) for each in await scorer.ask(user, own)]
    differences = np.abs(np.array(scored) - said)
    known = differences[~np.isnan(differences)]
    return Served(len(scored), int(np.isnan(differences).sum()), float(known.max()) if len(known) else None)
