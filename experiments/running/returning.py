"""From `simulation.returns` to the model by which people come back: estimated, stated or read, and described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.environment import Environment
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.split import Split, test_people
from groundlings.environments.words import persons, plural
from groundlings.experiments.config.returning import ReturnsConfig
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.personas.exposure.calibration import read_exposure_calibration
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.population import Population
from groundlings.personas.returning.estimate import ReturnEstimate, estimate_returns
from groundlings.personas.returning.families import log_median_of_chance
from groundlings.personas.returning.found import found_effect
from groundlings.personas.returning.history import ReturnHistory, read_sessions
from groundlings.personas.returning.presets import AFTER_SESSION
from groundlings.simulator.returns.rule import Effects, Fatigue, ReturnModel, Typical


@dataclass(frozen=True)
class PlannedReturns:
    """When people come back, and where its figures come from.

    Attributes:
        model: For the simulation.
        described: Every figure with its origin, plain JSON values.
        lines: What whoever runs it should read.
        exposures_hash: Of the calibration that was read; "" where none was.
    """

    model: ReturnModel
    described: Mapping[str, Any]
    lines: tuple[str, ...]
    exposures_hash: str = ""


def planned_returns(
    config: ExperimentConfig, dataset: Dataset, split: Split, population: Population, environment: Environment[Any]
) -> PlannedReturns | None:
    """What `simulation.returns` asks for; None where people come with the same chance on every day and nothing else.

    Nothing is estimated on the test third of the people; each agent's own training history says how often it comes.

    Raises:
        ConfigError: The data set or the environment lacks what it needs.
        DataError: There are too few gaps, or the named file cannot be read.
    """
    wanted = config.simulation.returns
    if wanted is None or wanted == ReturnsConfig():
        return None
    _check_world(wanted, dataset, environment)
    found = _Found(config, dataset, split, population)
    gaps = {
        "daily_chance": found.daily_chance,
        "history": found.of_history,
        "stated": found.stated,
        "exposures": found.of_exposures,
    }
    model = gaps[wanted.kind]()
    churn, arrivals = wanted.churn, wanted.arrivals
    model = replace(
        model,
        effects=Effects(**{name: found.coefficient(name) for name in AFTER_SESSION}),
        typical=Typical(**wanted.typical.model_dump()),
        fatigue=Fatigue(**wanted.fatigue.model_dump()),
        sessions_per_day=wanted.sessions_per_day,
        again=0.0 if wanted.again is None else found.chance("again", wanted.again, found.same_day),
    )
    if churn is not None:
        effects = Effects(churn.satisfaction, churn.found, churn.fatigue)
        model = replace(model, churn=found.chance("churn.chance", churn.chance, found.churn), churn_effects=effects)
    if arrivals is not None:
        model = replace(model, newcomers=arrivals.share, newcomer_days=arrivals.over_days)
    return PlannedReturns(model, found.described, tuple(found.lines), found.exposures_hash)


def _check_world(wanted: ReturnsConfig, dataset: Dataset, environment: Environment[Any]) -> None:
    """Raise `ConfigError` where something would act that this data set or environment does not have."""
    churn, after = wanted.churn, wanted.after_session
    acts = {
        name: bool(getattr(after, name)) or (churn is not None and bool(getattr(churn, name))) for name in AFTER_SESSION
    }
    where = "simulation.returns"
    if acts["satisfaction"] and "satisfaction" not in environment.schema.names:
        raise ConfigError(
            f"{where}: a coefficient of satisfaction acts only where sessions tell one; this environment offers "
            f"{', '.join(environment.schema.names)}; take the coefficient out"
        )
    if acts["fatigue"] and not dataset.catalog.genre_names:
        raise ConfigError(
            f"{where}: fatigue comes from lists of items of the same categories, and the items of {dataset.name!r} "
            "have none; name a column with categories (dataset.own.items.genres), or take the coefficient out"
        )
    if wanted.kind == "history" and not dataset.times_known:
        raise ConfigError(f"{where}.kind: history needs times, and {dataset.name!r} has none; write kind: stated")


class _Found:
    """The figures that are looked up, each with where it comes from."""

    def __init__(self, config: ExperimentConfig, dataset: Dataset, split: Split, population: Population) -> None:
        assert config.simulation.returns is not None
        self.wanted = config.simulation.returns
        self.described: dict[str, Any] = {"kind": self.wanted.kind}
        self.lines: list[str] = []
        self.exposures_hash = ""
        self._config, self._dataset, self._split, self._population = config, dataset, split, population
        self._fitted_on: ReturnHistory | None = None
        self._estimate: ReturnEstimate | None = None

    def daily_chance(self) -> ReturnModel:
        return self._alike(self._config.simulation.visit_probability)

    def stated(self) -> ReturnModel:
        wanted = self.wanted
        assert wanted.median_days is not None
        from scipy.special import ndtri

        own = ndtri(np.clip(self._uniform(), 1e-12, 1 - 1e-12)) * wanted.spread
        self.described |= wanted.model_dump(include={"family", "median_days", "shape", "spread"})
        return ReturnModel(wanted.family, wanted.shape, np.log(wanted.median_days) + own)

    def of_exposures(self) -> ReturnModel:
        assert self.wanted.exposures is not None
        read = read_exposure_calibration(self._config.base / self.wanted.exposures)
        self.exposures_hash, daily = read.sha256, read.returns.daily
        self.described["daily"] = daily.model_dump(mode="json")
        told = f"returns: {_spoken(daily)} per day after the last session"
        self.lines.append(f"{told}; a preset: {daily.note}" if daily.origin == "preset" else told)
        if read.fitted_on.dataset_hash != self._dataset.real.fingerprint:
            self.lines.append("returns: the file was fitted on other data; how far it holds here is not known")
        return self._alike(daily.value)

    def of_history(self) -> ReturnModel:
        wanted, people = self.wanted, self._dataset.people.user_ids
        everybody = read_sessions(
            self._split.train,
            wanted.session_gap_minutes * 60,
            ends_together=self._config.split.kind == "global_temporal",
        )
        fitting = ~test_people(people, self._config.split.salt)
        fitting[len(self._dataset.real.people) :] = False  # synthetic users: nobody came back
        self._fitted_on = everybody.of(fitting)
        self._estimate = found = estimate_returns(self._fitted_on)
        self.described["history"] = {"session_gap_minutes": wanted.session_gap_minutes, **found.describe()}
        self.lines += _lines_of(found)
        medians = found.log_medians(everybody, self._population.users, self._uniform())
        return ReturnModel(found.family, found.shape_value, medians)

    def coefficient(self, name: str) -> float:
        """What `after_session` says of a signal, or where it tells to look."""
        said = getattr(self.wanted.after_session, name)
        if isinstance(said, float):
            self._tell(f"after_session.{name}", {"value": said, "origin": "stated"})
            return said
        if said == "preset":
            figure = Parameter.from_preset(AFTER_SESSION[name], "assumed: no data were asked")
        else:
            assert self._fitted_on is not None
            assert self._estimate is not None
            figure = found_effect(self._fitted_on, self._estimate)
        self.lines.append(f"returns: {name} {_spoken(figure)} on the log hazard ({figure.origin})")
        self._tell(f"after_session.{name}", figure.model_dump(mode="json"))
        return figure.value

    def chance(self, key: str, said: float | str, estimated: Callable[[], Parameter]) -> float:
        """A stated chance, or the estimated one."""
        if isinstance(said, float):
            self._tell(key, {"value": said, "origin": "stated"})
            return said
        figure = estimated()
        self._tell(key, figure.model_dump(mode="json"))
        return figure.value

    def churn(self) -> Parameter:
        assert self._estimate is not None
        if self._estimate.churn is None:
            raise ConfigError(
                f"simulation.returns.churn.chance: the history cannot tell who left for good: {self._estimate.note}; "
                "or state a chance"
            )
        self.lines.append(f"returns: {_spoken(self._estimate.churn)} never come back after a session")
        return self._estimate.churn

    def same_day(self) -> Parameter:
        assert self._estimate is not None
        return self._estimate.same_day

    def _tell(self, key: str, what: Any) -> None:
        self.described[key] = what

    def _alike(self, chance: float) -> ReturnModel:
        self.described.setdefault("daily", {"value": chance, "origin": "stated"})
        medians = np.full(len(self._population), log_median_of_chance(chance))
        return ReturnModel("exponential", 1.0, medians)

    def _uniform(self) -> FloatArray:
        """A number per agent that no arm changes, shape (n_agents,)."""
        return Draws.for_sessions(self._config.seed, self._population.users, 0).uniform("own median gap")


def _lines_of(found: ReturnEstimate) -> list[str]:
    """What was estimated on the history."""
    best = max(found.candidates, key=lambda candidate: candidate.log_likelihood)
    alike = [each.log_likelihood for each in found.candidates if each.family == "exponential" and not each.personal]
    lines = [
        f"returns: {found.family.replace('_', '-')} gaps{' of each person' if found.personal else ''}, median "
        f"{_spoken(found.median_days)} days, from {plural(found.gaps, 'gap')} of {persons(found.people)}; on "
        f"{plural(found.held_out_gaps, 'held-out gap')} {best.log_likelihood - alike[0]:+.3f} log-likelihood per "
        "gap against "
        "one daily chance for everybody"
    ]
    return [*lines, f"returns: {found.note}"] if found.note else lines


def _spoken(figure: Parameter) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3g} (no interval)"
    return f"{figure.value:.3g} [{figure.low:.3g}, {figure.high:.3g}]"
