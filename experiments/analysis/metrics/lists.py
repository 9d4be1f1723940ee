"""What each arm showed, arm by arm, beside what lists drawn at random from the catalog would have shown.

Coverage and the Gini coefficient are figures of all agents together and grow, or fall, with their number: compare arms
of one run, not runs of different sizes. Definitions are those of `groundlings.experiments.analysis.metrics.ranking`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference, Estimate, mean_interval, within_one
from groundlings.experiments.analysis.comparison.estimators import Estimator, estimator_of
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas
from groundlings.experiments.analysis.metrics.background import MISSING
from groundlings.experiments.analysis.metrics.item_counts import (
    SHOWN,
    ArmItems,
    difference,
    estimate,
    jackknife,
    read_item_counts,
)
from groundlings.experiments.analysis.metrics.ranking import gini
from groundlings.experiments.analysis.metrics.scanning import Scanned
from groundlings.experiments.analysis.metrics.shown import SHOWN as OF_PAGES
from groundlings.experiments.analysis.metrics.values import MetricReader
from groundlings.experiments.config.designs import design_of
from groundlings.simulator.log.reader import LogReader

MOST_IMPRESSIONS = 2_000_000
"""Of a run up to this size every report measures what its pages showed; of a larger one where `metrics` names it."""

_TOO_MANY = f"more than {MOST_IMPRESSIONS:,} impressions take long to read, so it is told where `metrics` names it"
_DRAWS = 20


@dataclass(frozen=True, slots=True)
class ListFigure:
    """A list metric of one arm.

    Attributes:
        value: With its 95 % interval.
        difference: To the first arm; None for the first arm itself.
        random: What as many items drawn uniformly from the catalog give; None where that is not known.
    """

    value: Estimate
    difference: Difference | None
    random: float | None


@dataclass(frozen=True, slots=True)
class ListMetric:
    """A list metric, declared and measured.

    Attributes:
        name, label, definition, unit, denominator, source, decimals: As of a `Metric`.
        arms: Arm -> figure, in the order of the YAML; empty where it is not known.
        missing: Why it is not known, "" where it is.
    """

    name: str
    label: str
    definition: str
    unit: str
    denominator: str
    source: str
    decimals: int
    arms: Mapping[str, ListFigure]
    missing: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def _coverage(counts: FloatArray) -> float:
    return float((counts > 0).mean()) if len(counts) else np.nan


LISTS: tuple[ListMetric, ...] = (
    ListMetric(
        "coverage", "Catalog coverage", "Items shown to anybody at all, divided by the items of the catalog.",
        "share of items", "item of the catalog",
        "Ge, Delgado-Battenfeld and Jannach 2010, Beyond accuracy: evaluating recommender systems by coverage and"
        " serendipity", 3, {},
    ),
    ListMetric(
        "gini", "Gini of impressions",
        "How unequally impressions are spread over the items of the catalog: 0 = all alike, towards 1 = all on one.",
        "0 to 1", "item of the catalog",
        "Fleder and Hosanagar 2009, Blockbuster culture's next rise or fall", 3, {},
    ),
)  # fmt: skip
"""Metrics of an arm as a whole, without a value per agent."""

NAMES = (*(each.name for each in LISTS), *(metric.name for metric in OF_PAGES))
"""Every list metric, in the order of tables."""


def measure_lists(log: LogReader, arms: Sequence[ArmItems] | None = None) -> tuple[ListMetric, ...]:
    """The list metrics of all arms, in the order of `NAMES`.

    Args:
        log: The run's.
        arms: What `read_item_counts` read from it; read if absent.

    Raises:
        RunDirectoryError: What lies beside the log is damaged.
    """
    arms = read_item_counts(log) if arms is None else arms
    statistics: list[tuple[ListMetric, Callable[[FloatArray], float]]] = list(
        zip(LISTS, (_coverage, gini), strict=True)
    )
    whole = [_of_arms(about, statistic, arms) for about, statistic in statistics]
    return (*whole, *_of_pages(log, arms))


def _of_arms(about: ListMetric, statistic: Callable[[FloatArray], float], arms: Sequence[ArmItems]) -> ListMetric:
    found = {arm.name: jackknife(arm, statistic) for arm in arms}
    first = found[arms[0].name]
    return replace(
        about,
        arms={
            arm.name: ListFigure(
                estimate(*found[arm.name], arm.agents),
                None if arm is arms[0] else difference(found[arm.name], first, arm.agents),
                _at_random(arm, statistic),
            )
            for arm in arms
        },
    )


def _at_random(arm: ArmItems, statistic: Callable[[FloatArray], float]) -> float | None:
    """The mean of a figure over draws of as many items as the arm showed, uniformly from the catalog."""
    counts = arm.total(SHOWN)
    if not counts.sum():
        return None
    rng = np.random.default_rng(len(counts))
    even = np.full(len(counts), 1 / len(counts))
    draws = rng.multinomial(int(counts.sum()), even, size=_DRAWS)
    return float(np.mean([statistic(draw.astype(np.float64)) for draw in draws]))


def _of_pages(log: LogReader, arms: Sequence[ArmItems]) -> tuple[ListMetric, ...]:
    """Popularity, novelty and diversity: means over agents, by the shipped metrics of these names."""
    large = sum(arm.total(SHOWN).sum() for arm in arms) > MOST_IMPRESSIONS
    reader, estimator, run = MetricReader(log), _estimator(log), Scanned(log)
    agents = log.agent_ids()
    ids = {arm.name: arm.arm_id for arm in log.visited_arms()}
    found = []
    for metric in OF_PAGES:
        missing = MISSING if run.background is None and metric.name != "diversity" else _TOO_MANY if large else ""
        figures: dict[str, ListFigure] = {}
        if not missing:
            rows = reader.values(metric)
            missing = reader.missing.get(metric.name, "")
            share = (rows.numerator / rows.denominator).set_axis(rows.agent_id)
            values = {
                name: share[(rows.arm_id == arm_id).to_numpy()].reindex(agents).to_numpy(np.float64)
                for name, arm_id in ids.items()
            }
            random = _expected(metric.name, run)
            first = next(iter(values.values()))
            figures = {} if missing else {
                name: ListFigure(
                    within_one(mean_interval(ours)) if metric.is_share else mean_interval(ours),
                    None if ours is first else estimator.difference(ours, first),
                    random,
                )
                for name, ours in values.items()
            }  # fmt: skip
        found.append(
            ListMetric(
                metric.name, metric.label, metric.definition, metric.unit, metric.denominator, metric.source,
                metric.decimals, figures, missing,
            )
        )  # fmt: skip
    return tuple(found)


def _expected(name: str, run: Scanned) -> float | None:
    """What items drawn uniformly from the catalog have on average."""
    if name == "diversity":
        vectors = run.vectors
        known = int((np.diff(vectors.indptr) > 0).sum())
        together = np.asarray(vectors.sum(axis=0)).ravel()
        alone = run.squares.sum()
        return float(1 - (together @ together - alone) / (known * (known - 1))) if known > 1 else None
    background = run.background
    if background is None:
        return None
    return float((background.popularity if name == "mean_popularity" else background.novelty).mean())


def _estimator(log: LogReader) -> Estimator:
    run = log.run()
    names = [arm.name for arm in log.visited_arms()]
    return estimator_of(
        design_of(run["config"]), int(run["seed"]), names, log.user_ids(), LoggedPersonas(log), log.assignment()
    )
