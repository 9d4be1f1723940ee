"""The scorers of part 1: trivial scorers, recommenders for orientation, and the mind under examination."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.experiments.labs.fidelity.records import Kind
from groundlings.experiments.labs.fidelity.stage import MIND, Stage

CatalogScores = Callable[[IntArray], FloatArray]
"""Scores of all items for some users, shape (n, n_items), higher = likelier."""

PEOPLE_AT_ONCE = 256
ALIKE = 50
"""Number of items on each side, in order of popularity, that count as equally popular."""


@dataclass(frozen=True)
class Scorer:
    """Scores pairs of user and item.

    Attributes:
        name: Its name in every record.
        kind: What kind of row it is.
        scales: The same scores on one or more scales, name -> (users (n,), items (n, w)) -> scores (n, w). The scale of
            a threshold is chosen with the threshold, on validation users. A row of NaN means that the scorer was not
            asked about this user; figures then rest on the other users.
        threshold: Fixed, if the scorer says yes or no by itself; None = chosen on validation users.
    """

    name: str
    kind: Kind
    scales: dict[str, Callable[[IntArray, ItemArray], FloatArray]]
    threshold: float | None = None


def interaction_scorers(stage: Stage) -> list[Scorer]:
    """The scorers of part 1, all fitted on training rows only."""
    from groundlings.recommenders.ease import EaseRecommender
    from groundlings.recommenders.item_knn import ItemKnnRecommender

    counts = stage.train.item_counts.astype(np.float64)
    neighbours, ease = ItemKnnRecommender(), EaseRecommender()
    for recommender in (neighbours, ease):
        recommender.fit(stage.train, stage.dataset.catalog)
    return [
        always_yes(),
        catalog_scorer(
            "popularity", "trivial", lambda users: np.broadcast_to(counts, (len(users), len(counts))), stage
        ),
        catalog_scorer("item kNN", "trivial", neighbours.score, stage),
        catalog_scorer("genre profile", "trivial", genre_profile(stage), stage),
        catalog_scorer("EASE", "reference", ease.score, stage),
        catalog_scorer(MIND, "mind", _appeal(stage), stage),
    ]


def _appeal(stage: Stage) -> CatalogScores:
    """The mind's taste, by the rows that its other parts read as well."""
    table = stage.taste.catalog_rows

    def score(users: IntArray) -> FloatArray:
        rows = np.empty((len(users), stage.train.n_items))
        for part, slots in table.parts(users):
            rows[part] = table.appeal[slots]
        return rows

    return score


def always_yes() -> Scorer:
    """Says yes to everything."""
    return Scorer("say yes", "trivial", {"as given": lambda _, items: np.zeros(items.shape)}, threshold=0.0)


def genre_profile(stage: Stage) -> CatalogScores:
    """The sum of a user's genre shares over the genres of an item.

    A user's genre shares are those of all items of their training history.
    """
    genres = stage.dataset.catalog.genre_matrix.astype(np.float64)
    history = stage.train.matrix @ genres
    shares = history / np.maximum(history.sum(axis=1, keepdims=True), 1)
    return lambda users: shares[users] @ genres.T


def catalog_scorer(name: str, kind: Kind, scores: CatalogScores, stage: Stage) -> Scorer:
    """A scorer that can score the whole catalog, on three scales.

    As given; as a rank among the user's candidates (items without an interaction in training), which makes users with
    histories of different length comparable; and as a rank among candidates of similar popularity, for lists in which
    popularity carries no information. Ranks are log-odds of the share of items that score lower, so that a logistic
    curve fits them.
    """
    around = _alike(stage)

    def as_given(users: IntArray, items: ItemArray) -> FloatArray:
        return _in_parts(scores, users, items, lambda _, table, asked: np.take_along_axis(table, asked, axis=1))

    def as_rank(users: IntArray, items: ItemArray) -> FloatArray:
        return _in_parts(scores, users, items, lambda part, table, asked: _shares_below(stage, part, table, asked))

    def as_rank_of_alike(users: IntArray, items: ItemArray) -> FloatArray:
        return _in_parts(
            scores, users, items, lambda part, table, asked: _ranks_alike(stage, part, table, asked, around)
        )

    return Scorer(name, kind, {"as given": as_given, "rank": as_rank, "rank of alike": as_rank_of_alike})


def _in_parts(
    scores: CatalogScores,
    users: IntArray,
    items: ItemArray,
    pick: Callable[[IntArray, FloatArray, IntArray], FloatArray],
) -> FloatArray:
    """Score users in blocks, to limit memory."""
    found = np.empty(items.shape)
    asked = np.where(items == NO_ITEM, 0, items).astype(np.int64)
    for first in range(0, len(users), PEOPLE_AT_ONCE):
        rows = slice(first, first + PEOPLE_AT_ONCE)
        found[rows] = pick(users[rows], np.asarray(scores(users[rows]), dtype=np.float64), asked[rows])
    return found


def _shares_below(stage: Stage, users: IntArray, table: FloatArray, asked: IntArray) -> FloatArray:
    """Log-odds of a rank among the user's candidates; ties count half."""
    result = np.empty(asked.shape)
    matrix = stage.train.matrix
    for row, user in enumerate(users):
        candidates = np.ones(table.shape[1], dtype=np.bool_)
        candidates[matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]] = False
        ordered = np.sort(table[row, candidates])
        values = table[row, asked[row]]
        below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
        result[row] = _log_odds(below / 2, np.full(len(below), len(ordered)))
    return result


def _log_odds(below: FloatArray, of: IntArray) -> FloatArray:
    """log((below + 1/2) / (of - below + 1/2)): finite at both ends."""
    return np.asarray(np.log((below + 0.5) / (of - below + 0.5)), dtype=np.float64)


def _alike(stage: Stage) -> IntArray:
    """The `2 * ALIKE` items nearest to each item in training popularity, shape (n_items, at most 2 * ALIKE)."""
    order = np.argsort(stage.train.item_counts, kind="stable")
    n_items = len(order)
    width = min(2 * ALIKE, n_items)
    first = np.clip(np.arange(n_items) - ALIKE, 0, n_items - width)
    around = np.empty((n_items, width), dtype=np.int64)
    around[order] = order[first[:, None] + np.arange(width)]
    return around


def _ranks_alike(stage: Stage, users: IntArray, table: FloatArray, asked: IntArray, around: IntArray) -> FloatArray:
    """Log-odds of a rank among the candidates of similar popularity; ties count half."""
    known = stage.train.matrix[users].toarray() > 0
    result = np.empty(asked.shape)
    for row in range(len(users)):
        others = around[asked[row]]
        candidates = ~known[row, others]
        values, own = table[row, others], table[row, asked[row]][:, None]
        below = ((values < own) + 0.5 * (values == own)) * candidates
        result[row] = _log_odds(below.sum(axis=1), candidates.sum(axis=1))
    return result
