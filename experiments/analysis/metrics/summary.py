"""A finished log in figures: what `summary.json` holds, and what every report is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, Estimate, mean_interval
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of
from groundlings.experiments.analysis.metrics.counts import ArmCounts, count_arms
from groundlings.experiments.analysis.metrics.definitions import METRICS
from groundlings.experiments.analysis.metrics.totals import Totals
from groundlings.experiments.config.designs import design_of
from groundlings.simulator.log.reader import LogReader

_FACTS = (
    "run_id", "experiment", "status", "started_at", "finished_at", "seed", "config_hash", "dataset", "dataset_hash",
    "dataset_source", "dataset_licence", "page_size", "max_pages", "like_from", "mind", "model_fingerprint", "versions",
)  # fmt: skip
"""What a summary tells of a run: columns of `runs`."""


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


def summarise(log: LogReader) -> Summary:
    """Every figure of a run, from its log alone; also of one that was interrupted.

    Raises:
        RunDirectoryError: The log holds no run, or more than one.
    """
    found = log.run()
    run = {name: found[name] for name in _FACTS}
    arms = log.visited_arms()
    agents = pd.Index(log.agent_ids(), dtype="int64")
    sessions = log.session_totals(run["like_from"])
    n_days = int(sessions.day.max()) + 1 if len(sessions) else 0
    design, names = design_of(found["config"]), [arm.name for arm in arms]
    personas = (agent.persona for agent in log.logged_agents())  # read in a split design only
    estimator = estimator_of(design, run["seed"], names, log.user_ids(), personas)
    counts = count_arms(log, sessions, [arm.arm_id for arm in arms])
    baseline: Totals | None = None
    summaries = []
    for arm in arms:
        rows = sessions[sessions.arm_id == arm.arm_id]
        totals = Totals(rows, agents)
        summaries.append(
            ArmSummary(
                name=arm.name,
                recommender=arm.recommender,
                bound=arm.sees_hidden_preference,
                metrics=_estimates(totals),
                days=tuple(_estimates(Totals(rows[rows.day == day], agents)) for day in range(n_days)),
                differences={} if baseline is None else _differences(totals, baseline, estimator),
                counts=counts[arm.arm_id],
            )
        )
        baseline = baseline or totals
    return Summary({**run, "agents": len(agents), "days": n_days}, tuple(summaries))


def _estimates(totals: Totals) -> dict[str, Estimate]:
    return {metric.name: mean_interval(totals.values(metric)) for metric in METRICS}


def _differences(totals: Totals, baseline: Totals, estimator: Estimator) -> dict[str, Difference]:
    return {metric.name: estimator.difference(totals.values(metric), baseline.values(metric)) for metric in METRICS}
