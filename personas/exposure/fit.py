"""From a log of exposures to a calibration: each quantity is fitted if the log can tell it, else it stays a preset.

    1. position   how attention falls over places         `position`: randomised, or harvested within items
    2. level      P(open | looked at) of a random item    the same fit
    3. utility    weights of features, for opens and for likes, with looking taken out; repetition beside them
    4. exit       the hazard of leaving, and of coming back

Nothing is fitted on people held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.exposures import UNKNOWN, Exposures, Quantity, Shape
from groundlings.environments.package_versions import version_of
from groundlings.personas.exposure.calibration import (
    Counts,
    ExposureCalibration,
    ExposureSource,
    Position,
    relative_curve,
)
from groundlings.personas.exposure.intervals import quantile_of, share_interval
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.exposure.position import Examination, fit_harvested, fit_level, fit_randomised, places_of
from groundlings.personas.exposure.presets import LEVEL, LIKE_LEVEL, POSITION
from groundlings.personas.exposure.sessions import fit_exits, fit_returns, preset_exits, preset_returns
from groundlings.personas.exposure.utility import (
    Features,
    Outcome,
    Shown,
    Utility,
    UtilityPreset,
    fit_liking,
    fit_utility,
    preset_utility,
)

FEWEST_OPENS = 20
"""With fewer opened (or liked) items than this, or fewer that were not, a preset stays."""

_STEEPEST = 10.0
"""Exponent beyond which the likelihood has no maximum for all that a log can tell."""

_LAYOUTS = {"list": "list", "grid": "grid", "flat": "carousel"}


@dataclass(frozen=True, slots=True)
class Audience:
    """What exposures are fitted with.

    Attributes:
        dataset: As in the YAML.
        dataset_hash: SHA-256 over people, items and interactions.
        like_from: The lowest rating that is a like.
        features: A row per exposure; None where nothing is known but the log.
        known_pairs: Exposures of items that the person's history holds; they are left out of utilities, shape (n,).
        held_out: Exposures of people who are not fitted on, shape (n,).
        opening, liking: What is assumed of the two utilities.
        no_features: Why there are none.
    """

    dataset: str
    dataset_hash: str
    like_from: float
    features: Features | None
    known_pairs: BoolArray
    held_out: BoolArray
    opening: UtilityPreset
    liking: UtilityPreset
    no_features: str = "no features were given"


def fit_exposures(
    exposures: Exposures, audience: Audience, *, shape: Shape = "list", columns: int | None = None
) -> ExposureCalibration:
    """Everything that the log tells of the people that are not held out, with intervals.

    Args:
        exposures: At least one row of somebody who is not held out.
        audience: What it is fitted with.
        shape: How shown items lay.
        columns: Of a grid.

    Raises:
        ValueError: Everybody is held out.
    """
    fitted = exposures.take(~audience.held_out)
    if not len(fitted):
        raise ValueError("everybody is held out: nothing is left to fit on")
    missing = fitted.unidentified(everything_seen=shape == "flat")
    examination, why = _examine(fitted, audience, missing, shape, columns)
    position = _position(examination, why, shape, columns)
    opening = _fit_outcome("opened", exposures, audience, missing, position)
    liking = _fit_outcome("liked", exposures, audience, missing, position)
    return ExposureCalibration(
        fitted_on=ExposureSource(
            dataset=audience.dataset,
            dataset_hash=audience.dataset_hash,
            exposures_hash=exposures.fingerprint,
            policy=exposures.policy,
            propensities=exposures.has_propensities,
        ),
        counts=_counts(exposures, fitted, audience),
        position=position,
        level=_level(fitted, missing, examination, position),
        like_level=_like_level(fitted, audience.like_from, missing),
        utility=opening,
        liking=liking,
        exit=preset_exits(missing["exit"]) if "exit" in missing else fit_exits(fitted),
        returns=preset_returns(missing["returns"]) if "returns" in missing else fit_returns(fitted),
        versions={name: version_of(name) for name in ("groundlings", "numpy", "scipy")},
        created=datetime.now(UTC).date().isoformat(),
    )


def _counts(exposures: Exposures, fitted: Exposures, audience: Audience) -> Counts:
    out = audience.held_out
    return Counts(
        people=len(np.unique(fitted.users)),
        exposures=len(fitted),
        lists=len(np.unique(fitted.lists[fitted.lists != UNKNOWN])),
        sessions=len(np.unique(fitted.sessions[fitted.sessions != UNKNOWN])),
        opened=int((fitted.opened == 1).sum()),
        rated=int((~np.isnan(fitted.ratings)).sum()),
        unknown_opens=int(np.isnan(fitted.opened).sum()),
        known_pairs=int(audience.known_pairs[~out].sum()),
        held_out_people=len(np.unique(exposures.users[out])),
        held_out_exposures=int(out.sum()),
        left_out=exposures.left_out,
    )


def _few(outcome: FloatArray, what: str) -> str | None:
    """Why an outcome with known values is too rare, or too common, to fit anything on."""
    yes, no = int((outcome == 1).sum()), int((outcome == 0).sum())
    if min(yes, no) >= FEWEST_OPENS:
        return None
    return f"found {yes} {what} items and {no} others, needed {FEWEST_OPENS} of each"


def _examine(
    fitted: Exposures, audience: Audience, missing: dict[Quantity, str], shape: Shape, columns: int | None
) -> tuple[Examination | None, str]:
    """The fit of examination, or why there is none."""
    if shape == "flat":
        return None, "exposures.shape says that everything shown is looked at"
    if "position" in missing:
        return None, missing["position"]
    randomised = fitted.policy == "random" or fitted.has_propensities
    used = (fitted.positions != UNKNOWN) & ~np.isnan(fitted.opened)
    if not randomised:
        used &= fitted.at_several_positions
    rows = fitted.take(used)
    if few := _few(rows.opened, "opened"):
        return None, few
    places = places_of(rows.positions, shape, columns)
    if places.min() == places.max():
        return None, "all items were shown in one row of the grid"
    people = np.unique(rows.users, return_inverse=True)[1].astype(np.int64)
    if people.max() < 1:
        return None, "all rows are one person's"
    if len(opened_at := np.unique(places[rows.opened == 1])) < 2:
        return None, f"items were opened at place {opened_at[0]} only, which gives looking no finite shape"
    if few := _few_equal(rows):
        return None, few
    found = _examined(rows, places, people, randomised, audience, used)
    if abs(found.exponent) > _STEEPEST:
        return None, "what was opened was opened at one end of the places it had, which gives looking no finite shape"
    return found, ""


def _examined(
    rows: Exposures, places: IntArray, people: IntArray, randomised: bool, audience: Audience, used: BoolArray
) -> Examination:
    if randomised:
        return fit_randomised(rows.opened, places, people, _inverse_propensities(rows))
    features = np.zeros((len(rows), 0))
    if audience.features is not None:
        features = audience.features.values[~audience.held_out][used]
    return fit_harvested(rows.opened, places, people, rows.items.astype(np.int64), features)


def _inverse_propensities(rows: Exposures) -> FloatArray:
    """How much each row counts, 1 on average, shape (n,)."""
    if rows.policy == "random" or not rows.has_propensities:
        return np.ones(len(rows))
    weights = rows.propensities.min() / rows.propensities  # at most 1: the inverse of a tiny chance has no number
    return weights / weights.mean()


def _equal_rows(rows: Exposures) -> float:
    """How many rows of one weight tell as much as these (Kish 1965, "Survey sampling")."""
    weights = _inverse_propensities(rows)
    return float(weights.sum() ** 2 / (weights**2).sum())


def _few_equal(rows: Exposures) -> str | None:
    """Why inverse propensities leave too little to fit anything on."""
    size, needed = _equal_rows(rows), 2 * FEWEST_OPENS
    if size >= min(needed, len(rows)):
        return None
    return (
        f"{len(rows):,} rows weigh as much as {size:,.1f} equal ones, needed {needed}: the smallest propensity is "
        f"{rows.propensities.min():.3g}, the largest {rows.propensities.max():.3g}"
    )


def _position(examination: Examination | None, why: str, shape: Shape, columns: int | None) -> Position:
    preset = POSITION[_LAYOUTS[shape]]
    if examination is None:
        exponent = Parameter.from_preset(preset.exponent, why)
        return Position(kind=shape, columns=columns, exponent=exponent, curve={}, p_values={})
    reach = quantile_of(examination.people)
    method = "rows at all places" if examination.level is not None else "rows of the same item at several places"
    found = Parameter.from_fit(
        examination.exponent,
        examination.error,
        reach,
        f"{method}; clustered by person",
        preset=preset.exponent.value,
    )
    curve = examination.curve
    tested = {
        "power": curve.p_value(None),
        "flat": curve.p_value(0.0),
        "preset": curve.p_value(preset.exponent.value),
    }
    return Position(
        kind=shape,
        columns=columns,
        exponent=_above_zero(found),
        curve=relative_curve(curve.places, curve.logs, curve.covariance, reach),
        p_values={name: p for name, p in tested.items() if p is not None},  # type: ignore[misc]
    )


def _above_zero(found: Parameter) -> Parameter:
    """Attention that rises down a layout is no part of the model: 0 is the nearest that is."""
    if found.value >= 0:
        return found
    note = (
        f"estimated at {found.value:.3f}, as places further down were opened more often; the interval is that figure's"
    )
    return found.model_copy(update={"value": 0.0, "note": note})


def _level(
    fitted: Exposures, missing: dict[Quantity, str], examination: Examination | None, position: Position
) -> Parameter:
    if "level" in missing:
        return Parameter.from_preset(LEVEL, missing["level"])
    known = ~np.isnan(fitted.opened)
    if position.kind != "flat":
        known &= fitted.positions != UNKNOWN
    rows = fitted.take(known)
    if few := _few(rows.opened, "opened") or _few_equal(rows):
        return Parameter.from_preset(LEVEL, few)
    note = _effective(rows)
    # Where the exponent was cut at 0, the level is that of places which are all looked at.
    if examination is not None and examination.level is not None and examination.exponent >= 0:
        return examination.level.model_copy(update={"note": note})
    look = np.zeros(len(rows)) if position.kind == "flat" else np.log(position.look(rows.positions))
    people = np.unique(rows.users, return_inverse=True)[1].astype(np.int64)
    if people.max() < 1:
        return Parameter.from_preset(LEVEL, "all rows are one person's")
    if not position.exponent.fitted and position.kind != "flat":
        note = "; ".join(part for part in (note, "looking is a preset") if part)
    return fit_level(rows.opened, people, _inverse_propensities(rows), look).model_copy(update={"note": note})


def _effective(rows: Exposures) -> str:
    if rows.policy == "random":
        return ""
    return f"inverse propensities, normalised; {len(rows):,} rows weigh as much as {_equal_rows(rows):,.0f} equal ones"


def _like_level(fitted: Exposures, like_from: float, missing: dict[Quantity, str]) -> Parameter:
    if "liked" in missing:
        return Parameter.from_preset(LIKE_LEVEL, missing["liked"])
    if fitted.policy != "random":
        return Parameter.from_preset(LIKE_LEVEL, "the rated items are a recommender's choice, not random ones")
    liked = fitted.liked(like_from)
    known = ~np.isnan(liked)
    people = np.unique(fitted.users[known], return_inverse=True)[1].astype(np.int64)
    share, low, high = share_interval(liked[known], people)
    source = f"likes among {int(known.sum()):,} rated random items; Wilson, with rows of one person taken together"
    note = "" if known.all() else f"of the {known.mean():.0%} of the shown items that were rated"
    return Parameter(
        value=share, low=low, high=high, origin="fitted", source=source, note=note, preset=LIKE_LEVEL.value
    )


def _fit_outcome(
    outcome: Outcome, exposures: Exposures, audience: Audience, missing: dict[Quantity, str], position: Position
) -> Utility:
    """Weights of one outcome, or the preset and why."""
    preset = audience.opening if outcome == "opened" else audience.liking
    features = audience.features
    no_repeat = missing.get("repeat", "nobody was shown an item again that is new to the history")
    if outcome in missing or features is None:
        why = missing.get(outcome, audience.no_features)
        names = () if features is None else features.names
        return preset_utility(outcome, preset, names, why, missing.get("repeat", why))
    happened = exposures.opened if outcome == "opened" else exposures.liked(audience.like_from)
    looks = outcome == "opened" and position.kind != "flat" and bool((exposures.positions != UNKNOWN).any())
    used = ~np.isnan(happened) & ~audience.known_pairs
    if looks:
        used &= exposures.positions != UNKNOWN
    fitted = used & ~audience.held_out
    people = len(np.unique(exposures.users[fitted]))
    if few := _few(happened[fitted], outcome) or ("all rows are one person's" if people < 2 else None):
        return preset_utility(outcome, preset, features.names, few, missing.get("repeat", few))
    falls = np.zeros(int(used.sum()))
    if looks:
        falls = -np.log(places_of(exposures.positions[used], position.kind, position.columns))
    shown = Shown(
        happened[used],
        exposures.users[used],
        features.take(used),
        _repeats(exposures, used, fitted) if outcome == "opened" else None,
        position.exponent.value * falls,
        audience.held_out[used],
    )
    if outcome == "liked":
        return fit_liking(shown, preset, no_repeat=no_repeat)
    note = ""
    if not looks and position.kind != "flat":
        note = "of P(open | shown): without positions, looking is not told from wanting"
    look_error = _error(position.exponent, people) * falls
    return fit_utility(outcome, shown, preset, look_error=look_error, no_repeat=no_repeat, note=note)


def _repeats(exposures: Exposures, used: BoolArray, fitted: BoolArray) -> FloatArray | None:
    """log2(1 + times shown before) of the rows that are used; None where no row that is fitted on was shown before."""
    if exposures.shown_before is None or not exposures.shown_before[fitted].any():
        return None
    return np.log2(1 + exposures.shown_before[used].astype(np.float64))


def _error(exponent: Parameter, people: int) -> float:
    """Standard error of an exponent, 0 of a preset."""
    if not exponent.fitted or exponent.low is None or exponent.high is None:
        return 0.0
    return (exponent.high - exponent.low) / (2 * quantile_of(people))
