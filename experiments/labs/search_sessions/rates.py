"""How often each rank is clicked: simulated clicks beside real ones, and real people beside other real people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.labs.fidelity.people import floor
from groundlings.experiments.labs.search_sessions.log import SearchLog


@dataclass(frozen=True, slots=True)
class RankRates:
    """Click rates by rank of one model, drawn once on every real page.

    Attributes:
        name: Of the model.
        rates: Per rank; None for a rank that no page has.
        clicks_per_page: Their mean.
        distance: Mean over ranks of |simulated - real|, all people.
        halves: The same between the simulated clicks of one half of the people and the real ones of the other, mean
            over random halves: what may be held against the floor.
        within: Whether `halves` is at most the floor's 95 % quantile.
    """

    name: str
    rates: tuple[float | None, ...]
    clicks_per_page: float
    distance: float
    halves: float
    within: bool


@dataclass(frozen=True, slots=True)
class RankFloor:
    """Real click rates by rank, and how far real people are from other real people.

    Attributes:
        rates, clicks_per_page: As in `RankRates`, of all people.
        distance, distance_95: Mean and 95 % quantile over random halves of the people.
        people: In a half.
    """

    rates: tuple[float | None, ...]
    clicks_per_page: float
    distance: float
    distance_95: float
    people: int


def rank_rates(log: SearchLog, simulated: dict[str, BoolArray], seed: int) -> tuple[RankFloor, list[RankRates]]:
    """The floor, and each model's clicks (shape (n_pages, depth)) beside the real ones."""
    shown, real = _counts(log, log.shown), _counts(log, log.clicks)
    n = log.n_people
    mean, high, size = floor(_distance(real, real, shown), n, n // 2, np.random.default_rng(seed))
    found = []
    for name, clicks in simulated.items():
        drawn = _counts(log, clicks)
        halves, _, _ = floor(_distance(drawn, real, shown), n, n // 2, np.random.default_rng(seed))
        everybody = np.arange(n)
        whole = _distance(drawn, real, shown)(everybody, everybody)
        found.append(
            RankRates(name, _rates(drawn, shown), float(clicks.sum() / len(log)), whole, halves, halves <= high)
        )
    return RankFloor(_rates(real, shown), float(log.clicks.sum() / len(log)), mean, high, size), found


def _counts(log: SearchLog, happened: BoolArray) -> FloatArray:
    """How often it happened to each person at each rank, shape (n_people, depth)."""
    found = np.zeros((log.n_people, happened.shape[1]))
    np.add.at(found, log.people, happened)
    return found


def _rates(clicks: FloatArray, shown: FloatArray) -> tuple[float | None, ...]:
    return tuple(float(c / s) if s else None for c, s in zip(clicks.sum(axis=0), shown.sum(axis=0), strict=True))


def _distance(first: FloatArray, second: FloatArray, shown: FloatArray) -> Callable[[IntArray, IntArray], float]:
    """Mean over ranks of the difference of two click rates, each of its own people."""

    def between(some: IntArray, others: IntArray) -> float:
        rates = [
            np.divide(clicks[who].sum(axis=0), shown[who].sum(axis=0), out=np.full(shown.shape[1], np.nan),
                      where=shown[who].sum(axis=0) > 0)
            for clicks, who in ((first, some), (second, others))
        ]  # fmt: skip
        return float(np.nanmean(np.abs(rates[0] - rates[1])))

    return between
