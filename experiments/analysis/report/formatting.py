"""Figures and facts in words: every number that a report shows passes through here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from groundlings.environments.environment import EndedBy
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.metrics import BY_NAME, ArmSummary, Metric, Summary
from groundlings.experiments.analysis.metrics.counts import ArmCounts
from groundlings.experiments.analysis.report.assumed import assumed_levels
from groundlings.recommenders.interleaving import TEAM_DRAFT

NOT_VALIDATED = "simulated effect, not validated against humans"
NOTHING = "\N{EN DASH}"
NOT_KNOWN = "n/a"
_OWN_TABLES = "own"
"""What a data set of one's own tables is called in a file."""
_FEW = 10
"""Below so many agents a mean is given with their number."""
_LEAST_IN_ONE_DECIMAL = 0.1
_FINEST = 12
"""Decimals of an end of an interval that is next to zero, at most."""

_ENDED = {
    EndedBy.EXIT: "left after page {pages}",
    EndedBy.LAST_PAGE: "reached page {pages}, the last one",
    EndedBy.UNREADABLE: "ended on page {pages} by an unreadable reply",
    EndedBy.UNANSWERABLE: "ended on page {pages}, which the model's server refuses to answer",
    EndedBy.NOTHING_SHOWN: "was shown nothing",
}
_ACCEPTED = "ended on page {pages}, with an accepted item"
_AWAY = "did not enter the site"

_MINDS = {
    "behavioural": "a behavioural model of choice decided for them",
    "scripted": "a script decided for them",
}


def decimal(value: float | None, decimals: int) -> str:
    """A number with a fixed count of decimals and a true minus sign, a dash for None."""
    if value is None:
        return NOTHING
    rounded = round(value, decimals) + 0.0  # adding zero takes the sign off a negative zero
    return f"{rounded:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def finer(metric: Metric, effects: Iterable[float | None]) -> Metric:
    """The metric with so many decimals that the largest effect has two figures, up to two more than it has."""
    largest = max((abs(effect or 0.0) for effect in effects), default=0.0)
    if not largest:
        return metric
    wanted = 1 - math.floor(math.log10(largest))
    return replace(metric, decimals=min(max(metric.decimals, wanted), metric.decimals + 2))


def signed(value: float | None, decimals: int) -> str:
    """As `decimal`, with a sign unless it rounds to zero."""
    text = decimal(value, decimals)
    return f"+{text}" if value is not None and round(value, decimals) > 0 else text


def mean(arm: ArmSummary, metric: Metric) -> str:
    """The mean of a metric in an arm; "n/a" where there is none because pages are lost, a dash where there is none."""
    found = arm.metrics[metric.name].mean
    return NOT_KNOWN if found is None and arm.lost.lost else decimal(found, metric.decimals)


def unknown(summary: Summary) -> str:
    """What is not known because pages are lost, why, and what it leaves out; "" where none is."""
    lost = summary.lost
    if not lost.lost:
        return ""
    arms = ", ".join(f"{arm.name} {count(arm.lost.lost)} of {count(arm.lost.pages)}" for arm in summary.arms)
    slots, sessions = (
        f"{count(sum(part for part, _ in parts))} of {count(sum(whole for _, whole in parts))}"
        for parts in (
            [(arm.counts.unknown_impressions, arm.counts.impressions) for arm in summary.arms],
            [(arm.counts.unknown_sessions, arm.counts.sessions) for arm in summary.arms],
        )
    )
    return (
        f"{lost.sentence()}. By arm: {arms}. Not known: what was done in {slots} slots, and how {sessions} sessions "
        "went on; they are left out of every mean, and nothing in them counts as zero."
    )


def model_lists(summary: Summary) -> tuple[str, ...]:
    """What language models made of candidates, a sentence per arm that asked for lists."""
    return tuple(f"{arm.name}: {arm.model_lists.sentence()}." for arm in summary.arms if arm.model_lists)


def presented(summary: Summary) -> tuple[str, ...]:
    """In whose words items were shown, a sentence per arm whose recommender says something of them."""
    return tuple(f"{arm.name}: {arm.presented.sentence()}." for arm in summary.arms if arm.presented)


def fitted(summary: Summary) -> tuple[str, ...]:
    """What recommenders counted of their first fit, a sentence for each that counts something."""
    return tuple(f"{arm.name}: {each.sentence}." for arm in summary.arms for each in arm.fitted)


def lost_afterthoughts(summary: Summary) -> tuple[str, ...]:
    """What agents were asked after sessions and nobody could read, a sentence per arm that lost any of it."""
    return tuple(
        f"{arm.name}: not all that agents said after their sessions is known, {arm.afterthoughts.sentence()}."
        for arm in summary.arms
        if arm.afterthoughts
    )


