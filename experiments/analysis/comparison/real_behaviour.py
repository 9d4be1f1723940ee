"""How a simulated effect stands to what real people did with the same arms.

    disagrees           the strongest evidence that can tell has the other sign: the effect is not supported
    agrees              it has the same sign
    cannot tell         every interval includes zero, or the simulated effect has no sign
    does not correspond the primary metric is not about which items people choose, so nothing is concluded
    not known           nothing was measured, and why

Evidence that cannot tell leaves the verdict. Of evidence that can, the strongest kind decides (`held_out.Source`):
random exposures before logged ones with propensities, and both before what people chose themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from groundlings.environments.words import persons, plural
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.held_out import (
    TAU_WANTED,
    Agreement,
    Audiences,
    Extrapolation,
    HeldOut,
    RealEffect,
    Source,
    is_as_written,
    read_held_out,
)
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.archive.directory import HELD_OUT_NAME, MANIFEST_NAME

Stance = Literal["agrees", "disagrees", "cannot tell", "does not correspond", "not known"]

ORDER_CHECK = "other simulated audiences order the arms alike"

REPEAT_CHECK = "agents take up what they know as often as real people do"

REPEAT_TOLERANCE = 0.1
"""By how much of the real share of repeats the simulated one of an arm may differ, beyond the real one's noise."""

_BY_STRENGTH: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True, slots=True)
class RealBehaviour:
    """What real people did with an arm, beside its simulated effect.

    Attributes:
        stance: As the module says.
        effects: All that was measured, the strongest kind first.
        decided_by: The evidence that the stance rests on; None where none can tell.
        why: Why nothing is known, or nothing can be told, in words; "" where the stance says enough.
    """

    stance: Stance
    effects: tuple[RealEffect, ...] = ()
    decided_by: RealEffect | None = None
    why: str = ""


def real_behaviour(found: HeldOut | None, arm: str, effect: Difference, metric: Metric) -> RealBehaviour | None:
    """How an arm's effect stands to real behaviour; None where nobody looked for any.

    Args:
        found: What was measured; None where the run has nothing of the kind.
        arm: The arm.
        effect: Its simulated effect on the primary metric.
        metric: The primary metric.
    """
    if found is None:
        return None
    measured = found.arms.get(arm)
    if found.missing or measured is None or not measured.effects:
        why = found.missing or (measured.missing if measured else "") or "this arm was not measured"
        return RealBehaviour("not known", why=why)
    effects = tuple(sorted(measured.effects, key=lambda each: _BY_STRENGTH.index(each.source)))
    if not metric.measures_choice:
        why = f"{metric.label.lower()} is not about which items people choose"
        return RealBehaviour("does not correspond", effects, why=why)
    sign = effect.difference or 0.0
    sign = -sign if metric.higher_is_better is False else sign
    if not sign:
        return RealBehaviour("cannot tell", effects, why="the simulated effect has no sign")
    strongest = next((each for each in effects if each.decides and each.difference.excludes_zero), None)
    if strongest is None:
        return RealBehaviour("cannot tell", effects, why="its interval includes zero")
    same = (strongest.difference.difference or 0.0) * sign > 0
    return RealBehaviour("agrees" if same else "disagrees", effects, strongest)


def contradiction(found: RealBehaviour | None, baseline: str, *, clear: bool) -> str:
    """The evidence that has the other sign, as a reason; "" where none has.

    Args:
        found: Of one arm.
        baseline: Name of the first arm.
        clear: Whether the simulated effect is clear; of one that is not there is no opposite, but the evidence stands.
    """
    if found is None or found.stance != "disagrees" or found.decided_by is None:
        return ""
    evidence = found.decided_by
    gap = evidence.difference
    size = f"{gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
    behind = "ahead" if (gap.difference or 0.0) > 0 else "behind"
    says = f"{_do(evidence, 'say')} the opposite" if clear else f"{_do(evidence, 'put')} it {behind}"
    return f"{says}: {evidence.metric} {size} against {baseline}, {persons(gap.n)}"


def beside(directory: Path, held_out: HeldOut | None = None) -> tuple[HeldOut | None, tuple[Check, ...]]:
    """What real behaviour says of a run's arms, and a check that failed where the file is not the run's own.

    Args:
        directory: The run's.
        held_out: What to take where it holds nothing of the kind.

    Raises:
        RunDirectoryError: The file is damaged.
    """
    found = read_held_out(directory)
    if is_as_written(directory) is False:
        said = f"{HELD_OUT_NAME} is not the file that {MANIFEST_NAME} speaks of"
        return found, (Check("what real behaviour says is as it was written", "failed", said),)
    return found or held_out, ()


