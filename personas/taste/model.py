"""Hidden taste: how much each item appeals to each person, and how many stars it would get.

Appeal is the log-odds, in a logistic model on the features of `groundlings.personas.taste.features`, that an unobserved
item is one that the user interacts with next rather than one of the others. Stars come from
`groundlings.personas.taste.star_model`.

Weights are estimated only on users of the fitting and validation thirds (`groundlings.environments.split`), and only on
their training rows: the latest fifth of each user's training rows is held out as labels, all features are measured
again without these rows (`groundlings.personas.taste.training_data`), and for each held-out item negatives are sampled
from the user's unobserved items and weighted (`groundlings.personas.taste.negative_sampling`). The weights are then
applied to features from all training rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any
from weakref import ref

import numpy as np
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import LabelRows
from groundlings.personas.taste.features import FEATURES, Evidence, Features
from groundlings.personas.taste.many_users import MANY
from groundlings.personas.taste.pair_memory import PairMemory, Place
from groundlings.personas.taste.regression import centre_and_scale, fit_logistic
from groundlings.personas.taste.row_cache import CatalogRows
from groundlings.personas.taste.similar_users import SimilarUsers
from groundlings.personas.taste.star_features import StarEvidence
from groundlings.personas.taste.star_model import StarModel, fit_stars
from groundlings.personas.taste.training_data import Measured, measure, measure_rows, raters_asked
from groundlings.personas.taste.weights import AppealWeights, StarWeights, TasteWeights

FEWEST_LABELS = 100
"""With fewer held-out items than this nothing is estimated, and `WITHOUT_DATA` is used as it stands."""

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "items": ("sequence", "association", "recent_taste", "season", "popularity", "genre", "activity"),
    "people": ("people", "popularity", "genre", "activity"),
}
"""Two tastes that share no collaborative evidence, to see whether a finding depends on how taste is modelled."""

WITHOUT_DATA = np.array([3.0, 0.2, 0.2, 0.9, 0.1, -0.2, 0.1, 1.0])
"""Weights where nothing can be estimated: about what MovieLens-100K and MovieLens-1M give."""

_RIDGE = 5.0


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """What is worked out of a taste on demand.

    Attributes:
        similar: Who is like whom, of the users that were asked about.
        pairs: Where the values of pairs lie, for processes of the same machine; None where they cannot be reached.
    """

    similar: SimilarUsers
    pairs: Place | None


@dataclass(frozen=True)
class Taste:
    """The fitted model.

    Attributes:
        evidence: From all training rows.
        appeal_weights: Of the logistic model.
        stars: The model of ratings, None where nobody gave any.
    """

    evidence: Evidence
    appeal_weights: AppealWeights
    stars: StarModel | None

    @property
    def n_items(self) -> int:
        """Size of the catalog."""
        return self.evidence.n_items

    @property
    def weights(self) -> TasteWeights:
        """All that was estimated; `fit_taste` takes it back."""
        model = self.stars
        stars = None if model is None else StarWeights(model.fit, model.mood, model.labels)
        return TasteWeights(self.appeal_weights, stars)

    def appeal(self, users: IntArray) -> Features:
        """Log-odds of interest in every item, up to one constant for everybody, shape (n, n_items)."""
        total = np.zeros((len(users), self.n_items), dtype=np.float32)
        for name, slope, centre in self._terms():
            total += slope * (self.evidence.column(name, users) - centre)
        return total

    def appeal_of(self, users: IntArray, items: IntArray) -> FloatArray:
        """`appeal` of some pairs, shape (n_pairs,), without whole rows: equal up to the rounding of 32-bit sums.

        That of a pair is the same to the last bit in any company.
        """
        total = np.zeros(len(users))
        for name, slope, centre in self._terms():
            total += slope * (self.evidence.column_of_pairs(name, users, items) - centre)
        return total

    def _terms(self) -> list[tuple[str, np.float32, np.float32]]:
        """Name, slope and centre of each feature that has a weight."""
        weights = self.appeal_weights
        return [
            (name, np.float32(slope), np.float32(centre))
            for name, slope, centre in zip(FEATURES, weights.slopes, weights.centre, strict=True)
            if slope
        ]

    def describe(self) -> Mapping[str, Any]:
        """Weights and numbers of labels, for the manifest."""
        appeal = self.appeal_weights
        described: dict[str, Any] = {
            "appeal": dict(zip(FEATURES, appeal.weights.tolist(), strict=True)),
            "appeal_labels": appeal.labels,
            "met_share": appeal.met_share,
            "fingerprint": self.fingerprint,
        }
        if self.evidence.n_users > MANY:
            described["sampled_beyond_users"] = MANY  # tables of items and lists of similar users: `many_users`
        if self.stars is not None:
            plain = self.weights.as_dict()
            described |= {"stars": plain["stars"], "star_labels": plain["star_labels"]}
        return described

    def __getstate__(self) -> dict[str, Any]:
        """Without what was computed on demand: a copy in another process computes what it is asked about."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def known_pairs(self) -> PairMemory:
        """`appeal_of`, kept once computed; shared by all minds of this taste."""
        taste = ref(self)  # so that the table, which is large, is given back as soon as nobody needs the taste

        def appeal(users: IntArray, items: IntArray) -> FloatArray:
            asked = taste()
            assert asked is not None, "whoever asks has the taste"
            return asked.appeal_of(users, items)

        place = self.__dict__.pop("_place", None)
        return PairMemory(appeal, self.n_items, place, n_users=self.evidence.n_users)

    def worked_out(self) -> WorkedOut:
        """What a copy in another process need not work out again, as far as it is known here; see `take_over`."""
        return WorkedOut(self.evidence.similar, self.known_pairs.place)

    def take_over(self, known: WorkedOut) -> None:
        """Begin with what was worked out of the taste that this one is a copy of, before anything is asked."""
        self.evidence.__dict__["similar"] = known.similar
        self.__dict__["_place"] = known.pairs

    @cached_property
    def catalog_rows(self) -> CatalogRows:
        """Rows of all items, kept once computed, for who must know all of them: bounds and labs."""
        return CatalogRows(self)

    def get_ready(self, users: IntArray) -> None:
        """Find and keep the similar users of some, and whatever else is worked out once, for all processes to share."""
        self.evidence.similar.find(users)
        popular = int(self.evidence.popularity.argmax())  # flags of such items are made then, too
        self.known_pairs.of(users[:1], np.full(len(users[:1]), popular))

    def ready_ahead(self, users: IntArray) -> AbstractContextManager[None]:
        """Find the similar users of some beside whatever else is done; see `SimilarUsers.found_ahead`."""
        return self.evidence.similar.found_ahead(users)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that was measured and estimated, in hexadecimal."""
        digest = hashlib.sha256()
        weights = self.appeal_weights
        for array in (*self.evidence.arrays(), weights.weights, weights.centre, weights.scale):
            digest.update(np.ascontiguousarray(array).tobytes())
        if self.stars is not None:
            fit, evidence = self.stars.fit, self.stars.evidence
            digest.update(np.array([fit.stretch, fit.shift, self.stars.mood, *fit.weights]).tobytes())
            for part in (evidence.thresholds, evidence.item_bias, evidence.group_coefficients, evidence.coefficients):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def fit_taste(
    dataset: Dataset,
    train: Interactions,
    *,
    salt: str,
    seed: int,
    features: Sequence[str] = FEATURES,
    weights: TasteWeights | None = None,
    labels: LabelRows = "latest",
) -> Taste:
    """Measure the evidence and estimate the weights.

    Args:
        dataset: For items, people and scale; its `interactions` are not read.
        train: The training part of the history.
        salt: `split.salt`: it says who is in the test third.
        seed: Of the sampling of negatives.
        features: Which of `FEATURES` appeal may use, `FAMILIES` for instance; the others get the weight 0.
        weights: Estimated before: then nothing is estimated, and salt, seed and features are not read. With the
            same history the taste is the one they came from, to the last bit.
        labels: `Split.labels` of the split that `train` comes from: which training rows serve as labels.

    Raises:
        DataError: The weights know no stars, and the history has some.
    """
    if weights is None:
        return estimate(measure(dataset, train, salt=salt, seed=seed, labels=labels), features)
    return with_weights(*measure_rows(dataset, train), weights)


def estimate(measured: Measured, features: Sequence[str] = FEATURES, *, per_occasion: bool = False) -> Taste:
    """Estimate the weights of one choice of features; nothing is measured again.

    Args:
        measured: What they are estimated from.
        features: Which of `FEATURES` appeal may use.
        per_occasion: Whether appeal is that of one occasion (a day on which the user takes up anything) instead of
            all occasions of the user while labels were held out. Users who come often then find no more new items on
            each occasion because they find more of them together.
    """
    with threadpool_limits(1, "blas"):
        stars = None
        if measured.stars is not None and measured.earlier_stars is not None:
            held_out = measured.held_out
            rated = held_out.take(~np.isnan(held_out.ratings))
            raters = raters_asked(held_out)
            if raters is not None:
                rated = rated.take(np.isin(rated.users, raters))
            stars = fit_stars(measured.earlier_stars, rated, measured.stars)
        return Taste(measured.evidence, _fit_appeal(measured, features, per_occasion=per_occasion), stars)


def with_weights(evidence: Evidence, stars: StarEvidence | None, weights: TasteWeights) -> Taste:
    """What people like by evidence and weights that were estimated before.

    Raises:
        DataError: The weights know no stars, and the history has some.
    """
    known = weights.stars
    if stars is None:
        return Taste(evidence, weights.appeal, None)
    if known is None:
        raise DataError(
            "taste weights: found none for stars, but the history has ratings; estimate the weights on a history with "
            "ratings, or take the ratings out"
        )
    return Taste(evidence, weights.appeal, StarModel(stars, known.fit, known.mood, known.labels))


def _fit_appeal(measured: Measured, features: Sequence[str], *, per_occasion: bool) -> AppealWeights:
    used = np.array([name in features for name in FEATURES])
    labels, earlier = measured.labels, measured.earlier
    share = measured.met_share
    if labels.positives < FEWEST_LABELS:
        users = np.arange(min(earlier.n_users, 200), dtype=np.int64)
        columns = [earlier.column(name, users) for name in FEATURES]
        centre, scale = np.array([(float(column.mean()), float(column.std())) for column in columns]).T
        return AppealWeights(np.where(used, WITHOUT_DATA, 0.0), centre, np.where(scale > 1e-9, scale, 1.0), 0, share)
    values = measured.features
    centre, scale = centre_and_scale(values, labels.weights)
    weights = np.zeros(len(FEATURES))
    standard = ((values - centre) / scale)[:, used]
    # The odds of meeting a rare item on any of so many occasions are about so many times those on one.
    offset = np.log(np.maximum(measured.occasions[labels.users], 1)) if per_occasion else 0.0
    weights[used] = fit_logistic(standard, labels.met, labels.weights, ridge=_RIDGE, offset=offset)[1:]
    return AppealWeights(weights, centre, scale, labels.positives, share)
