"""Ratings of items that nobody chose: errors, level and order within a person, beside trivial predictions.

Trivial predictions are fitted on the self-chosen ratings: the item's mean, user and item bias, and the feature
regression that is also a recommender. With exposures there is one more: the best of them moved by the mean error that
it makes on the exposures of people who are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.experiments.labs.fidelity.people import rows_by_person
from groundlings.experiments.labs.fidelity.records import Kind
from groundlings.experiments.labs.resampling import Resamples
from groundlings.experiments.labs.truth.arms import PEOPLE_AT_ONCE
from groundlings.experiments.labs.truth.audiences import Audience, open_and_like
from groundlings.experiments.labs.truth.ground import Ground
from groundlings.experiments.labs.truth.records import Metric, Row, TruthRecord, compare
from groundlings.recommenders.feature_regression import FeatureRegressionRecommender
from groundlings.recommenders.item_mean import ItemMeanRecommender
from groundlings.recommenders.rating_bias import fit_biases

PART = "ratings"
TASK = "ratings of random items"
RMSE_TARGET, AUC_TARGET = 1.03, 0.73
"""Of a mind that was fitted on exposures."""

_DAMPING = 5.0
_DEFINITIONS = {
    "mae": "Mean absolute error of predicted ratings over all exposures.",
    "rmse": "Root mean squared error of predicted ratings over all exposures.",
    "bias": "Mean predicted rating less mean real rating over all exposures.",
    "like auc": "P(a liked item of a person has the higher score than an item that the same person did not like), mean "
    "over people with both.",
}


@dataclass(frozen=True)
class Prediction:
    """What a scorer says of every exposure.

    Attributes:
        ratings: Predicted ratings, shape (n,); None where it gives none.
        likes: Scores that rise with the chance of a like, shape (n,); None likewise.
    """

    ratings: FloatArray | None = None
    likes: FloatArray | None = None


@dataclass(frozen=True)
class Scorer:
    """Who predicts.

    Attributes:
        name, kind: As in records.
        said: One prediction per partition.
        fitted: Whether it was fitted on exposures of people who are not judged.
        targets: Metric -> tolerance.
    """

    name: str
    kind: Kind
    said: Sequence[Prediction]
    fitted: bool = False
    targets: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)


def examine_ratings(
    ground: Ground, resamples: Resamples, minds: Sequence[Sequence[Audience]], salts: Sequence[str]
) -> list[TruthRecord]:
    """Records of the ratings; none where exposures have no ratings.

    Args:
        ground: The data.
        resamples: Of people.
        minds: For each partition the minds under examination, the same in each.
        salts: The partitions.
    """
    if not ground.rated:
        return []
    judged = [~ground.fitted_half(salt) for salt in salts]
    scorers = [*_trivial(ground, salts), *_examined(ground, minds)]
    records = []
    for name, definition in _DEFINITIONS.items():
        auc = name == "like auc"
        sizes = [int((who & _mixed(ground)).sum() if auc else who[ground.place].sum()) for who in judged]
        metric = Metric(
            PART, TASK, name, definition, None if name == "bias" else "better", auc, sizes,
            "people" if auc else "exposures", (0.0, 1.0) if auc else (-np.inf if name == "bias" else 0.0, np.inf),
        )  # fmt: skip
        measure = _auc if auc else partial(_error, name=name)
        rows = []
        for scorer in scorers:
            if (scorer.said[0].likes if auc else scorer.said[0].ratings) is not None:
                values = [measure(ground, resamples, said, who) for said, who in zip(scorer.said, judged, strict=True)]
                rows.append(Row(scorer.name, scorer.kind, values, scorer.fitted, scorer.targets.get(name)))
        records += compare(metric, rows, salts)
    return records


def _error(ground: Ground, resamples: Resamples, said: Prediction, who: BoolArray, *, name: str) -> FloatArray:
    if said.ratings is None:
        raise ValueError("this scorer predicts no ratings")
    over = said.ratings - ground.exposures.ratings
    rated = ~np.isnan(over)
    over = np.where(rated, over, 0.0)
    each = {"mae": np.abs(over), "rmse": over**2, "bias": over}[name]
    found = resamples.ratio(ground.by_person(each), ground.by_person(rated.astype(np.float64)), who)
    return np.sqrt(found) if name == "rmse" else found


def _auc(ground: Ground, resamples: Resamples, said: Prediction, who: BoolArray) -> FloatArray:
    if said.likes is None:
        raise ValueError("this scorer orders no items")
    values = np.full(len(ground.people), np.nan)
    for rows in rows_by_person(ground.place):
        liked = ground.positive[rows] == 1
        pairs = liked.sum() * (~liked).sum()
        if pairs:
            ranks = rankdata(said.likes[rows])
            wins = ranks[liked].sum() - liked.sum() * (liked.sum() + 1) / 2
            values[ground.place[rows[0]]] = wins / pairs
    return resamples.mean(values, who)


def _mixed(ground: Ground) -> BoolArray:
    """People with liked exposures and others, shape (n_people,)."""
    return (ground.by_person(ground.positive) > 0) & (ground.by_person(1 - ground.positive) > 0)


def _trivial(ground: Ground, salts: Sequence[str]) -> list[Scorer]:
    """Predictions from self-chosen ratings, and the last of them moved by its mean error on others' exposures."""
    train, scale = ground.train, ground.dataset.scale
    users, items = ground.exposures.users, ground.exposures.items.astype(np.int64)
    biases = fit_biases(train.take(~np.isnan(train.ratings)), _DAMPING)
    of_user = biases.middle + biases.by_user[users]
    means, regression = ItemMeanRecommender(0.0), FeatureRegressionRecommender(demographics=ground.dataset.people)
    for each in (means, regression):
        each.fit(train, ground.dataset.catalog)
    by_features = np.empty(len(users))
    for first in range(0, len(ground.people), PEOPLE_AT_ONCE):
        here = (ground.place >= first) & (ground.place < first + PEOPLE_AT_ONCE)
        table = regression.score(ground.people[first : first + PEOPLE_AT_ONCE])
        by_features[here] = table[ground.place[here] - first, items[here]]
    found = {
        "item mean": means.score(users[:1])[0, items],
        "user+item bias": np.clip(of_user + biases.by_item[items], scale.low, scale.high),
        "feature regression": np.clip(of_user + by_features, scale.low, scale.high),
    }
    scorers = [Scorer(name, "trivial", [Prediction(said, said)] * len(salts)) for name, said in found.items()]
    popularity = train.item_counts[items].astype(np.float64)
    scorers.append(Scorer("popularity", "trivial", [Prediction(likes=popularity)] * len(salts)))
    best = found["feature regression"]
    moved = []
    for salt in salts:
        other = ground.fitted_half(salt)[ground.place]
        shift = np.nanmean(best[other] - ground.exposures.ratings[other])
        moved.append(Prediction(np.clip(best - shift, scale.low, scale.high), best))
    return [*scorers, Scorer("feature regression, recentred", "trivial", moved, fitted=True)]


