"""Why arms differ, in words: an effect in parts as one plain sentence per arm, and what each part means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.environments.shop_actions import PAID
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.report.formatting import ends, signed
from groundlings.experiments.analysis.why import Why
from groundlings.experiments.analysis.why.decomposition import LENGTH, PLACEMENT, RELEVANCE, ArmParts, Part
from groundlings.experiments.analysis.why.steps import CLICKS, LOOKED, Step

_WORTH_SAYING = 0.1
"""A part of less than this share of the effect is left to the table."""


@dataclass(frozen=True, slots=True)
class PartWords:
    """The parts of an effect in the words of a run.

    Attributes:
        steps: What could be done in it.
        per_impression: Whether the effect is one per impression.
    """

    steps: Sequence[Step]
    per_impression: bool

    def label(self, name: str) -> str:
        """As the heading of a column."""
        if name in (LENGTH, RELEVANCE, PLACEMENT, LOOKED, PAID):
            return {
                LENGTH: "Later pages" if self.per_impression else "Session length",
                RELEVANCE: "Relevance",
                PLACEMENT: "Placement",
                LOOKED: "Looks",
                PAID: "Money per purchase",
            }[name]
        return f"{self.verb(name).capitalize()} of what is {self._before(name)}"

    def meaning(self, name: str) -> str:
        """What it is, in a clause."""
        opened = self.verb(CLICKS)
        if name == LENGTH and self.per_impression:
            return "from which pages impressions are: a longer session has more on later pages"
        if name == RELEVANCE and not self._told:
            return f"what share of the slots is {opened}, wherever they stand: it is not known what was looked at"
        if name in (LENGTH, RELEVANCE, PLACEMENT, LOOKED, PAID):
            return {
                LENGTH: "how many slots a session has, page by page",
                RELEVANCE: f"what share is {opened} of what is looked at, were all slots of a page looked at alike",
                PLACEMENT: f"whether what is {opened} stands in the slots that are looked at more",
                LOOKED: "what share of the slots is looked at",
                PAID: "how much is paid for what is bought",
            }[name]
        return f"what share is {self.verb(name)} of what is {self._before(name)}"

    def because(self, part: Part) -> str:
        """A part as a reason: "its items are opened more often when looked at"."""
        more = (part.effect.mean or 0.0) > 0
        often, opened = "more" if more else "less", self.verb(CLICKS)
        if part.name == LENGTH and self.per_impression:
            return f"{'less' if more else 'more'} of what is shown stands on later pages"
        if part.name == LENGTH:
            return f"sessions are {'longer' if more else 'shorter'}"
        if part.name == LOOKED:
            return f"{often} of what is shown is looked at"
        if part.name == RELEVANCE:
            return f"its items are {opened} {often} often when {'looked at' if self._told else 'shown'}"
        if part.name == PLACEMENT:
            return f"what is {opened} stands {'more' if more else 'less'} often where people look"
        if part.name == PAID:
            return f"what is bought costs {often}"
        return f"{often} of what is {self._before(part.name)} is {self.verb(part.name)}"

    @property
    def _told(self) -> bool:
        return not any(step.missing for step in self.steps)

    def _step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def verb(self, name: str) -> str:
        """What is done in a step, in the past tense."""
        return next((step.label.lower() for step in self.steps if step.name == name), "opened")

    def _before(self, name: str) -> str:
        return self.verb(self._step(name).of)


def part_words(why: Why) -> PartWords:
    """The words of a run's parts."""
    return PartWords(why.funnel.steps, why.effect.target.per_impression)


