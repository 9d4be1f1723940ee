"""A belief about requirements that a user never states: sets of them drawn beforehand, weighted by refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.conversation.attributes import Attributes, Requirement

DRAWS = 2_000
"""Sets of hidden requirements that a belief consists of."""

_HAS_ONE = 0.35
"""P(a field has a hidden requirement of one direction), before anything is refused."""

_LEAST, _MOST = 0.2, 0.95
"""Shares of the catalogue between which a requirement lies that is worth a thought."""

_MOST_WORDS = 12
"""Words of a field that somebody may have a requirement about: the most frequent ones."""

_UNEXPLAINED, _SUITS = 0.05, 0.4
"""P(the user judges by something that no field shows), and P(an item suits such a user)."""


@dataclass
class HiddenWishes:
    """Weighted sets of hidden requirements.

    Attributes:
        by_field: Field -> which items the set's requirements on it admit, shape (draws, n_items).
        weights: Of the sets, shape (draws,); sets that a refusal contradicts have 0.
        unexplained: Weight of a user whose refusals no field explains, against 1 for all sets together at first.
    """

    by_field: Mapping[str, BoolArray]
    weights: FloatArray
    unexplained: float = _UNEXPLAINED

    def __post_init__(self) -> None:
        admitted = [*self.by_field.values()]
        self._met: BoolArray | None = np.logical_and.reduce(admitted) if admitted else None

    @classmethod
    def draw(cls, attributes: Attributes, fields: Iterable[str], chance: np.random.Generator) -> HiddenWishes:
        """What anybody might want, before anything is refused.

        Args:
            attributes: The catalogue.
            fields: Those that people have requirements about.
            chance: For the draws.
        """
        by_field: dict[str, BoolArray] = {}
        for field in fields:
            for possible in _possible(attributes, field, chance):
                met = np.array([requirement.met(attributes) for requirement in possible])
                kept = met[(met.mean(axis=1) >= _LEAST) & (met.mean(axis=1) <= _MOST)]
                if not len(kept):
                    continue
                any_item = np.ones((1, len(attributes)), dtype=np.bool_)
                choice = chance.integers(len(kept), size=DRAWS)
                choice[chance.random(DRAWS) >= _HAS_ONE] = len(kept)
                admitted = np.vstack([kept, any_item])[choice]
                by_field[field] = by_field[field] & admitted if field in by_field else admitted
        return cls(by_field, np.full(DRAWS, (1 - _UNEXPLAINED) / DRAWS))

    def expect(self, candidates: IntArray, answerable: float) -> None:
        """Give the sets that admit some candidate the weight that people look for what there is.

        Args:
            candidates: What meets all that was said.
            answerable: P(some candidate suits).
        """
        if self._met is None:
            return
        some = self._met[:, candidates].any(axis=1)
        for which, weight in ((some, answerable), (~some, 1 - answerable)):
            total = self.weights[which].sum()
            if total:
                self.weights[which] *= (1 - self.unexplained) * weight / total

    def refuse(self, item: int, because: Sequence[str]) -> None:
        """Take note of a refusal.

        Args:
            item: What was refused.
            because: The fields that were named as the reason, perhaps none.
        """
        if self._met is not None:
            explained = [~self.by_field[field][:, item] for field in because if field in self.by_field]
            self.weights = self.weights * (np.logical_or.reduce(explained) if explained else ~self._met[:, item])
        self.unexplained *= 1 - _SUITS

    def suits(self, items: IntArray) -> FloatArray:
        """P(an item suits), shape (n,)."""
        met = 0.0 if self._met is None else self.weights @ self._met[:, items]
        return np.asarray((met + self.unexplained * _SUITS) / (self.weights.sum() + self.unexplained)) + np.zeros(len(items))

    def any_suits(self, items: IntArray) -> float:
        """P(at least one of some items suits)."""
        met = 0.0 if self._met is None else float(self.weights @ self._met[:, items].any(axis=1))
        other = self.unexplained * (1 - (1 - _SUITS) ** len(items))
        return float((met + other) / (self.weights.sum() + self.unexplained))


def _possible(attributes: Attributes, field: str, chance: np.random.Generator) -> list[list[Requirement]]:
    """Requirements that somebody may have on a field, in groups of which a set takes one at most."""
    known = [cell for cell in attributes.fields[field] if cell is not None]
    operators = attributes.operators(field)
    if "<=" in operators:
        marks = np.unique(np.quantile(np.array(known, dtype=np.float64), np.linspace(0.05, 0.95, 19)))
        return [[Requirement(field, op, float(mark)) for mark in marks] for op in ("<=", ">=")]
    if not operators:
        return []
    listed = "contains" in operators
    counts = Counter(word for cell in known for word in (cell if isinstance(cell, tuple) else (cell,)))
    words = [word for word, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_MOST_WORDS]]
    several = [tuple(chance.permutation(words)[: chance.integers(1, len(words) + 1)].tolist()) for _ in range(40)]
    groups = [[Requirement(field, "contains_any" if listed else "in", each) for each in several]]
    if listed:
        groups.append([Requirement(field, "not_contains", word) for word in words])
    return groups
