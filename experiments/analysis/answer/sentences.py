"""The answer in one or two plain sentences: what is claimed, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.environments.words import persons
from groundlings.experiments.analysis.answer.finding import Finding, contradicted, gain
from groundlings.experiments.analysis.answer.sizes import Unit, in_percent, listed, size_of, unit_of
from groundlings.experiments.analysis.answer.values import Size
from groundlings.experiments.analysis.comparison.effects import ArmFindings, Comparison, Variants
from groundlings.experiments.analysis.comparison.objectives import signs_of
from groundlings.experiments.analysis.comparison.preference import Preference
from groundlings.experiments.analysis.comparison.verdict import failed
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.report.formatting import count, plural, signed
from groundlings.experiments.analysis.report.verdict_sentences import unvaried, would_be_found
from groundlings.experiments.config.designs import InterleavingDesign


@dataclass(frozen=True, slots=True)
class Words:
    """A comparison and what is said of it.

    Attributes:
        comparison: What was found.
        finding: What it comes to.
        percent: Whether sizes are relative to the baseline's mean.
        unit: How figures are written.
    """

    comparison: Comparison
    finding: Finding
    percent: bool
    unit: Unit

    @property
    def metric(self) -> Metric:
        """The primary metric."""
        return self.comparison.metrics[self.comparison.plan.primary]

    @property
    def label(self) -> str:
        """Its name within a sentence."""
        return self.metric.label[:1].lower() + self.metric.label[1:]

    def size(self, arm: ArmFindings) -> str:
        """An arm's effect with its interval."""
        return self.unit.spoken(size_of(arm, percent=self.percent))

    def mean(self, name: str) -> str:
        """The mean of an arm."""
        known = self.comparison.standing.means.get(name)
        return self.unit.level(None if known is None else known.mean)

    @property
    def base(self) -> str:
        """The baseline with its mean."""
        return f"{self.comparison.baseline} ({self.mean(self.comparison.baseline)})"

    def against(self, arm: ArmFindings) -> str:
        """An arm's effect, and the baseline's mean beside it."""
        return f"{self.label} {self.size(arm)} against {self.base}"


def words_of(comparison: Comparison, finding: Finding) -> Words:
    """How a comparison is spoken of."""
    return Words(comparison, finding, in_percent(comparison), unit_of(comparison))


def question_of(comparison: Comparison, asked: str) -> str:
    """The question: as the experiment file asks it, or made of what was planned."""
    if asked.strip():
        return " ".join(asked.split())
    label = words_of(comparison, Finding("not compared", 1)).label
    base, names = comparison.baseline, [arm.name for arm in comparison.arms]
    if comparison.preference is not None:
        return f"Do people prefer {comparison.preference.arm} or {comparison.preference.baseline}?"
    if not names:
        return f"How does {base} do?"
    if not comparison.declared:
        several = listed([base, *names]) if len(names) < 4 else plural(len(names) + 1, "recommender")
        return f"How do {several} compare on {label}?"
    who = f"Does {names[0]}" if len(names) == 1 else f"Does any of {listed(names)}"
    return f"{who} beat {base} on {label}?"


def claim_of(words: Words) -> tuple[str, str]:
    """What is claimed, and what follows, both without the warning of `warning_of`."""
    finding, base = words.finding, words.comparison.baseline
    match finding.kind:
        case "preference" | "no preference":
            return _preference(words.comparison.preference)
        case "winner":
            return _winner(words)
        case "tied":
            return _tied(words)
        case "baseline ahead":
            return _behind(words)
        case "no clear winner":
            return _unclear(words)
        case "contradicted" | "does not hold":
            return _objected(words)
        case "no direction":
            return _undirected(words)
        case "not known":
            return "No answer", f"{_unknown(words)}."
        case _:
            if finding.same:
                names = listed(arm.name for arm in finding.same)
                return "Nothing to compare", f"{names} did exactly what {base} did, in every slot of every session."
            return "Nothing to compare", f"{base} met no other recommender; {words.label} {words.mean(base)}."


def warning_of(comparison: Comparison) -> str:
    """What spoils the whole test, to be said first; "" where nothing does."""
    wrong = [check for check in failed(comparison.checks) if check.spoils]
    if not wrong:
        return ""
    if wrong[0].name == "the run is finished":
        return f"This run is not finished ({comparison.run['status']}), so this may change"
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"Do not use these figures: a check of the test failed ({wrong[0].name}{more})"


