"""An extra of part 1: gradient-boosted trees that read a whole list. They predict which of its items were met.

The list reader is no mind: it needs the whole list, real items included, and drives no agent. It shows how far lists of
this kind can be told apart by what is known of users and items, and what each ingredient is worth:

    features alone         `list_features`, each item by itself
    rank and z             each feature's rank and standard score within the list as well
    the rest of the list   likeness of the item to the other items, weighted by how likely each of these is: the real
                           items of a list belong to one user, the others to nobody

The trees are scikit-learn's histogram-based ones (Ke et al. 2017, "LightGBM", NIPS). Their labels are lists of the
validation third, drawn anew: other lists than those that thresholds are chosen on. Users fall into `FOLDS` folds. A
validation user is read by trees that were fitted without this user, so that thresholds are chosen on honest scores; a
test user is read by all of them, and the log-odds are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.random_streams import name_key
from groundlings.environments.split import people_in_thirds
from groundlings.experiments.labs.fidelity.interaction import Asked, Task, rules_of, with_list_scales
from groundlings.experiments.labs.fidelity.list_features import OF_USER, ListFeatures, Numbers
from groundlings.experiments.labs.fidelity.lists import Lists, draw_lists
from groundlings.experiments.labs.fidelity.scorers import Scorer
from groundlings.experiments.labs.fidelity.stage import VALIDATION_THIRD, Stage

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

READER = "list reader"
"""The row with all ingredients."""

INGREDIENTS = {f"{READER}: features alone": 1, f"{READER}: with rank and z": 2, READER: 3}
"""Row -> how many of the module's ingredients it has. Rows with fewer than all are given for uniform negatives only."""

FOLDS = 3
DRAWS = 2
"""Lists of each task that are drawn for each validation user to fit on."""

TREES = 200
"""Trees of each model."""

MOST_PEOPLE = 2000
FEWEST_PEOPLE = 30
"""With fewer validation users than this nothing is fitted, and there is no such row."""

_FIRST_GUESS = 2.0
"""Log-odds per standard score of appeal in the weights of the other items."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Models of `FOLDS` folds of users.

    Attributes:
        fold: The fold of each user fitted on, shape (n,).
        models: One per fold, fitted without the users of the fold.
    """

    fold: IntArray
    models: Sequence[HistGradientBoostingClassifier]

    def unseen(self, table: Numbers, listed: BoolArray, rows: IntArray) -> FloatArray:
        """Log-odds of lists of users fitted on, each by the model that was fitted without the user, 0 without an item.

        Args:
            table: Features, shape (n, w, n_features).
            listed: Where there is an item, shape (n, w).
            rows: The place of each list's user in `fold`, shape (n,).
        """
        result = np.zeros(listed.shape)
        for number, model in enumerate(self.models):
            own = self.fold[rows] == number
            result[own] = _log_odds(model, table[own], listed[own])
        return result

    def score(self, table: Numbers, listed: BoolArray) -> FloatArray:
        """Mean log-odds of lists of other users, shape (n, w), 0 where there is no item."""
        return np.mean([_log_odds(model, table, listed) for model in self.models], axis=0)


