"""Whether a table of offers says anything of the days that are simulated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.offers import FOR_EVER, Offers


def check_offers(
    offers: Offers | None, train: Interactions, days: int, times_known: bool, notify: Callable[[str], None]
) -> None:
    """Refuse offers of which none concerns a simulated day, and say so where only some days have any.

    Args:
        offers: The table; None where the data set has none.
        train: The history before the first simulated day.
        days: Simulated days.
        times_known: Whether anybody knows when the interactions took place.
        notify: Told which days have no offers.

    Raises:
        ConfigError: No simulated day has an offer, or nobody knows which dates are simulated.
    """
    if offers is None:
        return
    if offers.dated and not times_known and offers.begins is None:
        raise ConfigError(
            "dataset: the offers have dates, and the interactions have no times, so nobody knows which dates are "
            "simulated; say which date is the first (begins), or number the days of offers from 0, the first "
            "simulated one"
        )
    first = offers.opening(train.next_second)
    covered = [day for day in range(days) if (offers.rows_on(first + day) >= 0).any()]
    simulated = f"{_day(offers, first)} to {_day(offers, first + days - 1)}"
    if not covered:
        raise ConfigError(
            f"dataset: no offer is of a simulated day ({simulated}); the table has {_span(offers)}: say which of its "
            "days is simulated first (begins)"
        )
    if len(covered) < days:
        notify(
            f"offers: {days - len(covered)} of the {days} simulated days ({simulated}) have none: on those days prices "
            "are unknown, and nothing is promoted or sold out"
        )


def _span(offers: Offers) -> str:
    """From when to when a table has offers, in words."""
    if not len(offers):
        return "no offers"
    last = int(offers.last_day.max())
    until = "on, without an end" if last >= FOR_EVER else f"to {_day(offers, last)}"
    return f"offers from {_day(offers, int(offers.first_day.min()))} {until}"


def _day(offers: Offers, day: int) -> str:
    """A day of the table as its author wrote it."""
    limit = np.datetime64("9999-12-31").astype(int)
    if not offers.dated or abs(day) > limit:
        return f"day {day}"
    return str(np.datetime64(int(day), "D"))