def _winner(words: Words) -> tuple[str, str]:
    leader = _leader(words)
    verb = "wins" if leader.word == "validated" else "leads"
    small = _too_small(words, leader)
    claim = f"{leader.name} is ahead, but by less than matters" if small else f"{leader.name} {verb}"
    return claim, f"{words.against(leader)}.{small}{_rest(words)}"


def _tied(words: Words) -> tuple[str, str]:
    leader, base = _leader(words), words.comparison.baseline
    names = [leader.name, *(arm.name for arm in words.finding.tied)]
    both = "between the two" if len(names) == 2 else "between them"
    tied = (leader, *words.finding.tied)
    if len(tied) > 3 or not all(arm.headline.clear for arm in tied):
        others = listed(arm.name for arm in words.finding.tied)
        nor = [arm.name for arm in words.finding.tied if not arm.headline.clear]
        nor_base = f"; {listed(nor)} cannot be told apart from {base} either" if nor else ""
        claim = f"{leader.name} leads, tied with {others}"
        detail = f"{words.against(leader)}; no clear difference {both}{nor_base}."
        return claim, f"{detail}{_too_small(words, leader)}{_rest(words)}"
    sizes = listed((words.size(arm) for arm in tied), most=9)
    detail = f"{words.label} {sizes} against {words.base}; no clear difference {both}."
    return f"{listed(names)} are tied for first", f"{detail}{_too_small(words, leader)}{_rest(words)}"


def _behind(words: Words) -> tuple[str, str]:
    leader, base, finding = _leader(words), words.comparison.baseline, words.finding
    others = {1: "the other one is worse", 2: "both others are worse"}.get(
        len(finding.worse), f"all {len(finding.worse)} others are worse"
    )
    if finding.same or finding.unknown:
        number = len(words.comparison.arms)
        others = f"{len(finding.worse)} of {number} others {_verb(finding.worse, 'is', 'are')} worse"
    nearest = "" if len(finding.worse) == 1 else f"; the nearest is {leader.name}"
    return f"{base} stays ahead", f"{others}{nearest}, {words.against(leader)}.{_rest(words, worse=False)}"


def _unclear(words: Words) -> tuple[str, str]:
    leader, base = _leader(words), words.comparison.baseline
    ahead = gain(leader, words.finding.direction) > 0
    claim = "No clear winner" if ahead else f"No arm is shown to beat {base}"
    level = [
        arm.name
        for arm in words.finding.unclear
        if gain(arm, words.finding.direction) == gain(leader, words.finding.direction)
    ]
    verb = "shows" if len(words.comparison.arms) == 1 else "comes closest, with"
    if len(level) > 1:
        verb = f"comes closest, level with {listed(name for name in level if name != leader.name)}, with"
    found = leader.headline
    chance = "which can be chance"
    if found.effect.excludes_zero and not found.clear:
        chance = "which is not clear after correction for all metrics and arms that were looked at"
    elif found.clear:
        chance = "but another one is ahead of it"
    shown = f"{leader.name} {verb} {words.against(leader)}"
    if found.unvaried:
        return claim, f"{shown}.{_rest(words)}"
    return claim, f"{shown}, {chance}.{_seen(words, leader)}{_rest(words)}"


def _objected(words: Words) -> tuple[str, str]:
    leader, base = _leader(words), words.comparison.baseline
    if contradicted(leader):
        claim = "Not to be relied on, because real people did the opposite"
        return (
            claim,
            f"in the simulation {leader.name} leads, {words.against(leader)}, but {_real(leader, base)}."
            + _rest(words, objected=False),
        )
    return f"{leader.name} does not pass", (
        f"it is ahead, {words.against(leader)}, but {_objection(words, leader)}.{_rest(words, objected=False)}"
    )


def _undirected(words: Words) -> tuple[str, str]:
    leader = _leader(words)
    clear = [arm for arm in words.comparison.arms if arm.headline.clear]
    claim = f"Whether more {words.label} is better is for you to say"
    if leader.headline.unvaried:
        return claim, f"the highest, {leader.name}, shows {words.against(leader)}.{_unvaried(words)}"
    if not clear:
        return claim, f"the highest, {leader.name}, shows {words.against(leader)}, which can be chance."
    rest = ""
    if len(clear) > 2:
        highest, *between, lowest = sorted(clear, key=lambda arm: -gain(arm, words.finding.direction))
        rest = f"; {listed(arm.name for arm in between)} {_verb(between, 'lies', 'lie')} between them"
        clear = [highest, lowest]
    return claim, "; ".join(f"{arm.name} shows {words.against(arm)}" for arm in clear) + f"{rest}."


