"""A comparison in words; terminal and page say the same."""

from __future__ import annotations

from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.control_variate import AGENTS_A_CONTROL
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison, Guardrail, Headline, Variants
from groundlings.experiments.analysis.comparison.fidelity_gate import Gate
from groundlings.experiments.analysis.comparison.preference import Preference
from groundlings.experiments.analysis.comparison.segments import Segment
from groundlings.experiments.analysis.comparison.verdict import UNVARIED, UNVARIED_GROUPS
from groundlings.experiments.analysis.metrics import Metric
from groundlings.experiments.analysis.report.formatting import (
    NOT_KNOWN,
    NOT_VALIDATED,
    NOTHING,
    count,
    decimal,
    finer,
    interval,
    plural,
    signed,
)
from groundlings.experiments.config.decision_plan import PlanConfig
from groundlings.experiments.config.designs import InterleavingDesign, SplitDesign

_ADJUSTED = " Every outcome is adjusted by a control variate (clicks less expected clicks)."
_NOT_ADJUSTED = (
    "The control variate of the plan, clicks less expected clicks, changes nothing: it is fitted where "
    f"{AGENTS_A_CONTROL} agents of an arm or more have a value. Effects are as logged."
)
_STOPPING = {
    "fixed": "one look at the end",
    "group_sequential": "looks at {looks} people",
    "confidence_sequence": "a look at any time",
}


def percent(value: float | None, decimals: int = 0) -> str:
    """A share as a percentage with its sign."""
    return NOTHING if value is None else f"{signed(100 * value, decimals)} %"


def p_text(p_value: float | None) -> str:
    """A p value with two figures."""
    if p_value is None:
        return NOTHING
    return "< .001" if p_value < 0.001 else f"{p_value:.3f}".lstrip("0") if p_value < 0.9995 else "1"


def bounds(found: Difference, metric: Metric) -> str:
    """An interval of a difference in brackets, "" where there is none or nothing is known of its spread."""
    return interval(found, metric)


def lift(found: Estimate) -> str:
    """A relative lift with its interval."""
    if found.mean is None or found.low is None or found.high is None:
        return NOTHING
    ends = (signed(100 * found.low, 0), signed(100 * found.high, 0))
    return f"{percent(found.mean)} [{ends[0]}, {ends[1]}]"


def primary(comparison: Comparison) -> Metric:
    """The metric that decides, or stands first where none was declared; written finely enough for the effects."""
    effects = (arm.headline.effect.difference for arm in comparison.arms)
    return finer(comparison.metrics[comparison.plan.primary], effects)


def baseline_mean(comparison: Comparison) -> str:
    """The baseline's mean of the primary metric; "n/a" where there is none because pages are lost."""
    if comparison.baseline_mean is None and comparison.lost.lost:
        return NOT_KNOWN
    return decimal(comparison.baseline_mean, primary(comparison).decimals)


def plan(comparison: Comparison) -> str:
    """What was declared, in a sentence."""
    declared: PlanConfig = comparison.plan
    metric = primary(comparison)
    if comparison.preference is not None:
        return f"{design(comparison)} {SCREEN}"
    if not comparison.declared:
        return (
            f"No primary metric was declared, so this is exploratory. {metric.label} comes first only because it "
            f"is the first of the metrics. {design(comparison)}"
        )
    smallest = comparison.arms[0].headline.smallest if comparison.arms else None
    size = f" ({decimal(smallest, metric.decimals)} {metric.unit})" if smallest is not None else ""
    guards = ", ".join(
        f"{comparison.metrics[name].label.lower()} (loss up to {100 * margin:g} %)"
        for name, margin in declared.guardrails.items()
    )
    looks = ", ".join(count(look) for look in declared.looks)
    return (
        f"Primary metric: {metric.label.lower()}. Smallest effect that matters: {100 * declared.smallest_effect:g} % "
        f"of the mean of {comparison.baseline}{size}. Guardrails: {guards or 'none'}. "
        f"Alpha {declared.alpha:g}, {_STOPPING[declared.stopping].format(looks=looks)}. {design(comparison)}"
        f"{_ADJUSTED if adjusts(comparison) else ''}{f' {not_adjusted(comparison)}'.rstrip()}"
        f"{against_metrics(comparison)}"
    )


