"""Bayesian personalised ranking: learn the order of pairs instead of the values of cells."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy.sparse as sp
from pydantic import Field, NonNegativeInt, PositiveFloat

from groundlings.recommenders.latent import Factors, LatentFactorRecommender, Rounds, VectorLength


class BprRecommender(LatentFactorRecommender):
    """Matrix factorisation that ranks interactions before unobserved items (Rendle et al. 2009), items with a bias.

    Fitted by implicit's `BayesianPersonalizedRanking`. Its threads update shared vectors without locks, which
    never gives the same result twice; one thread does.

    Args:
        factors: Length of the vectors.
        learning_rate: Step of the stochastic gradient.
        regularisation: Penalty on the squared length of the vectors.
        epochs: How many times as many pairs are drawn as there are interactions.
        seed: Of the random start and of the pairs drawn.
    """

    def __init__(
        self,
        factors: VectorLength = 32,
        learning_rate: PositiveFloat = 0.02,
        regularisation: Annotated[float, Field(ge=0)] = 0.01,
        epochs: Rounds = 60,
        seed: NonNegativeInt = 0,
    ) -> None:
        super().__init__()
        self.factors = factors
        self.learning_rate = learning_rate
        self.regularisation = regularisation
        self.epochs = epochs
        self.seed = seed

    def factorise(self, matrix: sp.csr_array) -> tuple[Factors, Factors]:
        """See `LatentFactorRecommender.factorise`."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularisation,
            iterations=self.epochs,
            num_threads=1,
            random_state=np.random.default_rng(self.seed),
        )
        model.fit(sp.csr_matrix(matrix), show_progress=False)
        return model.user_factors, model.item_factors
