"""How much sharper are paired worlds than a split test of the same people, at as many agent-sessions?

The shipped A/B test is played once as it is (every agent five days in every arm) and once as a split test of each pair
(every agent ten days in one arm), so both have 943 people and as many sessions an arm pair. Both standard errors are
those that `groundlings compare` would use.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.promises import GAIN, NOTHING, Promise
from groundlings.experiments.analysis.comparison.estimators import Paired, Split
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes, read_outcomes
from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

SHIPPED = Path(__file__).parents[1] / "experiments" / "configs" / "ab_movielens.yaml"
_PAIRS = ("item_knn", "ease", "als")
_QUESTION = "paired SE / split SE, 943 people"


def gains() -> Iterator[Promise]:
    """Standard error of the shipped experiment over that of a split test, pair by pair and metric by metric.

    Promised for the metric that the shipped plan declares, with the plan's control variate, against Welch's test.
    The split test with control variate and covariates from histories is printed, too: it gains more from them.
    """
    paired = _played(["popular", *_PAIRS], [])
    assert paired.plan is not None
    names = [paired.plan.primary, *(metric.name for metric in METRICS if metric.name != paired.plan.primary)]
    base = paired.baseline
    for other in _PAIRS:
        split = _played(["popular", other], ["design=split", f"simulation.days={2 * paired.run['days']}"])
        (arm,) = (each for each in paired.arms if each.name == other)
        for name in names:
            found = _error(Paired().difference(arm.values(name), base.values(name)).standard_error)
            raw = _error(Paired().difference(_raw(arm, name), _raw(base, name)).standard_error)
            group, first = split.arms[1], split.arms[0]
            plain = Split(_homes(split)).difference(_raw(group, name), _raw(first, name))
            helped = split.estimator.difference(group.values(name), first.values(name))
            welch, cuped = _error(plain.standard_error), _error(helped.standard_error)
            ratio = found / welch
            noise = ratio * np.sqrt(1 / (2 * arm.totals.columns["sessions"].size) + 1 / (2 * plain.n))
            promised = name == paired.plan.primary
            yield Promise(
                _QUESTION,
                f"{other}: {name} (no control variate {raw / welch:.2f}; against split with CUPED {found / cuped:.2f})",
                f"{ratio:.3f} \N{PLUS-MINUS SIGN} {noise:.3f}",
                f"<= {GAIN:g}" if promised else NOTHING,
                not promised or ratio - 2 * noise <= GAIN,
            )


def _played(arms: list[str], changes: list[str]) -> Outcomes:
    listed = ", ".join(f"{{name: {arm}, recommender: {arm}}}" for arm in arms)
    with TemporaryDirectory() as folder:
        log_experiment(load_config(SHIPPED, [f"arms=[{listed}]", *changes]), Path(folder) / LOG_NAME)
        with LogReader(Path(folder)) as log:
            return read_outcomes(log)


def _raw(arm: ArmOutcomes, metric: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    (definition,) = (each for each in METRICS if each.name == metric)
    return arm.totals.values(definition)


def _homes(outcomes: Outcomes) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    assert isinstance(outcomes.estimator, Split)
    return outcomes.estimator.homes


def _error(found: float | None) -> float:
    return float("nan") if found is None else found
