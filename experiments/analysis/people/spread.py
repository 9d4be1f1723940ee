"""Who gains and who loses: users' own differences to the baseline as dots, and a dozen that represents all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.config.designs import ParallelDesign

MOST_DOTS = 100
"""Dots of an arm: of more users, as many evenly spaced by rank, so that each stands for one in a hundred."""
DOZEN = 12
"""Users whose sessions are shown."""

_COLUMNS, _FEW_COLUMNS, _ROOM = 41, 12, 5
_REACH = 0.995


@dataclass(frozen=True, slots=True)
class Axis:
    """Columns that hold equally much, zero in the middle of one of them.

    Attributes:
        below, above: Columns below and above that one; the outermost hold what lies beyond, too.
        width: Of a column, in the metric's unit.
        room: How much wider than the others the column of zero is drawn: many users have no difference.
    """

    below: int
    above: int
    width: float
    room: int = 1

    @property
    def columns(self) -> int:
        """How many there are."""
        return self.below + 1 + self.above

    @property
    def places(self) -> int:
        """Widths of a column that the whole axis takes."""
        return self.below + self.room + self.above

    def middle(self, column: int) -> float:
        """Where the middle of a column lies between the two ends of the axis, 0 to 1."""
        before = column if column <= self.below else column + self.room - 1
        return (before + (self.room if column == self.below else 1) / 2) / self.places

    @property
    def ends(self) -> tuple[float, float]:
        """Values at the middle of the outermost columns."""
        return -self.below * self.width, self.above * self.width

    def column(self, value: float) -> int:
        """The column of a value, 0 is the lowest; nobody who gained or lost stands where those do who did neither."""
        place = int(np.clip(np.floor(value / self.width + 0.5), -self.below, self.above))
        if value > 0 and self.above:
            place = max(place, 1)
        elif value < 0 and self.below:
            place = min(place, -1)
        return place + self.below

    def share(self, value: float) -> float:
        """Where a value lies between the two ends of the axis, 0 to 1."""
        columns = value / self.width
        wider = (self.room - 1) * float(np.clip(columns, -0.5, 0.5))
        return float(np.clip((self.below + self.room / 2 + columns + wider) / self.places, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Dot:
    """One user.

    Attributes:
        agent_id: The log's number.
        user_id: The data set's own id.
        value: The user's own difference.
        column: Of the axis that all arms share, 0 is the lowest.
        level: Place in the column, 0 is the lowest.
        place: Of the user in the log.
    """

    agent_id: int
    user_id: str
    value: float
    column: int
    level: int
    place: int


@dataclass(frozen=True, slots=True)
class ArmSpread:
    """The users' own differences of one arm to the baseline.

    Attributes:
        arm: Its name.
        n: Users with a value in both arms.
        lower, same, higher: How many of them have a lower, the same and a higher value than in the baseline.
        mean: Of all of them.
        dots: Of all of them, or of `MOST_DOTS` evenly spaced by rank, lowest first.
    """

    arm: str
    n: int
    lower: int
    same: int
    higher: int
    mean: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """All arms on one axis.

    Attributes:
        arms: In the order of the YAML.
        axis: Columns on which dots stand.
    """

    arms: tuple[ArmSpread, ...]
    axis: Axis


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of the dozen.

    Attributes:
        agent_id: The log's number.
        value: What the choice went by: the user's own difference, or own value.
        arm: Where that value is of one arm alone, its name; "" for a difference.
    """

    agent_id: int
    value: float
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Dozen:
    """Users who represent all.

    Attributes:
        people: From the one with the lowest value to the one with the highest.
        arm, baseline: Whose difference it is; the baseline is "" where users are chosen by a value of one arm.
        of: How many users the choice was made from.
    """

    people: tuple[Chosen, ...]
    arm: str
    baseline: str
    of: int


def spread_of(
    outcomes: Outcomes, arms: Sequence[str], metric: Metric, agents: Sequence[int], users: Sequence[str]
) -> Spread | None:
    """The differences of the arms that are named; None where nobody lived in two arms.

    Args:
        outcomes: The run's.
        arms: Names, in order.
        metric: Which.
        agents, users: The log's numbers and the data set's ids of the agents, in the order of the log.
    """
    if not isinstance(outcomes.design, ParallelDesign):
        return None
    gaps = {name: _differences(outcomes, name, metric) for name in arms}
    known = {name: found[~np.isnan(found)] for name, found in gaps.items()}
    known = {name: found for name, found in known.items() if len(found)}
    if not known:
        return None
    axis = axis_of(np.concatenate(list(known.values())))
    found = tuple(_arm_spread(name, gaps[name], axis, agents, users) for name in known)
    return Spread(found, axis)


