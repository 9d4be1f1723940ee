"""The items that gained and lost most against the baseline, and a card for each: to whom it was shown, and with what.

An item's part of an effect is what it adds to the counted step per session (or per impression) in an arm, less the
same in the baseline, all sessions pooled; the parts of all items add up to the pooled effect. Of thousands of items
some differ by chance alone. So items are ranked by the end of their 95 % interval that is nearer to zero, and one
counts as clear if Benjamini and Hochberg's correction over all items and arms leaves it below 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.special import stdtr, stdtrit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.shop_actions import PAID, PURCHASE
from groundlings.experiments.analysis.compare import CONFIDENCE, Estimate
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg
from groundlings.experiments.analysis.metrics.item_counts import PARTS
from groundlings.experiments.analysis.why.reading import StepCounts
from groundlings.experiments.analysis.why.steps import CLICKS, LIKES, kinds_of
from groundlings.experiments.analysis.why.target import Target
from groundlings.personas.exposure.intervals import share_of_totals
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

MOST_ITEMS = 10
"""Items shown of those that gained, and of those that lost."""

_FALSE_ALARMS = 0.05


@dataclass(frozen=True, slots=True)
class ItemInArm:
    """One item in one arm; counts are of everybody who is read.

    Attributes:
        shown: How often.
        agents: To how many agents.
        rank: Mean place in the session, 1 = the first slot; None where it was not shown.
        looked: Share of what is known that was looked at; None where that is not known.
        opened: Share of what is known that was opened, with a 95 % interval that allows for impressions of one agent
            being alike.
        clicks, ratings, likes, purchases: Counts; purchases is None where nothing is sold.
        stars: Mean rating, None where nobody gave one.
    """

    shown: int
    agents: int
    rank: float | None
    looked: float | None
    opened: Estimate
    clicks: int
    ratings: int
    likes: int
    purchases: int | None
    stars: float | None


@dataclass(frozen=True, slots=True)
class ItemPart:
    """What an item adds to the effect of one arm.

    Attributes:
        effect: In counts per session (or impression), with its interval.
        clear: Whether it is told from chance, all items and arms considered.
    """

    effect: Estimate
    clear: bool


@dataclass(frozen=True, slots=True)
class ItemCard:
    """One item.

    Attributes:
        source_id: The data set's own id.
        title, year, genres: As in the catalog.
        price: Lowest and highest that it was shown with, None where none was.
        parts: Arm -> its part of the effect; all arms but the baseline.
        arms: Arm -> what became of it there.
    """

    source_id: str
    title: str
    year: int | None
    genres: tuple[str, ...]
    price: tuple[float, float] | None
    parts: Mapping[str, ItemPart]
    arms: Mapping[str, ItemInArm]


@dataclass(frozen=True, slots=True)
class ItemEffects:
    """Items that made a difference.

    Attributes:
        gained, lost: Each at most `MOST_ITEMS`, the surest first; none of both lists where none can be told.
        items: How many were shown in any arm, and so looked through.
        clear: Arm -> how many of them are clear.
    """

    gained: tuple[ItemCard, ...]
    lost: tuple[ItemCard, ...]
    items: int
    clear: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What every item adds in one arm, shape (n_items,) each."""

    effect: FloatArray
    reach: FloatArray
    p_value: FloatArray
    parts: int