def against_metrics(comparison: Comparison, only: str | None = None) -> str:
    """Which way is better where the plan of a run contradicts its metrics, as earlier versions let it; "" elsewhere.

    Args:
        comparison: What was found.
        only: The metric that it is asked of; None = all of them.
    """
    names = [name for name in comparison.run.get("contradicted_metrics", ()) if only in (None, name)]
    ways = [
        f"{'more' if comparison.metrics[name].higher_is_better else 'less'} of {comparison.metrics[name].label.lower()}"
        for name in names
    ]
    if not ways:
        return ""
    return f" The plan calls {' and '.join(ways)} better, against the metric itself: answer and page follow the plan."


def adjusts(comparison: Comparison) -> bool:
    """Whether the control variate of the plan changes any effect; it is not fitted to a few agents."""
    return comparison.plan.take_out_luck and not not_adjusted(comparison)


def not_adjusted(comparison: Comparison) -> str:
    """That a control variate was declared and changes no effect, and why; "" elsewhere."""
    found = [arm.headline for arm in comparison.arms if not arm.headline.identical and arm.variants is None]
    same = [each.logged is not None and each.logged.effect == each.effect for each in found]
    return _NOT_ADJUSTED if comparison.plan.take_out_luck and same and all(same) else ""


def lost(comparison: Comparison) -> str:
    """What could not be read, why, and what to do; "" where everything could."""
    return f"{comparison.lost.sentence()}." if comparison.lost.lost else ""


def preferred(found: Preference) -> str:
    """The word for a preference."""
    if found.share.mean is None:
        return "no preference known: nothing could be read"
    if not found.clear or found.share.mean is None:
        return "no preference found"
    return f"{found.arm if found.share.mean > 0.5 else found.baseline} is preferred"


def preference(found: Preference) -> str:
    """What interleaved lists tell, in sentences."""
    people = (
        f"{plural(found.prefer_arm, 'agent')} opened more of {found.arm}'s picks, "
        f"{count(found.prefer_baseline)} more of "
    )
    return (
        f"{people}{found.baseline}'s, {count(found.prefer_neither)} as many of both: a share of "
        f"{_share(found.share)} for {found.arm}, one half being no preference (sign test over agents, "
        f"p {p_text(found.p_value)}). Of all opened items, {_share(found.credit)} were its picks."
    )


SCREEN = (
    "A screen, not an effect: clicks on lists that both drafted show whose items agents prefer. The size of an effect "
    "on a metric, and effects on exits or satisfaction, need the design parallel or split."
)


def _share(found: Estimate) -> str:
    if found.mean is None:
        return NOTHING
    ends = "" if found.low is None or found.high is None else f" [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    return f"{100 * found.mean:.1f} %{ends}"


def design(comparison: Comparison) -> str:
    """How arms met people, in a sentence."""
    match comparison.design:
        case SplitDesign(log=log, by=by):
            learnt = "its own agents" if log == "own" else "the agents of all arms, so arms affect each other"
            who = "every agent" if by == "agents" else "every cluster of agents with ties"
            return f"Split design: {who} lived in one arm; each recommender learnt from {learnt}."
        case InterleavingDesign():
            return "Interleaving: both arms drafted every list together, and both learnt from all of it."
        case _:
            return "Parallel design: every agent lived in every arm, with common random numbers."


def sentence(comparison: Comparison, arm: ArmFindings) -> str:
    """The finding about one arm."""
    metric, found = primary(comparison), arm.headline
    if found.effect.difference is None:
        lost = f" ({comparison.lost.counted()})" if comparison.lost.lost else ""
        return f"{arm.name}: no agent has a value of {metric.label.lower()} in both arms{lost}."
    size = f"{signed(found.effect.difference, metric.decimals)} {metric.unit} {bounds(found.effect, metric)}".rstrip()
    if found.identical:
        return f"{arm.name} and {comparison.baseline} are identical arms: {identical()}"
    relative = "" if found.lift.mean is None else f", {percent(found.lift.mean)}"
    said = f"{arm.name} against {comparison.baseline}: {size}{relative}."
    if not found.clear:
        return f"{said} {missed(comparison, found)}".rstrip()
    if found.smallest is not None and abs(found.effect.difference) < found.smallest:
        said = f"{said} Clear, but smaller than the smallest effect that matters."
    return f"{said} {unvaried(found)}".rstrip()