def lost_lessons(summary: Summary) -> tuple[str, ...]:
    """What recommenders did not learn, a sentence per arm that lost lessons: such an arm is not what its name says."""
    return tuple(
        f"{arm.name}: its recommender learnt less than it asked, {arm.lessons.sentence()}."
        for arm in summary.arms
        if arm.lessons and arm.lessons.lost
    )


def lost_replies(summary: Summary) -> tuple[str, ...]:
    """What recommenders could not read of what their models said about lists, a sentence per arm that lost any."""
    return tuple(
        f"{arm.name}: its recommender did without some of its model's replies, {arm.lost_replies.sentence()}."
        for arm in summary.arms
        if arm.lost_replies
    )


def lessons(summary: Summary) -> tuple[str, ...]:
    """What recommenders asked in order to learn, a sentence per arm that lost nothing of it."""
    return tuple(
        f"{arm.name}: {arm.lessons.counted()}." for arm in summary.arms if arm.lessons and not arm.lessons.lost
    )


def absent(summary: Summary) -> tuple[str, ...]:
    """Shipped metrics that these data cannot have, in a sentence per reason: "n/a: likes per session (...)"."""
    reasons: dict[str, list[str]] = {}
    for name, reason in summary.absent.items():
        reasons.setdefault(reason, []).append(BY_NAME[name].label.lower())
    return tuple(f"{NOT_KNOWN}: {', '.join(labels)} ({reason})" for reason, labels in reasons.items())


def interval(found: Estimate | Difference, metric: Metric) -> str:
    """The 95 % interval in brackets, "" where there is none, and of a difference without spread."""
    if found.low is None or found.high is None:
        return ""
    if isinstance(found, Difference):
        return ends(found.low, found.high, metric.decimals)
    return f"[{decimal(found.low, metric.decimals)}, {decimal(found.high, metric.decimals)}]"


def ends(low: float, high: float, decimals: int) -> str:
    """The interval of a difference in brackets, "" where it has no width, as nothing is known of its spread.

    Where it excludes zero, its nearer end has as many decimals as it takes not to be written as zero.
    """
    if low == high:
        return ""
    nearer = low if low > 0 else high if high < 0 else 0.0
    finer = _FINEST if nearer else decimals
    nearest = next((more for more in range(decimals, finer) if round(nearer, more)), finer)
    return f"[{', '.join(signed(end, nearest if end == nearer else decimals) for end in (low, high))}]"


def alike(difference: Difference) -> bool:
    """Whether two arms do not differ in any agent who has a value in both, and several have one."""
    return difference.difference == 0.0 and difference.low is not None and difference.low == difference.high


def count(number: float) -> str:
    """A whole number with separators."""
    return f"{number:,.0f}"


def done(number: float, counts: ArmCounts) -> str:
    """A count of what was done, "n/a" where nothing is known of any impression."""
    return NOT_KNOWN if 0 < counts.impressions == counts.unknown_impressions else count(number)


def share(part: float, whole: float) -> str:
    """A percentage, a dash of nothing."""
    if not whole:
        return NOTHING
    percent = 100 * part / whole
    return f"{percent:.0f} %" if part in (0, whole) else f"{percent:.1f} %"


def share_interval(found: Estimate) -> str:
    """A share as a percentage with the ends of its interval."""
    if found.mean is None:
        return NOT_KNOWN
    places = percent_decimals(found.mean)
    low, high = found.low, found.high
    ends = "" if low is None or high is None else f" [{100 * low:.{places}f}, {100 * high:.{places}f}]"
    return f"{100 * found.mean:.{places}f} %{ends}".replace("-", "\N{MINUS SIGN}")


def percent_decimals(share: float | None) -> int:
    """Decimals of a percentage: one, or as many as show two digits of a share that one would round to nothing."""
    percent = 100 * abs(share or 0.0)
    if percent == 0.0 or percent >= _LEAST_IN_ONE_DECIMAL:
        return 1
    return 1 - math.floor(math.log10(percent))


