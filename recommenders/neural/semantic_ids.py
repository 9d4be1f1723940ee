"""The next item is generated code by code, its codes being made of what the catalogue says of it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.recommenders.base import Recommender, fitted, hash_of
from groundlings.recommenders.fit_counts import FitCounts
from groundlings.recommenders.latent import VectorLength
from groundlings.recommenders.neural.codes import ItemCodes, item_codes
from groundlings.recommenders.neural.extra import require_torch
from groundlings.recommenders.neural.generation import Everything, Floats, Read, Reader, Trie, search
from groundlings.recommenders.neural.options import (
    BatchSize,
    Blocks,
    Dropout,
    Heads,
    LearningRate,
    NetworkWidth,
    Patience,
    Seed,
)
from groundlings.recommenders.neural.sequences import Sequences
from groundlings.recommenders.neural.transformer import Shape, Weights
from groundlings.recommenders.popular import PopularRecommender
from groundlings.recommenders.text_vectors import plain_vectors

NAME = "semantic_ids"

_COPIES = 5
"""Of the weights while they are trained, as of `sequential`."""

_BYTES_OF_A_STEP = 48
"""For each token that may follow a sequence: its chance and score, where it comes from, and its place in the order."""

_USERS_COUNTED = 200
"""Free searches are made for so many users at most: each takes as long as a list."""

Found = tuple[IntArray, FloatArray]
"""Items and their scores, the best first."""


class SemanticIds(Recommender):
    """Generates the codes of the next item, which its texts decide (after TIGER, Rajput et al. 2023).

    Needs `pip install 'groundlings[neural]'`. Each item has `levels` codes, by residual k-means of what the catalogue
    says of it, and one that tells items of equal codes apart. A transformer reads the codes of a user's latest items
    and tells those of the next one; a beam search in the tree of items that may be listed makes the list. Items that
    nobody chose have codes, too, so they can be generated; they get at most `cold_share` of a list. Who has no history
    gets the list of `popular`.

    Args:
        levels: Codes of an item, without the one that tells equal items apart.
        codes: Different codes of a level.
        text_width: Numbers of the text vectors that are quantised, at most.
        cold_share: Share of a list that items without users may have; they have the rest where nothing else is left.
        beam: Sequences of codes that are looked at side by side; at least as many as the list is long.
        length: Latest items of a user that are looked at.
        width: Numbers of a vector of the network.
        blocks: Layers of attention.
        heads: Attention heads of a layer; the width is a multiple of them.
        dropout: Numbers left out at random in training.
        learning_rate: Of Adam.
        batch_size: Histories of a step.
        epochs: At most.
        patience: Epochs that bring nothing better before training stops.
        seed: Of the codes, the start, the batches and dropout.

    Attributes:
        ids: The codes of the last fit.
        measured: Mean log chance of the items that were kept back from training, after each epoch of the last fit.
    """

    def __init__(
        self,
        levels: Annotated[int, Field(ge=1, le=8)] = 3,
        codes: Annotated[int, Field(ge=2, le=65_536)] = 64,
        text_width: VectorLength = 128,
        cold_share: Annotated[float, Field(ge=0, le=1)] = 0.1,
        beam: Annotated[int, Field(ge=1, le=10_000)] = 30,
        length: Annotated[int, Field(ge=1, le=1_000)] = 20,
        width: NetworkWidth = 64,
        blocks: Blocks = 2,
        heads: Heads = 2,
        dropout: Dropout = 0.2,
        learning_rate: LearningRate = 0.003,
        batch_size: BatchSize = 64,
        epochs: Annotated[int, Field(ge=1, le=10_000)] = 25,
        patience: Patience = 5,
        seed: Seed = 0,
    ) -> None:
        if width % heads:
            raise ConfigError(
                f"recommender {NAME}: width is {width} and heads is {heads}; expected a width that is a multiple of "
                "the heads"
            )
        self.levels, self.codes, self.text_width, self.cold_share, self.beam = (
            levels, codes, text_width, cold_share, beam,
        )  # fmt: skip
        self.dropout, self.learning_rate, self.batch_size = dropout, learning_rate, batch_size
        self.epochs, self.patience, self.seed = epochs, patience, seed
        self._length = length
        self._shape = Shape("sasrec", 0, length * (levels + 1) + levels, width, blocks, heads)
        self._popular = PopularRecommender()
        self.ids: ItemCodes | None = None
        self.measured: FloatArray = np.zeros(0)
        self._sequences: Sequences | None = None
        self._weights: Weights = {}
        self._reader: Reader | None = None
        self._order: IntArray = np.zeros(0, dtype=np.int64)
        self._cold: BoolArray = np.zeros(0, dtype=np.bool_)

    def embed(self, catalog: Catalog) -> FloatArray:
        """The text vector of each item, shape (n_items, n); write this to quantise other ones."""
        return plain_vectors(catalog, self.text_width)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`; raises `ConfigError` where PyTorch is not installed."""
        require_torch(NAME)
        from groundlings.recommenders.neural.training import Training, trained_on_codes

        self._popular.fit(interactions, catalog)
        self.ids = item_codes(self.embed(catalog), self.levels, self.codes, self.seed)
        self._shape = Shape(
            "sasrec", self.ids.vocabulary, self._shape.length, self._shape.width, self._shape.blocks, self._shape.heads
        )
        self._sequences = Sequences.of(interactions)
        training = Training(
            negatives=None,
            mask_share=0.0,
            dropout=self.dropout,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.seed,
        )
        self._weights, self.measured = trained_on_codes(self._shape, training, self._sequences, self.ids)
        self._reader = Reader(self._weights, self._shape)
        self._order = np.lexsort(self.ids.tokens.T[::-1])
        self._cold = np.bincount(self._sequences.items, minlength=interactions.n_items) == 0

    def check_users(self, users: IntArray) -> None:  # noqa: ARG002 - everybody can be ranked for
        """Raise `ConfigError` before the first day where PyTorch is not installed."""
        require_torch(NAME)

    def observe(self, interactions: Interactions) -> None:
        """See `AsyncRecommender.observe`: histories grow; the codes and the weights stay."""
        self._sequences = fitted(self._sequences, self).followed_by(interactions)

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`; what was clicked on earlier pages of the session counts as chosen."""
        sequences, users = fitted(self._sequences, self), request.users
        if request.clicked is not None and request.shown is not None:
            rows, _ = request.clicked.nonzero()
            sequences = sequences.with_clicks(users, rows, request.shown[request.clicked])
            users = np.arange(len(request))
        size = min(request.size, sequences.n_items)
        items = np.full((len(request), size), NO_ITEM, dtype=np.int32)
        scores = np.full((len(request), size), np.nan)
        strangers = np.flatnonzero(sequences.lengths[users] == 0)
        if len(strangers):
            popular = self._popular.recommend(request.take(strangers))
            items[strangers], scores[strangers] = popular.items, popular.scores
        with threadpool_limits(1, "blas"):
            for row in np.flatnonzero(sequences.lengths[users]).tolist():
                allowed = np.ones(sequences.n_items, dtype=np.bool_)
                allowed[request.seen.indices[request.seen.indptr[row] : request.seen.indptr[row + 1]]] = False
                found, chances = self._listed(self._read(sequences, int(users[row])), allowed, size)
                items[row, : len(found)], scores[row, : len(found)] = found, chances
        return Ranking.deterministic(items, scores)

    def free_sequences(self, users: IntArray) -> tuple[int, int]:
        """How many sequences a free beam search finds for some users, and how many of them are no item's codes.

        Lists hold none of the latter: they are searched in the tree of items. Users without a history are left out.
        """
        sequences, ids = fitted(self._sequences, self), fitted(self.ids, self)
        known, tree = ids.number_of(), Everything(ids.vocabulary)
        free: list[tuple[int, ...]] = []
        with threadpool_limits(1, "blas"):
            for user in users[sequences.lengths[users] > 0].tolist():
                history = self._read(sequences, user)
                beam = search(fitted(self._reader, self), history, tree, ids.depth, self.beam, self._first_place)
                free += map(tuple, beam.tokens.tolist())
        return len(free), sum(tokens not in known for tokens in free)

    def fit_counts(self, users: IntArray) -> FitCounts:
        """See `CountsItsFit.fit_counts`; free searches are made for up to 200 users, evenly spread."""
        ids = fitted(self.ids, self)
        known = users[fitted(self._sequences, self).lengths[users] > 0]
        some = known[:: max(1, -(-len(known) // _USERS_COUNTED))]
        written, invalid = self.free_sequences(some)
        items, told = len(ids.tokens), not np.isnan(ids.explained)
        explained = f"explain {100 * ids.explained:.1f} % of what" if told else "have nothing to explain in what"
        return FitCounts(
            f"{ids.shared:,} of {items:,} items share the codes of all levels with another one; codes {explained} the "
            f"catalogue says of items; a free beam search for {len(some):,} agents with a history writes {written:,} "
            f"sequences of codes, {invalid:,} of them no item's, and lists hold none of these",
            {
                "items": items,
                "shared": ids.shared,
                "explained": ids.explained if told else None,
                "users": len(some),
                "sequences": written,
                "invalid": invalid,
            },
        )

    def memory_bytes(self, interactions: Interactions) -> int:
        """The text vectors, the weights as they are trained, a batch with its gradients, and a free beam search."""
        shape, n_items = self._shape, interactions.n_items
        vocabulary = (self.levels + 1) * self.codes
        inner = 4 * shape.width**2 + 2 * shape.width * shape.inner_width + 8 * shape.width
        weights = shape.width * (vocabulary + shape.length) + shape.blocks * inner
        places = self.batch_size * shape.length
        attention = shape.blocks * (places * shape.length * shape.heads + 12 * places * shape.width)
        batch = 4 * (_COPIES * weights + 4 * places * vocabulary + 4 * attention)
        searched = _BYTES_OF_A_STEP * self.beam * vocabulary
        return self._popular.memory_bytes(interactions) + 48 * self.text_width * n_items + batch + searched

    def state(self) -> str:
        """See `AsyncRecommender.state`."""
        if self._sequences is None or self.ids is None:
            return ""
        weights = (self._weights[name] for name in sorted(self._weights))
        return hash_of(self.ids.tokens, self._sequences.starts, self._sequences.items, *weights)

    @property
    def _first_place(self) -> int:
        """Where the first token of the next item stands."""
        return self._length * (self.levels + 1)

    def _read(self, sequences: Sequences, user: int) -> tuple[Floats, Read]:
        """What the network makes of a user's latest items."""
        end = int(sequences.starts[user + 1])
        latest = sequences.items[max(int(sequences.starts[user]), end - self._length) : end]
        tokens = fitted(self.ids, self).tokens[latest].ravel()
        return fitted(self._reader, self).history(tokens, self._first_place)

    def _listed(self, history: tuple[Floats, Read], allowed: BoolArray, size: int) -> Found:
        """The list of one user, out of the items that are allowed."""
        width, most_cold = max(self.beam, size), int(self.cold_share * size)
        items, scores = self._met(history, self._order[(allowed & ~self._cold)[self._order]], width)
        if most_cold or len(items) < size:
            new, chances = self._unmet(history, self._order[(allowed & self._cold)[self._order]], width)
            items, scores = np.concatenate([items, new]), np.concatenate([scores, chances])
        order = np.lexsort((items, -scores))
        new_here = self._cold[items[order]]
        beyond = new_here & (np.cumsum(new_here) > most_cold)
        order = np.concatenate([order[~beyond], order[beyond]])[:size]
        return items[order], scores[order]

    def _met(self, history: tuple[Floats, Read], items: IntArray, width: int) -> Found:
        """The likeliest of items that somebody chose, which stand in the order of their codes."""
        if not len(items):
            return items, np.zeros(0)
        ids = fitted(self.ids, self)
        trie = Trie(ids.tokens[items])
        beam = search(fitted(self._reader, self), history, trie, ids.depth, width, self._first_place)
        return items[beam.nodes], beam.scores

    def _unmet(self, history: tuple[Floats, Read], items: IntArray, width: int) -> Found:
        """As `_met`, of items that nobody chose: those of equal codes share their chance."""
        if not len(items):
            return items, np.zeros(0)
        codes = fitted(self.ids, self).tokens[items, :-1]
        beam = search(fitted(self._reader, self), history, Trie(codes), self.levels, width, self._first_place)
        group = np.cumsum(np.r_[False, (codes[1:] != codes[:-1]).any(axis=1)])
        sizes = np.bincount(group)
        chances = np.full(len(sizes), -np.inf)
        chances[beam.nodes] = beam.scores - np.log(sizes[beam.nodes])
        found = np.isfinite(chances)[group]
        best = np.argsort(-chances[group[found]], kind="stable")[:width]
        return items[found][best], chances[group[found]][best]
