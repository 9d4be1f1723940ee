"""How much of what two arms showed was the same, beside what lists drawn at random share.

Where the same agents were in both arms, the first pages of one agent's session on the same day are compared, because
every session has a first page and longer sessions would share less. In a split test nobody saw both, so the sets of all
items that the arms showed are compared. The measure is Jaccard's: items in both, over items in either (Jaccard 1912).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.compare import Estimate, mean_interval
from groundlings.experiments.analysis.metrics.item_counts import SHOWN, ArmItems, estimate
from groundlings.experiments.analysis.why.reading import StepCounts
from groundlings.simulator.log.reader import LogReader

MOST_SLOTS = 500_000
"""About so many slots of first pages are compared; of more, those of each so many agents."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What pairs of arms share.

    Attributes:
        arms: Names, in the order of the YAML.
        pairs: (arm, other) in that order -> share of items in common.
        random: Pair -> what two lists of the same lengths, drawn uniformly from the catalog, share.
        alone: Arm -> what its first pages for two different agents on the same day share: near 1 = one list for all;
            empty in a split test.
        by_session: Whether first pages of the same agent and day are compared, and not sets of all items.
        missing: Why there is none, "" where there is.
    """

    arms: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Estimate]
    random: Mapping[tuple[str, str], float]
    alone: Mapping[str, Estimate]
    by_session: bool
    missing: str = ""

    def of(self, one: str, other: str) -> Estimate | None:
        """What two arms share, in either order; None where it is not known."""
        return self.pairs.get((one, other)) or self.pairs.get((other, one))

    def floor(self, one: str, other: str) -> float | None:
        """What random lists share, in either order."""
        found = self.random.get((one, other))
        return self.random.get((other, one)) if found is None else found


def measure_overlap(log: LogReader, counts: StepCounts, items: tuple[ArmItems, ...], *, split: bool) -> Overlap:
    """What every pair of arms shares.

    Args:
        log: The run's.
        counts: What the agents did.
        items: How often each arm showed each item.
        split: Whether every agent was in one arm only.
    """
    names = tuple(side.name for side in counts.sides)
    if counts.together:
        return Overlap(names, {}, {}, {}, True, "the two arms drafted each list together")
    if split:
        return _of_sets(names, items)
    slots = sum(float(side.whole.counts["shown"][side.whole.pages == 0].sum()) for side in counts.sides)
    return _of_sessions(log, counts, names, counts.every * max(1, int(-(-slots // MOST_SLOTS))))


def _of_sessions(log: LogReader, counts: StepCounts, names: tuple[str, ...], every: int) -> Overlap:
    frame = log.first_pages(every)
    numbers = np.array(log.item_numbers(), dtype=np.int64)
    key = frame[["agent_id", "day", "sim_time"]].drop_duplicates().sort_values(["day", "sim_time", "agent_id"])
    key["session"] = np.arange(len(key))
    rows = frame.merge(key, on=["agent_id", "day", "sim_time"])
    agent = key.agent_id.to_numpy(np.int64)
    moment: IntArray = key.groupby(["day", "sim_time"]).ngroup().to_numpy(np.int64).astype(np.int64)
    shape = (len(key), len(numbers))
    pages = []
    for arm_id in counts.arm_ids:
        here = rows[rows.arm_id == arm_id].drop_duplicates(["session", "item_id"])
        place = (here.session.to_numpy(np.int64), np.searchsorted(numbers, here.item_id.to_numpy(np.int64)))
        pages.append(sp.csr_array((np.ones(len(here)), place), shape=shape))
    pairs, random = {}, {}
    for one, other in combinations(range(len(names)), 2):
        shared, sizes, others = _shared(pages[one], pages[other])
        pairs[names[one], names[other]] = _over_agents(_jaccard(shared, sizes, others), agent)
        random[names[one], names[other]] = _by_chance(sizes, others, len(numbers))
    next_one = _neighbours(moment)
    alone = {}
    for name, found in zip(names, pages, strict=True):
        shared, sizes, others = _shared(found, found[next_one])
        share = np.where(next_one == np.arange(len(next_one)), np.nan, _jaccard(shared, sizes, others))
        alone[name] = _over_agents(share, agent)
    return Overlap(names, pairs, random, alone, by_session=True)


def _shared(one: sp.csr_array, other: sp.csr_array) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Items in both, in the first and in the second list of each session, shape (n_sessions,) each."""
    sums = (np.asarray(each.sum(axis=1), dtype=np.float64).ravel() for each in (one.multiply(other), one, other))
    first, second, third = sums
    return first, second, third


