"""The funnel: how many items a session shows, how many of them are looked at, opened, and liked or bought, per arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import Difference, Estimate, mean_interval, within_one
from groundlings.experiments.analysis.comparison.ratios import ratio_estimate
from groundlings.experiments.analysis.why.reading import Side, StepCounts
from groundlings.experiments.analysis.why.steps import Step


@dataclass(frozen=True, slots=True)
class FunnelCell:
    """One step in one arm.

    Attributes:
        per_session: Mean over agents of their own count per session.
        difference: Of that to the baseline; None for the baseline itself.
        rate: Share of the step before, as the ratio of the two means: the rates multiply to `per_session`. None for the
            first step, and where nobody took the step before.
        rate_difference: Of that to the baseline; None likewise.
    """

    per_session: Estimate
    difference: Difference | None
    rate: Estimate | None
    rate_difference: Difference | None


@dataclass(frozen=True, slots=True)
class Funnel:
    """All steps of all arms.

    Attributes:
        steps: In the order of happening.
        arms: Arm -> name of a step -> figures; steps that are not known are absent.
        sessions: Arm -> sessions that are counted, those without a lost page.
    """

    steps: tuple[Step, ...]
    arms: Mapping[str, Mapping[str, FunnelCell]]
    sessions: Mapping[str, int]

    def step(self, name: str) -> Step:
        """The step of a name."""
        return next(step for step in self.steps if step.name == name)


def measure_funnel(counts: StepCounts) -> Funnel:
    """The funnel of every arm; sessions with a lost page are left out, because a part of them is not known."""
    known = [step for step in counts.steps if not step.missing]
    tables = [{step.name: _per_session(side, step.name, counts.agents) for step in known} for side in counts.sides]
    base = tables[0]
    arms = {
        side.name: {
            step.name: _cell(step, table, None if place == 0 else base, counts)
            for step in known
        }
        for place, (side, table) in enumerate(zip(counts.sides, tables, strict=True))
    }  # fmt: skip
    return Funnel(counts.steps, arms, {side.name: int(side.sessions.sum()) for side in counts.sides})


def _per_session(side: Side, name: str, n_agents: int) -> FloatArray:
    """Each agent's count of a step per session, shape (n_agents,), NaN for those without a session."""
    total = side.whole.by_agent(name, n_agents)
    return np.divide(total, side.sessions, out=np.full(n_agents, np.nan), where=side.sessions > 0)


def _cell(
    step: Step, ours: Mapping[str, FloatArray], base: Mapping[str, FloatArray] | None, counts: StepCounts
) -> FunnelCell:
    taken = ours[step.name]
    gap = None if base is None else counts.estimator.difference(taken, base[step.name])
    if not step.of:
        return FunnelCell(mean_interval(taken), gap, None, None)
    before = ours[step.of]
    here = ~np.isnan(taken)
    rate = within_one(ratio_estimate(taken[here], before[here]))
    rate_gap = None if base is None else _rate_difference((taken, before), (base[step.name], base[step.of]), counts)
    return FunnelCell(mean_interval(taken), gap, rate if rate.mean is not None else None, rate_gap)


def _rate_difference(
    ours: tuple[FloatArray, FloatArray], base: tuple[FloatArray, FloatArray], counts: StepCounts
) -> Difference:
    """Of two ratios of means; agents who were in both arms are compared with themselves."""
    both = ~np.isnan(ours[0]) & ~np.isnan(base[0])
    if both.any():
        ours, base = (ours[0][both], ours[1][both]), (base[0][both], base[1][both])
    else:
        ours, base = ((np.nan_to_num(side[0]), np.nan_to_num(side[1])) for side in (ours, base))
    return counts.estimator.ratio(ours, base)
