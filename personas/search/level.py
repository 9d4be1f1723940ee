"""How attractive results are on average, taken over from a log: which items of a catalogue stand for its results.

A search engine of the log showed what has the words of the query. So the mean P(click | looked at) over the results of
the log is made that of the items that have the words of an agent's first query and are not in the agent's history. What
lies above and below that mean is the mind's own affair: the taste, and how much of the need an item has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.personas.minds.click_model import CANDIDATES, PairScore, calibration_people, open_constant
from groundlings.personas.population import Population
from groundlings.personas.search.needs import Needs


def level_shift(
    population: Population, needs: Needs, query_words: int, match: float, level: float, score: PairScore
) -> float:
    """What is to be added to the log-odds of opening a result, for results of the log to be opened as often as there.

    Args:
        population: The agents; an even sample of them is read.
        needs: What they look for.
        query_words: Attributes of their first query.
        match: Log-odds of a result that has the whole need, above one that has none of it.
        level: P(click | looked at), mean over the results of the log.
        score: Log-odds of opening of pairs of user and item, where nothing is looked for.
    """
    people = calibration_people(population)
    wanted = needs.of(Sessions(people, people, 0, Draws.for_sessions(0, people, 0)))
    items = _results(population, people, wanted[:, :query_words], needs.holding)
    users = np.repeat(people, [len(each) for each in items])
    found = np.concatenate([np.zeros(0, dtype=np.int64), *items])
    need = np.repeat(wanted, [len(each) for each in items], axis=0)
    shares = needs.match(need, found[:, None])[:, 0]
    return open_constant(score(users, found) + match * shares, level)


def _results(
    population: Population, people: IntArray, asked: IntArray, holding: Callable[[IntArray], FloatArray]
) -> list[IntArray]:
    """Of each agent, items out of the history with all words of the query, or with most where none has all."""
    train, chance = population.train, np.random.default_rng(0)
    found: list[IntArray] = []
    for user, words in zip(people.tolist(), asked, strict=True):
        words = words[words >= 0]
        held = holding(words)
        held[train.matrix.indices[train.matrix.indptr[user] : train.matrix.indptr[user + 1]]] = 0
        best = float(held.max(initial=0.0))
        items: IntArray = np.flatnonzero(held == best) if best else np.zeros(0, dtype=np.int64)
        found.append(items if len(items) <= CANDIDATES else chance.choice(items, CANDIDATES, replace=False))
    return found
