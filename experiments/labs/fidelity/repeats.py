"""Part 4, repeats: do agents take up again what they know as often, and after as long, as real users do?

Only where the site shows known items again (`site.repeats`). Each agent has a session on every day of the held-out part
on which its user really took anything up, and on it meets the whole catalogue once, all of it examined: the shelf of a
shop without a recommender. What it takes is known to it from then on. The level of new items is that of the training
part. A day on which the split cuts a user's rows in two is left out, because half of it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.special import logit

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.repeats import OwnClock
from groundlings.environments.split import test_people
from groundlings.experiments.labs.fidelity.distances import kolmogorov_smirnov_of_histograms
from groundlings.experiments.labs.fidelity.distributions import FLOOR, PART, RATIO_TOLERANCE, floor_record
from groundlings.experiments.labs.fidelity.people import (
    bootstrap,
    counts_by_person,
    floor,
    in_digits,
    jackknife,
    ratio_of,
)
from groundlings.experiments.labs.fidelity.records import Baseline, Kind, Record, is_within, target_of
from groundlings.experiments.labs.fidelity.sessions import decide
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.personas.mind import Shown
from groundlings.personas.minds.behavioural import BehaviouralMind
from groundlings.personas.repeats.model import RepeatModel, fit_repeats
from groundlings.personas.repeats.ownership import Ownership
from groundlings.personas.taste.model import Taste, estimate
from groundlings.simulator.cohorts import clicks_at

TASK = "repeats"
SHARE_TOLERANCE = (0.9, 1.1)
"""Of the share of repeats, simulated over real."""

_ALIKE = "all known items alike"


@dataclass(frozen=True)
class Taken:
    """What some users or agents took up, each item of each day once.

    Attributes:
        users: Shape (n,).
        again: Whether the user knew the item, shape (n,).
        gap: Days since the item was taken up last, 0 where it was new, shape (n,).
    """

    users: IntArray
    again: BoolArray
    gap: IntArray

    def per_person(self, people: IntArray) -> _Tables:
        """Repeats and all, shape (n_people, 2), and how often each gap occurred, shape (n_people, longest + 1)."""
        ours = np.isin(self.users, people)
        users, again, gap = self.users[ours], self.again[ours], self.gap[ours]
        place = np.searchsorted(people, users)
        totals = np.column_stack([np.bincount(each, minlength=len(people)) for each in (place[again], place)])
        gaps = counts_by_person(users[again], gap[again], people, _LONGEST + 1)
        return sp.csr_array(totals.astype(np.float64)), gaps


_LONGEST = 3650
"""Days; a longer gap counts as this one."""
_Tables = tuple[sp.csr_array, sp.csr_array]


def examine_repeats(stage: Stage) -> list[Record]:
    """Records of part 4 on repeats; none where no item is shown again."""
    if not stage.config.site.repeat_rule.allowed:
        return []
    if not stage.dataset.times_known:
        raise ConfigError(f"site.repeats: the data set {stage.dataset.name!r} has no times; take the key out")
    clock = OwnClock.of(stage.split)
    fitting = ~test_people(stage.dataset.people.user_ids, stage.config.split.salt)
    model = fit_repeats(stage.train, clock, fitting, seed=stage.seed)
    taste = estimate(stage.measured, per_occasion=True)
    everybody = _real(stage, clock)
    people = np.intersect1d(stage.testers, everybody.users)
    if not len(people):
        return []
    rows: dict[str, tuple[Kind, Taken]] = {
        MIND: ("mind", simulate_shelf(stage, clock, taste, model)),
        _ALIKE: ("trivial", simulate_shelf(stage, clock, taste, _levelled(model, stage.testers))),
    }
    everyone = np.unique(everybody.users)
    tables = {name: (kind, *taken.per_person(people)) for name, (kind, taken) in rows.items()}
    return [
        *_ratios(stage, everybody.per_person(people), tables),
        *_distances(stage, everybody.per_person(people), everybody.per_person(everyone), tables),
    ]


def simulate_shelf(stage: Stage, clock: OwnClock, taste: Taste, model: RepeatModel) -> Taken:
    """What the testers' agents take up on their users' own held-out days."""
    options = stage.config.mind.options.model_copy(
        update={"utility": "met", "examination_exponent": 0.0, "random_click_rate": None, "exposures": None}
    )
    mind = BehaviouralMind(stage.population, taste, options, repeats=model)
    users, _, days = _held_out(stage, clock)
    ours = np.isin(users, stage.testers)
    visits = np.unique(np.column_stack([days[ours], users[ours]]), axis=0)
    owned, n_items = model.owned, stage.train.n_items
    nobody = Shown(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    found = [Taken(nobody.users, np.zeros(0, dtype=np.bool_), nobody.items)]
    for day in np.unique(visits[:, 0]).tolist():
        here = visits[visits[:, 0] == day, 1]
        for first in range(0, len(here), _AT_ONCE):
            some = here[first : first + _AT_ONCE]
            shelf = np.broadcast_to(np.arange(n_items, dtype=np.int32), (len(some), n_items))
            who, items = np.nonzero(decide(stage, mind, some, shelf, day=day)["click"])
            taken = some[who]
            known = owned.of_pairs(taken, items)
            found.append(Taken(taken, known.known, np.minimum(np.where(known.known, day - known.latest, 0), _LONGEST)))
            mind.notice(day, _as_interactions(stage, taken, items), nobody)
            owned = owned.after(taken, items, day)
    return Taken(*(np.concatenate([getattr(each, name) for each in found]) for name in ("users", "again", "gap")))


_AT_ONCE = 64


def _as_interactions(stage: Stage, users: IntArray, items: IntArray) -> Interactions:
    return clicks_at(0, users, items.astype(np.int32), np.full(len(users), np.nan), stage.train)


def _levelled(model: RepeatModel, users: IntArray) -> RepeatModel:
    """The model without what it knows of a pair: every known item has the mean chance of these users' known items."""
    owned = model.owned
    whose, items = np.divmod(owned.keys, owned.n_items)
    here = np.isin(whose, users)
    state = whose[here], items[here], owned.count[here], owned.first[here], owned.latest[here]
    mean = float((1 / (1 + np.exp(-model.log_odds(*state, 0)))).mean())
    return replace(model, weights=np.zeros_like(model.weights), intercept=float(logit(mean)))


