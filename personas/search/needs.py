"""Needs: what a person looks for on a day, as attributes of the items of their history.

An attribute w of person u has the weight tf * idf: how many items of u's training history have it, times
log(items / items that have it). The attributes of a day's need are drawn by these weights, none twice. Held-out items
play no part, and no query has the words of a title in it: an attribute that would complete one is left out of it.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray, ItemArray
from groundlings.environments.sessions import Sessions
from groundlings.personas.population import Population
from groundlings.personas.search.attributes import Attributes, Titles
from groundlings.personas.search.options import SearchOptions

_MOST = 32
"""Attributes of a person that a need is drawn from: those of highest weight."""

_PEOPLE_AT_ONCE = 4096


class Needs:
    """What the agents of a population look for.

    Args:
        population: The agents; of their histories the training part is read.
        options: How much a need and a query say.
    """

    def __init__(self, population: Population, options: SearchOptions) -> None:
        self._options = options
        self._titles = Titles(population.catalog.titles)
        self.attributes = Attributes.of(population.catalog, self._titles)
        self._users = population.users
        self._own, self._weights = _heaviest(population, self.attributes)

    def of(self, sessions: Sessions) -> IntArray:
        """The attributes that each session looks for, the likeliest drawn first, -1 behind the last, shape (n, k)."""
        rows = np.searchsorted(self._users, sessions.users)
        own, weights = self._own[rows], self._weights[rows]
        drawn = sessions.draws.uniform("need", np.maximum(own, 0))
        # The smallest exponential waiting times are a draw without replacement by weight (Efraimidis, Spirakis 2006).
        waits = np.full(own.shape, np.inf)
        np.divide(-np.log1p(-drawn), weights, out=waits, where=weights > 0)
        order = np.argsort(waits, axis=1, kind="stable")[:, : self._options.need_words]
        need = np.take_along_axis(own, order, axis=1)
        return np.where(np.isfinite(np.take_along_axis(waits, order, axis=1)), need, -1)

    def query(self, need: IntArray, number: int) -> str | None:
        """The words of a need's query; None where nothing is left to be asked.

        Args:
            need: Attributes, -1 for none, shape (k,).
            number: 0 for the first query of a session.
        """
        known = need[need >= 0].tolist()
        first, size = number, min(self._options.query_words, len(known))
        if not known or first + size > len(known):
            return None
        said: list[str] = []
        for attribute in known[first : first + size]:
            name = self.attributes.names[attribute]
            if not self._titles.names_one(" ".join([*said, name])):
                said.append(name)
        return " ".join(said)

    def match(self, need: IntArray, items: ItemArray) -> FloatArray:
        """How much of a need an item has, by rarity: 0 nothing, 1 all of it, shape of `items`; 0 without a need."""
        rarity = np.where(need >= 0, self.attributes.rarity[need] if len(self.attributes.names) else 0.0, 0.0)
        met = (self.attributes.held(items, need) * rarity[:, None, :]).sum(axis=2)
        whole = rarity.sum(axis=1, keepdims=True)
        return np.divide(met, whole, out=np.zeros(met.shape), where=whole > 0)

    def holding(self, wanted: IntArray) -> FloatArray:
        """How many of some attributes (shape (k,)) each item has, shape (n_items,)."""
        chosen = np.zeros(len(self.attributes.names))
        chosen[wanted] = 1.0
        return np.asarray(self.attributes.of_items @ chosen, dtype=np.float64)

    @property
    def without(self) -> int:
        """Agents whose history has no attribute: they look for nothing."""
        return int((self._weights <= 0).all(axis=1).sum())


def _heaviest(population: Population, attributes: Attributes) -> tuple[IntArray, FloatArray]:
    """The attributes of highest weight of each agent, -1 behind the last, and their weights, shape (n, `_MOST`)."""
    users, history = population.users, population.train.matrix
    own = np.full((len(users), _MOST), -1, dtype=np.int64)
    weights = np.zeros(own.shape)
    for first in range(0, len(users), _PEOPLE_AT_ONCE):
        some = users[first : first + _PEOPLE_AT_ONCE]
        met = sp.csr_array(history[some])
        ones = np.ones(met.nnz)
        counts = sp.csr_array(sp.csr_array((ones, met.indices, met.indptr), shape=met.shape) @ attributes.of_items)
        rows = np.repeat(np.arange(len(some)), np.diff(counts.indptr))
        heavy = counts.data * attributes.rarity[counts.indices]
        order = np.lexsort((counts.indices, -heavy, rows))
        rows, columns, heavy = rows[order], counts.indices[order], heavy[order]
        places = np.arange(len(rows)) - np.searchsorted(rows, rows)
        kept = (places < _MOST) & (heavy > 0)
        own[first + rows[kept], places[kept]] = columns[kept]
        weights[first + rows[kept], places[kept]] = heavy[kept]
    return own, weights
