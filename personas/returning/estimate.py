"""Return times estimated on a history, with what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.words import persons, plural
from groundlings.personas.exposure.intervals import share_of_totals
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.returning.families import FAMILIES, Family
from groundlings.personas.returning.history import ReturnHistory, share_of_same_day
from groundlings.personas.returning.likelihood import NODES, Gaps, log_chance, log_prior

FEWEST_GAPS = 50
"""With fewer completed gaps nothing is estimated."""

_MOST_PEOPLE = 4_000
_PEOPLE_TO_CHOOSE_ON = 1_000
_PART = 4_096
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model and what it says of gaps that it was not fitted on.

    Attributes:
        family: Of the gaps.
        personal: Whether people differ in their median gap.
        log_likelihood: Mean log-probability of a person's last completed gap, fitted on all earlier ones.
    """

    family: Family
    personal: bool
    log_likelihood: float


@dataclass(frozen=True)
class ReturnEstimate:
    """Return times of a history.

    Attributes:
        family: The candidate with the highest held-out likelihood.
        personal: Whether people differ in it.
        median_days: exp(mean log-median), days.
        shape: See `families`; None for `exponential`.
        spread: Standard deviation of log-medians between people; None where all are alike.
        churn: P(never back after a session); None where the history cannot tell.
        same_day: P(another session on the same day after a session).
        people: Fitted on.
        gaps: Completed gaps fitted on.
        still_open: Last gaps that were open when the history ended; 0 as well where its end is not known.
        candidates: What was chosen among, and `held_out_gaps` the gaps that it was chosen by.
        note: What the history cannot tell.
    """

    family: Family
    personal: bool
    median_days: Parameter
    shape: Parameter | None
    spread: Parameter | None
    churn: Parameter | None
    same_day: Parameter
    people: int
    gaps: int
    still_open: int
    candidates: tuple[Candidate, ...]
    held_out_gaps: int
    note: str

    @property
    def shape_value(self) -> float:
        """1 where the family has none."""
        return 1.0 if self.shape is None else self.shape.value

    def log_medians(self, history: ReturnHistory, users: IntArray, uniform: FloatArray) -> FloatArray:
        """The log-median of each agent, drawn from what its own history leaves open, shape (n,).

        Drawn, because the most likely values of all would differ less than people do.

        Args:
            history: Everybody's; of those without a gap the estimate alone speaks.
            users: The user behind each agent, shape (n,).
            uniform: A number per agent, shape (n,).
        """
        if self.spread is None:
            return np.full(len(users), np.log(self.median_days.value))
        prior = log_prior(float(np.log(self.median_days.value)), self.spread.value)
        churn = 0.0 if self.churn is None else self.churn.value
        place = np.full(max(int(users.max(initial=0)), int(history.users.max(initial=0))) + 1, -1, dtype=np.int64)
        drawn = np.empty(len(users))
        for start in range(0, len(users), _PART):
            some = users[start : start + _PART]
            place[:] = -1
            place[some] = np.arange(len(some))
            gaps = gaps_of(history, place, len(some))
            by_node = gaps.by_node(self.family, self.shape_value, churn) + prior
            chance = np.exp(by_node - logsumexp(by_node, axis=1)[:, None])
            reached = np.cumsum(chance, axis=1) > uniform[start : start + _PART, None]
            drawn[start : start + _PART] = NODES[np.where(reached.any(axis=1), reached.argmax(axis=1), -1)]
        return drawn

    def describe(self) -> Mapping[str, Any]:
        """Plain JSON values."""
        figures = ("median_days", "shape", "spread", "churn", "same_day")
        told = {name: getattr(self, name) for name in figures}
        return {
            "family": self.family,
            "personal": self.personal,
            **{name: None if figure is None else figure.model_dump(mode="json") for name, figure in told.items()},
            "people": self.people,
            "gaps": self.gaps,
            "still_open": self.still_open,
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "held_out_gaps": self.held_out_gaps,
            "note": self.note,
        }


