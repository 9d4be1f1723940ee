"""A belief about requirements that a user never states: sets of them drawn beforehand, weighted by refusals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.conversation.attributes import Attributes, Requirement
from groundlings.environments.conversation.messages import Briefing
from groundlings.environments.random_streams import name_key

DRAWS = 2_000
"""Sets of hidden requirements that a belief consists of."""

_HAS_ONE = 0.2
"""P(a requirement of one kind on one field) where no earlier user has been heard."""

_WEIGHT = 2.0
"""Earlier users that this is worth beside those who were heard."""

_LEAST, _MOST = 0.2, 0.95
"""Shares of the catalogue between which a requirement lies that nobody has stated and that is worth a thought."""

_MOST_WORDS, _SETS_OF_WORDS = 12, 40
"""Words of a field that somebody may require (the most frequent ones), and sets of them that are thought of."""

_UNEXPLAINED, _SUITS = 0.05, 0.4
"""P(the user judges by something that no field shows), and P(an item suits such a user)."""

Kind = tuple[str, str]
"""A field and an operator: a set holds one requirement of a kind at most."""


@dataclass
class HiddenWishes:
    """Weighted sets of hidden requirements.

    Attributes:
        by_field: Field -> which items the set's requirements on it admit, shape (draws, n_items).
        admits: Which items all requirements of the set admit, shape (draws, n_items).
        weights: Of the sets, shape (draws,); sets that a refusal contradicts have 0.
        unexplained: Weight of a user whose refusals no field explains, against 1 for all sets together at first.
    """

    by_field: Mapping[str, BoolArray]
    admits: BoolArray
    weights: FloatArray
    unexplained: float = _UNEXPLAINED

    @classmethod
    def draw(cls, briefing: Briefing, told: Sequence[Requirement]) -> HiddenWishes:
        """What this user might want beside what was said, before anything is refused.

        Earlier users say how often people have a requirement of a kind, and which. A kind that this user has spoken of
        is in no set: whoever says how long it may be at most does not hide another such bound.
        """
        attributes, chance = briefing.attributes, briefing.chance
        heard: dict[Kind, list[Requirement]] = defaultdict(list)
        for requirement in (each for user in briefing.heard for each in user):
            heard[requirement.field, requirement.op].append(requirement)
        spoken_of = {(requirement.field, requirement.op) for requirement in told}
        by_field: dict[str, BoolArray] = {}
        for field in briefing.questions:
            for op, unheard in _thinkable(attributes, field):
                stated = heard[field, op]
                met = np.array([*(each.met(attributes) for each in stated), *unheard])
                if (field, op) in spoken_of or not len(met):
                    continue
                rate = (len(stated) + _WEIGHT * _HAS_ONE) / (len(briefing.heard) + _WEIGHT)
                share = np.repeat([1.0, _WEIGHT * _HAS_ONE / max(len(unheard), 1)], [len(stated), len(unheard)])
                choice = chance.choice(len(met), size=DRAWS, p=share / share.sum())
                admitted = met[choice] | (chance.random(DRAWS) >= rate)[:, None]
                by_field[field] = by_field[field] & admitted if field in by_field else admitted
        admits = np.logical_and.reduce([np.ones((DRAWS, len(attributes)), dtype=np.bool_), *by_field.values()])
        return cls(by_field, admits, np.full(DRAWS, (1 - _UNEXPLAINED) / DRAWS))

    def expect(self, candidates: IntArray, answerable: float) -> None:
        """Give the sets that admit some candidate the weight that people look for what there is.

        Args:
            candidates: What meets all that was said.
            answerable: P(some candidate suits).
        """
        some = self.admits[:, candidates].any(axis=1)
        for which, weight in ((some, answerable), (~some, 1 - answerable)):
            total = self.weights[which].sum()
            if total:
                self.weights[which] *= (1 - self.unexplained) * weight / total

    def refuse(self, item: int, because: Collection[str]) -> None:
        """Take note of a refusal.

        Args:
            item: What was refused.
            because: The fields that were named as the reason, perhaps none.
        """
        explained = [~self.by_field[field][:, item] for field in because if field in self.by_field]
        self.weights = self.weights * (np.logical_or.reduce(explained) if explained else ~self.admits[:, item])
        self.unexplained *= 1 - _SUITS

    def suits(self, items: IntArray) -> FloatArray:
        """P(an item suits), shape (n,)."""
        met = self.weights @ self.admits[:, items] + self.unexplained * _SUITS
        return np.asarray(met / (self.weights.sum() + self.unexplained))

    def any_suits(self, items: IntArray) -> float:
        """P(at least one of some items suits)."""
        met = self.weights @ self.admits[:, items].any(axis=1)
        met += self.unexplained * (1 - (1 - _SUITS) ** len(items))
        return float(met / (self.weights.sum() + self.unexplained))


@lru_cache(maxsize=1 << 8)
def _thinkable(attributes: Attributes, field: str) -> tuple[tuple[str, BoolArray], ...]:
    """Requirements on a field that somebody may have: operator -> which items each meets, shape (n, n_items)."""
    known = [cell for cell in attributes.fields[field] if cell is not None]
    operators = attributes.operators(field)
    groups: dict[str, list[Requirement]] = {op: [] for op in operators}
    if "<=" in operators:
        marks = np.unique(np.quantile(np.array(known, dtype=np.float64), np.linspace(0.05, 0.95, 19)))
        groups = {op: [Requirement(field, op, float(mark)) for mark in marks] for op in operators}
    elif operators:
        counts = Counter(word for cell in known for word in (cell if isinstance(cell, tuple) else (cell,)))
        words = [word for word, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_MOST_WORDS]]
        chance = np.random.default_rng(name_key("thinkable", field))
        sets = [tuple(chance.permutation(words)[: chance.integers(1, len(words) + 1)].tolist())
                for _ in range(_SETS_OF_WORDS)]  # fmt: skip
        one_of = "contains_any" if "contains" in operators else "in"
        groups[one_of] = [Requirement(field, one_of, each) for each in sets]
        if "not_contains" in operators:
            groups["not_contains"] = [Requirement(field, "not_contains", word) for word in words]
    found = []
    for op, requirements in groups.items():
        met = np.array([each.met(attributes) for each in requirements], dtype=np.bool_).reshape(-1, len(attributes))
        share = met.mean(axis=1)
        found.append((op, met[(share >= _LEAST) & (share <= _MOST)]))
    return tuple(found)
