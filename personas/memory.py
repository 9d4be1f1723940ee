"""What agents remember from one session to the next: kept as short texts, bounded, and recalled by three criteria.

Retrieval is that of Park, O'Brien, Cai, Morris, Liang and Bernstein (2023, "Generative agents: interactive simulacra
of human behavior", UIST, section 4.1): a memory's score is

    score = a_recency * recency + a_relevance * relevance + a_importance * importance

with each of the three brought to [0, 1] over the agent's memories (min-max; 0 where all are equal) and all weights 1
by default. Recency falls by 0.995 for every hour, as there; a day has 24. Three things differ, so that a run can be
repeated, resumed and paid for: recency counts from the day a memory was made and not from when it was last recalled
(recalling changes nothing); importance follows from what was done and felt, not from a call to a model; and relevance
is lexical unless an embedding is named (`groundlings.personas.memory_relevance`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from groundlings.environments.arrays import FloatArray
from groundlings.personas.memory_relevance import Embedder, LexicalEmbedder

MemoryKind = Literal["visit", "reflection", "said", "heard"]

HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True)
class Memory:
    """One thing an agent keeps.

    Attributes:
        agent: Row number in the population.
        day: When it was made, 0 for the first day.
        kind: `visit` for what happened in a session, `reflection` for a thought about several sessions, `said` and
            `heard` for what the agent told its ties and what they told it.
        text: One line.
        importance: 1 trifling to 10 decisive.
    """

    agent: int
    day: int
    kind: MemoryKind
    text: str
    importance: float


class MemoryOptions(BaseModel):
    """What an agent remembers, and which memories a prompt holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pages: int = Field(default=3, ge=0, le=1_000)
    """Earlier pages of this session that a prompt holds in a line each; pages before them as a sum. 0 for none."""
    recalled: int = Field(default=3, ge=0, le=1_000)
    """Most memories of earlier sessions in a prompt; 0 for none."""
    characters: int = Field(default=480, ge=0, le=100_000)
    """Most characters of all of them together, however many sessions an agent has had."""
    capacity: int = Field(default=50, ge=1, le=100_000)
    """Memories kept for each agent; beyond it the oldest is forgotten."""
    decay: float = Field(default=0.995, gt=0, le=1)
    """What an hour leaves of a memory's recency (Park et al. 2023: 0.995)."""
    recency: float = Field(default=1.0, ge=0)
    """Weight of recency in retrieval."""
    relevance: float = Field(default=1.0, ge=0)
    """Weight of relevance to what the session's first page shows."""
    importance: float = Field(default=1.0, ge=0)
    """Weight of importance."""
    embedder: str | None = None
    """`module:Class` of a text embedding (`groundlings.personas.memory_relevance.Embedder`); none compares words."""


class MemoryStore:
    """The long-term memory of all agents of an arm.

    A reflection replaces the memories of the sessions that it is about. The log keeps these. What was heard is kept
    apart, as many of it again: it is made of what others said, so it comes in another order where a run is resumed.

    Args:
        options: What is kept and recalled.
        embedder: Tells how near two texts are; words decide by default.
    """

    def __init__(self, options: MemoryOptions, embedder: Embedder | None = None) -> None:
        self._options = options
        self._embedder = embedder or LexicalEmbedder()
        self._kept: dict[int, list[Memory]] = defaultdict(list)
        self._heard: dict[int, list[Memory]] = defaultdict(list)

    def add(self, memory: Memory) -> None:
        """Keep a memory, newer than those of the same agent."""
        kept = (self._heard if memory.kind == "heard" else self._kept)[memory.agent]
        if memory.kind == "reflection":
            kept[:] = [each for each in kept if each.kind == "reflection"]
        kept.append(memory)
        del kept[: -self._options.capacity]

    def kept(self, agent: int) -> tuple[Memory, ...]:
        """All memories of an agent, by day; what was heard on a day comes last, as it was heard at its end."""
        own, heard = self._kept.get(agent, ()), self._heard.get(agent, ())
        return tuple(sorted((*own, *heard), key=lambda memory: memory.day)) if heard else tuple(own)

    def recall(self, agent: int, day: int, occasion: str) -> tuple[Memory, ...]:
        """What comes back to an agent's mind, oldest first; asking changes nothing.

        Args:
            agent: Row number in the population.
            day: Today.
            occasion: What is before their eyes, as text.
        """
        kept, options = self.kept(agent), self._options
        if not kept or not options.recalled:
            return ()
        scores = self.scores(kept, day, occasion)
        # Ties go to the newer one.
        order = sorted(range(len(kept)), key=lambda place: (-scores[place], -place))
        chosen: list[int] = []
        left = options.characters
        for place in order:
            if len(chosen) < options.recalled and len(kept[place].text) <= left:
                chosen.append(place)
                left -= len(kept[place].text)
        return tuple(kept[place] for place in sorted(chosen))

    def scores(self, memories: Sequence[Memory], day: int, occasion: str) -> FloatArray:
        """The retrieval score of each memory, shape (n,); see the module for the formula."""
        options = self._options
        ages = np.array([day - memory.day for memory in memories], dtype=np.float64)
        vectors = self._embedder.embed([occasion, *(memory.text for memory in memories)])
        return (
            options.recency * _scaled(options.decay ** (HOURS_A_DAY * ages))
            + options.relevance * _scaled(vectors[1:] @ vectors[0])
            + options.importance * _scaled(np.array([memory.importance for memory in memories]))
        )


def _scaled(values: FloatArray) -> FloatArray:
    """The values between 0 (the least) and 1 (the greatest), all 0 where they are equal."""
    low, span = float(values.min()), float(np.ptp(values))
    return (values - low) / span if span > 0 else np.zeros(len(values))
