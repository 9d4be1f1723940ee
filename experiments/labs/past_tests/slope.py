"""The slope of real on simulated effects, where both are known with an error.

The structural model of errors in variables (Fuller 1987, "Measurement error models", section 2.2), with the errors that
the tests themselves state and a rest that they do not explain:

    simulated_i = a_i + u_i            u_i ~ N(0, simulated_error_i^2)       a_i ~ N(0, spread^2)
    real_i      = slope * a_i + r_i + e_i    e_i ~ N(0, real_error_i^2)      r_i ~ N(0, rest^2)

a_i is what a simulation of infinitely many agents would find. With `rest` 0 and equal errors it is Deming regression
through the origin; with simulated errors 0 it is regression weighted by the real variances. Through the origin, because
which of two arms is called the baseline is arbitrary: turning a test round turns both effects round. Estimates are of
maximum likelihood, intervals of the profile likelihood, with Student's quantile instead of the normal one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from groundlings.environments.arrays import FloatArray

FEWEST = 4
"""Tests below which no slope is fitted: the model has three numbers of its own."""

_FARTHEST = 1e3
"""Slopes, in units of real over simulated spread, beyond which an interval is called unbounded."""

Places = Sequence[Sequence[float]]
"""Points in the space of what is fitted."""

_PRECISION = 0.01
"""Of the ends of an interval, in standard errors."""


@dataclass(frozen=True, slots=True)
class Effects:
    """Real and simulated effects of the same tests, shape (n,) each.

    Attributes:
        real, real_error: Effect and standard error.
        simulated, simulated_error: Likewise.
        experiments: Number of the experiment that each belongs to; arms of one experiment share a baseline.
    """

    real: FloatArray
    real_error: FloatArray
    simulated: FloatArray
    simulated_error: FloatArray
    experiments: FloatArray

    def __len__(self) -> int:
        return len(self.real)

    def take(self, rows: np.ndarray) -> Effects:
        """Some of the tests, by number or mask."""
        return Effects(
            self.real[rows],
            self.real_error[rows],
            self.simulated[rows],
            self.simulated_error[rows],
            self.experiments[rows],
        )

    @property
    def n_experiments(self) -> int:
        """How many experiments they come from."""
        return len(np.unique(self.experiments))


@dataclass(frozen=True, slots=True)
class Slope:
    """The fitted model.

    Attributes:
        value: Real effect per unit of simulated effect.
        error: Standard error of `value`, from the curvature of the profile likelihood.
        low, high: Ends of the 95 % interval; None where the likelihood does not bound it.
        spread: Standard deviation of simulated effects without their errors.
        rest: Standard deviation of real effects around the line without their errors: the root of the mean of rest^2
            over its likelihood. Its most likely value is 0 for many a dozen of tests that do scatter.
        n, n_experiments: Tests that it was fitted on, and the experiments that they come from.
        largest: Largest simulated effect among them, without its sign.
    """

    value: float
    error: float
    low: float | None
    high: float | None
    spread: float
    rest: float
    n: int
    n_experiments: int
    largest: float

    @property
    def quantile(self) -> float:
        """Student's, for 95 %, with as many degrees of freedom as there are experiments less one."""
        return float(stats.t.ppf(0.975, max(self.n_experiments - 1, 1)))

    def predict(self, simulated: float, simulated_error: float) -> tuple[float, float]:
        """The real effect to be expected, and its standard deviation (that of the slope and the rest included).

        The expectation of the structural model given what was simulated: an effect that is small beside its own error
        is pulled towards zero.
        """
        inside = self.spread**2 + simulated_error**2
        trust = self.spread**2 / inside if inside > 0 else 1.0
        expected = self.value * trust * simulated
        variance = (self.error * trust * simulated) ** 2 + (self.value * simulated_error) ** 2 * trust + self.rest**2
        return expected, float(np.sqrt(variance))


def fit_slope(effects: Effects, *, interval: bool = True) -> Slope | None:
    """The slope; None with fewer tests than `FEWEST`, or where nothing was simulated to differ.

    Args:
        effects: The tests.
        interval: Whether its interval is wanted; without one it takes a fifth of the time.
    """
    if len(effects) < FEWEST or effects.n_experiments < 2 or not np.any(effects.simulated) or not np.any(effects.real):
        return None
    across, up = _scale(effects.simulated), _scale(effects.real)
    profile = _Profile(
        effects.simulated / across, (effects.simulated_error / across) ** 2,
        effects.real / up, (effects.real_error / up) ** 2,
    )  # fmt: skip
    best = profile.best()
    step = 0.05
    curvature = (profile.at(best.slope + step, best) - 2 * best.loss + profile.at(best.slope - step, best)) / step**2
    unit = up / across
    error = 1 / np.sqrt(curvature) if curvature > 1e-9 else _FARTHEST
    found = Slope(
        value=best.slope * unit, error=float(error * unit), low=None, high=None,
        spread=abs(best.spread) * across, rest=profile.rest(best) * up,
        n=len(effects), n_experiments=effects.n_experiments, largest=float(np.abs(effects.simulated).max()),
    )  # fmt: skip
    if not interval:
        return found
    low, high = (profile.end(best, sign * min(error, 0.5), found.quantile**2 / 2) for sign in (-1, 1))
    return Slope(
        value=found.value, error=found.error,
        low=None if low is None else low * unit, high=None if high is None else high * unit,
        spread=found.spread, rest=found.rest, n=found.n, n_experiments=found.n_experiments, largest=found.largest,
    )  # fmt: skip


