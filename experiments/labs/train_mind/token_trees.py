"""Prompts of one person about several items, as a tree of tokens: what they begin with in common is computed once.

A decision is the answer to one prompt. All prompts about a person begin alike, so a tree holds their common beginning
and one branch per item; a token sees the beginning and its own branch, and counts its position along these, which is
what a model would compute from each prompt alone. A decision then costs a branch, some thirty tokens, and its share of
the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.personas.minds.calibrated_question import YES_OR_NO, PairQuestions


@dataclass(frozen=True, slots=True)
class Tree:
    """The prompts about some items for one person.

    Attributes:
        beginning: Tokens that all prompts begin with.
        branches: The other tokens of each prompt, at least one.
    """

    beginning: tuple[int, ...]
    branches: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.beginning) + sum(map(len, self.branches))


@dataclass(frozen=True, slots=True)
class Pack:
    """Trees laid end to end, as one sequence.

    Attributes:
        tokens, positions: Shape (n,).
        seen: Whether the token of a row sees that of a column, shape (n, n).
        answers: The last token of each prompt, after which the answer comes, shape (n_decisions,).
    """

    tokens: IntArray
    positions: IntArray
    seen: BoolArray
    answers: IntArray


class Prompts:
    """The tokens of live prompts.

    Args:
        tokenizer: Of the model, as transformers has it, with a chat template.
        questions: The words of the prompts.
    """

    def __init__(self, tokenizer: Any, questions: PairQuestions) -> None:
        self._tokenizer = tokenizer
        self._questions = questions

    def text(self, user: int, item: int) -> str:
        """The whole prompt of a pair, in the form of the model's chat template."""
        messages = [
            {"role": "system", "content": self._questions.shared},
            {"role": "user", "content": self._questions.told(user, item)},
        ]
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def about(self, user: int) -> list[int]:
        """The tokens of what prompts say of a person."""
        return list(self._tokenizer(self._questions.person(user), add_special_tokens=False)["input_ids"])

    def tree(self, user: int, items: Sequence[int]) -> Tree:
        """The prompts about some items; at least one."""
        texts = [self.text(user, item) for item in items]
        return grow(self._tokenizer(texts, add_special_tokens=False)["input_ids"])


def grow(prompts: Sequence[Sequence[int]]) -> Tree:
    """The tree of some prompts, each of at least one token."""
    shortest = min(map(len, prompts)) - 1
    common = 0
    while common < shortest and len({prompt[common] for prompt in prompts}) == 1:
        common += 1
    return Tree(tuple(prompts[0][:common]), tuple(tuple(prompt[common:]) for prompt in prompts))


def pack(trees: Sequence[Tree]) -> Pack:
    """The trees as one sequence in which no tree sees another, and no branch another."""
    size = sum(map(len, trees))
    tokens, positions = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    seen, answers, at = np.zeros((size, size), dtype=np.bool_), [], 0
    for tree in trees:
        start, depth = at, len(tree.beginning)
        for offset, part in ((0, tree.beginning), *((depth, branch) for branch in tree.branches)):
            own = slice(at, at + len(part))
            tokens[own] = part
            positions[own] = np.arange(offset, offset + len(part))
            seen[own, start : start + offset] = True
            seen[own, own] = np.tri(len(part), dtype=np.bool_)
            at += len(part)
            answers.append(at - 1)
        del answers[-1 - len(tree.branches)]  # the beginning asks nothing
    return Pack(tokens, positions, seen, np.array(answers, dtype=np.int64))


def answer_tokens(tokenizer: Any) -> tuple[IntArray, IntArray]:
    """The tokens that are read as yes and as no, as the live mind reads them: whatever their spaces and capitals."""
    words = [tokenizer.decode([token]).strip().lower() for token in range(len(tokenizer))]
    yes, no = (np.array([token for token, word in enumerate(words) if word == answer]) for answer in YES_OR_NO)
    return yes, no
