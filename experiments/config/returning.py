"""The `simulation.returns` part of an experiment file: when people come, come back, and leave for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from groundlings.environments.paths import NamedPath
from groundlings.experiments.config.section import Section
from groundlings.personas.returning.families import Family

_LogHazard = Annotated[float, Field(ge=-1000, le=1000)]
_Coefficient = _LogHazard | Literal["preset"]
_Chance = Annotated[float, Field(ge=0, lt=1)]


class AfterSessionConfig(Section):
    """What the last session adds to the log hazard of coming back; 0 = nothing, `preset` = an assumed figure."""

    satisfaction: _Coefficient = 0.0
    """Per point of satisfaction (1 to 10)."""
    found: _LogHazard | Literal["preset", "history"] = 0.0
    """Per doubling of 1 + interactions of the session; `history` estimates it within people, as an association."""
    fatigue: _Coefficient = 0.0
    """At full fatigue; below 0 where fatigue keeps people away."""


class TypicalConfig(Section):
    """The session after which hazards are as stated or estimated: there the coefficients add nothing."""

    satisfaction: Annotated[float, Field(ge=1, le=10)] = 5.5
    """Its satisfaction."""
    found: Annotated[float, Field(ge=0, le=1e9)] = 1.0
    """Its interactions."""
    fatigue: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The fatigue after it."""


class FatigueConfig(Section):
    """How fatigue, from 0 to 1, comes and goes; it rises with lists of items of the same categories."""

    builds: Annotated[float, Field(gt=0, le=1)] = 0.2
    """The share of what is left up to 1 that a session adds, times the mean cosine of the categories of its items."""
    half_life_days: Annotated[float, Field(ge=1e-3)] = 7.0
    """In how many days without a session it halves."""


class ChurnConfig(Section):
    """Leaving for good: after any session a person may never come back."""

    chance: _Chance | Literal["history"] = "history"
    """P(never back after a typical session); `history` takes the estimate, which needs split.kind: global_temporal."""
    satisfaction: _LogHazard = 0.0
    """Added to the log hazard of leaving for good per point of satisfaction; below 0 where it keeps people."""
    found: _LogHazard = 0.0
    """The same per doubling of 1 + interactions."""
    fatigue: _LogHazard = 0.0
    """The same at full fatigue."""


class ArrivalsConfig(Section):
    """New users: a share of the population that is not there on the first day."""

    share: Annotated[float, Field(gt=0, le=1)]
    """How many of the agents are new."""
    over_days: Annotated[int, Field(ge=1, le=1_000_000)]
    """Each has the first session on one of so many days, all alike, from the second day on."""


class ReturnsConfig(Section):
    """When people come back; what happened in their last session may raise or lower the chance."""

    kind: Literal["daily_chance", "history", "stated", "exposures"] = "daily_chance"
    """`daily_chance`: simulation.visit_probability on every day; `history`: gaps between days with a session, estimated
    on the training history with shrinkage, the distribution chosen by held-out likelihood; `stated`: `family`,
    `median_days`, `shape` and `spread`; `exposures`: the daily chance of a file of `groundlings calibrate
    --exposures`."""
    session_gap_minutes: Annotated[float, Field(gt=0, le=1e9)] = 60.0
    """In the history a longer time between two interactions of a person begins a new session."""
    family: Family = "exponential"
    """Of stated gaps."""
    median_days: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """Of stated gaps: the days that half of the gaps of a middling person do not exceed."""
    shape: Annotated[float, Field(ge=1e-3, le=1000)] = 1.0
    """Of stated gaps: Weibull's exponent, or the standard deviation of log-days of `log_normal`."""
    spread: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Of stated gaps: standard deviation of log-medians between people."""
    exposures: NamedPath | None = None
    """The file of `kind: exposures`."""
    after_session: AfterSessionConfig = AfterSessionConfig()
    """What the last session adds to the log hazard of coming back."""
    typical: TypicalConfig = TypicalConfig()
    """The session after which coefficients add nothing."""
    fatigue: FatigueConfig = FatigueConfig()
    """How fatigue comes and goes."""
    churn: ChurnConfig | None = None
    """Leaving for good; nobody does if absent."""
    arrivals: ArrivalsConfig | None = None
    """New users; everybody is there from the first day on if absent."""
    sessions_per_day: Annotated[int, Field(ge=1, le=24)] = 1
    """The most sessions that a person has on a day."""
    again: _Chance | Literal["history"] | None = None
    """P(another session on the same day after a typical session); needed with more than one session per day."""

    @property
    def depend_on_sessions(self) -> bool:
        """Whether what an arm shows can change who comes when."""
        after, leaving = self.after_session, self.churn or ChurnConfig()
        return any(
            getattr(part, name) != 0 for part in (after, leaving) for name in ("satisfaction", "found", "fatigue")
        )

    @model_validator(mode="after")
    def _fits_together(self) -> ReturnsConfig:
        _check_kind(self)
        wanted = [
            ("after_session.found", self.after_session.found == "history"),
            ("churn.chance", self.churn is not None and self.churn.chance == "history"),
            ("again", self.again == "history"),
        ]
        for key, from_history in wanted:
            if from_history and self.kind != "history":
                raise ValueError(f"{key}: `history` is for kind: history, found kind: {self.kind}; state a number")
        if (self.sessions_per_day > 1) != (self.again is not None):
            raise ValueError(
                "again: needed with sessions_per_day above 1, and only with it: P(another session on the same day)"
            )
        return self


def _check_kind(config: ReturnsConfig) -> None:
    """Raise `ValueError` where keys stand beside a kind that does not read them, or it lacks one."""

    def said(*keys: str) -> list[str]:
        # A run's own copy of its file spells out the defaults, so that standing there says nothing.
        return [key for key in keys if getattr(config, key) != ReturnsConfig.model_fields[key].default]

    if config.kind != "stated" and (keys := said("family", "median_days", "shape", "spread")):
        raise ValueError(f"{', '.join(keys)}: only read with kind: stated, found kind: {config.kind}")
    if config.kind == "stated" and config.median_days is None:
        raise ValueError("median_days: needed with kind: stated")
    if config.family == "exponential" and said("shape"):
        raise ValueError("shape: exponential gaps have none; choose family: weibull or log_normal, or take it out")
    if (config.kind == "exposures") != (config.exposures is not None):
        raise ValueError("exposures: the file of kind: exposures; needed with it, and only with it")
    if config.kind != "history" and said("session_gap_minutes"):
        raise ValueError(f"session_gap_minutes: only read with kind: history, found kind: {config.kind}")


def arms_change_sessions(config: Mapping[str, Any]) -> bool:
    """Whether the arms of an experiment can change how many sessions there are.

    Args:
        config: The experiment file as plain values, as `runs.config` holds it; also of a run before this key existed.
    """
    said = (config.get("simulation") or {}).get("returns")
    return said is not None and ReturnsConfig.model_validate(said).depend_on_sessions
