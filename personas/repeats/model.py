"""How likely a user takes up again what they know, on a day on which they take up anything.

    P(again | shown and looked at) = logistic(intercept + features @ weights)

Features are recency, frequency and time between purchases (as in RFM models and Fader, Hardie and Lee 2005, "Counting
your customers the easy way", Marketing Science 24), and what is known of the item and of the user:

    count      log of the days on which the user took the item up
    since      log of the days since the latest of them
    early      log(since / gap) where that is below 0: it is not due yet
    late       log(since / gap) where that is above 0: it was due, and may have been given up
    fresh      exp(-since / 4): it was taken up only just now
    lapsed     count * late
    rate       log of the times a day since the first one
    item       log-odds that somebody who knows the item takes it up again on an occasion
    visits     log of the user's occasions a day
    basket     log of the items that the user takes up on an occasion

Gaps and rates of a pair are shrunk towards those of the item, and those of an item towards the mean of all items (as
in Bhagat, Muralidharan, Lobzhanidze and Vishwanath 2018, "Buy it again: modeling repeat purchase recommendations", KDD,
who estimate an item's and a customer's rates apart). Weights are estimated on users of the fitting and validation
thirds and their training rows alone: the latest fifth of each user's occasions are labels, and everything else is
measured on the occasions before it. They are then applied to all training rows.

What is new to a user has its own model, the taste; how much of it they take up on one occasion is measured here, from
the same labels, so that known and new items are on one scale. It is a logistic function of `visits` and `basket`, and
what the user really took up lately counts as soon as it is more than a few items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.repeats import OwnClock
from groundlings.personas.repeats.occasions import Chances, Occasions
from groundlings.personas.repeats.ownership import Ownership
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic

FEATURES = ("count", "since", "early", "late", "fresh", "lapsed", "rate", "item", "visits", "basket")
"""Names and order; see the module."""

FEWEST_REPEATS = 100
"""With fewer repeats to fit on than this, all known items have the mean chance."""

_MOST_ROWS = 400_000
_RIDGE = 5.0
_FRESH_DAYS = 4.0
_NEW_PRIOR = 5.0
"""New items of the usual user that a user's own share of new ones rests on."""
_ITEM_PRIOR = 50.0
"""Occasions of the mean item that an item's share rests on."""
_GAP_PRIOR = 5.0
"""Gaps of the mean item that an item's mean gap rests on."""
_PAIR_PRIOR = 1.0
"""Gaps of the item that a pair's mean gap and rate rest on."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What is measured of items and users.

    Attributes:
        gap: Mean days between two times that an item is taken up, shape (n_items,).
        item: Feature of the same name, shape (n_items,).
        visits, basket: Features of the same names, shape (n_users,).
    """

    gap: FloatArray
    item: FloatArray
    visits: FloatArray
    basket: FloatArray

    def features(
        self, users: IntArray, items: IntArray, count: IntArray, first: IntArray, latest: IntArray, day: IntArray | int
    ) -> FloatArray:
        """`FEATURES` of some pairs on a day after their latest one, shape (n, n_features)."""
        gap = self.gap[items]
        since = np.maximum(day - latest, 1).astype(np.float64)
        age = np.maximum(day - first, 1)
        usual = (latest - first + _PAIR_PRIOR * gap) / (count - 1 + _PAIR_PRIOR)
        overdue = np.log(since / usual)
        return np.column_stack(
            [
                np.log(count),
                np.log(since),
                np.minimum(overdue, 0),
                np.maximum(overdue, 0),
                np.exp(-since / _FRESH_DAYS),
                np.log(count) * np.maximum(overdue, 0),
                np.log((count - 1 + _PAIR_PRIOR) / (age + _PAIR_PRIOR * gap)),
                self.item[items],
                self.visits[users],
                self.basket[users],
            ]
        )