def estimate_returns(history: ReturnHistory) -> ReturnEstimate:
    """Choose the distribution of gaps by held-out likelihood, and fit it.

    Each person's last completed gap is held out while the families are compared, with and without differences between
    people. The winner is then fitted on all gaps, with the last open one where the end of the history is known.

    Args:
        history: Of people who may be fitted on.

    Raises:
        DataError: There are too few gaps.
    """
    completed = int(history.returned.sum())
    if completed < FEWEST_GAPS:
        raise DataError(
            f"simulation.returns: the training history has {plural(completed, 'gap')} between days with a "
            "session, needed "
            f"{FEWEST_GAPS}; state the gaps yourself (kind: stated), or keep kind: daily_chance"
        )
    candidates, held_out = _compared(history)
    best = max(candidates, key=lambda candidate: candidate.log_likelihood)
    place, people = places_of(history)
    gaps = gaps_of(history, place, people)
    knows_end = history.last_day is not None
    fit = _fitted(gaps, best.family, personal=best.personal, churn=knows_end)
    source = f"{plural(int(gaps.completed.sum()), 'gap')} of {persons(people)} in the training history"
    figures = _parameters(gaps, best, fit, source, churn=knows_end)
    share, low, high = share_of_totals(*share_of_same_day(history))
    return ReturnEstimate(
        family=best.family,
        personal=best.personal,
        median_days=figures["median_days"],
        shape=figures.get("shape"),
        spread=figures.get("spread"),
        churn=figures.get("churn"),
        same_day=Parameter(value=share, low=low, high=high, origin="fitted", source=f"{source}; Wilson, by person"),
        people=people,
        gaps=int(gaps.completed.sum()),
        still_open=int((gaps.still_open > 0).sum()),
        candidates=candidates,
        held_out_gaps=held_out,
        note="" if knows_end else _NO_END,
    )


_NO_END = (
    "each person's training history ends at a moment of its own, so nobody can say who did not come back: gaps are "
    "those that ended, which are shorter than all, and churn is not known; split.kind: global_temporal tells both"
)


def places_of(history: ReturnHistory, most: int = _MOST_PEOPLE) -> tuple[IntArray, int]:
    """User -> place among those who are fitted on, -1 of the others; and how many they are."""
    users = np.unique(history.users)
    if len(users) > most:
        users = users[np.linspace(0, len(users) - 1, most).astype(np.int64)]
    place = np.full(int(history.users.max(initial=0)) + 1, -1, dtype=np.int64)
    place[users] = np.arange(len(users))
    return place, len(users)


def gaps_of(history: ReturnHistory, place: IntArray, people: int) -> Gaps:
    """Gaps of the people with a place, shape of `Gaps`."""
    whose = place[history.users]
    known, returned, gaps = whose >= 0, history.returned, history.gaps
    still_open = np.zeros(people, dtype=np.int64)
    last = known & ~returned
    still_open[whose[last]] = gaps[last]
    kept = known & returned
    return Gaps.of(whose[kept], gaps[kept], still_open)


def _compared(history: ReturnHistory) -> tuple[tuple[Candidate, ...], int]:
    """Every candidate with its held-out likelihood, and how many gaps that is of."""
    place, people = places_of(history, _PEOPLE_TO_CHOOSE_ON)
    whose = place[history.users]
    kept = (whose >= 0) & history.returned
    whose, lengths = whose[kept], history.gaps[kept]
    last = np.r_[whose[1:] != whose[:-1], True]
    earlier = Gaps.of(whose[~last], lengths[~last], np.zeros(people, dtype=np.int64))
    found = []
    for family in FAMILIES:
        later = log_chance(family, lengths[last], NODES, 1.0) if family == "exponential" else None
        for personal in (False, True):
            fit = _fitted(earlier, family, personal=personal, churn=False)
            if personal:
                by_node = earlier.by_node(family, fit.shape, 0.0) + log_prior(fit.centre, fit.spread)
                by_node -= logsumexp(by_node, axis=1)[:, None]
                chances = later if later is not None else log_chance(family, lengths[last], NODES, fit.shape)
                told = logsumexp(by_node[whose[last]] + chances, axis=1)
            else:
                told = log_chance(family, lengths[last], np.array([fit.centre]), fit.shape)[:, 0]
            found.append(Candidate(family, personal, float(np.mean(told))))
    return tuple(found), int(last.sum())


