"""The main loop: days pass in one arm, or in some arms side by side that learn from each other's visits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from groundlings.simulator.arm import Arm
from groundlings.simulator.concurrency import rare_collections
from groundlings.simulator.log.writer import LogWriter

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When things happen.

    Attributes:
        days: How many days are simulated.
        concurrency: Cohorts that may be open at once.
        refit_every: Days between two fits of the recommender, 0 = only before the first day.
        visit_probability: P(an agent visits on a day).
    """

    days: int
    concurrency: int
    refit_every: int
    visit_probability: float

    def fits_before(self, day: int) -> bool:
        """Whether recommenders are fitted in the morning of a day."""
        return day % self.refit_every == 0 if self.refit_every else day == 0

    def next_fit(self, day: int) -> int:
        """The first later day in whose morning recommenders are fitted; `days` where there is none."""
        return next((later for later in range(day + 1, self.days) if self.fits_before(later)), self.days)


async def live_together(
    arms: Sequence[Arm], schedule: Schedule, log: LogWriter, on_visits: Callable[[int], None]
) -> None:
    """Let the days pass in some arms side by side; after each day all of them learn what was clicked in any.

    What the log of an interrupted run holds already (`Arm.past`) is taken from there and not simulated again.

    Args:
        arms: The arms; one that is to learn from itself alone lives alone.
        schedule: How many days, how busy, how often recommenders are fitted.
        log: Where visits are written, in agent order, as soon as those before them are.
        on_visits: Told how many visits the log has just taken, or held already.
    """
    try:
        for arm in arms:
            arm.wake(schedule.days, schedule.visit_probability)
        with rare_collections():
            for day in range(schedule.days):
                # 1. In the morning, on schedule, recommenders learn from all that is known.
                if schedule.fits_before(day):
                    _fit(arms, until=schedule.next_fit(day))

                # 2. People visit. Recommenders are frozen: what is clicked today changes no list of today.
                for arm in arms:
                    _logger.debug("day %d of %d: arm %s", day + 1, schedule.days, arm.name)
                    await arm.day(day, schedule.concurrency, log, on_visits)

                # 3. Once the day is over in every arm, each recommender hears what was clicked in all of them.
                clicks = [arm.evening() for arm in arms]
                for arm in arms:
                    arm.hear(clicks)
    finally:
        for arm in arms:
            arm.sleep()


def _fit(arms: Sequence[Arm], until: int) -> None:
    """Fit the recommenders for the days before `until`, where the log of an interrupted run lacks any of them.

    A fit forgets what was learnt before, so a fit whose days are all in the log would be for nothing.
    """
    for arm in arms:
        if arm.past.whole_days < until:
            _logger.debug("fitting the recommender of arm %s", arm.name)
            arm.fit()
