import dataclasses
import json

import numpy as np
import pytest
from scipy.special import ndtri

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.errors import DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.split import people_in_thirds
from groundlings.personas.taste.co_occurrence import count_near
from groundlings.personas.taste.features import FEATURES
from groundlings.personas.taste.model import FAMILIES, WITHOUT_DATA, estimate, fit_taste
from groundlings.personas.taste.negative_sampling import choose_labels
from groundlings.personas.taste.row_cache import BLOCK, CatalogRows
from groundlings.personas.taste.star_features import StarEvidence, star_shares
from groundlings.personas.taste.star_model import fit_stars
from groundlings.personas.taste.training_data import measure
from groundlings.personas.taste.weights import TasteWeights


def likes_own_group(dataset):
    groups = np.array([attributes["favourite_genre"] for attributes in dataset.people.attributes])
    return np.array([[group in genres for genres in dataset.catalog.genres] for group in groups])


def likes(taste):
    users = np.arange(90)
    return taste.stars.like_probability(users, taste.stars.leaning(users))


def test_items_of_the_own_group_appeal_more(toy, toy_taste):
    appeal = toy_taste.appeal(np.arange(90))
    own = likes_own_group(toy)
    assert appeal.shape == (90, 60)
    assert appeal[own].mean() > appeal[~own].mean() + 1


def test_items_of_the_own_group_are_expected_to_be_liked(toy, toy_taste):
    chance = likes(toy_taste)
    own = likes_own_group(toy)
    assert chance[own].mean() > chance[~own].mean() + 0.2


def test_star_shares_are_a_distribution_and_agree_with_the_like_probability(toy_taste):
    users, items = np.arange(90), np.arange(90) % 60
    shares = toy_taste.stars.shares(users, items)
    assert shares.min() >= 0
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.allclose(shares[:, 3:].sum(axis=1), likes(toy_taste)[users, items], atol=1e-5)


def test_the_same_history_gives_the_same_taste(toy, toy_split, toy_taste):
    again = fit_taste(toy, toy_split.train, salt="a", seed=1)
    assert again.fingerprint == toy_taste.fingerprint
    assert np.array_equal(again.appeal(np.arange(5)), toy_taste.appeal(np.arange(5)))
    assert fit_taste(toy, toy_split.train, salt="b", seed=1).fingerprint != toy_taste.fingerprint


def test_weights_that_are_given_are_not_estimated_and_give_the_same_taste(toy, toy_split, toy_taste):
    kept = TasteWeights.from_dict(json.loads(json.dumps(toy_taste.weights.as_dict())))
    again = fit_taste(toy, toy_split.train, salt="not read", seed=99, weights=kept)
    assert again.fingerprint == toy_taste.fingerprint
    assert np.array_equal(again.appeal(np.arange(90)), toy_taste.appeal(np.arange(90)))
    assert again.describe() == toy_taste.describe()
    assert again.stars.mood == toy_taste.stars.mood


def test_weights_of_an_unknown_feature_are_refused(toy_taste):
    values = toy_taste.weights.as_dict()
    values["appeal"]["astrology"] = values["appeal"].pop("season")
    with pytest.raises(DataError, match=r"appeal: found .*astrology.*; this version knows .*season"):
        TasteWeights.from_dict(values)


def test_weights_without_stars_are_refused_where_people_rate(toy, toy_split, toy_taste):
    weights = dataclasses.replace(toy_taste.weights, stars=None)
    with pytest.raises(DataError, match="none for stars"):
        fit_taste(toy, toy_split.train, salt="a", seed=1, weights=weights)


def test_another_family_is_estimated_from_what_was_measured_once(toy, toy_split):
    measured = measure(toy, toy_split.train, salt="a", seed=1)
    for features in FAMILIES.values():
        fitted = fit_taste(toy, toy_split.train, salt="a", seed=1, features=features)
        assert estimate(measured, features).fingerprint == fitted.fingerprint


