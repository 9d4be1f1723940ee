"""Models of spread and of opinions beside what is known of them: `python -m benchmarks.social_laws`.

Bass: the parameters that new adopters were drawn with are recovered from them by maximum likelihood. Linear threshold:
as many are reached as where each agent keeps one of its ties, drawn at random (Kempe, Kleinberg and Tardos 2003,
theorem 4.6). Bounded confidence: as many groups as a few lines of NumPy find, and about 1 / (2.2 confidence) of them
(Blondel, Hendrickx and Tsitsiklis 2009).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.csgraph import connected_components

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.ties import Ties
from groundlings.personas.social.opinion_options import BoundedConfidence
from groundlings.personas.social.opinions import BoundedConfidenceOpinions
from groundlings.personas.social.spread import BassSpread, ThresholdSpread
from groundlings.personas.social.spread_options import Bass, LinearThreshold

P, Q = 0.03, 0.38
"""Means over 213 applications of Bass's model (Sultan, Farley and Lehmann 1990)."""

NOTHING = np.zeros(0, dtype=np.int64)
CONFIDENCES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)


def bass(agents: int = 2000, items: int = 40, days: int = 20) -> FloatArray:
    """Estimates of p and q with their 95 % intervals, shape (items, 2, 3): estimate, low, high."""
    stated = Bass(model="bass", launched=("one",), innovation=P, imitation=Q, weight=1)
    nobody = Ties.of(NOTHING, NOTHING, agents)
    spread = BassSpread(stated, nobody, np.arange(agents), np.arange(items), items, seed=0)
    new = np.array([np.bincount(spread.notice(day, NOTHING).reached % items, minlength=items) for day in range(days)])
    before = np.cumsum(new, axis=0) - new
    return np.array([_bass_fit(new[:, item], before[:, item], agents) for item in range(items)])


def _bass_fit(new: IntArray, before: IntArray, agents: int) -> FloatArray:
    """Maximum likelihood of new ~ Binomial(agents - before, p + q * before / agents), shape (2, 3)."""
    share, left = before / agents, agents - before

    def chance(x: FloatArray) -> FloatArray:
        return np.clip(x[0] + x[1] * share, 1e-9, 1 - 1e-9)

    def loss(x: FloatArray) -> float:
        return -float(new @ np.log(chance(x)) + (left - new) @ np.log1p(-chance(x)))

    found = minimize(loss, [0.05, 0.3], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8}).x
    weight = left / (chance(found) * (1 - chance(found)))
    both = np.stack([np.ones(len(share)), share])
    error = np.sqrt(np.diag(np.linalg.inv((both * weight) @ both.T)))
    return np.column_stack([found, found - 1.96 * error, found + 1.96 * error])


def threshold(agents: int = 200, items: int = 2000) -> tuple[FloatArray, FloatArray]:
    """How many are reached from one agent, shape (items,) each: by the model, and where each keeps one of its ties."""
    chance = np.random.default_rng(0)
    ring = np.arange(agents)
    other = np.where(
        chance.random(2 * agents) < 0.1, chance.integers(agents, size=2 * agents), np.r_[ring + 1, ring + 2]
    )
    first, second = np.r_[ring, ring], other % agents
    ties = Ties.of(first[first != second], second[first != second], agents)
    spread = ThresholdSpread(LinearThreshold(model="linear_threshold", weight=1), ties, items, 0)
    spread.notice(0, np.arange(items))  # agent 0 likes every item
    for day in range(1, agents):
        if not len(spread.notice(day, NOTHING).reached):
            break
    reached = np.bincount(spread.active % items, minlength=items).astype(np.float64)
    return reached, np.array([_kept_ties(ties, chance) for _ in range(items)])


def _kept_ties(ties: Ties, chance: np.random.Generator) -> float:
    """How many lead to agent 0 by the tie that each of them keeps."""
    starts, degrees = ties.graph.indptr[:-1], np.diff(ties.graph.indptr)
    agents = len(degrees)
    kept = ties.graph.indices[starts + (chance.random(agents) * degrees).astype(np.int64)]
    kept[0] = 0  # whom it would follow does not matter
    for _ in range(int(np.ceil(np.log2(agents)))):
        kept = kept[kept]
    return float((kept == 0).sum())


def groups(confidence: float, seed: int, agents: int = 150, days: int = 60) -> tuple[int, int]:
    """Groups of opinions in the end, drawn uniformly between 0 and 1: of the model, and of a few lines of NumPy."""
    left = np.random.default_rng(seed).random(agents)
    everybody = Ties.of(*np.triu_indices(agents, 1), agents)
    options = BoundedConfidence(model="bounded_confidence", confidence=confidence, weight=1)
    found = BoundedConfidenceOpinions(options, np.column_stack([left, 1 - left]), np.eye(2), everybody)
    silence = Interactions.of(NOTHING, NOTHING, None, NOTHING, n_users=agents, n_items=2)
    for _ in range(days):
        found.notice(silence)
        near = np.abs(left[:, None] - left) <= confidence
        left = near @ left / near.sum(axis=1)
    return _clusters(found.now[:, 0]), _clusters(left)


def _clusters(values: FloatArray) -> int:
    near = (np.abs(values[:, None] - values) < 1e-3).astype(np.int64)
    return int(connected_components(near)[0])


def main() -> None:
    """Print the figures."""
    fits = bass()
    for place, (name, true) in enumerate((("p", P), ("q", Q))):
        estimate, low, high = fits[:, place].T
        held = int(((low <= true) & (true <= high)).sum())
        print(
            f"bass       {name} = {true}: mean estimate {estimate.mean():.4f}, interval holds it {held} of {len(fits)}"
        )
    reached, kept = threshold()
    for name, sizes in (("model", reached), ("kept ties", kept)):
        reach = 1.96 * sizes.std(ddof=1) / np.sqrt(len(sizes))
        print(f"threshold  {name}: {sizes.mean():.2f} reached [{sizes.mean() - reach:.2f}, {sizes.mean() + reach:.2f}]")
    for confidence in CONFIDENCES:
        found = np.array([groups(confidence, seed) for seed in range(10)])
        print(
            f"confidence {confidence}: {found[:, 0].mean():.1f} groups ({found[:, 0].min()} to {found[:, 0].max()}), "
            f"by NumPy {found[:, 1].mean():.1f}, 1 / (2.2 confidence) = {1 / (2.2 * confidence):.1f}"
        )


if __name__ == "__main__":
    main()
