"""Part 4, ratings: do sampled stars have the real distribution, and do agents differ as much as real users?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.labs.fidelity.distances import (
    intraclass_correlation,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_of_histograms,
    mean_and_spread,
    spreads,
    wasserstein,
)
from groundlings.experiments.labs.fidelity.people import (
    HALVES,
    bootstrap,
    counts_by_person,
    floor,
    in_digits,
    jackknife,
    ratio_of,
)
from groundlings.experiments.labs.fidelity.ratings import RatedPairs, held_out_ratings, nearest_star
from groundlings.experiments.labs.fidelity.records import Baseline, Kind, Record, is_within, target_of
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.personas.profile import star_columns

PART = "distributions"
RATIO_TOLERANCE = (0.85, 1.15)
KS_TARGET = 0.05
FLOOR = "real people, 95 % quantile"

Distance = Callable[[FloatArray, FloatArray], float]
"""Between two tables of how often each user gave each star value, shape (n_people, n_values)."""

_DEFINITIONS = {
    "jsd": "Jensen-Shannon divergence, base 2, not its root, between the histograms of stars.",
    "w1": "Earth mover's distance between the histograms of stars, in stars.",
    "ks": "Kolmogorov-Smirnov distance between the distributions of stars.",
    "person mean ks": "Kolmogorov-Smirnov distance between the distributions of users' mean stars.",
    "person sd ks": "Kolmogorov-Smirnov distance between the distributions of users' standard deviations of stars.",
}


@dataclass(frozen=True)
class StarTables:
    """How often each user gave each star value, shape (n_people, n_values) each.

    Attributes:
        values: The star values.
        real: The testers' real stars.
        rows: Scorer -> (kind, its stars for the same pairs).
        everybody: The real stars of all users with held-out ratings, for the floor.
    """

    values: FloatArray
    real: FloatArray
    rows: Mapping[str, tuple[Kind, FloatArray]]
    everybody: FloatArray


def tabulate_stars(stage: Stage) -> StarTables | None:
    """Stars of held-out pairs by user; None where the data set has no ratings."""
    ratings = held_out_ratings(stage, stage.testers)
    if ratings.shares is None or not len(ratings.real):
        return None
    everybody = held_out_ratings(stage, np.arange(stage.train.n_users))
    rows: dict[str, tuple[Kind, FloatArray]] = {
        MIND: ("mind", ratings.sample(0)),
        "user+item bias, rounded": ("trivial", ratings.predictors["user+item bias, rounded"]),
        "item mean, rounded": ("trivial", nearest_star(ratings.predictors["item mean"], ratings.scale)),
        "own past stars, redrawn": ("trivial", _redrawn(stage, ratings)),
    }
    return StarTables(
        values=np.array(ratings.scale.values),
        real=_table(ratings, ratings.real),
        rows={name: (kind, _table(ratings, stars)) for name, (kind, stars) in rows.items()},
        everybody=_table(everybody, everybody.real),
    )


def examine_ratings(stage: Stage, tables: StarTables) -> list[Record]:
    """Records of part 4 on ratings."""
    return [*_distances(stage, tables), *_ratios(stage, tables)]


def _table(ratings: RatedPairs, stars: FloatArray) -> FloatArray:
    people, width = np.unique(ratings.users), len(ratings.scale.values)
    return counts_by_person(ratings.users, star_columns(stars, ratings.scale), people, width).toarray()


def _redrawn(stage: Stage, ratings: RatedPairs) -> FloatArray:
    """For each held-out rating a random training rating of the same user, or of any user if there is none."""
    known = stage.train.take(~np.isnan(stage.train.ratings))
    order = np.argsort(known.users, kind="stable")
    starts = np.searchsorted(known.users[order], np.arange(known.n_users + 1))
    uniform = stage.chance("redrawn").random(len(ratings.users))
    first, count = starts[ratings.users], np.diff(starts)[ratings.users]
    own = order[np.minimum(first + (uniform * count).astype(np.int64), len(known) - 1)]
    return known.ratings[np.where(count > 0, own, (uniform * len(known)).astype(np.int64))]


def _measures(values: FloatArray) -> Mapping[str, Distance]:
    step = float(values[1] - values[0])

    def of_histograms(distance: Callable[[FloatArray, FloatArray], float]) -> Distance:
        return lambda first, second: distance(first.sum(axis=0), second.sum(axis=0))

    def of_people(which: int) -> Distance:
        return lambda first, second: kolmogorov_smirnov(
            mean_and_spread(first, values)[which], mean_and_spread(second, values)[which]
        )

    return {
        "jsd": of_histograms(jensen_shannon),
        "w1": of_histograms(lambda first, second: wasserstein(first, second, step)),
        "ks": of_histograms(kolmogorov_smirnov_of_histograms),
        "person mean ks": of_people(0),
        "person sd ks": of_people(1),
    }


def _distances(stage: Stage, tables: StarTables) -> list[Record]:
    n, everybody = len(tables.real), tables.everybody
    records = []
    for name, distance in _measures(tables.values).items():
        definition = _DEFINITIONS[name]

        def apart(first: IntArray, second: IntArray, distance: Distance = distance) -> float:
            return distance(everybody[first], everybody[second])

        mean, limit, size = floor(apart, len(everybody), n, stage.chance("floor", name))
        records.append(floor_record("ratings", name, definition, mean, limit, size))
        for scorer, (kind, stars) in tables.rows.items():

            def off(some: IntArray, stars: FloatArray = stars, distance: Distance = distance) -> float:
                return distance(stars[some], tables.real[some])

            low, high = bootstrap(off, n, stage.config.bootstrap, stage.chance("ratings", name, scorer), least=0)
            wanted = KS_TARGET if name == "ks" else limit
            record = Record(
                PART, "ratings", scorer, name, kind, distance(stars, tables.real), low, high, n, "people",
                f"{definition} Simulated against real stars on the same held-out pairs.", Baseline(FLOOR, limit),
                holds=is_within(low, high, (None, limit)) if kind == "mind" else None,
            )  # fmt: skip
            records.append(target_of(record, high=wanted) if kind == "mind" else record)
    return records


def floor_record(task: str, metric: str, definition: str, mean: float, limit: float, size: int) -> Record:
    """The row of real users for a distance: the mean of their distances, with the floor as its upper end."""
    return Record(
        PART, task, "real people", metric, "real", mean, None, limit, size, "people",
        f"{definition} Between two disjoint samples of n real users: the mean over {HALVES} pairs of samples; the "
        "upper end is their 95 % quantile, which is the floor.",
    )  # fmt: skip


def _ratios(stage: Stage, tables: StarTables) -> list[Record]:
    """Homogeneity: how much agents differ, divided by how much real users differ."""
    n, values = len(tables.real), tables.values
    figures: dict[str, tuple[str, Callable[[FloatArray], float]]] = {
        "icc ratio": ("ICC(1) of stars by user,", lambda table: intraclass_correlation(table, values)),
        **{
            f"sd ratio, {which}": (
                f"Standard deviation of stars, {which},",
                lambda table, which=which: spreads(table, values)[which],  # type: ignore[misc]
            )
            for which in ("overall", "between people", "within people")
        },
    }
    records = []
    for name, (what, figure) in figures.items():
        for scorer, (kind, stars) in tables.rows.items():

            def ratio(some: IntArray, stars: FloatArray = stars, of: Callable[..., float] = figure) -> float:
                return ratio_of(of(stars[some]), of(tables.real[some]))

            low, high = jackknife(ratio, n, stage.chance("ratios", name, scorer))
            record = Record(
                PART, "homogeneity", scorer, name, kind, ratio_of(figure(stars), figure(tables.real)), low, high, n,
                "people",
                f"{what} simulated over real ({in_digits(figure(tables.real), '.3f')}), on the same held-out pairs.",
                Baseline("real people", 1.0),
                holds=is_within(low, high, RATIO_TOLERANCE) if kind == "mind" else None,
            )  # fmt: skip
            records.append(target_of(record, *RATIO_TOLERANCE) if kind == "mind" else record)
    return records
