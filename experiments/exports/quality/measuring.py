"""The measurement of a whole log, arm by arm: each arm's rows are a product of their own.

Where every agent lives in one arm only (`design: split`), the arms' rows are those of one site, and one product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.exports.quality.discriminator import ToldApart, tell_apart
from groundlings.experiments.exports.quality.marginals import Distance, distances
from groundlings.experiments.exports.quality.privacy import Privacy, privacy
from groundlings.experiments.exports.quality.real import RealData
from groundlings.experiments.exports.quality.sequences import matched
from groundlings.experiments.exports.quality.training import Trained, TrainingTest
from groundlings.experiments.exports.source import LogSource

ALL_ARMS = "all arms"
"""Under this name the arms of a split design are measured together."""


@dataclass(frozen=True, slots=True)
class ArmQuality:
    """What one arm's log is worth.

    Attributes:
        interactions: Of the agents that are measured.
        training: What recommenders learn from it.
        told_apart: Whether a classifier tells it from real behaviour.
        distances: How far its distributions are from real ones.
        privacy: What it gives away.
    """

    interactions: int
    training: tuple[Trained, ...]
    told_apart: ToldApart
    distances: tuple[Distance, ...]
    privacy: Privacy

    def trained(self, recommender: str, metric: str = "ndcg") -> Trained:
        """The row of one recommender."""
        return next(row for row in self.training if (row.recommender, row.metric) == (recommender, metric))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "interactions": self.interactions,
            "training": [row.as_dict() for row in self.training],
            "told_apart": self.told_apart.as_dict(),
            "distances": [row.as_dict() for row in self.distances],
            "privacy": self.privacy.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class LogQuality:
    """What the log of a run is worth.

    Attributes:
        arms: Arm -> what its log is worth.
        agents: How many agents were measured.
        population: How many there are.
        scored: Agents whose held-out items the trained recommenders were scored on.
        real_interactions: Training rows of the agents that were measured.
    """

    arms: Mapping[str, ArmQuality]
    agents: int
    population: int
    scored: int
    real_interactions: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "agents": self.agents,
            "population": self.population,
            "scored": self.scored,
            "real_interactions": self.real_interactions,
            "arms": {name: arm.as_dict() for name, arm in self.arms.items()},
        }


def measure_log(real: RealData, source: LogSource) -> LogQuality:
    """What the log of a run is worth beside the real data that it was made from."""
    return measure_rows(real, read_interactions(real, source))


def measure_rows(real: RealData, logs: Mapping[str, Interactions]) -> LogQuality:
    """The same of synthetic interactions that are at hand.

    Args:
        real: The real data.
        logs: Arm -> its interactions, users and items as row numbers of the data set.
    """
    training = TrainingTest(real)
    arms = {}
    for name, log in logs.items():
        pair = matched(real, log)
        arms[name] = ArmQuality(
            interactions=len(log),
            training=tuple(training.of(log)),
            told_apart=tell_apart(real, pair),
            distances=tuple(distances(real, log, pair)),
            privacy=privacy(real, log, pair),
        )
    return LogQuality(arms, len(real.agents), len(real.audience), len(real.sample.users), len(real.known))


def read_interactions(real: RealData, source: LogSource) -> dict[str, Interactions]:
    """The interactions of the agents that are measured, by arm; the log is read in chunks.

    Raises:
        ConfigError: The log does not say which action is an interaction.
    """
    user = {user_id: number for number, user_id in enumerate(real.context.user_ids)}
    wanted = set(real.agents.tolist())
    rows_of_agents = {agent.agent_id: user[agent.user_id] for agent in source.agents()}
    agents = {agent: row for agent, row in rows_of_agents.items() if row in wanted}
    items = {item.item_id: item.number for item in source.items()}
    found: dict[str, list[FloatArray]] = {ALL_ARMS if real.split else arm.name: [] for arm in source.arms}
    for arm, rows in source.interactions(("agent_id", "item_number", "rating", "timestamp")):
        part = [
            (agents[agent], items[item], np.nan if stars is None else stars, when)
            for agent, item, stars, when in rows
            if agent in agents
        ]
        found[ALL_ARMS if real.split else arm.name].append(np.array(part, dtype=np.float64).reshape(-1, 4))
    return {name: _as_interactions(real, parts) for name, parts in found.items()}


def _as_interactions(real: RealData, parts: list[FloatArray]) -> Interactions:
    """Rows of user, item, rating and second as interactions of the real data's kind."""
    train = real.train
    users, items, ratings, seconds = np.concatenate([np.zeros((0, 4)), *parts]).T
    return Interactions.of(
        users.astype(np.int64),
        items.astype(np.int64),
        ratings,
        seconds.astype(np.int64) * train.ticks_per_second,
        n_users=train.n_users,
        n_items=train.n_items,
        synthetic=True,
        ticks_per_second=train.ticks_per_second,
    )
