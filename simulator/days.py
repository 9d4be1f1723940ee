"""The main loop over days, for one arm, or for several arms that learn from one shared log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from groundlings.environments.cleaning import logger
from groundlings.simulator.arm import Arm
from groundlings.simulator.concurrency import rare_collections
from groundlings.simulator.interventions import Interventions
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.lost_lessons import LessonWatch
from groundlings.simulator.lost_pages import LostPageWatch
from groundlings.simulator.returns.rule import ReturnModel
from groundlings.simulator.sessions_written import WrittenSessions

_logger = logger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The simulated days, and when recommenders are fitted.

    Attributes:
        days: Number of days.
        concurrency: Cohorts that may be open at once.
        refit_every: Days between two fits of the recommender, 0 = only before the first day.
        visit_probability: P(an agent has a session on a day).
        returns: When people come back, where it is more than that probability.
    """

    days: int
    concurrency: int
    refit_every: int
    visit_probability: float
    returns: ReturnModel | None = None

    @property
    def most_sessions(self) -> int:
        """The most sessions that an agent can have in an arm."""
        return self.days * (1 if self.returns is None else self.returns.sessions_per_day)

    @property
    def likely_sessions(self) -> float:
        """How many an agent has on average where every day has one chance; else the most."""
        return self.most_sessions if self.returns is not None else self.days * self.visit_probability

    def fits_before(self, day: int) -> bool:
        """Whether recommenders are fitted before a day."""
        return day % self.refit_every == 0 if self.refit_every else day == 0

    def next_fit(self, day: int) -> int:
        """The next day before which recommenders are fitted; `days` where there is none."""
        return next((later for later in range(day + 1, self.days) if self.fits_before(later)), self.days)


async def live_together(
    arms: Sequence[Arm],
    schedule: Schedule,
    log: LogWriter,
    on_sessions: Callable[[WrittenSessions], None],
    watch: LostPageWatch | None = None,
    after_first_fit: Callable[[Arm], Awaitable[None]] | None = None,
    interventions: Interventions | None = None,
    on_learnt: Callable[[str, int, int, int], None] | None = None,
    lessons: LessonWatch | None = None,
) -> None:
    """Simulate all days of some arms; after each day every one of them gets the clicks of all of them.

    Sessions that the log of an interrupted run holds (`Arm.past`) are read from it and not simulated again.

    Args:
        arms: Arms with a shared log; an arm that learns from its own log only is passed alone.
        schedule: Number of days, concurrency, days between fits.
        log: Gets the sessions in agent order.
        on_sessions: Is told of sessions just written, or already in the log.
        watch: Counts lost pages; None where any number is allowed.
        after_first_fit: Is given each arm before the first day, its recommender fitted on the history alone; it may ask
            for lists. Not called for an arm whose first days the log of an interrupted run holds.
        interventions: What changes in the arms at the beginning of a day; None where nothing does.
        on_learnt: Is told where a recommender has learnt by asking: the arm, the day before which, calls made,
            and those whose reply could not be read.
        lessons: Counts lost lessons; None where any number is allowed.

    Raises:
        TooMuchUnreadable: One of the watches says so.
    """
    try:
        for arm in arms:
            arm.start(schedule.days, schedule.visit_probability, schedule.returns)
        with rare_collections():
            for day in range(schedule.days):
                # 1. What is to change from this day on is changed, arm by arm.
                swapped = [] if interventions is None else interventions.begin_day(day, arms)

                # 2. Before the day, on schedule, recommenders are fitted on all interactions so far; new ones at once.
                for arm in _fit(arms if schedule.fits_before(day) else swapped, day, schedule, interventions):
                    await _learn(arm, day, log, lessons, on_learnt)
                    if day == 0 and after_first_fit is not None:
                        await after_first_fit(arm)

                # 3. Agents have their sessions. Recommenders are frozen: clicks of today change no list of today.
                for arm in arms:
                    _logger.debug("day %d of %d: arm %s", day + 1, schedule.days, arm.name)
                    await arm.day(day, schedule.concurrency, log, on_sessions, watch)

                # 4. After the day has ended in every arm, each recommender gets the clicks of all of them.
                clicks = [arm.take_clicks() for arm in arms]
                for arm in arms:
                    arm.learn_from(clicks)
                    if day + 1 < schedule.next_fit(day):  # a fit would forget it, and behind the last day nobody asks
                        await _learn(arm, day + 1, log, lessons, on_learnt)
    finally:
        for arm in arms:
            arm.stop()


async def _learn(
    arm: Arm,
    day: int,
    log: LogWriter,
    watch: LessonWatch | None,
    on_learnt: Callable[[str, int, int, int], None] | None,
) -> None:
    """Have the recommender of an arm learn by asking before a day, where it does."""
    asked, unread = await arm.learn(day, log, watch)
    if asked and on_learnt is not None:
        on_learnt(arm.name, day, asked, unread)


def _fit(arms: Sequence[Arm], day: int, schedule: Schedule, interventions: Interventions | None) -> Iterator[Arm]:
    """Fit the recommenders before a day, where the log of an interrupted run lacks any of the days that they serve.

    Yields each arm right after its fit: what is made for one fit is not needed for the next.

    A later fit, or another recommender, replaces what was learnt, so a fit whose days are all in the log is not needed;
    only what impressions have taught outlives a fit, and was learnt between these fits.
    """
    for arm in arms:
        until = schedule.next_fit(day)
        if interventions is not None:
            until = min(until, interventions.next_swap(arm.name, day, schedule.days))
        if arm.past.whole_days < until:
            _logger.debug("fitting the recommender of arm %s", arm.name)
            arm.fit()
            yield arm
        elif arm.learns_from_impressions:
            arm.fit()
