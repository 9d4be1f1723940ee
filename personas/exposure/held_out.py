"""How well probabilities tell what held-out people did, beside a preset's and a constant's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.exposure.intervals import mean_with_error, quantile_of
from groundlings.personas.exposure.parameter import Part
from groundlings.personas.ranked_rows import RankedRows

Measure = Literal["log_likelihood", "brier", "auc"]

_RESAMPLES = 200
_LEAST = 1e-12


class Difference(Part):
    """How much better the fitted utility is, above 0 for better."""

    value: float
    low: float | None
    """Of the 95 % interval over people; None where there are too few people."""
    high: float | None


class Gain(Part):
    """One measure on held-out people."""

    measure: Measure
    """`log_likelihood` in nats per exposure, `brier` as mean squared error, `auc` over all pairs of rows."""
    people: int
    exposures: int
    fitted: float
    preset: float
    constant: float
    over_preset: Difference
    over_constant: Difference


def gains(
    happened: FloatArray, people: IntArray, *, fitted: FloatArray, preset: FloatArray, constant: FloatArray
) -> tuple[Gain, ...]:
    """Log likelihood, Brier score and AUC of three predictions.

    Args:
        happened: 1 or 0, shape (n,).
        people: Whose each row is, shape (n,).
        fitted, preset, constant: P(happened), shape (n,).
    """
    whose = np.unique(people, return_inverse=True)[1].astype(np.int64)
    chances = {"fitted": fitted, "preset": preset, "constant": constant}
    told: list[Gain] = [
        _by_rows("log_likelihood", happened, whose, chances, _log_likelihood, 1.0),
        _by_rows("brier", happened, whose, chances, _squared_error, -1.0),
    ]
    return (*told, _auc(happened, whose, chances)) if 0 < happened.mean() < 1 else tuple(told)


def _by_rows(
    measure: Measure,
    happened: FloatArray,
    people: IntArray,
    chances: dict[str, FloatArray],
    score: Callable[[FloatArray, FloatArray], FloatArray],
    sign: float,
) -> Gain:
    scores = {name: score(happened, chance) for name, chance in chances.items()}
    n_people = int(people.max()) + 1

    def over(name: str) -> Difference:
        mean, error = mean_with_error(sign * (scores["fitted"] - scores[name]), people)
        if n_people < 2:
            return Difference(value=mean, low=None, high=None)
        reach = quantile_of(n_people) * error
        return Difference(value=mean, low=mean - reach, high=mean + reach)

    return Gain(
        measure=measure,
        people=n_people,
        exposures=len(happened),
        **{name: float(values.mean()) for name, values in scores.items()},
        over_preset=over("preset"),
        over_constant=over("constant"),
    )


def _log_likelihood(happened: FloatArray, chance: FloatArray) -> FloatArray:
    chance = np.clip(chance, _LEAST, 1 - _LEAST)
    return np.where(happened > 0, np.log(chance), np.log1p(-chance))


def _squared_error(happened: FloatArray, chance: FloatArray) -> FloatArray:
    return (happened - chance) ** 2


def _auc(happened: FloatArray, people: IntArray, chances: dict[str, FloatArray]) -> Gain:
    """AUC, with intervals from people drawn again and again (percentiles of 200 resamples)."""
    n_people = int(people.max()) + 1
    sorted_rows = {name: RankedRows(happened, chance) for name, chance in chances.items()}
    whole = {name: ranked.auc(np.ones(len(happened))) for name, ranked in sorted_rows.items()}
    draws = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {"preset": [], "constant": []}
    for _ in range(_RESAMPLES if n_people > 1 else 0):
        counts = np.bincount(draws.integers(0, n_people, n_people), minlength=n_people)[people].astype(np.float64)
        if 0 < counts @ happened < counts.sum():
            ours = sorted_rows["fitted"].auc(counts)
            for name, values in drawn.items():
                values.append(ours - sorted_rows[name].auc(counts))

    def over(name: str) -> Difference:
        low, high = np.quantile(drawn[name], (0.025, 0.975)) if drawn[name] else (None, None)
        return Difference(value=whole["fitted"] - whole[name], low=low, high=high)

    return Gain(
        measure="auc",
        people=n_people,
        exposures=len(happened),
        **whole,
        over_preset=over("preset"),
        over_constant=over("constant"),
    )
