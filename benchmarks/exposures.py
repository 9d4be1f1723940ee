"""Do the intervals of a calibration from exposures hold the truth as often as they promise?

    python -m benchmarks.exposures [--draws 500] [--people 200]

Logs with known exponent, level and hazard are drawn: people differ in how readily they open, items in how attractive
they are. Four kinds of log: items drawn at random for each place; a recommender whose propensities are known; a
recommender that ranks by popularity with noise and gives none, so that the exponent rests on items that were shown at
several places; and a recommender that also knows people, where the reason is handed over as a feature. Each draw has
other people; the truth is that of all people. Exit status 1 where coverage is outside 92 to 98 %.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.exposures import Exposures
from groundlings.personas.exposure.calibration import ExposureCalibration
from groundlings.personas.exposure.fit import Audience, fit_exposures
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.exposure.utility import Features, UtilityPreset

WANTED = (0.92, 0.98)
LOGS = ("random", "propensities", "harvested", "harvested, people known")

EXPONENT, HAZARD, LAST_PAGE = 0.6, 0.45, 8
_ITEMS, _SLOTS = 60, 10
_SPREAD_OF_PEOPLE = 0.7
_INTERCEPT = -2.5
_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class World:
    """What all draws share.

    Attributes:
        attraction: Log-odds of each item, shape (n_items,).
        level: P(open | looked at) of a random item and a random person.
    """

    attraction: FloatArray
    level: float

    @classmethod
    def make(cls) -> World:
        """The world of this benchmark."""
        attraction = np.random.default_rng(7).normal(0, 0.8, _ITEMS)
        nodes, weights = np.polynomial.hermite_e.hermegauss(41)
        odds = _INTERCEPT + attraction[:, None] + _SPREAD_OF_PEOPLE * nodes
        return cls(attraction, float(expit(odds).mean(axis=0) @ weights / weights.sum()))


def draw(world: World, log: str, people: int, rng: np.random.Generator) -> tuple[Exposures, FloatArray]:
    """A log of some people's sessions, and what the recommender knew of each row beside the item, shape (n,)."""
    pages = np.minimum(rng.geometric(HAZARD, people), LAST_PAGE)
    whose = np.repeat(np.arange(people), pages)
    page = np.arange(len(whose)) - np.repeat(np.cumsum(pages) - pages, pages) + 1
    warmth = rng.normal(0, _SPREAD_OF_PEOPLE, people)
    matches = rng.normal(0, 0.7, (people, _ITEMS)) if log.endswith("known") else np.zeros((people, _ITEMS))
    items, propensities = _rankings(world, log, matches[whose], rng)
    rows, places = np.repeat(np.arange(len(whose)), _SLOTS), np.tile(np.arange(1, _SLOTS + 1), len(whose))
    users, shown = whose[rows], items.ravel()
    match = matches[users, shown]
    chance = places**-EXPONENT * expit(_INTERCEPT + world.attraction[shown] + warmth[users] + match)
    table = Exposures.of(
        users,
        shown,
        n_users=people,
        n_items=_ITEMS,
        policy="random" if log == "random" else "logged",
        lists=rows,
        pages=page[rows],
        sessions=users,
        positions=places,
        opened=rng.random(len(users)) < chance,
        propensities=propensities,
        censored=page[rows] >= LAST_PAGE,
    )
    return table, match


def _rankings(
    world: World, log: str, matches: FloatArray, rng: np.random.Generator
) -> tuple[IntArray, FloatArray | None]:
    """Items of each list, shape (n_lists, n_slots), and their propensities, shape (n_lists * n_slots,)."""
    n = len(matches)
    if log == "random":
        return rng.integers(0, _ITEMS, (n, _SLOTS)), None
    if log == "propensities":  # each place draws on its own, the better items at the top more often
        chance = np.exp(world.attraction * np.linspace(1.0, 0.2, _SLOTS)[:, None])
        chance /= chance.sum(axis=1, keepdims=True)
        items = np.column_stack([rng.choice(_ITEMS, n, p=each) for each in chance])
        return items, chance[np.arange(_SLOTS), items].ravel()
    scores = world.attraction + matches + rng.normal(0, 0.8, (n, _ITEMS))
    return np.argsort(-scores, axis=1)[:, :_SLOTS], None


def fit(log: str, exposures: Exposures, match: FloatArray) -> ExposureCalibration:
    """The calibration of a log."""
    known = log.endswith("known")
    audience = Audience(
        dataset="made up",
        dataset_hash="",
        like_from=4.0,
        features=Features(("match",), match[:, None]) if known else None,
        known_pairs=np.zeros(len(exposures), dtype=np.bool_),
        held_out=np.zeros(len(exposures), dtype=np.bool_),
        opening=UtilityPreset(_INTERCEPT, {"match": 1.0}),
        liking=UtilityPreset(0.0),
    )
    return fit_exposures(exposures, audience)


def told(log: str, world: World, found: ExposureCalibration) -> Iterator[tuple[str, Parameter, float]]:
    """Each fitted figure with the truth."""
    yield "position exponent", found.position.exponent, EXPONENT
    if log in ("random", "propensities"):
        yield "level", found.level, world.level
    if log == "random":
        yield "exit hazard", found.exit.hazard, HAZARD


def coverage(log: str, draws: int, people: int, seed: int) -> Mapping[str, FloatArray]:
    """Figure -> value, low, high and truth of each draw, shape (draws, 4).

    Args:
        log: One of `LOGS`.
        draws: How many logs.
        people: In each log.
        seed: Of the draws.
    """
    world, rng = World.make(), np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for _ in range(draws):
        for name, parameter, truth in told(log, world, fit(log, *draw(world, log, people, rng))):
            if not parameter.fitted or parameter.low is None or parameter.high is None:
                raise RuntimeError(f"{log}: {name} was not fitted: {parameter.note}")
            found.setdefault(name, []).append((parameter.value, parameter.low, parameter.high, truth))
    return {name: np.array(rows) for name, rows in found.items()}


def main() -> None:
    """Draw, fit, print, and say whether all intervals hold what they promise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    console = Console(width=110)
    printed = Table(title=f"{arguments.draws} logs of {arguments.people} people each")
    for name in ("log", "figure", "truth", "mean estimate", "mean width", "covered", "wanted", ""):
        printed.add_column(name, justify="left" if name in ("log", "figure") else "right")
    broken = False
    for log in LOGS:
        for name, rows in coverage(log, arguments.draws, arguments.people, arguments.seed).items():
            value, low, high, truth = rows.T
            share = float(((low <= truth) & (truth <= high)).mean())
            kept = WANTED[0] <= share <= WANTED[1]
            broken |= not kept
            printed.add_row(
                log, name, f"{truth[0]:.4f}", f"{value.mean():.4f}", f"{(high - low).mean():.4f}", f"{share:.3f}",
                f"{WANTED[0]:g} to {WANTED[1]:g}", "ok" if kept else "[red]BROKEN[/]",
            )  # fmt: skip
    console.print(printed)
    sys.exit(broken)


if __name__ == "__main__":
    main()
