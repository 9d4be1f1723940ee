"""Where users are very many, what is said of items rests on a sample of them, and up to that size on everybody."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from groundlings.environments.sorting import are_among, distinct, order_of, order_of_two
from groundlings.personas.taste import (
    co_occurrence,
    features,
    sampled_items,
    similar_users,
    star_features,
    training_data,
)
from groundlings.personas.taste.features import FEATURES, measure_evidence
from groundlings.personas.taste.many_users import sampled_users
from groundlings.personas.taste.model import estimate, fit_taste
from groundlings.personas.taste.training_data import measure

numbers = arrays(np.int64, st.integers(0, 60), elements=st.integers(0, 2**20))


@pytest.fixture
def many(monkeypatch):
    """90 users of the toy data set are many: tables rest on 40 of them, ratings' weights on 20."""
    for module in (features, sampled_items, similar_users, star_features):
        monkeypatch.setattr(module, "MANY", 40)
    monkeypatch.setattr(sampled_items, "MOST_NEAR", 0)
    monkeypatch.setattr(training_data, "MOST_RATERS", 20)
    monkeypatch.setattr(similar_users, "MOST_RECENT_OF_MANY", 8)
    monkeypatch.setattr(similar_users, "ALIKE_OF_MANY", 12)


@given(numbers, st.integers(0, 2**22), st.integers(0, 70))
def test_a_sample_is_everybody_where_they_are_few_or_cost_little_and_never_less_than_so_many(work, most, least):
    chosen = sampled_users(work, most, least)
    some = work > 0
    assert not (chosen & ~some).any()
    if some.sum() <= least or work.sum() <= most:
        assert np.array_equal(chosen, some)
    assert chosen.sum() >= min(some.sum(), least)
    if chosen.sum() > least:
        assert work[chosen].sum() <= most


@given(numbers, st.integers(0, 2**22), st.integers(0, 2**22), st.integers(0, 70))
def test_a_larger_sample_holds_the_smaller_one(work, most, more, least):
    smaller, larger = (sampled_users(work, each, least) for each in sorted((most, more)))
    assert not (smaller & ~larger).any()


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62) | st.integers(-9, 9), st.integers(-9, 9)), max_size=40))
def test_an_order_by_two_numbers_is_that_of_numpy(pairs):
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    assert np.array_equal(order_of_two(first, second), np.lexsort((second, first)))


@given(numbers, numbers)
def test_orders_and_sets_of_numbers_are_those_of_numpy(some, others):
    assert np.array_equal(order_of(some), np.argsort(some, kind="stable"))
    assert np.array_equal(order_of(some << 41), np.argsort(some, kind="stable"))  # too large to hold their places, too
    assert np.array_equal(distinct(some), np.unique(some))
    assert np.array_equal(are_among(some, others), np.isin(some, others))


def test_the_order_of_many_numbers_is_that_of_numpy_whether_they_are_counted_or_sorted():
    for most in (300, 10**9):
        many = np.random.default_rng(1).integers(0, most, 70_000)
        assert np.array_equal(order_of(many), np.argsort(many, kind="stable"))


def test_tables_of_items_are_counted_on_the_sample_and_items_on_everybody(toy, toy_split, many, monkeypatch):
    counted = []
    real = co_occurrence.Steps.of

    def noted(users, items, n_items):
        counted.append(np.unique(users))
        return real(users, items, n_items)

    monkeypatch.setattr(co_occurrence.Steps, "of", noted)
    measured = measure(toy, toy_split.train, salt="a", seed=1)
    evidence = measured.evidence
    assert [len(each) for each in counted] == [40]  # once, for evidence with and without the labels
    assert measured.earlier.tables is evidence.tables
    assert features.version_of(90) != features.version_of(40) == features.VERSION
    assert np.array_equal(evidence.popularity, np.log1p(toy_split.train.item_counts).astype(np.float32))
    assert len(np.flatnonzero(np.diff(evidence.latest.indptr))) == 90  # everybody's own history


def test_labels_are_of_users_whom_the_tables_of_items_do_not_know(toy, toy_split, many):
    train = toy_split.train
    measured = measure(toy, train, salt="a", seed=1)
    labelled = np.unique(measured.held_out.users)
    sample = sampled_items.users_in_sample(train)
    assert sample.sum() == 40
    assert len(labelled) == 20
    assert not sample[labelled].any()
    changed = train.rated(np.where(sample[train.users], train.ratings, 6 - train.ratings))
    again = measure(toy, changed, salt="a", seed=1)
    assert np.array_equal(again.stars.item_features, measured.stars.item_features)  # of tables and of ratings


def test_a_taste_of_many_finds_what_that_of_everybody_finds(toy, toy_split, toy_taste, request):
    users = np.arange(90)
    theirs = toy_taste.appeal(users)  # before users are many: other tests share this taste, and what it has found
    request.getfixturevalue("many")
    taste = fit_taste(toy, toy_split.train, salt="a", seed=1)
    assert taste.fingerprint != toy_taste.fingerprint
    ours = taste.appeal(users)
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.75
    assert np.isfinite(taste.stars.leaning(users)).all()


def test_only_the_asked_raters_own_regressions_are_made_to_estimate_on(toy, toy_split, many):
    measured = measure(toy, toy_split.train, salt="a", seed=1)
    known = ~np.isnan(measured.earlier_stars.coefficients).any(axis=1)
    assert known.sum() == 20
    assert not np.isnan(measured.stars.coefficients).any()
    fitted = estimate(measured).stars
    rated = measured.held_out.ratings[known[measured.held_out.users]]
    assert fitted.labels == np.count_nonzero(~np.isnan(rated))


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_of_a_pair_among_many_is_that_of_whole_rows_and_the_same_in_any_company(toy, toy_split, many, name):
    evidence = measure_evidence(toy_split.train, toy.catalog)
    chance = np.random.default_rng(1)
    users, items = chance.integers(0, 90, 300), chance.integers(0, 60, 300)
    together = evidence.column_of_pairs(name, users, items)
    assert np.allclose(together, evidence.column(name, users)[np.arange(300), items], atol=1e-4)
    some = chance.choice(300, 30, replace=False)
    assert np.array_equal(evidence.column_of_pairs(name, users[some], items[some]), together[some])


def test_two_threads_find_the_similar_users_that_one_finds(toy, toy_split, monkeypatch):
    evidence = measure_evidence(toy_split.train, toy.catalog)
    alone = evidence.similar.of(np.arange(90))
    monkeypatch.setattr(similar_users, "_CELLS_AT_ONCE", 500)
    shared = measure_evidence(toy_split.train, toy.catalog).similar.of(np.arange(90))
    for one, other in zip(alone, shared, strict=True):
        assert np.array_equal(one, other)
