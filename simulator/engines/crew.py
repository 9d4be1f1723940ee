"""What engines with processes of their own have in common: outcomes come in any order and are handed out in one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Protocol

from groundlings.environments.sessions import Sessions
from groundlings.simulator.shards import Occasion, Outcome


class Crew(Protocol):
    """The processes that simulate the shards of one occasion."""

    @property
    def answers(self) -> Mapping[int, Outcome | Exception]:
        """Shard -> what came of it, or the error that ended it; those that have not been taken."""
        ...

    @property
    def open(self) -> Sequence[int]:
        """Shards that were begun and of which nothing came yet, as far as is known here."""
        ...

    def take(self, number: int) -> Outcome:
        """What came of a shard; raises the error that ended it."""
        ...

    async def work(self, until: int) -> list[str]:
        """Hand out shards and wait for an answer, for a while; what was lost meanwhile, in words."""
        ...

    def stopped(self) -> list[str]:
        """What is to be said of processes that somebody has stopped, where no answer came for a while."""
        ...

    async def wind_up(self) -> None:
        """After an error: let what is nearly finished be among the answers."""
        ...

    def dismiss(self) -> None:
        """End all processes; they hold nothing that is needed."""
        ...


async def outcomes_of(
    crew: Crew,
    occasion: Occasion,
    cut_short: Callable[[Sessions], None],
    lose: Callable[[str], None],
    tell: Callable[[str], None],
) -> AsyncGenerator[Outcome, None]:
    """What comes of each shard of an occasion, in their order; the crew is dismissed at the end. See `Engine.outcomes`.

    Args:
        crew: Simulates them.
        occasion: What to simulate.
        cut_short: Is told of sessions that were open when an error ended them.
        lose: Is told of each process that was lost.
        tell: Is told of processes that somebody has stopped.
    """
    try:
        for number in range(len(occasion)):
            while number not in crew.answers:
                for loss in await crew.work(until=number):
                    lose(f"{occasion.words}: {loss}")
                for stop in crew.stopped():
                    tell(f"{occasion.words}: {stop}")
            yield crew.take(number)
    except (Exception, asyncio.CancelledError):
        await crew.wind_up()
        for number in sorted(crew.answers):
            if not isinstance(crew.answers[number], BaseException):
                yield crew.take(number)
        raise
    finally:
        for number in crew.open:
            cut_short(occasion.sessions(number))
        crew.dismiss()