def fit_trees(tables: Sequence[tuple[Numbers, Lists]], fold: IntArray, seed: int) -> Trees:
    """Fit on lists whose row r belongs to the user of `fold[r]`; every fold must have users.

    Args:
        tables: Features, shape (n, w, n_features), and the lists they are of.
        fold: The fold of each user, 0 to `FOLDS` - 1.
        seed: Of the features that each split may look at.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    models = []
    for number in range(FOLDS):
        kept = [lists.listed & (fold != number)[:, None] for _, lists in tables]
        model = HistGradientBoostingClassifier(
            learning_rate=0.06, max_iter=TREES, max_leaf_nodes=15, min_samples_leaf=40, l2_regularization=5.0,
            max_features=0.3, early_stopping=False, random_state=seed % 2**32,
        )  # fmt: skip
        with threadpool_limits(1):
            model.fit(
                np.concatenate([table[each] for (table, _), each in zip(tables, kept, strict=True)]),
                np.concatenate([lists.positive[each] for (_, lists), each in zip(tables, kept, strict=True)]),
            )
        models.append(model)
    return Trees(fold, models)


def _log_odds(model: HistGradientBoostingClassifier, table: Numbers, listed: BoolArray) -> FloatArray:
    result = np.zeros(listed.shape)
    if listed.any():
        with threadpool_limits(1):
            result[listed] = model.decision_function(table[listed])
    return result


def lay_out(features: Mapping[str, Numbers], lists: Lists, vectors: Numbers, ingredients: int = 3) -> Numbers:
    """The features of each place of the lists with the first one, two or three ingredients, shape (n, w, n_features).

    Args:
        features: Shape as `lists.items`, `appeal` among them.
        lists: The lists.
        vectors: Unit item vectors, shape (n_items, d).
        ingredients: How many of the module's ingredients.
    """
    listed = lists.listed
    columns = [*features.values()]
    if ingredients > 1:
        columns += [part for name, each in features.items() if name not in OF_USER for part in _within(each, listed)]
    if ingredients > 2:
        rest = _likeness_to_the_rest(features["appeal"], lists, vectors)
        columns += [*rest, *(part for each in rest for part in _within(each, listed))]
    size = np.broadcast_to(listed.sum(axis=1, keepdims=True), listed.shape)
    return np.stack([*columns, size], axis=-1).astype(np.float32)


def _within(values: Numbers, listed: BoolArray) -> tuple[Numbers, Numbers]:
    """Standard score and rank, as a share, within each list; equal values have equal ranks, whatever their places."""
    size = np.maximum(listed.sum(axis=1, keepdims=True), 1)
    middle = np.where(listed, values, 0).sum(axis=1, keepdims=True) / size
    spread = np.sqrt(np.where(listed, (values - middle) ** 2, 0).sum(axis=1, keepdims=True) / size)
    ranks = (rankdata(np.where(listed, values, np.inf), axis=1) - 0.5) / size
    return ((values - middle) / np.maximum(spread, 1e-6)).astype(np.float32), ranks.astype(np.float32)


def _likeness_to_the_rest(appeal: Numbers, lists: Lists, vectors: Numbers) -> list[Numbers]:
    """Mean likeness to the other items; weighted by how likely each was met; and by how likely it was not."""
    listed = lists.listed
    own = vectors[np.where(listed, lists.items, 0)] * listed[..., None]
    alike = np.einsum("nwd,nvd->nwv", own, own)
    places = np.arange(alike.shape[1])
    alike[:, places, places] = 0
    likely = expit(_FIRST_GUESS * _within(appeal, listed)[0])
    found = []
    for weights in (np.where(listed, 1.0, 0.0), np.where(listed, likely, 0.0), np.where(listed, 1 - likely, 0.0)):
        others = weights.sum(axis=1, keepdims=True) - weights
        found.append(np.einsum("nwv,nv->nw", alike, weights) / np.maximum(others, 1e-3))
    return [each.astype(np.float32) for each in found]


@dataclass(frozen=True)
class _Measured:
    """Lists of some users by task and draw, and the features of all of them side by side."""

    lists: Mapping[tuple[Task, int], Lists]
    features: Mapping[str, Numbers]
    vectors: Numbers

    def table(self, task: Task, ingredients: int, draw: int = 0) -> Numbers:
        """`lay_out` of one of the lists."""
        edges = np.cumsum([0, *(each.items.shape[1] for each in self.lists.values())])
        number = list(self.lists).index((task, draw))
        here = {name: each[:, edges[number] : edges[number + 1]] for name, each in self.features.items()}
        return lay_out(here, self.lists[task, draw], self.vectors, ingredients)


def read_lists(stage: Stage, asked: Asked) -> tuple[Asked, list[Scorer]]:
    """The scores with those of the list reader, and its rows; nothing is added where there are too few users."""
    people = _validation_people(stage)
    if len(people) < FEWEST_PEOPLE:
        return asked, []
    fold = stage.chance("list reader", "folds").permutation(len(people)) % FOLDS
    features, vectors = stage_features(stage), stage.taste.evidence.vectors

    def measured(users: IntArray, *draws: Mapping[Task, Lists]) -> _Measured:
        lists = {(task, number): each for number, draw in enumerate(draws) for task, each in draw.items()}
        items = np.concatenate([each.items for each in lists.values()], axis=1)
        return _Measured(lists, features.of(users, items), vectors)

    draws = (draw_lists(stage, people, f"list reader {number}") for number in range(DRAWS))
    fitting = measured(people, *draws)
    tuning, testing = measured(stage.tuners, asked.validation), measured(stage.testers, asked.test)
    rows = np.searchsorted(people, stage.tuners)
    for name, ingredients in INGREDIENTS.items():
        test, validation = {}, {}
        for task in asked.test:
            if name != READER and task[0] != "uniform":
                continue
            tables = [(fitting.table(task, ingredients, draw), fitting.lists[task, draw]) for draw in range(DRAWS)]
            trees = fit_trees(tables, fold, name_key("list reader", stage.seed, *task))
            own, theirs = asked.validation[task], asked.test[task]
            said = trees.unseen(tuning.table(task, ingredients), own.listed, rows)
            validation[task] = with_list_scales({"as read": said}, own)
            said = trees.score(testing.table(task, ingredients), theirs.listed)
            test[task] = with_list_scales({"as read": said}, theirs)
        asked = replace(
            asked,
            test_scores={**asked.test_scores, name: test},
            validation_scores={**asked.validation_scores, name: validation},
            rules={**asked.rules, **rules_of(name, validation, asked.validation)},
        )
    return asked, [Scorer(name, "reader", {}) for name in INGREDIENTS]


def stage_features(stage: Stage) -> ListFeatures:
    """The features of everybody, with three recommenders fitted on the training rows."""
    from groundlings.recommenders.als import AlsRecommender
    from groundlings.recommenders.ease import EaseRecommender
    from groundlings.recommenders.item_knn import ItemKnnRecommender

    scores = {}
    for name, recommender in (
        ("item kNN", ItemKnnRecommender()), ("EASE", EaseRecommender()), ("ALS", AlsRecommender()),
    ):  # fmt: skip
        recommender.fit(stage.train, stage.dataset.catalog)
        scores[name] = recommender.score
    return ListFeatures(stage.train, stage.train, stage.dataset.catalog, stage.taste, scores)


def _validation_people(stage: Stage) -> IntArray:
    """The users of the validation third with training and held-out rows, ascending; a sample of very many."""
    thirds = people_in_thirds(stage.dataset.people.user_ids, stage.config.split.salt)
    known = (np.diff(stage.train.matrix.indptr) > 0) & (np.diff(stage.held_out.indptr) > 0)
    people = np.flatnonzero(known & (thirds == VALIDATION_THIRD))
    if len(people) > MOST_PEOPLE:
        others = np.setdiff1d(people, stage.tuners)
        more = max(MOST_PEOPLE - len(stage.tuners), 0)
        people = np.union1d(stage.tuners, stage.chance("list reader", "people").permutation(others)[:more])
    return people.astype(np.int64)
