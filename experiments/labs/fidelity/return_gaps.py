"""Part 4, returns: do simulated people stay away as long, and come as often, as real ones?

Everything before one moment (four fifths of the interactions) is known. Gaps are estimated there on people outside the
test third, as `simulation.returns.kind: history` does; each tester's own gaps before the moment say how often it comes.
Then the days with a session after the moment are simulated up to the end of the data and compared with the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.split import people_in_thirds, split_history
from groundlings.experiments.labs.fidelity.distances import kolmogorov_smirnov, kolmogorov_smirnov_of_histograms
from groundlings.experiments.labs.fidelity.distributions import FLOOR, PART, floor_record
from groundlings.experiments.labs.fidelity.people import bootstrap, floor
from groundlings.experiments.labs.fidelity.records import Baseline, Kind, Record, is_within, target_of
from groundlings.experiments.labs.fidelity.stage import TEST_THIRD, Stage
from groundlings.personas.returning.estimate import ReturnEstimate, estimate_returns
from groundlings.personas.returning.families import Family, cumulative_hazard, log_median_of_chance
from groundlings.personas.returning.history import ReturnHistory, read_sessions

TASK = "returns"
MODEL, ONE_CHANCE = "return model", "one daily chance"
_SESSION_GAP_SECONDS = 3_600.0
_LATER = 0.2

_DEFINITIONS = {
    "gap ks": "Kolmogorov-Smirnov distance between the distributions of days to the next day with a session, of gaps "
    "that end after the moment.",
    "days active ks": "Kolmogorov-Smirnov distance between the distributions of people's days with a session after the "
    "moment, those without any included.",
}


@dataclass(frozen=True)
class Returned:
    """What some people did after the moment, one row per person.

    Attributes:
        gaps: How often each gap ended there, by its length in days, shape (n_people, n_lengths).
        days: Days with a session, shape (n_people,).
    """

    gaps: sp.csr_array
    days: FloatArray

    def take(self, rows: IntArray) -> Returned:
        """Some people."""
        return Returned(sp.csr_array(self.gaps[rows]), self.days[rows])


def examine_returns(stage: Stage) -> list[Record]:
    """Records of part 4 on returns; none where the history has no times, or too few gaps."""
    found = _tabulated(stage)
    if found is None:
        return []
    real, everybody, rows = found
    records = []
    for name, distance in _MEASURES.items():
        definition = _DEFINITIONS[name]

        def apart(first: IntArray, second: IntArray, distance: _Distance = distance) -> float:
            return distance(everybody.take(first), everybody.take(second))

        mean, limit, size = floor(apart, len(everybody.days), len(real.days), stage.chance("floor", name))
        records.append(floor_record(TASK, name, definition, mean, limit, size))
        for scorer, (kind, simulated) in rows.items():

            def off(some: IntArray, simulated: Returned = simulated, distance: _Distance = distance) -> float:
                return distance(simulated.take(some), real.take(some))

            n = len(real.days)
            low, high = bootstrap(off, n, stage.config.bootstrap, stage.chance(TASK, name, scorer), least=0)
            record = Record(
                PART, TASK, scorer, name, kind, distance(simulated, real), low, high, n, "people",
                f"{definition} Simulated against real days of the same people.", Baseline(FLOOR, limit),
                holds=is_within(low, high, (None, limit)) if kind == "mind" else None,
            )  # fmt: skip
            records.append(target_of(record, high=limit) if kind == "mind" else record)
    return records


_Distance = Callable[[Returned, Returned], float]


def _gap_distance(first: Returned, second: Returned) -> float:
    one, other = (np.asarray(each.gaps.sum(axis=0)).ravel() for each in (first, second))
    return kolmogorov_smirnov_of_histograms(one, other) if one.sum() and other.sum() else float("nan")


_MEASURES: Mapping[str, _Distance] = {
    "gap ks": _gap_distance,
    "days active ks": lambda first, second: kolmogorov_smirnov(first.days, second.days),
}


def _tabulated(stage: Stage) -> tuple[Returned, Returned, Mapping[str, tuple[Kind, Returned]]] | None:
    """The testers after the moment, everybody, and each model of the testers; None where nothing can be estimated."""
    if not stage.dataset.times_known:
        return None
    parted = split_history(stage.dataset.interactions, "global_temporal", _LATER)
    before = read_sessions(parted.train, _SESSION_GAP_SECONDS, ends_together=True)
    after = read_sessions(parted.test, _SESSION_GAP_SECONDS, ends_together=True)
    thirds = people_in_thirds(stage.dataset.people.user_ids, stage.config.split.salt)
    fitted_on = before.of(thirds != TEST_THIRD)
    try:
        estimate = estimate_returns(fitted_on)
    except DataError:
        return None
    assert before.last_day is not None
    assert after.last_day is not None
    last = np.full(parted.train.n_users, -1, dtype=np.int64)
    last[before.users] = before.days  # days of a user ascend: the last one stays
    known = np.flatnonzero(last >= 0)
    end = after.last_day - before.last_day
    if end < 1:
        return None
    testers = np.intersect1d(stage.testers, known)
    real = partial(_real, after=after, last=last, moment=before.last_day, end=end)
    play = partial(_played, last=last[testers] - before.last_day, end=end)
    chance = stage.chance(TASK, "simulated")
    rows: Mapping[str, tuple[Kind, Returned]] = {
        MODEL: ("mind", play(*_as_estimated(estimate, before, testers, chance), chance=chance)),
        ONE_CHANCE: ("trivial", play(*_alike(fitted_on, len(testers)), chance=stage.chance(TASK, "trivial"))),
    }
    return real(testers), real(known), rows


_Model = tuple[Family, float, FloatArray, float, BoolArray]
"""Family, shape, log-medians, P(never back after a session), and who has left for good before the moment."""


def _as_estimated(
    estimate: ReturnEstimate, before: ReturnHistory, testers: IntArray, chance: np.random.Generator
) -> _Model:
    medians = estimate.log_medians(before, testers, chance.random(len(testers)))
    churn = 0.0 if estimate.churn is None else estimate.churn.value
    assert before.last_day is not None
    away = np.zeros(int(testers.max(initial=0)) + 1, dtype=np.int64)
    mine = before.users <= testers.max(initial=0)
    away[before.users[mine]] = before.last_day - before.days[mine]
    days = away[testers].astype(np.float64)
    stayed = np.exp(-cumulative_hazard(estimate.family, days, medians, estimate.shape_value))
    gone = chance.random(len(testers)) < churn / (churn + (1 - churn) * stayed)
    return estimate.family, estimate.shape_value, medians, churn, gone


def _alike(history: ReturnHistory, people: int) -> _Model:
    """Everybody comes on each day with the same chance: returns divided by days at risk."""
    share = float(history.returned.sum() / max(history.gaps.sum(), 1))
    medians = np.full(people, log_median_of_chance(share))
    return "exponential", 1.0, medians, 0.0, np.zeros(people, dtype=np.bool_)


def _real(people: IntArray, *, after: ReturnHistory, last: IntArray, moment: int, end: int) -> Returned:
    """What happened after the moment: gaps from the last day before it, and between days after it."""
    place = np.full(len(last), -1, dtype=np.int64)
    place[people] = np.arange(len(people))
    mine = (place[after.users] >= 0) & (after.days > moment)
    whose, days = place[after.users[mine]], after.days[mine] - moment
    came = last[people] - moment
    return _counted(whose, days, came, end)


def _played(
    family: Family,
    shape: float,
    medians: FloatArray,
    churn: float,
    gone: BoolArray,
    *,
    last: IntArray,
    end: int,
    chance: np.random.Generator,
) -> Returned:
    """The days after the moment, drawn day by day."""
    now, gone = last.copy(), gone.copy()
    whose, days = [], []
    for day in range(1, end + 1):
        gap = (day - now).astype(np.float64)
        hazard = cumulative_hazard(family, gap, medians, shape) - cumulative_hazard(family, gap - 1, medians, shape)
        comes = (chance.random(len(now)) < -np.expm1(-hazard)) & ~gone
        gone |= comes & (chance.random(len(now)) < churn)
        now[comes] = day
        whose.append(np.flatnonzero(comes))
        days.append(np.full(int(comes.sum()), day))
    return _counted(np.concatenate(whose), np.concatenate(days), last, end)


def _counted(whose: IntArray, days: IntArray, last: IntArray, end: int) -> Returned:
    """Gaps and days of each person.

    Args:
        whose, days: A row per person and day with a session, counted from the moment.
        last: The last day before it, 0 or below, shape (n_people,).
        end: The last day; longer gaps than twice as many days are counted together.
    """
    order = np.lexsort((days, whose))
    whose, days = whose[order], days[order]
    first = np.r_[True, whose[1:] != whose[:-1]] if len(whose) else np.zeros(0, dtype=np.bool_)
    earlier = np.where(first, last[whose], np.r_[0, days[:-1]] if len(days) else days)
    longest = 2 * end
    cells = (np.ones(len(whose)), (whose, np.minimum(days - earlier, longest)))
    gaps = sp.csr_array(cells, shape=(len(last), longest + 1))
    return Returned(gaps, np.bincount(whose, minlength=len(last)).astype(np.float64))