def identical() -> str:
    """What is said of arms that did the same."""
    return "they are equal in every slot of every session, in what was shown and in what was done."


def missed(comparison: Comparison, found: Headline) -> str:
    """What a null result could have seen."""
    metric = primary(comparison)
    if found.identical:
        return f"Identical arms: {identical()}"
    if found.effect.excludes_zero:
        p_value = "" if found.adjusted_p is None else f": p {p_text(found.adjusted_p)} by Benjamini-Hochberg"
        return (
            "The interval is of this comparison alone and excludes zero; after correction for all metrics and arms "
            f"that were looked at, the effect is not clear{p_value}."
        )
    if found.unvaried:
        return unvaried(found)
    if found.detectable is None:
        return ""
    size = decimal(found.detectable, metric.decimals)
    if not any(digit in size for digit in "123456789"):
        size = f"{found.detectable:.2g}"
    return f"Only an effect of {size} or more {would_be_found(comparison)}."


def would_be_found(comparison: Comparison) -> str:
    """How sure a test is to find an effect of the size that it is powered for, as the end of a sentence."""
    alone = "" if comparison.declared else ", had it alone been looked at"
    return f"would have been found {100 * comparison.plan.power:g} times in 100{alone}"


def corrected(found: Headline) -> str:
    """Why an effect whose interval excludes zero is not clear, in a clause; "" of any other one."""
    if found.clear or found.unvaried or not found.effect.excludes_zero or found.adjusted_p is None:
        return ""
    return f"not clear: p {p_text(found.adjusted_p)}, corrected for all metrics and arms"


def unvaried(found: Headline) -> str:
    """What is said of an effect without any spread, in a sentence; "" of any other one."""
    said = without_spread(found)
    return said and f"{said[:1].upper()}{said[1:]}."


def without_spread(found: Headline) -> str:
    """The same in a clause."""
    if not found.unvaried or found.identical:
        return ""
    return UNVARIED if found.clear or found.effect.low is not None else UNVARIED_GROUPS


def harm(arm: ArmFindings, higher_is_better: bool | None) -> str:
    """Who lost, in a clause."""
    if arm.harm is None:
        return ""
    worse, better = (
        (arm.harm.better, arm.harm.worse) if higher_is_better is False else (arm.harm.worse, arm.harm.better)
    )
    words = ("worse", "better") if higher_is_better is not None else ("lower", "higher")
    return f"{100 * worse:.0f} % {words[0]}, {100 * arm.harm.same:.0f} % the same, {100 * better:.0f} % {words[1]}"


def denominator(comparison: Comparison, arm: ArmFindings) -> str:
    """What a primary metric of one's own is divided by, and whom the effect leaves out; "" for a shipped metric."""
    metric, effect = primary(comparison), arm.headline.effect
    if metric.shipped:
        return ""
    who = f"{count(effect.excluded)} of {plural(int(comparison.run['agents']), 'agent')} left out"
    return f"per {metric.denominator}; {who} ({metric.left_out})"


def guardrail(found: Guardrail, metric: Metric) -> str:
    """A guardrail and how it stands."""
    effect = f"{signed(found.effect.difference, metric.decimals)} {bounds(found.effect, metric)}".rstrip()
    return f"{metric.label.lower()} {found.state} ({effect})"


def gate(found: Gate | None) -> str:
    """Whether the audience may be believed, in a sentence."""
    if found is None:
        return (
            "The fidelity of these agents on these data is not known: put a fidelity.json beside the run, or name one "
            f"with --fidelity. Until then: {NOT_VALIDATED}."
        )
    return _examined(found, "the system gate of the fidelity lab", "fidelity report")


