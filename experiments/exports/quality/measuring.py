"""The measurement of a whole log, arm by arm: each arm's rows are a product of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.interactions import Interactions
from groundlings.experiments.exports.quality.discriminator import ToldApart, tell_apart
from groundlings.experiments.exports.quality.marginals import Distance, distances
from groundlings.experiments.exports.quality.privacy import Privacy, privacy
from groundlings.experiments.exports.quality.real import RealData
from groundlings.experiments.exports.quality.sequences import matched
from groundlings.experiments.exports.quality.training import Trained, TrainingTest
from groundlings.experiments.exports.source import LogSource


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
    found: dict[str, list[tuple[int, int, float, int]]] = {arm.name: [] for arm in source.arms}
    for arm, rows in source.interactions(("agent_id", "item_number", "rating", "timestamp")):
        found[arm.name] += [
            (agents[agent], items[item], np.nan if stars is None else float(stars), int(when))
            for agent, item, stars, when in rows
            if agent in agents
        ]
    return {name: _as_interactions(real, rows) for name, rows in found.items()}


def _as_interactions(real: RealData, rows: list[tuple[int, int, float, int]]) -> Interactions:
    train = real.train
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    return Interactions.of(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.float64),
        np.array(columns[3], dtype=np.int64) * train.ticks_per_second,
        n_users=train.n_users,
        n_items=train.n_items,
        synthetic=True,
        ticks_per_second=train.ticks_per_second,
    )
