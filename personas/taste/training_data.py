"""What a taste is estimated from: measured once for a history, then fitted as often as one likes.

People of the test third lend their training rows to the counts, as they do to every recommender, but no label.

Appeal is about items that a person has not met. So where people meet items again (groceries, songs), only first
meetings count, as evidence and as labels. Repeats as labels teach that people choose what everybody has at home: on
groceries the weight of popularity grew by half, and recommenders of popular items were preferred against the facts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from threadpoolctl import threadpool_limits

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.environments.repeats import SECONDS_PER_DAY
from groundlings.environments.sorting import are_among, distinct, pair_keys
from groundlings.environments.split import LabelRows, people_in_thirds, split_training
from groundlings.personas.taste.features import Evidence, Features, measure_evidence
from groundlings.personas.taste.left_over import left_over_of
from groundlings.personas.taste.many_users import MOST_RATERS, sampled_users
from groundlings.personas.taste.negative_sampling import AppealLabels, choose_labels
from groundlings.personas.taste.sampled_items import SampledItems, measure_sampled, users_in_sample
from groundlings.personas.taste.star_features import StarEvidence, measure_stars

HELD_OUT = 0.2
"""Share of each person's training rows that serve as labels: the latest, or random ones where the split is random."""

_STAR_DIMENSIONS = 32


@dataclass(frozen=True)
class Measured:
    """Evidence with and without the labels.

    Attributes:
        evidence, stars: From all training rows; `stars` is None where nobody gave any.
        earlier, earlier_stars: The same without the rows that serve as labels.
        labels: Held-out items and sampled negatives.
        features: Of the labels, from the earlier evidence, shape (n_labels, n_features).
        held_out: The rows that serve as labels; dislikes among them are labels of ratings only.
        occasions: Days on which each user took up anything, known items included, while labels were held out, shape
            (n_users,).
    """

    evidence: Evidence
    stars: StarEvidence | None
    earlier: Evidence
    earlier_stars: StarEvidence | None
    labels: AppealLabels
    features: FloatArray
    held_out: Interactions
    occasions: IntArray

    @property
    def met_share(self) -> float | None:
        """Share of their candidates that the people with held-out rows met in them; None where that is none or all.

        Neither has log-odds that a level could be set by. Candidates are all items of the catalog that are not in a
        person's history without the held-out rows.
        """
        people = distinct(self.held_out.users)
        met = np.diff(self.held_out.matrix.indptr)[people].sum()
        before = np.diff(self.earlier.met.indptr)[people]
        candidates = len(people) * self.held_out.n_items - before.sum()
        return float(met / candidates) if 0 < met < candidates else None


def measure(dataset: Dataset, train: Interactions, *, salt: str, seed: int, labels: LabelRows = "latest") -> Measured:
    """Measure everything that `fit_taste` needs; arguments as there."""
    sample = users_in_sample(train)
    # One thread each: faster on so many small matrices, and sums are always taken in the same order.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(2) as beside:
        sampled = None if sample is None else beside.submit(measure_sampled, train).result
        everything = beside.submit(measure_rows, dataset, train, sampled=sampled)
        rows, held_out, occasions = _rows_before(dataset, train, sample, salt=salt, labels=labels)
        earlier, earlier_stars = measure_rows(dataset, rows, raters=raters_asked(held_out), sampled=sampled)
        del rows  # of a million users they take half a gigabyte, beside what is still being measured
        chosen = choose_labels(train, held_out.chosen(), seed=name_key("labels", salt, seed))
        features = earlier.pairs(chosen.users, chosen.items)
        evidence, stars = everything.result()
        return Measured(evidence, stars, earlier, earlier_stars, chosen, features, held_out, occasions)


