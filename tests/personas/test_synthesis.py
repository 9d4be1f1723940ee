"""Synthetic users: as many as one likes, like the real ones, and none of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.split import split_dataset
from groundlings.personas.population import build_population
from groundlings.personas.synthesis.donors import FEWEST_DONORS
from groundlings.personas.synthesis.synthesize import add_synthetic_users
from groundlings.personas.synthesis.traits import shrunk_means

METHODS = ("resample", "copula")
SIZE = 250


@pytest.fixture(scope="module", params=METHODS)
def made(request, toy, toy_split):
    return add_synthetic_users(toy, toy_split, size=SIZE, method=request.param, seed=3)


def rows_of_synthetic(dataset, split):
    return split.train.take(split.train.users >= dataset.synthetic.first)


def closest(rows, real):
    """Largest Jaccard index of each user's items with those of any real user."""
    first = real.shape[0]
    shared = (rows.met[first:] @ real.T).toarray()
    sizes = np.diff(rows.met.indptr)[first:]
    return (shared / (sizes[:, None] + np.diff(real.indptr)[None] - shared)).max(axis=1)


def test_real_users_and_what_was_held_out_stay_as_they_are(toy, toy_split, made):
    dataset, split = made
    n = len(toy_split.train)
    for name in ("users", "items", "ratings", "timestamps", "synthetic"):
        assert getattr(split.train, name)[:n].tolist() == getattr(toy_split.train, name).tolist()
        assert getattr(split.test, name).tolist() == getattr(toy_split.test, name).tolist()
    assert split.train.synthetic[n:].all()
    assert dataset.real is toy
    assert dataset.people.user_ids[: len(toy.people)] == toy.people.user_ids
    assert len(set(dataset.people.user_ids)) == len(toy.people) + SIZE
    assert dataset.fingerprint != toy.fingerprint


def test_agents_are_the_synthetic_users_alone(toy, made):
    dataset, split = made
    population = build_population(dataset, split.train, size="all", seed=0)
    assert population.users.tolist() == list(range(len(toy.people), len(toy.people) + SIZE))
    assert population.persona(7).history_length == 16
    assert population.persona(7).user_id == "synthetic-8"


def test_histories_hold_each_item_once_at_times_and_with_ratings_that_there_are(toy, toy_split, made):
    dataset, split = made
    rows = rows_of_synthetic(dataset, split)
    assert rows.met.nnz == len(rows)
    assert np.bincount(rows.users)[dataset.synthetic.first :].tolist() == [16] * SIZE  # as every real user has
    assert set(rows.ratings) <= set(toy.scale.values)
    real = toy_split.train.timestamps
    assert real.min() <= rows.timestamps.min() <= rows.timestamps.max() <= real.max()


def test_no_history_is_that_of_a_real_user(toy, toy_split, made):
    dataset, split = made
    overlap = closest(rows_of_synthetic(dataset, split), toy_split.train.met)
    assert overlap.max() < 0.9
    assert np.median(overlap) < 0.65
    donors = dataset.synthetic.made_from
    assert donors.shape[1] >= FEWEST_DONORS
    assert all(len(set(row)) == len(row) for row in donors.tolist())
    assert donors.max() < len(toy.people)


def test_marginals_are_those_of_the_real_users(toy_split, made):
    dataset, split = made
    rows, real = rows_of_synthetic(dataset, split), toy_split.train
    shares = [np.bincount(each.items, minlength=each.n_items) / len(each) for each in (rows, real)]
    assert np.abs(shares[0] - shares[1]).sum() / 2 < 0.1
    assert rows.ratings.mean() == pytest.approx(real.ratings.mean(), abs=0.1)
    assert rows.ratings.std() == pytest.approx(real.ratings.std(), abs=0.1)


def test_users_differ_in_taste_about_as_much_as_real_ones(toy, toy_split, made):
    dataset, split = made
    genres = toy.catalog.genre_matrix.astype(float)

    def spread(met):
        return np.sqrt(((met @ genres) / np.diff(met.indptr)[:, None]).var(axis=0).sum())

    ours = spread(rows_of_synthetic(dataset, split).met[dataset.synthetic.first :])
    assert 0.7 < ours / spread(toy_split.train.met) < 1.2


def test_more_users_than_memory_holds_are_refused_before_any_is_made(toy, toy_split):
    with pytest.raises(ConfigError, match=r"1,000,000,000,000 synthetic users have about .* of memory are left"):
        add_synthetic_users(toy, toy_split, size=10**12, method="copula", seed=3)


def test_resampling_differs_from_drawing(toy, toy_split):
    both = [add_synthetic_users(toy, toy_split, size=5, method=method, seed=3)[1].train.items for method in METHODS]
    assert both[0].tolist() != both[1].tolist()


@settings(max_examples=8, deadline=None)
@given(sizes=st.tuples(st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 3), method=st.sampled_from(METHODS))
def test_a_smaller_synthetic_population_is_the_beginning_of_a_larger_one(toy, toy_split, sizes, seed, method):
    fewer, more = (
        add_synthetic_users(toy, toy_split, size=size, method=method, seed=seed)[1].train for size in sorted(sizes)
    )
    for name in ("users", "items", "ratings", "timestamps"):
        assert getattr(more, name)[: len(fewer)].tolist() == getattr(fewer, name).tolist()


