"""What an interval of money rests on: how many agents bought, and how much of the total a few of them carry.

Money per agent is heavy-tailed: most have none and a few have very much. The mean is then near normal only with many
agents: 355 times the squared skewness of what is averaged (Kohavi, Deng, Longbotham and Xu 2014, "Seven rules of thumb
for web site experimenters", KDD, rule 7). With fewer the t interval is too optimistic on one side, and a check says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.words import plural
from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.config.decision_plan import PlanConfig

FEWEST_A_SQUARED_SKEWNESS = 355
"""Agents needed for a mean per squared skewness of what is averaged (Kohavi et al. 2014)."""
TOP = 0.01


@dataclass(frozen=True, slots=True)
class Tail:
    """What a mean of money rests on in one arm.

    Attributes:
        arm, metric: Which.
        agents: With a value.
        payers: Those whose value is above zero.
        few: The 1 % of the agents with the highest values, at least one.
        top: Share of the sum over agents that these carry; None without any money.
        purchases, priced, costed: Purchases of the arm, those whose price is known, and those whose cost is.
        cap: What larger values were set to; None where nothing is winsorised.
        capped: Agents whose value was set to it.
    """

    arm: str
    metric: str
    agents: int
    payers: int
    few: int
    top: float | None
    purchases: int
    priced: int
    costed: int
    cap: float | None
    capped: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def tails(outcomes: Outcomes, plan: PlanConfig, arms: Sequence[ArmOutcomes]) -> tuple[Tail, ...]:
    """Of every metric of money that the plan is about, in the first arm and its competitors."""
    named = dict.fromkeys((plan.primary, *plan.guardrails, *(each.metric for each in plan.objectives or ())))
    metrics = [outcomes.baseline.metrics[name] for name in named]
    return tuple(_tail(arm, metric.name) for metric in metrics if metric.money for arm in (outcomes.baseline, *arms))


def _tail(arm: ArmOutcomes, name: str) -> Tail:
    raw = arm.totals.values(arm.metrics[name])
    known = raw[~np.isnan(raw)]
    total = float(known.sum())
    few = max(1, round(TOP * len(known)))
    cap = arm.caps.get(name)
    return Tail(
        arm.name,
        name,
        len(known),
        int((known > 0).sum()),
        few,
        float(np.sort(known)[-few:].sum() / total) if total > 0 else None,
        *(arm.purchases or (0, 0, 0)),
        cap,
        0 if cap is None else int((known > cap).sum()),
    )


def skewness_check(arm: ArmOutcomes, outcomes: Outcomes, plan: PlanConfig) -> tuple[Check, ...]:
    """Whether there are enough agents for the skewness of the primary metric, asked where that is money."""
    if not arm.metrics[plan.primary].money:
        return ()
    name = f"enough agents for so skew a mean: {arm.name}"
    ours, theirs = arm.values(plan.primary), outcomes.baseline.values(plan.primary)
    groups = [ours - theirs] if isinstance(outcomes.estimator, Paired) else [ours, theirs]
    found = [(skewness(each), int((~np.isnan(each)).sum())) for each in groups]
    if any(skew is None for skew, _ in found):
        return (Check(name, "not run", "too few agents with a value, or all of them alike", spoils=False),)
    needs = [(round(FEWEST_A_SQUARED_SKEWNESS * (skew or 0.0) ** 2), agents, skew or 0.0) for skew, agents in found]
    needed, agents, skew = max(needs, key=lambda each: each[0] - each[1])
    said = f"skewness {skew:+.2g}, so a t interval wants about {plural(needed, 'agent')}; there are {agents:,}"
    return (Check(name, "passed" if needed <= agents else "failed", said, spoils=False),)


def skewness(values: FloatArray) -> float | None:
    """Third moment over the cubed standard deviation; None with fewer than three known values, or equal ones."""
    known = values[~np.isnan(values)]
    if len(known) < 3 or np.ptp(known) == 0:
        return None
    centred = known - known.mean()
    return float((centred**3).mean() / (centred**2).mean() ** 1.5)