def measure_items(log: LogReader, counts: StepCounts, target: Target, like_from: float) -> ItemEffects:
    """The items that gained and lost most, over all arms but the first.

    Args:
        log: The run's.
        counts: What the agents did.
        target: Whose parts are sought.
        like_from: From this many stars on, a rating is a like.
    """
    numbers = np.array(log.item_numbers(), dtype=np.int64)
    tables = _read(log, counts, target, like_from, numbers)
    ground = [_divisors(counts, place, target) for place in range(len(counts.sides))]
    base, *others = range(len(counts.sides))
    shown = np.flatnonzero(sum(np.asarray(table["shown"].sum(axis=0)).ravel() for table in tables) > 0)
    found = {
        counts.sides[place].name: _contributions(
            tables[place][target.steps[-1]], tables[base][target.steps[-1]], ground[place], ground[base], shown
        )
        for place in others
    }
    clear = _clear(found, len(shown))
    rivals = {
        side.name: found[side.name] for side in counts.sides[1:] if not side.bound and not side.identical
    } or found
    gained, lost = (_chosen(rivals, sign) for sign in (1, -1))
    described = {item.item_id: item for item in log.logged_items()} if gained or lost else {}
    prices = log.prices_shown([int(numbers[shown[place]]) for place in {*gained, *lost}])

    def card(place: int) -> ItemCard:
        item = described[int(numbers[shown[place]])]
        return ItemCard(
            item.source_id,
            item.title,
            item.year,
            item.genres,
            prices.get(item.item_id),
            {
                name: ItemPart(_estimate(parts, place, counts.agents), bool(clear[name][place]))
                for name, parts in found.items()
            },
            {
                side.name: _in_arm(table, int(shown[place]), counts)
                for side, table in zip(counts.sides, tables, strict=True)
            },
        )

    return ItemEffects(
        tuple(map(card, gained)),
        tuple(map(card, lost)),
        len(shown),
        {name: int(each.sum()) for name, each in clear.items()},
    )


def _read(
    log: LogReader, counts: StepCounts, target: Target, like_from: float, numbers: IntArray
) -> list[Mapping[str, sp.csr_array]]:
    """Of each arm: name of a count -> by part of the agents and item, shape (PARTS, n_items)."""
    frames = [log.items_by_step(PARTS, counts.every, like_from)]
    kinds = kinds_of(list(counts.steps), money=target.steps[-1] == PAID)
    if kinds:
        frames.append(log.items_by_deed(PARTS, counts.every, kinds))
    if target.per_impression:
        frames = [frame[frame.known > 0] if "known" in frame else frame for frame in frames]
    else:
        frames = [frame[frame.whole == 1] for frame in frames]
    return [
        {name: table for frame in frames for name, table in _tables(frame[frame.arm_id == arm_id], numbers).items()}
        for arm_id in counts.arm_ids
    ]


def _tables(frame: pd.DataFrame, numbers: IntArray) -> dict[str, sp.csr_array]:
    place = (frame.part.to_numpy(np.int64), np.searchsorted(numbers, frame.item_id.to_numpy(np.int64)))
    shape = (PARTS, len(numbers))
    names = [str(name) for name in frame if name not in ("arm_id", "part", "item_id", "whole")]
    return {
        name: sp.csr_array((frame[name].fillna(0).to_numpy(np.float64), place), shape=shape)
        for name in names
    }  # fmt: skip


def _divisors(counts: StepCounts, place: int, target: Target) -> FloatArray:
    """Sessions (or impressions) of an arm by part of the agents, shape (PARTS,)."""
    side = counts.sides[place]
    each = side.known.by_agent("known", counts.agents) if target.per_impression else side.sessions
    return np.bincount(np.arange(counts.agents) % PARTS, weights=each, minlength=PARTS).astype(np.float64)


def _contributions(
    ours: sp.csr_array, base: sp.csr_array, ground: FloatArray, base_ground: FloatArray, shown: IntArray
) -> _Parts:
    """The parts of all shown items, with the jackknife's error, a chunk of items at a time."""
    filled = np.flatnonzero(ground + base_ground)
    effect, error = np.zeros(len(shown)), np.full(len(shown), np.nan)
    for start in range(0, len(shown), 10_000):
        chunk = shown[start : start + 10_000]
        whole, without = _rates(ours, ground, chunk, filled)
        base_whole, base_without = _rates(base, base_ground, chunk, filled)
        effect[start : start + len(chunk)] = whole - base_whole
        gap = without - base_without
        if len(filled) > 1:
            spread = ((gap - gap.mean(axis=0)) ** 2).sum(axis=0)
            error[start : start + len(chunk)] = np.sqrt((len(filled) - 1) / len(filled) * spread)
    freedom = max(len(filled) - 1, 1)
    reach = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    size = np.divide(np.abs(effect), error, out=np.zeros(len(effect)), where=error > 0)
    return _Parts(effect, reach, 2 * stdtr(freedom, -size), len(filled))


