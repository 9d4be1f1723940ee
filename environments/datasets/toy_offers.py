"""Made-up offers of the made-up world: prices that fall when an item is promoted, a stock for some, and costs."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.offers import SECONDS_PER_DAY, Offers

_WEEKS_AFTER = 8
_PROMOTED_SHARE, _REDUCTION = 0.15, 0.2
_COUNTED_SHARE, _MEAN_STOCK = 0.25, 40.0
_COST_SHARE = 0.6


def make_offers(rng: np.random.Generator, n_items: int, seconds: IntArray) -> tuple[Offers, FloatArray]:
    """Offers week by week, from the first interaction to eight weeks after the last, and each item's cost.

    An item has one usual price. In a week in seven it is promoted, at four fifths of that. Every fourth item has a
    stock, filled up each week.

    Args:
        rng: Source of chance.
        n_items: Size of the catalog.
        seconds: Times of interactions since 1970, shape (n,).
    """
    first, last = (int(edge) // SECONDS_PER_DAY for edge in (seconds.min(), seconds.max()))
    starts = np.arange(first, last + 7 * _WEEKS_AFTER, 7)
    usual = np.round(np.exp(rng.normal(1.0, 0.5, n_items)), 2)
    promoted = rng.random((len(starts), n_items)) < _PROMOTED_SHARE
    price: FloatArray = np.round(usual * np.where(promoted, 1 - _REDUCTION, 1.0), 2).astype(np.float64)
    counted = rng.random(n_items) < _COUNTED_SHARE
    stock = np.where(counted, 1.0 + rng.poisson(_MEAN_STOCK, (len(starts), n_items)), np.nan)
    days = np.repeat(starts, n_items)
    offers = Offers(
        np.tile(np.arange(n_items, dtype=np.int32), len(starts)),
        days,
        days + 6,
        price.ravel(),
        stock.ravel(),
        promoted.ravel(),
        n_items,
    )
    return offers, np.round(usual * _COST_SHARE, 2)