@dataclass(frozen=True)
class RepeatModel:
    """The fitted model.

    Attributes:
        rates: From all training rows.
        weights: Of the features, shape (n_features,).
        intercept: Log-odds where all of them are 0.
        new_share: Share of the items that a user does not know which they take up on an occasion, mean over occasions.
        new_shares: The same of each user, shape (n_users,).
        repeats: How many repeats it was fitted on.
        owned: What everybody knows before the first simulated day.
    """

    rates: Rates
    weights: FloatArray
    intercept: float
    new_share: float
    new_shares: FloatArray
    repeats: int
    owned: Ownership

    def log_odds(
        self, users: IntArray, items: IntArray, count: IntArray, first: IntArray, latest: IntArray, day: IntArray | int
    ) -> FloatArray:
        """Of taking known items up again on a day, shape (n,)."""
        return self.intercept + self.rates.features(users, items, count, first, latest, day) @ self.weights

    def describe(self) -> Mapping[str, Any]:
        """Plain JSON values, for manifests."""
        return {
            "weights": dict(zip(FEATURES, self.weights.tolist(), strict=True)),
            "intercept": self.intercept,
            "repeats": self.repeats,
            "new_share": self.new_share,
            "fingerprint": self.fingerprint,
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that was measured and estimated, in hexadecimal."""
        digest = hashlib.sha256(np.array([*self.weights, self.intercept, self.new_share]).tobytes())
        owned, rates = self.owned, self.rates
        arrays = owned.keys, owned.count, owned.first, owned.latest, self.new_shares
        for array in (*arrays, rates.gap, rates.item, rates.visits, rates.basket):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def fit_repeats(train: Interactions, clock: OwnClock, fitting: BoolArray, *, seed: int) -> RepeatModel:
    """Estimate the model.

    Args:
        train: The training part of the history; a dislike takes nothing up.
        clock: Of the same split.
        fitting: Users that may be fitted on, shape (n_users,): nobody of the test third.
        seed: Of the thinning of what was not taken up again.

    Raises:
        DataError: None of these users had an occasion to take anything up again.
    """
    train = train.chosen()
    with threadpool_limits(1, "blas"):
        days, items = clock.days(train), train.items.astype(np.int64)
        known = fitting[train.users]
        fitted = Occasions.of(train.users[known], items[known], days[known], train.n_users, train.n_items)
        everybody = Occasions.of(train.users, items, days, train.n_users, train.n_items)
        rows = fitted.chances(_MOST_ROWS, np.random.default_rng(seed))
        taken, unknown = fitted.new_items()
        if not len(rows.users) or not 0 < taken.sum() < unknown.sum():
            raise DataError(
                "site.repeats: how often people take up again what they know, beside new items, is not known: nobody "
                "of the training history took up a new item on a later day than their first, or everybody took up all; "
                "take the key out"
            )
        earlier = fitted.before(fitted.labelled_from)
        rates, now = _measure(earlier, earlier), _measure(fitted, everybody)
        intercept, weights = _fit_again(rates, rows)
        return RepeatModel(
            rates=now,
            weights=weights,
            intercept=intercept,
            new_share=float(taken.sum() / unknown.sum()),
            new_shares=_new_shares(rates, now, (taken, unknown), everybody.new_items()),
            repeats=int(rows.again.sum()),
            owned=Ownership.of(train.users, items, days, train.n_items),
        )


def _fit_again(rates: Rates, rows: Chances) -> tuple[float, FloatArray]:
    """Intercept and weights of taking up again; the mean chance where there is too little to fit on."""
    if rows.again.sum() < FEWEST_REPEATS:
        return float(logit((rows.again.sum() + 0.5) / (rows.weights.sum() + 1))), np.zeros(len(FEATURES))
    state = rows.users, rows.items, rows.count, rows.first, rows.latest, rows.day
    return _fit(rates.features(*state), rows.again, rows.weights)


def _new_shares(
    then: Rates, now: Rates, fitted: tuple[FloatArray, FloatArray], lately: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """`RepeatModel.new_shares`.

    Args:
        then: Rates before the labels.
        now: Rates of all training rows.
        fitted: `Occasions.new_items` of the users that are fitted on.
        lately: The same of everybody.
    """
    taken, unknown = fitted
    some = unknown > 0
    features = np.column_stack([then.visits, then.basket])[some]
    outcome = np.repeat([1.0, 0.0], some.sum())
    weights = np.concatenate([taken[some], unknown[some] - taken[some]])
    intercept, slopes = _fit(np.tile(features, (2, 1)), outcome, weights)
    usual = expit(intercept + np.column_stack([now.visits, now.basket]) @ slopes)
    return np.asarray((lately[0] + _NEW_PRIOR) / (lately[1] + _NEW_PRIOR / usual), dtype=np.float64)


def _fit(features: FloatArray, again: FloatArray, weights: FloatArray) -> tuple[float, FloatArray]:
    """Intercept and weights of features as they are."""
    centre, scale = centre_and_scale(features, weights)
    found = fit_logistic((features - centre) / scale, again, weights, ridge=_RIDGE)
    slopes = found[1:] / scale
    return float(found[0] - centre @ slopes), slopes


def _measure(of_items: Occasions, of_users: Occasions) -> Rates:
    """Rates of items on some occasions, and rates of users on others."""
    n_items = of_items.n_items
    begins = of_items.place == 0
    after = of_items.counts[of_items.users] - 1 - of_items.occasion
    chances = np.bincount(of_items.items[begins], after[begins], minlength=n_items)
    again = np.bincount(of_items.items[~begins], minlength=n_items)
    mean = (again.sum() + 0.5) / (chances.sum() + 1)
    share = (again + _ITEM_PRIOR * mean) / (chances + _ITEM_PRIOR)
    # Neighbouring rows are of one pair where the later one does not begin it.
    gaps = np.diff(of_items.days, prepend=0)[~begins].astype(np.float64)
    usual = float(gaps.mean()) if len(gaps) else 1.0
    total = np.bincount(of_items.items[~begins], gaps, minlength=n_items)
    gap = (total + _GAP_PRIOR * usual) / (again + _GAP_PRIOR)
    counts = of_users.counts
    some = counts > 0
    span = np.ones(len(counts))
    span[some] = of_users.calendar[of_users.starts[1:][some] - 1] - of_users.calendar[of_users.starts[:-1][some]] + 1
    taken = np.bincount(of_users.users, minlength=len(counts))
    visits = (counts + 1) / (span + max(float(span[some].sum() / counts.sum()), 1.0)) if some.any() else span
    basket = np.where(some, taken / np.maximum(counts, 1), max(float(taken.sum() / max(counts.sum(), 1)), 1.0))
    return Rates(gap, logit(np.clip(share, 1e-9, 1 - 1e-9)), np.log(visits), np.log(basket))