def _rows_before(
    dataset: Dataset, train: Interactions, sample: BoolArray | None, *, salt: str, labels: LabelRows
) -> tuple[Interactions, Interactions, IntArray]:
    """Training rows without labels, the rows that serve as labels, and `Measured.occasions`."""
    fitting = people_in_thirds(dataset.people.user_ids, salt) != 2
    theirs = train
    if sample is not None:
        fitting = _outside(sample, train, fitting)
        theirs = train.take(fitting[train.users])
    inner = split_training(dataset, theirs, HELD_OUT, labels, salt=salt)
    new = inner.test.take(~_occur(inner.test, inner.train)).first_meetings()
    held_out = new.take(fitting[new.users])
    return train_without(train, new, fitting), held_out, _occasions(inner.test)


def _outside(sample: BoolArray, train: Interactions, fitting: BoolArray) -> BoolArray:
    """Some of those that may be fitted on and are not in the sample, shape (n_users,)."""
    rows = np.bincount(train.users, minlength=train.n_users)
    return sampled_users(np.where(fitting & ~sample, rows, 0), 0, least=MOST_RATERS)


def _occasions(rows: Interactions) -> IntArray:
    """Days (UTC) on which each user has a row, shape (n_users,)."""
    days = rows.timestamps // (SECONDS_PER_DAY * rows.ticks_per_second)
    first, last = int(days.min(initial=0)), int(days.max(initial=0))
    found = distinct(rows.users * (last - first + 1) + days - first)
    return np.bincount(found // (last - first + 1), minlength=rows.n_users).astype(np.int64)


def raters_asked(held_out: Interactions) -> IntArray | None:
    """Whose held-out ratings the star model is estimated on; None where users are so few that it is everybody's."""
    if held_out.n_users <= MOST_RATERS:
        return None
    work = np.bincount(held_out.users[~np.isnan(held_out.ratings)], minlength=held_out.n_users)
    return np.flatnonzero(sampled_users(work, 0, least=MOST_RATERS))


def measure_rows(
    dataset: Dataset,
    rows: Interactions,
    *,
    real: Interactions | None = None,
    raters: IntArray | None = None,
    sampled: Callable[[], SampledItems] | None = None,
) -> tuple[Evidence, StarEvidence | None]:
    """The evidence of some rows, and that of their stars, None where nobody gave any.

    Args:
        dataset: Items, people and the scale.
        rows: What is known of users.
        real: The rows that tell of items, where those of synthetic users do not; all if absent.
        raters: Whose own regressions of stars are wanted; None = everybody's.
        sampled: Gives what a sample of very many users says of items; measured here if absent, where it is needed.
    """
    with threadpool_limits(1, "blas"):
        if sampled is None and users_in_sample(rows) is not None:
            sampled = cache(partial(measure_sampled, rows, real))
        told = None if real is None else real.chosen().first_meetings()
        left = left_over_of(rows)
        tables = None if sampled is None else lambda: sampled().tables
        evidence = measure_evidence(rows.chosen().first_meetings(), dataset.catalog, told, tables)
        if left is None:
            return evidence, None
        vectors = None if sampled is None else sampled().rating_vectors
        stars = measure_stars(left, dataset.scale, star_features(evidence), dataset.people, raters, vectors)
        return evidence, stars


def train_without(train: Interactions, held_out: Interactions, fitting: BoolArray) -> Interactions:
    """Training rows less the held-out rows of the people that are fitted on."""
    without = fitting[train.users]
    without[without] = _occur(train.take(without), held_out)
    return train.take(~without)


def _occur(rows: Interactions, others: Interactions) -> BoolArray:
    """Whether the user and the item of each row occur together among other rows, shape (n_rows,)."""
    pairs, wanted = (pair_keys(each.users, each.items, each.n_items)[0] for each in (rows, others))
    return are_among(pairs, wanted)


def star_features(evidence: Evidence) -> Features:
    """Item vectors, leading dimensions, beside genres of unit length, shape (n_items, d)."""
    lengths = np.linalg.norm(evidence.genres, axis=1, keepdims=True)
    genres = evidence.genres / np.where(lengths > 0, lengths, 1)
    return np.column_stack([evidence.vectors[:, :_STAR_DIMENSIONS], genres]).astype(np.float32)
