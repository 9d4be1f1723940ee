"""Item-based nearest neighbours that know only what users liked."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.item_knn import ItemKnnRecommender
from groundlings.recommenders.rating_bias import rated_rows


class LikedKnnRecommender(ItemKnnRecommender):
    """As `item_knn` (Sarwar et al. 2001), fitted on liked pairs alone.

    That is how a top-N recommender is made of ratings where a low one is no recommendation (Deshpande and Karypis 2004,
    "Item-based top-N recommendation algorithms"). Users without a like get the most liked items.

    Args:
        neighbours: How many most similar items each item keeps.
        shrinkage: Added to the denominator of the cosine; reduces similarities that rest on few users.
        weighting: "tf_idf" gives very active users less weight, "none" gives all users the same.
        like_from: The least rating that is a like; that of the data set's scale if absent.
    """

    def __init__(
        self,
        neighbours: Annotated[int, Field(ge=1, le=1_000_000)] = 50,
        shrinkage: Annotated[float, Field(ge=0)] = 10.0,
        weighting: Literal["tf_idf", "none"] = "tf_idf",
        like_from: float | None = None,
        rating_scale: RatingScale | None = None,
    ) -> None:
        super().__init__(neighbours, shrinkage, weighting)
        self.like_from = (rating_scale or RatingScale()).like if like_from is None else like_from

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """See `Recommender.fit`."""
        rated = rated_rows(interactions, "liked_knn")
        super().fit(rated.take(np.flatnonzero(rated.ratings >= self.like_from)), catalog)

    def check_data(self, interactions: Interactions, catalog: Catalog) -> None:  # noqa: ARG002 - as the protocol has it
        """See `AsyncRecommender.check_data`: there are ratings."""
        rated_rows(interactions, "liked_knn")
