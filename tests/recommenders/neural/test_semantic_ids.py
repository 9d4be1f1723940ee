"""`semantic_ids` keeps the contract; codes, the beam and its tree are what they are said to be."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog
from groundlings.recommenders.neural.codes import item_codes
from groundlings.recommenders.neural.generation import Everything, Reader, Trie, search
from groundlings.recommenders.neural.semantic_ids import SemanticIds
from groundlings.recommenders.neural.transformer import Numpy, Shape, initial_weights, states

N_ITEMS = 20
SMALL = {"codes": 4, "levels": 2, "length": 4, "width": 16, "dropout": 0.0, "batch_size": 16, "beam": 8}


def ring(n_users=60, length=6):
    """Everybody goes from each item to the next of a ring; user u begins at item u."""
    users, steps = np.divmod(np.arange(n_users * length), length)
    return Interactions.of(users, (users + steps) % N_ITEMS, None, steps, n_users=n_users, n_items=N_ITEMS)


def described():
    """The toy catalogue, each item with words of two kinds: every tenth and every other is alike."""
    texts = tuple(f"of{item % 10} half{item % 2}" for item in range(N_ITEMS))
    return replace(toy_catalog(), texts=texts)


class TestSemanticIds(RecommenderContract):
    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")

    def build(self):
        return SemanticIds(**SMALL, epochs=1)


def test_without_pytorch_it_names_the_extra(monkeypatch):
    monkeypatch.setattr("groundlings.recommenders.neural.extra.find_spec", lambda name: None)
    for told in (
        lambda: SemanticIds().fit(checkerboard(), toy_catalog()),
        lambda: SemanticIds().check_users(np.ones(1)),
    ):
        with pytest.raises(ConfigError, match=r"pip install 'groundlings\[neural\]'"):
            told()


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match="multiple of the heads"):
        SemanticIds(width=10, heads=3)


def test_a_network_that_learned_no_numbers_is_refused():
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"learning_rate: found 1e\+30"):
        SemanticIds(**SMALL, epochs=2, learning_rate=1e30).fit(ring(), described())


def test_a_wide_beam_over_many_codes_counts_as_memory():
    narrow, wide = (SemanticIds(codes=65_536, beam=beam).memory_bytes(ring()) for beam in (1, 10_000))
    assert wide - narrow > 8 * 10_000 * 65_536 * 4


def test_codes_of_a_hand_made_catalogue():
    """Two directions, one of them with two items that differ a little and two that are one."""
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0], [0.3, 1.0], [0.0, 0.0]])
    ids = item_codes(vectors, levels=2, n_codes=3, seed=0)
    first, second, last = ids.tokens.T
    assert len(set(first)) == 3
    assert first[1] == first[2] == first[3], "items of one direction begin alike"
    assert second[1] == second[2] != second[3], "what is left tells a near one apart"
    assert last.tolist() == [6, 6, 7, 6, 6], "the last code counts those that are equal"
    assert (ids.vocabulary, ids.shared, ids.depth) == (8, 2, 3)
    assert ids.explained == pytest.approx(1.0)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(2, 5))
def test_no_two_items_have_equal_codes_and_levels_share_no_token(seed, levels, n_codes):
    vectors = np.random.default_rng(seed).integers(0, 3, (12, 2)).astype(float)
    ids = item_codes(vectors, levels, n_codes, seed=0)
    assert len(ids.number_of()) == 12
    assert (ids.tokens // n_codes).T[:-1].tolist() == [[level] * 12 for level in range(levels)]
    assert ids.tokens.max() < ids.vocabulary
    again = item_codes(vectors, levels, n_codes, seed=0)
    np.testing.assert_array_equal(again.tokens, ids.tokens)


def network(seed=3, length=14):
    shape = Shape("sasrec", n_items=9, length=length, width=8, blocks=2, heads=2)
    rng = np.random.default_rng(seed)
    weights = {name: values + rng.normal(0, 0.3, values.shape) for name, values in initial_weights(shape, seed).items()}
    return shape, {name: values.astype(np.float32) for name, values in weights.items()}


def test_a_network_that_reads_token_by_token_tells_what_it_tells_of_the_whole_row():
    shape, weights = network()
    rng = np.random.default_rng(0)
    row = np.r_[np.full(3, shape.padding), rng.integers(0, 9, 11)]
    reader = Reader(weights, shape)
    found, history = reader.history(row[3:12], 12)
    whole = states(Numpy(), weights, shape, row[None])[0]
    np.testing.assert_allclose(found[0], whole[11], rtol=1e-4, atol=1e-5)
    twice = np.array([row[12], row[12]])
    found, own = reader.next(twice, 12, history, None)
    np.testing.assert_allclose(found[1], whole[12], rtol=1e-4, atol=1e-5)
    found, _ = reader.next(np.array([row[13]]), 13, history, own.of(np.array([1])))
    np.testing.assert_allclose(found[0], whole[13], rtol=1e-4, atol=1e-5)


def chances_one_by_one(shape, weights, history, tokens):
    """The log chance of a sequence, from the whole row."""
    row = np.r_[history, tokens[:-1], np.full(shape.length - len(history) - len(tokens) + 1, shape.padding)]
    found = states(Numpy(), weights, shape, row[None])[0].astype(float)
    scores = found @ weights["items"][: shape.n_items].T
    told = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return sum(told[len(history) - 1 + step, token] for step, token in enumerate(tokens))


def test_a_wide_beam_finds_all_items_in_the_order_of_their_chances():
    shape, weights = network()
    tokens = np.array(sorted(itertools.product((0, 1, 2), (3, 4), (6, 7)))[:9])
    history = np.array([1, 4, 6, 0, 3, 7])
    reader = Reader(weights, shape)
    read = reader.history(history, len(history))
    beam = search(reader, read, Trie(tokens), 3, 50, len(history))
    np.testing.assert_array_equal(tokens[beam.nodes], beam.tokens)
    assert sorted(beam.nodes) == list(range(9))
    expected = np.array([chances_one_by_one(shape, weights, history, each) for each in tokens])
    np.testing.assert_allclose(beam.scores, expected[beam.nodes], rtol=1e-4, atol=1e-4)
    assert (np.diff(beam.scores) <= 0).all()
    narrow = search(reader, read, Trie(tokens), 3, 2, len(history))
    assert len(narrow.nodes) == 2, "a beam of two has two sequences"
    free = search(reader, read, Everything(9), 2, 5, len(history))
    assert len(free.tokens) == 5
    assert free.scores[0] >= search(reader, read, Trie(tokens[:, :2]), 2, 5, len(history)).scores[0]


@pytest.fixture(scope="module")
def trained():
    pytest.importorskip("torch")
    recommender = SemanticIds(**{**SMALL, "codes": 6}, epochs=60, learning_rate=0.01, patience=60)
    recommender.fit(ring(), described())
    return recommender


def asked(recommender, users, size, allowed=None, **request):
    seen = np.zeros((len(users), N_ITEMS)) if allowed is None else np.ones((len(users), N_ITEMS))
    if allowed is not None:
        seen[:, allowed] = 0
    return recommender.recommend(
        RankingRequest(users, size, sp.csr_array(seen), Draws.for_sessions(1, users, 0), **request)
    ).items


def test_it_writes_the_codes_of_the_item_that_comes_next(trained):
    users = np.arange(60)
    right = asked(trained, users, 1)[:, 0] == (users + 6) % N_ITEMS
    assert right.mean() > 0.9, "a popularity list is right for one of 20 users"
    assert trained.ids.shared == N_ITEMS, "item n and n + 10 say the same, so the last code tells them apart"


def test_lists_are_full_whatever_the_beam_and_hold_what_is_allowed(trained):
    users = np.arange(4)
    assert (asked(trained, users, N_ITEMS) != NO_ITEM).all()
    assert set(asked(trained, users, 5, [3, 7, 8]).ravel()) == {3, 7, 8, NO_ITEM}
    written, invalid = trained.free_sequences(users)
    assert written == 4 * SMALL["beam"]
    assert 0 <= invalid < written
    assert trained.free_sequences(users[:0]) == (0, 0)


def test_what_was_done_since_moves_its_user_alone(trained):
    users = np.array([7, 8])
    plain, state = asked(trained, users, 1)[:, 0], trained.state()
    shown, clicked = np.array([[13, 2], [3, 4]], dtype=np.int32), np.array([[True, False], [False, False]])
    assert asked(trained, users, 1, page=2, shown=shown, clicked=clicked)[:, 0].tolist() == [14, plain[1]]
    assert plain[0] != 14
    assert trained.state() == state


def test_items_that_nobody_chose_are_written_by_what_they_say_and_have_their_share_of_a_list():
    pytest.importorskip("torch")
    whole = ring()
    without = whole.take(whole.items != 13)  # item 3 says the same
    options = {**SMALL, "codes": 6, "epochs": 60, "learning_rate": 0.01, "patience": 60}
    lists = {}
    for share in (0.0, 0.2):
        recommender = SemanticIds(**options, cold_share=share)
        recommender.fit(without, described())
        before_3 = np.flatnonzero((np.arange(60) + 6) % N_ITEMS == 3)
        lists[share] = asked(recommender, before_3, 5)
        alone = asked(recommender, np.arange(5), 3, [13])
        assert alone.tolist() == [[13, NO_ITEM, NO_ITEM]] * 5, "where nothing else is left it is listed"
    assert not (lists[0.0] == 13).any()
    assert (lists[0.2] == 13).any(axis=1).all()
