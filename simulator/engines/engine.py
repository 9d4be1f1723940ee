"""The protocol of engines, and the one that simulates in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Protocol

from groundlings.environments.sessions import Sessions
from groundlings.personas.mind import AsksModel
from groundlings.recommenders.base import AsyncRecommender, Recommender
from groundlings.recommenders.blend import BlendRecommender
from groundlings.recommenders.interleaving import TeamDraftRecommender
from groundlings.recommenders.registry import parts_of
from groundlings.recommenders.supplied import TrainedRecommender
from groundlings.simulator.concurrency import in_order
from groundlings.simulator.shards import Occasion, Outcome


class Engine(Protocol):
    """Simulates the shards of an occasion, side by side, and hands out what came of them in the order of the shards.

    While it works nothing in the occasion changes. When a shard fails, outcomes that are finished are yielded before
    the failure is raised, and so they are where an error is thrown into the generator: what was decided is not thrown
    away. The exception are rows that were laid out elsewhere, behind a shard that has none: their ids do not follow
    those before them (`LogWriter.follows`), and a resumed run simulates them again.
    """

    def outcomes(
        self, occasion: Occasion, concurrency: int, cut_short: Callable[[Sessions], None]
    ) -> AsyncGenerator[Outcome, None]:
        """What came of each shard.

        Args:
            occasion: What to simulate.
            concurrency: Shards that may be open at once where their minds wait for a model.
            cut_short: Is told of sessions that were open when an error ended them.
        """
        ...

    def over(self, arm: str) -> None:
        """Forget an arm, which has had its last day."""
        ...

    def close(self) -> None:
        """End what was started for it; nothing is simulated afterwards."""
        ...


class InProcess:
    """Simulates in this process; minds and recommenders may wait for models, and may be anything."""

    def outcomes(
        self, occasion: Occasion, concurrency: int, cut_short: Callable[[Sessions], None]
    ) -> AsyncGenerator[Outcome, None]:
        """See `Engine.outcomes`; the log lays the rows out."""

        async def outcome(number: int) -> Outcome:
            try:
                return await occasion.outcome(number)
            except BaseException:
                cut_short(occasion.sessions(number))
                raise

        return in_order(outcome, range(len(occasion)), cohorts_at_once(occasion, concurrency))

    def over(self, arm: str) -> None:
        """See `Engine.over`."""

    def close(self) -> None:
        """See `Engine.close`."""


IN_PROCESS = InProcess()


def cohorts_at_once(occasion: Occasion, concurrency: int) -> int:
    """How many shards may be open at once, where so many sessions may; shards whose minds do not wait count as one."""
    return max(1, concurrency // occasion.size) if isinstance(occasion.snapshot.mind, AsksModel) else concurrency


def may_wait(recommender: AsyncRecommender) -> str | None:
    """The class of a recommender, or of one inside it, that may wait for a model or a server; None where none may.

    What it waits through belongs to the process, and the event loop, in which it was opened.
    """
    return next((type(part).__name__ for part in parts_of(recommender) if _waits(part)), None)


def not_ours(parts: Iterable[object]) -> str | None:
    """The name of the first object that is not of Groundlings' own code; None where all are."""
    return next((_name_of(part) for part in parts if not _is_ours(part)), None)


_JOINING = (BlendRecommender, TeamDraftRecommender, TrainedRecommender)
"""What waits for nothing but the recommenders inside of it."""


def _waits(part: object) -> bool:
    return isinstance(part, AsyncRecommender) and not isinstance(part, (Recommender, *_JOINING))


def _is_ours(part: object) -> bool:
    module: str = getattr(part, "__module__", None) or type(part).__module__
    return module.startswith("groundlings.")


def _name_of(part: object) -> str:
    return getattr(part, "__name__", None) or type(part).__name__
