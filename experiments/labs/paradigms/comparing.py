"""From a finished run to one row per arm.

Every figure that the report of a run has is taken from there (`summarise`, `measure_lists`, `measure_groups`), so that
no two definitions of it exist. What is added is the worth of first pages by the held-out part, popularity lift, what
recommenders' own calls cost, and the gap between users who did much and little before (Wang et al. 2023, "A survey on
the fairness of recommender systems", ACM TOIS: difference of utility between groups).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.compare import Difference, Estimate, mean_interval, within_one
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas
from groundlings.experiments.analysis.metrics.background import MISSING, Background, read_background
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.item_counts import SHOWN, read_item_counts
from groundlings.experiments.analysis.metrics.item_groups import THIRDS, measure_groups
from groundlings.experiments.analysis.metrics.lists import measure_lists
from groundlings.experiments.analysis.metrics.summary import Summary, read_totals, summarise
from groundlings.experiments.config.designs import design_of
from groundlings.experiments.config.item_groups import POPULARITY
from groundlings.experiments.labs.paradigms.findings import Column, Figure, Findings, GroupFigure, Row
from groundlings.experiments.labs.paradigms.first_lists import SCORES, score_first_lists
from groundlings.experiments.labs.paradigms.kinds import paradigm_of
from groundlings.experiments.labs.paradigms.spending import read_costs
from groundlings.experiments.labs.paradigms.user_groups import FEWEST, activity_gap, group_means
from groundlings.experiments.running.as_it_ran import ended_log
from groundlings.simulator.log.reader import LogReader

Values = Mapping[str, FloatArray]
"""Arm -> one value per agent, in the order of the log."""

_SCORES = {
    "ndcg": ("NDCG", "1 where what the user chose later (the held-out part) comes first, 0 where none of it is shown"),
    "hit": ("Hit rate", "whether any of what the user chose later (the held-out part) is shown"),
}


def compare_paradigms(directory: Path) -> Findings:
    """One row per arm of a finished run.

    Args:
        directory: The run's.

    Raises:
        ConfigError: Its arms are interleaved, so that no arm has a world of its own.
        RunDirectoryError: There is no run, or what lies beside its log is damaged.
    """
    with ended_log(directory, partial=True) as log:
        run = log.run()
        design = design_of(run["config"])
        if getattr(design, "kind", None) == "interleaving":
            raise ConfigError(
                "design: found interleaving; expected parallel or split, where each arm has its own pages"
            )
        measured = read_totals(log)
        summary = summarise(log, measured=measured)
        estimator = estimator_of(
            design,
            run["seed"],
            [arm.name for arm in summary.arms],
            log.user_ids(),
            LoggedPersonas(log),
            log.assignment(),
        )
        found = _Collected(summary, estimator)
        ids = {arm.name: arm.arm_id for arm in log.visited_arms()}
        of_users: dict[str, Values] = {}
        for metric in _outcomes(summary):
            found.add_metric(metric)
            of_users[metric.name] = {name: measured.of(number).values(metric) for name, number in ids.items()}
        of_users |= _first_pages(found, directory, log)
        _of_lists(found, log)
        for name, values in of_users.items():
            found.add_gap(name, activity_gap(values, log))
        groups = [*group_means(of_users, {each.name: each for each in summary.metrics}, log), *_of_items(found, log)]
        costs = read_costs(directory, log, summary)
    rows = tuple(
        Row(
            arm.name, arm.recommender, paradigm_of(arm.recommender), arm.bound, found.figures[arm.name], costs[arm.name]
        )
        for arm in summary.arms
    )
    return Findings(
        experiment=run["experiment"],
        dataset=summary.run["dataset"],
        mind=str(summary.run["mind"]["kind"]),
        agents=summary.run["agents"],
        days=summary.run["days"],
        models=_models(run["config"]),
        columns=tuple(found.columns),
        rows=rows,
        groups=tuple(groups),
        fewest=FEWEST,
    )


def _models(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The language models that the arms' recommenders ask, each once: by its name, else by who serves it."""
    sections = [arm["model"] for arm in config.get("arms") or () if arm.get("model")]
    return tuple(dict.fromkeys(each.get("model") or f"the {each.get('provider')} model" for each in sections))


