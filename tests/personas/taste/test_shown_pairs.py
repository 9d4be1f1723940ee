"""What is asked about is computed, alone and in company alike, and equals what the plain formulas say."""

from __future__ import annotations

import os
import pickle
import weakref
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.interactions import Interactions
from groundlings.personas.taste import item_tables, popular_items, similar_users, star_features
from groundlings.personas.taste.co_occurrence import AHEAD, COUNT_PRIOR, WINDOW, count_near, histories
from groundlings.personas.taste.features import FEATURES, measure_evidence
from groundlings.personas.taste.item_tables import embed, measure_tables
from groundlings.personas.taste.leading_vectors import leading_eigenvectors
from groundlings.personas.taste.left_over import left_over_of
from groundlings.personas.taste.pair_memory import PairMemory
from groundlings.personas.taste.similar_users import ALIKE, SimilarUsers, latest_users
from groundlings.personas.taste.star_features import measure_stars
from groundlings.personas.taste.training_data import star_features as features_of_items


@pytest.fixture(scope="module")
def crowd():
    """300 people with 5 to 60 of 80 items, the first ones more often, at times of their own."""
    chance = np.random.default_rng(4)
    weights = 1 / np.arange(2, 82)
    users = np.repeat(np.arange(300), chance.integers(5, 60, 300))
    picks = [
        chance.choice(80, np.count_nonzero(users == user), replace=False, p=weights / weights.sum())
        for user in range(300)
    ]
    items = np.concatenate(picks)
    return Interactions.of(
        users, items, 1.0 + items % 5, chance.integers(0, 10**6, len(users)), n_users=300, n_items=80
    )


def found(rows):
    rarity = (1 / np.sqrt(rows.item_counts + 10)).astype(np.float32)
    return SimilarUsers(rows.matrix.astype(np.float32), latest_users(rows), rarity), rarity


def test_similar_users_are_those_that_a_comparison_of_everybody_with_everybody_finds(crowd):
    similar, rarity = found(crowd)
    users = np.array([0, 7, 150, 299])
    others, weights = similar.of(users)
    weighted = crowd.matrix.toarray() * rarity
    lengths = np.sqrt((weighted**2).sum(axis=1)) + 3 * rarity.mean()
    for row, user in enumerate(users):
        likeness = weighted @ weighted[user] / lengths
        likeness[user] = 0
        nearest = np.sort(np.lexsort((np.arange(300), -likeness))[:ALIKE])
        assert np.array_equal(others[row], nearest)
        assert np.allclose(weights[row], likeness[nearest] / likeness[nearest].sum(), atol=1e-6)


def test_histories_of_others_are_compared_with_users_and_not_with_each_other(crowd):
    few = crowd.take(crowd.users < 20)
    rarity = (1 / np.sqrt(crowd.item_counts + 10)).astype(np.float32)
    met = crowd.matrix.astype(np.float32)
    asked = few.matrix.astype(np.float32)[:20]
    others, weights = SimilarUsers(met, latest_users(crowd), rarity, asked=asked).of(np.arange(20))
    # The same histories stand among the users: each is most like itself.
    assert np.array_equal(others[np.arange(20), weights.argmax(axis=1)], np.arange(20))


def test_similar_users_that_are_found_ahead_are_those_that_are_found_when_asked_for(crowd, monkeypatch):
    monkeypatch.setattr(similar_users, "_CELLS_AT_ONCE", 200)  # several parts, found by several threads
    people = np.arange(crowd.n_users)
    (likely, _), (asked, _) = found(crowd), found(crowd)
    with likely.found_ahead(people):
        ahead = likely.of(people)  # waits for all
    for each, other in zip(ahead, asked.of(people), strict=True):
        assert np.array_equal(each, other)


def test_who_is_left_before_being_found_is_found_when_asked_for(crowd, monkeypatch):
    monkeypatch.setattr(similar_users, "_CELLS_AT_ONCE", 200)
    people, (left, _), (asked, _) = np.arange(crowd.n_users), found(crowd), found(crowd)
    with pytest.raises(KeyboardInterrupt), left.found_ahead(people):
        raise KeyboardInterrupt
    for each, other in zip(left.of(people), asked.of(people), strict=True):
        assert np.array_equal(each, other)


def test_an_item_makes_only_its_latest_users_similar(crowd, monkeypatch):
    monkeypatch.setattr(similar_users, "MOST_RECENT", 3)
    listed = latest_users(crowd)
    for item in (0, 1, 40):
        rows = np.flatnonzero(crowd.items == item)
        latest = rows[np.lexsort((crowd.users[rows], crowd.timestamps[rows]))][-3:]
        assert np.array_equal(listed[[item]].indices, np.sort(crowd.users[latest]))
    others, weights = found(crowd)[0].of(np.arange(300))
    reached = np.unique(listed.indices)
    assert np.isin(others[weights > 0], reached).all()


