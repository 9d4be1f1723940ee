"""Collaborative vectors of items, predicted from text: so items that nobody met can be ranked at once."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveFloat
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ridge import fit_ridge
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.latent import Factors, LatentFactorRecommender, Rounds, VectorLength
from groundlings.recommenders.strengths import Weights
from groundlings.recommenders.text_vectors import plain_vectors

_BYTES_PER_WORD_VECTOR = 48
"""Per item and number of its text vector: the basis of the SVD, its copies and the regression's."""


class TextEmbeddingRecommender(LatentFactorRecommender):
    """Ranks by vectors of users and items, those of items predicted from their texts by a linear map.

    The idea of Sheng et al. (2025), "Language representations can be what recommenders need", ICLR: a linear map of
    text vectors carries much of what collaborative vectors do. Here the map is a ridge regression, in closed form, from
    text vectors to the item vectors of `als`, an item with n users weighted n / (n + `trust`). An item's vector is then
    n parts that of `als` and `trust` parts that of its text: an item without users has that of its text alone.

    This is not AlphaRec, their recommender, which trains a network on the text vectors, with graph convolution and a
    contrastive loss: `text_graph` does. Text vectors are those of `text_vectors.plain_vectors`; a subclass that writes
    `embed` has others, such as those of a language model.

    Args:
        factors: Length of the vectors; this and the next four are options of `als`.
        regularisation: Penalty on their squared length.
        confidence: Weight of an interaction; an unobserved item has weight 1.
        iterations: How often both sides are solved in turn.
        seed: Of the random start.
        width: Numbers of a text vector at most.
        ridge: Penalty of the regression, in mean squared lengths of a text vector.
        trust: Number of users with which an item's own vector and that of its text count alike.
        weights: As of `als`.
    """

    def __init__(
        self,
        factors: VectorLength = 32,
        regularisation: Annotated[float, Field(ge=0)] = 10.0,
        confidence: PositiveFloat = 1.0,
        iterations: Rounds = 15,
        seed: NonNegativeInt = 0,
        width: VectorLength = 128,
        ridge: PositiveFloat = 1.0,
        trust: PositiveFloat = 10.0,
        weights: Weights = "none",
    ) -> None:
        super().__init__(weights)
        self.factors, self.regularisation, self.confidence = factors, regularisation, confidence
        self.iterations, self.seed = iterations, seed
        self.width, self.ridge, self.trust = width, ridge, trust
        self._texts = np.zeros((0, 0))

    def embed(self, catalog: Catalog) -> FloatArray:
        """The text vector of each item, shape (n_items, n); write this to use other ones."""
        return plain_vectors(catalog, self.width)

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`.

        Raises:
            DataError: `embed` gave no finite vector for each item.
        """
        self._texts = checked_vectors(self.embed(catalog), catalog, type(self).__name__)
        super().fit(interactions, catalog)

    def factorise(self, matrix: sp.csr_array) -> tuple[Factors, Factors]:
        """See `LatentFactorRecommender.factorise`."""
        people, items = AlsRecommender(
            self.factors, self.regularisation, self.confidence, self.iterations, self.seed
        ).factorise(matrix)
        counts = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float64)
        own = (counts / (counts + self.trust))[:, None]
        met = items.astype(np.float64)
        with threadpool_limits(1, "blas"):
            of_text = fit_ridge(self._texts, met, own[:, 0], self.ridge).predict(self._texts)
        return people, own * met + (1 - own) * of_text

    def memory_bytes(self, interactions: Interactions) -> int:
        """The vectors, and those of the texts."""
        return super().memory_bytes(interactions) + _BYTES_PER_WORD_VECTOR * self.width * interactions.n_items


def checked_vectors(found: FloatArray, catalog: Catalog, asked: str) -> FloatArray:
    """What `embed` of the class `asked` gave, as float64; raises `DataError` unless it is a finite vector per item."""
    vectors = np.asarray(found, dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(catalog) or not np.isfinite(vectors).all():
        kind = "all finite" if np.isfinite(vectors).all() else "not all finite"
        raise DataError(
            f"{asked}.embed: found an array of shape {vectors.shape}, {kind}; "
            f"expected a vector of finite numbers for each of {len(catalog)} items"
        )
    return vectors
