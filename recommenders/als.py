"""Weighted matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveFloat

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.recommenders.base import fitted
from groundlings.recommenders.latent import Factors, LatentFactorRecommender, Rounds, VectorLength


class AlsRecommender(LatentFactorRecommender):
    """Explains every cell of the matrix, the met ones with more weight (Hu, Koren and Volinsky 2008).

    Fitted by implicit's `AlternatingLeastSquares` with its conjugate-gradient solver (Takacs et al. 2011).

    Args:
        factors: Length of the vectors.
        regularisation: Penalty on their squared length.
        confidence: Weight of a met item; an item not met weighs 1.
        iterations: How often both sides are solved in turn.
        seed: Of the random start.
        new_items: Where an item goes that came after the fit. "takers" puts it where those who met it point on
            average, each with one voice however much they met; "least_squares" solves for it as the fit does, which
            leaves an item of few takers short and lets the busiest of them decide.
        new_length: Of the vector of such an item whose takers all agree, in mean lengths of the fitted items' vectors;
            for "takers". It decides how readily new items stand before old ones.
    """

    def __init__(
        self,
        factors: VectorLength = 32,
        regularisation: Annotated[float, Field(ge=0)] = 10.0,
        confidence: PositiveFloat = 1.0,
        iterations: Rounds = 15,
        seed: NonNegativeInt = 0,
        new_items: Literal["takers", "least_squares"] = "takers",
        new_length: PositiveFloat = 2.0,
    ) -> None:
        super().__init__()
        self.factors = factors
        self.regularisation = regularisation
        self.confidence = confidence
        self.iterations = iterations
        self.seed = seed
        self.new_items = new_items
        self.new_length = new_length

    def factorise(self, matrix: sp.csr_array) -> tuple[Factors, Factors]:
        """See `LatentFactorRecommender.factorise`; one thread, so that sums are always made in the same order."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularisation,
                alpha=self.confidence,
                iterations=self.iterations,
                num_threads=1,
                random_state=np.random.default_rng(self.seed),
            )
            model.fit(sp.csr_matrix(matrix), show_progress=False)
        return model.user_factors, model.item_factors

    def score_new(self, users: IntArray, takers: sp.csr_array) -> FloatArray:
        """See `FoldsIn.score_new` and the argument `new_items`."""
        fitted(self._people, self)
        people = self._people_factors
        if self.new_items == "takers":
            lengths = np.linalg.norm(people, axis=1, keepdims=True)
            voices = people / np.where(lengths > 0, lengths, 1)
            counts = np.maximum(np.asarray(takers.sum(axis=0)), 1)
            met = np.linalg.norm(self._item_factors, axis=0)
            vectors = (takers.T @ voices).T * (self.new_length * met[met > 0].mean() / counts)
        else:
            gram = people.T @ people + self.regularisation * np.eye(self.factors)
            vectors = np.column_stack([self._solve(gram, people[rows]) for rows in _takers(takers)])
        return np.asarray(sp.csr_array(people[users]) @ vectors)

    def _solve(self, gram: FloatArray, takers: FloatArray) -> FloatArray:
        """The item vector that the people's vectors leave no choice about; equation 5 of the paper, shape (n_factors,).

        A met cell weighs `confidence`, any other 1, as in implicit.
        """
        curvature = gram + (self.confidence - 1) * takers.T @ takers
        return np.asarray(np.linalg.solve(curvature, self.confidence * takers.sum(axis=0)))


def _takers(takers: sp.csr_array) -> list[IntArray]:
    """Row numbers of each column's people."""
    columns = sp.csc_array(takers)
    return np.split(columns.indices, columns.indptr[1:-1])