def test_who_has_nothing_in_common_with_anybody_is_like_nobody():
    users, items = np.array([0, 1, 1]), np.array([0, 1, 2])
    rows = Interactions.of(users, items, None, np.arange(3), n_users=3, n_items=3)
    _, weights = found(rows)[0].of(np.arange(3))
    assert np.all(weights == 0)


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_of_a_pair_is_the_same_to_the_last_bit_in_any_company(toy_taste, name):
    chance = np.random.default_rng(1)
    users, items = chance.integers(0, 90, 700), chance.integers(0, 60, 700)
    together = toy_taste.evidence.column_of_pairs(name, users, items)
    some = chance.choice(700, 40, replace=False)
    alone = [toy_taste.evidence.column_of_pairs(name, users[[row]], items[[row]])[0] for row in some]
    assert np.array_equal(alone, together[some])
    assert np.array_equal(toy_taste.evidence.column_of_pairs(name, users[some], items[some]), together[some])


def test_a_leaning_of_a_pair_is_the_same_to_the_last_bit_in_any_company(toy_taste):
    users, items = np.arange(90), np.arange(90) % 60
    together = toy_taste.stars.leaning_of(users, items)
    alone = [toy_taste.stars.leaning_of(users[[row]], items[[row]])[0] for row in range(90)]
    assert np.array_equal(alone, together)
    assert np.allclose(together, toy_taste.stars.leaning(users)[users, items], atol=1e-5)


@pytest.mark.parametrize("name", FEATURES)
def test_features_of_pairs_are_those_of_whole_rows_in_narrow_tables_too(toy, toy_split, name, monkeypatch):
    monkeypatch.setattr(item_tables, "MOST_CELLS", 0)
    monkeypatch.setattr(item_tables, "LEAST_WIDTH", 7)
    evidence = measure_evidence(toy_split.train, toy.catalog)
    assert np.diff(evidence.tables.associations.indptr).max() == 7
    users, items = np.arange(90), np.arange(90) % 60
    pairs = evidence.column_of_pairs(name, users, items)
    assert np.allclose(pairs, evidence.column(name, users)[users, items], atol=1e-4)


def test_who_has_an_item_of_very_many_users_is_looked_up_as_it_is_searched(toy, toy_split, monkeypatch):
    monkeypatch.setattr(similar_users, "MOST_RECENT", 5)  # most items have more users than are listed
    users, items = np.repeat(np.arange(90), 60), np.tile(np.arange(60), 90)
    looked_up = measure_evidence(toy_split.train, toy.catalog).column_of_pairs("people", users, items)
    for room in (0, 90):  # flags of no item, and of eight
        monkeypatch.setattr(popular_items, "MOST_BYTES", room)
        searched = measure_evidence(toy_split.train, toy.catalog).column_of_pairs("people", users, items)
        assert looked_up.tobytes() == searched.tobytes()
    assert len(np.unique(searched)) > 100


def tables_of(rows):
    return measure_tables(*histories(rows), rows.n_items)


def test_whole_tables_hold_all_that_was_counted(crowd):
    users, items, _ = histories(crowd)
    tables = tables_of(crowd)
    counts = count_near(users, items, 80)
    following, near = counts.following.toarray(), counts.near(slice(0, 80)).toarray()
    assert np.array_equal(tables.following.toarray(), following)
    assert np.array_equal(tables.degree, following.sum(axis=0))
    assert np.allclose(tables.share, (following.sum(axis=1) + 1) / (following.sum() + 80))
    expected = np.outer(near.sum(axis=1), near.sum(axis=0)) / near.sum()
    with np.errstate(divide="ignore"):
        said = np.where(near > 0, np.log((near + COUNT_PRIOR) / (expected + COUNT_PRIOR)), 0)
    assert np.allclose(tables.associations.toarray(), said, atol=1e-5)


def test_counts_are_those_of_a_walk_through_each_history(crowd, monkeypatch):
    monkeypatch.setattr("groundlings.personas.taste.co_occurrence._PAIRS_AT_ONCE", 500)
    users, items, _ = histories(crowd)
    following, near = np.zeros((80, 80)), np.zeros((80, 80))
    for user in range(300):
        own = items[users == user]
        for place in range(len(own)):
            np.add.at(following, (own[place + 1 : place + 1 + AHEAD], own[place]), 1)
            np.add.at(near, (own[place + 1 : place + 1 + WINDOW], own[place]), 1)
    counts = count_near(users, items, 80)
    assert np.array_equal(counts.following.toarray(), following)
    assert np.array_equal(counts.near(slice(10, 80)).toarray(), (near + near.T)[10:])


