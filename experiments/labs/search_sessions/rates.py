"""How often each rank is clicked: simulated clicks beside real ones, and real people beside other real people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray
from groundlings.experiments.labs.fidelity.people import floor
from groundlings.experiments.labs.search_sessions.halves import Counted, between, known
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
    n, everybody = log.n_people, np.arange(log.n_people)

    def counted(clicks: BoolArray) -> Counted:
        return Counted.of(log.people, clicks, log.shown, n)

    real = counted(log.clicks)
    mean, high, size = floor(between(real, real), n, n // 2, np.random.default_rng(seed))
    found = []
    for name, clicks in simulated.items():
        drawn = counted(clicks)
        distance = between(drawn, real)
        halves, _, _ = floor(distance, n, n // 2, np.random.default_rng(seed))
        whole = distance(everybody, everybody)
        per_page = float(clicks.sum() / len(log))
        found.append(RankRates(name, known(drawn.values()), per_page, whole, halves, halves <= high))
    return RankFloor(known(real.values()), float(log.clicks.sum() / len(log)), mean, high, size), found
