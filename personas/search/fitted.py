"""How people read results, as one file: fitted on logged search sessions, read by `mind.search.fitted`.

A file holds counts, figures and hashes, and no person, query, title or click of the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import Field, model_validator

from groundlings.environments.fitted_files import read_fitted
from groundlings.environments.words import plural
from groundlings.personas.exposure.parameter import Parameter, Part
from groundlings.personas.search.rules import STOP_FEATURES, SearchRules

Examined: TypeAlias = Literal["position_based", "user_browsing"]
"""The click models whose examination is a table."""

_MOST_WEIGHT = 1_000_000
"""Log-odds that a rule of stopping may add: far beyond any that is estimated."""

COMMAND = "groundlings search-sessions FILE --out FITTED"
"""Makes such a file."""


class SessionSource(Part):
    """What was fitted on."""

    file: str
    """Its name, without the place."""
    sha256: str
    """Over the file."""
    people: int = Field(ge=1)
    sessions: int = Field(ge=1)
    pages: int = Field(ge=1)
    results: int = Field(ge=1)
    clicks: int = Field(ge=0)
    clicked_only: bool
    """Whether every page has a click, so that pages without one were left out of the log; how often people click
    nothing is then what the click model makes of the others."""


class HeldAgainst(Part):
    """A figure of simulated sessions beside real ones, people left out of the fit."""

    distance: float
    """Between simulated sessions of half of the people and real ones of the others, mean over random halves."""
    floor_95: float
    """95 % quantile of the same distance between real people and other real people."""
    within: bool


class FittedSearch(Part):
    """All that a log of search sessions says of how people read results."""

    format: Literal["groundlings search 1"] = "groundlings search 1"
    fitted_on: SessionSource
    click_model: Examined
    """Of the two, the one of higher likelihood for people left out."""
    log_likelihood: Mapping[Examined, float]
    """Of both, per result of people left out, given the clicks above it."""
    examination: tuple[tuple[float, ...], ...] = Field(min_length=2)
    """P(look) per rank, and of `user_browsing` per rank of the last click above, 0 for none."""
    level: Parameter
    """P(click | looked at), mean over the results of the log."""
    stop: Mapping[str, Parameter]
    """Log-odds that a page is the session's last: `intercept`, and a weight per feature."""
    reformulation: Parameter
    """P(the next page is of another query | goes on)."""
    simulated: Mapping[str, HeldAgainst]
    """How far sessions that such rules make are from real ones, by figure."""
    versions: Mapping[str, str]
    """Package -> version."""
    created: str
    """Date, ISO 8601."""

    @model_validator(mode="after")
    def _figures_can_be(self) -> FittedSearch:
        depth, cases = len(self.examination), 1 if self.click_model == "position_based" else len(self.examination)
        if any(len(row) != cases for row in self.examination):
            raise ValueError(f"examination of a {self.click_model} model of {depth} ranks has {cases} columns")
        if not all(0 <= chance <= 1 for row in self.examination for chance in row):
            raise ValueError("examination holds what is no probability")
        if not 0 < self.level.value < 1:
            raise ValueError(f"level is {self.level.value:g}, expected a probability above 0 and below 1")
        if not 0 <= self.reformulation.value <= 1:
            raise ValueError(f"reformulation is {self.reformulation.value:g}, expected a probability")
        if self.stop.keys() != {"intercept", *STOP_FEATURES}:  # a weight that is not there is unknown, and not 0
            raise ValueError(f"stop weighs {', '.join(self.stop)}; expected intercept, {', '.join(STOP_FEATURES)}")
        for name, weight in self.stop.items():  # sums of larger ones are no numbers
            if not abs(weight.value) <= _MOST_WEIGHT:
                raise ValueError(
                    f"stop.{name} is {weight.value:g}, expected log-odds from -{_MOST_WEIGHT:,} to {_MOST_WEIGHT:,}"
                )
        return self

    @property
    def sha256(self) -> str:
        """Over all that changes a decision, in hexadecimal."""
        content = self.model_dump(mode="json", exclude={"versions", "created", "simulated", "log_likelihood"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def rules(self) -> SearchRules:
        """The same as arrays."""
        return SearchRules(
            np.array(self.examination),
            np.array([self.stop[name].value for name in ("intercept", *STOP_FEATURES)]),
            self.level.value,
            self.reformulation.value,
        )

    @property
    def origin(self) -> str:
        """What it was fitted on, in words."""
        source = self.fitted_on
        return f"fitted on {plural(source.people, 'person', 'people')}'s sessions of {source.file}"

    def summary(self) -> dict[str, Any]:
        """For manifests: what decides, what it rests on, and the hash."""
        return {
            "sha256": self.sha256,
            "origin": self.origin,
            "fitted_on": self.fitted_on.model_dump(mode="json"),
            "click_model": self.click_model,
            "ranks": len(self.examination),
            "level": self.level.value,
            "stop": {name: weight.value for name, weight in self.stop.items()},
            "reformulation": self.reformulation.value,
        }

    def as_text(self) -> str:
        """What the file holds; reading it gives the same."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def read_fitted_search(path: Path) -> FittedSearch:
    """The figures in a file.

    Raises:
        ConfigError: There is no such file.
        DataError: It is none of ours, or damaged.
    """
    return read_fitted(
        path, FittedSearch, what="what was fitted on search sessions", file="a file of fitted search", command=COMMAND
    )
