"""Who is here, and on which occasion: one row per session."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray, seal_arrays
from groundlings.environments.offers import DayOffers
from groundlings.environments.random_streams import Draws


@dataclass(frozen=True, slots=True)
class Sessions:
    """A cohort of sessions, one row per session.

    Attributes:
        agents: Row numbers in the population, shape (n,).
        users: Row numbers of the real people they are built from, shape (n,); nobody is here twice.
        day: 0 for the first day.
        draws: Their random streams, one row per session; the only source of chance that minds, recommenders and
            environments may use.
        sim_time: When they come, in seconds since 1970 on the simulated clock.
        offers: What is offered on this day, one for all of them; None where the data know of no offers.
    """

    agents: IntArray
    users: IntArray
    day: int
    draws: Draws
    sim_time: int = 0
    offers: DayOffers | None = None

    def __post_init__(self) -> None:
        seal_arrays(self, "agents", "users")

    def __len__(self) -> int:
        return len(self.agents)

    def take(self, rows: NDArray[np.integer]) -> Sessions:
        """Some of the sessions."""
        return replace(self, agents=self.agents[rows], users=self.users[rows], draws=self.draws.take(rows))