def arm_sentence(arm: ArmParts, why: Why) -> str:
    """Why one arm has more or less than the baseline: "als is ahead of popular, mostly because its items are opened
    more often when looked at (+0.41 of +0.68), partly because sessions are longer (+0.20)."."""
    target, words = why.effect.target, part_words(why)
    if arm.identical:
        return f"{arm.name} did exactly what {why.baseline} did."
    if arm.effect.mean is None:
        return f"{arm.name}: n/a, nobody has a value in it and in {why.baseline}."
    whole = signed(arm.effect.mean, target.decimals)

    def said(part: Part, of: str = "") -> str:
        return f"{words.because(part)} ({signed(part.effect.mean, target.decimals)}{of})"

    clear = sorted((part for part in arm.parts if _clear(part.effect)), key=lambda part: -abs(part.effect.mean or 0.0))
    if not (_clear(arm.effect) if arm.clear is None else arm.clear):
        although = f", although {' and '.join(map(said, clear[:2]))}" if clear else ""
        label = lower_first(target.label)
        said_here = f"{arm.name} cannot be told from {why.baseline} on {label} ({whole}){although}"
        if arm.adjustment is None:
            return f"{said_here}."
        answered = signed(arm.effect.mean + arm.adjustment, target.decimals)
        return f"As it happened, {said_here}; the answer, adjusted as planned, has {answered}."
    reasons = [part for part in clear if _share(part, arm) >= _WORTH_SAYING]
    against = [part for part in clear if _share(part, arm) <= -_WORTH_SAYING]
    verb = f"{_stands(arm.effect.mean, target.higher_is_better)} {why.baseline}"
    tail = f"; against that, {' and '.join(map(said, against))}" if against else ""
    if not reasons:
        which = "single part that explains a tenth of it or more" if clear else "single part of it"
        return f"{arm.name} {verb} ({whole}); no {which} can be told from chance{tail}."
    # A larger part that cannot be told from chance may be the reason all the same.
    largest = _share(reasons[0], arm) == max(_share(part, arm) for part in arm.parts)
    degree = "mostly" if _share(reasons[0], arm) >= 0.5 else "above all" if largest else "partly"
    told = [f"{degree} because {said(reasons[0], f' of {whole}')}"]
    told += [f"partly because {said(part)}" for part in reasons[1:]]
    return f"{arm.name} {verb}, {', '.join(told)}{tail}."


def adjusted(why: Why) -> str:
    """What the answer's effects have beyond the sums of their parts; "" where they are the same."""
    found = [arm for arm in why.effect.arms if arm.adjustment is not None]
    if not found:
        return ""
    said = ", ".join(f"{arm.name} {signed(arm.adjustment, why.effect.target.decimals)}" for arm in found)
    return (
        "The answer adjusts its effects for luck, histories or extreme values, as planned. The parts are of what "
        f"happened and add up to the results table; beyond them the answer has {said}."
    )


def spoken(arm: ArmParts, why: Why) -> str:
    """An effect and its parts with their intervals, for those who do not see the bars."""
    words, decimals = part_words(why), why.effect.target.decimals
    parts = "; ".join(f"{words.label(part.name).lower()} {with_interval(part.effect, decimals)}" for part in arm.parts)
    return f"{arm.name}: {with_interval(arm.effect, decimals)} in all; {parts}."


def with_interval(found: Estimate | Difference, decimals: int) -> str:
    """A signed figure with the ends of its interval, where there is one."""
    value = found.difference if isinstance(found, Difference) else found.mean
    if found.low is None or found.high is None:
        return signed(value, decimals)
    return f"{signed(value, decimals)} {ends(found.low, found.high, decimals)}".rstrip()


def sampled(why: Why) -> str:
    """Which agents this rests on, "" where on all."""
    if why.every == 1:
        return ""
    return (
        f"So large a run is read in part here: of {why.agents:,} agents, one in {why.every:,}, the same ones in every "
        "arm. Figures differ a little from those of all agents; page flow, popularity and coverage are of all."
    )


def lower_first(label: str) -> str:
    """A label in the middle of a sentence."""
    return label[:1].lower() + label[1:]


def _clear(found: Estimate) -> bool:
    return found.low is not None and found.high is not None and not found.low <= 0.0 <= found.high


def _share(part: Part, arm: ArmParts) -> float:
    return (part.effect.mean or 0.0) / arm.effect.mean if arm.effect.mean else 0.0


def _stands(effect: float, higher_is_better: bool | None) -> str:
    if higher_is_better is None:
        return "has more than" if effect > 0 else "has less than"
    return "is ahead of" if (effect > 0) == higher_is_better else "is behind"
