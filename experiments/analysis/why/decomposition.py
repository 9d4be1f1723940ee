"""Which part of an effect each step carries: longer sessions, more looks, relevance, placement, likes per click.

With m the mean over agents of their counts per session, on page p and at each step of the chain,

    likes per session = sum over p of
        shown(p) * looked(p)/shown(p) * [opened(p)/looked(p) / placement] * placement * liked(p)/opened(p)

and the difference of two arms is divided among the five factors by their Shapley values. As slots of later pages hold
less relevant items, factors are taken page by page: a longer session counts with the slots that it adds.

Placement says whether what is opened more often stands where people look more: the share opened of what is looked at,
over the same with every slot of a page weighted by how often it holds an item, that is, as if all slots were looked at
alike. It does not change with how far people look, nor with how relevant all items are together (compare the
examination of position-based click models, Craswell et al. 2008, "An experimental comparison of click position-bias
models").

Intervals leave out one thirtieth of the agents at a time, the same in both arms (see `metrics.item_counts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.comparison.effects import Comparison, Headline
from groundlings.experiments.analysis.metrics.item_counts import PARTS, signed_estimate
from groundlings.experiments.analysis.why.reading import MOST_PAGES, Side, StepCounts
from groundlings.experiments.analysis.why.shapley import shapley
from groundlings.experiments.analysis.why.steps import CLICKS, LOOKED
from groundlings.experiments.analysis.why.target import Target

LENGTH, RELEVANCE, PLACEMENT = "length", "relevance", "placement"

_MOST_DECIMALS = 6
_ROUNDING = 1e-12
"""Of what was added up, what may be left where nothing is."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one factor adds to an effect.

    Attributes:
        name: "length", "looked", "relevance", "placement", or the step that a factor leads to.
        effect: In the unit of the target, with its interval.
    """

    name: str
    effect: Estimate


@dataclass(frozen=True, slots=True)
class ArmParts:
    """The effect of one arm in parts.

    Attributes:
        name: The arm.
        bound, identical: As of `Side`.
        effect: The sum of the parts: the difference to the baseline as the results table has it. Where the verdict is
            on the same figures, with the verdict's interval: one difference has one.
        baseline: What the baseline has, of the same agents.
        parts: In the order of happening; empty where nobody has a value.
        adjustment: What the verdict's effect has beyond the sum (luck taken out, histories of split groups, values
            capped); None where it rests on the same figures, or there is no verdict on the same agents.
        clear: Whether the verdict calls the effect clear; None where it is on other figures.
        agents: With a value.
    """

    name: str
    bound: bool
    identical: bool
    effect: Estimate
    baseline: float | None
    parts: tuple[Part, ...]
    adjustment: float | None
    agents: int
    clear: bool | None = None


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The effects of all arms in parts.

    Attributes:
        target: What is divided.
        arms: All but the baseline, in the order of the YAML.
    """

    target: Target
    arms: tuple[ArmParts, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parts that any arm has, in order."""
        return tuple(dict.fromkeys(part.name for arm in self.arms for part in arm.parts))


def decompose(counts: StepCounts, target: Target, comparison: Comparison) -> Decomposition:
    """The effect of every arm against the first, in parts that add up to it.

    Args:
        counts: What the agents did.
        target: What is divided.
        comparison: Whose effects the parts must add up to, where the target is its primary metric.
    """
    base, *others = counts.sides
    wanted = {arm.name: arm.headline for arm in comparison.arms if target.metric}
    found = []
    for side in others:
        arm = _arm(side, base, counts, target)
        headline = wanted.get(side.name)
        found.append(arm if headline is None or counts.every > 1 else _as_answered(arm, headline))
    return Decomposition(replace(target, decimals=_decimals(target, found)), tuple(found))


def _as_answered(arm: ArmParts, headline: Headline) -> ArmParts:
    """An arm beside what the verdict says of it: the same interval of the same figure, else how far they are apart."""
    answered = headline.effect
    if answered.difference is None or arm.effect.mean is None:
        return arm
    beyond = answered.difference - arm.effect.mean
    if abs(beyond) > 1e-9 * max(1.0, abs(answered.difference)):
        return replace(arm, adjustment=beyond)
    if answered.low is None or answered.high is None:
        return arm
    effect = replace(arm.effect, standard_error=answered.standard_error, low=answered.low, high=answered.high)
    return replace(arm, effect=effect, clear=headline.clear)


def _decimals(target: Target, arms: Sequence[ArmParts]) -> int:
    """How many show two digits of the largest effect or part: those of rare events are small."""
    sizes = [abs(each.mean or 0.0) for arm in arms for each in (arm.effect, *(part.effect for part in arm.parts))]
    largest = max(sizes, default=0.0)
    wanted = 1 - int(np.floor(np.log10(largest))) if largest > 0 else 0
    return max(target.decimals, min(wanted, _MOST_DECIMALS))


def _arm(side: Side, base: Side, counts: StepCounts, target: Target) -> ArmParts:
    known = [_divisor(each, target, counts.agents) > 0 for each in (side, base)]
    both = known[0] & known[1]
    taken = (both, both) if both.any() else (known[0], known[1])
    if not all(here.any() for here in taken):
        nothing = Estimate(None, None, None, None, 0, 0)
        return ArmParts(side.name, side.bound, side.identical, nothing, None, (), None, 0)
    filled = np.flatnonzero(np.bincount(np.flatnonzero(taken[0] | taken[1]) % PARTS, minlength=PARTS))
    ours, theirs = (
        _factors(each, here, filled, target, told=counts.told)
        for each, here in zip((side, base), taken, strict=True)
    )  # fmt: skip
    ours, theirs = _completed(ours, theirs)
    shares = shapley(ours, theirs)  # shape (n_factors, 1 + n_filled): of everybody, then without each part
    before = float(np.prod(theirs[:, 0], axis=0).sum())
    sizes = np.abs(shares).sum(axis=0) + abs(before)
    shares, total = (_rounded(each, sizes) for each in (shares, shares.sum(axis=0)))
    agents = int((taken[0] | taken[1]).sum())
    names = _names(target.steps)
    parts = tuple(
        Part(name, signed_estimate(float(share[0]), share[1:], agents))
        for name, share in zip(names, shares, strict=True)
    )
    effect = signed_estimate(float(total[0]), total[1:], agents)
    return ArmParts(side.name, side.bound, side.identical, effect, before, parts, None, agents)


def _rounded(found: FloatArray, sizes: FloatArray) -> FloatArray:
    """Without what is left of sums that are nothing: it has an interval of its own, and would be told from chance."""
    return np.where(np.abs(found) < _ROUNDING * sizes, 0.0, found)


def _divisor(side: Side, target: Target, n_agents: int) -> FloatArray:
    """What each agent's counts are divided by, shape (n_agents,)."""
    return side.known.by_agent("known", n_agents) if target.per_impression else side.sessions


def _names(steps: Sequence[str]) -> list[str]:
    """The factors of a chain: its first step is how long sessions are, and opening has two."""
    names = [LENGTH]
    for before, step in pairwise(steps):
        opened = step == CLICKS
        names += [RELEVANCE, PLACEMENT] if opened and before == LOOKED else [RELEVANCE] if opened else [step]
    return names


def _factors(side: Side, here: BoolArray, filled: IntArray, target: Target, *, told: bool) -> FloatArray:
    """The factors of one arm, shape (n_factors, 1 + n_filled, n_pages), NaN where nothing tells one."""
    rows = side.known if target.per_impression else side.whole
    n_agents = len(here)
    divisor = _divisor(side, target, n_agents)
    weight = np.divide(1.0, divisor, out=np.zeros(n_agents), where=here & (divisor > 0))[rows.agents]
    place = (rows.agents % PARTS) * MOST_PAGES + rows.pages
    people = np.bincount(np.flatnonzero(here) % PARTS, minlength=PARTS).astype(np.float64)
    means = []
    for step in target.steps:
        name = "known" if step == "shown" and target.per_impression else step
        cells = np.bincount(place, weights=weight * rows.counts[name], minlength=PARTS * MOST_PAGES)
        sums = _replicates(cells.astype(np.float64).reshape(PARTS, MOST_PAGES), filled)
        number = _replicates(people[:, None], filled)
        means.append(np.divide(sums, number, out=np.full(sums.shape, np.nan), where=number > 0))
    factors = [means[0]]
    for step, before, now in zip(target.steps[1:], means[:-1], means[1:], strict=True):
        rate = np.divide(now, before, out=np.full(now.shape, np.nan), where=before > 0)
        if step == CLICKS and told:
            moved = _placement(side, target, filled)[:, None]
            factors += [rate / moved, np.broadcast_to(moved, rate.shape)]
        else:
            factors.append(rate)
    return np.stack(factors)


def _placement(side: Side, target: Target, filled: IntArray) -> FloatArray:
    """How much likelier what is looked at is opened than what a slot holds on average, shape (1 + n_filled,); 1 where
    nothing tells it."""
    shown, looked, clicks = (_replicates(side.slots[target.base][name], filled) for name in ("known", LOOKED, CLICKS))
    rate = np.divide(clicks, looked, out=np.zeros(looked.shape), where=looked > 0)
    seen = np.where(looked > 0, shown, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        even = (seen * rate).sum(axis=1) / seen.sum(axis=1)
        moved = (clicks.sum(axis=1) / looked.sum(axis=1)) / even
    return np.where(np.isfinite(moved) & (moved > 0), moved, 1.0)


def _replicates(parts: FloatArray, filled: IntArray) -> FloatArray:
    """The sum over all parts, and the same without each that is filled, shape (1 + n_filled, n_columns)."""
    whole = parts.sum(axis=0)
    return np.concatenate([whole[None], whole - parts[filled]])


def _completed(ours: FloatArray, theirs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A factor that one arm does not tell, because nobody got so far, is the other's: it changes no product, for what
    stands before it is zero. Without an agent left nothing is known."""
    nobody = np.isnan(ours[0]).all(axis=-1) | np.isnan(theirs[0]).all(axis=-1)
    first = np.where(np.isnan(ours), theirs, ours)
    second = np.where(np.isnan(theirs), ours, theirs)
    pair = (np.nan_to_num(first), np.nan_to_num(second))
    for each in pair:
        each[:, nobody] = np.nan
    return pair
