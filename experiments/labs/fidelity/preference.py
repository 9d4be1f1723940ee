"""Part 2: does the mind predict which items of their interactions users like, and how many stars they give?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray
from groundlings.experiments.labs.fidelity.lists import Lists
from groundlings.experiments.labs.fidelity.people import mean_by_person, rows_by_person
from groundlings.experiments.labs.fidelity.ratings import RatedPairs, held_out_ratings, rated_rows
from groundlings.experiments.labs.fidelity.records import Kind, Record, Row, compare_rows, target_of
from groundlings.experiments.labs.fidelity.scorers import genre_profile
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.experiments.labs.fidelity.thresholds import MEASURES, choose_rule, measure

PART = "preference"
MAE_TARGET = 0.70

_ERRORS = {
    "mae": "Mean absolute error of the predicted stars, per user; mean over users.",
    "rmse": "Root mean squared error of the predicted stars, per user; mean over users.",
}


def examine_preference(stage: Stage) -> list[Record]:
    """Records of part 2; none where the data set has no ratings."""
    test, validation = held_out_ratings(stage, stage.testers), held_out_ratings(stage, stage.tuners)
    if test.shares is None or not len(test.real) or not len(validation.real):
        return []
    return [*_likes(stage, test, validation), *_errors(test)]


def like_probability(ratings: RatedPairs) -> FloatArray:
    """P(like | rated) of the mind for each pair, shape (n,)."""
    if ratings.shares is None:
        raise ValueError("this data set has no ratings")
    values = np.array(ratings.scale.values)
    return ratings.shares[:, values >= ratings.scale.like].sum(axis=1)


def _judgements(stage: Stage, ratings: RatedPairs) -> dict[str, tuple[Kind, dict[str, FloatArray]]]:
    """Each scorer's scores of the pairs, higher = likelier liked: as given, and less the user's usual score.

    The usual score is the mean over the user's training items. The second scale makes lenient and strict users
    comparable, but loses which of the two a user is.
    """
    known = rated_rows(stage, stage.train, np.unique(ratings.users))
    said, usual = _said(stage, ratings), _said(stage, known)
    people, place = np.unique(ratings.users, return_inverse=True)
    found = {}
    for name, (kind, values) in said.items():
        middle = np.nan_to_num(mean_by_person(known.users, usual[name][1], people))
        found[name] = kind, {"as given": values, "above the usual": values - middle[place]}
    return found


def _said(stage: Stage, ratings: RatedPairs) -> dict[str, tuple[Kind, FloatArray]]:
    genres = genre_profile(stage)
    people, place = np.unique(ratings.users, return_inverse=True)
    return {
        "say yes": ("trivial", np.zeros(len(ratings.users))),
        "popularity": ("trivial", stage.train.item_counts[ratings.items].astype(np.float64)),
        "genre profile": ("trivial", genres(people)[place, ratings.items]),
        "item mean": ("trivial", ratings.predictors["item mean"]),
        "user+item bias": ("trivial", ratings.predictors["user+item bias"]),
        MIND: ("mind", like_probability(ratings)),
    }


def _likes(stage: Stage, test: RatedPairs, validation: RatedPairs) -> list[Record]:
    said, before = _judgements(stage, test), _judgements(stage, validation)
    lists, places = _liked_and_disliked(stage, test, "test")
    tuning, tuning_places = _liked_and_disliked(stage, validation, "validation")
    records = []
    for name, definition in MEASURES.items():
        rows = []
        for scorer, (kind, scales) in said.items():
            if name == "auc":
                rows.append(Row(scorer, kind, _auc_by_person(stage, test, scales["as given"])))
                continue
            fixed = 0.0 if scorer == "say yes" else None
            tried = {scale: _laid_out(values, tuning_places) for scale, values in before[scorer][1].items()}
            rule = choose_rule(name, tried, tuning, fixed)
            here = _laid_out(scales[rule.scale], places)
            rows.append(Row(scorer, kind, measure(name, here, lists, rule.threshold)))
        task = "liked or disliked" if name == "auc" else "liked or disliked 1:1"
        records += compare_rows(
            PART, task, name, rows, definition=definition.replace("real", "liked"), higher_is_better=True
        )
    return records


def _liked_and_disliked(stage: Stage, ratings: RatedPairs, group: str) -> tuple[Lists, IntArray]:
    """Half liked, half disliked held-out items of each user with both, and the row of each place in the lists."""
    most = stage.config.lists.length // 2
    chance = stage.chance("preference", group)
    users, rows, positive = [], [], []
    for own in rows_by_person(ratings.users):
        liked = own[ratings.real[own] >= ratings.scale.like]
        disliked = own[ratings.real[own] < ratings.scale.like]
        size = min(len(liked), len(disliked), most)
        if size:
            chosen = [chance.permutation(kind)[:size] for kind in (liked, disliked)]
            users.append(ratings.users[own[0]])
            rows.append(np.concatenate(chosen))
            positive.append(np.arange(2 * size) < size)
    places = np.full((len(users), 2 * most), -1, dtype=np.int64)
    marks = np.zeros(places.shape, dtype=np.bool_)
    for number, (own, mark) in enumerate(zip(rows, positive, strict=True)):
        places[number, : len(own)], marks[number, : len(own)] = own, mark
    items = np.where(places >= 0, ratings.items[places], NO_ITEM).astype(np.int32)
    return Lists(np.array(users, dtype=np.int64), items, marks), places


def _laid_out(values: FloatArray, places: IntArray) -> FloatArray:
    return np.where(places >= 0, values[places], 0.0)


def _auc_by_person(stage: Stage, ratings: RatedPairs, values: FloatArray) -> FloatArray:
    """AUC over all held-out ratings of each tester, NaN for users with only likes or only dislikes."""
    result = np.full(len(stage.testers), np.nan)
    for own in rows_by_person(ratings.users):
        liked = ratings.real[own] >= ratings.scale.like
        pairs = liked.sum() * (~liked).sum()
        if pairs:
            ranks = rankdata(values[own])
            wins = ranks[liked].sum() - liked.sum() * (liked.sum() + 1) / 2
            result[np.searchsorted(stage.testers, ratings.users[own[0]])] = wins / pairs
    return result


def _errors(ratings: RatedPairs) -> list[Record]:
    people = np.unique(ratings.users)
    rows: dict[str, list[Row]] = {name: [] for name in _ERRORS}
    for scorer, kind, predicted in _predictions(ratings):
        over = predicted - ratings.real
        rows["mae"].append(Row(scorer, kind, mean_by_person(ratings.users, np.abs(over), people)))
        rows["rmse"].append(Row(scorer, kind, np.sqrt(mean_by_person(ratings.users, over**2, people))))
    records = []
    for name, definition in _ERRORS.items():
        records += compare_rows(
            PART, "rating", name, rows[name], definition=definition, higher_is_better=False, most=None
        )
    return [
        target_of(record, high=MAE_TARGET) if record.metric == "mae" and record.scorer == f"{MIND} (median)" else record
        for record in records
    ]


def _predictions(ratings: RatedPairs) -> Sequence[tuple[str, Kind, FloatArray]]:
    """Each scorer's point prediction. The median of a distribution has the least MAE, its mean the least RMSE."""
    shares = ratings.shares
    if shares is None:
        raise ValueError("this data set has no ratings")
    values = np.array(ratings.scale.values)
    median = values[(np.cumsum(shares, axis=1) >= 0.5).argmax(axis=1)]
    trivial: Mapping[str, FloatArray] = ratings.predictors
    return [
        *((name, "trivial", predicted) for name, predicted in trivial.items()),
        (f"{MIND} (median)", "mind", median),
        (f"{MIND} (mean)", "mind", shares @ values),
    ]
