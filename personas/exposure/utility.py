"""How much a person wants a shown item: a logistic curve over given features, pulled towards a preset.

    P(outcome | looked at) = logistic(intercept + features @ weights + repeat * log2(1 + times shown before))

The outcome is an open, or a like of items that were rated whether opened or not. Weights have a normal prior around
the preset, `SPREAD` log-odds wide per standard deviation of a feature: with few rows they stay near it, with some
thousand rows of some hundred people the log decides. The fit is judged on people whom it has not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.words import persons, plural
from groundlings.personas.exposure.held_out import Gain, gains
from groundlings.personas.exposure.intervals import quantile_of
from groundlings.personas.exposure.opens import OpenFit, Prior, Rows, fit_opens
from groundlings.personas.exposure.parameter import Parameter, Part
from groundlings.personas.exposure.presets import REPEAT

Outcome = Literal["opened", "liked"]

SPREAD = 0.5
"""Standard deviation of the prior: log-odds per standard deviation of a feature, or per doubling of repetitions."""
INTERCEPT_SPREAD = 1.0
"""The same of the intercept, where all features have their means."""


@dataclass(frozen=True, slots=True)
class Features:
    """What a utility is made of.

    Attributes:
        names: One per column.
        values: A row per exposure, shape (n, n_features).
    """

    names: tuple[str, ...]
    values: FloatArray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise ValueError(f"{len(self.names)} names for features of shape {self.values.shape}")

    def take(self, rows: BoolArray) -> Features:
        """Some of the rows."""
        return Features(self.names, self.values[rows])

    def without(self, names: Collection[str]) -> Features:
        """The other columns."""
        kept = [column for column, name in enumerate(self.names) if name not in names]
        return Features(tuple(self.names[column] for column in kept), self.values[:, kept])


@dataclass(frozen=True, slots=True)
class UtilityPreset:
    """The utility without a log.

    Attributes:
        intercept: Log-odds where all features are 0.
        weights: Log-odds per unit of a feature; 0 for those that are not named.
        source: Where they come from.
    """

    intercept: float
    weights: Mapping[str, float] = field(default_factory=dict)
    source: str = "chosen"

    def log_odds(self, features: Features) -> FloatArray:
        """Of every row, shape (n,)."""
        return self.intercept + features.values @ np.array([self.weights.get(name, 0.0) for name in features.names])


class Utility(Part):
    """Weights of one outcome."""

    outcome: Outcome
    intercept: Parameter
    """Log-odds where all features are 0."""
    weights: Mapping[str, Parameter]
    """Log-odds per unit of each feature."""
    repeat: Parameter
    """Log-odds per log2(1 + times shown before)."""
    people: int
    """Whose rows were fitted on; 0 for a preset."""
    exposures: int
    """How many rows were."""
    gains: tuple[Gain, ...] = ()
    """On people held out: how well the fitted utility, the preset and a constant tell what happened."""

    def log_odds(self, features: Features, times: FloatArray | IntArray | float = 0) -> FloatArray:
        """Of the outcome if looked at, shape (n,).

        Args:
            features: With the names that were fitted, in any order.
            times: How often each was shown to the person before.
        """
        missing = [name for name in self.weights if name not in features.names]
        if missing:
            raise ValueError(f"features {', '.join(missing)} are missing; found {', '.join(features.names)}")
        slopes = np.array([self.weights[name].value if name in self.weights else 0.0 for name in features.names])
        return self.intercept.value + features.values @ slopes + self.repeat.value * np.log2(1 + np.asarray(times))


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows of one outcome, all known.

    Attributes:
        happened: 1 or 0, shape (n,).
        people: Numbers of any kind, shape (n,).
        features: Of every row.
        repeats: log2(1 + times shown before), shape (n,); None where the log cannot tell.
        look: Log P(look), shape (n,).
        held_out: Rows of people who are not fitted on, shape (n,).
    """

    happened: FloatArray
    people: IntArray
    features: Features
    repeats: FloatArray | None
    look: FloatArray
    held_out: BoolArray

    def take(self, rows: BoolArray) -> Shown:
        """Some of the rows."""
        return Shown(
            self.happened[rows],
            self.people[rows],
            self.features.take(rows),
            None if self.repeats is None else self.repeats[rows],
            self.look[rows],
            self.held_out[rows],
        )


