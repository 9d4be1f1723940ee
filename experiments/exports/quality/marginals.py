"""Distances between the log and what the same users really did: items, categories, repeats, gaps and transitions.

Each distance is the mean over random halves of the users: the log of one half against the real behaviour of the other.
Beside it stands the floor, the real behaviour of the one half against that of the other: no log can be expected to come
closer. Both rest on the same halves and on sequences of the same length, so sampling noise is alike on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.analysis.compare import CONFIDENCE
from groundlings.experiments.exports.quality.figures import Figure, absent, chance
from groundlings.experiments.exports.quality.real import RealData
from groundlings.experiments.exports.quality.sequences import FEWEST_PEOPLE, MOST_PEOPLE, Pair, Sequences, whole
from groundlings.experiments.labs.fidelity.distances import (
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_of_histograms,
)

HALVES = 50
CATEGORIES = 20
"""Transitions are counted between so many of the most frequent categories; all others are one."""

_BANDS = 10
_LONGEST_GAP = 60

Table = sp.csr_array | FloatArray
"""One row per user."""

Apart = Callable[[Table, IntArray, Table, IntArray], float]
"""Between some users of one table and some of another."""


@dataclass(frozen=True, slots=True)
class Distance:
    """How far the log is from real behaviour in one respect.

    Attributes:
        name: What is compared, and by which distance.
        synthetic: The log against real behaviour of other users.
        floor: Real behaviour against that of other users, on the same halves.
    """

    name: str
    synthetic: Figure
    floor: Figure

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"name": self.name, "synthetic": self.synthetic.as_dict(), "floor": self.floor.as_dict()}


ITEMS = "popularity of items (Jensen-Shannon)"
COUNTS = "interactions per user over their mean (Kolmogorov-Smirnov)"
CATEGORY_MIX = "categories (Jensen-Shannon)"
REPEATS = "share of repeats per user (Kolmogorov-Smirnov)"
PER_DAY = "interactions per active day (Kolmogorov-Smirnov)"
GAPS = "days between active days (Kolmogorov-Smirnov)"
BANDS = "transitions between tenths of popularity (Jensen-Shannon)"
CATEGORY_STEPS = "transitions between categories (Jensen-Shannon)"
RATINGS = "ratings (Kolmogorov-Smirnov)"
NAMES = (ITEMS, COUNTS, CATEGORY_MIX, REPEATS, PER_DAY, GAPS, BANDS, CATEGORY_STEPS, RATINGS)


def distances(real: RealData, log: Interactions, pair: Pair) -> list[Distance]:
    """Every distance of `NAMES`, in that order.

    Args:
        real: The real data.
        log: The synthetic interactions.
        pair: Sequences of the same lengths.
    """
    if pair.missing:
        return [Distance(name, absent(pair.missing), absent(pair.missing)) for name in NAMES]
    n_items = real.train.n_items

    def of_pair(of: Callable[[Sequences], Table], apart: Apart, name: str) -> Distance:
        return _distance(real, name, of(pair.synthetic), of(pair.real), apart)

    return [
        of_pair(lambda each: _counted(each, each.items, n_items), _histograms_apart, ITEMS),
        _counts(real, log),
        _categories(real, of_pair),
        of_pair(lambda each: _repeat_shares(real, each), _values_apart, REPEATS),
        *_over_time(real, log),
        of_pair(lambda each: _steps(each, _bands(real)), _histograms_apart, BANDS),
        _category_steps(real, of_pair),
        _stars(pair, of_pair),
    ]


OfPair = Callable[[Callable[[Sequences], Table], Apart, str], Distance]


def _categories(real: RealData, of_pair: OfPair) -> Distance:
    genres = real.catalog.genre_matrix.astype(np.float64)
    if not genres.shape[1]:
        return _none(CATEGORY_MIX, "the catalog has no categories")
    return of_pair(lambda each: _by_user(each, genres[each.items]), _histograms_apart, CATEGORY_MIX)


def _category_steps(real: RealData, of_pair: OfPair) -> Distance:
    names = real.catalog.genre_names
    if not names:
        return _none(CATEGORY_STEPS, "the catalog has no categories")
    number = {name: place for place, name in enumerate(names)}
    first = np.array([number[genres[0]] if genres else -1 for genres in real.catalog.genres])
    used = np.bincount(first[first >= 0], real.train.item_counts[first >= 0], minlength=len(names))
    place = np.full(len(names) + 1, CATEGORIES)
    place[np.argsort(-used, kind="stable")[:CATEGORIES]] = np.arange(min(CATEGORIES, len(names)))
    return of_pair(lambda each: _steps(each, place[first]), _histograms_apart, CATEGORY_STEPS)


def _stars(pair: Pair, of_pair: OfPair) -> Distance:
    given = [each.rows.ratings[~np.isnan(each.rows.ratings)] for each in (pair.real, pair.synthetic)]
    if not len(given[0]):
        return _none(RATINGS, "nobody rated in the held-out part")
    if not len(given[1]):
        return _none(RATINGS, "nobody rated in the log")
    values = np.unique(np.concatenate(given))

    def table(each: Sequences) -> Table:
        rated = np.flatnonzero(~np.isnan(each.rows.ratings))
        return _counted(each, np.searchsorted(values, each.rows.ratings[rated]), len(values), rated)

    return of_pair(table, _steps_apart, RATINGS)


def _counts(real: RealData, log: Interactions) -> Distance:
    """Of all interactions, not of the matched ones, whose numbers are equal."""
    counts = []
    for rows in (log, real.held_out):
        number = np.bincount(rows.users, minlength=rows.n_users)[real.agents[:MOST_PEOPLE]].astype(np.float64)
        counts.append(number / max(number.mean(), 1e-12))
    return _distance(real, COUNTS, counts[0], counts[1], _values_apart)


def _over_time(real: RealData, log: Interactions) -> list[Distance]:
    """Interactions per active day and gaps, in windows as long as the run: each user's first days."""
    reason = ""
    if not real.times_known:
        reason = "nobody knows when the real interactions took place"
    elif real.days < 2:
        reason = "the run is one day long"
    if reason:
        return [_none(PER_DAY, reason), _none(GAPS, reason)]
    ours, theirs = (_in_window(whole(real, rows), real.days) for rows in (log, real.held_out))
    users = np.intersect1d(ours.users, theirs.users)
    if len(users) < FEWEST_PEOPLE:
        reason = f"{len(users)} agents have both, and {FEWEST_PEOPLE} are needed"
        return [_none(PER_DAY, reason), _none(GAPS, reason)]
    both = ours.of(users), theirs.of(users)
    per_day = [each.lengths / _active(each)[1] for each in both]
    gaps = [_gaps(each) for each in both]
    found = [_distance(real, PER_DAY, per_day[0], per_day[1], _values_apart)]
    if not all(table.nnz for table in gaps):
        return [*found, _none(GAPS, "nobody is active on two days of the log, or of as many real ones")]
    return [*found, _distance(real, GAPS, gaps[0], gaps[1], _steps_apart)]


