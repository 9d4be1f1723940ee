"""How often each item was shown and bought in each arm, by part of the agents, and intervals from leaving out a part.

Coverage and concentration are one number of all agents together, so no agent has a value of its own, and there is no
mean over agents. The agents are divided into `PARTS` parts by their number in the log, the same in every arm, and the
figure is worked out again without each part: the delete-a-group jackknife (Kott 2001, "The delete-a-group jackknife",
Journal of Official Statistics 17; Shao and Wu 1989, "A general theory for jackknife variance estimation"). Percentiles
of bootstrap samples would not do: such a sample holds 63 % of the agents and covers less of the catalog than all of
them, so that its interval lies below the figure; here one thirtieth is left out.

The jackknife errs on the safe side (Efron and Stein 1981, "The jackknife estimate of variance", Annals of Statistics
9): the interval of the coverage is wider than it need be, up to twice as wide where most items were shown once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.special import stdtrit

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, Estimate, student_p_value, within_one
from groundlings.simulator.log.reader import LogReader

PARTS = 30
"""Into how many parts agents are divided: a t interval with 29 degrees of freedom is 4 % wider than a normal one."""

_ROUNDING = 1e-12
"""Figures of at most 1 that differ by less are the same but for rounding."""

SHOWN, KNOWN, CLICKS, PURCHASES, PRICED, PAID = "shown", "known", "clicks", "purchases", "priced", "paid"
_OF_IMPRESSIONS, _OF_PURCHASES = (SHOWN, KNOWN, CLICKS), (PURCHASES, PRICED, PAID)

Statistic = Callable[[FloatArray], float]
"""From how often each item was shown, shape (n_items,), to one number."""


@dataclass(frozen=True, slots=True)
class ArmItems:
    """One arm, item by item.

    Attributes:
        name: The arm.
        agents: Agents with an impression.
        counts: "shown", "known" (with known outcome), "clicks", "purchases", "priced" (with known price) and "paid" ->
            sums, shape (PARTS, n_items).
    """

    name: str
    agents: int
    counts: Mapping[str, sp.csr_array]

    def total(self, what: str) -> FloatArray:
        """Of all agents, shape (n_items,)."""
        return np.asarray(self.counts[what].sum(axis=0), dtype=np.float64).ravel()

    @property
    def filled(self) -> list[int]:
        """The parts that hold an agent with an impression."""
        return np.flatnonzero(np.diff(self.counts[SHOWN].indptr)).tolist()


def read_item_counts(log: LogReader) -> tuple[ArmItems, ...]:
    """The arms that were visited, in the order of the YAML, item by item."""
    numbers = np.array(log.item_numbers(), dtype=np.int64)
    shown, bought = log.items_shown(PARTS), log.items_bought(PARTS)
    came = log.agents_shown()
    found = []
    for arm in log.visited_arms():
        counts = {}
        for frame, names in ((shown, _OF_IMPRESSIONS), (bought, _OF_PURCHASES)):
            here = frame[frame.arm_id == arm.arm_id]
            place = (here.part.to_numpy(np.int64), np.searchsorted(numbers, here.item_id.to_numpy(np.int64)))
            for name in names:
                cells = here[name].to_numpy(np.float64)
                counts[name] = sp.csr_array((cells, place), shape=(PARTS, len(numbers)))
        found.append(ArmItems(arm.name, came.get(arm.arm_id, 0), counts))
    return tuple(found)


def jackknife(arm: ArmItems, statistic: Statistic, what: str = SHOWN) -> tuple[float, FloatArray]:
    """A figure of all agents, and the same without each part that holds any, shape (n_filled,)."""
    whole = arm.total(what)
    rest = [statistic(whole - arm.counts[what][[part]].toarray().ravel()) for part in arm.filled]
    return statistic(whole), np.array(rest, dtype=np.float64)


def estimate(whole: float, without: FloatArray, agents: int) -> Estimate:
    """A figure between 0 and 1 with its interval; none with fewer than two parts, or where nothing varies with them."""
    return within_one(signed_estimate(whole, without, agents))


def signed_estimate(whole: float, without: FloatArray, agents: int) -> Estimate:
    """As `estimate`, of a figure that may have any sign and size."""
    if np.isnan(whole):
        return Estimate(None, None, None, None, 0, agents)
    error = jackknife_error(without)
    if error is None:
        return Estimate(whole, None, None, None, agents, 0)
    reach = _reach(len(without)) * error
    return Estimate(whole, error, whole - reach, whole + reach, agents, 0)


def difference(arm: tuple[float, FloatArray], baseline: tuple[float, FloatArray], agents: int) -> Difference:
    """How much higher a figure is in an arm; the same agents are left out of both, so what arms share cancels.

    Args:
        arm, baseline: As `jackknife` gives them.
        agents: With an impression in the arm.
    """
    gap = arm[0] - baseline[0]
    if np.isnan(gap) or len(arm[1]) != len(baseline[1]):
        return Difference(None if np.isnan(gap) else gap, None, None, None, None, agents, 0)
    error = jackknife_error(arm[1] - baseline[1])
    if error is None:
        return Difference(gap, None, None, None, None, agents, 0)
    reach = _reach(len(arm[1])) * error
    p_value = student_p_value(gap, error, len(arm[1]) - 1)
    return Difference(gap, error, gap - reach, gap + reach, p_value, agents, 0)


def jackknife_error(without: FloatArray) -> float | None:
    """Standard error from the figures without each part; None with fewer than two, or where one is not known."""
    parts = len(without)
    if parts < 2 or np.isnan(without).any():
        return None
    error = float(np.sqrt((parts - 1) / parts * ((without - without.mean()) ** 2).sum()))
    return 0.0 if error < _ROUNDING else error


def _reach(parts: int) -> float:
    return float(stdtrit(parts - 1, (1 + CONFIDENCE) / 2))