def _preference(found: Preference | None) -> tuple[str, str]:
    """What interleaved lists tell; the share is that of the preferred one."""
    if found is None or found.share.mean is None:
        return "No answer", "nothing could be read of what people opened."
    share, low, high = found.share.mean, found.share.low, found.share.high
    first, second = found.arm, found.baseline
    if share < 0.5:
        first, second, share = second, first, 1 - share
        low, high = (None if end is None else 1 - end for end in (high, low))
    ends = "" if low is None or high is None else f" [{100 * low:.0f} %, {100 * high:.0f} %]"
    people = (found.prefer_arm, found.prefer_baseline)
    detail = (
        f"{persons(max(people))} opened more of its picks, {count(min(people))} more of {second}'s, "
        f"{count(found.prefer_neither)} as many of both: a share of {100 * share:.0f} %{ends}, where 50 % is no "
        "preference"
    )
    if not found.clear:
        return "No preference found", detail.replace("its picks", f"{first}'s picks") + "."
    return f"{first} is preferred", f"{detail}. By how much it changes any metric, lists of both cannot say."


def _rest(words: Words, *, worse: bool = True, objected: bool = True) -> str:
    """Everybody who has not been spoken of, in as few words as possible."""
    finding, base = words.finding, words.comparison.baseline
    told = len(words.comparison.arms)
    parts = []
    beat = len(finding.also) + len(finding.tied) + (finding.winner is not None)
    if finding.also:
        names = listed(arm.name for arm in finding.also)
        if beat == told and told > 1 and finding.winner is not None and all(arm.headline.clear for arm in finding.tied):
            parts.append(f"{'Both' if told == 2 else f'All {told}'} beat {base}")
        else:
            by_less = ", by less" if finding.winner is not None else ""
            parts.append(f"{names} also {_verb(finding.also, 'beats', 'beat')} {base}{by_less}")
    if finding.objected and objected:
        parts += [
            f"{arm.name} does not count ({words.size(arm)}): {_objection(words, arm)}" for arm in finding.objected[:2]
        ]
    unclear = [arm for arm in finding.unclear if arm is not finding.leader]
    if unclear:
        parts.append(f"{listed(arm.name for arm in unclear)} cannot be told apart from {base}")
    behind = [arm for arm in finding.worse if arm is not finding.leader]
    if behind and worse:
        parts.append(f"{listed(arm.name for arm in behind)} {_verb(behind, 'is', 'are')} worse than {base}")
    if finding.same:
        names = listed(arm.name for arm in finding.same)
        parts.append(f"{names} did exactly what {base} did")
    if finding.unknown:
        parts.append(_unknown(words))
    return _unvaried(words) + "".join(f" {part}." for part in parts) + _over_runs(words) + _weighed(words)


def _unvaried(words: Words) -> str:
    """That the leader's effect has no spread, where it has none."""
    said = "" if words.finding.leader is None else unvaried(words.finding.leader.headline)
    return f" {said}" if said else ""


def _over_runs(words: Words) -> str:
    """Whether other runs of the same experiment agree, where that has not stopped the winner."""
    found = None if words.finding.leader is None else words.finding.leader.variants
    if found is None or words.finding.kind in ("contradicted", "does not hold"):
        return ""
    if not found.same_sign:
        return f" Its sign changes between the {len(found.effects)} runs: {_dissent(words, found)}."
    return f" {'Both' if len(found.effects) == 2 else f'All {len(found.effects)}'} runs show the same sign."


def _dissent(words: Words, found: Variants) -> str:
    """Which runs have another sign than the mean of them all, and how large their effects are."""
    mean = sum(found.effects)
    sizes = found.lifts if words.percent else found.differences
    told = [
        f"{name} shows {words.unit.middle(Size(words.percent, size.difference, None, None))}"
        for name, effect, size in zip(found.names, found.effects, sizes, strict=True)
        if effect * mean <= 0
    ]
    return listed(told)