def preset_utility(outcome: Outcome, preset: UtilityPreset, names: tuple[str, ...], why: str, repeat: str) -> Utility:
    """What is assumed where nothing is fitted.

    Args:
        outcome: Of what.
        preset: Its weights.
        names: Of the features.
        why: Nothing is fitted.
        repeat: Why the effect of repetition is not.
    """
    return Utility(
        outcome=outcome,
        intercept=_as_parameter(preset.intercept, preset.source, why),
        weights={name: _as_parameter(preset.weights.get(name, 0.0), preset.source, why) for name in names},
        repeat=_preset_repeat(outcome, repeat),
        people=0,
        exposures=0,
    )


def fit_utility(
    outcome: Outcome,
    shown: Shown,
    preset: UtilityPreset,
    *,
    look_error: FloatArray | None = None,
    no_repeat: str = "",
    note: str = "",
) -> Utility:
    """Weights of highest posterior likelihood, with intervals, and what they gain on people held out.

    Args:
        outcome: What happened or not.
        shown: With both outcomes among the rows that are not held out.
        preset: What the prior is centred at.
        look_error: How much log P(look) of every row moves with one standard error of its exponent, shape (n,).
        no_repeat: Why the effect of repetition is not fitted.
        note: What to know of the intercept.
    """
    known = shown.take(~shown.held_out)
    names = shown.features.names
    centre = known.features.values.mean(axis=0)
    spread = known.features.values.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    prior = _prior(preset, names, centre, scale, repeats=shown.repeats is not None)
    people = np.unique(known.people, return_inverse=True)[1].astype(np.int64)
    rows = Rows.of(known.happened, people, _design(known, centre, scale), known_look=known.look)
    fit = fit_opens(rows, prior)
    covariance = fit.covariance
    if look_error is not None and look_error.any():
        shift = _shift(rows, fit, prior, look_error[~shown.held_out])
        covariance = covariance + np.outer(shift, shift)
    back = _to_raw(centre, scale, repeats=shown.repeats is not None)
    weights, errors = back @ fit.weights, np.sqrt(np.diag(back @ covariance @ back.T))
    n_people = int(people.max()) + 1
    source = (
        f"{plural(len(rows.opened), 'exposure')} of {persons(n_people)}, pulled towards the preset; clustered by person"
    )
    presets = [preset.intercept, *(preset.weights.get(name, 0.0) for name in names), REPEAT.value]
    found = [
        Parameter.from_fit(float(value), float(error), quantile_of(n_people), source, preset=before)
        for value, error, before in zip(weights, errors, presets, strict=False)
    ]
    utility = Utility(
        outcome=outcome,
        intercept=found[0].model_copy(update={"note": note}),
        weights={
            name: each if varies else _as_parameter(preset.weights.get(name, 0.0), preset.source, _ALIKE)
            for name, each, varies in zip(names, found[1 : len(names) + 1], spread > 1e-9, strict=True)
        },
        repeat=found[-1] if shown.repeats is not None else _preset_repeat(outcome, no_repeat),
        people=n_people,
        exposures=len(rows.opened),
    )
    judged = shown.take(shown.held_out)
    if not len(judged.people):
        return utility
    return utility.model_copy(update={"gains": _judge(utility, judged, preset, known)})


_ALIKE = "the feature is the same in every row, so that no log tells what it does"


