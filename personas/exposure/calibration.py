"""What people do in front of a page, as one file: what was fitted, with intervals, and what stayed a preset, and why.

A mind reads `position`, `level`, `utility` (of opening), `liking` (of liking what is shown), `exit` and `returns`. A
file holds counts, figures and hashes, and no person, item or rating of the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.exposures import Policy, Shape
from groundlings.environments.fitted_files import read_fitted
from groundlings.personas.exposure.parameter import Parameter, Part
from groundlings.personas.exposure.position import places_of
from groundlings.personas.exposure.sessions import Exits, Returns
from groundlings.personas.exposure.utility import Utility


class ExposureSource(Part):
    """What was fitted on."""

    dataset: str
    """As in the YAML."""
    dataset_hash: str
    """SHA-256 over people, items and interactions."""
    exposures_hash: str
    """SHA-256 over the rows that were read."""
    policy: Policy
    """How the shown items were chosen."""
    propensities: bool
    """Whether every row has one."""


class Counts(Part):
    """How much was fitted on."""

    people: int
    exposures: int
    lists: int
    sessions: int
    opened: int
    rated: int
    unknown_opens: int
    """Exposures of which the file does not say whether they were opened; none of them counts as not opened."""
    known_pairs: int
    """Exposures of items that the person's history holds: left out of the utility, whose features are of new items."""
    held_out_people: int
    """Nothing is fitted on them; gains are theirs."""
    held_out_exposures: int
    left_out: Mapping[str, int]
    """Rows of the file that were not read, by reason."""


class Position(Part):
    """P(look at place k) = k ** -exponent."""

    kind: Shape
    """What a place is: positions of a `list`, rows of a `grid`; in a `flat` layout everything is looked at."""
    columns: int | None = None
    """Items per row of a grid."""
    exponent: Parameter
    """At least 0; where an estimate was below, 0 stands beside the estimate's interval, and a note says so."""
    curve: Mapping[int, Parameter]
    """Place -> P(look) relative to the first place, free of any shape; empty where it is not told."""
    p_values: Mapping[Literal["power", "flat", "preset"], float]
    """Of the free curve being k ** -exponent for some exponent, flat, or the preset; empty where not tested."""

    def look(self, positions: IntArray) -> FloatArray:
        """P(look) of positions (from 1), shape (n,)."""
        places = places_of(positions, self.kind, self.columns).astype(np.float64)
        return np.asarray(places**-self.exponent.value, dtype=np.float64)


class ExposureCalibration(Part):
    """All that a log of exposures says, the rest as presets."""

    format: Literal["groundlings exposures 1"] = "groundlings exposures 1"
    fitted_on: ExposureSource
    counts: Counts
    position: Position
    level: Parameter
    """P(open | looked at) of an item drawn at random."""
    like_level: Parameter
    """P(like | shown) of an item drawn at random."""
    utility: Utility
    """Of opening what is looked at."""
    liking: Utility
    """Of liking what is shown, opened or not."""
    exit: Exits
    returns: Returns
    versions: Mapping[str, str]
    """Package -> version."""
    created: str
    """Date, ISO 8601."""

    @model_validator(mode="after")
    def _figures_can_be(self) -> ExposureCalibration:
        chances = {"level": self.level, "like_level": self.like_level, "exit.hazard": self.exit.hazard}
        for name, chance in {**chances, "returns.daily": self.returns.daily}.items():
            if not 0 <= chance.value <= 1:
                raise ValueError(f"{name} is {chance.value:g}, expected a probability")
        if self.position.exponent.value < 0:
            raise ValueError(f"position.exponent is {self.position.exponent.value:g}, expected 0 or more")
        if (self.position.kind == "grid") != ((self.position.columns or 0) > 0):
            raise ValueError(f"position is a {self.position.kind} with {self.position.columns or 'no'} columns")
        return self

    @property
    def repeat(self) -> Parameter:
        """Log-odds of opening per log2(1 + times shown before)."""
        return self.utility.repeat

    @property
    def sha256(self) -> str:
        """Over all that changes a decision, in hexadecimal."""
        content = self.model_dump(mode="json", exclude={"versions", "created"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every figure with its name, in the order of the file."""
        yield "position.exponent", self.position.exponent
        yield "level", self.level
        yield "like_level", self.like_level
        for name, utility in (("utility", self.utility), ("liking", self.liking)):
            yield f"{name}.intercept", utility.intercept
            yield from ((f"{name}.{feature}", weight) for feature, weight in utility.weights.items())
        yield "repeat", self.repeat
        yield "exit.hazard", self.exit.hazard
        yield "exit.slope", self.exit.slope
        yield "returns.daily", self.returns.daily

    def summary(self) -> dict[str, Any]:
        """For manifests: every figure with its interval and origin, what it rests on, and the hash."""
        return {
            "sha256": self.sha256,
            "fitted_on": self.fitted_on.model_dump(mode="json"),
            "counts": self.counts.model_dump(mode="json"),
            "parameters": {
                name: parameter.model_dump(include={"value", "low", "high", "origin"})
                for name, parameter in self.parameters()
            },
        }

    def as_text(self) -> str:
        """What the file holds; reading it gives the same."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def read_exposure_calibration(path: Path) -> ExposureCalibration:
    """The figures in a file.

    Raises:
        ConfigError: There is no such file.
        DataError: It is none of ours, or damaged.
    """
    return read_fitted(
        path,
        ExposureCalibration,
        what="the calibration of exposures",
        file="a calibration of exposures",
        command="groundlings calibrate CONFIG --exposures LOG --out FILE",
    )


def relative_curve(places: IntArray, logs: FloatArray, covariance: FloatArray, reach: float) -> dict[int, Parameter]:
    """P(look) of each place relative to the first, with intervals.

    Args:
        places: Shape (n,).
        logs: 0 for the first, shape (n,).
        covariance: Of all but the first.
        reach: Standard errors to each side.
    """
    errors = np.r_[0.0, np.sqrt(np.maximum(np.diag(covariance), 0))] if len(covariance) else np.zeros(len(places))
    return {
        int(place): Parameter.from_fit(
            float(log), float(error), reach, f"relative to place {int(places[0])}; clustered by person", scale=_exp
        )
        for place, log, error in zip(places, logs, errors, strict=True)
    }


def _exp(value: float) -> float:
    return float(np.exp(np.clip(value, -700, 700)))
