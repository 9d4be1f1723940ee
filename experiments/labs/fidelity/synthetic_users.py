"""Part 8: are synthetic users like real ones, and copies of none?

The model of `population.synthetic` is fitted on users outside the test third, and as many users are made as the test
third has. What is compared are training parts of histories. The floor is the distance between two samples of real
users; the trivial row keeps every marginal and nothing of what goes together.

Whether histories are copied is asked of the closest record: the real history with the largest Jaccard index. A user who
is no copy is no closer to the users that the model was fitted on than to the test third, which the model has never seen
(Platzer and Reutterer 2021, "Holdout-based empirical assessment of mixed-type synthetic data", Frontiers in Big Data
4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import test_people
from groundlings.experiments.analysis.compare import mean_interval, within_one
from groundlings.experiments.labs.fidelity.distributions import FLOOR, floor_record
from groundlings.experiments.labs.fidelity.history_tables import DISTANCES, SPREADS, Histories
from groundlings.experiments.labs.fidelity.people import bootstrap, floor
from groundlings.experiments.labs.fidelity.records import Baseline, Kind, Record
from groundlings.experiments.labs.fidelity.stage import Stage
from groundlings.personas.synthesis.synthesize import UserModel, fit_users

PART = "synthetic users"
MARGINALS, SPREAD, COPIES = "marginals and correlations", "spread between users", "copies"
INDEPENDENT = "independent marginals"
_AT_ONCE = 500
_NEARLY_ALL = 0.9
_FEWEST_ITEMS = 5
_MOST_COMPARED = 3_000

Rows = Mapping[str, tuple[Kind, Histories]]


def examine_synthetic_users(stage: Stage) -> list[Record]:
    """Records of part 8; none where the file names no method."""
    methods = stage.config.synthetic_users
    if not methods:
        return []
    train = stage.train
    known = np.flatnonzero(np.bincount(train.users, minlength=train.n_users)).astype(np.int64)
    test = test_people(stage.dataset.people.user_ids, stage.config.split.salt)[known]
    fitted, unseen = known[~test], known[test]
    popularity = np.log1p(train.item_counts).astype(np.float64)

    def table(rows: Interactions, users: IntArray) -> Histories:
        return Histories.of(rows, users, stage.dataset, popularity)

    model = fit_users(stage.dataset, stage.split, stage.seed, fitted)
    everybody = np.arange(len(unseen))
    rows: dict[str, tuple[Kind, Histories]] = {}
    for method in methods:
        parts: list[Interactions] = []
        for _, made, is_known in model.parts(len(unseen), method):
            first = sum(part.n_users for part in parts)
            part = made.take(is_known)
            parts.append(replace(part, users=part.users + first, n_users=first + part.n_users))
        n = parts[-1].n_users
        joined = [replace(part, n_users=n) for part in parts]
        rows[method] = ("reference", table(joined[0].joined(*joined[1:]), everybody))
    drawn = independent_histories(model, len(unseen), stage.chance(PART, INDEPENDENT))
    rows[INDEPENDENT] = ("trivial", table(drawn, everybody))
    real, whole, learnt = table(train, unseen), table(train, known), table(train, fitted)
    return [
        *_distances(stage, rows, real, whole),
        *_spreads(stage, rows, real, whole),
        *_copies(stage, rows, real, learnt),
    ]


def independent_histories(model: UserModel, size: int, chance: np.random.Generator) -> Interactions:
    """Users of whom only marginals are kept: items per user, popularity, ratings and times, each drawn by itself.

    Args:
        model: Of the real users.
        size: How many users.
        chance: Random numbers.
    """
    rows = model.source.rows.take(model.source.known)
    lengths = chance.choice(np.bincount(rows.users)[model.source.users], size)
    users, items = [], []
    for user, length in enumerate(lengths.tolist()):
        met = np.array(list(dict.fromkeys(chance.choice(rows.items, 4 * length + 10).tolist()))[:length])
        users.append(np.full(len(met), user))
        items.append(met)
    n = sum(map(len, items))
    return Interactions.of(
        np.concatenate(users),
        np.concatenate(items),
        chance.choice(rows.ratings, n),
        chance.choice(rows.timestamps, n),
        n_users=size,
        n_items=rows.n_items,
        synthetic=True,
        ticks_per_second=rows.ticks_per_second,
    )


def _distances(stage: Stage, rows: Rows, real: Histories, whole: Histories) -> list[Record]:
    """Distances to users that the model has never seen, beside those between real users."""
    records = []
    for name, (definition, distance) in DISTANCES.items():

        def apart(first: IntArray, second: IntArray, distance=distance) -> float:  # type: ignore[no-untyped-def]
            return float(distance(whole.take(first), whole.take(second)))

        if np.isnan(distance(real, whole)):
            continue
        mean, limit, size = floor(apart, len(whole), len(real), stage.chance(PART, "floor", name))
        records.append(replace(floor_record(MARGINALS, name, definition, mean, limit, size), part=PART))
        for scorer, (kind, made) in rows.items():

            def off(some: IntArray, made=made, distance=distance) -> float:  # type: ignore[no-untyped-def]
                return float(distance(made.take(some), real))

            low, high = bootstrap(off, len(made), _times(stage), stage.chance(PART, name, scorer), least=0)
            records.append(
                Record(
                    PART, MARGINALS, scorer, name, kind, distance(made, real), low, high, len(made), "people",
                    f"{definition} Synthetic users against real ones of the test third.", Baseline(FLOOR, limit),
                )
            )  # fmt: skip
    return records


def _spreads(stage: Stage, rows: Rows, real: Histories, whole: Histories) -> list[Record]:
    """How much users differ, over how much real users of the test third do."""
    records = []
    others: Rows = {"real people": ("real", whole)}
    for name, (what, figure) in SPREADS.items():
        own = figure(real)
        if not own or np.isnan(own):
            continue
        for scorer, (kind, made) in {**others, **rows}.items():

            def ratio(some: IntArray, made=made, figure=figure, own=own) -> float:  # type: ignore[no-untyped-def]
                return float(figure(made.take(some)) / own)

            # A user drawn twice is like themselves, so likeness has no bootstrap.
            low, high = (None, None)
            if name != "likeness ratio":
                low, high = bootstrap(ratio, len(made), _times(stage), stage.chance(PART, name, scorer), least=0)
            records.append(
                Record(
                    PART, SPREAD, scorer, name, kind, figure(made) / own, low, high, len(made), "people",
                    f"{what} divided by that of real users of the test third; 1 is alike.",
                    Baseline("real people", 1.0),
                )
            )  # fmt: skip
    return records


def _copies(stage: Stage, rows: Rows, real: Histories, learnt: Histories) -> list[Record]:
    """How close histories are to the closest real one, of users that were fitted on and of others."""
    chance = stage.chance(PART, COPIES)
    size = min(len(real), len(learnt), _MOST_COMPARED)
    unseen, fitted = (each.take(np.sort(chance.permutation(len(each))[:size])) for each in (real, learnt))
    of_real = closest(unseen.met, fitted.met)
    real_copies = _contained(unseen.met, learnt.met)
    everyone: dict[str, tuple[Kind, Histories]] = {"real people": ("real", unseen)}
    everyone |= {name: (kind, made.take(np.arange(min(size, len(made))))) for name, (kind, made) in rows.items()}
    records = []
    for scorer, (kind, made) in everyone.items():
        overlap = closest(made.met, fitted.met)
        for metric, (definition, figure) in _CLOSENESS.items():
            records.append(_plain(scorer, metric, kind, figure(overlap), len(overlap), definition, figure(of_real)))
        copies = _contained(made.met, learnt.met)
        if len(copies) and len(real_copies):
            share, beside = float(copies.mean()), float(real_copies.mean())
            records.append(_plain(scorer, "copies", kind, share, len(copies), _COPIES, beside))
        if kind != "real":
            other = closest(made.met, unseen.met)
            records.append(_nearer(scorer, kind, (overlap > other) + 0.5 * (overlap == other)))
    return records


def _nearer(scorer: str, kind: Kind, nearer: FloatArray) -> Record:
    found = within_one(mean_interval(nearer))
    definition = (
        "Share of users whose closest record is among the fitted users rather than among as many of the test third, "
        "ties half; .5: the model remembers nobody."
    )
    return Record(
        PART, COPIES, scorer, "nearer to a fitted user", kind, found.mean, found.low, found.high, found.n, "people",
        definition, Baseline("nobody is remembered", 0.5),
    )  # fmt: skip


_CLOSEST = (
    "1 less the Jaccard index of a history and the one it shares most with, among as many fitted users as there are "
    "test users; of real people, those of the test third."
)
_CLOSENESS: Mapping[str, tuple[str, Callable[[FloatArray], float]]] = {
    "distance to closest fitted record, median": (_CLOSEST, lambda overlap: 1 - float(np.median(overlap))),
    "distance to closest fitted record, lowest 5 %": (_CLOSEST, lambda overlap: 1 - float(np.quantile(overlap, 0.95))),
    "largest overlap with a fitted record": (
        "Largest Jaccard index of any history with one of the fitted users.",
        lambda overlap: float(overlap.max()),
    ),
}
_COPIES = (
    f"Share of histories of {_FEWEST_ITEMS} items and more of which {_NEARLY_ALL:.0%} are in the history of one fitted "
    "user that is at most a quarter longer."
)


def closest(made: sp.csr_array, real: sp.csr_array) -> FloatArray:
    """The largest Jaccard index of each history with any of the real ones, shape (n,)."""
    found = [np.zeros(0)]
    lengths = np.diff(real.indptr).astype(np.float64)
    turned = sp.csc_array(real.T)
    for first in range(0, made.shape[0], _AT_ONCE):
        part = sp.csr_array(made[first : first + _AT_ONCE])
        shared = (part @ turned).toarray()
        either = np.diff(part.indptr)[:, None] + lengths[None] - shared
        found.append((shared / np.maximum(either, 1)).max(axis=1))
    return np.concatenate(found)


def _contained(made: sp.csr_array, real: sp.csr_array) -> FloatArray:
    """Whether each history of some length is nearly all in a real one that is hardly longer, shape (n,)."""
    lengths, own = np.diff(real.indptr).astype(np.float64), np.diff(made.indptr)
    made = sp.csr_array(made[np.flatnonzero(own >= _FEWEST_ITEMS)])
    found = [np.zeros(0)]
    turned = sp.csc_array(real.T)
    for first in range(0, made.shape[0], _AT_ONCE):
        part = sp.csr_array(made[first : first + _AT_ONCE])
        size = np.diff(part.indptr)[:, None]
        shared = (part @ turned).toarray()
        found.append(((shared >= _NEARLY_ALL * size) & (lengths[None] <= 1.25 * size)).any(axis=1).astype(np.float64))
    return np.concatenate(found)


def _plain(scorer: str, metric: str, kind: Kind, value: float, n: int, definition: str, real: float) -> Record:
    beside = None if kind == "real" else Baseline("real people", real)
    return Record(PART, COPIES, scorer, metric, kind, value, None, None, n, "people", definition, beside)


def _times(stage: Stage) -> int:
    """Resamples; a figure of whole catalogs is not worth more."""
    return min(stage.config.bootstrap, 200)