@pytest.fixture(scope="module")
def crowd():
    """People who differ in how much they meet, and know nothing of items but how popular they are."""
    chance = np.random.default_rng(2)
    strength = chance.permutation(np.exp(np.linspace(-2, 2, 150)))
    amounts = np.where(np.arange(600) % 2, 10, 30)
    picks = [chance.choice(150, amount, replace=False, p=strength / strength.sum()) for amount in amounts]
    users = np.repeat(np.arange(600), amounts)
    times = np.concatenate([np.arange(amount) for amount in amounts])
    rows = Interactions.of(users, np.concatenate(picks), None, times, n_users=600, n_items=150)
    names = tuple(str(number) for number in range(600))
    catalog = Catalog(names[:150], names[:150], np.full(150, np.nan), ((),) * 150)
    dataset = Dataset("crowd", catalog, People(names, ({},) * 600), rows, RatingScale(), "a test", "none")
    return strength, fit_taste(dataset, rows, salt="a", seed=1)


def test_popularity_weighs_as_much_as_it_does_with_people(crowd):
    strength, taste = crowd
    unmet = taste.evidence.met.toarray() == 0
    appeal = np.where(unmet, taste.appeal(np.arange(600)), np.nan)
    slope = np.polyfit(np.log(strength), np.nanmean(appeal, axis=0), 1)[0]
    assert slope == pytest.approx(1, abs=0.2)


def test_busy_people_find_more_of_everything(crowd):
    _, taste = crowd
    unmet = taste.evidence.met.toarray() == 0
    odds = np.where(unmet, np.exp(taste.appeal(np.arange(600)).astype(np.float64)), 0).sum(axis=1)
    # Three times as busy, and with a smaller shelf of less popular items left to find it on.
    assert odds[::2].mean() / odds[1::2].mean() == pytest.approx(3, rel=0.25)


def test_what_follows_is_told_from_what_went_before():
    users, items = np.repeat(np.arange(3), 4), np.tile([0, 1, 2, 3], 3)
    counts = count_near(users, items, 4, ahead=2)
    assert np.array_equal(counts.following.toarray(), 3 * (np.eye(4, k=-1) + np.eye(4, k=-2)))
    assert np.array_equal(counts.near(slice(0, 4)).toarray(), 3 * (1 - np.eye(4)))


def test_pairs_are_scored_as_in_whole_rows(toy_taste):
    chance = np.random.default_rng(0)
    users, items = chance.integers(0, 90, 200), chance.integers(0, 60, 200)
    rows = toy_taste.appeal(np.arange(90))
    assert np.allclose(toy_taste.appeal_of(users, items), rows[users, items], atol=1e-4)


def test_people_are_scored_alone_as_in_company(toy_taste):
    together = toy_taste.appeal(np.arange(90))
    assert np.allclose(toy_taste.appeal(np.array([41, 7])), together[[41, 7]], atol=1e-5)


def test_the_order_of_rows_in_a_file_does_not_matter(toy, toy_split, toy_taste):
    shuffled = toy_split.train.take(np.random.default_rng(3).permutation(len(toy_split.train)))
    again = fit_taste(toy, shuffled, salt="a", seed=1)
    assert np.allclose(again.appeal(np.arange(90)), toy_taste.appeal(np.arange(90)), atol=1e-4)


def test_weights_owe_nothing_to_labels_of_the_test_third(toy, toy_split):
    train = toy_split.train
    test_third = np.flatnonzero(people_in_thirds(toy.people.user_ids, "a") == 2)
    held_out = train.take(~np.isin(train.users, test_third))
    labels = choose_labels(train, held_out, seed=0)
    assert not np.isin(labels.users, test_third).any()


def test_negatives_were_never_met(toy_split):
    train = toy_split.train
    labels = choose_labels(train, train.take(train.timestamps > np.median(train.timestamps)), seed=0)
    known = train.matrix.toarray()[labels.users, labels.items] > 0
    assert np.array_equal(known, labels.met > 0)
    assert np.all(labels.weights[labels.met > 0] == 1)


def test_negatives_stand_for_the_whole_shelf_of_unmet_items():
    # 400 people met 10 of 200 items each, the more popular ones more often; all of it is held out but two.
    chance = np.random.default_rng(0)
    popularity = 1 / np.arange(1, 201)
    items = np.concatenate([chance.choice(200, 10, replace=False, p=popularity / popularity.sum()) for _ in range(400)])
    users, times = np.repeat(np.arange(400), 10), np.tile(np.arange(10), 400)
    train = Interactions.of(users, items, None, times, n_users=400, n_items=200)
    labels = choose_labels(train, train.take(train.timestamps >= 2), seed=1)
    passed = labels.met == 0
    stood_for = np.bincount(labels.items[passed], labels.weights[passed], minlength=200)
    unmet = 400 - train.item_counts
    popular = np.argsort(-train.item_counts)
    for some in (popular[:10], popular[10:50], popular[50:]):
        assert stood_for[some].sum() == pytest.approx(unmet[some].sum(), rel=0.05)