def _jaccard(shared: FloatArray, sizes: FloatArray, others: FloatArray) -> FloatArray:
    """NaN where one of the two has no list."""
    either = sizes + others - shared
    return np.divide(shared, either, out=np.full(len(shared), np.nan), where=(sizes > 0) & (others > 0))


def _over_agents(share: FloatArray, agent: IntArray) -> Estimate:
    """The mean over agents of the mean of their sessions."""
    known = ~np.isnan(share)
    _, place = np.unique(agent[known], return_inverse=True)
    total, number = np.bincount(place, weights=share[known]), np.bincount(place)
    return mean_interval((total / np.maximum(number, 1)).astype(np.float64))


def _by_chance(sizes: FloatArray, others: FloatArray, n_items: int) -> float:
    """What two lists of given lengths share on average if each is drawn from the catalog without replacement: the
    number of items in common is hypergeometric."""
    known = (sizes > 0) & (others > 0)
    lengths, number = np.unique(np.stack([sizes[known], others[known]], axis=1), axis=0, return_counts=True)
    found = []
    for one, other in lengths.astype(int).tolist():
        common = np.arange(min(one, other) + 1)
        ways = _log_choose(one, common) + _log_choose(n_items - one, other - common) - _log_choose(n_items, other)
        chance = np.exp(ways)
        found.append(float((chance * common / (one + other - common)).sum()))
    return float(np.average(found, weights=number)) if found else np.nan


def _log_choose(of: int, number: IntArray | int) -> FloatArray:
    """Logarithm of how many ways there are to choose so many; -inf where there is none."""
    return np.asarray(gammaln(of + 1.0) - gammaln(np.add(number, 1.0)) - gammaln(np.subtract(of + 1.0, number)))


def _neighbours(moment: IntArray) -> IntArray:
    """Of each session the next one of the same moment, the first after the last; sessions stand moment by moment."""
    place = np.arange(len(moment))
    following = place + 1
    last = np.append(moment[1:] != moment[:-1], True) if len(moment) else np.zeros(0, dtype=np.bool_)
    first = np.searchsorted(moment, moment[last]) if len(moment) else place
    following[last] = first
    return following


def _of_sets(names: tuple[str, ...], items: tuple[ArmItems, ...]) -> Overlap:
    pairs, random = {}, {}
    for one, other in combinations(items, 2):
        filled = sorted({*one.filled, *other.filled})
        whole, without = _sets(one, filled), _sets(other, filled)
        shares = [_of_two(mine, theirs) for mine, theirs in zip(whole, without, strict=True)]
        pairs[one.name, other.name] = estimate(shares[0], np.array(shares[1:]), one.agents + other.agents)
        random[one.name, other.name] = _drawn_sets(one, other)
    return Overlap(names, pairs, random, {}, by_session=False)


def _sets(arm: ArmItems, filled: list[int]) -> list[FloatArray]:
    """How often each item was shown: to all, then without each part of the agents."""
    total = arm.total(SHOWN)
    return [total, *(total - arm.counts[SHOWN][[part]].toarray().ravel() for part in filled)]


def _of_two(one: FloatArray, other: FloatArray) -> float:
    either = int(((one > 0) | (other > 0)).sum())
    return float(((one > 0) & (other > 0)).sum() / either) if either else np.nan


def _drawn_sets(one: ArmItems, other: ArmItems) -> float:
    """What as many impressions drawn uniformly from the catalog share, on average."""
    totals = [arm.total(SHOWN) for arm in (one, other)]
    n_items = len(totals[0])
    met = [1 - (1 - 1 / n_items) ** total.sum() for total in totals]
    return float(met[0] * met[1] / (met[0] + met[1] - met[0] * met[1])) if min(met) > 0 else np.nan