def _in_window(sequences: Sequences, days: int) -> Sequences:
    """The rows of each user's first so many days, from the first active one on."""
    since = sequences.days - sequences.days[sequences.starts[:-1]][sequences.owners]
    return Sequences(sequences.rows.take(since < days))


def _active(sequences: Sequences) -> tuple[IntArray, IntArray]:
    """Each user's active days as (sequence, day), shape (n_days, 2), and how many each has, shape (n,)."""
    days = np.unique(np.column_stack([sequences.owners, sequences.days]), axis=0)
    return days, np.bincount(days[:, 0], minlength=len(sequences.users)).astype(np.int64)


def _gaps(sequences: Sequences) -> sp.csr_array:
    days, _ = _active(sequences)
    same = np.diff(days[:, 0]) == 0
    gaps = np.minimum(np.diff(days[:, 1])[same], _LONGEST_GAP)
    shape = (len(sequences.users), _LONGEST_GAP + 1)
    return sp.csr_array((np.ones(len(gaps)), (days[1:, 0][same], gaps)), shape=shape)


def _repeat_shares(real: RealData, sequences: Sequences) -> FloatArray:
    again = sequences.known(real.train) | sequences.taken_before()
    return np.asarray(np.add.reduceat(again.astype(np.float64), sequences.starts[:-1]) / sequences.lengths)


def _bands(real: RealData) -> IntArray:
    """The tenth of the catalog by popularity that each item is in, shape (n_items,)."""
    counts = real.train.item_counts
    order = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
    return np.asarray(order * _BANDS // max(len(counts), 1), dtype=np.int64)


def _steps(sequences: Sequences, groups: IntArray) -> sp.csr_array:
    """How often each group of items follows each other one, per user."""
    width = int(groups.max()) + 1 if len(groups) else 1
    after = sequences.follows
    steps = groups[sequences.items[after - 1]] * width + groups[sequences.items[after]]
    return _counted(sequences, steps, width**2, after)


def _counted(sequences: Sequences, columns: IntArray, width: int, rows: IntArray | None = None) -> sp.csr_array:
    owners = sequences.owners if rows is None else sequences.owners[rows]
    return sp.csr_array((np.ones(len(columns)), (owners, columns)), shape=(len(sequences.users), width))


def _by_user(sequences: Sequences, values: FloatArray) -> FloatArray:
    return np.asarray(np.add.reduceat(values, sequences.starts[:-1], axis=0))


def _distance(real: RealData, name: str, ours: Table, theirs: Table, apart: Apart) -> Distance:
    n = theirs.shape[0]
    random = chance(real.seed, "distance", name)
    found: list[tuple[float, float]] = []
    for _ in range(HALVES):
        order = random.permutation(n)
        some, others = order[: n // 2], order[n // 2 : 2 * (n // 2)]
        found.append((apart(ours, some, theirs, others), apart(theirs, some, theirs, others)))
    columns = np.array(found).T
    return Distance(name, *(_over_halves(values, n) for values in columns))


def _over_halves(values: FloatArray, n: int) -> Figure:
    known = values[~np.isnan(values)]
    if not len(known):
        return absent("one half of the users has none", n)
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Figure(float(known.mean()), float(low), float(high), n)


def _none(name: str, reason: str) -> Distance:
    return Distance(name, absent(reason), absent(reason))


def _sum(table: Table, users: IntArray) -> FloatArray:
    which: BoolArray = np.zeros(table.shape[0], dtype=np.bool_)
    which[users] = True
    return np.asarray(which.astype(np.float64) @ table)


def _histograms_apart(ours: Table, some: IntArray, theirs: Table, others: IntArray) -> float:
    first, second = _sum(ours, some), _sum(theirs, others)
    return jensen_shannon(first, second) if first.sum() and second.sum() else float("nan")


def _steps_apart(ours: Table, some: IntArray, theirs: Table, others: IntArray) -> float:
    first, second = _sum(ours, some), _sum(theirs, others)
    return kolmogorov_smirnov_of_histograms(first, second) if first.sum() and second.sum() else float("nan")


def _values_apart(ours: Table, some: IntArray, theirs: Table, others: IntArray) -> float:
    assert isinstance(ours, np.ndarray), "one value per user"
    assert isinstance(theirs, np.ndarray), "one value per user"
    return kolmogorov_smirnov(ours[some], theirs[others])
