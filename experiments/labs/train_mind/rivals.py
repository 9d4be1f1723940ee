"""The honest rivals where nothing is known of an item but what the catalogue says: content kNN, and text vectors.

    content likeness   how alike the item is to each item of the history (genres, year, words), summed
    content kNN        item kNN, a new item standing for the mean of the twenty old ones most like it, as in the
                       recommender `content_knn` of `item_knn`; for old items the same as item kNN, and left out
    text ridge         vectors of the recommender `text_embedding`: those of `als`, predicted from the texts by a ridge
                       regression; a person's vector is solved for the history, item vectors fixed (Hu et al. 2008)

All are counted on the rows that the material is counted on, and know a person by the history of the scene alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import Content, measure_content
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.recommenders.content_knn import neighbour_shares
from groundlings.recommenders.text_embedding import TextEmbeddingRecommender

LIKENESS, CONTENT_KNN, TEXT_RIDGE = "content likeness", "content kNN", "text ridge"
NEIGHBOURS = 20

Judge = Callable[[IntArray, IntArray], FloatArray]
"""Items asked about (n,) and items of a history -> the score of each item asked about, shape (n,)."""


@dataclass(frozen=True)
class Rivals:
    """What knows items by their content, fitted on some rows.

    Args:
        statistics: The rows.
        catalog: The items.
    """

    statistics: Interactions
    catalog: Catalog

    def score(self, groups: Mapping[str, Scenes], *, new: bool) -> dict[str, dict[str, FloatArray]]:
        """Rival -> group -> the score of each item, shape as the items of the group's scenes, NaN where there is none.

        Args:
            groups: The scenes.
            new: Whether all items asked about are new: then content kNN is asked, too.
        """
        content = measure_content(self.catalog)
        judges: dict[str, Judge] = {LIKENESS: _likeness(content), TEXT_RIDGE: self._text_ridge()}
        if new:
            asked = np.unique(np.concatenate([each.lists.items[each.lists.listed] for each in groups.values()]))
            judges[CONTENT_KNN] = self._content_knn(content, asked.astype(np.int64))
        with threadpool_limits(1, "blas"):
            return {
                name: {group: _scored(judge, scenes) for group, scenes in groups.items()}
                for name, judge in judges.items()
            }

    def _content_knn(self, content: Content, new: IntArray) -> Judge:
        old = np.flatnonzero(self.statistics.item_counts)
        takers = sp.csr_array(self.statistics.matrix.T).astype(np.float64)
        unit = sp.csr_array(sp.diags_array(1 / np.sqrt(np.maximum(np.diff(takers.indptr), 1))) @ takers)
        shares = sp.csr_array(neighbour_shares(content, old, new, NEIGHBOURS).T)
        stand_ins = sp.csr_array(shares @ unit[old])
        return lambda items, met: np.asarray((stand_ins[np.searchsorted(new, items)] @ unit[met].T).sum(axis=1))

    def _text_ridge(self) -> Judge:
        model = TextEmbeddingRecommender()
        model.fit(self.statistics, self.catalog)
        items = model.learnt()[1].T
        gram = items.T @ items + model.regularisation * np.eye(items.shape[1])

        def judge(asked: IntArray, met: IntArray) -> FloatArray:
            theirs = items[met]
            curvature = gram + (model.confidence - 1) * theirs.T @ theirs
            return np.asarray(items[asked] @ np.linalg.solve(curvature, model.confidence * theirs.sum(axis=0)))

        return judge


def _likeness(content: Content) -> Judge:
    return lambda items, met: content.similarity(items, met).sum(axis=1, dtype=np.float64)


def _scored(judge: Judge, scenes: Scenes) -> FloatArray:
    """The scores of one judge, who is told the items of each history once each."""
    lists, histories = scenes.lists, scenes.histories
    edges = np.searchsorted(histories.users, np.arange(len(scenes) + 1))
    found = np.full(lists.items.shape, np.nan)
    for row, (items, listed) in enumerate(zip(lists.items, lists.listed, strict=True)):
        met = np.unique(histories.items[edges[row] : edges[row + 1]]).astype(np.int64)
        found[row, listed] = judge(items[listed].astype(np.int64), met)
    return found
