"""Candidates compared two at a time: all pairs in one question, and the items that its reply prefers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.prompts import Prompt
from groundlings.environments.random_streams import Draws
from groundlings.environments.replies import read_json
from groundlings.recommenders.language.asking import Question
from groundlings.recommenders.language.wording import ItemWords

TEMPLATE = "llm_ranker_pairs"
"""Name of the prompt file."""

MOST_CANDIDATES = 12
"""So many are 66 pairs; with the square of the candidates grow the question, the reply and what a model mixes up."""

_TOKENS_PER_PAIR = 3
"""Of a reply at most: a number, a comma and a space."""

_HEADING = "Pairs:"
"""The line before the pairs; every item stands behind a number, so no title can be this line."""
_BETWEEN = " <or> "
"""Stands in no title: `one_line` replaces these brackets. So a line is parted in one way only."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of some candidates, in the order in which they are asked about.

    Attributes:
        first, second: Places of the candidates named first and second, shape (n_pairs,).
    """

    first: IntArray
    second: IntArray

    @classmethod
    def drawn(cls, candidates: ItemArray, draws: Draws, turn: int) -> Pairs:
        """The pairs in a drawn order, each candidate first in half of its pairs, less or more by half a pair at most.

        Args:
            candidates: Items, shape (n,).
            draws: Of one user.
            turn: Which drawing it is; another one has an order of its own.
        """
        n = len(candidates)
        lots = draws.uniform(f"pairs: circle {turn}", candidates[None, :].astype(np.int64))[0]
        circle = np.argsort(lots, kind="stable").astype(np.int64)
        one, other = np.triu_indices(n, 1)
        # In a circle each is first before the half that follows it; an opposite one, with an even n, has it by place.
        ahead = other - one <= n // 2
        first, second = np.where(ahead, one, other), np.where(ahead, other, one)
        order = np.argsort(draws.uniform(f"pairs: order {turn}", np.arange(len(one))[None, :])[0], kind="stable")
        return cls(circle[first[order]], circle[second[order]])

    def exchanged(self) -> Pairs:
        """The same pairs in the same order, with both items of each exchanged."""
        return Pairs(self.second, self.first)

    def listed(self, names: Sequence[str]) -> str:
        """The pairs as lines of a question, numbered from 1. `names` are those of the candidates, by place."""
        lines = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return "\n".join(
            f"{number}. {names[first]}{_BETWEEN}{names[second]}" for number, (first, second) in enumerate(lines, 1)
        )

    def read(self, text: str) -> tuple[int, ...]:
        """What a reply says of each; see `read_better`."""
        return read_better(text, len(self.first))

    def won(self, better: Sequence[int], n: int) -> Won:
        """How many pairs each of `n` candidates won by a reply."""
        winners = np.where(np.asarray(better) == 1, self.first, self.second)
        return Won(np.bincount(winners, minlength=n).astype(np.float64))


@dataclass(frozen=True, slots=True)
class Won:
    """What one reply says.

    Attributes:
        pairs: How many pairs each candidate won, shape (n,).
    """

    pairs: FloatArray


def question_about(
    pairs: Pairs, candidates: ItemArray, words: ItemWords, prompt: Prompt, past: Sequence[str], seed: int, row: int
) -> Question:
    """The question about all pairs of some candidates; `past` are the paragraphs of the user's history."""
    n, listed = len(pairs.first), pairs.listed([words.name(int(item)) for item in candidates])
    return Question(
        prompt=prompt,
        shared=prompt.fill("shared_pairs", many=words.many),
        told="\n\n".join((*past, prompt.fill("pairs", number=n, many=words.many, pairs=listed))),
        schema=reply_schema(n),
        more_tokens=n * _TOKENS_PER_PAIR,
        seed=seed,
        row=row,
    )


def reply_schema(pairs: int) -> dict[str, Any]:
    """JSON Schema of a reply about so many pairs."""
    numbers = {"type": "array", "items": {"type": "integer", "enum": [1, 2]}, "minItems": pairs, "maxItems": pairs}
    return {
        "type": "object",
        "properties": {"better": numbers},
        "required": ["better"],
        "additionalProperties": False,
    }


def read_better(text: str, pairs: int) -> tuple[int, ...]:
    """Of each pair 1 where a reply prefers the first named and 2 where it prefers the second.

    Raises:
        UnreadableReply: It is not the form asked for, or of another length.
    """
    value = read_json(text)
    if not isinstance(value, dict) or list(value) != ["better"] or not isinstance(value["better"], list):
        raise UnreadableReply("expected an object with one key, better, and a list of numbers")
    better = value["better"]
    if len(better) != pairs:
        raise UnreadableReply(f"better: expected {pairs} numbers, found {len(better)}")
    if not all(type(each) is int and each in (1, 2) for each in better):  # True and 1.0 equal 1
        raise UnreadableReply("better: expected 1 or 2 for each pair")
    return tuple(better)


def pairs_shown(question: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the pairs in the text of a question, and the names of each pair in the order shown."""
    before, _, lines = question.rpartition(f"\n{_HEADING}\n")
    pairs = [line.partition(". ")[2].partition(_BETWEEN) for line in lines.splitlines()]
    return before, [(first, second) for first, _, second in pairs]
