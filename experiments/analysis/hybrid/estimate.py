"""What a language audience would have shown, from a behavioural mind for everybody and a language mind for a sample.

The difference estimator of survey sampling (Cochran 1977, "Sampling Techniques", 3rd edition, chapters 5 and 7): the
mean of everybody under the behavioural mind, plus the mean over the sample of what the language mind changes in the
same person. Predicted values for all and true ones for some are the same idea in machine learning (Angelopoulos et al.
2023, "Prediction-powered inference", Science 382). The sample is drawn by chance within strata, so the estimate has no
bias however little the behavioural mind knows; what it knows decides on the variance alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.analysis.compare import CONFIDENCE

_FEWEST_CORRELATED = 3
"""People: two points lie on a line."""


@dataclass(frozen=True, slots=True)
class HybridEstimate:
    """The mean that a language audience would have, or the difference of two.

    Attributes:
        behavioural: Mean of everybody under the behavioural mind; None where nobody has a value.
        n: People of the sample with both values.
        audience: People with a behavioural value.
        excluded: People of the sample who lack one of the two values.
        estimate: Mean of everybody (behavioural) plus mean paired difference of the sample; None where a stratum has
            nobody with both values.
        standard_error: Of the estimate as one of people like these, of whom the agents are a sample; None where a
            stratum has fewer than two people with both values, or where neither the language mind's values nor what it
            changes vary in a part of the people, which does not show that all are like them.
        low, high: Ends of the t interval, None likewise.
        sampling_error: Of the estimate as one of these very agents (finite population): 0 once all are in the sample.
        language: Mean of the sample under the language mind, strata weighted as they are among everybody.
        correlation: Between the two minds' values of a person; None where one of them does not vary, or of fewer than
            three people, of whom it is 1 or -1 whatever the minds do.
        worth: How many people who decide by the language mind alone would give the same standard error; None where
            their values do not vary.
        worth_fitted: The same if the behavioural mind counted by the slope that suits it best, and not by 1.
    """

    behavioural: float | None
    n: int
    audience: int
    excluded: int
    estimate: float | None = None
    standard_error: float | None = None
    low: float | None = None
    high: float | None = None
    sampling_error: float | None = None
    language: float | None = None
    correlation: float | None = None
    worth: float | None = None
    worth_fitted: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low is not None and self.high is not None and not self.low <= 0.0 <= self.high

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def hybrid_mean(
    behavioural: FloatArray,
    language: FloatArray,
    sampled: BoolArray,
    strata: IntArray,
    confidence: float = CONFIDENCE,
) -> HybridEstimate:
    """The mean that the language mind would have over everybody.

    The variance is that of a stratified sample without replacement, plus that of the agents as a sample of people like
    them (variance of the language mind's values over their number): where everybody is in the sample, interval and
    estimate are those of an audience that decides by the language mind alone.

    Args:
        behavioural: One value per agent, shape (n_agents,), NaN where there is none.
        language: The same of the sample, NaN where there is none and for all others.
        sampled: Who is in the sample, shape (n_agents,).
        strata: Number of each agent's stratum, shape (n_agents,).
        confidence: Coverage of the interval.
    """
    here = ~np.isnan(behavioural)
    both = here & sampled & ~np.isnan(language)
    n, audience, excluded = int(both.sum()), int(here.sum()), int((sampled & ~both).sum())
    mean = float(behavioural[here].mean()) if audience else None
    groups = [both & (strata == stratum) for stratum in np.unique(strata[here])]
    if mean is None or not all(group.any() for group in groups):
        return HybridEstimate(mean, n, audience, excluded)
    sizes = np.array([np.count_nonzero(here & (strata == stratum)) for stratum in np.unique(strata[here])])
    shares, counts = sizes / audience, np.array([group.sum() for group in groups])
    gaps = np.array([(language[group] - behavioural[group]).mean() for group in groups])
    estimate = mean + float(shares @ gaps)
    weights = np.zeros(len(behavioural))
    for group, share, count in zip(groups, shares, counts, strict=True):
        weights[group] = share / count
    ours, theirs, weights = language[both], behavioural[both], weights[both]
    spoken = float(weights @ ours)
    moments = _moments(ours, theirs, weights)
    found = HybridEstimate(mean, n, audience, excluded, estimate, language=spoken, correlation=moments.correlation)
    if counts.min() < 2:
        return found
    variances = np.array([np.var(language[group] - behavioural[group], ddof=1) for group in groups])
    return _with_errors(found, _Parts(shares**2 * (1 / counts - 1 / sizes), variances, counts, moments), confidence)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Second moments of the sample, weighted to everybody."""

    language: float
    behavioural: float
    together: float
    people: int

    @property
    def correlation(self) -> float | None:
        product = self.language * self.behavioural
        return (
            None
            if product <= 0 or self.people < _FEWEST_CORRELATED
            else float(np.clip(self.together / np.sqrt(product), -1.0, 1.0))
        )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the standard error is made of, one entry per stratum in each array."""

    factors: FloatArray
    variances: FloatArray
    counts: IntArray
    moments: _Moments


def _moments(ours: FloatArray, theirs: FloatArray, weights: FloatArray) -> _Moments:
    n = len(ours)
    if n < 2:
        return _Moments(0.0, 0.0, 0.0, n)
    left, right = ours - weights @ ours, theirs - weights @ theirs
    bessel = n / (n - 1)
    squares, others, products = (bessel * float(weights @ each) for each in (left**2, right**2, left * right))
    return _Moments(squares, others, products, n)


def _with_errors(found: HybridEstimate, parts: _Parts, confidence: float) -> HybridEstimate:
    """The estimate with its errors, interval and worth."""
    within = parts.factors * parts.variances
    people = parts.moments.language / found.audience
    squared = float(within.sum()) + people
    # Satterthwaite (1946): degrees of freedom of a sum of variances that are estimated apart.
    spread = float((within**2 / (parts.counts - 1)).sum()) + people**2 / (found.n - 1)
    freedom = squared**2 / spread if spread > 0 else found.n - 1.0
    if squared == 0 and found.n < found.audience:
        return found
    error, estimate = float(np.sqrt(squared)), found.estimate
    assert estimate is not None, "every stratum has people"
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    fitted = None
    if found.correlation is not None:
        left = (1 - found.correlation**2) * (1 / found.n - 1 / found.audience)
        fitted = 1 / (left + 1 / found.audience)
    return replace(
        found,
        standard_error=error,
        low=estimate - reach,
        high=estimate + reach,
        sampling_error=float(np.sqrt(within.sum())),
        worth=parts.moments.language / squared if parts.moments.language > 0 else None,
        worth_fitted=fitted,
    )
