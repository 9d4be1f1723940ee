"""Prompts of one person about several items, as a tree of tokens: what they begin with in common is computed once.

A decision is the answer to one prompt. All prompts about a person begin alike, so a tree holds their common beginning
and one branch per item; a token sees the beginning and its own branch (`tree_attention.py`), and counts its position
along these, which is what a model would compute from each prompt alone. A decision then costs a branch, some thirty
tokens, and its share of the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.personas.minds.calibrated_question import BETWEEN_TITLES, YES_OR_NO, PairQuestions


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
class Row:
    """The tokens of a tree laid end to end: its beginning, then one branch after the other.

    Attributes:
        tokens, positions: Shape (n,); a position is counted along the beginning and the token's own branch.
        beginning: Number of tokens of the beginning.
        branches: Where the tokens of each branch lie, shape (n_decisions, longest branch); after the end of a shorter
            one comes 0.
        filled: Which of `branches` are tokens, same shape.
        answers: The last token of each prompt, after which the answer comes, shape (n_decisions,).
    """

    tokens: IntArray
    positions: IntArray
    beginning: int
    branches: IntArray
    filled: BoolArray
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

    def latest(self, user: int) -> tuple[IntArray, list[tuple[int, int]]]:
        """The tokens of a prompt up to the last of the titles that a person met last, and where each title lies.

        Returns:
            Tokens, shape (n,), and first and one past the last token of each title.
        """
        titles = self._questions.latest_titles(user)
        line = BETWEEN_TITLES.join(titles)
        text = self.text(user, 0)
        start = text.index(line)
        split = self._tokenizer(text[: start + len(line)], add_special_tokens=False, return_offsets_mapping=True)
        begins, ends = np.array(split["offset_mapping"], dtype=np.int64).reshape(-1, 2).T
        places = []
        for title in titles:
            first, end = np.searchsorted(ends, start, side="right"), np.searchsorted(begins, start + len(title))
            places.append((int(first), int(end)))
            start += len(title) + len(BETWEEN_TITLES)
        return np.array(split["input_ids"], dtype=np.int64), places

    def title(self, item: int) -> list[int]:
        """The tokens of an item's title after a line break."""
        return list(self._tokenizer(f"\n{self._questions.title(item)}", add_special_tokens=False)["input_ids"])

    def named_in(self, users: Iterable[int]) -> IntArray:
        """The items whose titles stand in what prompts say of some people, ascending."""
        said = "\n".join(map(self._questions.person, users))
        return np.array([item for item in range(self.n_items) if self._questions.title(item) in said], dtype=np.int64)

    @property
    def n_items(self) -> int:
        """Items that may be asked about."""
        return self._questions.n_items

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


def lay(tree: Tree) -> Row:
    """A tree as one row of tokens."""
    start = len(tree.beginning)
    lengths = np.array([len(branch) for branch in tree.branches], dtype=np.int64)
    ends = start + np.cumsum(lengths)  # one past the last token of each branch
    offsets = np.arange(lengths.max())
    filled = offsets < lengths[:, None]
    return Row(
        tokens=np.array([*tree.beginning, *chain.from_iterable(tree.branches)], dtype=np.int64),
        positions=np.concatenate([np.arange(start), *(start + np.arange(length) for length in lengths)]),
        beginning=start,
        branches=np.where(filled, (ends - lengths)[:, None] + offsets, 0),
        filled=filled,
        answers=ends - 1,
    )


def answer_tokens(tokenizer: Any) -> tuple[IntArray, IntArray]:
    """The tokens that are read as yes and as no, as the live mind reads them: whatever their spaces and capitals."""
    words = [tokenizer.decode([token]).strip().lower() for token in range(len(tokenizer))]
    yes, no = (np.array([token for token, word in enumerate(words) if word == answer]) for answer in YES_OR_NO)
    return yes, no
