"""Weighted matrix factorisation by alternating least squares."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from recommenders.latent import Factors, LatentFactorRecommender


class AlsRecommender(LatentFactorRecommender):
    """Explains every cell of the matrix, the met ones with more weight (Hu, Koren and Volinsky 2008).

    Fitted by implicit's `AlternatingLeastSquares` with its conjugate-gradient solver (Takacs et al. 2011).

    Args:
        factors: Length of the vectors.
        regularisation: Penalty on their squared length.
        confidence: Weight of a met item; an item not met weighs 1.
        iterations: How often both sides are solved in turn.
        seed: Of the random start.
    """

    def __init__(
        self,
        factors: PositiveInt = 32,
        regularisation: Annotated[float, Field(ge=0)] = 10.0,
        confidence: PositiveFloat = 1.0,
        iterations: PositiveInt = 15,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        self.factors = factors
        self.regularisation = regularisation
        self.confidence = confidence
        self.iterations = iterations
        self.seed = seed

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