def test_another_seed_makes_other_users(toy, toy_split):
    found = {
        tuple(add_synthetic_users(toy, toy_split, size=3, method="resample", seed=seed)[1].train.items)
        for seed in range(3)
    }
    assert len(found) == 3


def test_all_makes_as_many_as_there_are_real_ones(toy, toy_split):
    dataset, _ = add_synthetic_users(toy, toy_split, size="all", method="resample", seed=0)
    assert len(dataset.synthetic) == len(toy.people)


def test_no_history_is_longer_than_asked_for(shop):
    split = split_dataset(shop, "per_user_temporal", 0.2, salt="a")
    dataset, cut = add_synthetic_users(shop, split, size=60, method="copula", seed=1, most_rows=4)
    both = cut.train.joined(cut.beside)
    lengths = np.bincount(both.users)[dataset.synthetic.first :]
    assert lengths.max() == 4
    assert (np.bincount(cut.train.users)[dataset.synthetic.first :] > 0).all()


def test_too_few_people_are_no_distribution(three_people):
    split = split_dataset(three_people, "per_user_temporal", 0.2, salt="a")
    with pytest.raises(ConfigError, match=r"population.synthetic: .* has 2 people .* 20 at least"):
        add_synthetic_users(three_people, split, size=5, method="resample", seed=0)


def test_without_times_there_are_none(toy):
    timeless = replace(
        toy,
        times_known=False,
        interactions=replace(toy.interactions, timestamps=np.zeros(len(toy.interactions), dtype=np.int64)),
    )
    split = split_dataset(timeless, "random", 0.2, salt="a")
    _, widened = add_synthetic_users(timeless, split, size=10, method="copula", seed=0)
    assert not widened.train.timestamps.any()


@pytest.fixture(scope="module")
def shop():
    """Views and purchases, the same item now and then again, whole days as times."""
    toy = make_toy(ToyOptions(n_users=60, n_items=50, n_groups=2, interactions_per_user=15))
    rows, chance = toy.interactions, np.random.default_rng(1)
    order = np.concatenate([np.arange(len(rows)), chance.choice(len(rows), len(rows) // 3)])
    bought = chance.random(len(order)) < 0.4
    bought[np.unique(rows.users[order], return_index=True)[1]] = True
    kinds = np.where(bought, KINDS.index("purchase"), KINDS.index("view"))
    history = Interactions.of(
        rows.users[order],
        rows.items[order],
        None,
        np.sort(chance.integers(0, 400, len(order))) * 86_400,
        n_users=rows.n_users,
        n_items=rows.n_items,
        kinds=kinds,
    )
    return replace(toy, interactions=history)


def test_everybody_has_an_interaction_and_earlier_stages_stay_beside(shop):
    split = split_dataset(shop, "per_user_temporal", 0.2, salt="a")
    dataset, widened = add_synthetic_users(shop, split, size=200, method="resample", seed=2)
    ours = dataset.synthetic.users
    assert (np.bincount(widened.train.users, minlength=widened.train.n_users)[ours] > 0).all()
    assert set(widened.train.kinds) == {KINDS.index("purchase")}
    assert set(widened.beside.kinds) == {KINDS.index("view")}
    assert (widened.beside.users >= dataset.synthetic.first).any()
    assert not (widened.train.timestamps % 86_400).any()


def test_what_is_taken_up_again_is_taken_up_about_as_often(shop):
    split = split_dataset(shop, "per_user_temporal", 0.2, salt="a")
    dataset, widened = add_synthetic_users(shop, split, size=200, method="copula", seed=2)
    rows = rows_of_synthetic(dataset, widened)
    ours, real = len(rows) / rows.met.nnz, len(split.train) / split.train.met.nnz
    assert real > 1.02
    assert ours == pytest.approx(real, abs=0.05)


def test_attributes_come_from_a_donor_as_a_whole(toy, toy_split):
    known = replace(toy, people=replace(toy.people, attributes=tuple({"age": str(n)} for n in range(len(toy.people)))))
    dataset, _ = add_synthetic_users(known, toy_split, size=30, method="resample", seed=0)
    made = dataset.synthetic
    for number, (donors, source) in enumerate(zip(made.made_from, made.attributes_from, strict=True)):
        assert source in donors
        assert dataset.people.attributes[made.first + number] == {"age": str(source)}


@given(spread=st.floats(0.1, 2.0), noise=st.floats(0.5, 2.0), number=st.integers(2, 30), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_shrunk_means_vary_as_what_they_estimate(spread, noise, number, seed):
    chance = np.random.default_rng(seed)
    people = 4_000
    values = spread * chance.standard_normal((people, 1)) + noise * chance.standard_normal((people, number))
    counts = np.full(people, number)
    means, _ = shrunk_means(values.sum(axis=1), (values**2).sum(axis=1), counts)
    # The estimated variance between people has a standard error of its own.
    error = 4 * np.sqrt(2 / people) * (spread**2 + noise**2 / number)
    assert means.var() == pytest.approx(spread**2, abs=error + 0.005)
