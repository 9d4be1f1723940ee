"""What a fitted recommender counts of itself, where neither its lists nor its calls can tell it.

A run asks before the first day, writes the answers into `fitted.json` beside its log, and shows them with its figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import ConfigError
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.registry import parts_of


@dataclass(frozen=True, slots=True)
class FitCounts:
    """Counts of one fit; counts of this fit, not estimates of others.

    Attributes:
        sentence: The counts in words, each with what it is a part of; without a full stop.
        counts: Name -> number; None where it is not known, which is never zero.

    Raises:
        ConfigError: A count is no number that JSON has.
    """

    sentence: str
    counts: Mapping[str, int | float | None]

    def __post_init__(self) -> None:
        counts: Mapping[str, object] = self.counts  # a plug-in may put anything in it
        for name, count in counts.items():
            if count is not None and not (isinstance(count, int | float) and math.isfinite(count)):
                raise ConfigError(
                    f"fit_counts: {name} is {count!r} ({type(count).__name__}); expected a finite int or float of "
                    "Python, or None where it is not known"
                )


@runtime_checkable
class CountsItsFit(Protocol):
    """A recommender that says after a fit what came of it."""

    def fit_counts(self, users: IntArray) -> FitCounts:
        """Counts of the last fit; nothing that was learnt changes.

        Args:
            users: Row numbers of the run's agents; may be many, so whoever asks lists for its counts takes some.

        Raises:
            NotFitted: `fit` was not called before.
        """
        ...


def fit_counts_of(recommender: AsyncRecommender, users: IntArray) -> tuple[FitCounts, ...]:
    """What a fitted recommender and those inside of it count; () where none does."""
    return tuple(part.fit_counts(users) for part in parts_of(recommender) if isinstance(part, CountsItsFit))