def fit_liking(shown: Shown, preset: UtilityPreset, *, no_repeat: str = "") -> Utility:
    """`fit_utility` of likes, with only those further features that the log tells from the preset.

    P(like) of the audience knows the taste already. A weight of another feature that the log cannot tell from its
    preset, here zero, is noise that moves the order of items, so it stays there, and the others are fitted again.

    Args:
        shown, preset, no_repeat: As of `fit_utility`.
    """
    utility = fit_utility("liked", shown, preset, no_repeat=no_repeat)
    told = {name: each for name, each in utility.weights.items() if name not in preset.weights and each.low is not None}
    idle = {name: each for name, each in told.items() if _says_nothing(each)}
    if not idle:
        return utility
    features = shown.features.without(idle)
    again = fit_utility("liked", replace(shown, features=features), preset, no_repeat=no_repeat)
    kept = {
        name: _as_parameter(0.0, preset.source, f"estimated at {each.value:.2f} [{each.low:.2f}, {each.high:.2f}]")
        for name, each in idle.items()
    }
    weights = {name: kept.get(name) or again.weights[name] for name in shown.features.names}
    return again.model_copy(update={"weights": weights})


def _says_nothing(weight: Parameter) -> bool:
    """Whether the interval of a fitted weight includes its preset."""
    assert weight.low is not None
    assert weight.high is not None
    assert weight.preset is not None
    return weight.low <= weight.preset <= weight.high


def _as_parameter(value: float, source: str, why: str) -> Parameter:
    return Parameter(value=value, low=None, high=None, origin="preset", source=source, note=why, preset=value)


def _preset_repeat(outcome: Outcome, why: str) -> Parameter:
    if outcome == "opened":
        return Parameter.from_preset(REPEAT, why)
    return _as_parameter(0.0, "chosen: a person likes an item as much when it is shown again", why)


def _design(shown: Shown, centre: FloatArray, scale: FloatArray) -> FloatArray:
    """Intercept, standardised features, repetitions: shape (n, n_weights)."""
    columns = [np.ones(len(shown.happened)), *((shown.features.values - centre) / scale).T]
    return np.column_stack(columns if shown.repeats is None else [*columns, shown.repeats])


def _prior(
    preset: UtilityPreset, names: tuple[str, ...], centre: FloatArray, scale: FloatArray, *, repeats: bool
) -> Prior:
    """The preset in terms of standardised features."""
    weights = np.array([preset.weights.get(name, 0.0) for name in names])
    mean = [preset.intercept + float(centre @ weights), *(weights * scale), *([REPEAT.value] if repeats else [])]
    spread = [INTERCEPT_SPREAD, *np.full(len(names), SPREAD), *([SPREAD] if repeats else [])]
    return Prior(np.array(mean), 1 / np.array(spread) ** 2)


def _to_raw(centre: FloatArray, scale: FloatArray, *, repeats: bool) -> FloatArray:
    """The matrix that takes weights of standardised features to weights of features as they are."""
    n = len(centre) + 1
    back = np.eye(n + repeats)
    back[0, 1:n] = -centre / scale
    back[range(1, n), range(1, n)] = 1 / scale
    return back


def _shift(rows: Rows, fit: OpenFit, prior: Prior, look_error: FloatArray) -> FloatArray:
    """By how much the weights move with one standard error of the examination exponent, shape (n_weights,).

    The exponent was estimated before (Murphy and Topel 1985, "Estimation and inference in two-step econometric
    models").
    """
    moved = Rows(rows.opened, rows.people, rows.design, rows.look_design, rows.known_look + look_error, rows.counts)
    return fit_opens(moved, prior).weights - fit.weights


def _judge(utility: Utility, judged: Shown, preset: UtilityPreset, known: Shown) -> tuple[Gain, ...]:
    times = np.zeros(len(judged.people)) if judged.repeats is None else 2**judged.repeats - 1
    seen = np.exp(judged.look)
    repeat = np.zeros(1) if judged.repeats is None else REPEAT.value * judged.repeats
    constant = known.happened.mean() / np.exp(known.look).mean()
    return gains(
        judged.happened,
        judged.people,
        fitted=seen * expit(utility.log_odds(judged.features, times)),
        preset=seen * expit(preset.log_odds(judged.features) + repeat),
        constant=np.minimum(seen * constant, 1.0),
    )