def _scale(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@dataclass(frozen=True, slots=True)
class _Fit:
    """A point of the likelihood: half its deviance, slope, spread and rest (their signs mean nothing)."""

    loss: float
    slope: float
    spread: float
    rest: float


@dataclass(frozen=True, slots=True)
class _Profile:
    """The likelihood of effects with mean squares of 1; errors come as variances, shape (n,) each."""

    simulated: FloatArray
    simulated_variance: FloatArray
    real: FloatArray
    real_variance: FloatArray

    def losses(self, places: Places) -> FloatArray:
        """Minus the log-likelihood of slope, spread and rest, up to a constant, at several places."""
        # As Python's own numbers: its squares and NumPy's may differ in the last digit.
        alone = [(spread**2, slope * spread**2, slope * (slope * spread**2), rest**2) for slope, spread, rest in places]
        inner, both, along, beyond = np.array(alone).T[:, :, np.newaxis]
        squared = np.array([[part**2] for _, part, _, _ in alone])
        across = inner + self.simulated_variance + _FLOOR
        up = along + beyond + self.real_variance + _FLOOR
        determinant = across * up - squared
        distance = up * self.simulated**2 - 2 * both * self.simulated * self.real + across * self.real**2
        found: FloatArray = 0.5 * (np.log(determinant) + distance / determinant).sum(axis=1)
        return found

    def best(self) -> _Fit:
        """The estimate of maximum likelihood, from three starts."""
        weight = 1 / (self.real_variance + 0.25)
        first = float((weight * self.simulated * self.real).sum() / (weight * self.simulated**2).sum())
        starts = ((first, 0.8, 0.5), (first * 1.5, 0.5, 0.2), (float(np.sign(first)) or 1.0, 0.9, 0.1))
        least, (slope, spread, rest) = min(_minimised(self.losses, start) for start in starts)
        return _Fit(least, slope, spread, rest)

    def rest(self, best: _Fit) -> float:
        """The root of the mean of rest^2 over the likelihood, slope and spread as estimated."""
        grid = np.linspace(0, 2.5, 126)
        losses = self.losses([(best.slope, best.spread, rest) for rest in grid.tolist()])
        weights = np.exp(losses.min() - losses)
        freedom = len(self.real) / (len(self.real) - 1)  # the slope was fitted to the same tests
        return float(np.sqrt(freedom * (weights * grid**2).sum() / weights.sum()))

    def at(self, slope: float, best: _Fit) -> float:
        """The least loss with this slope, sought from where the best fit is."""

        def losses(places: Places) -> FloatArray:
            return self.losses([(slope, *place) for place in places])

        return _minimised(losses, (max(abs(best.spread), 0.2), max(abs(best.rest), 0.1)))[0]

    def end(self, best: _Fit, step: float, allowed: float) -> float | None:
        """Where the profile has risen by `allowed` above the best, on the side of `step`; None where it never does."""
        inside, outside, near = best.slope, best.slope + step, abs(step) * _PRECISION
        while self.at(outside, best) - best.loss < allowed:
            inside, step = outside, 2 * step
            outside = outside + step
            if abs(outside) > _FARTHEST:
                return None
        while abs(outside - inside) > near:
            middle = (inside + outside) / 2
            if self.at(middle, best) - best.loss < allowed:
                inside = middle
            else:
                outside = middle
        return (inside + outside) / 2


def _minimised(losses: Callable[[Places], FloatArray], start: Sequence[float]) -> tuple[float, list[float]]:
    """The least value of a smooth function near a start, and where it is.

    Args:
        losses: Its values at several places. A place and a step in each direction are asked for together, which takes
            a fraction of the time that SciPy takes for the same differences.
        start: Where it is sought.
    """

    def value_and_gradient(place: FloatArray) -> tuple[float, FloatArray]:
        moved = place + _STEP
        around = [place.tolist() for _ in range(1 + len(place))]
        for direction, further in enumerate(moved.tolist()):
            around[1 + direction][direction] = further
        found = losses(around)
        return float(found[0]), (found[1:] - found[0]) / (moved - place)

    found = optimize.minimize(value_and_gradient, np.array(start), jac=True, method="BFGS")
    return float(found.fun), [float(each) for each in found.x]


_STEP = float(np.sqrt(np.finfo(np.float64).eps))
"""In units of the spread, for the gradient."""

_FLOOR = 1e-9
"""Variance that keeps the likelihood finite where an effect is stated without any error."""