def plural(number: int, one: str, many: str | None = None) -> str:
    """A count and its noun."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def ending(
    day: int,
    ended_by: str,
    pages: int,
    satisfaction: float | None = None,
    accepted: bool = False,
    away: bool = False,
) -> str:
    """When and how a session ended, and how satisfied the agent was with it.

    Args:
        day: 0 is the first.
        ended_by: As in `sessions.ended_by`.
        pages: How many were seen.
        satisfaction: Mean over them, None where it is not known.
        accepted: Whether it ended with an accepted item.
        away: Whether it ended before the site, in a social turn.
    """
    felt = "" if satisfaction is None else f", satisfied {decimal(satisfaction, 1)} of 10"
    how = _ACCEPTED if accepted else _AWAY if away else _ENDED[EndedBy(ended_by)]
    return f"Day {day + 1}: {how.format(pages=pages)}{felt}."


def audience(run: Mapping[str, Any]) -> str:
    """How many agents there are, and how many of them had a session where not all had one."""
    came = run.get("came", run["agents"])
    if came == run["agents"]:
        return plural(came, "agent")
    return f"{count(came)} of {plural(run['agents'], 'user')} had a session"


def opening(summary: Summary, split: bool = False) -> str:
    """What was simulated, in one sentence.

    Args:
        summary: Of the run.
        split: Whether each agent was in one arm only.
    """
    run = summary.run
    came = run.get("came", run["agents"])
    people = plural(came, "simulated user", "simulated users")
    if came != run["agents"]:
        people = f"{count(came)} of {plural(run['agents'], 'simulated user')}"
    each = "built from one user's history" if came == 1 else "each built from one user's history"
    arms = plural(len(summary.arms), "recommender")
    bounds = sum(arm.bound for arm in summary.arms)
    if bounds:
        arms += f" ({bounds} of them {'a bound' if bounds == 1 else 'bounds'})"
    if summary.baseline.recommender == TEAM_DRAFT:
        arms = "lists that 2 recommenders had drafted together"
    days = plural(run["days"], "day")
    tried = "visited" if not split else "was shown" if run["agents"] == 1 else "were each shown"
    if split:
        arms = f"one of {arms}"
    return f"{people}, {each} in {_data(run)}, {tried} {arms} over {days}; {deciding(run)}."


def _data(run: Mapping[str, Any]) -> str:
    return "your own data" if run["dataset"] == _OWN_TABLES else str(run["dataset"])


def assumed(summary: Summary) -> str:
    """That levels rest on presets, and on which, in a sentence; "" where they do not."""
    return assumed_levels(summary.run["mind"], sells=any("purchase" in metric.needs for metric in summary.metrics))


def deciding(run: Mapping[str, Any]) -> str:
    """Which mind decided, as a clause."""
    kind = str(run["mind"].get("kind", "an unnamed mind"))
    if kind == "language":
        return f"the language model {run['mind'].get('model') or 'of an unknown name'} decided for them"
    if kind == "calibrated" and "model" in run["mind"]:
        return f"their histories and the language model {run['mind']['model']}, weighted by fit, decided for them"
    if kind == "calibrated":
        return _MINDS["behavioural"]
    return _MINDS.get(kind, f"the mind \N{LEFT DOUBLE QUOTATION MARK}{kind}\N{RIGHT DOUBLE QUOTATION MARK} decided")


def verdict(difference: Difference, metric: Metric) -> str:
    """How a difference is to be read: "better", "worse", "higher", "lower", "unclear" or, of any agent, "the same"."""
    if alike(difference):
        return "the same"
    if not difference.excludes_zero or difference.difference is None:
        return "unclear"
    up = difference.difference > 0
    if metric.higher_is_better is None:
        return "higher" if up else "lower"
    return "better" if up == metric.higher_is_better else "worse"


def spoken(summary: Summary, metric: Metric) -> str:
    """A panel of the picture in words, for those who do not see it."""
    parts = [
        f"{arm.name} {mean(arm, metric)} {interval(arm.metrics[metric.name], metric)}".rstrip() for arm in summary.arms
    ]
    return f"{metric.label}, mean and 95 % interval over agents: {'; '.join(parts)}."


def few(found: Estimate) -> bool:
    """Whether so few agents have a value, others having none, that a mean is not to be read without their number."""
    return found.excluded > 0 and 0 < found.n < _FEW


def units(summary: Summary) -> str:
    """What metrics of a purchase are counted in, in a sentence; "" where there is none."""
    sold = [metric for metric in summary.metrics if not metric.is_share and "purchase" in metric.needs]
    if not sold:
        return ""
    money = "; money is in the currency of the data's prices" if any(metric.money for metric in sold) else ""
    return f"Counted in: {', '.join(f'{metric.label.lower()} ({metric.unit})' for metric in sold)}{money}."


def denominators(summary: Summary, metric: Metric) -> str:
    """What a metric is divided by, and how many agents have nothing to divide by, arm by arm."""
    none = "; ".join(f"{arm.name} {count(arm.metrics[metric.name].excluded)}" for arm in summary.arms)
    return f"{metric.label} is per {metric.denominator}; {metric.left_out} have no value: {none}."
