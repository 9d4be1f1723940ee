"""Where bars and marks of the section Why stand: percentages that its style sheet reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isnan, log10

from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.metrics.item_groups import Grouping
from groundlings.experiments.analysis.metrics.lists import ListMetric
from groundlings.experiments.analysis.why import Why
from groundlings.experiments.analysis.why.items import ItemCard
from groundlings.experiments.analysis.why.overlap import Overlap

_MOST_DECIMALS = 5
_ROUNDING = 1e-9

MOST_GROUPS = 8
"""Groups of items in a strip; the rest is in the table below it."""


@dataclass(frozen=True, slots=True)
class Lean:
    """A bar from zero in the middle of its box: where it begins and how wide it is, in per cent of the box; with the
    ends of its interval."""

    left: float
    width: float
    low: float
    high: float


def lean(found: Estimate, largest: float) -> Lean | None:
    """The bar of a signed figure; None where there is none.

    Args:
        found: The figure.
        largest: What reaches the edge of the box.
    """
    if found.mean is None or not largest:
        return None
    value, low, high = (
        50 + 50 * max(-1.0, min(1.0, (each or 0.0) / largest)) for each in (found.mean, found.low, found.high)
    )
    if found.low is None or found.high is None:
        low = high = value
    return Lean(min(50.0, value), abs(value - 50), low, high)


def largest_part(why: Why) -> float:
    """The largest effect or part of all arms, with its interval: all bars are on one scale."""
    found = [
        abs(end)
        for arm in why.effect.arms
        for each in (arm.effect, *(part.effect for part in arm.parts))
        for end in (each.mean, each.low, each.high)
        if end is not None
    ]
    return max(found, default=0.0)


def largest_rates(why: Why) -> Mapping[str, float]:
    """Step -> the largest share of the step before in any arm: bars of one step are on one scale."""
    return {
        step.name: max(
            (cell.rate.mean for cells in why.funnel.arms.values()
             if (cell := cells.get(step.name)) is not None and cell.rate is not None and cell.rate.mean is not None),
            default=0.0,
        )
        for step in why.funnel.steps
    }  # fmt: skip


def decimals(why: Why) -> Mapping[str, int]:
    """Step -> how many decimals tell its means apart: what is rare gets more."""
    found = {}
    for step in why.funnel.steps:
        cells = [cells[step.name] for cells in why.funnel.arms.values() if step.name in cells]
        largest = max((cell.per_session.mean or 0.0 for cell in cells), default=0.0)
        found[step.name] = 2 if not 0 < largest < 1 else min(2 + ceil(-log10(largest)), _MOST_DECIMALS)
    return found


def clear(found: Difference) -> bool:
    """Whether a difference excludes zero, and is none of rounding alone."""
    return found.excludes_zero and abs(found.difference or 0.0) > _ROUNDING


@dataclass(frozen=True, slots=True)
class Strip:
    """One figure of all arms' lists on one scale.

    Attributes:
        about: The figure.
        places: Arm -> where its mark and the ends of its interval stand, in per cent of the strip.
        random: Where a random list stands; None where that is not known.
    """

    about: ListMetric
    places: Mapping[str, tuple[float, float, float]]
    random: float | None


def strips(lists: Sequence[ListMetric]) -> tuple[Strip, ...]:
    """A strip of each figure that is known."""
    return tuple(_strip(each) for each in lists if any(found.value.mean is not None for found in each.arms.values()))


def _strip(about: ListMetric) -> Strip:
    known = {name: found.value for name, found in about.arms.items() if found.value.mean is not None}
    ends = [end for found in known.values() for end in (found.mean, found.low, found.high) if end is not None]
    ends += [found.random for found in about.arms.values() if found.random is not None]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def at(value: float | None, other: float) -> float:
        return 2 + 96 * ((other if value is None else value) - low) / span

    random = next((found.random for found in about.arms.values() if found.random is not None), None)
    return Strip(
        about,
        {
            name: (at(found.mean, low), at(found.low, found.mean or 0.0), at(found.high, found.mean or 0.0))
            for name, found in known.items()
        },
        None if random is None else at(random, low),
    )


def mixes(groupings: Sequence[Grouping]) -> tuple[Grouping, ...]:
    """The groupings that are known."""
    return tuple(each for each in groupings if not each.missing)


def largest_item_part(why: Why) -> float:
    """The largest part of an effect that an item carries, with its interval."""
    found = [
        abs(end)
        for card in (*why.items.gained, *why.items.lost)
        for part in card.parts.values()
        for end in (part.effect.mean, part.effect.low, part.effect.high)
        if end is not None
    ]
    return max(found, default=0.0)


def told_of(card: ItemCard, arms: Sequence[str], sign: int) -> list[str]:
    """The arms whose part of an item stands beside its title: the clear ones, or else the one furthest from zero.

    Args:
        card: The item, which may have gained in one arm and lost in another.
        arms: In the order in which they are told.
        sign: 1 in the list of what gained, -1 in that of what lost.
    """
    fitting = [name for name in arms if sign * (card.parts[name].effect.mean or 0.0) > 0]
    clear = [name for name in fitting if card.parts[name].clear]
    return clear or sorted(fitting, key=lambda name: -_sure(card.parts[name].effect))[:1]


def _sure(found: Estimate) -> float:
    """How far the interval lies from zero."""
    if found.low is None or found.high is None:
        return 0.0
    return max(found.low, -found.high)


def percent_ends(found: Estimate) -> str:
    """The ends of the interval of a share, in per cent."""
    return f"[{100 * (found.low or 0.0):.1f}, {100 * (found.high or 0.0):.1f}]".replace("-", "\N{MINUS SIGN}")


def floors(overlap: Overlap) -> str:
    """What random lists share, over all pairs of arms."""
    known = [share for share in overlap.random.values() if not isnan(share)]
    if not known:
        return "an unknown part"
    low, high = f"{100 * min(known):.1f} %", f"{100 * max(known):.1f} %"
    return low if low == high else f"{low} to {high}"