def test_what_a_narrow_table_leaves_out_is_kept_as_a_mean(crowd, monkeypatch):
    whole = tables_of(crowd)
    monkeypatch.setattr(item_tables, "MOST_CELLS", 0)
    monkeypatch.setattr(item_tables, "LEAST_WIDTH", 20)
    narrow = tables_of(crowd)
    assert np.diff(narrow.following.indptr).max() == 20
    counted = whole.following.sum(axis=1)
    assert np.allclose(narrow.following.sum(axis=1) + narrow.rest * narrow.degree.sum(), counted, rtol=1e-4)
    assert np.all(narrow.rest[np.diff(whole.following.indptr) <= 20] == 0)


def test_vectors_are_leading_eigenvectors_at_unit_length_also_where_the_catalog_is_large(monkeypatch):
    chance = np.random.default_rng(6)
    groups = np.arange(200) % 4
    information = chance.random((200, 200)) * 0.1 + (groups[:, None] == groups)
    information = sp.csr_array((information + information.T) / 2)
    monkeypatch.setattr(item_tables, "DIMENSIONS", 4)
    vectors = embed(information)  # 200 items are more than four times the dimensions: by block iteration
    values, exact = np.linalg.eigh(information.toarray())
    exact = exact[:, -4:] * np.sqrt(values[-4:])
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    assert np.allclose(vectors @ vectors.T, exact @ exact.T, atol=1e-3)


def test_block_iteration_finds_the_leading_eigenvectors():
    chance = np.random.default_rng(0)
    turned = np.linalg.qr(chance.standard_normal((300, 300)))[0]
    values = 0.9 ** np.arange(300)
    matrix = (turned * values) @ turned.T
    found_values, vectors = leading_eigenvectors(lambda columns: matrix @ columns, 300, 10)
    assert np.allclose(found_values, values[:10], rtol=1e-3)
    # How much of each true vector the found ones hold.
    assert np.all(np.linalg.norm(turned[:, :10].T @ vectors, axis=1) > 0.99)


def test_regressions_that_are_solved_together_are_those_of_each_person(crowd, monkeypatch):
    features = np.random.default_rng(2).standard_normal((80, 24)).astype(np.float32)
    left_over = np.random.default_rng(3).standard_normal(len(crowd))
    together = star_features._taste_regressions(crowd, left_over, features)
    for user in (0, 10, 299):
        own = crowd.users == user
        design = features[crowd.items[own]].astype(float)
        gram = design.T @ design + star_features._TASTE_RIDGE * np.eye(24)
        assert np.allclose(together[user], np.linalg.solve(gram, design.T @ left_over[own]), atol=1e-5)
    monkeypatch.setattr(star_features, "_CELLS_AT_ONCE", 1)
    assert np.allclose(star_features._taste_regressions(crowd, left_over, features), together, atol=1e-6)


def test_people_without_ratings_lean_nowhere_of_their_own(toy, toy_split, toy_taste):
    few = toy_split.train.take(toy_split.train.users < 50)
    stars = measure_stars(left_over_of(few), toy.scale, features_of_items(toy_taste.evidence), toy.people)
    assert np.all(stars.coefficients[50:] == 0)
    assert np.any(stars.coefficients[:50] != 0, axis=1).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), min_size=1, max_size=30), max_size=6))
def test_kept_pairs_have_the_value_that_was_computed(asked):
    calls = []

    def compute(users, items):
        calls.append(len(users))
        return users * 100.0 + items

    memory = PairMemory(compute, 10)
    for pairs in asked:
        users, items = np.array(pairs).T
        for _ in range(2):
            assert np.array_equal(memory.of(users, items), users * 100.0 + items)
    # The second time nothing was computed: 410 pairs never share a place of the table.
    assert len(calls) <= len(asked)


def test_pairs_that_are_asked_about_again_and_again_are_computed_once_though_the_table_brings_some_together():
    asked = []

    def compute(users, items):
        asked.append(len(users))
        return users - items / 7

    memory = PairMemory(compute, 500, n_users=50_000)
    users, items = np.random.default_rng(1).integers(0, [[50_000], [500]], (2, 50_000))
    for _ in range(6):
        assert np.array_equal(memory.of(users, items), users - items / 7)
    # With one place for each pair, some 1,200 would be computed anew every time.
    assert asked[1] > 0
    assert sum(asked[3:]) < 50
    more_room, again = PairMemory(compute, 500, n_users=1_000_000), len(asked)
    for _ in range(2):
        more_room.of(users, items)
    assert sum(asked[again + 1 :]) < asked[1]


