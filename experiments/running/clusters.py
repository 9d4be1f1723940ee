"""Clusters of people with ties, for assigning people who know each other to one arm."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.ties import Ties


def clusters_of(ties: Ties, users: IntArray, chance: np.random.Generator) -> IntArray:
    """The cluster of each agent, numbered from 0, shape (n_agents,).

    Agents are visited in a random order; one that has no cluster yet begins one, and all of its ties that have none
    join it. No two agents who began a cluster have a tie. The clusters serve graph cluster randomization (Ugander,
    Karrer, Backstrom and Kleinberg 2013, KDD), whose clusters begin three steps apart and take the others in by
    distance. Whoever has no ties is a cluster alone.

    Args:
        ties: Who knows whom.
        users: Row numbers of the agents' users, shape (n_agents,).
        chance: The order.
    """
    graph = ties.graph
    of_user = np.full(graph.shape[0], -2, dtype=np.int64)  # -2 is no agent, -1 has no cluster yet
    of_user[users] = -1
    number = 0
    for user in chance.permutation(users).tolist():
        if of_user[user] == -1:
            known = graph.indices[graph.indptr[user] : graph.indptr[user + 1]]
            of_user[known[of_user[known] == -1]] = number
            of_user[user] = number
            number += 1
    return of_user[users]


def share_within(ties: Ties, users: IntArray, clusters: IntArray) -> float:
    """Share of the ties that stay within a cluster; NaN without ties."""
    of_user = np.full(ties.graph.shape[0], -1, dtype=np.int64)
    of_user[users] = clusters
    first, second = ties.graph.nonzero()
    return float((of_user[first] == of_user[second]).mean()) if len(first) else float("nan")
