"""Which agent lives in which arm where agents have ties: one by one, or clusters of agents who know each other."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.environments.ties import Ties
from groundlings.experiments.config.designs import SplitDesign, assigned_arms, shares_of
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.clusters import clusters_of
from groundlings.personas.population import Population
from groundlings.simulator.assignment import Assignment, in_percent

_FEWEST = 2
"""Clusters per arm: one alone says nothing of how much clusters differ."""


def assignment_of(config: ExperimentConfig, population: Population) -> Assignment | None:
    """The arms, clusters and ties of agents, where a split design may put two who know each other into two arms.

    Args:
        config: What was asked for.
        population: The agents.

    Raises:
        ConfigError: Clusters are assigned, and there are fewer than two per arm.
    """
    from groundlings.personas.social.word_of_mouth import WordOfMouth

    design, social = config.design, getattr(config.mind, "social", None)
    if social is None or not isinstance(design, SplitDesign):
        return None
    arms, users = tuple(arm.name for arm in config.arms), population.users
    ties = WordOfMouth(social, population, config.base).ties
    chance = np.random.default_rng(name_key("clusters", config.seed))
    clusters, shares = clusters_of(ties, users, chance), shares_of(design, arms)
    if design.by == "agents":
        homes = assigned_arms(config.seed, [population.people.user_ids[user] for user in users], shares)
    else:
        number = int(clusters.max()) + 1
        if number < _FEWEST * len(arms):
            raise ConfigError(
                f"design.by: found {number} clusters of agents with ties for {len(arms)} arms; expected at least "
                f"{_FEWEST * len(arms)}; raise population.size, or write by: agents"
            )
        homes = _arms_of_clusters(np.bincount(clusters), shares, chance)[clusters]
    return Assignment(arms, homes, clusters, _ties_by_arm(ties, users, homes, len(arms)))


def _arms_of_clusters(sizes: IntArray, shares: tuple[float, ...], chance: np.random.Generator) -> IntArray:
    """An arm for each cluster, shape (n_clusters,).

    Clusters stand in a random order, and each arm takes the next of them until it has its share of the agents: arms
    are as large as they should be but for part of a cluster, however unequal the clusters are.
    """
    order = chance.permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order] / 2  # agents up to the middle of each cluster
    arms = np.empty(len(sizes), dtype=np.int64)
    arms[order] = np.minimum(np.searchsorted(np.cumsum(shares), before / sizes.sum()), len(shares) - 1)
    return arms


def _ties_by_arm(ties: Ties, users: IntArray, homes: IntArray, n_arms: int) -> IntArray:
    """How many ties of each agent live in each arm, shape (n_agents, n_arms)."""
    lives: FloatArray = np.zeros((ties.graph.shape[0], n_arms))
    lives[users, homes] = 1.0
    return np.asarray(ties.graph @ lives, dtype=np.int64)[users]


def crossing_line(assignment: Assignment | None, design: object) -> tuple[str, ...]:
    """What is to be known of ties that join agents of different arms, in a line; () where none do.

    Args:
        assignment: Who lives where; None where ties cross no arms.
        design: As configured.
    """
    if assignment is None or not assignment.across > 0 or not isinstance(design, SplitDesign):
        return ()
    share = f"design: {in_percent(assignment.across)} of the ties join agents of different arms"
    if design.by == "clusters":
        return (f"{share}, although clusters of them were assigned; `compare` estimates what these ties carry",)
    return (
        f"{share}, so that what one arm does reaches the other (interference), and a difference between arms is not "
        "what a launch for everybody would change; write design: {kind: split, by: clusters}, or design: parallel",
    )
