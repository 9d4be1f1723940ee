"""Who wins? The comparison sorted into those who lead, those who follow, and those who are behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from groundlings.experiments.analysis.answer.values import Kind
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.comparison.objectives import signs_of
from groundlings.experiments.analysis.comparison.verdict import failed


@dataclass(frozen=True, slots=True)
class Finding:
    """What the comparison comes to.

    Attributes:
        kind: Of the answer.
        direction: 1 where more of the metric is better, -1 where less is, 0 where it does not say.
        leader: The winner, or else the competitor with the best mean; None without one.
        tied: Competitors that cannot be told apart from the winner.
        also: Further ones that are clearly better than the baseline.
        unclear: Those whose difference to the baseline is not clear.
        worse: Those that are clearly worse than the baseline.
        objected: Those that are clearly better but do not count: real behaviour, a guardrail or a check is against
            them.
        same: Those that did exactly what the baseline did.
        unknown: Those of which nothing is known.
    """

    kind: Kind
    direction: int
    leader: ArmFindings | None = None
    tied: tuple[ArmFindings, ...] = ()
    also: tuple[ArmFindings, ...] = ()
    unclear: tuple[ArmFindings, ...] = ()
    worse: tuple[ArmFindings, ...] = ()
    objected: tuple[ArmFindings, ...] = ()
    same: tuple[ArmFindings, ...] = field(default=())
    unknown: tuple[ArmFindings, ...] = ()

    @property
    def winner(self) -> ArmFindings | None:
        """The arm that wins or leads a tie."""
        return self.leader if self.kind in ("winner", "tied") else None


def direction_of(comparison: Comparison) -> int:
    """1 where more of the primary metric is better, -1 where less is, 0 where neither the metric nor the plan says."""
    plan = comparison.plan
    told = any(each.metric == plan.primary and each.direction for each in plan.objectives or ())
    if comparison.metrics[plan.primary].higher_is_better is None and not told:
        return 0
    return signs_of(plan, comparison.metrics)[plan.primary]


def gain(arm: ArmFindings, direction: int) -> float:
    """How much better than the baseline an arm is, in the metric's unit; of a metric without direction: how much
    higher."""
    return (direction or 1) * (arm.headline.effect.difference or 0.0)


def contradicted(arm: ArmFindings) -> bool:
    """Whether what real people did has the other sign."""
    return arm.real is not None and arm.real.stance == "disagrees"


def objections(arm: ArmFindings) -> bool:
    """Whether an arm that is better does not count: contradicted, harmful, of two signs, or with a failed check."""
    return (
        contradicted(arm)
        or any(guard.state == "harmed" for guard in arm.guardrails)
        or (arm.variants is not None and not arm.variants.same_sign)
        or any(check.spoils for check in failed(arm.checks))
    )


def find(comparison: Comparison) -> Finding:
    """What a comparison comes to; of lists that two recommenders drafted, which one is preferred."""
    direction = direction_of(comparison)
    if comparison.preference is not None:
        known = comparison.preference.share.mean is not None
        return Finding("preference" if known and comparison.preference.clear else "no preference", direction)
    arms = sorted(comparison.arms, key=lambda arm: -gain(arm, direction))
    same = tuple(arm for arm in arms if arm.headline.identical)
    unknown = tuple(arm for arm in arms if arm.headline.effect.difference is None and arm not in same)
    told = [arm for arm in arms if arm not in same and arm not in unknown]
    if not told:
        return Finding("not known" if unknown else "not compared", direction, same=same, unknown=unknown)
    clear = [arm for arm in told if arm.headline.clear]
    better = [arm for arm in clear if gain(arm, direction) > 0]
    return _sorted_out(comparison, direction, told, clear, better, same, unknown)


def _sorted_out(
    comparison: Comparison,
    direction: int,
    told: Sequence[ArmFindings],
    clear: Sequence[ArmFindings],
    better: Sequence[ArmFindings],
    same: tuple[ArmFindings, ...],
    unknown: tuple[ArmFindings, ...],
) -> Finding:
    worse = tuple(arm for arm in clear if arm not in better)
    unclear = tuple(arm for arm in told if arm not in clear)
    objected = tuple(arm for arm in better if direction and objections(arm))
    rivals = [arm for arm in told if arm not in objected]
    beaten = {arm.name for arm in rivals for other in rivals if _beats(comparison, other, arm, direction)}
    eligible = [arm for arm in better if arm not in objected and arm.name not in beaten]
    common = {"worse": worse, "objected": objected, "same": same, "unknown": unknown}
    if not direction:
        return Finding("no direction", 0, told[0], also=tuple(better), unclear=unclear, **common)
    if eligible:
        leader = eligible[0]
        tied = tuple(arm for arm in rivals if arm is not leader and not _beats(comparison, leader, arm, direction))
        also = tuple(arm for arm in better if arm is not leader and arm not in tied and arm not in objected)
        rest = tuple(arm for arm in unclear if arm not in tied)
        worse = tuple(arm for arm in worse if arm not in tied)
        return Finding("tied" if tied else "winner", direction, leader, tied, also, rest, **{**common, "worse": worse})
    if objected:
        kind: Kind = "contradicted" if contradicted(objected[0]) else "does not hold"
        also = tuple(arm for arm in better if arm not in objected)
        return Finding(kind, direction, objected[0], also=also, unclear=unclear, **common)
    kind = "baseline ahead" if len(worse) == len(told) else "no clear winner"
    also = tuple(better)
    return Finding(kind, direction, told[0], also=also, unclear=unclear, **common)


def _beats(comparison: Comparison, first: ArmFindings, second: ArmFindings, direction: int) -> bool:
    """Whether one competitor is clearly better than another one."""
    gap = comparison.standing.between(first.name, second.name)
    if gap is None or gap.low is None or gap.high is None:
        return False
    return gap.low > 0 if direction > 0 else gap.high < 0
