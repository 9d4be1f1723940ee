"""How well simulated effects agree with real ones, each figure beside those of two trivial guesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.experiments.labs.past_tests.slope import Effects, fit_slope

SIMULATION, CORRECTED = "simulation", "corrected by the other tests"
ZERO, FREQUENT_SIGN, MEAN = "always zero", "always the more frequent sign", "always the other tests' mean"

_Z = float(stats.norm.ppf(0.975))
_RESAMPLES = 2000


Interval = tuple[float | None, float | None]
"""Ends of a 95 % interval, None without one."""


@dataclass(frozen=True, slots=True)
class Record:
    """One figure of one guess.

    Attributes:
        metric: What is measured.
        guess: What guesses the real effects.
        value: None where it cannot be told.
        low, high: Ends of the 95 % interval, None without one.
        n: Tests that it is of.
        definition: In words.
    """

    metric: str
    guess: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    definition: str

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Corrections:
    """Each real effect as the slope of the other experiments predicts it, shape (n,) each.

    Attributes:
        expected: NaN where the others are too few for a slope.
        error: Standard deviation of the real effect around it, its own measurement error not included.
        quantile: Student's, for 95 %.
    """

    expected: FloatArray
    error: FloatArray
    quantile: FloatArray


def wilson(hits: int, n: int) -> Interval:
    """The 95 % interval of a share (Wilson 1927), None without a case."""
    if not n:
        return None, None
    share, square = hits / n, _Z**2 / n
    centre = (share + square / 2) / (1 + square)
    reach = _Z * np.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return float(max(centre - reach, 0.0)), float(min(centre + reach, 1.0))


def leave_one_out(effects: Effects) -> Corrections:
    """Correct each test by a slope that was fitted without its experiment."""
    n = len(effects)
    expected, error, quantile = (np.full(n, np.nan) for _ in range(3))
    for experiment in np.unique(effects.experiments):
        own = effects.experiments == experiment
        fitted = fit_slope(effects.take(~own), interval=False)
        if fitted is None:
            continue
        for row in np.flatnonzero(own):
            expected[row], error[row] = fitted.predict(effects.simulated[row], effects.simulated_error[row])
            quantile[row] = fitted.quantile
    return Corrections(expected, error, quantile)


def measure_agreement(effects: Effects, corrections: Corrections, *, seed: int) -> list[Record]:
    """All figures.

    Args:
        effects: The tests.
        corrections: `leave_one_out` of them.
        seed: Of the resampling of experiments.
    """
    others = _means_of_others(effects)
    return [
        *_signs(effects),
        _slope(effects),
        *_coverage(effects, corrections),
        _spearman(effects, seed),
        *_errors(effects, corrections, others, seed),
    ]


def really_different(effects: Effects) -> BoolArray:
    """Whether the real effect's 95 % interval excludes zero, shape (n,)."""
    return np.abs(effects.real) > _Z * effects.real_error


def _means_of_others(effects: Effects) -> FloatArray:
    """The mean real effect of the other experiments' tests, shape (n,); NaN where there are none."""
    means = np.full(len(effects), np.nan)
    for experiment in np.unique(effects.experiments):
        own = effects.experiments == experiment
        if not own.all():
            means[own] = effects.real[~own].mean()
    return means


def _signs(effects: Effects) -> Iterator[Record]:
    definition = (
        "Share of the tests in which the guess has the sign of the real effect; Wilson's interval, tests taken as "
        "independent. An effect of exactly zero agrees with zero alone."
    )
    every = np.ones(len(effects), dtype=np.bool_)
    for name, among in (("sign agreement", every), ("sign agreement, really different", really_different(effects))):
        words = definition if among.all() else f"{definition} Only tests whose real interval excludes zero."
        # Told in hindsight: a sign taken from the other tests would be wrong more often than chance where both signs
        # are about as frequent, because each test is then of the rarer sign among the others.
        frequent = np.full(len(effects), 1.0 if (effects.real[among] > 0).sum() * 2 >= among.sum() else -1.0)
        for guess, values in ((SIMULATION, effects.simulated), (FREQUENT_SIGN, frequent)):
            right, n = int((np.sign(values) == np.sign(effects.real))[among].sum()), int(among.sum())
            yield Record(name, guess, right / n if n else None, *wilson(right, n), n, words)