def _weighed(words: Words) -> str:
    """What several objectives together say, where it is not the same arm."""
    found, leader = words.comparison.objectives, words.finding.leader
    known = [] if found is None else [arm for arm in found.arms if arm.utility and arm.utility.difference is not None]
    if not known or leader is None or words.finding.kind not in ("winner", "tied"):
        return ""
    best = max(known, key=lambda arm: arm.utility.difference if arm.utility and arm.utility.difference else 0.0)
    gap = best.utility
    if gap is None or gap.difference is None:
        return ""
    interval = "" if gap.low is None or gap.high is None else f" [{signed(gap.low, 3)}, {signed(gap.high, 3)}]"
    if gap.difference <= 0:
        return f" Weighed with the other objectives, none is better than {words.comparison.baseline}."
    if best.name == leader.name and gap.excludes_zero:
        return ""
    clear = "" if gap.excludes_zero else ", which can be chance"
    return (
        f" Weighed with the other objectives, {best.name} comes first ({signed(gap.difference, 3)}{interval}{clear})."
    )


def _objection(words: Words, arm: ArmFindings) -> str:
    """Why a better arm does not count."""
    if contradicted(arm):
        return _real(arm, words.comparison.baseline)
    for guard in arm.guardrails:
        if guard.state == "harmed":
            comparison = words.comparison
            less_is_better = signs_of(comparison.plan, comparison.metrics)[guard.metric] < 0
            label = comparison.metrics[guard.metric].label.lower()
            return f"{label} {'rises' if less_is_better else 'falls'} by more than the plan allows"
    if arm.variants is not None and not arm.variants.same_sign:
        return f"its effect changes its sign between the runs ({_dissent(words, arm.variants)})"
    wrong = next((check for check in failed(arm.checks) if check.spoils), None)
    return f"a check failed ({wrong.name})" if wrong else "it is not supported"


def _real(arm: ArmFindings, baseline: str) -> str:
    """What real people did, in a clause."""
    evidence = None if arm.real is None else arm.real.decided_by
    if evidence is None:
        return "what real people did says the opposite"
    gap = evidence.difference
    where = {
        "held-out behaviour": "what the same people really did later",
        "logged exposures": "what real people did with items they were shown",
        "random exposures": "what real people did with items shown at random",
    }[evidence.source]
    ends = "" if gap.low is None or gap.high is None else f" [{signed(gap.low, 4)}, {signed(gap.high, 4)}]"
    return (
        f"{where} puts it below {baseline} ({evidence.metric} {signed(gap.difference, 4)}{ends}, {persons(gap.n)})"
        if (gap.difference or 0.0) < 0
        else f"{where} puts it above {baseline} ({evidence.metric} {signed(gap.difference, 4)}{ends})"
    )


def _unknown(words: Words) -> str:
    """Whose effect is not known, and why."""
    finding, lost = words.finding, words.comparison.lost
    names = listed(arm.name for arm in finding.unknown)
    why = f" ({lost.counted()})" if lost.lost else ""
    return f"{names}: n/a, nobody has a known value of {words.label}{why}"


def _seen(words: Words, arm: ArmFindings) -> str:
    """Which difference would have been found."""
    found, base = arm.headline.detectable, words.comparison.standing.means.get(words.comparison.baseline)
    if found is None or arm.headline.clear or base is None or not base.mean:
        return ""
    if not found:  # nobody differs from anybody, which tells of no other difference
        return ""
    if words.percent:
        share = 100 * found / abs(base.mean)
        return (
            f" A difference of {share:{'.0f' if share >= 1 else '.2g'}} % or more {would_be_found(words.comparison)}."
        )
    size = words.unit.middle(Size(percent=False, value=found, low=None, high=None)).lstrip("+")
    return f" A difference of {size} or more {would_be_found(words.comparison)}."


def _too_small(words: Words, arm: ArmFindings) -> str:
    found = arm.headline
    if found.smallest is None or found.effect.difference is None or abs(found.effect.difference) >= found.smallest:
        return ""
    return f" The plan calls less than {100 * words.comparison.plan.smallest_effect:g} % too small to matter."


def _leader(words: Words) -> ArmFindings:
    if words.finding.leader is None:
        raise ValueError("this kind of answer names nobody")
    return words.finding.leader


def _verb(arms: Sequence[ArmFindings], one: str, many: str) -> str:
    return one if len(arms) == 1 else many


def is_a_screen(comparison: Comparison) -> bool:
    """Whether two recommenders drafted every list together, so that there is a preference and no effect."""
    return isinstance(comparison.design, InterleavingDesign)
