"""Every arm against every other on every metric, for a page on which a reader chooses both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.analysis.report.sections.material import Material
from groundlings.experiments.config.designs import InterleavingDesign

_MOST_ARMS = 12
_MOST_VALUES = 100_000_000
"""Agents times pairs times metrics: beyond it only the differences to the first arm are in the page."""

Cell = tuple[float, float | None, float | None, int]


def pairs(material: Material) -> Mapping[str, Any] | None:
    """The figures behind "compare any two arms", as plain JSON values; None where arms cannot be compared.

    Returns:
        `arms` and their `colours`; `metrics` with name, label, unit, decimals and whether more is `better` (1, -1, 0);
        `means`, metric by arm; `gaps`, "i-j" -> arm j less arm i metric by metric, i before j; each a list of value,
        low, high and n, or None. Means are as logged; differences are of the outcomes that the verdict compares,
        adjusted and winsorised as the plan declares (`adjusted` says whether). Intervals are 95 % each, uncorrected.
    """
    summary, outcomes = material.summary, material.outcomes
    arms = summary.arms[:_MOST_ARMS]
    if len(arms) < 2 or isinstance(outcomes.design, InterleavingDesign):
        return None
    n_pairs = len(arms) * (len(arms) - 1) // 2
    every_pair = summary.run["agents"] * n_pairs * len(summary.metrics) <= _MOST_VALUES
    gaps = _gaps(outcomes, [arm.name for arm in arms], [metric.name for metric in summary.metrics], every_pair)
    return {
        "arms": [printable(arm.name) for arm in arms],  # a script writes them as they are
        "colours": [material.style[arm.name].colour for arm in arms],
        "metrics": [
            {
                "name": metric.name,
                "label": printable(metric.label),
                "unit": printable(metric.unit),
                "decimals": metric.decimals,
                "better": {True: 1, False: -1, None: 0}[metric.higher_is_better],
            }
            for metric in summary.metrics
        ],
        "means": [[_mean(arm.metrics[metric.name]) for arm in arms] for metric in summary.metrics],
        "gaps": gaps,
        "primary": material.primary.name,
        "adjusted": any(arm.control_variates is not None or arm.caps for arm in outcomes.arms),
    }


def _gaps(
    outcomes: Outcomes, arms: Sequence[str], metrics: Sequence[str], every_pair: bool
) -> dict[str, list[Cell | None]]:
    """The differences as `pairs` gives them, metric by metric: the values of one metric are held at a time."""
    sides = {arm.name: arm for arm in outcomes.arms}
    couples = [each for each in combinations(range(len(arms)), 2) if every_pair or each[0] == 0]
    gaps: dict[str, list[Cell | None]] = {f"{first}-{second}": [] for first, second in couples}
    for metric in metrics:
        values = [sides[name].values(metric) for name in arms]
        for first, second in couples:
            found = outcomes.estimator.difference(values[second], values[first])
            gaps[f"{first}-{second}"].append(_gap(found))
    return gaps


def _gap(found: Difference) -> Cell | None:
    if found.difference is None:
        return None
    return _short(found.difference), _end(found.low), _end(found.high), found.n


def _mean(found: Estimate) -> Cell | None:
    return None if found.mean is None else (_short(found.mean), _end(found.low), _end(found.high), found.n)


def _end(value: float | None) -> float | None:
    return None if value is None else _short(value)


def _short(value: float) -> float:
    """Six figures are more than anything on the page shows."""
    return float(f"{value:.6g}")
