"""The results: one record per (arm, volume, setting, metric), and claims about differences.

A figure has two sources of randomness, and a claim must hold for both:

    seeds   which items are new, which rows are held out, which users are drawn; paired t interval over the seeds
    items   which items there are; each seed's items are resampled, and arms are compared on the same resamples

Each claim has a fixed rule. "Better" holds if both 95 % intervals of the difference lie above zero. "Loses nothing"
holds if the lower of the two one-sided tests (Schuirmann 1987) rejects a loss beyond the margin at p < 0.05; the p of
both tests together is recorded, too. "Closes half of the gap" holds if the share is at least one half; its interval is
recorded. There is a gap only where the 95 % interval over items of what it is lies above zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.compare import CONFIDENCE, mean_interval, paired_difference, within
from groundlings.experiments.analysis.comparison.bootstrap import resampled_counts
from groundlings.experiments.analysis.comparison.equivalence import equivalence_p_value, no_loss_p_value
from groundlings.experiments.labs.warmup.outcomes import Outcome, Setting

How = Literal["folded in", "refitted"]
ALPHA = 0.05
_SHARES = ("exposure", "auc", "take rate")
"""Metrics that are no sums over items and lie between 0 and 1; the others have no upper bound."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a record is about.

    Attributes:
        arm: The arm.
        volume: Interactions per item.
        setting: One of `outcomes.SETTINGS`, or "choice" for measures of the selected users.
        metric: "ndcg", "recall", "exposure", "enrichment", "auc"; "take rate" (click-through rate of the new items) or
            "taker lift" (share of users who really interacted with the item, among those who clicked it divided by
            among those who were shown it).
        recommender: The recommender that got the interactions.
        how: Whether the new items were folded in or the recommender was refitted.
    """

    arm: str
    volume: int
    setting: Setting | Literal["choice"]
    metric: str
    recommender: str
    how: How


@dataclass(frozen=True, slots=True)
class Record:
    """One figure.

    Attributes:
        key: What it is about.
        value: Mean over the seeds.
        low, high: 95 % interval: over items if the value is a sum over items, else over seeds.
        n: New items measured, all seeds with a value together.
        seeds: The value of each seed that has one.
    """

    key: Key
    value: float
    low: float | None
    high: float | None
    n: int
    seeds: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, the key's parts beside the figures."""
        rest = asdict(self)
        return {**rest.pop("key"), **rest}


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim about the audience, and whether it holds.

    Attributes:
        what: "better", "loses nothing" or "closes half of the gap".
        arm, against: The two sides; for the gap "random_n to oracle_n".
        key: The figure it is about.
        value: The difference, or the share of the gap that is closed; None where there is no clear gap.
        seeds_low, seeds_high, p: Over the seeds; p of the paired t test, or of the one-sided test of a loss.
        items_low, items_high: Over items; None where each seed has one alone.
        p_equivalence: Of both one-sided tests; None for other claims.
        holds: By the rule of this module.
    """

    what: str
    arm: str
    against: str
    key: Key
    value: float | None
    seeds_low: float | None
    seeds_high: float | None
    p: float | None
    items_low: float | None
    items_high: float | None
    holds: bool
    p_equivalence: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        rest = asdict(self)
        return {**rest.pop("key"), **rest}


class Ledger:
    """Collects outcomes seed by seed and turns them into records and claims.

    Args:
        resamples: Number of resamples of items.
    """

    def __init__(self, resamples: int) -> None:
        self._resamples = resamples
        self._values: dict[Key, list[float]] = {}
        self._resampled: dict[Key, FloatArray] = {}
        self._gains: dict[Key, list[FloatArray]] = {}
        self._items: list[int] = []
        self._n: dict[Key, int] = {}

    def begin_seed(self, new: IntArray) -> None:
        """Begin the next seed, with these new items."""
        self._items.append(len(new))

    def add(self, key: Key, value: float) -> None:
        """Add a figure of this seed that is not a sum over items."""
        self._values.setdefault(key, []).append(value)
        self._n[key] = self._n.get(key, 0) + self._items[-1]

    def add_outcome(self, outcome: Outcome, make_key: Mapping[str, Any], new: IntArray) -> None:
        """Add all figures of one arm under this seed.

        Args:
            outcome: What was measured.
            make_key: The parts of `Key` without setting and metric.
            new: The new items; figures about them resample these, all other figures resample all items.
        """
        for (setting, metric), shares in outcome.shares.items():
            key = Key(setting=setting, metric=metric, **make_key)
            self.add(key, float(shares.sum()))
            about_new = setting.startswith("cold")
            parts = shares[new] if about_new else shares
            self._gains.setdefault(key, []).append(parts)
        self.add(Key(setting="overall", metric="exposure", **make_key), outcome.exposure)

    def records(self) -> list[Record]:
        """All records, in the order in which they were first added."""
        return [self._record(key) for key in self._values]

    def values(self, key: Key) -> FloatArray:
        """One value per seed."""
        return np.array(self._values[key])

    def item_gains(self, arm: Key, against: Key) -> FloatArray:
        """What each new item adds to the difference between two arms, all seeds together, shape (n_items,)."""
        pairs = zip(self._gains[arm], self._gains[against], strict=True)
        return np.concatenate([one - other for one, other in pairs])

    def better(self, key: Key, against: str) -> Claim:
        """The claim that an arm is better than another in one figure."""
        other = _of_arm(key, against)
        found = paired_difference(self.values(key), self.values(other))
        low, high = self._ends(key, self._resample(key) - self._resample(other))
        holds = found.low is not None and found.low > 0 and low is not None and low > 0
        return Claim(
            "better", key.arm, against, key, found.difference or 0.0, found.low, found.high, found.p_value, low, high,
            holds,
        )  # fmt: skip

    def loses_nothing(self, key: Key, against: str, margin: float) -> Claim:
        """The claim that an arm loses no more than `margin`, as a share of another arm's figure."""
        other = _of_arm(key, against)
        found = paired_difference(self.values(key), self.values(other))
        tolerated = margin * float(self.values(other).mean())
        p = no_loss_p_value(found, tolerated)
        low, high = self._ends(key, self._resample(key) - self._resample(other))
        return Claim(
            "loses nothing", key.arm, against, key, found.difference or 0.0, found.low, found.high, p, low, high,
            p is not None and p < ALPHA, equivalence_p_value(found, tolerated),
        )  # fmt: skip

    def closes_gap(self, key: Key, bottom: str, top: str) -> Claim:
        """The claim that an arm closes at least half of the gap between two others.

        It holds nowhere without a clear gap: a share of what may be nothing could be any number.
        """
        arms = [self.values(_of_arm(key, arm)).mean() for arm in (key.arm, bottom, top)]
        drawn = [self._resample(_of_arm(key, arm)) for arm in (key.arm, bottom, top)]
        gaps = drawn[2] - drawn[1]
        least = self._ends(key, gaps)[0]
        clear = least is not None and least > 0 and arms[2] > arms[1]
        low, high = self._ends(key, (drawn[0] - drawn[1]) / gaps) if clear and gaps.all() else (None, None)
        share = float((arms[0] - arms[1]) / (arms[2] - arms[1])) if clear else None
        return Claim(
            "closes half of the gap", key.arm, f"{bottom} to {top}", key, share, None, None, None, low, high,
            share is not None and share >= 0.5,
        )  # fmt: skip

    def _record(self, key: Key) -> Record:
        values = self.values(key)
        if key in self._gains:
            # Few items with much of it can be drawn so often that a resample lies above what a list can reach.
            ends = self._ends(key, np.minimum(self._resample(key), 1.0))
        else:
            over_seeds = within(mean_interval(values), 0.0, 1.0 if key.metric in _SHARES else None)
            ends = over_seeds.low, over_seeds.high
        return Record(key, float(values.mean()), *ends, self._n[key], tuple(values.tolist()))

    def _ends(self, key: Key, drawn: FloatArray) -> tuple[float | None, float | None]:
        """Ends of an interval over the items of a figure; none where each seed has one, which is drawn every time."""
        if max(map(len, self._gains[key])) < 2:
            return None, None
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return float(low), float(high)

    def _resample(self, key: Key) -> FloatArray:
        """The figure under each resample of items, mean over seeds, shape (resamples,)."""
        if key not in self._resampled:
            self._resample_setting(key)
        return self._resampled[key]

    def _resample_setting(self, wanted: Key) -> None:
        """All figures on the same items at once: they need the same resamples, and one product is faster."""
        sizes = [len(gains) for gains in self._gains[wanted]]
        keys = [key for key, gains in self._gains.items() if [len(each) for each in gains] == sizes]
        total = np.zeros((self._resamples, len(keys)))
        for seed, size in enumerate(sizes):
            columns = np.column_stack([self._gains[key][seed] for key in keys])
            counts = resampled_counts(size, self._resamples, seed)
            total += np.concatenate([block @ columns for block in counts])
        for key, column in zip(keys, (total / len(sizes)).T, strict=True):
            self._resampled[key] = column


def find(records: Sequence[Record], **parts: Any) -> Record | None:
    """The first record whose key has these parts, None where there is none."""
    for record in records:
        if all(getattr(record.key, name) == value for name, value in parts.items()):
            return record
    return None


def _of_arm(key: Key, arm: str) -> Key:
    return Key(arm, key.volume, key.setting, key.metric, key.recommender, key.how)