def _rates(cells: sp.csr_array, ground: FloatArray, chunk: IntArray, filled: IntArray) -> tuple[FloatArray, FloatArray]:
    """An arm's counts per session, shape (n_chunk,), and without each part, shape (n_filled, n_chunk)."""
    parts = cells[:, chunk].toarray()
    whole, total = parts.sum(axis=0), ground.sum()
    left = (total - ground[filled])[:, None]
    rest = np.divide(whole - parts[filled], left, out=np.full((len(filled), len(chunk)), np.nan), where=left > 0)
    return (whole / total if total else np.full(len(chunk), np.nan)), rest


def _clear(found: Mapping[str, _Parts], n_items: int) -> dict[str, FloatArray]:
    """Arm -> of each item whether it is told from chance, over all arms together."""
    if not found or not n_items:
        return {name: np.zeros(n_items, dtype=np.bool_) for name in found}
    p_values = np.concatenate([np.nan_to_num(parts.p_value, nan=1.0) for parts in found.values()])
    below = benjamini_hochberg(p_values.tolist()) < _FALSE_ALARMS
    return dict(zip(found, below.reshape(len(found), n_items), strict=True))


def _chosen(found: Mapping[str, _Parts], sign: int) -> list[int]:
    """Items of one direction: the surest of each arm in turn, until there are enough; then the surest first."""
    sure = {name: sign * parts.effect - parts.reach for name, parts in found.items()}
    orders = [np.argsort(-np.nan_to_num(each, nan=-np.inf), kind="stable")[:MOST_ITEMS] for each in sure.values()]
    taken: list[int] = []
    for turn in range(MOST_ITEMS):
        for order, each in zip(orders, sure.values(), strict=True):
            place = int(order[turn]) if turn < len(order) else -1
            if place >= 0 and each[place] > 0 and place not in taken and len(taken) < MOST_ITEMS:
                taken.append(place)
    return sorted(taken, key=lambda place: -max(np.nan_to_num(each[place], nan=-np.inf) for each in sure.values()))


def _estimate(parts: _Parts, place: int, agents: int) -> Estimate:
    effect, reach = float(parts.effect[place]), float(parts.reach[place])
    if np.isnan(reach):
        return Estimate(effect, None, None, None, agents, 0)
    return Estimate(effect, None, effect - reach, effect + reach, agents, 0)


def _in_arm(table: Mapping[str, sp.csr_array], item: int, counts: StepCounts) -> ItemInArm:
    def total(name: str) -> float:
        return float(table[name][:, [item]].sum()) if name in table else 0.0

    shown, known, ratings = total("shown"), total("known"), total("ratings")
    sold = any(step.name == PURCHASE for step in counts.steps)
    return ItemInArm(
        shown=int(shown),
        agents=int(total("agents")),
        rank=total("ranks") / shown + 1 if shown else None,
        looked=total("looked") / known if known and counts.told else None,
        opened=_opened(table, item),
        clicks=int(total(CLICKS)),
        ratings=int(ratings),
        likes=int(total(LIKES)),
        purchases=int(total(PURCHASE)) if sold else None,
        stars=total("stars") / ratings if ratings else None,
    )


def _opened(table: Mapping[str, sp.csr_array], item: int) -> Estimate:
    """The share of an item's impressions that were opened; parts of the agents are the sampling units."""
    if "known" not in table:
        return Estimate(None, None, None, None, 0, 0)
    known, opened = (table[name][:, [item]].toarray().ravel() for name in ("known", CLICKS))
    if not known.any():
        return Estimate(None, None, None, None, 0, 0)
    share, low, high = share_of_totals(opened[known > 0], known[known > 0])
    return Estimate(share, None, low, high, int(known.sum()), 0)