def test_what_a_forked_process_has_computed_is_known_here():
    memory = PairMemory(lambda users, items: users / 3 + items, 10)
    users, items = np.arange(20), np.arange(20) % 10
    child = os.fork()
    if child == 0:
        memory.of(users, items)
        os._exit(0)
    os.waitpid(child, 0)
    memory._compute = None  # nothing is left to compute
    assert np.array_equal(memory.of(users, items), users / 3 + items)


def test_a_process_of_this_machine_finds_the_table_at_its_place_and_no_other_one_there():
    memory = PairMemory(lambda users, items: users / 3 + items, 10)
    users, items = np.arange(20), np.arange(20) % 10
    memory.of(users, items)
    path, name = memory.place
    other = PairMemory(None, 10, memory.place)  # nothing is left to compute
    assert other.place == memory.place
    assert np.array_equal(other.of(users, items), users / 3 + items)
    for gone in ((path, f"groundlings-{'0' * 32}"), ("/proc/self/fd/0", name), ("/nowhere", name)):
        alone = PairMemory(lambda users, items: users * 1.0 + items, 10, gone)
        assert alone.place not in (gone, memory.place)
        assert np.array_equal(alone.of(users, items), users + items)


def test_what_was_worked_out_of_a_taste_goes_with_a_copy_also_into_memory_that_nobody_may_write(toy_taste):
    taste, some = replace(toy_taste, evidence=replace(toy_taste.evidence)), np.arange(40)
    said = taste.known_pairs.of(some, some)
    arrays: list[bytes] = []

    def set_apart(buffer):
        arrays.append(bytes(buffer))

    sent = pickle.dumps((taste, taste.worked_out()), protocol=5, buffer_callback=set_apart)
    copy, known = pickle.loads(sent, buffers=arrays)
    assert np.array_equal(np.flatnonzero(known.similar._known), some)
    copy.take_over(known)
    assert copy.known_pairs.place == taste.known_pairs.place
    copy.known_pairs._compute = None  # nothing is left to compute
    assert np.array_equal(copy.known_pairs.of(some, some), said)
    everybody = np.arange(90)  # of whom the others are still to be found
    assert np.array_equal(copy.evidence.column("people", everybody), taste.evidence.column("people", everybody))


def test_what_two_processes_wrote_half_each_is_computed_anew():
    memory = PairMemory(lambda users, items: users / 3 + items, 10)
    first, second = (np.array([pair]) for pair in (4, 7))
    memory.of(first, second)
    place = np.flatnonzero(memory._values)
    memory._values[place] = 0.25  # the value of another pair, beside the mark of this one
    assert memory.of(first, second) == 4 / 3 + 7


def test_a_copy_of_a_taste_in_another_process_says_the_same_and_carries_nothing_that_was_computed(toy_taste):
    users, items = np.arange(90), np.arange(90) % 60
    said = toy_taste.known_pairs.of(users, items)
    sent = pickle.dumps(toy_taste)
    assert np.array_equal(pickle.loads(sent).known_pairs.of(users, items), said)
    assert len(sent) < 2**20  # the pairs alone that are kept take 32 times that


def test_the_share_of_similar_users_is_the_same_for_items_with_more_users_than_are_listed(toy, toy_split, monkeypatch):
    users, items = np.repeat(np.arange(90), 60), np.tile(np.arange(60), 90)
    all_listed = measure_evidence(toy_split.train, toy.catalog)
    said = all_listed.column_of_pairs("people", users, items)
    monkeypatch.setattr(similar_users, "MOST_RECENT", 4)
    few_listed = measure_evidence(toy_split.train, toy.catalog)
    assert np.diff(few_listed.latest_users.indptr).max() == 4 < few_listed.met.sum(axis=0).max()
    dense = few_listed.column("people", np.arange(90))
    assert np.allclose(few_listed.column_of_pairs("people", users, items), dense.ravel(), atol=1e-5)
    assert np.allclose(said, all_listed.column("people", np.arange(90)).ravel(), atol=1e-5)


def test_the_table_is_given_back_with_its_taste(toy_taste):
    taste = replace(toy_taste)
    gone = weakref.ref(taste)
    users = np.arange(3)
    assert np.array_equal(taste.known_pairs.of(users, users), toy_taste.known_pairs.of(users, users))
    del taste
    assert gone() is None, "without waiting for the garbage collector"
