"""What `sasrec` and `bert4rec` have in common: a user is what the network makes of the latest items, in order."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import fitted
from groundlings.recommenders.latent import Factors, LatentFactorRecommender
from groundlings.recommenders.neural.extra import require_torch
from groundlings.recommenders.neural.sequences import Sequences
from groundlings.recommenders.neural.transformer import Shape, Weights, asked_rows, vectors

_COPIES = 5
"""Of the weights while they are trained: themselves, the best so far, gradients and two averages of Adam."""


class SequentialRecommender(LatentFactorRecommender):
    """Learns by the order of histories which item comes next; subclasses set `style` and the network's options.

    The network is trained in `fit`. Between two fits the weights stay, and a user's vector follows what the user does:
    after each day (`observe`), and within a session where the site asks for every page and says what was clicked
    (`site.rank_each: page`). Items that nobody chose in training have vectors of no meaning.

    Attributes:
        name: As the YAML writes it.
        measured: NDCG@10 of each epoch of the last fit, for the items that were kept back from training.
    """

    name: str

    def __init__(self, shape: Shape, batch_size: int, loss_width: int | None) -> None:
        super().__init__()
        if shape.width % shape.heads:
            raise ConfigError(
                f"recommender {self.name}: width is {shape.width} and heads is {shape.heads}; "
                "expected a width that is a multiple of the heads"
            )
        self.factors = shape.width + 1  # the last one is the item's bias
        self.measured: FloatArray = np.zeros(0)
        self._shape = shape
        self._batch_size, self._loss_width = batch_size, loss_width
        self._weights: Weights = {}
        self._sequences: Sequences | None = None

    @abstractmethod
    def train(self, shape: Shape, sequences: Sequences, *, repeats: bool) -> tuple[Weights, FloatArray]:
        """Weights, and the quality of each epoch; called where PyTorch is installed."""

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`; raises `ConfigError` where PyTorch is not installed."""
        require_torch(self.name)
        self._shape = replace(self._shape, n_items=interactions.n_items)
        self._sequences = Sequences.of(interactions)
        repeats = interactions.matrix.nnz < len(self._sequences.items)
        self._weights, self.measured = self.train(self._shape, self._sequences, repeats=repeats)
        super().fit(interactions, catalog)

    def factorise(self, matrix: sp.csr_array) -> tuple[Factors, Factors]:
        """See `LatentFactorRecommender.factorise`."""
        sequences = fitted(self._sequences, self)
        people = np.zeros((matrix.shape[0], self.factors), dtype=np.float32)
        known = np.flatnonzero(sequences.lengths)
        people[known] = self._people_of(sequences, known)
        items = np.zeros((matrix.shape[1], self.factors), dtype=np.float32)
        items[:, :-1] = self._weights["items"][: matrix.shape[1]]
        items[:, -1] = self._weights.get("item_bias", 0.0)
        return people, items

    def check_users(self, users: IntArray) -> None:  # noqa: ARG002 - everybody can be ranked for
        """Raise `ConfigError` before the first day where PyTorch is not installed."""
        require_torch(self.name)

    def observe(self, interactions: Interactions) -> None:
        """See `AsyncRecommender.observe`: the vectors of these users follow; the weights stay."""
        self._sequences = fitted(self._sequences, self).followed_by(interactions)
        people, known = self._people_factors.copy(), fitted(self._known, self).copy()
        users = np.unique(interactions.chosen().users)
        people[users], known[users] = self._people_of(self._sequences, users), True
        self._people_factors, self._known = people, known

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; what was clicked on earlier pages of the session counts as chosen."""
        if request.clicked is None or request.shown is None or not request.clicked.any():
            return super().recommend(request)
        sequences = fitted(self._sequences, self)
        rows, _ = request.clicked.nonzero()
        now = sequences.with_clicks(request.users, rows, request.shown[request.clicked])
        people, known = self._people_factors[request.users], fitted(self._known, self)[request.users]
        changed = np.unique(rows)
        people[changed], known[changed] = self._people_of(now, changed), True
        here = copy.copy(self)  # whose users are those of the request
        here._people_factors, here._known = people, known
        users = np.arange(len(request))
        return super(SequentialRecommender, here).recommend(replace(request, users=users, shown=None, clicked=None))

    def memory_bytes(self, interactions: Interactions) -> int:
        """The weights as they are trained, the scores of a batch with their gradients, and everybody's vectors."""
        shape, n_items = self._shape, interactions.n_items
        inner = 4 * shape.width**2 + 2 * shape.width * shape.inner_width + 8 * shape.width
        weights = shape.width * (n_items + shape.length) + shape.blocks * inner
        places = self._batch_size * shape.length
        scores = places * (n_items if self._loss_width is None else min(self._loss_width, n_items))
        attention = shape.blocks * (places * shape.length * shape.heads + 12 * places * shape.width)
        return super().memory_bytes(interactions) + 4 * (_COPIES * weights + 4 * scores + 4 * attention)

    def learnt(self) -> tuple[NDArray[Any], ...]:
        """See `CollaborativeRecommender.learnt`."""
        sequences = fitted(self._sequences, self)
        weights = (self._weights[name] for name in sorted(self._weights))
        return *super().learnt(), sequences.starts, sequences.items, *weights

    def _people_of(self, sequences: Sequences, users: IntArray) -> Factors:
        """Vectors of some users, who have items, and a 1 for the bias, shape (n, factors)."""
        found = vectors(self._weights, self._shape, asked_rows(self._shape, sequences, users))
        return np.concatenate([found, np.ones((len(users), 1), dtype=np.float32)], axis=1)
