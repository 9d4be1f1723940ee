"""The clock and the population, in Mesa: a step is a day, and each day some of the people come."""

from __future__ import annotations

import mesa
import numpy as np

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.random_streams import Draws
from groundlings.simulator.agent import Visitor


class Audience(mesa.Model):  # type: ignore[misc]
    """Schedules the visitors of one arm.

    Mesa keeps a reference to every model it ever made, so nothing large hangs on this one: catalogs, histories
    and logs belong to the `World` that asks it who comes.

    Attributes:
        comes_today: Whose draw brings them today, shape (n_agents,).
        arrivals: Row numbers of those who came, in agent order.
    """

    def __init__(self, users: IntArray, visit_probability: float, seed: int) -> None:
        super().__init__(seed=seed)
        self._users = users
        self._visit_probability = visit_probability
        self._root = seed
        self.comes_today: BoolArray = np.zeros(len(users), dtype=np.bool_)
        self.arrivals: list[int] = []
        for row in range(len(users)):
            Visitor(self, row)

    @property
    def day(self) -> int:
        """Today, 0 for the first day; before the first step it is -1."""
        return int(self.steps) - 1

    def step(self) -> None:
        """Begin a day: ask everybody whether they come."""
        luck = Draws.for_visits(self._root, self._users, self.day).uniform("come")
        self.comes_today = luck < self._visit_probability
        self.arrivals = []
        self.agents.do("come")
