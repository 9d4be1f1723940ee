"""What recommenders learn from a synthetic log: train on synthetic, test on real, against train on real, test on real.

After Esteban, Hyland and Raetsch 2017, "Real-valued (medical) time series generation with recurrent conditional GANs",
section 4.1.2 (TSTR). Every recommender is trained on the agents' real training rows, on their synthetic rows, and on
both, and scored on what the same people really did next, which neither the log nor the recommenders have seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import UserError
from groundlings.environments.interactions import Interactions, rows_of
from groundlings.environments.memory import available_memory, spelt
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.experiments.analysis.compare import mean_interval, paired_difference
from groundlings.experiments.analysis.comparison.ratios import relative_lift
from groundlings.experiments.analysis.metrics.ranking import score_rankings
from groundlings.experiments.exports.quality.figures import Figure, absent, of_estimate
from groundlings.experiments.exports.quality.real import RealData
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.registry import build_recommender

RECOMMENDERS = ("als", "item_knn", "ease")
TRIVIAL = "popular"
"""Knows nothing of a user: what a trained recommender has to beat."""

METRICS = ("ndcg", "recall")
CUT = 10
TARGET = 0.95
"""Of the real figure: what a log to train on should reach."""

_PEOPLE_AT_ONCE = 256
_MOST_BYTES = 4 * 2**30

Scores = Mapping[str, FloatArray]
"""Metric -> one value per user of the sample."""


@dataclass(frozen=True, slots=True)
class Trained:
    """One recommender by one metric.

    Attributes:
        recommender, metric: Their names; the metric is cut at `CUT`.
        real: Trained on real rows.
        synthetic: Trained on synthetic rows.
        ratio: Synthetic over real.
        added: Trained on real rows, with the synthetic ones as those of further users.
        gain: `added` less `real`, user by user.
        merged: Trained on real rows, with the synthetic ones as further rows of the same users.
        merged_gain: `merged` less `real`, user by user.
    """

    recommender: str
    metric: str
    real: Figure
    synthetic: Figure
    ratio: Figure
    added: Figure
    gain: Figure
    merged: Figure
    merged_gain: Figure

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        figures = ("real", "synthetic", "ratio", "added", "gain", "merged", "merged_gain")
        return {
            "recommender": self.recommender,
            "metric": f"{self.metric}@{CUT}",
            **{name: getattr(self, name).as_dict() for name in figures},
        }


@dataclass
class TrainingTest:
    """Trains recommenders and scores them; what was learnt from real rows is kept from arm to arm.

    Attributes:
        real: The real data.
    """

    real: RealData
    _scored: dict[str, Scores | str] = field(default_factory=dict)

    def of(self, log: Interactions) -> list[Trained]:
        """Every recommender by every metric, the trivial one last.

        Args:
            log: The synthetic interactions of the agents.
        """
        return [row for name in (*RECOMMENDERS, TRIVIAL) for row in self._compared(name, log)]

    def _compared(self, name: str, log: Interactions) -> list[Trained]:
        if name not in self._scored:
            self._scored[name] = self._learnt(name, self.real.known)
        real = self._scored[name]
        synthetic = self._learnt(name, log)
        added = self._learnt(name, as_further_users(self.real.known, log))
        merged = self._learnt(name, self.real.known.joined(log))
        return [_row(name, metric, real, synthetic, added, merged) for metric in METRICS]

    def _learnt(self, name: str, rows: Interactions) -> Scores | str:
        """The scores of a recommender after training on some rows, or why there are none."""
        users, n_items = self.real.sample.users, self.real.train.n_items
        if len(users) < 2:
            return "fewer than two agents have held-out items that lists could hold"
        if not len(rows):
            return "the log holds no interaction of these agents"
        recommender = build_recommender(name, {}, self.real.context)
        assert isinstance(recommender, Recommender), "none of these waits for anything"
        if why := _too_large(recommender, rows):
            return why
        try:
            recommender.fit(rows, self.real.catalog)
            parts = [self._scores(recommender, first) for first in range(0, len(users), _PEOPLE_AT_ONCE)]
        except (UserError, MemoryError) as fault:
            return f"it could not be trained on {len(rows):,} rows and {n_items:,} items ({fault})"
        return {metric: np.concatenate([part[metric] for part in parts]) for metric in METRICS}

    def _scores(self, recommender: Recommender, first: int) -> Scores:
        """The scores of some users' lists."""
        sample = self.real.sample
        users = sample.users[first : first + _PEOPLE_AT_ONCE]
        draws = Draws.for_sessions(self.real.seed, users, 0)
        request = RankingRequest(users, CUT, rows_of(self.real.seen, users), draws)
        items = recommender.recommend(request).items
        relevant = sp.csr_array(sample.relevant[first : first + _PEOPLE_AT_ONCE])
        return score_rankings(items, relevant, CUT).values


def as_further_users(real: Interactions, log: Interactions) -> Interactions:
    """Real and synthetic rows in one table in which agents are users of their own, numbered after the real ones."""
    n = real.n_users
    return _numbered(real, real.users, 2 * n).joined(_numbered(log, log.users + n, 2 * n))


def _numbered(rows: Interactions, users: np.ndarray, n_users: int) -> Interactions:
    return replace(rows, users=users, n_users=n_users)


def _too_large(recommender: Recommender, rows: Interactions) -> str:
    """Why a recommender is not trained, "" where it is: a check of a log may not take the whole machine."""
    needed, there = recommender.memory_bytes(rows), available_memory()
    most = _MOST_BYTES if there.bytes is None else min(_MOST_BYTES, there.bytes // 2)
    if needed <= most:
        return ""
    return f"it takes {spelt(needed)} for {rows.n_items:,} items, and no more than {spelt(most)} are used for this"


def _row(
    name: str, metric: str, real: Scores | str, synthetic: Scores | str, added: Scores | str, merged: Scores | str
) -> Trained:
    def mean(scores: Scores | str) -> Figure:
        return absent(scores) if isinstance(scores, str) else of_estimate(mean_interval(scores[metric]))

    def gain(scores: Scores | str) -> Figure:
        if isinstance(scores, str) or isinstance(real, str):
            return absent(scores if isinstance(scores, str) else str(real))
        return of_estimate(paired_difference(scores[metric], real[metric]))

    if isinstance(synthetic, str) or isinstance(real, str):
        ratio = absent(synthetic if isinstance(synthetic, str) else str(real))
    else:
        lift = relative_lift(synthetic[metric], real[metric])
        ratio = of_estimate(lift, "trained on real rows it finds nothing, so there is no ratio", plus=1.0)
    return Trained(
        name, metric, mean(real), mean(synthetic), ratio, mean(added), gain(added), mean(merged), gain(merged)
    )