def order_check(found: Audiences) -> tuple[Check, ...]:
    """Whether other audiences order the arms as much alike as `TAU_WANTED`; nothing where none were asked."""
    lowest = found.lowest
    if lowest is None:
        return ()
    alike = lowest.tau >= TAU_WANTED
    said = (
        f"lowest Kendall's tau of {plural(len(found.utilities), 'audience')} {lowest.tau:.2f}, {lowest.first} and "
        f"{lowest.second}{_which(lowest)}; {plural(len(found.arms), 'arm')} by expected clicks per session of "
        f"{plural(found.people, 'agent')} on the first day"
    )
    return (Check(ORDER_CHECK, "passed" if alike else "failed", said, spoils=False),)


def repeat_check(found: HeldOut) -> tuple[Check, ...]:
    """Whether the share of repeats is the real one in each arm, by `REPEAT_TOLERANCE`; nothing where none are shown."""
    items = found.repeat_shares.items()
    shares = {arm: each for arm, each in items if each.simulated is not None and each.real is not None}
    if not shares:
        return ()
    fine = all(each.differs_by_at_most(REPEAT_TOLERANCE) for each in shares.values())
    told = [f"{arm} {each.simulated:.0%} (real {each.real:.0%})" for arm, each in shares.items()]
    what = " and ".join(dict.fromkeys(each.of for each in shares.values()))
    said = f"share of {what} on known items, beside that of real repeats among the same items: {', '.join(told)}"
    return (Check(REPEAT_CHECK, "passed" if fine else "failed", said, spoils=False),)


def audiences_differ(found: Audiences, arm: str, baseline: str) -> str:
    """The two audiences that agree least, where that is less than `TAU_WANTED`, as a reason; "" where they agree.

    Args:
        found: What the audiences make of the arms.
        arm, baseline: Whose difference is judged: the reason says how many audiences put the arm above the baseline.
    """
    lowest = found.lowest
    if lowest is None or lowest.tau >= TAU_WANTED:
        return ""
    return (
        f"the order of the arms depends on the audience: Kendall's tau {lowest.tau:.2f} between {lowest.first} and "
        f"{lowest.second}{_which(lowest)}{_above(found, arm, baseline)}"
    )


def extrapolated(found: HeldOut | None, arm: str, metric: Metric) -> Extrapolation | None:
    """What an arm's effect on a metric of ratings rests on; None for other metrics, and where it is not known."""
    measured = None if found is None else found.arms.get(arm)
    return measured.extrapolation if measured is not None and metric.rests_on_ratings else None


def extrapolation_decides(found: HeldOut | None, arm: str, metric: Metric) -> str:
    """That the sign of expected likes rests on items that people hardly pick, as a reason; "" where it does not.

    Args:
        found: What was measured.
        arm: The arm.
        metric: The primary metric.
    """
    rests_on = extrapolated(found, arm, metric)
    if found is None or rests_on is None or not rests_on.decides:
        return ""
    return (
        f"the sign rests on items outside what people pick: expected likes against {found.baseline} "
        f"{_lift(rests_on.as_modelled)} as modelled, {_lift(rests_on.if_disliked)} if such items disappoint"
    )


def _lift(found: Estimate) -> str:
    low, middle, high = (100 * (end or 0.0) for end in (found.low, found.mean, found.high))
    return f"{middle:+.1f} % [{low:+.1f}, {high:+.1f}]"


def _above(found: Audiences, arm: str, baseline: str) -> str:
    if arm not in found.arms or baseline not in found.arms:
        return ""
    ours, theirs = found.arms.index(arm), found.arms.index(baseline)
    above = sum(values[ours] > values[theirs] for values in found.utilities.values())
    return f" ({above} of {len(found.utilities)} put {arm} above {baseline})"


def _do(evidence: RealEffect, verb: str) -> str:
    return f"{evidence.source} {verb}{'s' if evidence.source == 'held-out behaviour' else ''}"


def _which(found: Agreement) -> str:
    """The pairs of arms that two audiences turn round, three at most."""
    pairs = [f"{first} and {second}" for first, second in found.reversed]
    if not pairs:
        return ""
    more = f" and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
    return f", which reverse {', '.join(pairs[:3])}{more}"
