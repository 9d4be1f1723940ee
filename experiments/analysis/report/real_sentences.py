"""What real behaviour and other audiences say of the arms, in words; terminal and page say the same."""

from __future__ import annotations

from collections.abc import Mapping

from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison
from groundlings.experiments.analysis.comparison.held_out import TAU_WANTED, HeldOut, RealEffect
from groundlings.experiments.analysis.comparison.real_behaviour import extrapolated as rests_on
from groundlings.experiments.analysis.report.formatting import count, decimal, plural, signed
from groundlings.experiments.analysis.report.verdict_sentences import lift, primary

_DECIMALS = 4


def real(comparison: Comparison, arm: ArmFindings) -> str:
    """How an arm's effect stands to what real people did with it; "" where nobody looked."""
    found = arm.real
    if found is None:
        return ""
    if found.stance == "not known":
        return f"what real people do with this arm is not known: {found.why}"
    first = found.decided_by or found.effects[0]
    head = {
        "agrees": ("agrees", "agree"),
        "disagrees": ("disagrees", "disagree"),
        "cannot tell": ("cannot tell", "cannot tell"),
        "does not correspond": ("is not about this metric", "are not about this metric"),
    }[found.stance][first.source != "held-out behaviour"]
    others = [_effect(each) for each in found.effects if each is not first]
    why = f" ({found.why})" if found.why else ""
    beside = f"; {'; '.join(others)}" if others else ""
    whose = first_recommender(comparison, arm.name)
    return f"{first.source}{whose} {head}{why}: {_effect(first)}, {_levels(comparison, first)}{beside}"


def extrapolated(comparison: Comparison, arm: ArmFindings) -> str:
    """How much of an arm's likes rests on items that people hardly pick; "" for metrics that rest on no ratings."""
    found = rests_on(comparison.held_out, arm.name, primary(comparison))
    if found is None or found.outside.mean is None:
        return ""
    first = rests_on(comparison.held_out, comparison.baseline, primary(comparison))
    if first is not None and found.outside.mean == first.outside.mean == 0:
        return f"Nothing that {arm.name} and {comparison.baseline} show lies outside what people pick."
    beside = "" if first is None else f" ({comparison.baseline} {_share(first.outside)})"
    return (
        f"{_share(found.outside)} of what {arm.name} shows lies outside what people pick{beside}: there P(like) is "
        f"extrapolated. Expected likes against {comparison.baseline}: {lift(found.as_modelled)} as modelled, "
        f"{lift(found.if_disliked)} if such items are liked as little as on a music service "
        f"({plural(found.as_modelled.n, 'agent')}, first day)."
    )


def audience(comparison: Comparison) -> str:
    """Whether other audiences order the arms alike, "" where nobody asked them."""
    found = comparison.held_out
    if found is None or found.missing:
        return ""
    lowest = found.audiences.lowest
    if lowest is None:
        return f"No other audience was asked: {found.audiences.missing}."
    alike = (
        "Each two of them agree fully" if lowest.tau == 1.0 else f"Least alike are {lowest.first} and {lowest.second}"
    )
    return (
        f"{len(found.audiences.utilities)} simulated audiences with other tastes or ways of browsing were asked, too, "
        f"how they order {plural(len(found.audiences.arms), 'arm')}. {alike}: Kendall's tau {lowest.tau:.2f}, where 1 "
        f"is the same order, 0 none in common and -1 the reverse; from {TAU_WANTED} on they count as alike."
    )


def first_recommender(comparison: Comparison, arm: str) -> str:
    """To be put behind an arm's name: that only its first recommender is meant; "" where it had one all the time."""
    return " (its first recommender)" if arm in _swapped(comparison) else ""


def swapped(comparison: Comparison) -> str:
    """Of which arms real behaviour is known of the first recommender only; "" where none was replaced."""
    days = _swapped(comparison)
    if not days or comparison.held_out is None or comparison.held_out.missing:
        return ""
    told = ", ".join(f"{arm} from day {day} on" for arm, day in days.items())
    one = "its first one" if len(days) == 1 else "their first ones"
    return f"Another recommender made the lists of {told}: what real people do is known of {one} only."


def _swapped(comparison: Comparison) -> Mapping[str, int]:
    """Arm -> the first day on which it has another recommender than it began with, 1 for the first."""
    found: Mapping[str, int] = comparison.run.get("other_recommender_from_day", {})
    return found


def people(comparison: Comparison) -> str:
    """Whom real behaviour is known of, or why it is not; "" where nobody looked."""
    found = comparison.held_out
    if found is None:
        return ""
    if found.missing:
        return f"What real people do with these arms is not known: {found.missing}.{_synthetic(found)}"
    part = "" if found.asked == found.with_items else f"{count(found.asked)} drawn of "
    which = "items, known ones among them," if found.repeats else "new items"
    return (
        f"Real behaviour: lists of the first day, scored by the {which} that {part}{count(found.with_items)} of "
        f"{plural(found.population, 'real user' if found.of_real_users else 'agent')} really met in the held-out part."
        f"{_synthetic(found)}"
        f"{f' {found.no_exposures[:1].upper()}{found.no_exposures[1:]}.' if found.no_exposures else ''}"
        f"{f' {swapped(comparison)}' if swapped(comparison) else ''}"
    )


def _synthetic(found: HeldOut) -> str:
    """That nothing real is known of the agents themselves, where that is so."""
    return " The agents are synthetic users, whom nothing real is known of." if found.of_real_users else ""


def spoken(comparison: Comparison) -> str:
    """Of every arm, for the picture."""
    return " ".join(f"{arm.name}: {real(comparison, arm)}." for arm in comparison.arms if arm.real is not None)


def _share(found: Estimate) -> str:
    """A share in per cent with its interval."""
    middle = f"{decimal(None if found.mean is None else 100 * found.mean, 0)} %"
    if found.low is None or found.high is None:
        return middle
    return f"{middle} [{decimal(max(100 * found.low, 0), 0)}, {decimal(min(100 * found.high, 100), 0)}]"


def _effect(found: RealEffect) -> str:
    gap = found.difference
    ends = ""
    if gap.low is not None and gap.high is not None:
        ends = f" [{signed(gap.low, _DECIMALS)}, {signed(gap.high, _DECIMALS)}]"
    return f"{found.metric} {signed(gap.difference, _DECIMALS)}{ends}"


def _levels(comparison: Comparison, found: RealEffect) -> str:
    """The arm's own value, and beside it that of recommenders that know nothing of a person."""
    held_out = comparison.held_out
    trivial = () if held_out is None else held_out.trivial
    beside = [
        f"{each.name} {decimal(effect.value.mean, _DECIMALS)}"
        for each in trivial
        for effect in each.effects
        if (effect.source, effect.metric) == (found.source, found.metric)
    ]
    rows = f" ({', '.join(beside)})" if beside else ""
    return f"mean {decimal(found.value.mean, _DECIMALS)}{rows}, {plural(found.difference.n, 'user')}"
