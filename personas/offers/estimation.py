"""Price and promotion effects, estimated on a history and dated offers: what the same item sold at other prices.

The number of interactions y of an item i in a period r of its offers follows

    E[y_ir] = exp(a_i + price * log(P_ir / U_i) + promoted * D_ir) * T_ir

with a constant a_i per item and the number T_ir of all interactions in that period, so only changes within an item
count, against how busy the shop was. It is fitted by conditional maximum likelihood, given each item's total (Hausman,
Hall and Griliches 1984, "Econometric models for count data with an application to the patents-R&D relationship",
Econometrica 52). Choices of one item among thousands are rare, so a log rate is a log-odds. Standard errors allow for
whatever periods of one item share (sandwich by item).

What it cannot tell: sellers promote what would sell anyway, in weeks in which it would; people stock up. The figures
are associations within items, not the outcome of an experiment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.offers import SECONDS_PER_DAY, Offers

_FEWEST_ITEMS = 30
"""Items whose price or promotion changes, below which nothing is estimated."""

_STEPS, _CLOSE = 50, 1e-9
_DAYS = 1 << 22
"""More than days lie between any two offers."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect, or why there is none.

    Attributes:
        value, standard_error: None where it could not be estimated.
        note: What it was estimated on, or what is lacking.
    """

    value: float | None
    standard_error: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Periods:
    """Periods of offers that lie in a history, one row each.

    Attributes:
        items: Which item, 0 to n_items - 1, ascending, shape (n,).
        effects: log(price / usual price), and 1 where promoted, shape (n, 2).
        sold: Interactions of the item, shape (n,).
        traffic: Interactions of all items, shape (n,), positive.
    """

    items: IntArray
    effects: FloatArray
    sold: FloatArray
    traffic: FloatArray


def estimated(offers: Offers, history: Interactions) -> dict[str, Estimate]:
    """The effects `price` and `promoted`, each with its standard error or with what is lacking."""
    names = ("price", "promoted")
    if not offers.dated or not len(history) or not history.timestamps.any():
        return dict.fromkeys(names, Estimate(None, None, "offers or interactions have no dates"))
    periods = periods_of(offers, history)
    changing = [_changing(periods, column) for column in range(2)]
    used = [column for column in range(2) if changing[column] >= _FEWEST_ITEMS]
    results = {
        name: Estimate(None, None, f"{changing[column]:,} items changed, {_FEWEST_ITEMS} are needed")
        for column, name in enumerate(names)
    }
    if not used:
        return results
    fitted = fit(Periods(periods.items, periods.effects[:, used], periods.sold, periods.traffic))
    if fitted is None:
        return {name: Estimate(None, None, "the likelihood has no single maximum") for name in names}
    for column, value, error in zip(used, *fitted, strict=True):
        note = (
            f"changes within {changing[column]:,} items, {int(periods.sold.sum()):,} interactions in "
            f"{len(periods.items):,} periods (Poisson regression with a constant per item)"
        )
        results[names[column]] = Estimate(float(value), float(error), note)
    return results


def periods_of(offers: Offers, history: Interactions) -> Periods:
    """The periods with a known price, of items that were met in any of them."""
    days = np.asarray(history.seconds // SECONDS_PER_DAY, dtype=np.int64)
    items = history.items.astype(np.int64)
    if history.kinds is not None and (history.kinds == KINDS.index("purchase")).any():
        bought = history.kinds == KINDS.index("purchase")
        days, items = days[bought], items[bought]
    first, last = int(days.min()), int(days.max())
    usual = offers.usual_prices(last + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(offers.price / usual[offers.items])
    rows = np.flatnonzero((offers.last_day >= first) & (offers.first_day <= last) & np.isfinite(ratio))
    rows = rows[np.lexsort((offers.first_day[rows], offers.items[rows]))]
    starts = np.maximum(offers.first_day[rows], first)
    ends = np.minimum(offers.last_day[rows], last)
    busy = np.concatenate([[0], np.cumsum(np.bincount(days - first, minlength=last - first + 1))])
    traffic = (busy[ends - first + 1] - busy[starts - first]).astype(np.float64)
    sold = _sold_in(offers.items[rows].astype(np.int64), starts, ends, items, days, first)
    effects = np.stack([ratio[rows], offers.promoted[rows].astype(np.float64)], axis=1)
    total = np.bincount(offers.items[rows], sold, minlength=offers.n_items)
    kept = (traffic > 0) & (total[offers.items[rows]] > 0)
    number = np.unique(offers.items[rows][kept], return_inverse=True)[1]
    return Periods(number, effects[kept], sold[kept], traffic[kept])


def _sold_in(
    row_items: IntArray, starts: IntArray, ends: IntArray, items: IntArray, days: IntArray, first: int
) -> FloatArray:
    """Interactions in each period; periods ascend by item and day and do not overlap."""
    if not len(row_items):
        return np.zeros(0)
    keys = row_items * _DAYS + (starts - first)
    place = np.searchsorted(keys, items * _DAYS + (days - first), side="right") - 1
    at = np.maximum(place, 0)
    inside = (place >= 0) & (row_items[at] == items) & (days <= ends[at])
    return np.bincount(at[inside], minlength=len(row_items)).astype(np.float64)


def _changing(periods: Periods, column: int) -> int:
    """Items within which an effect takes more than one value."""
    if not len(periods.items):
        return 0
    low = np.full(periods.items.max() + 1, np.inf)
    high = -low
    np.minimum.at(low, periods.items, periods.effects[:, column])
    np.maximum.at(high, periods.items, periods.effects[:, column])
    return int((high - low > 1e-6).sum())


def fit(periods: Periods) -> tuple[FloatArray, FloatArray] | None:
    """Effects and their standard errors, shape (n_effects,) each; None where the likelihood has no single maximum."""
    n_items, n_effects = int(periods.items.max()) + 1, periods.effects.shape[1]
    totals: FloatArray = np.bincount(periods.items, periods.sold, minlength=n_items).astype(np.float64)
    beta = np.zeros(n_effects)
    scores, information = _derivatives(periods, beta, totals)
    for _ in range(_STEPS):
        try:
            step = np.linalg.solve(information, scores.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        beta = beta + np.clip(step, -1, 1)
        scores, information = _derivatives(periods, beta, totals)
        if np.abs(step).max() < _CLOSE:
            break
    else:
        return None
    if _well_behaved(information):
        inverse = np.linalg.inv(information)
        spread = scores.T @ scores * (n_items / max(1, n_items - 1))
        return beta, np.sqrt(np.diag(inverse @ spread @ inverse))
    return None


def _derivatives(periods: Periods, beta: FloatArray, totals: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The score of each item, shape (n_items, n_effects), and the information, shape (n_effects, n_effects)."""
    items, effects = periods.items, periods.effects
    logs = effects @ beta + np.log(periods.traffic)
    highest = np.full(len(totals), -np.inf)
    np.maximum.at(highest, items, logs)
    rates = np.exp(logs - highest[items])
    shares = rates / np.bincount(items, rates, minlength=len(totals))[items]
    expected = shares * totals[items]

    def by_item(values: FloatArray) -> FloatArray:
        return np.bincount(items, values, minlength=len(totals)).astype(np.float64)

    columns = range(effects.shape[1])
    scores = np.stack([by_item((periods.sold - expected) * effects[:, column]) for column in columns], axis=1)
    means = np.stack([by_item(shares * effects[:, column]) for column in columns], axis=1)
    centred = effects - means[items]
    information = (centred * expected[:, None]).T @ centred
    return scores, information


def _well_behaved(information: FloatArray) -> bool:
    found: BoolArray = np.isfinite(information)
    return bool(found.all()) and bool(np.linalg.cond(information) < 1e12)