def test_busy_people_give_as_small_a_share_of_the_shelf_as_of_what_they_met(toy_split):
    train = toy_split.train
    few = np.flatnonzero(train.users == 5)[:3]
    many = np.flatnonzero(train.users == 6)
    rows = train.take(np.isin(np.arange(len(train)), np.concatenate([few, many])))
    labels = choose_labels(rows, rows, seed=0)
    odds = {}
    for user in (5, 6):
        own = labels.users == user
        odds[user] = labels.met[own].sum() / labels.weights[own & (labels.met == 0)].sum()
    assert odds[6] / odds[5] == pytest.approx(len(many) / 3 * (60 - 3) / (60 - len(many)), rel=0.5)


def test_implicit_data_has_appeal_and_no_stars(toy, toy_split):
    train = toy_split.train
    implicit = Interactions.of(train.users, train.items, None, train.timestamps, n_users=90, n_items=60)
    taste = fit_taste(toy, implicit, salt="a", seed=1)
    appeal, own = taste.appeal(np.arange(90)), likes_own_group(toy)
    assert taste.stars is None
    assert appeal[own].mean() > appeal[~own].mean() + 1


def test_what_people_meet_again_teaches_nothing_about_what_they_have_not_met(toy, toy_split):
    train = toy_split.train
    last = int(train.timestamps.max())
    # Everybody comes back at the end for the first half of what they have: as groceries are bought.
    rows = np.flatnonzero(np.arange(len(train)) % 2 == 0)
    again = train.take(rows)
    again = dataclasses.replace(again, timestamps=last + 1 + np.arange(len(rows)))
    measured = measure(toy, train.joined(again).chronological(), salt="a", seed=1)
    plain = measure(toy, train, salt="a", seed=1)
    for ours, theirs in zip(measured.evidence.arrays(), plain.evidence.arrays(), strict=True):
        assert np.array_equal(ours, theirs)


def test_what_people_meet_again_is_no_label(toy, toy_split):
    train = toy_split.train
    again = dataclasses.replace(train, timestamps=train.timestamps + int(train.timestamps.max()) + 1)
    assert measure(toy, train, salt="a", seed=1).labels.positives > 0
    assert measure(toy, train.joined(again), salt="a", seed=1).labels.positives == 0  # whatever is later is a repeat


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_finds_the_own_group_with_its_own_evidence(toy, toy_split, family):
    taste = fit_taste(toy, toy_split.train, salt="a", seed=1, features=FAMILIES[family])
    appeal, own = taste.appeal(np.arange(90)), likes_own_group(toy)
    assert appeal[own].mean() > appeal[~own].mean() + 1
    weights = dict(zip(FEATURES, taste.appeal_weights.weights, strict=True))
    assert all(weights[name] == 0 for name in FEATURES if name not in FAMILIES[family])
    assert weights[FAMILIES[family][0]] != 0


def test_ratings_may_be_missing_here_and_there(toy, toy_split):
    train = toy_split.train
    stars = np.where(np.arange(len(train)) % 3 == 0, np.nan, train.ratings)
    partly = Interactions.of(train.users, train.items, stars, train.timestamps, n_users=90, n_items=60)
    taste = fit_taste(toy, partly, salt="a", seed=1)
    chance, own = likes(taste), likes_own_group(toy)
    assert chance[own].mean() > chance[~own].mean() + 0.2


def test_a_handful_of_rows_falls_back_on_stated_weights(three_people):
    taste = fit_taste(three_people, three_people.interactions, salt="a", seed=1)
    assert np.array_equal(taste.appeal_weights.weights, WITHOUT_DATA)
    assert taste.appeal_weights.labels == 0
    assert np.all(np.isfinite(taste.appeal(np.arange(3))))
    assert np.allclose(taste.stars.shares(np.arange(3), np.arange(3)).sum(axis=1), 1)


