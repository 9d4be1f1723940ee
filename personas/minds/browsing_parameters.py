"""How people browse, settled: what the experiment file says, else what a log of exposures said, else a preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.exposures import Shape
from groundlings.personas.exposure.calibration import ExposureCalibration, read_exposure_calibration
from groundlings.personas.exposure.position import places_of
from groundlings.personas.exposure.presets import EXIT, LEVEL, NOT_CHOSEN, POSITION
from groundlings.personas.exposure.utility import Utility
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.taste.model import Taste
from groundlings.personas.taste.utility import FEATURES, MET, SHOWN, UtilityWeights

FILE, LOG, PRESET, HISTORY = "the experiment file", "a log of exposures", "a preset", "the training history"
"""Where a parameter comes from."""

AS_CHOSEN = UtilityWeights(liking=1.0)
"""Likes what is shown in the order of what the taste says of chosen items."""


@dataclass(frozen=True, slots=True)
class BrowsingParameters:
    """All that the click model needs besides taste.

    Attributes:
        shape: What a place on the page is.
        columns: Items per row of a grid, None in other layouts.
        exponent: P(look at place k) = k ** -exponent.
        leave_rate: P(leave) after the first page when it satisfied middlingly.
        fatigue: Log-odds of leaving per further page.
        level: P(open | looked at), mean over random candidates; None where `constant` is known.
        constant: Log-odds of opening an item whose features are all 0; None where the level sets it.
        utility: Weights of the features.
        liking: Weights and constant of the log-odds of liking what is shown, whether or not it is opened.
        opened_as_shown: Whether what is opened is rated by `liking`, too; else as chosen items are, by the taste alone.
        origins: Parameter -> where it comes from, one of the words above.
        grid_exponent: As `exponent`, over the lines of a page that is a grid.
        row_exponent: As `exponent`, over carousels from the top.
        slot_exponent: As `exponent`, along a carousel.
        scroll_probability: P(scroll to the next slot of a carousel | the one before was reached); None where nobody
            says.
    """

    shape: Shape
    columns: int | None
    exponent: float
    leave_rate: float
    fatigue: float
    level: float | None
    constant: float | None
    utility: UtilityWeights
    liking: tuple[UtilityWeights, float] = (AS_CHOSEN, NOT_CHOSEN.value)
    opened_as_shown: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)
    grid_exponent: float = POSITION["grid"].exponent.value
    row_exponent: float = POSITION["list"].exponent.value
    slot_exponent: float = POSITION["carousel"].exponent.value
    scroll_probability: float | None = None

    def look(self, n_slots: int) -> FloatArray:
        """P(look) of each slot of a page, shape (n_slots,)."""
        positions = np.arange(1, n_slots + 1)
        return np.asarray(places_of(positions, self.shape, self.columns) ** -self.exponent, dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """Plain JSON values, for manifests."""
        return {
            "examination_exponent": self.exponent,
            "layout": self.shape,
            "leave_rate": self.leave_rate,
            "fatigue": self.fatigue,
            "random_click_rate": self.level,
            "utility": self.utility.model_dump(),
            "liking": {**self.liking[0].model_dump(), "constant": self.liking[1]},
            "origins": dict(self.origins),
        }


def settle(
    options: BrowsingOptions,
    taste: Taste,
    exposures: ExposureCalibration | None = None,
    new_share: float | None = None,
) -> BrowsingParameters:
    """Every parameter from the first place that says it: experiment file, log of exposures, history, preset.

    Args:
        options: What the experiment file says.
        taste: What people like.
        exposures: What a log of exposures said, None without one.
        new_share: What the history says of the level where items may be shown again: the share of unknown items that
            people take up on one occasion (`RepeatModel.new_share`). Else it is the share that they met in the latest
            fifth of their history.

    Raises:
        ConfigError: The calibration knows other features than this version's.
    """
    origins: dict[str, str] = {}
    shape, columns, exponent = _position(options, exposures, origins)
    leave_rate, fatigue = _exit(options, exposures, origins)
    utility, constant = _utility(options, taste, exposures, origins)
    level = None
    if constant is None:
        met_share = taste.appeal_weights.met_share if new_share is None else new_share
        level = _level(options, met_share, exposures, origins)
    known = exposures is not None and exposures.liking.intercept.fitted
    liking = (AS_CHOSEN, NOT_CHOSEN.value)
    if exposures is not None and known:
        liking = _weights(exposures.liking), exposures.liking.intercept.value
    origins["liking"] = LOG if known else PRESET
    grid_exponent, row_exponent, slot_exponent = _lines(options, exposures)
    return BrowsingParameters(
        shape,
        columns,
        exponent,
        leave_rate,
        fatigue,
        level,
        constant,
        utility,
        liking,
        known,
        origins,
        grid_exponent,
        row_exponent,
        slot_exponent,
        options.scroll_probability,
    )


def _position(
    options: BrowsingOptions, exposures: ExposureCalibration | None, origins: dict[str, str]
) -> tuple[Shape, int | None, float]:
    fitted = None if exposures is None else exposures.position
    if fitted is not None and options.layout is None:
        # The log's layout also where its exponent is a preset: the level was fitted with it.
        shape, columns, exponent = fitted.kind, fitted.columns, fitted.exponent.value
        origin = LOG if fitted.exponent.fitted else PRESET
    else:
        preset = POSITION[options.layout or "list"]
        columns = options.columns if preset.shape == "grid" else None
        shape, exponent, origin = preset.shape, preset.exponent.value, PRESET
    if options.examination_exponent is not None:
        exponent, origin = options.examination_exponent, FILE
        shape = "list" if shape == "flat" else shape  # a stated exponent falls over positions
    origins["examination_exponent"] = origin
    return shape, columns, exponent


def _lines(options: BrowsingOptions, exposures: ExposureCalibration | None) -> tuple[float, float, float]:
    """Exponents over the lines of a grid, over carousels, and along a carousel.

    A log of exposures says only what its own layout says: a list is taken for carousels from the top, too.
    """
    fitted = None if exposures is None else exposures.position

    def of(kind: Shape, preset: str, stated: float | None) -> float:
        if stated is not None:
            return stated
        known = fitted is not None and fitted.kind == kind
        return fitted.exponent.value if fitted is not None and known else POSITION[preset].exponent.value

    own = options.examination_exponent
    return of("grid", "grid", own), of("list", "list", own), of("flat", "carousel", options.slot_exponent)


def _exit(
    options: BrowsingOptions, exposures: ExposureCalibration | None, origins: dict[str, str]
) -> tuple[float, float]:
    if exposures is not None and exposures.exit.hazard.fitted and options.exit is None:
        flat = exposures.exit.kind == "flat"
        values, origin = (exposures.exit.hazard.value, 0.0 if flat else exposures.exit.slope.value), LOG
    else:
        preset = EXIT[options.exit or "flat"]
        values, origin = (preset.hazard.value, preset.slope.value), PRESET
    stated = (options.leave_rate, options.fatigue)
    for name, own in zip(("leave_rate", "fatigue"), stated, strict=True):
        origins[name] = origin if own is None else FILE
    leave_rate, fatigue = (value if own is None else own for value, own in zip(values, stated, strict=True))
    return leave_rate, fatigue


def _utility(
    options: BrowsingOptions, taste: Taste, exposures: ExposureCalibration | None, origins: dict[str, str]
) -> tuple[UtilityWeights, float | None]:
    """Weights, and the constant where opens were logged."""
    origins["utility"] = PRESET if options.utility is None else FILE
    if isinstance(options.utility, UtilityWeights):
        return options.utility, None
    if exposures is not None and options.utility is None and exposures.utility.intercept.fitted:
        origins["utility"] = LOG
        return _weights(exposures.utility), exposures.utility.intercept.value
    rated = taste.stars is not None
    return (SHOWN if rated and options.utility != "met" else MET), None


def _weights(fitted: Utility) -> UtilityWeights:
    if fitted.weights.keys() != set(FEATURES):  # a weight that is not there is unknown, and not 0
        raise ConfigError(
            f"mind.exposures: the calibration weighs {', '.join(sorted(fitted.weights)) or 'nothing'}; this version "
            f"knows {', '.join(FEATURES)}. Fit it again with `groundlings calibrate CONFIG --exposures LOG`"
        )
    return UtilityWeights(**{name: weight.value for name, weight in fitted.weights.items()})


def _level(
    options: BrowsingOptions, met_share: float | None, exposures: ExposureCalibration | None, origins: dict[str, str]
) -> float:
    candidates = (
        (FILE, options.random_click_rate),
        (LOG, exposures.level.value if exposures is not None and exposures.level.fitted else None),
        (HISTORY, met_share),
    )
    for origin, value in candidates:
        if value is not None:
            origins["random_click_rate"] = origin
            return value
    origins["random_click_rate"] = PRESET
    return LEVEL.value


def named_exposures(options: BrowsingOptions, base_directory: Path) -> ExposureCalibration | None:
    """The calibration that the options name, None where they name none.

    Raises:
        UserError: It cannot be read.
    """
    if options.exposures is None:
        return None
    return read_exposure_calibration(base_directory / options.exposures)


_DESCRIBED_ELSEWHERE = ("exposures", "calibration", "offers", "shopping", "social")


def described_browsing(
    options: BrowsingOptions, parameters: BrowsingParameters, exposures: ExposureCalibration | None
) -> dict[str, Any]:
    """Options with what became of them, plain JSON values."""
    unstated = {name for name in ("slot_exponent", "scroll_probability") if getattr(options, name) is None}
    described = options.model_dump(mode="json", exclude={*_DESCRIBED_ELSEWHERE, *unstated})
    described["browsing"] = parameters.describe()
    if exposures is not None:
        described |= {"exposures": exposures.sha256, "exposure_calibration": exposures.summary()}
    return described
