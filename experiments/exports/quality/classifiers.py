"""Cross-validated scores of two classifiers; all rows of one user are in one fold.

Folds have equal shares of each label where a user has one label: otherwise a fold with more of one label leaves fewer
of it to fit on, and an uninformative classifier scores below 0.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray

FOLDS = 5
TREES = 60


def trees(features: FloatArray, labels: BoolArray, users: IntArray, random: np.random.Generator) -> FloatArray:
    """Log-odds by gradient-boosted trees, each row's from a model fitted without its user, shape (n,).

    Args:
        features: Shape (n, k); NaN where a row has no value.
        labels: Shape (n,).
        users: Whose row it is, shape (n,).
        random: For the folds.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=TREES, max_leaf_nodes=8, min_samples_leaf=10, l2_regularization=1.0,
        early_stopping=False, random_state=0,
    )  # fmt: skip
    return _unseen(model, features, labels, users, random)


def logistic(features: FloatArray, labels: BoolArray, users: IntArray, random: np.random.Generator) -> FloatArray:
    """As `trees`, by a logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression

    spread = features.std(axis=0)
    standard = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return _unseen(LogisticRegression(class_weight="balanced"), standard, labels, users, random)


def _unseen(
    model: Any,
    features: FloatArray,
    labels: BoolArray,
    users: IntArray,
    random: np.random.Generator,
) -> FloatArray:
    people, first, place = np.unique(users, return_index=True, return_inverse=True)
    order = np.lexsort((random.random(len(people)), labels[first]))
    fold = np.empty(len(people), dtype=np.int64)
    fold[order] = np.arange(len(people)) % FOLDS
    fold = fold[place]
    scores = np.zeros(len(labels))
    with threadpool_limits(1):
        for number in range(FOLDS):
            kept = fold != number
            if labels[kept].all() or not labels[kept].any():
                continue  # a fold that leaves one kind alone says nothing, and all its scores are 0
            model.fit(features[kept], labels[kept])
            scores[~kept] = model.decision_function(features[~kept])
    return scores
