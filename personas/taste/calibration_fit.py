"""Estimates a calibrated mind's weights on validation users' held-out interactions.

Labels are case-control: held-out items of users of the validation third, and equally many of the same users' unobserved
items, sampled uniformly. The sampling adds a known number to each user's log-odds, that of unobserved over held-out
items, and does not change the slopes (Prentice and Pyke 1979, "Logistic disease incidence models and case-control
studies", Biometrika). This number is an offset, so that active users keep their higher rate. The intercept is not used:
the mind's constant sets the level. No user of the test third is read.

The weights of the behavioural features come from training rows (`groundlings.personas.taste.model`); here appeal is one
column, so that held-out rows decide only two or three numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy.special import expit, log_expit

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import DataError
from groundlings.environments.package_versions import version_of
from groundlings.environments.random_streams import name_key
from groundlings.environments.split import Split, people_in_thirds
from groundlings.personas.minds.calibrated_question import PairScorer, refusals_of
from groundlings.personas.taste.calibration import Calibration, Estimate, FittedFor, Labels, RandomItems
from groundlings.personas.taste.model import Taste
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic

VALIDATION_THIRD = 1

FEWEST_LABELS = 40
"""With fewer held-out items than this, two weights cannot be estimated."""

_RIDGE = 5.0
_FOLDS = 10
_QUANTILES = (np.arange(20) + 0.5) / 20


@dataclass(frozen=True)
class Pairs:
    """Labelled pairs, rows of one user together.

    Attributes:
        users, items: Shape (n,).
        met: 1 for held-out items, 0 for sampled negatives, shape (n,).
        offset: Log-odds that the sampling adds, shape (n,).
    """

    users: IntArray
    items: IntArray
    met: FloatArray
    offset: FloatArray

    def take(self, rows: BoolArray) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.users[rows], self.items[rows], self.met[rows], self.offset[rows])


def choose_pairs(dataset: Dataset, split: Split, *, salt: str, people: int, pairs: int, seed: int) -> Pairs:
    """Validation people in the order of a hash, half of each one's pairs held out and half random.

    Args:
        dataset: For people and the items that occur at all.
        split: Known and held-out part.
        salt: Of the thirds.
        people: How many at most.
        pairs: How many of each at most, half of them held out.
        seed: Of the choice.
    """
    thirds = people_in_thirds(dataset.people.user_ids, salt)
    train, later, ever = split.train.matrix, split.test.matrix, dataset.interactions.matrix
    occurring = np.flatnonzero(dataset.interactions.item_counts)
    known = np.diff(train.indptr) > 0
    candidates = np.flatnonzero((thirds == VALIDATION_THIRD) & known & (np.diff(later.indptr) > 0))
    keys = [name_key("calibration", salt, seed, dataset.people.user_ids[user]) for user in candidates]
    columns: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
    for user in candidates[np.argsort(keys, kind="stable")]:
        chance = np.random.default_rng(name_key("calibration pairs", salt, seed, dataset.people.user_ids[user]))
        before = train.indices[train.indptr[user] : train.indptr[user + 1]]
        after = np.setdiff1d(later.indices[later.indptr[user] : later.indptr[user + 1]], before)
        unmet = np.setdiff1d(occurring, ever.indices[ever.indptr[user] : ever.indptr[user + 1]])
        size = min(pairs // 2, len(after), len(unmet))
        if not size:
            continue
        items = np.concatenate([chance.choice(some, size, replace=False) for some in (after, unmet)])
        met = (np.arange(2 * size) < size).astype(np.float64)
        offset = np.full(2 * size, np.log(len(unmet) / len(after)))
        columns.append((np.full(2 * size, user, dtype=np.int64), items.astype(np.int64), met, offset))
        if len(columns) == people:
            break
    if not columns:
        raise DataError(f"{dataset.name}: nobody of the validation third has held-out items to calibrate on")
    users, items, labels, offsets = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Pairs(users, items, labels, offsets)


async def fit_calibration(
    fitted_for: FittedFor,
    dataset: Dataset,
    split: Split,
    taste: Taste,
    scorer: PairScorer,
    *,
    people_at_once: int = 1,
    on_pairs: Callable[[int, int], None] = lambda _done, _total: None,
    check_lost: Callable[[int, int], None] = lambda _lost, _asked: None,
) -> Calibration:
    """Ask the model about validation people's pairs and estimate the weights.

    Args:
        fitted_for: What is wanted; says how many people and pairs, and the seed.
        dataset, split: The data.
        taste: The evidence.
        scorer: Asks the model.
        people_at_once: How many people are asked about side by side.
        on_pairs: Told how many pairs are done, of how many.
        check_lost: Told how many answers are unreadable, of how many; raises where these are too many.

    Raises:
        DataError: There are too few held-out items, or the model's answers cannot be read.
    """
    chosen = choose_pairs(
        dataset, split, salt=fitted_for.salt, people=fitted_for.people, pairs=fitted_for.pairs, seed=fitted_for.seed
    )
    scores = await scorer.ask_pairs(chosen.users, chosen.items, people_at_once=people_at_once, on_pairs=on_pairs)
    readable = ~np.isnan(scores)
    lost = int((~readable).sum())
    check_lost(lost, len(readable))
    known, scores = chosen.take(readable), scores[readable]
    met = known.met
    if met.sum() < FEWEST_LABELS or (1 - met).sum() < FEWEST_LABELS:
        raise DataError(
            f"calibration: {int(met.sum())} held-out items of validation people with a readable answer of "
            f"{fitted_for.model} ({lost} unreadable{refusals_of(scorer)}), needed {FEWEST_LABELS} at least; raise "
            "mind.fit_people and mind.fit_pairs, choose another model, or use mind: behavioural"
        )
    people = np.unique(known.users)
    appeal = taste.appeal_of(known.users, known.items)
    centre, spread = float(scores.mean()), float(scores.std())
    scale = spread if spread > 0 else 1.0
    said = (scores - centre) / scale
    evidence, language = _fit(np.column_stack([appeal, said]), known)
    (alone,) = _fit(said[:, None], known)
    return Calibration(
        fitted_for=fitted_for,
        labels=Labels(people=len(people), met=int(met.sum()), passed_by=int((1 - met).sum()), unreadable=lost),
        centre=centre,
        scale=scale,
        evidence=evidence,
        language=language,
        language_alone=alone,
        gain=_gain(appeal, said, known),
        random_items=_random_items(appeal[met == 0], said[met == 0]),
        taste=taste.weights.as_dict(),
        versions={name: version_of(name) for name in ("groundlings", "numpy", "scipy")},
        created=datetime.now(UTC).date().isoformat(),
    )


def _fit(features: FloatArray, known: Pairs) -> list[Estimate]:
    """One weight a column, with standard errors clustered by person (Liang and Zeger 1986, Biometrika)."""
    centre, scale = centre_and_scale(features)
    met = known.met
    design = np.column_stack([np.ones(len(met)), (features - centre) / scale])
    weights = fit_logistic(design[:, 1:], met, np.ones(len(met)), ridge=_RIDGE, offset=known.offset)
    chance = expit(design @ weights + known.offset)
    penalty = np.diag([1e-8, *np.full(features.shape[1], _RIDGE)])
    bread = np.linalg.inv((design * (chance * (1 - chance))[:, None]).T @ design + penalty)
    people, whose = np.unique(known.users, return_inverse=True)
    slopes = np.zeros((len(people), design.shape[1]))
    np.add.at(slopes, whose, design * (met - chance)[:, None])
    errors = np.sqrt(np.diag(bread @ slopes.T @ slopes @ bread) * len(people) / max(len(people) - 1, 1))
    return [
        Estimate(value=float(weight), error=float(error))
        for weight, error in zip(weights[1:] / scale, errors[1:] / scale, strict=True)
    ]


def _gain(appeal: FloatArray, said: FloatArray, known: Pairs) -> Estimate:
    """Mean over people of the log likelihood that the language term adds to labels of people left out, a pair."""
    people, whose = np.unique(known.users, return_inverse=True)
    folds = (np.arange(len(people)) % _FOLDS)[whose]
    added = np.zeros(len(said))
    for fold in range(min(_FOLDS, len(people))):
        out = folds == fold
        if out.all():
            continue
        added[out] = _log_likelihood(np.column_stack([appeal, said]), known, out) - _log_likelihood(
            appeal[:, None], known, out
        )
    by_person = np.bincount(whose, added) / np.bincount(whose)
    error = float(by_person.std(ddof=1) / np.sqrt(len(people))) if len(people) > 1 else 0.0
    return Estimate(value=float(by_person.mean()), error=error)


def _log_likelihood(features: FloatArray, known: Pairs, out: BoolArray) -> FloatArray:
    """Of the labels in `out`, by weights estimated on the others, in nats, shape (out.sum(),)."""
    centre, scale = centre_and_scale(features[~out])
    standard = (features - centre) / scale
    others = known.take(~out)
    weights = fit_logistic(standard[~out], others.met, np.ones(len(others.met)), ridge=_RIDGE, offset=others.offset)
    odds = weights[0] + standard[out] @ weights[1:] + known.offset[out]
    return np.where(known.met[out] > 0, log_expit(odds), log_expit(-odds))


def _random_items(appeal: FloatArray, said: FloatArray) -> RandomItems:
    spread = float(appeal.var())
    slope = float(((appeal - appeal.mean()) * (said - said.mean())).mean()) / spread if spread > 0 else 0.0
    intercept = float(said.mean()) - slope * float(appeal.mean())
    left = said - intercept - slope * appeal
    return RandomItems(
        intercept=intercept,
        slope=slope,
        residuals=tuple(np.quantile(left, _QUANTILES).tolist()),
        scores=tuple(np.quantile(said, _QUANTILES).tolist()),
    )