def _held_out(stage: Stage, clock: OwnClock) -> tuple[IntArray, IntArray, IntArray]:
    """Users, items and days of the held-out rows after the cut, each item of each day once."""
    test = stage.split.test
    days = clock.days(test)
    late = days >= 0
    rows = np.column_stack([test.users, test.items, days])[late]
    users, items, days = np.unique(rows, axis=0).T
    return users, items, days


def _real(stage: Stage, clock: OwnClock) -> Taken:
    """What everybody really took up in the held-out part."""
    users, items, days = _held_out(stage, clock)
    train = stage.train
    owned = Ownership.of(train.users, train.items.astype(np.int64), clock.days(train), train.n_items)
    before = owned.of_pairs(users, items)
    # Rows are by user, item and day: the one before is the latest of the pair in the held-out part, if it is of it.
    same = np.zeros(len(users), dtype=np.bool_)
    same[1:] = (np.diff(users) == 0) & (np.diff(items) == 0)
    latest = np.where(same, np.roll(days, 1), before.latest)
    again = same | before.known
    return Taken(users, again, np.minimum(np.where(again, days - latest, 0), _LONGEST))


def _share(totals: sp.csr_array) -> float:
    found = totals.sum(axis=0)
    return float(found[0] / found[1]) if found[1] else float("nan")


def _median(gaps: sp.csr_array) -> float:
    """Median of the gaps that a table counts, in days."""
    total = np.cumsum(gaps.sum(axis=0))
    return float(np.searchsorted(total, total[-1] / 2)) if total[-1] else float("nan")


_Figure = Callable[[sp.csr_array], float]
_Distance = Callable[[sp.csr_array, sp.csr_array], float]
_FIGURES: Mapping[str, tuple[int, _Figure, tuple[float, float], str]] = {
    "repeat share ratio": (0, _share, SHARE_TOLERANCE, "Share of what is taken up that was known,"),
    "median gap ratio": (1, _median, RATIO_TOLERANCE, "Median days between two times that an item is taken up,"),
}


def _gap_distance(first: sp.csr_array, second: sp.csr_array) -> float:
    if not first.nnz or not second.nnz:
        return float("nan")
    return kolmogorov_smirnov_of_histograms(first.sum(axis=0), second.sum(axis=0))


_DISTANCES: Mapping[str, tuple[int, _Distance, str]] = {
    "repeat share distance": (
        0,
        lambda first, second: abs(_share(first) - _share(second)),
        "Difference of the shares of what is taken up that was known.",
    ),
    "gap ks": (
        1,
        _gap_distance,
        "Kolmogorov-Smirnov distance between the distributions of days between two times that an item is taken up.",
    ),
}


def _ratios(stage: Stage, real: _Tables, tables: Mapping[str, tuple[Kind, sp.csr_array, sp.csr_array]]) -> list[Record]:
    n = real[0].shape[0]
    records = []
    for name, (which, figure, tolerance, what) in _FIGURES.items():
        truth = figure(real[which])
        for scorer, (kind, *own) in tables.items():

            def ratio(
                some: IntArray, own: sp.csr_array = own[which], of: _Figure = figure, place: int = which
            ) -> float:
                return ratio_of(of(own[some]), of(real[place][some]))

            low, high = jackknife(ratio, n, stage.chance(TASK, name, scorer))
            record = Record(
                PART, TASK, scorer, name, kind, ratio_of(figure(own[which]), truth), low, high, n, "people",
                f"{what} simulated over real ({in_digits(truth, '.3g')}), on the users' own held-out days.",
                Baseline("real people", 1.0), holds=is_within(low, high, tolerance) if kind == "mind" else None,
            )  # fmt: skip
            records.append(target_of(record, *tolerance) if kind == "mind" else record)
    return records


def _distances(
    stage: Stage, real: _Tables, everybody: _Tables, tables: Mapping[str, tuple[Kind, sp.csr_array, sp.csr_array]]
) -> list[Record]:
    n = real[0].shape[0]
    records = []
    for name, (which, distance, definition) in _DISTANCES.items():

        def apart(
            first: IntArray,
            second: IntArray,
            of: _Distance = distance,
            place: int = which,
        ) -> float:
            return of(everybody[place][first], everybody[place][second])

        mean, limit, size = floor(apart, everybody[0].shape[0], n, stage.chance(TASK, "floor", name))
        records.append(floor_record(TASK, name, definition, mean, limit, size))
        for scorer, (kind, *own) in tables.items():

            def off(
                some: IntArray,
                own: sp.csr_array = own[which],
                of: _Distance = distance,
                place: int = which,
            ) -> float:
                return of(own[some], real[place][some])

            low, high = bootstrap(off, n, stage.config.bootstrap, stage.chance(TASK, name, scorer), least=0)
            record = Record(
                PART, TASK, scorer, name, kind, off(np.arange(n)), low, high, n, "people",
                f"{definition} Simulated against real, on the users' own held-out days.", Baseline(FLOOR, limit),
                holds=is_within(low, high, (None, limit)) if kind == "mind" else None,
            )  # fmt: skip
            records.append(target_of(record, high=limit) if kind == "mind" else record)
    return records