def choose_dozen(outcomes: Outcomes, best: str | None, metric: Metric, agents: Sequence[int]) -> Dozen:
    """Up to a dozen users who represent the effect, evenly spaced by rank, so that losers are among them in proportion.

    Where the same users live in every arm, by their own difference between one arm and the baseline; else by their own
    value, as many of each arm as its share of the users gives it.

    Args:
        outcomes: The run's.
        best: The arm whose effect is to be represented; None where none competes.
        metric: Which.
        agents: The log's numbers of the agents, in the order of the log.
    """
    if best is not None and isinstance(outcomes.design, ParallelDesign):
        gaps = _differences(outcomes, best, metric)
        rows = evenly_spaced(gaps, DOZEN)
        people = tuple(Chosen(agents[row], float(gaps[row])) for row in rows)
        if people:
            return Dozen(people, best, outcomes.baseline.name, int((~np.isnan(gaps)).sum()))
    values = {arm.name: arm.totals.values(metric) for arm in outcomes.arms}
    if isinstance(outcomes.design, ParallelDesign):
        values = {outcomes.baseline.name: values[outcomes.baseline.name]}
    sizes = {name: int((~np.isnan(found)).sum()) for name, found in values.items()}
    chosen: list[Chosen] = []
    for name, number in _parts(sizes, DOZEN).items():
        chosen += [Chosen(agents[row], float(values[name][row]), name) for row in evenly_spaced(values[name], number)]
    chosen.sort(key=lambda each: each.value)
    return Dozen(tuple(chosen), "", "", sum(sizes.values()))


def _differences(outcomes: Outcomes, arm: str, metric: Metric) -> FloatArray:
    """Of each agent to the baseline, shape (n_agents,), NaN where there is no value in one of the two."""
    values = {each.name: each.totals for each in outcomes.arms}
    return np.asarray(values[arm].values(metric) - outcomes.baseline.totals.values(metric), dtype=np.float64)


def evenly_spaced(values: FloatArray, most: int) -> list[int]:
    """Places of up to so many known values, evenly spaced by rank, lowest first; equal values in the order of the
    log."""
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    if len(order) <= most:
        return order.tolist()
    ranks: IntArray = ((np.arange(most) + 0.5) * len(order) / most).astype(np.int64)
    return order[ranks].tolist()


def _parts(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of each group make so many altogether, in proportion: largest remainders (Hamilton's method)."""
    whole = sum(sizes.values())
    if whole <= total:
        return dict(sizes)
    exact = {name: size * total / whole for name, size in sizes.items()}
    found = {name: int(part) for name, part in exact.items()}
    short = sorted(exact, key=lambda name: found[name] - exact[name])[: total - sum(found.values())]
    return {name: number + (name in short) for name, number in found.items()}


def axis_of(values: FloatArray) -> Axis:
    """So wide that nearly all values lie on it; where they come in steps, a column holds whole steps.

    It ends where the values do, so that neither half stands empty for a few.
    """
    low, high = (float(end) for end in np.quantile(values, (1 - _REACH, _REACH)))
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:  # all but a few have no difference
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    width = (high - low) / (_COLUMNS - 1) or 1.0
    distinct = np.unique(values.round(9))
    if 1 < len(distinct) < len(values) / 4:
        step = float(np.diff(distinct).min())
        width = step * max(1, int(np.ceil(width / step - 1e-9)))
    below, above = (int(np.ceil(abs(end) / width - 1e-9)) for end in (low, high))
    below, above = max(below, int((values < 0).any())), max(above, int((values > 0).any()))
    return Axis(below, above, width, _ROOM if below + above > _FEW_COLUMNS else 1)


def _arm_spread(name: str, gaps: FloatArray, axis: Axis, agents: Sequence[int], users: Sequence[str]) -> ArmSpread:
    known = gaps[~np.isnan(gaps)]
    levels: dict[int, int] = {}
    dots = []
    for row in evenly_spaced(gaps, MOST_DOTS):
        value = float(gaps[row])
        column = axis.column(value)
        level = levels.get(column, 0)
        levels[column] = level + 1
        dots.append(Dot(int(agents[row]), users[row], value, column, level, row))
    return ArmSpread(
        arm=name,
        n=len(known),
        lower=int((known < 0).sum()),
        same=int((known == 0).sum()),
        higher=int((known > 0).sum()),
        mean=float(known.mean()),
        dots=tuple(dots),
    )
