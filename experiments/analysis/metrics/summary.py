"""A finished log in figures: what `summary.json` holds, and what every report is drawn from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, Estimate, mean_interval
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of
from groundlings.experiments.analysis.metrics.counts import ArmCounts, count_arms
from groundlings.experiments.analysis.metrics.definitions import METRICS
from groundlings.experiments.analysis.metrics.totals import Totals, session_totals
from groundlings.experiments.config.designs import design_of
from groundlings.recommenders.interleaving import TEAM_DRAFT

if TYPE_CHECKING:
    from sqlalchemy import Engine

_RUN = """
SELECT run_id, experiment, status, started_at, finished_at, seed, config_hash, dataset, dataset_hash, dataset_source,
       dataset_licence, page_size, max_pages, like_from, mind, model_fingerprint, versions
FROM runs
"""
_ARMS = f"""
SELECT arm_id, name, recommender, sees_hidden_preference FROM arms
WHERE recommender = '{TEAM_DRAFT}' OR NOT EXISTS (SELECT 1 FROM arms WHERE recommender = '{TEAM_DRAFT}')
ORDER BY position
"""
"""Where two arms draft every list together, nobody visits one of them alone."""


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm in figures.

    Attributes:
        name, recommender: As in the YAML.
        bound: True where the recommender saw the audience's hidden preference: a bound, not a competitor.
        metrics: Metric name -> estimate over agents, all days together.
        days: The same for each day alone, the first day first.
        differences: Metric name -> difference to the first arm; empty for the first arm itself.
        counts: How much of everything there was.
    """

    name: str
    recommender: str
    bound: bool
    metrics: Mapping[str, Estimate]
    days: tuple[Mapping[str, Estimate], ...]
    differences: Mapping[str, Difference]
    counts: ArmCounts


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in figures.

    Attributes:
        run: The row of `runs` without the configuration, JSON columns parsed; "agents" and "days" are added.
        arms: In the order of the YAML; the first is the baseline of every difference.
    """

    run: Mapping[str, Any]
    arms: tuple[ArmSummary, ...]

    @property
    def baseline(self) -> ArmSummary:
        """The arm that others are compared to."""
        return self.arms[0]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, as in `summary.json`."""
        return {
            "run": dict(self.run),
            "confidence": CONFIDENCE,
            "arms": [
                {
                    "name": arm.name,
                    "recommender": arm.recommender,
                    "bound": arm.bound,
                    "metrics": {name: asdict(estimate) for name, estimate in arm.metrics.items()},
                    "counts": {**asdict(arm.counts), "censored": arm.counts.censored},
                    "days": [
                        {"day": day, "metrics": {name: asdict(estimate) for name, estimate in metrics.items()}}
                        for day, metrics in enumerate(arm.days)
                    ],
                }
                for arm in self.arms
            ],
            "differences": [
                {"arm": arm.name, "baseline": self.baseline.name, "metric": name, **asdict(difference)}
                for arm in self.arms
                for name, difference in arm.differences.items()
            ],
            "definitions": {metric.name: metric.as_dict() for metric in METRICS},
        }


def summarise(engine: Engine) -> Summary:
    """Every figure of a run, from its log alone; also of one that was interrupted.

    Raises:
        RunDirectoryError: The log holds no run, or more than one.
    """
    run = _run(engine)
    arms = pd.read_sql_query(_ARMS, engine)
    agents = pd.Index(pd.read_sql_query("SELECT agent_id FROM agents ORDER BY agent_id", engine).agent_id)
    sessions = session_totals(engine, run["like_from"])
    n_days = int(sessions.day.max()) + 1 if len(sessions) else 0
    estimator = _estimator(engine, run["seed"], arms.name.tolist())
    counts = count_arms(engine, sessions, arms.arm_id.tolist())
    baseline: Totals | None = None
    summaries = []
    for arm in arms.to_dict("records"):
        rows = sessions[sessions.arm_id == arm["arm_id"]]
        totals = Totals(rows, agents)
        summaries.append(
            ArmSummary(
                name=str(arm["name"]),
                recommender=str(arm["recommender"]),
                bound=bool(arm["sees_hidden_preference"]),
                metrics=_estimates(totals),
                days=tuple(_estimates(Totals(rows[rows.day == day], agents)) for day in range(n_days)),
                differences={} if baseline is None else _differences(totals, baseline, estimator),
                counts=counts[int(arm["arm_id"])],
            )
        )
        baseline = baseline or totals
    return Summary({**run, "agents": len(agents), "days": n_days}, tuple(summaries))


def _run(engine: Engine) -> dict[str, Any]:
    frame = pd.read_sql_query(_RUN, engine)
    if len(frame) != 1:
        raise RunDirectoryError(f"{engine.url.database}: the log holds {len(frame)} runs; a summary needs exactly one")
    run: dict[str, Any] = {
        str(name): None if pd.isna(value) else value for name, value in frame.astype(object).iloc[0].items()
    }
    return {**run, "mind": json.loads(run["mind"]), "versions": json.loads(run["versions"])}


def _estimates(totals: Totals) -> dict[str, Estimate]:
    return {metric.name: mean_interval(totals.values(metric)) for metric in METRICS}


def _differences(totals: Totals, baseline: Totals, estimator: Estimator) -> dict[str, Difference]:
    return {metric.name: estimator.difference(totals.values(metric), baseline.values(metric)) for metric in METRICS}


def _estimator(engine: Engine, seed: int, arms: list[str]) -> Estimator:
    """How two arms of the run are compared."""
    (config,) = pd.read_sql_query("SELECT config FROM runs", engine).config
    design = design_of(json.loads(config))
    people = pd.read_sql_query("SELECT source_user_id, persona FROM agents ORDER BY agent_id", engine)
    return estimator_of(design, seed, arms, people.source_user_id.tolist(), map(json.loads, people.persona))
