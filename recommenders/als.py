"""Weighted matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveFloat

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.recommenders.base import fitted
from groundlings.recommenders.latent import Factors, LatentFactorRecommender, Rounds, VectorLength
from groundlings.recommenders.strengths import Weights


class AlsRecommender(LatentFactorRecommender):
    """Explains every cell of the matrix, interactions with more weight (Hu, Koren and Volinsky 2008).

    Fitted by implicit's `AlternatingLeastSquares` with its conjugate-gradient solver (Takacs et al. 2011).

    Args:
        factors: Length of the vectors.
        regularisation: Penalty on their squared length.
        confidence: Weight of an interaction; an unobserved item has weight 1.
        iterations: How often both sides are solved in turn.
        seed: Of the random start.
        new_items: The vector of an item that came after the fit. "takers": the direction of the mean of the unit
            vectors of its users; "least_squares": the solution that a fit would give it, which is short for an item
            with few users, and in which the most active of them dominate.
        new_length: Length of such a vector if all its users have the same direction, in mean lengths of the fitted
            items' vectors; for "takers". The longer, the more easily new items are ranked before old ones.
        weights: "log" multiplies `confidence` by the logarithm of what was bought, played or repeated.
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
        weights: Weights = "none",
    ) -> None:
        super().__init__(weights)
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
        """The item vector for fixed user vectors; equation 5 of the paper, shape (n_factors,).

        An interaction has the weight `confidence`, any other cell 1, as in implicit.
        """
        curvature = gram + (self.confidence - 1) * takers.T @ takers
        return np.asarray(np.linalg.solve(curvature, self.confidence * takers.sum(axis=0)))


def _takers(takers: sp.csr_array) -> list[IntArray]:
    """Row numbers of each column's people."""
    columns = sp.csc_array(takers)
    return np.split(columns.indices, columns.indptr[1:-1])
