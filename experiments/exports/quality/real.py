"""The real data that a synthetic log is held against: those of the run, split as the run split them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.experiments.config.designs import SplitDesign
from groundlings.experiments.running.held_out.sample import Sample, choose_sample
from groundlings.experiments.running.plan import Plan
from groundlings.recommenders.registry import RecommenderContext

MOST_AGENTS = 20_000
"""Recommenders are trained on the rows of so many agents at most."""

MOST_ROWS_OF_OTHERS = 20_000
"""Real histories that a synthetic one is compared with, at most; the agents' own are always among them."""

_DIMENSIONS = 32


@dataclass(frozen=True)
class RealData:
    """What really happened, before and after the moment at which the simulation begins.

    Attributes:
        catalog: The items.
        train: The training part, of all users.
        held_out: The held-out part, of all users; nothing of the log was made from it.
        agents: Users behind the agents, `MOST_AGENTS` of them at most, ascending, shape (n_agents,).
        audience: Users behind all agents, shape (n_population,).
        sample: The agents whose held-out items the trained recommenders are scored on.
        seen: Items that lists must not hold, shape (n_users, n_items).
        repeats: Whether the site shows items of the history again.
        times_known: Whether the times of interactions are real.
        days: Simulated days of the run.
        context: What recommenders may know besides interactions.
        seed: The run's.
        split: Whether every agent lives in one arm only, so that the logs of all arms are one history.
    """

    catalog: Catalog
    train: Interactions
    held_out: Interactions
    agents: IntArray
    audience: IntArray
    sample: Sample
    seen: sp.csr_array
    repeats: bool
    times_known: bool
    days: int
    context: RecommenderContext
    seed: int
    split: bool = False

    @classmethod
    def of(cls, plan: Plan) -> RealData:
        """That of a run, from its plan.

        Raises:
            ConfigError: Its agents are synthetic users.
        """
        if plan.dataset.synthetic is not None:
            raise ConfigError(
                "population.synthetic: what a log is worth is measured beside what its agents really did later, and "
                "nobody was a synthetic user; add --no-quality, or take the key out"
            )
        seed, ids = plan.config.seed, plan.dataset.people.user_ids
        repeats = plan.config.repeats.allowed
        sample = choose_sample(plan.population, plan.split, seed, repeats=repeats)
        agents = _some(plan.population.users, ids, seed, MOST_AGENTS, sample.users)
        return cls(
            catalog=plan.dataset.catalog,
            train=plan.split.train,
            held_out=plan.split.test.chosen(),
            agents=agents,
            audience=plan.population.users,
            sample=sample,
            seen=plan.first_seen,
            repeats=repeats,
            times_known=plan.dataset.times_known,
            days=plan.config.simulation.days,
            context=RecommenderContext(plan.dataset.catalog, ids, plan.config.base),
            seed=seed,
            split=isinstance(plan.config.design, SplitDesign),
        )

    @cached_property
    def known(self) -> Interactions:
        """The agents' training rows: what recommenders of the real side are trained on."""
        return of_users(self.train.chosen(), self.agents)

    @cached_property
    def later(self) -> Interactions:
        """The agents' held-out rows."""
        return of_users(self.held_out, self.agents)

    @cached_property
    def rows(self) -> IntArray:
        """Users whose real training histories a synthetic one is compared with, ascending."""
        everybody = np.flatnonzero(np.diff(self.train.matrix.indptr)).astype(np.int64)
        ids = self.context.user_ids
        return _some(everybody, ids, self.seed, MOST_ROWS_OF_OTHERS, np.intersect1d(self.agents, everybody))

    @cached_property
    def item_vectors(self) -> FloatArray:
        """Unit vectors of items by who has them in training, shape (n_items, d); 0 for an item that nobody has.

        The right singular vectors of the matrix of users and items, scaled by the singular values.
        """
        matrix = self.train.matrix[self.rows]
        dimensions = min(_DIMENSIONS, min(matrix.shape) - 1)
        if dimensions < 1 or not matrix.nnz:
            return np.zeros((matrix.shape[1], 1))
        from scipy.sparse.linalg import svds

        start = np.ones(min(matrix.shape))
        _, values, right = svds(matrix.astype(np.float64), k=dimensions, v0=start)
        vectors = right.T * values
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)


def of_users(rows: Interactions, users: IntArray) -> Interactions:
    """The rows of some users, by user and then by time; rows of one moment keep their order."""
    wanted = np.zeros(rows.n_users, dtype=np.bool_)
    wanted[users] = True
    kept = rows.take(wanted[rows.users])
    return kept.take(np.lexsort((kept.timestamps, kept.users)))


def _some(users: IntArray, ids: tuple[str, ...], seed: int, most: int, always: IntArray) -> IntArray:
    """At most so many users, those that come first by a hash of seed and id, and some in any case; ascending."""
    if len(users) <= most:
        return users
    others = np.setdiff1d(users, always)
    order = sorted(others.tolist(), key=lambda user: name_key("log quality", seed, ids[user]))
    return np.union1d(always, np.array(order[: max(0, most - len(always))], dtype=np.int64))