@dataclass(frozen=True, slots=True)
class _Fit:
    centre: float
    spread: float
    shape: float
    churn: float
    free: FloatArray


def _fitted(gaps: Gaps, family: Family, *, personal: bool, churn: bool) -> _Fit:
    """Maximum likelihood."""
    read = _reader(family, personal=personal, churn=churn)
    middle = float(np.average(np.log(gaps.lengths), weights=np.asarray(gaps.counts.sum(axis=0)).ravel() + 1e-9))
    start = [middle, *([-0.5] if personal else []), *([] if family == "exponential" else [0.0])]
    start += [-3.0] if churn else []

    def loss(free: FloatArray) -> float:
        fit = read(free)
        return -gaps.likelihood(family, fit.shape, fit.churn, fit.centre, fit.spread) / len(gaps)

    from scipy.optimize import minimize  # takes longer to load than most commands have to do

    found = minimize(
        loss, np.array(start), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7, "maxiter": 400}
    )
    return read(np.asarray(found.x, dtype=np.float64))


def _reader(family: Family, *, personal: bool, churn: bool) -> Callable[[FloatArray], _Fit]:
    """From free numbers to parameters: mean log-median, log spread, log shape, log-odds of churn."""

    def read(free: FloatArray) -> _Fit:
        rest = list(free[1:])
        spread = float(np.exp(np.clip(rest.pop(0), -4, 3))) if personal else 0.0
        shape = 1.0 if family == "exponential" else float(np.exp(np.clip(rest.pop(0), -3, 3)))
        leaving = float(expit(np.clip(rest.pop(0), -12, 12))) if churn else 0.0
        return _Fit(float(np.clip(free[0], NODES[0], NODES[-1])), spread, shape, leaving, free)

    return read


def _parameters(gaps: Gaps, best: Candidate, fit: _Fit, source: str, *, churn: bool) -> dict[str, Parameter]:
    """The figures with 95 % intervals from the curvature of the likelihood; people are independent."""
    read = _reader(best.family, personal=best.personal, churn=churn)

    def loss(free: FloatArray) -> float:
        now = read(free)
        return -gaps.likelihood(best.family, now.shape, now.churn, now.centre, now.spread)

    errors = _errors(loss, fit.free)
    names: list[tuple[str, Callable[[float], float]]] = [("median_days", _exp)]
    names += [("spread", _exp)] if best.personal else []
    names += [] if best.family == "exponential" else [("shape", _exp)]
    names += [("churn", _chance)] if churn else []
    return {
        name: Parameter.from_fit(value, error, _Z95, f"maximum likelihood, {source}", scale=scale)
        for (name, scale), value, error in zip(names, fit.free.tolist(), errors.tolist(), strict=True)
    }


def _errors(loss: Callable[[FloatArray], float], at: FloatArray, step: float = 0.02) -> FloatArray:
    """Standard errors from second differences; where the likelihood does not curve, 10 on the free scale."""
    n = len(at)
    steps = np.eye(n) * step
    curvature = np.empty((n, n))
    for row in range(n):
        for column in range(row, n):
            one, other = steps[row], steps[column]
            difference = (
                loss(at + one + other) - loss(at + one - other) - loss(at - one + other) + loss(at - one - other)
            )
            curvature[row, column] = curvature[column, row] = difference / (4 * step**2)
    values, vectors = np.linalg.eigh(curvature)
    variances = (vectors**2) @ (1 / np.maximum(values, 1e-2))
    return np.sqrt(variances)


def _exp(value: float) -> float:
    return float(np.exp(np.clip(value, -50, 50)))


def _chance(odds: float) -> float:
    return float(expit(odds))