def _examined(ground: Ground, minds: Sequence[Sequence[Audience]]) -> list[Scorer]:
    """Each mind's mean and median, its P(like), and for orientation its P(click) times P(like)."""
    users, items = ground.exposures.users, ground.exposures.items.astype(np.int64)
    values = np.array(ground.dataset.scale.values)
    scorers: list[Scorer] = []
    for same in zip(*minds, strict=True):
        shares = [each.shares(users, items) for each in same if each.shares is not None]
        if not shares:
            continue
        name, fitted = same[0].name, same[0].fitted
        likes = [Prediction(likes=each[:, values >= ground.dataset.scale.like].sum(axis=1)) for each in shares]
        medians = [Prediction(values[(np.cumsum(each, axis=1) >= 0.5).argmax(axis=1)]) for each in shares]
        both = [Prediction(likes=open_and_like(each, users, items)) for each in same]
        scorers += [
            Scorer(f"{name} (median)", "mind", medians, fitted),
            Scorer(
                f"{name} (mean)", "mind", [Prediction(each @ values) for each in shares], fitted,
                {"rmse": (None, RMSE_TARGET)} if fitted else {},
            ),
            Scorer(name, "mind", likes, fitted, {"like auc": (AUC_TARGET, None)} if fitted else {}),
            Scorer(f"{name}, P(click) x P(like)", "reference", both, fitted),
        ]  # fmt: skip
    return scorers
