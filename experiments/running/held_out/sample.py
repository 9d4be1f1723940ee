"""Who the arms are measured on: agents of the run whose held-out part has something that the lists could hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import IntArray
from groundlings.environments.random_streams import name_keys
from groundlings.environments.split import Split
from groundlings.personas.population import Population

MOST_PEOPLE = 5_000
"""Of more agents than this a sample is asked: the standard error of a difference in nDCG is then below .004."""

BROWSING_PEOPLE = 400
"""How many agents each further audience is simulated for, where there are so many."""


@dataclass(frozen=True)
class Sample:
    """The agents that are asked, as row numbers of the data set, ascending.

    Attributes:
        users: Whose lists are scored, shape (n,).
        relevant: Their held-out items, shape (n, n_items); those that are in training only where items may be shown
            again.
        new: The same without those that are in training, shape (n, n_items); of no other use where none are shown.
        with_items: How many agents have such items.
        browsing: Who has a session with every audience, shape (m,).
    """

    users: IntArray
    relevant: sp.csr_array
    new: sp.csr_array
    with_items: int
    browsing: IntArray


def choose_sample(
    population: Population, split: Split, seed: int, *, repeats: bool = False, real: IntArray | None = None
) -> Sample:
    """The agents with relevant held-out items, or those of them that come first by a hash of seed and id.

    Args:
        population: The agents.
        split: The history.
        seed: The run's.
        real: Whom to ask instead of the agents, who have no held-out part where they are synthetic users.
        repeats: Whether items of the training part may be shown again, so that taking them up again counts.
    """
    users = population.users if real is None else real
    new = _new_pairs(split, users)
    relevant = sp.csr_array(split.test.matrix[users]) if repeats else new
    usable = np.flatnonzero(np.diff(relevant.indptr))
    ids = population.people.user_ids
    keys = name_keys(("held out", seed), (ids[user] for user in users[usable].tolist()))
    rows = np.sort(usable[np.argsort(keys, kind="stable")[:MOST_PEOPLE]])
    wanted, unknown = sp.csr_array(relevant[rows]), sp.csr_array(new[rows])
    return Sample(users[rows], wanted, unknown, len(usable), _browsing(users, ids, seed))


def _new_pairs(split: Split, users: IntArray) -> sp.csr_array:
    """Held-out pairs that are not in training, 1.0 each, shape (n, n_items)."""
    later = sp.csr_array(split.test.matrix[users])
    new = sp.csr_array(later - later.multiply(split.train.matrix[users]))
    new.eliminate_zeros()
    return new


def _browsing(users: IntArray, ids: tuple[str, ...], seed: int) -> IntArray:
    """`BROWSING_PEOPLE` of the users, ascending: those that come first by a hash of seed and id."""
    keys = name_keys(("browsing", seed), (ids[user] for user in users.tolist()))
    return np.sort(users[np.argsort(keys, kind="stable")[:BROWSING_PEOPLE]])
