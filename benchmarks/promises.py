"""The promises that `aa.py` holds the statistics to, each with what was found and what was wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.replayed_draws import Table
from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.compare import paired_difference
from groundlings.experiments.analysis.comparison.bootstrap import bca_interval
from groundlings.experiments.analysis.comparison.equivalence import equivalence_p_value, no_loss_p_value
from groundlings.experiments.analysis.comparison.integrity import attrition_p_value, sample_ratio_p_value
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg, holm, max_t
from groundlings.experiments.analysis.comparison.power import needed_agents, power
from groundlings.experiments.analysis.comparison.ratios import (
    paired_ratio_difference,
    relative_lift,
    split_ratio_difference,
)
from groundlings.experiments.analysis.comparison.segments import welch_anova_p_value
from groundlings.experiments.analysis.comparison.sequential import boundaries, sequence_reach
from groundlings.experiments.analysis.comparison.split import cuped_difference, split_difference

ALPHA = 0.05
ALARMS = (0.035, 0.065)
COVERED = (0.935, 0.965)
PLANNED = 0.8
"""Power that a plan asks for."""
GAIN = 0.5
"""At most so much of a split test's standard error is promised of paired worlds."""
NOTHING = "nothing"
"""Wanted of a figure that is only printed."""
FEW, MANY = 200, 400
"""Agents of one experiment: for false alarms, and for coverage, where skewness weighs more."""
LOOKS = (FEW // 3, 2 * FEW // 3, FEW)
_RESAMPLES = 499
_DAYS = 5


@dataclass(frozen=True, slots=True)
class Promise:
    """One line of the table."""

    question: str
    name: str
    found: str
    wanted: str
    kept: bool


def false_alarms(
    table: Table, levels: NDArray[np.str_], experiments: int, rng: np.random.Generator
) -> Iterator[Promise]:
    """How often each test finds an effect between two arms of one recommender."""
    likes = table.ratio("likes", "sessions")
    bars = np.array(boundaries(LOOKS))
    counts: dict[str, list[bool]] = {}
    gaps = np.empty((FEW, experiments))
    for number in range(experiments):
        people, replication = _draw(rng, likes, FEW, 4)
        gaps[:, number] = likes[people, replication[:, 0]] - likes[people, replication[:, 1]]
        for name, alarm in {
            **_paired(table, people, replication, levels, bars),
            **_split(table, people, replication, rng),
            **_together(table, people, replication, rng),
        }.items():
            counts.setdefault(name, []).append(alarm)
    found = bca_interval(gaps)
    counts["BCa bootstrap"] = ((found.low > 0) | (found.high < 0)).tolist()
    for name, alarms in counts.items():
        share = float(np.mean(alarms))
        bounded = name.startswith("confidence sequence")  # promises at most alpha, for as long as one looks
        low, high = (0.0, ALARMS[1]) if bounded else ALARMS
        yield Promise("A/A: false alarms", name, f"{share:.4f}", f"{low:g} to {high:g}", low <= share <= high)


def coverage(tables: Mapping[str, Table], experiments: int, rng: np.random.Generator) -> Iterator[Promise]:
    """How often intervals hold the true effect of EASE against popular, people being drawn anew each time."""
    base, arm = tables["popular"], tables["ease"]
    ours, theirs = arm.ratio("likes", "sessions"), base.ratio("likes", "sessions")
    rivals = [tables[name].ratio("likes", "sessions") - theirs for name in ("item_knn", "ease", "als")]
    truth, truths = float((ours - theirs).mean()), np.array([rival.mean() for rival in rivals])
    rate = _pooled(arm) - _pooled(base)
    lift = float(ours.mean() / theirs.mean() - 1)
    held: dict[str, list[bool]] = {}
    gaps = np.empty((MANY, experiments))
    for number in range(experiments):
        people = rng.integers(0, len(ours), MANY)
        replication = rng.integers(0, ours.shape[1], MANY)
        x, y = ours[people, replication], theirs[people, replication]
        gaps[:, number] = x - y
        clicks = [
            (side.totals["clicks"][people, replication], side.totals["known"][people, replication])
            for side in (arm, base)
        ]
        half, before = MANY // 2, theirs[people, (replication + 1) % ours.shape[1]]
        together = np.column_stack([rival[people, replication] for rival in rivals])
        joint = max_t(together, ALPHA, resamples=_RESAMPLES, seed=number)
        reach = joint.critical * together.std(axis=0, ddof=1) / np.sqrt(MANY)
        within = np.abs(together.mean(axis=0) - truths) <= reach
        for name, interval, value in (
            ("paired t", paired_difference(x, y), truth),
            ("paired ratio (delta)", paired_ratio_difference(clicks[0], clicks[1]), rate),
            ("relative lift (delta)", relative_lift(x, y), lift),
            ("split (Welch)", split_difference(x[:half], y[half:]), truth),
            ("split (CUPED)", cuped_difference(x[:half], y[half:], before[:half], before[half:]), truth),
        ):
            low, high = interval.low, interval.high
            held.setdefault(name, []).append(low is not None and high is not None and low <= value <= high)
        held.setdefault("max-T, three arms at once", []).append(bool(within.all()))
    found = bca_interval(gaps)
    held["BCa bootstrap"] = ((found.low <= truth) & (truth <= found.high)).tolist()
    for name, inside in held.items():
        share = float(np.mean(inside))
        wanted = f"{COVERED[0]:g} to {COVERED[1]:g}"
        yield Promise("coverage of a known effect", name, f"{share:.4f}", wanted, COVERED[0] <= share <= COVERED[1])


def planted(tables: Mapping[str, Table], doses: Sequence[str]) -> Iterator[Promise]:
    """Effects of a recommender that is made worse by known doses, and of the bounds."""
    means = {name: _by_person(table) for name, table in tables.items()}
    whole = means[doses[0]]
    effects = [float((means[dose] - whole).mean()) for dose in doses]
    falls = all(later < earlier for earlier, later in pairwise(effects))
    shown = " > ".join(f"{effect:+.2f}" for effect in effects)
    yield Promise("planted effects", "degraded by 0, 10, 25, 50, 100 %", shown, "falling", falls)
    small = paired_difference(means[doses[1]], whole)
    sd = float(np.std(means[doses[1]] - whole, ddof=1))
    strength = power(small.difference or 0.0, sd, small.n)
    needed = needed_agents(small.difference or 0.0, sd)
    yield Promise(
        "planted effects", f"10 % is significant, {needed} agents needed for power {PLANNED:g}",
        f"p {small.p_value:.2g}, power {strength:.2f}", f"< {ALPHA:g}, >= {PLANNED:g}",
        small.p_value is not None and small.p_value < ALPHA and strength >= PLANNED,
    )  # fmt: skip
    order = {name: float(values.mean()) for name, values in means.items()}
    bound = order["oracle"] >= max(order.values()) and order["anti_oracle"] <= min(order.values())
    ends = f"{order['anti_oracle']:.2f} to {order['oracle']:.2f}"
    yield Promise("planted effects", "anti-oracle and oracle bound every arm", ends, "all within", bound)


def _draw(rng: np.random.Generator, values: FloatArray, people: int, replications: int) -> tuple[IntArray, IntArray]:
    """Different people, and different replications for each of them, shape (people,) and (people, replications)."""
    chosen = rng.permutation(len(values))[:people]
    return chosen, rng.permuted(np.tile(np.arange(values.shape[1]), (people, 1)), axis=1)[:, :replications]


def _paired(
    table: Table, people: IntArray, replication: IntArray, levels: NDArray[np.str_], bars: FloatArray
) -> dict[str, bool]:
    a, b = replication[:, 0], replication[:, 1]
    likes = table.ratio("likes", "sessions")
    gap = likes[people, a] - likes[people, b]
    clicks = [(table.totals["clicks"][people, side], table.totals["known"][people, side]) for side in (a, b)]
    left = [table.totals["left"][people, side] > 0 for side in (a, b)]
    margin = 0.3 * float(gap.std(ddof=1))
    worse, better = (paired_difference(gap + shift, np.zeros(len(gap))) for shift in (-margin, margin))
    z = np.array([gap[:look].mean() / (gap[:look].std(ddof=1) / np.sqrt(look)) for look in LOOKS])
    every = np.arange(30, len(gap) + 1, 10)
    means = np.cumsum(gap)[every - 1] / every
    errors = np.sqrt((np.cumsum(gap**2)[every - 1] / every - means**2) / (every - 1))
    reach = np.array([sequence_reach(int(n), FEW) for n in every])
    groups = [gap[levels[people] == level] for level in ("low", "medium", "high")]
    return {
        "paired t": _alarm(paired_difference(gap, np.zeros(len(gap))).p_value),
        "paired ratio (delta)": _alarm(paired_ratio_difference(clicks[0], clicks[1]).p_value),
        "no loss, at the margin": _alarm(no_loss_p_value(worse, margin)),
        "equivalence, at the margin": _alarm(equivalence_p_value(better, margin)),
        "McNemar (mid-p)": _alarm(attrition_p_value(left[0], left[1])),
        "segments differ (Welch)": _alarm(welch_anova_p_value(groups)),
        "group-sequential, 3 looks": bool((np.abs(z) > bars).any()),
        f"confidence sequence, {len(every)} looks": bool((np.abs(means) > reach * errors).any()),
    }


def _split(table: Table, people: IntArray, replication: IntArray, rng: np.random.Generator) -> dict[str, bool]:
    likes = table.ratio("likes", "sessions")[people, replication[:, 0]]
    before = table.ratio("likes", "sessions")[people, replication[:, 1]]
    clicks, known = (table.totals[name][people, replication[:, 0]] for name in ("clicks", "known"))
    half = len(people) // 2
    assigned = int((rng.random(len(table.totals["sessions"])) < 0.5).sum())
    return {
        "split (Welch)": _alarm(split_difference(likes[:half], likes[half:]).p_value),
        "split (CUPED)": _alarm(cuped_difference(likes[:half], likes[half:], before[:half], before[half:]).p_value),
        "split ratio (delta)": _alarm(
            split_ratio_difference((clicks[:half], known[:half]), (clicks[half:], known[half:])).p_value
        ),
        "sample ratio (chi-square)": _alarm(sample_ratio_p_value([assigned, len(table.totals["sessions"]) - assigned])),
    }


def _together(table: Table, people: IntArray, replication: IntArray, rng: np.random.Generator) -> dict[str, bool]:
    """Families of tests: three arms at once, and three metrics of three sets of people."""
    likes = table.ratio("likes", "sessions")
    arms = np.column_stack([likes[people, replication[:, arm]] - likes[people, replication[:, 0]] for arm in (1, 2, 3)])
    tests = []
    for parts in (("likes", "sessions"), ("pages", "sessions"), ("satisfaction", "asked")):
        values = table.ratio(*parts)
        some, pair = _draw(rng, values, FEW, 2)
        tests.append(paired_difference(values[some, pair[:, 0]], values[some, pair[:, 1]]).p_value or 0.0)
    seed = int(rng.integers(2**31))
    return {
        "max-T, three arms": bool(max_t(arms, ALPHA, resamples=_RESAMPLES, seed=seed).p_values.min() < ALPHA),
        "Holm, three metrics": bool(holm(tests).min() < ALPHA),
        "Benjamini-Hochberg, three metrics": bool(benjamini_hochberg(tests).min() < ALPHA),
    }


def _alarm(p_value: float | None) -> bool:
    return p_value is not None and p_value < ALPHA


def _pooled(table: Table) -> float:
    return float(table.totals["clicks"].sum() / table.totals["known"].sum())


def _by_person(table: Table) -> FloatArray:
    """Likes per session of each person over some days."""
    return table.ratio("likes", "sessions")[:, :_DAYS].mean(axis=1)