def truth(found: Gate | None) -> str:
    """What the truth lab says of the audience, "" where it was not asked."""
    return "" if found is None else _examined(found, "the truth lab, under random exposure", "truth report")


def _examined(found: Gate, lab: str, report: str) -> str:
    tau = "" if found.tau is None else f" Kendall's tau {found.tau:.2f}"
    if found.tau is not None and found.tau_low is not None and found.tau_high is not None:
        tau += f" [{found.tau_low:.2f}, {found.tau_high:.2f}]"
    sign = "" if found.sign_agreement is None else f", sign agreement {found.sign_agreement:.2f}"
    over = "" if found.recommenders is None else f" over {plural(int(found.recommenders), 'recommender')}"
    state = "passed" if found.passed else "did not pass"
    why = f"is about {found.mismatch}" if found.mismatch else found.unsealed
    fit = "" if found.counts else f" That {report} does not count here: it {why}."
    figures = f":{tau}{sign}{over}" if f"{tau}{sign}{over}" else ""
    return f"The agents {state} {lab}{figures}.{fit}"


def word(arm: ArmFindings) -> str:
    """The word for an arm's effect, and what a validation rests on."""
    return f"{arm.word} {arm.basis}".rstrip()


def days(arm: ArmFindings, metric: Metric) -> str:
    """The effect day by day, and whether it fades; "" of a metric that no single day has."""
    if all(day.difference is None for day in arm.days):
        return ""
    each = " ".join(signed(day.difference, metric.decimals) for day in arm.days)
    if arm.novelty is None or arm.novelty.difference is None:
        return each
    trend = "clear" if arm.novelty.excludes_zero else "not clear"
    change = f"{signed(arm.novelty.difference, metric.decimals)} {bounds(arm.novelty, metric)}".rstrip()
    return f"{each}; last day against first {change}, {trend}"


def variants(found: Variants, metric: Metric) -> str:
    """The effect of every run and whether its sign holds."""
    each = "; ".join(
        f"{name} {signed(effect, metric.decimals)}" for name, effect in zip(found.names, found.effects, strict=True)
    )
    ends = ""
    if found.low is not None and found.high is not None:
        ends = f", 95 % over runs [{signed(found.low, metric.decimals)}, {signed(found.high, metric.decimals)}]"
    return f"{each}: {'one sign' if found.same_sign else 'the sign changes'}{ends}"


def first_run(comparison: Comparison) -> str:
    """What stands before figures of the first of several runs alone, beside effects over all of them; "" of one run."""
    found = next((arm.variants for arm in comparison.arms if arm.variants is not None), None)
    return "" if found is None else f"of the run with {found.names[0]}: "


def segments(arm: ArmFindings, metric: Metric, alpha: float) -> str:
    """Where the effect is smallest and largest, and by what it differs."""
    known = [segment for segment in arm.segments if segment.effect.difference is not None]
    if not known:
        return "no segment has enough agents"
    known.sort(key=lambda segment: segment.effect.difference or 0.0)
    differs = [contrast.attribute for contrast in arm.contrasts if contrast.adjusted_p < alpha]
    clear = sum(segment.adjusted_p is not None and segment.adjusted_p < alpha for segment in known)
    looked = dict.fromkeys(segment.attribute for segment in arm.segments)
    return (
        f"smallest {_segment(known[0], metric)}, largest {_segment(known[-1], metric)}; "
        f"clear in {clear} of {plural(len(known), 'segment')} by {', '.join(looked)}; "
        f"differs by {', '.join(differs) or 'none of these'}"
    )


def _segment(found: Segment, metric: Metric) -> str:
    return f"{found.attribute} {found.level} {signed(found.effect.difference, metric.decimals)}"


def stamp(comparison: Comparison) -> str:
    """What the whole report is to be taken for."""
    if comparison.gate is not None and comparison.gate.opens:
        random = comparison.truth is not None and comparison.truth.opens
        where = ", also under random exposure" if random else ""
        return f"Simulated effect; these agents rank recommenders in the order that real behaviour does{where}"
    return NOT_VALIDATED.capitalize()
