"""`sasrec` and `bert4rec` as a run uses them; training needs PyTorch, and a missing one is told."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.contract import RecommenderContract, checkerboard, toy_catalog
from groundlings.recommenders.neural.bert4rec import Bert4Recommender
from groundlings.recommenders.neural.sasrec import SasRecommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender

SMALL = {"length": 8, "width": 16, "dropout": 0.0, "learning_rate": 0.01, "batch_size": 16, "epochs": 30}
BOTH = (SasRecommender, Bert4Recommender)
N_ITEMS, KNOWN = 20, 10


def ring(n_users=60, length=KNOWN, start=0):
    """Everybody goes from each item to the next of a ring; user u begins at item u."""
    users, steps = np.divmod(np.arange(n_users * length), length)
    items = (users + steps + start) % N_ITEMS
    return Interactions.of(users, items, None, steps, n_users=n_users, n_items=N_ITEMS)


@pytest.mark.parametrize("kind", BOTH)
def test_without_pytorch_it_names_the_extra(kind, monkeypatch):
    monkeypatch.setattr("groundlings.recommenders.neural.extra.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'groundlings\[neural\]'"):
        kind().fit(checkerboard(), toy_catalog())
    with pytest.raises(ConfigError, match=r"pip install 'groundlings\[neural\]'"):  # before a run begins
        kind().check_users(np.arange(3))


@pytest.mark.parametrize("kind", BOTH)
def test_heads_must_divide_the_width(kind):
    with pytest.raises(ConfigError, match="multiple of the heads"):
        kind(width=10, heads=3)


@pytest.mark.parametrize("kind", BOTH)
def test_a_network_that_learned_no_numbers_is_refused_and_not_the_best_of_all(kind):
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"learning_rate: found 1e\+30.* after epoch 1"):
        kind(**{**SMALL, "learning_rate": 1e30}).fit(ring(), toy_catalog())


@pytest.mark.parametrize("name", ["sasrec", "bert4rec", "semantic_ids", "text_graph"])
@pytest.mark.parametrize(("option", "value"), [("seed", 2**63), ("learning_rate", 1e38)])
def test_what_pytorch_does_not_take_is_refused_before_a_fit(name, option, value):
    with pytest.raises(ConfigError, match=rf"arm\.options\.{option}: found {value}".replace("+", r"\+")):
        build_recommender(name, {option: value}, RecommenderContext(toy_catalog(), (), Path()))


def test_memory_of_all_items_is_bounded_and_drawn_ones_take_less():
    world = checkerboard()
    large = Interactions.of(world.users, world.items, None, world.timestamps, n_users=20, n_items=100_000)
    everything, drawn = SasRecommender().memory_bytes(large), SasRecommender(negatives=256).memory_bytes(large)
    assert everything > 128 * 50 * 100_000 * 4
    assert drawn < everything / 4


class Trained(RecommenderContract):
    @pytest.fixture(autouse=True)
    def _torch(self):
        pytest.importorskip("torch")


class TestSasrec(Trained):
    def build(self):
        return SasRecommender(**{**SMALL, "epochs": 2})


class TestBert4Rec(Trained):
    def build(self):
        return Bert4Recommender(**{**SMALL, "epochs": 2})


@pytest.fixture(scope="module", params=["sasrec", "sasrec with negatives", "bert4rec"])
def trained(request):
    pytest.importorskip("torch")
    options = {**SMALL, "epochs": 150, "patience": 150}
    # Of few hidden items one seed learns and the next does not, nor does the same on another processor.
    steadily = {"blocks": 1, "mask_share": 0.4, "learning_rate": 0.005}
    recommender = {
        "sasrec": lambda: SasRecommender(**options),
        "sasrec with negatives": lambda: SasRecommender(**options, negatives=10),
        "bert4rec": lambda: Bert4Recommender(**{**options, **steadily}),
    }[request.param]()
    recommender.fit(ring(), toy_catalog())
    return recommender


def first_of(recommender, users, **request):
    return lists_of(recommender, users, 1, **request)[:, 0]


def lists_of(recommender, users, length, **request):
    seen = ring().met_by(users).tolil()
    for row, items in enumerate(request.get("shown", ())):
        seen[row, items] = 1.0
    asked = RankingRequest(users, length, sp.csr_array(seen), Draws.for_sessions(1, users, 0), **request)
    return recommender.recommend(asked).items


def test_it_tells_the_item_that_comes_next(trained):
    users = np.arange(60)
    right = first_of(trained, users) == (users + KNOWN) % N_ITEMS
    assert right.mean() > 0.9, "a popularity list is right for one of 20 users"


def test_an_observed_interaction_moves_its_user_and_nobody_else(trained):
    before = trained.score(np.arange(60)).copy()
    state = trained.state()
    later = Interactions.of(np.array([5]), np.array([18]), None, np.array([99]), n_users=60, n_items=N_ITEMS)
    trained.observe(later)
    after = trained.score(np.arange(60))
    assert not np.allclose(after[5], before[5])
    np.testing.assert_array_equal(np.delete(after, 5, axis=0), np.delete(before, 5, axis=0))
    assert trained.state() != state


def test_a_click_of_the_session_counts_and_leaves_no_trace(trained):
    users, state = np.array([7, 8]), trained.state()
    page = {"page": 2, "shown": np.array([[2, 5], [3, 4]], dtype=np.int32)}
    plain = lists_of(trained, users, 8, **page, clicked=np.zeros((2, 2), dtype=bool))
    in_session = lists_of(trained, users, 8, **page, clicked=np.array([[True, False], [False, False]]))
    assert in_session[0].tolist() != plain[0].tolist()
    assert in_session[1].tolist() == plain[1].tolist()
    if trained.name == "sasrec":
        assert in_session[0, 0] == 3, "what follows the click"
    assert trained.state() == state
    again = lists_of(trained, users, 8, **page, clicked=np.zeros((2, 2), dtype=bool))
    assert again.tolist() == plain.tolist()


def test_numpy_computes_what_was_trained(trained):
    torch = pytest.importorskip("torch")
    from groundlings.recommenders.neural.training import _Torch
    from groundlings.recommenders.neural.transformer import asked_rows, states, vectors

    rows = asked_rows(trained._shape, trained._sequences, np.arange(60))
    weights = {name: torch.from_numpy(values) for name, values in trained._weights.items()}
    expected = states(_Torch(0.0), weights, trained._shape, rows)[:, -1].numpy()
    np.testing.assert_allclose(vectors(trained._weights, trained._shape, rows), expected, rtol=1e-3, atol=1e-4)