def test_items_and_people_without_a_row_are_scored(toy, toy_split):
    # Two more items and one more person that nobody has ever met.
    catalog = toy.catalog
    larger = Catalog(
        (*catalog.item_ids, "new", "newer"),
        (*catalog.titles, "New", "Newer"),
        np.append(catalog.years, [np.nan, np.nan]),
        (*catalog.genres, (), ()),
    )
    train = toy_split.train
    rows = Interactions.of(train.users, train.items, train.ratings, train.timestamps, n_users=90, n_items=62)
    dataset = Dataset("larger", larger, toy.people, rows, RatingScale(), "a test", "none")
    appeal = fit_taste(dataset, rows, salt="a", seed=1).appeal(np.arange(90))
    assert np.all(np.isfinite(appeal))


def test_rows_of_the_catalog_are_those_of_the_taste_within_their_memory(toy_taste):
    table = CatalogRows(toy_taste, cache_bytes=8 * 60 * BLOCK)
    assert table.capacity == 1
    for users in ([3, 5, 3], [80], [2, 1], list(range(64, 90))):
        chosen = np.array(users)
        rows = table.slots(chosen)
        assert np.allclose(table.appeal[rows], toy_taste.appeal(chosen), atol=1e-5)
        assert np.allclose(table.leaning[rows], toy_taste.stars.leaning(chosen), atol=1e-5)
    with pytest.raises(ValueError, match="memory holds 1"):
        table.slots(np.array([0, 89]))


def test_a_row_of_the_catalog_does_not_depend_on_who_else_was_asked_about(toy_taste):
    alone, together = CatalogRows(toy_taste), CatalogRows(toy_taste)
    rows = together.slots(np.arange(90))
    for user in (0, 63, 64, 89):
        (row,) = alone.slots(np.array([user]))
        assert np.array_equal(alone.appeal[row], together.appeal[rows[user]])
        assert np.array_equal(alone.leaning[row], together.leaning[rows[user]])


def test_mood_makes_one_occasions_ratings_hang_together(toy_taste):
    stars = dataclasses.replace(toy_taste.stars, mood=0.5)
    chance = np.random.default_rng(0)
    users = np.full(40_000, 3)
    uniform, other = chance.random((2, 40_000))
    mood = chance.random(40_000)
    first, second, elsewhere = (
        stars.draw(users, np.zeros(40_000), when, which)
        for when, which in ((mood, uniform), (mood, other), (chance.random(40_000), chance.random(40_000)))
    )
    assert np.corrcoef(first, second)[0, 1] > 0.3
    assert abs(np.corrcoef(first, elsewhere)[0, 1]) < 0.03
    # Mood says when, not how: the shares of the stars stay the person's.
    assert first.mean() == pytest.approx(elsewhere.mean(), abs=0.03)


def test_mood_is_found_in_held_out_ratings():
    chance = np.random.default_rng(0)
    people = np.repeat(np.arange(2000), 12)
    thresholds = np.broadcast_to(ndtri([0.1, 0.3, 0.6, 0.85]), (len(people), 4))
    liking = np.sqrt(0.2) * chance.standard_normal(2000)[people] + np.sqrt(0.8) * chance.standard_normal(len(people))
    evidence = StarEvidence(
        scale=RatingScale(),
        thresholds=thresholds[::12],
        item_bias=np.zeros(1),
        usual_bias=np.zeros(2000),
        group_coefficients=np.zeros((2000, 1), dtype=np.float32),
        coefficients=np.zeros((2000, 1), dtype=np.float32),
        item_features=np.zeros((1, 1), dtype=np.float32),
        drift=np.zeros(2000),
    )
    stars = 1.0 + (liking[:, None] > thresholds).sum(axis=1)
    rows = Interactions.of(people, np.zeros_like(people), stars, np.zeros_like(people), n_users=2000, n_items=1)
    assert fit_stars(evidence, rows, evidence).mood == pytest.approx(0.2, abs=0.03)


def test_smoothed_shares_keep_the_mean_and_narrow_spread_of_a_person():
    # Somebody who gave one star thirty times is not expected to give fives, however many others do.
    rows = Interactions.of(
        np.array([0] * 30 + [1] * 30),
        np.arange(60) % 60,
        np.array([1.0] * 30 + [5.0] * 30),
        np.arange(60),
        n_users=3,
        n_items=60,
    )
    shares = star_shares(rows, RatingScale())
    assert np.allclose(shares.sum(axis=1), 1)
    assert shares[0, 4] < 0.05  # smoothing towards everybody would say 0.2
    assert shares[0] == pytest.approx(shares[1][::-1])
    # Nobody knows the third person: everybody's shares.
    assert shares[2, 0] == pytest.approx(shares[2, 4])
