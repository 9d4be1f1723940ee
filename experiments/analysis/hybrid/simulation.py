"""Made-up audiences whose truth is known: how often the interval holds it, and what a sample is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.hybrid.allocation import allocated
from groundlings.experiments.analysis.hybrid.estimate import HybridEstimate, hybrid_mean


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What is made up.

    Attributes:
        people: Of each audience.
        sample: Of them who also have a language mind.
        pilot: Of the sample, from which the allocation is made; 0 for none.
        correlation: Between the two minds' values of a person, within strata.
        shift: How much higher the language mind is.
        spreads: Standard deviation of the values in each stratum; strata are of equal size.
        skewed: Whether values are skewed to the right (exponential) and not normal.
    """

    people: int = 50_000
    sample: int = 1_000
    pilot: int = 0
    correlation: float = 0.9
    shift: float = 0.3
    spreads: tuple[float, ...] = (1.0,)
    skewed: bool = False


@dataclass(frozen=True, slots=True)
class Covered:
    """What came out.

    Attributes:
        coverage: Share of the 95 % intervals that hold the truth.
        worth: Mean of the worth that was estimated.
        gained: Variance of a sample as large of language-only people, over the variance of the estimate, as seen over
            the repetitions; times the sample it is the worth as it really was.
        bias: Mean error of the estimate, in standard errors of it.
        repetitions: How many.
    """

    coverage: float
    worth: float
    gained: float
    bias: float
    repetitions: int


def covered(made_up: MadeUp, repetitions: int, seed: int = 0) -> Covered:
    """Draw audience and sample again and again, and hold the intervals against the truth."""
    chance = np.random.default_rng(seed)
    truth, plain = made_up.shift, float(np.mean(np.square(made_up.spreads))) / made_up.sample
    errors, holds, worths = np.zeros(repetitions), np.zeros(repetitions, dtype=np.bool_), np.zeros(repetitions)
    for turn in range(repetitions):
        behavioural, language, strata = _audience(made_up, chance)
        sampled = _sampled(made_up, language - behavioural, strata, chance)
        found = hybrid_mean(behavioural, np.where(sampled, language, np.nan), sampled, strata)
        assert found.estimate is not None
        errors[turn] = found.estimate - truth
        holds[turn] = abs(errors[turn]) <= _reach(found)
        worths[turn] = found.worth or 0.0
    variance = float(errors.var())
    return Covered(
        float(holds.mean()),
        float(worths.mean()),
        plain / variance,
        float(errors.mean() / np.sqrt(variance / repetitions)),
        repetitions,
    )


def _reach(found: HybridEstimate) -> float:
    """Half the width of the interval, which lies around the estimate."""
    return 0.0 if found.low is None or found.high is None else (found.high - found.low) / 2


def _audience(made_up: MadeUp, chance: np.random.Generator) -> tuple[FloatArray, FloatArray, IntArray]:
    """Values of everybody under both minds, and their strata."""
    strata = np.arange(made_up.people) % len(made_up.spreads)
    spread = np.array(made_up.spreads)[strata]
    shared, own, other = chance.standard_exponential((3, made_up.people)) - 1 if made_up.skewed else (
        chance.standard_normal((3, made_up.people))
    )  # fmt: skip
    common, rest = np.sqrt(made_up.correlation), np.sqrt(1 - made_up.correlation)
    return (
        spread * (common * shared + rest * own),
        spread * (common * shared + rest * other) + made_up.shift,
        strata,
    )


def _sampled(made_up: MadeUp, gaps: FloatArray, strata: IntArray, chance: np.random.Generator) -> np.ndarray:
    """Who is in the sample: the pilot first, then the rest as its spreads say."""
    sizes = np.bincount(strata)
    place = np.empty(len(strata), dtype=np.int64)
    order = np.lexsort((chance.random(len(strata)), strata))
    place[order] = np.arange(len(order)) - np.searchsorted(strata[order], strata[order])
    if not made_up.pilot:
        return place < allocated(sizes, made_up.sample)[strata]
    first = allocated(sizes, made_up.pilot)
    asked = place < first[strata]
    spreads = np.array([gaps[asked & (strata == stratum)].std(ddof=1) for stratum in range(len(sizes))])
    return place < allocated(sizes, made_up.sample, spreads, first)[strata]
