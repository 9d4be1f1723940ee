"""Item-based nearest neighbours: items that occur in the same histories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import Field

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.cores import usable_cores
from groundlings.environments.interactions import rows_of
from groundlings.recommenders.base import fitted
from groundlings.recommenders.candidates import Candidates, best_stored, parts_of_rows
from groundlings.recommenders.collaborative import RetrievingCollaborative
from groundlings.recommenders.compiled import compiled
from groundlings.recommenders.nearest_items import LARGE, nearest_items, short
from groundlings.recommenders.strengths import Weights


class ItemKnnRecommender(RetrievingCollaborative):
    """Sums, over the items of a user's history, the cosine similarity of their nearest neighbours (Sarwar et al. 2001).

    The similarities are those of irspack's `CosineKNNRecommender`.

    Args:
        neighbours: How many most similar items each item keeps.
        shrinkage: Added to the denominator of the cosine; reduces similarities that rest on few users.
        weighting: "tf_idf" gives very active users less weight, "none" gives all users the same.
        weights: "log" counts a pair by the logarithm of what was bought, played or repeated, "none" counts it once.
    """

    def __init__(
        self,
        neighbours: Annotated[int, Field(ge=1, le=1_000_000)] = 50,
        shrinkage: Annotated[float, Field(ge=0)] = 10.0,
        weighting: Literal["tf_idf", "none"] = "tf_idf",
        weights: Weights = "none",
    ) -> None:
        super().__init__(weights)
        self.neighbours = neighbours
        self.shrinkage = shrinkage
        self.weighting = weighting
        self._histories = sp.csr_array((0, 0))
        self._similarity = sp.csr_array((0, 0))
        self._near = self._similarity

    def learn(self, matrix: sp.csr_array) -> None:
        """See `CollaborativeRecommender.learn`."""
        tools = compiled("irspack.utils._util_cpp")
        counts = sp.csr_matrix(matrix).astype(np.float64)
        counts.sort_indices()
        weighted = tools.tf_idf_weight(counts) if self.weighting == "tf_idf" else counts
        self._histories = matrix
        if matrix.shape[0] > LARGE:
            self._similarity = nearest_items(counts, weighted, self.neighbours, self.shrinkage)
        else:
            computer = compiled("irspack.recommenders._knn").CosineSimilarityComputer(
                weighted.T,
                self.shrinkage,
                True,  # cosines, and not sums of products
                usable_cores(),  # each item's neighbours are the same whichever thread finds them
            )
            similarity = tools.remove_diagonal(computer.compute_similarity(counts.T, self.neighbours))
            self._similarity = sp.csr_array(similarity.tocsc())
        self._near = short(self._similarity)

    def affinity(self, users: IntArray) -> FloatArray:
        """See `CollaborativeRecommender.affinity`."""
        scores: FloatArray = (self._histories[users] @ self._similarity).toarray()
        return scores

    def score_history(self, items: Sequence[int]) -> FloatArray:
        """Scores of all items for a history of these items, whoever has it, shape (n_items,)."""
        fitted(self._people, self)
        scores: FloatArray = np.zeros(self._similarity.shape[1])
        for item in items:
            row = slice(self._similarity.indptr[item], self._similarity.indptr[item + 1])
            scores[self._similarity.indices[row]] += self._similarity.data[row]
        return scores

    def retrieve(self, users: IntArray, width: int) -> Candidates:
        """See `RetrievingCollaborative.retrieve`: items that neighbour on the history; all others score 0."""
        n_items = self._similarity.shape[1]
        neighbours = np.diff(self._similarity.indptr)
        rows = short(rows_of(self._histories, users))
        reached = np.add.reduceat(np.append(neighbours[rows.indices], 0), rows.indptr[:-1]) * (np.diff(rows.indptr) > 0)
        found = Candidates(np.empty((len(users), width), dtype=np.int32), np.empty((len(users), width)))
        for part in parts_of_rows(np.minimum(reached, n_items)):
            some = best_stored(sp.csr_array(rows[part] @ self._near), width)
            found.items[part], found.scores[part] = some.items, some.scores
        return found

    def score_new(self, users: IntArray, takers: sp.csr_array) -> FloatArray:
        """See `FoldsIn.score_new`: its cosines with the items of the fit, of which its own nearest are kept.

        In the fit it is the old items that keep their nearest, and an item of ten people would be among nobody's.
        """
        fitted(self._people, self)
        weights = np.ones(self._histories.shape[0])
        if self.weighting == "tf_idf":
            weights = np.log(self._histories.shape[1] / (1 + np.diff(self._histories.indptr)))
        known, new = (sp.diags_array(weights) @ matrix for matrix in (self._histories, takers))
        lengths = [np.sqrt(np.asarray((matrix * matrix).sum(axis=0))) for matrix in (known, new)]
        overlap = (known.T @ new).toarray()
        cosines = overlap / np.maximum(np.outer(*lengths) + self.shrinkage, 1e-12)
        if len(cosines) > self.neighbours:
            least = np.partition(cosines, -self.neighbours, axis=0)[-self.neighbours]
            cosines[cosines < least] = 0
        return np.asarray(self._histories[users] @ cosines)

    def learnt(self) -> tuple[NDArray[Any], ...]:
        """See `CollaborativeRecommender.learnt`."""
        return tuple(
            np.asarray(array)
            for matrix in (self._histories, self._similarity)
            for array in (matrix.indptr, matrix.indices, matrix.data)
        )
