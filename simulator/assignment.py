"""Which agent lives in which arm where agents of different arms have ties, and how many of its ties live in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Assignment:
    """The arms of agents with ties, by the position of the agent in the population.

    Attributes:
        arms: Names, in the order of the experiment file.
        homes: The arm that each agent lives in, by its place in `arms`, shape (n_agents,).
        clusters: The cluster of ties that each agent belongs to, from 0, shape (n_agents,).
        ties: How many of its ties live in each arm, shape (n_agents, n_arms).
    """

    arms: tuple[str, ...]
    homes: IntArray
    clusters: IntArray
    ties: IntArray

    @property
    def across(self) -> float:
        """Share of the ties that join agents of different arms; NaN without ties."""
        known = int(self.ties.sum())
        within = int(np.take_along_axis(self.ties, self.homes[:, None], axis=1).sum())
        return 1 - within / known if known else float("nan")

    @property
    def shares(self) -> FloatArray:
        """Share of each agent's ties that live in each arm, shape (n_agents, n_arms); NaN for agents without ties."""
        known = self.ties.sum(axis=1, keepdims=True)
        return np.divide(self.ties, known, out=np.full(self.ties.shape, np.nan), where=known > 0)


def in_percent(across: float) -> str:
    """A share of ties in words; some are never none, and not all are never all."""
    if 0 < across < 0.01:
        return "less than 1 %"
    return "more than 99 %" if 0.99 < across < 1 else f"{100 * across:.0f} %"
