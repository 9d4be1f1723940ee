"""Text vectors of items, mapped by a small network and carried along the graph of users and items."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, PositiveFloat

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.latent import Factors, LatentFactorRecommender, VectorLength
from groundlings.recommenders.neural.extra import require_torch
from groundlings.recommenders.neural.options import BatchSize, LearningRate, Negatives, NetworkWidth, Patience, Seed
from groundlings.recommenders.text_embedding import checked_vectors
from groundlings.recommenders.text_vectors import plain_vectors

_COPIES = 6
"""Of everybody's vectors in a step of training: of each layer, their mean, their lengths, and as many gradients."""


class TextGraphRecommender(LatentFactorRecommender):
    """A network maps text vectors, so that those who chose an item are near it; no item has a vector of its own.

    The mechanism of AlphaRec (Sheng et al. 2025, "Language representations can be what recommenders need", ICLR). A
    user is the mean of the text vectors of what the user chose. A network of two layers maps users and items; the
    result is averaged along the graph of who chose what (graph convolution without weights, as in LightGCN, He et al.
    2020); and it is trained by a contrastive loss (InfoNCE): a user is nearer to an item of the history than to drawn
    ones. Scores are cosines. An item that nobody chose has the vector that its text alone is mapped to.

    Needs `pip install 'groundlings[neural]'`. AlphaRec takes the vectors of a large language model. Here they are those
    of `text_vectors.plain_vectors`, words by rarity, unless a subclass writes `embed`: with a language model's it is
    AlphaRec, without them it has another name.

    Args:
        width: Numbers of a text vector at most.
        factors: Length of the vectors that users and items are mapped to.
        layers: Steps along the graph; 0 = the text alone.
        temperature: Of the contrastive loss; the lower, the more the nearest wrong items count.
        negatives: Items drawn for each step, which the right ones are compared with.
        learning_rate: Of Adam.
        batch_size: Interactions of a step.
        epochs: At most.
        patience: Epochs that bring nothing better before training stops.
        seed: Of the start, the steps and the drawn items.

    Attributes:
        measured: NDCG@10 of each epoch of the last fit, for the items that were kept back from training.
    """

    def __init__(
        self,
        width: VectorLength = 128,
        factors: NetworkWidth = 64,
        layers: Annotated[int, Field(ge=0, le=8)] = 2,
        temperature: PositiveFloat = 0.15,
        negatives: Negatives = 256,
        learning_rate: LearningRate = 0.001,
        batch_size: BatchSize = 4_096,
        epochs: Annotated[int, Field(ge=1, le=10_000)] = 100,
        patience: Patience = 10,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.width, self.factors, self.layers = width, factors, layers
        self.temperature, self.negatives, self.learning_rate = temperature, negatives, learning_rate
        self.batch_size, self.epochs, self.patience, self.seed = batch_size, epochs, patience, seed
        self.measured: FloatArray = np.zeros(0)
        self._texts = np.zeros((0, 0))

    def embed(self, catalog: Catalog) -> FloatArray:
        """The text vector of each item, shape (n_items, n); write this to use other ones."""
        return plain_vectors(catalog, self.width)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`.

        Raises:
            ConfigError: PyTorch is not installed.
            DataError: `embed` gave no finite vector for each item.
        """
        require_torch("text_graph")
        self._texts = checked_vectors(self.embed(catalog), catalog, type(self).__name__)
        super().fit(interactions, catalog)

    def factorise(self, matrix: sp.csr_array) -> tuple[Factors, Factors]:
        """See `LatentFactorRecommender.factorise`; vectors of length 1, so that a product is a cosine."""
        from groundlings.recommenders.neural.contrastive import Contrast, mapped

        contrast = Contrast(
            factors=self.factors,
            layers=self.layers,
            temperature=self.temperature,
            negatives=self.negatives,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            patience=self.patience,
            seed=self.seed,
        )
        people, items, self.measured = mapped(matrix, self._texts, contrast)
        return people, items

    def check_users(self, users: IntArray) -> None:  # noqa: ARG002 - everybody can be ranked for
        """Raise `ConfigError` before the first day where PyTorch is not installed."""
        require_torch("text_graph")

    def memory_bytes(self, interactions: Interactions) -> int:
        """The vectors, those of the texts, and what a step of training keeps of everybody."""
        everybody = interactions.n_users + interactions.n_items
        step = 4 * everybody * (_COPIES * (self.layers + 1) * self.factors + 3 * self.width)
        compared = 8 * self.batch_size * (self.negatives + 1)
        return super().memory_bytes(interactions) + 8 * self.width * everybody + step + compared
