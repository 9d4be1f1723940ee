"""Ties that are generated, for worlds whose data know of none."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import rows_of
from groundlings.environments.random_streams import name_key
from groundlings.environments.ties import Ties
from groundlings.environments.words import plural
from groundlings.personas.population import Population
from groundlings.personas.social.options import Homophily, ScaleFree, SmallWorld

_PAIRS_AT_ONCE = 200_000
"""Pairs of histories that are compared at a time; bounds the memory."""


def generated_ties(options: SmallWorld | ScaleFree | Homophily, population: Population, seed: int) -> Ties:
    """Ties between the agents of a population; the same options and seed give the same ties.

    Raises:
        ConfigError: There are too few agents.
    """
    users, n_users = population.users, len(population.people.user_ids)
    match options:
        case SmallWorld():
            return small_world(options, users, n_users, seed)
        case ScaleFree():
            return scale_free(options, users, n_users, seed)
        case Homophily():
            return homophily(options, users, population.train.met, seed)


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
        raise _too_few("neighbours", options.neighbours, size, fewest=2)
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


def scale_free(options: ScaleFree, users: IntArray, n_users: int, seed: int) -> Ties:
    """The graph of Barabási and Albert (1999, "Emergence of scaling in random networks", Science) of some agents.

    Agents join in a random order. The first `begun` + 1 are a star; each that follows begins ties with `begun` others,
    drawn one by one in proportion to the ties that they have, nobody twice.

    Args:
        options: How many ties an agent begins.
        users: Row numbers of the agents' users, shape (n,).
        n_users: Size of the world.
        seed: Of the order and the draws.

    Raises:
        ConfigError: There are not more agents than ties that each begins.
    """
    size, begun = len(users), options.begun
    _check_size(begun, size)
    chance = np.random.default_rng(name_key("barabasi_albert", seed))
    joined = chance.permutation(users)
    # Both ends of every tie: an agent stands here as often as it has ties, so that a place drawn at random is one
    # drawn in proportion to them.
    ends = np.empty((size - begun, 2, begun), dtype=np.int64)
    ends[0] = np.full(begun, begun), np.arange(begun)
    flat = ends.reshape(-1)
    for newcomer in range(begun + 1, size):
        filled = 2 * begun * (newcomer - begun)
        chosen: set[int] = set()
        while len(chosen) < begun:  # as many draws as are missing, so that nobody is drawn and then left out
            chosen.update(flat[chance.integers(filled, size=begun - len(chosen))].tolist())
        ends[newcomer - begun] = np.full(begun, newcomer), sorted(chosen)
    return Ties.of(joined[ends[:, 0].ravel()], joined[ends[:, 1].ravel()], n_users)


def homophily(options: Homophily, users: IntArray, met: sp.csr_array, seed: int) -> Ties:
    """Ties that lead more often to agents with a similar history than chance would.

    Each agent draws `candidates` of the others at random, with replacement, and begins `begun` ties. Each of them goes,
    with probability `alike`, to the most similar candidate, the second for the second tie and so on, else to an agent
    drawn at random. Where two draws meet, they are one tie.

    Args:
        options: How many ties and candidates, and the share.
        users: Row numbers of the agents' users, shape (n,).
        met: 1.0 where a user met an item, shape (n_users, n_items).
        seed: Of all draws.

    Raises:
        ConfigError: There are not more agents than ties that each begins.
    """
    size, begun = len(users), options.begun
    _check_size(begun, size)
    chance = np.random.default_rng(name_key("homophily", seed))
    oneself = np.arange(size)[:, None]

    def others(columns: int) -> IntArray:
        drawn = chance.integers(size - 1, size=(size, columns))
        return drawn + (drawn >= oneself)

    candidates = others(options.candidates)
    similar = _cosines(rows_of(met, users), candidates)
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :begun]
    alike = chance.random((size, begun)) < options.alike
    far = np.where(alike, np.take_along_axis(candidates, nearest, axis=1), others(begun))
    return Ties.of(np.repeat(users, begun), users[far.ravel()], met.shape[0])


def _cosines(histories: sp.csr_array, others: IntArray) -> FloatArray:
    """Cosine of each history with some others, shape as `others`; 0 where one of two is empty."""
    norms = np.sqrt(np.asarray(histories.sum(axis=1)).ravel())
    first, second = np.repeat(np.arange(len(others)), others.shape[1]), others.ravel()
    found = np.zeros(len(first))
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        common = histories[first[some]].multiply(histories[second[some]]).sum(axis=1)
        sizes = norms[first[some]] * norms[second[some]]
        np.divide(np.asarray(common).ravel(), sizes, out=found[some], where=sizes > 0)
    return found.reshape(others.shape)


def _check_size(begun: int, size: int) -> None:
    if size <= begun:
        raise _too_few("begun", begun, size, fewest=1)


def _too_few(key: str, found: int, agents: int, *, fewest: int) -> ConfigError:
    """What to raise where ties need more agents than there are; `fewest` is the least that the key may be."""
    expected = f"expected at most {agents - 1}" if agents > fewest else "so few cannot have such ties: take them out"
    return ConfigError(f"mind.social.ties.{key}: found {found} with {plural(agents, 'agent')}; {expected}")
