"""How people take up again what they know: counted by hand, fitted on a made-up shop, and kept during the days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from groundlings.environments.errors import DataError
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.repeats import OwnClock
from groundlings.environments.split import split_history
from groundlings.environments.split import test_people as in_test_third
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.population import build_population
from groundlings.personas.repeats.known_items import KnownItems, OwnLevels
from groundlings.personas.repeats.model import fit_repeats
from groundlings.personas.repeats.occasions import Occasions
from groundlings.personas.repeats.ownership import Ownership
from groundlings.personas.taste.model import estimate
from groundlings.personas.taste.training_data import measure

N_USERS, N_ITEMS = 3, 5
ROWS = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(-30, -1)), min_size=1, max_size=60
)


def columns(rows):
    return (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))


@given(ROWS)
def test_chances_are_every_known_item_on_every_labelled_occasion(rows):
    users, items, days = columns(rows)
    occasions = Occasions.of(users, items, days, N_USERS, N_ITEMS)
    found = occasions.chances(10**6, np.random.default_rng(0))
    expected, new, unknown = [], np.zeros(N_USERS), np.zeros(N_USERS)
    for user in range(N_USERS):
        bought: dict[int, set[int]] = {}
        for whose, item, day in rows:
            if whose == user:
                bought.setdefault(day, set()).add(item)
        calendar = sorted(bought)
        first_label = max(min(int(0.8 * len(calendar) + 1e-9), len(calendar) - 1), 1)
        for place, day in enumerate(calendar):
            before = [(item, each) for each in calendar[:place] for item in bought[each]]
            if place >= first_label:
                known = {item for item, _ in before}
                new[user] += len(bought[day] - known)
                unknown[user] += N_ITEMS - len(known)
                for item in known:
                    times = [each for which, each in before if which == item]
                    state = (user, item, len(times), min(times), max(times), day, float(item in bought[day]))
                    expected.append(state)
    listed = zip(found.users, found.items, found.count, found.first, found.latest, found.day, found.again, strict=True)
    assert sorted(listed) == sorted(expected)
    assert (found.weights == 1).all()
    taken, could = occasions.new_items()
    np.testing.assert_array_equal(taken, new)
    np.testing.assert_array_equal(could, unknown)


@given(ROWS, st.lists(st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1)), max_size=12))
def test_what_is_taken_up_later_counts_as_if_it_had_been_there_from_the_start(rows, later):
    users, items, days = columns(rows)
    owned = Ownership.of(users, items, days, N_ITEMS)
    new = np.array(later, dtype=np.int64).reshape(-1, 2)
    after = owned.after(new[:, 0], new[:, 1], 4)
    whole = Ownership.of(
        np.append(users, new[:, 0]), np.append(items, new[:, 1]), np.append(days, np.full(len(new), 4)), N_ITEMS
    )
    for name in ("keys", "count", "first", "latest"):
        np.testing.assert_array_equal(getattr(after, name), getattr(whole, name))
    for user in range(N_USERS):
        mine = np.unique(np.append(items[users == user], new[new[:, 0] == user, 1]))
        assert after.items_of(user).tolist() == mine.tolist()


@pytest.fixture(scope="module")
def shop(repeat_shop):
    dataset = repeat_shop
    split = split_history(dataset.interactions, "per_user_temporal", 0.2)
    return dataset, split, OwnClock.of(split), ~in_test_third(dataset.people.user_ids, "a")


@pytest.fixture(scope="module")
def model(shop):
    _, split, clock, fitting = shop
    return fit_repeats(split.train, clock, fitting, seed=1)


def test_the_mean_chance_is_how_often_people_really_take_up_again(shop, model):
    _, split, clock, fitting = shop
    train = split.train
    known = fitting[train.users]
    rows = Occasions.of(train.users[known], train.items[known].astype(np.int64), clock.days(train)[known], 60, 40)
    chances = rows.chances(10**6, np.random.default_rng(0))
    state = chances.users, chances.items, chances.count, chances.first, chances.latest, chances.day
    said = expit(model.log_odds(*state))
    assert said.mean() == pytest.approx(chances.again.mean(), rel=0.1)
    staple = chances.items < 8
    assert said[staple].mean() > 5 * said[~staple].mean(), "most items are bought once"


def test_who_has_just_bought_something_waits_and_who_is_due_does_not(model):
    user, item = np.array([0]), np.array([0])

    def chance(count, first, latest, day):
        return float(expit(model.log_odds(user, item, *(np.array([each]) for each in (count, first, latest)), day))[0])

    steady = (10, -100, -10)  # every tenth day
    assert chance(*steady, -9) < chance(*steady, 0)
    assert chance(2, -100, -10, 0) < chance(*steady, 0)


def test_nobody_of_the_test_third_has_a_say_in_the_weights(shop, model):
    _, split, clock, fitting = shop
    theirs = ~fitting[split.train.users]
    other = split.train.items.copy()
    other[theirs] = (other[theirs] + 7) % 40
    changed = replace(split.train, items=other)
    again = fit_repeats(changed, clock, fitting, seed=1)
    np.testing.assert_array_equal(again.weights, model.weights)
    assert again.new_share == model.new_share
    assert again.fingerprint != model.fingerprint


def test_without_a_second_day_nothing_can_be_estimated_and_with_few_repeats_all_items_are_alike():
    everybody = np.ones(4, dtype=np.bool_)

    def fitted(*rows):
        users, items, days = columns(rows)
        history = Interactions.of(users, items, None, days * 86_400, n_users=4, n_items=5)
        return fit_repeats(history, OwnClock.of(split_history(history, "per_user_temporal", 0.01)), everybody, seed=0)

    with pytest.raises(DataError, match=r"site\.repeats: .*take the key out"):
        fitted((0, 1, 3), (1, 2, 5), (1, 3, 5))
    with pytest.raises(DataError, match="or everybody took up all"):  # a share of 1 has no log-odds
        fitted((0, 0, 3), (0, 0, 4), (0, 1, 4), (0, 2, 4), (0, 3, 4), (0, 4, 4))
    few = fitted((0, 1, 3), (0, 1, 4), (0, 2, 4), (1, 2, 5), (1, 3, 6))
    assert not few.weights.any()
    assert 0 < expit(few.intercept) < 1


def test_a_dislike_takes_nothing_up(shop):
    _, split, clock, fitting = shop
    bought = replace(split.train, kinds=np.full(len(split.train), KINDS.index("purchase")))
    some = bought.take(np.arange(0, len(bought), 7))
    later = replace(some, kinds=np.full(len(some), KINDS.index("dislike")), timestamps=some.timestamps + 86_400)
    disliked = bought.joined(later)
    plain, both = (fit_repeats(rows, clock, fitting, seed=1) for rows in (bought, disliked))
    assert both.fingerprint == plain.fingerprint


def test_an_item_taken_up_yesterday_is_not_taken_up_at_once_and_new_ones_become_known(model):
    known = KnownItems(model, 0.0, 0.0, None)
    users, items = np.array([0, 1]), np.tile(np.arange(40), (2, 1))
    odds = np.full((2, 40), -9.0)
    before = known.put(odds, users, items, 0)
    assert (odds == -9.0).all()
    owned = np.zeros((2, 40), dtype=np.bool_)
    for row in (0, 1):
        owned[row, model.owned.items_of(row)] = True
    assert (before[~owned] == -9.0).all()
    assert (before[owned] != -9.0).all()
    np.testing.assert_allclose(known.put_in_catalog(odds, users), before)
    staple = int(model.owned.items_of(0)[np.argmax(before[0, model.owned.items_of(0)])])
    fresh = int(np.flatnonzero(~owned[0])[0])
    bought = Interactions.of(
        np.array([0, 0]), np.array([staple, fresh]), None, np.zeros(2, int), n_users=60, n_items=40
    )
    known.notice(0, bought)
    after = known.put(odds, users, items, 1)
    assert after[0, staple] < before[0, staple]
    assert after[0, fresh] != -9.0
    np.testing.assert_allclose(after[1], KnownItems(model, 0.0, 0.0, None).put(odds, users, items, 1)[1])
    np.testing.assert_allclose(known.put_in_catalog(odds, users), before, err_msg="as before the first day")


def test_each_user_takes_up_new_items_at_their_own_level(shop, model):
    _, split, _, _ = shop
    users = np.arange(60)
    score = np.random.default_rng(1).normal(size=(60, 40))
    levels = OwnLevels(model, lambda some: score[some], 7, split.train)
    odds = score + levels.of(users)[:, None]
    new = split.train.matrix.toarray() == 0
    share = np.array([expit(odds[user, new[user]]).mean() for user in users])
    np.testing.assert_allclose(share, model.new_shares, rtol=0.2)
    np.testing.assert_array_equal(levels.of(users[::-1].copy())[::-1], levels.of(users))


@pytest.fixture(scope="module")
def minds(shop, model):
    dataset, split, _, _ = shop
    population = build_population(dataset, split.train, size="all", seed=1)
    taste = estimate(measure(dataset, split.train, salt="a", seed=1), per_occasion=True)

    def made(**options):
        return BehaviouralMind(population, taste, BehaviouralOptions(**options), repeats=model)

    return made


def test_a_stated_level_moves_known_and_new_items_alike(minds, model):
    users = np.arange(10)
    plain = minds().open_log_odds(users)
    moved = minds(random_click_rate=0.3).open_log_odds(users)
    np.testing.assert_allclose(moved - plain, logit(0.3) - logit(model.new_share))
    assert minds().describe()["repeats"]["shift"] == 0.0
    assert "repeats" in minds().describe()


def test_hidden_preference_knows_what_people_buy_again(minds, model):
    preference = minds().preference(np.arange(60))
    owned = np.zeros((60, 40), dtype=np.bool_)
    for user in range(60):
        owned[user, model.owned.items_of(user)] = True
    staples = owned & (np.arange(40) < 8)
    assert preference[staples].mean() > preference[owned & ~staples].mean()
