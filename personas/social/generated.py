"""Ties that are generated, for worlds whose data know of none."""

from __future__ import annotations

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.environments.ties import Ties
from groundlings.personas.social.options import SmallWorld


def small_world(options: SmallWorld, users: IntArray, n_users: int, seed: int) -> Ties:
    """The graph of Watts and Strogatz (1998, "Collective dynamics of small-world networks", Nature) of some agents.

    Agents stand on a ring in a random order, each with ties to its nearest. A share of the ties gets another far end,
    drawn from all agents; one that draws itself or a neighbour on the ring keeps its tie, and where two draws meet,
    they are one tie.

    Args:
        options: How many neighbours, and the share.
        users: Row numbers of the agents' users, shape (n,).
        n_users: Size of the world.
        seed: Of the order and the share.

    Raises:
        ConfigError: There are not more agents than neighbours.
    """
    size, reach = len(users), options.neighbours // 2
    if size <= options.neighbours:
        raise ConfigError(
            f"mind.social.ties.neighbours: found {options.neighbours} with {size} agents; expected fewer than agents"
        )
    chance = np.random.default_rng(name_key("watts_strogatz", seed))
    ring = chance.permutation(users)
    near = np.tile(np.arange(size), reach)
    far = (near + np.repeat(np.arange(1, reach + 1), size)) % size
    moved = chance.random(len(near)) < options.rewired
    taken = near * size + far
    wanted = chance.integers(size, size=int(moved.sum()))
    free = (wanted != near[moved]) & ~np.isin(near[moved] * size + wanted, taken)
    free &= ~np.isin(wanted * size + near[moved], taken)
    far[moved] = np.where(free, wanted, far[moved])
    return Ties.of(ring[near], ring[far], n_users)