def _slope(effects: Effects) -> Record:
    found = fit_slope(effects)
    value, low, high = (None, None, None) if found is None else (found.value, found.low, found.high)
    return Record(
        "calibration slope", SIMULATION, value, low, high, len(effects),
        "Real effect per unit of simulated effect, errors of both taken into account (structural model through the "
        "origin, maximum likelihood, interval of the profile likelihood); 1 is calibrated, below 1 the simulation "
        "exaggerates.",
    )  # fmt: skip


def _coverage(effects: Effects, corrections: Corrections) -> Iterator[Record]:
    both = np.sqrt(effects.real_error**2 + effects.simulated_error**2)
    corrected = np.sqrt(effects.real_error**2 + corrections.error**2)
    rows = (
        (SIMULATION, effects.simulated, _Z * both, "simulated effect, both standard errors combined"),
        (ZERO, np.zeros(len(effects)), _Z * effects.real_error, "zero, the real standard error"),
        (
            CORRECTED,
            corrections.expected,
            corrections.quantile * corrected,
            "effect corrected by the other experiments",
        ),
    )
    for guess, centre, reach, words in rows:
        known = ~np.isnan(centre)
        inside, n = int((np.abs(effects.real - centre) <= reach)[known].sum()), int(known.sum())
        definition = f"Share of real effects inside the 95 % prediction interval around the {words}; Wilson's interval."
        yield Record("coverage", guess, inside / n if n else None, *wilson(inside, n), n, definition)


def _spearman(effects: Effects, seed: int) -> Record:
    def correlation(rows: np.ndarray) -> float:
        one, two = stats.rankdata(effects.simulated[rows]), stats.rankdata(effects.real[rows])
        return float(np.corrcoef(one, two)[0, 1]) if len(set(one)) > 1 and len(set(two)) > 1 else np.nan

    value = correlation(np.arange(len(effects))) if len(effects) > 1 else np.nan
    return Record(
        "spearman", SIMULATION, None if np.isnan(value) else value,
        *_bootstrap(effects, correlation, seed), len(effects),
        "Spearman's rank correlation of simulated and real effects; percentile bootstrap over experiments. A constant "
        "guess has none.",
    )  # fmt: skip


def _errors(effects: Effects, corrections: Corrections, others: FloatArray, seed: int) -> Iterator[Record]:
    known = ~np.isnan(corrections.expected) & ~np.isnan(others)
    some = effects.take(known)
    for guess, values in (
        (SIMULATION, effects.simulated),
        (ZERO, np.zeros(len(effects))),
        (MEAN, others),
        (CORRECTED, corrections.expected),
    ):
        gaps = (effects.real - values)[known]

        def root(rows: np.ndarray, gaps: FloatArray = gaps) -> float:
            return float(np.sqrt(np.mean(gaps[rows] ** 2))) if len(rows) else np.nan

        value = root(np.arange(len(gaps)))
        yield Record(
            "rmse", guess, None if np.isnan(value) else value, *_bootstrap(some, root, seed), len(gaps),
            "Root mean squared distance of the real effects from the guess, in the unit of effects; percentile "
            "bootstrap over experiments. No guess has seen the real effect of its experiment.",
        )  # fmt: skip


def _bootstrap(effects: Effects, statistic: Callable[[np.ndarray], float], seed: int) -> Interval:
    """The 95 % percentile interval over experiments, None with fewer than four of them."""
    groups = [np.flatnonzero(effects.experiments == each) for each in np.unique(effects.experiments)]
    if len(groups) < 4:
        return None, None
    chance = np.random.default_rng(seed)
    drawn = (chance.integers(0, len(groups), len(groups)) for _ in range(_RESAMPLES))
    values = np.array([statistic(np.concatenate([groups[each] for each in some])) for some in drawn])
    values = values[~np.isnan(values)]
    if not len(values):
        return None, None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