class _Collected:
    """Columns, and each arm's figures."""

    def __init__(self, summary: Summary, estimator: Estimator) -> None:
        self._summary, self._estimator = summary, estimator
        self.columns: list[Column] = []
        self.figures: dict[str, dict[str, Figure]] = {arm.name: {} for arm in summary.arms}

    def label(self, name: str) -> str:
        """The label of a column that was added."""
        return next(column.label for column in self.columns if column.name == name)

    def add_metric(self, metric: Metric) -> None:
        """A simulated outcome, as the summary has it."""
        missing = self._summary.missing.get(metric.name, "")
        self.columns.append(Column(metric.name, metric.label, metric.definition, "users", metric.decimals, missing))
        for arm in self._summary.arms:
            self.figures[arm.name][metric.name] = Figure(arm.metrics[metric.name], arm.differences.get(metric.name))

    def add_values(self, column: Column, values: Values) -> None:
        """A share of each agent."""
        self.columns.append(column)
        first = values.get(self._summary.baseline.name)
        for name, ours in values.items():
            gap = None if first is None or ours is first else self._estimator.difference(ours, first)
            self.figures[name][column.name] = Figure(within_one(mean_interval(ours)), gap)

    def add_figures(self, column: Column, figures: Mapping[str, Figure]) -> None:
        """Figures as they are."""
        self.columns.append(column)
        for name, figure in figures.items():
            self.figures[name][column.name] = figure

    def add_gap(self, name: str, gaps: Mapping[str, Estimate] | str) -> None:
        """The gap between active and less active users of a figure."""
        label = self.label(name)
        column = Column(
            f"{name}_activity_gap",
            f"{label}, active less inactive",
            f"{label} of the third of the run's users with most interactions in training, less the third with fewest.",
            "fairness",
            missing=gaps if isinstance(gaps, str) else "",
        )
        self.add_figures(column, {} if isinstance(gaps, str) else {arm: Figure(value) for arm, value in gaps.items()})


def _outcomes(summary: Summary) -> tuple[Metric, ...]:
    """Metrics of what users choose; where the experiment file names none, all that it names."""
    return tuple(metric for metric in summary.metrics if metric.measures_choice) or summary.metrics


def _first_pages(found: _Collected, directory: Path, log: LogReader) -> dict[str, Values]:
    """Add the worth of first pages; the values that are known."""
    scored = score_first_lists(directory, log)
    cut = scored.cut or log.run()["page_size"]
    of_users: dict[str, Values] = {}
    for name in SCORES:
        label, words = _SCORES[name]
        column = Column(
            f"{name}_at_{cut}",
            f"{label}@{cut}",
            f"{label} at {cut} of the first page on the first day: {words}. Users without held-out items are left out.",
            "users",
            missing=scored.missing,
        )
        values = {arm: scores[name] for arm, scores in scored.values.items()}
        found.add_values(column, values)
        if values and name == SCORES[0]:
            of_users[column.name] = values
    return of_users


def _of_lists(found: _Collected, log: LogReader) -> None:
    """Add what pages held: the report's metrics of lists, and popularity lift."""
    background = read_background(log)
    for each in measure_lists(log, read_item_counts(log)):
        column = Column(each.name, each.label, each.definition, "lists", each.decimals, each.missing)
        found.add_figures(column, {arm: Figure(it.value, it.difference) for arm, it in each.arms.items()})
        if each.name == "mean_popularity":
            lift = {} if background is None else _lift({a: it.value for a, it in each.arms.items()}, background)
            column = Column(
                "popularity_lift",
                "Popularity lift",
                "Mean popularity of what is shown, divided by that of training interactions, minus 1 (Abdollahpouri, "
                "Burke and Mobasher 2019, Managing popularity bias in recommender systems).",
                "lists",
                2,
                each.missing or (MISSING if background is None else ""),
            )
            found.add_figures(column, lift)


def _lift(shown: Mapping[str, Estimate], background: Background) -> dict[str, Figure]:
    wanted = np.array(background.item_interactions, dtype=np.float64)
    usual = float(wanted @ background.popularity / wanted.sum()) if wanted.sum() else 0.0
    if not usual:
        return {}

    def lifted(value: float | None) -> float | None:
        return None if value is None else value / usual - 1

    return {
        arm: Figure(
            Estimate(
                lifted(it.mean),
                None if it.standard_error is None else it.standard_error / usual,
                lifted(it.low),
                lifted(it.high),
                it.n,
                it.excluded,
            )
        )
        for arm, it in shown.items()
    }


def _of_items(found: _Collected, log: LogReader) -> list[GroupFigure]:
    """Add the share of pages that unpopular items get; what every group of items gets, by every grouping."""
    groupings = measure_groups(log)
    column = Column(
        "cold_share",
        "Share of cold items",
        f"Share of impressions whose item is in the {THIRDS[0]} of the catalog by training interactions.",
        "lists",
        missing=next(
            (each.missing for each in groupings if each.name == POPULARITY), "the file groups by other things"
        ),
    )
    cold: dict[str, Figure] = {}
    rows = []
    for grouping in groupings:
        for group in grouping.groups:
            for arm, counted in group.arms.items():
                if SHOWN not in counted:
                    continue
                share: Estimate = counted[SHOWN].share
                gap: Difference | None = counted[SHOWN].difference
                rows.append(
                    GroupFigure(arm, "items", grouping.name, group.name, "share of impressions", share,
                                group.of_interactions)
                )  # fmt: skip
                if grouping.name == POPULARITY and group.name == THIRDS[0]:
                    cold[arm] = Figure(share, gap)
    found.add_figures(column, cold)
    return rows
