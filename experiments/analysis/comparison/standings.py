"""How the arms of a run stand to each other, and not only each to the baseline, as plain values; `standing` works them
out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from groundlings.experiments.analysis.compare import Difference, Estimate


@dataclass(frozen=True, slots=True)
class Pair:
    """One competitor against another on the primary metric.

    Attributes:
        first, second: Their names.
        effect: Mean of the first minus mean of the second; its interval holds together with those of all pairs.
    """

    first: str
    second: str
    effect: Difference


@dataclass(frozen=True, slots=True)
class Standing:
    """All arms on the primary metric; pairs, chances and ranks as the verdict measures it, luck taken out.

    Attributes:
        means: Arm -> its mean over agents with its 95 % interval; bounds and copies of the baseline, too.
        pairs: Every two competitors once, in the order of the YAML.
        chances: Competitor or baseline -> in what share of the resamples of agents it has the best mean of all, ties
            shared; empty where fewer than two agents have a value in all of them.
        ranks: Competitor or baseline -> the lowest and highest rank in 95 % of the resamples, 1 is the best; likewise.
        agents: How many the resamples are drawn from.
    """

    means: Mapping[str, Estimate] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    chances: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    agents: int = 0

    def between(self, first: str, second: str) -> Difference | None:
        """Mean of one competitor minus that of another; None where they are no pair."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first, second):
                return pair.effect
            if (pair.second, pair.first) == (first, second):
                return _turned(pair.effect)
        return None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def _turned(gap: Difference) -> Difference:
    """The same difference seen from the other arm."""
    low, middle, high = (None if end is None else 0.0 - end for end in (gap.high, gap.difference, gap.low))
    return Difference(middle, gap.standard_error, low, high, gap.p_value, gap.n, gap.excluded)
