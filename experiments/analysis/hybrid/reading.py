"""The logs of a hybrid run read together: each person's values under both minds, and the strata of the sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.analysis.comparison.persona_columns import LoggedPersonas, PersonaColumns, persona_columns
from groundlings.experiments.analysis.comparison.segments import levels_of
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.registry import metrics_of
from groundlings.experiments.analysis.metrics.totals import RunTotals
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

FOLDER = "language"
"""Of a run's directory: what the sample of a hybrid audience did with the language mind lies under it."""

PHASES = ("pilot", "sample")
"""Parts of the sample, in the order in which they are simulated."""


def language_log(directory: Path, phase: str) -> Path:
    """Where the log of one part of a run's sample lies, or is to lie."""
    return directory / FOLDER / phase / LOG_NAME


@contextmanager
def finished_logs(directory: Path) -> Iterator[dict[str, LogReader]]:
    """Phase -> its log, of the parts of a sample that have ended; {} of a run without a sample."""
    logs: dict[str, LogReader] = {}
    try:
        for phase in PHASES:
            if language_log(directory, phase).is_file():
                log = LogReader(language_log(directory, phase))
                logs[phase] = log
        yield {phase: log for phase, log in logs.items() if log.run()["status"] == "done"}
    finally:
        for log in logs.values():
            log.close()


@dataclass(frozen=True, slots=True)
class Strata:
    """What divides the agents of a run.

    Attributes:
        names: Of each stratum, such as "activity high".
        numbers: Of each agent's stratum, in the order of the log, shape (n_agents,).
    """

    names: tuple[str, ...]
    numbers: IntArray

    @property
    def sizes(self) -> IntArray:
        """People of each stratum, shape (n_strata,)."""
        return np.bincount(self.numbers, minlength=len(self.names))


def strata_of(log: LogReader, wanted: Sequence[str]) -> Strata:
    """The strata of a run's agents, by levels of what is known of them before anything is simulated.

    Args:
        log: The run's own.
        wanted: Names of traits or of demographics; one stratum of everybody if empty.
    """
    return strata_in(LoggedPersonas(log).columns() if wanted else (), len(log.agent_ids()), wanted)


def strata_in(personas: Iterable[Mapping[str, Any]] | PersonaColumns, agents: int, wanted: Sequence[str]) -> Strata:
    """As `strata_of`, of personas that need not be logged; they are not looked at if nothing is wanted."""
    levels = levels_of(persona_columns(personas)) if wanted else {}
    dividing = [name for name in wanted if name in levels]  # what does not vary divides nobody
    labels = [
        ", ".join(f"{name} {level or 'unknown'}" for name, level in zip(dividing, each, strict=True))
        for each in zip(*(levels[name] for name in dividing), strict=True)
    ] or ["everybody"] * agents
    names = tuple(dict.fromkeys(sorted(labels)))
    place = {name: number for number, name in enumerate(names)}
    return Strata(names, np.array([place[label] for label in labels], dtype=np.int64))


@dataclass(frozen=True, slots=True)
class BothMinds:
    """Everybody's values under the behavioural mind, and the sample's under the language mind, too.

    Attributes:
        arms: Names, the baseline first.
        strata: Of the agents.
        sampled: Who is in the sample, shape (n_agents,).
        phases: Phase -> agents of it.
        behavioural, language: Arm -> metric -> one value per agent, shape (n_agents,), NaN where there is none.
    """

    arms: tuple[str, ...]
    strata: Strata
    sampled: BoolArray
    phases: Mapping[str, IntArray]
    behavioural: Mapping[str, Mapping[str, FloatArray]]
    language: Mapping[str, Mapping[str, FloatArray]]

    def values(self, metric: str, arm: str, baseline: str | None = None) -> tuple[FloatArray, FloatArray]:
        """Everybody's values of a metric under either mind; less those in the baseline, where one is named."""
        ours, theirs = self.behavioural[arm][metric], self.language[arm][metric]
        if baseline is None:
            return ours, theirs
        return ours - self.behavioural[baseline][metric], theirs - self.language[baseline][metric]


def read_both(
    log: LogReader,
    everybody: Mapping[str, Mapping[str, FloatArray]],
    parts: Mapping[str, LogReader],
    strata: Sequence[str],
    metrics: Sequence[Metric],
    caps: Mapping[str, float],
) -> BothMinds:
    """The values of a run's agents under both minds.

    Args:
        log: The run's own.
        everybody: Arm -> metric -> one value per agent of it, as its metrics count them.
        parts: Phase -> log of that part of the sample, see `finished_logs`.
        strata: Names, as the mind has them.
        metrics: Whose values are wanted.
        caps: Metric -> what larger values are set to.
    """
    row = {user: number for number, user in enumerate(log.user_ids())}
    language = {arm: {each: np.full(len(row), np.nan) for each in found} for arm, found in everybody.items()}
    sampled, phases = np.zeros(len(row), dtype=np.bool_), {}
    for phase, part in parts.items():
        here = np.array([row[user] for user in part.user_ids()], dtype=np.int64)
        sampled[here], phases[phase] = True, here
        for arm, found in _values(part, metrics, caps).items():
            for name, values in found.items():
                language[arm][name][here] = values
    return BothMinds(tuple(everybody), strata_of(log, strata), sampled, phases, everybody, language)


def _values(log: LogReader, metrics: Sequence[Metric], caps: Mapping[str, float]) -> dict[str, dict[str, FloatArray]]:
    totals = RunTotals(log, float(log.run()["like_from"]), metrics)
    found: dict[str, dict[str, FloatArray]] = {}
    for arm in log.logged_arms():
        own = totals.of(arm.arm_id)
        values = {metric.name: own.values(metric) for metric in metrics}
        found[arm.name] = {name: np.minimum(each, caps.get(name, np.inf)) for name, each in values.items()}
    return found


def read_spreads(directory: Path, log: LogReader) -> FloatArray:
    """How much the pilot's two minds differ in each stratum, shape (n_strata,), NaN where fewer than two people tell.

    It is the standard deviation of the paired difference in what the run is to decide: the primary metric (the first
    one without a plan) of each arm against the baseline, root mean square over the arms; of a single arm, the metric
    itself.
    """
    config = log.run()["config"]
    metrics = metrics_of(config, actions=log.action_names())
    primary = (config.get("plan") or {}).get("primary") or metrics[0].name
    wanted = [metric for metric in metrics if metric.name == primary]
    with finished_logs(directory) as parts:
        everybody, strata = _values(log, wanted, {}), config["mind"].get("strata") or ()
        both = read_both(log, everybody, {"pilot": parts["pilot"]}, strata, wanted, {})
    baseline, *others = both.arms
    pairs = [both.values(primary, arm, baseline) for arm in others] or [both.values(primary, baseline)]
    spreads = np.full(len(both.strata.names), np.nan)
    for stratum in range(len(spreads)):
        here = both.sampled & (both.strata.numbers == stratum)
        gaps = [(theirs - ours)[here] for ours, theirs in pairs]
        known = [gap[~np.isnan(gap)] for gap in gaps]
        squares = [float(gap.var(ddof=1)) for gap in known if len(gap) > 1]
        if squares:
            spreads[stratum] = float(np.sqrt(np.mean(squares)))
    return spreads
