"""What a hybrid audience tells of every arm: estimates with their intervals, and what the sample was worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.analysis.hybrid.estimate import HybridEstimate, hybrid_mean
from groundlings.experiments.analysis.hybrid.reading import BothMinds, finished_logs, read_both
from groundlings.experiments.analysis.metrics.lost import LostPages, altogether, read_lost
from groundlings.experiments.config.hybrid import SampleOptions
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.reply_forms import calls_with_estimates


@dataclass(frozen=True, slots=True)
class StratumCount:
    """One stratum.

    Attributes:
        name: Such as "activity high".
        people: All agents in it.
        pilot: Of them in the pilot.
        sample: Of them in the sample, the pilot included.
    """

    name: str
    people: int
    pilot: int
    sample: int


@dataclass(frozen=True, slots=True)
class HybridFindings:
    """What both minds together tell of a run.

    Attributes:
        baseline: The arm that others are compared to.
        agents: All of the run.
        sampled: Of them, those who lived by the language mind, too.
        finished: Whether every part of the sample has ended; what has not is not counted.
        strata: People and sample of each.
        means: Arm -> metric -> the mean that a language audience would have.
        differences: Arm -> metric -> how much higher than the baseline; the baseline is not among them.
        lost: Pages of the sample of which nothing is known, and why.
        calls, prompt_tokens, completion_tokens: Of the sample's agents.
        estimated_calls: Calls whose tokens are estimates, because the server gave no believable counts.
    """

    baseline: str
    agents: int
    sampled: int
    finished: bool
    strata: tuple[StratumCount, ...]
    means: Mapping[str, Mapping[str, HybridEstimate]]
    differences: Mapping[str, Mapping[str, HybridEstimate]]
    lost: LostPages
    calls: int
    prompt_tokens: int
    completion_tokens: int
    estimated_calls: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "baseline": self.baseline,
            "agents": self.agents,
            "sampled": self.sampled,
            "finished": self.finished,
            "strata": [asdict(each) for each in self.strata],
            "means": _plain(self.means),
            "differences": _plain(self.differences),
            "lost": self.lost.as_dict(),
            "calls": self.calls,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "calls_with_estimated_tokens": self.estimated_calls,
        }


def _plain(found: Mapping[str, Mapping[str, HybridEstimate]]) -> dict[str, dict[str, Any]]:
    return {arm: {name: each.as_dict() for name, each in of_arm.items()} for arm, of_arm in found.items()}


def find_hybrid(directory: Path, log: LogReader, outcomes: Outcomes) -> HybridFindings | None:
    """What both minds together tell of a run; None where nobody lived by the language mind, or no part has ended.

    Args:
        directory: The run's.
        log: Its own log.
        outcomes: What was read of it.
    """
    mind = log.run()["config"].get("mind")
    if not isinstance(mind, dict) or mind.get("kind") != "hybrid" or not mind.get("sample"):
        return None
    names = [metric.name for metric in outcomes.metrics]
    everybody = {arm.name: {name: arm.counted(name) for name in names} for arm in outcomes.arms}
    with finished_logs(directory) as parts:
        if not parts:
            return None
        both = read_both(log, everybody, parts, mind.get("strata") or (), outcomes.metrics, outcomes.baseline.caps)
        lost = altogether([each for part in parts.values() for each in _lost(part)])
        calls = [part.call_totals() for part in parts.values()]
        spent = [int(sum(float(each[name].sum()) for each in calls)) for name in _SPENT]
        estimated = sum(sum(calls_with_estimates(part).values()) for part in parts.values())
    baseline, *others = both.arms
    wanted = SampleOptions(sample=mind["sample"]).people(len(both.sampled))
    return HybridFindings(
        baseline=baseline,
        agents=len(both.sampled),
        sampled=int(both.sampled.sum()),
        finished=int(both.sampled.sum()) >= wanted,
        strata=_counts(both),
        means={arm: {name: _estimate(both, name, arm) for name in names} for arm in both.arms},
        differences={arm: {name: _estimate(both, name, arm, baseline) for name in names} for arm in others},
        lost=lost,
        calls=spent[0],
        prompt_tokens=spent[1],
        completion_tokens=spent[2],
        estimated_calls=estimated,
    )


_SPENT = ("calls", "prompt_tokens", "completion_tokens")


def _lost(part: LogReader) -> list[LostPages]:
    arms = [arm.arm_id for arm in part.logged_arms()]
    return list(read_lost(part, arms, part.run()["mind"], "mind.language.model").values())


def _estimate(both: BothMinds, metric: str, arm: str, baseline: str | None = None) -> HybridEstimate:
    ours, theirs = both.values(metric, arm, baseline)
    return hybrid_mean(ours, theirs, both.sampled, both.strata.numbers)


def _counts(both: BothMinds) -> tuple[StratumCount, ...]:
    pilot = np.zeros(len(both.sampled), dtype=np.bool_)
    pilot[both.phases.get("pilot", np.zeros(0, dtype=np.int64))] = True
    return tuple(
        StratumCount(
            name,
            int(np.count_nonzero(here)),
            int(np.count_nonzero(here & pilot)),
            int(np.count_nonzero(here & both.sampled)),
        )
        for number, name in enumerate(both.strata.names)
        for here in [both.strata.numbers == number]
    )
