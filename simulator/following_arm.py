"""An arm that follows another one: some of its people live through the same days again with another mind.

Pages come from the recommender as the first arm's own people have taught it, on every day, with the prices and the
stock that they have left. What happens in the arm that follows reaches nobody but the people in it: no recommender
learns from it, and nothing is sold out by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from groundlings.environments.interactions import Interactions
from groundlings.recommenders.base import AsyncRecommender
from groundlings.simulator.arm import Arm
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.lost_lessons import LessonWatch
from groundlings.simulator.lost_pages import LostPageWatch
from groundlings.simulator.returns.rule import ReturnModel
from groundlings.simulator.sessions_written import WrittenSessions


@dataclass
class FollowingArm(Arm):
    """As `Arm`, with the recommender of another one.

    Attributes:
        leader: The arm that is followed; its `past` holds all of its days, so that none is simulated again.
    """

    leader: Arm = field(kw_only=True)

    def start(self, days: int, visit_probability: float, returns: ReturnModel | None = None) -> None:
        """See `Arm.start`."""
        self.leader.start(days, visit_probability, returns)
        super().start(days, visit_probability, returns)

    def swap(self, recommender: AsyncRecommender) -> None:
        """See `Arm.swap`."""
        self.leader.swap(recommender)
        self.recommender = recommender

    def fit(self) -> None:
        """Fit the recommender on what the leader knows by now."""
        self.leader.fit()

    async def learn(self, day: int, log: LogWriter, watch: LessonWatch | None = None) -> tuple[int, int]:
        """Have the recommender learn again what the leader's log says that it has learnt by asking."""
        return await self.leader.learn(day, log, watch)

    async def day(
        self,
        day: int,
        concurrency: int,
        log: LogWriter,
        on_sessions: Callable[[WrittenSessions], None],
        watch: LostPageWatch | None = None,
    ) -> None:
        """See `Arm.day`; what the leader's people have bought is taken off the shelf afterwards."""
        self._shelf = self.leader.left_on_shelf()
        await super().day(day, concurrency, log, on_sessions, watch)
        await self.leader.day(day, concurrency, log, lambda _: None)

    def learn_from(self, clicks: Sequence[Interactions]) -> None:
        """Add today's interactions to what these people have met; the recommender observes the leader's."""
        super().learn_from(clicks)
        self.leader.learn_from([self.leader.take_clicks()])

    def stop(self) -> None:
        """See `Arm.stop`."""
        self.leader.stop()
        super().stop()
