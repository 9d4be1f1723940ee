import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import expit, logit

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.feed import feed_actions
from groundlings.environments.interactions import Interactions
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.personas.contract import MindContract
from groundlings.personas.exposure.fit import fit_exposures
from groundlings.personas.exposure.parameter import Parameter
from groundlings.personas.mind import KnowsPreference, Shown, Situation
from groundlings.personas.minds.behavioural import UNRATED_FIND, BehaviouralMind, BehaviouralOptions
from groundlings.personas.population import build_population
from groundlings.personas.taste.model import fit_taste
from groundlings.personas.taste.utility import utility_features
from tests.personas.exposure.test_fit import audience, random_log


@pytest.fixture(scope="module")
def make_mind(toy_population, toy_taste):
    def make(**options):
        return BehaviouralMind(toy_population, toy_taste, BehaviouralOptions(**options))

    return make


class TestBehaviouralMind(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, make_mind):
        self.make_mind = make_mind


class TestBehaviouralMindInSmallCohorts(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, make_mind):
        self.make_mind = lambda: make_mind(cohort_size=3, random_click_rate=0.4)


def decide(mind, items, *, page=1, day=0, stars=(1.0, 2.0, 3.0, 4.0, 5.0), agents=None):
    """What agents (users of the same number) do with the given slates."""
    agents = np.arange(len(items), dtype=np.int64) if agents is None else agents
    situation = Situation(
        sessions=Sessions(agents, agents % 90, day, Draws.for_sessions(5, agents, day)),
        page=Page(page, 0, np.asarray(items, dtype=np.int32)),
        legal=feed_actions(stars, np.ones(len(agents), dtype=bool)),
        rows=np.arange(len(agents)),
    )
    return asyncio.run(mind.decide(situation))


def unmet_slates(population, size, sessions):
    """Random slates of items that nobody has met in training, one a session."""
    chance = np.random.default_rng(0)
    met = population.train.matrix.toarray() > 0
    return np.array([chance.choice(np.flatnonzero(~met[user % 90]), size, replace=False) for user in range(sessions)])


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 15),
    empty=st.integers(0, 15),
    exponent=st.floats(0, 3),
    rate=st.floats(0.001, 0.9),
    day=st.integers(0, 400),
)
def test_any_page_can_be_audited(make_mind, width, empty, exponent, rate, day):
    items = (np.arange(90)[:, None] + np.arange(width)) % 60
    items[::2, width - min(empty, width) :] = NO_ITEM
    decision = decide(make_mind(examination_exponent=exponent, random_click_rate=rate), items, day=day)
    assert np.array_equal(decision["click"], decision.trace.draw("click") < decision.trace.probability("click"))
    assert not np.any(decision["click"] & ~decision.trace.examined)
    assert not np.any(decision.trace.examined & (items == NO_ITEM))
    assert np.array_equal(~np.isnan(decision["rate"]), decision["click"])
    assert np.all((decision["satisfaction"] >= 1) & (decision["satisfaction"] <= 10))


def test_random_slates_are_clicked_at_the_stated_rate(make_mind, toy_population):
    mind = make_mind(random_click_rate=0.1, examination_exponent=0)
    decision = decide(mind, unmet_slates(toy_population, 10, 9000))
    assert decision.trace.examined.all()
    assert decision["click"].mean() == pytest.approx(0.1, abs=0.005)


def test_examination_follows_the_position(make_mind, toy_population):
    mind = make_mind(examination_exponent=1.0, random_click_rate=0.05)
    decision = decide(mind, unmet_slates(toy_population, 10, 9000))
    assert np.allclose(decision.trace.examined.mean(axis=0), 1 / np.arange(1, 11), atol=0.02)


@pytest.mark.parametrize(
    ("layout", "places"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"layout": "grid", "columns": 3}, [1, 1, 1, 2, 2, 2, 3, 3]),
        ({"layout": "carousel"}, [1] * 8),
    ],
)
def test_a_layout_says_how_attention_falls(make_mind, layout, places):
    items = np.tile(np.arange(8), (90, 1))
    mind = make_mind(random_click_rate=0.05, **layout)
    ratio = decide(mind, items).trace.probability("click") / decide(
        make_mind(random_click_rate=0.05, examination_exponent=0), items
    ).trace.probability("click")
    assert np.allclose(ratio, np.array(places) ** -0.6)


def test_an_item_is_clicked_less_further_down_and_with_the_same_draws(make_mind):
    items = np.tile(np.arange(10), (90, 1))
    mind = make_mind(examination_exponent=1)
    up, down = decide(mind, items), decide(mind, items[:, ::-1])
    assert np.array_equal(up.trace.draw("click"), down.trace.draw("click")[:, ::-1])
    ratio = down.trace.probability("click")[:, ::-1] / up.trace.probability("click")
    assert np.allclose(ratio, np.arange(1, 11) / np.arange(10, 0, -1))


def test_ratings_are_drawn_from_the_persons_own_distribution(make_mind, toy_taste):
    # One person behind many agents, each with draws and a mood of its own: the shares of the stars are the model's.
    mind = make_mind(random_click_rate=0.9, examination_exponent=0)
    user, item = 4, 7
    agents = user + 90 * np.arange(6000)
    stars = decide(mind, np.full((6000, 1), item), agents=agents)["rate"]
    given = stars[~np.isnan(stars)]
    shares = np.array([(given == value).mean() for value in (1, 2, 3, 4, 5)])
    expected = toy_taste.stars.shares(np.array([user]), np.array([item]))[0]
    assert np.allclose(shares, expected, atol=0.03)


def test_only_some_of_what_is_opened_is_rated(make_mind, toy_population):
    items = unmet_slates(toy_population, 5, 4000)
    decision = decide(make_mind(rating_probability=0.3, random_click_rate=0.5), items)
    rated = ~np.isnan(decision["rate"])
    assert not np.any(rated & ~decision["click"])
    assert rated.sum() / decision["click"].sum() == pytest.approx(0.3, abs=0.03)
    everything = decide(make_mind(rating_probability=1.0, random_click_rate=0.5), items)
    assert np.array_equal(everything["click"], decision["click"])
    assert np.array_equal(everything["rate"][rated], decision["rate"][rated])


def test_no_stars_where_the_site_takes_none(make_mind):
    decision = decide(make_mind(random_click_rate=0.9), np.tile(np.arange(5), (90, 1)), stars=())
    assert decision["click"].any()
    assert decision.get("rate") is None


def test_satisfaction_rises_with_what_was_found(make_mind):
    decision = decide(make_mind(random_click_rate=0.5, examination_exponent=0), np.tile(np.arange(10), (90, 1)))
    found = np.where(decision["click"], (decision["rate"] - 1) / 4, 0).sum(axis=1)
    assert np.array_equal(decision["satisfaction"], np.rint(1 + 9 * (1 - np.exp(-found))))
    nothing = decide(make_mind(random_click_rate=1e-9), np.tile(np.arange(10), (90, 1)))
    assert np.all(nothing["satisfaction"] == 1)


def test_people_leave_sooner_on_later_pages_and_after_poor_ones(make_mind):
    agents = np.arange(9000)
    items = np.tile(np.arange(10), (9000, 1))
    rising = {"exit": "rising", "patience": 1.0}
    poor = {
        page: decide(make_mind(random_click_rate=1e-9, **rising), items, page=page, agents=agents) for page in (1, 5)
    }
    rich = decide(make_mind(random_click_rate=0.9, examination_exponent=0, **rising), items, agents=agents)
    stayed = [decision["next_page"].mean() for decision in (poor[5], poor[1], rich)]
    assert stayed[0] < stayed[1] < stayed[2]
    # Page 1, satisfaction 1: logit(0.25) + 1 * (5.5 - 1) / 4.5 = logit(0.25) + 1.
    assert 1 - poor[1]["next_page"].mean() == pytest.approx(1 / (1 + 3 * np.exp(-1)), abs=0.02)


def test_preference_ranks_what_brings_likes(make_mind, toy_population):
    mind = make_mind()
    assert isinstance(mind, KnowsPreference)
    preference = mind.preference(np.arange(90))
    assert preference.shape == (90, 60)
    assert np.all((preference >= 0) & (preference <= 1))
    likes = []
    for order in (-preference, preference):
        slates = np.tile(np.argsort(order, axis=1)[:, :10], (20, 1))
        decision = decide(mind, slates, agents=np.arange(1800))
        likes.append((decision["rate"] >= 4).sum())
    assert likes[0] > 5 * max(likes[1], 1)


def test_implicit_audiences_click_and_rate_nothing(toy, toy_split):
    train = toy_split.train
    implicit = Interactions.of(train.users, train.items, None, train.timestamps, n_users=90, n_items=60)
    population = build_population(toy, implicit, size="all", seed=1)
    mind = BehaviouralMind(population, fit_taste(toy, implicit, salt="a", seed=1), BehaviouralOptions())
    decision = decide(mind, unmet_slates(population, 10, 900))
    assert decision["click"].any()
    assert np.isnan(decision["rate"]).all()
    clicks = decision["click"].sum(axis=1)
    assert np.array_equal(decision["satisfaction"], np.rint(1 + 9 * (1 - np.exp(-UNRATED_FIND * clicks))))


def test_a_population_of_one_can_be_calibrated(toy, toy_split, toy_taste):
    population = build_population(toy, toy_split.train, size=1, seed=1)
    mind = BehaviouralMind(population, toy_taste, BehaviouralOptions())
    assert np.isfinite(mind.preference(population.users)).all()


def test_a_sample_of_the_candidates_gives_the_level_of_all(make_mind, monkeypatch):
    options = {"random_click_rate": 0.1, "utility": "met"}
    whole = make_mind(**options).describe()["click_constant"]
    monkeypatch.setattr("groundlings.personas.minds.click_model.CANDIDATES", 30)  # of 60 items
    sampled = make_mind(**options).describe()["click_constant"]
    assert whole != sampled
    assert sampled == pytest.approx(whole, abs=0.15)


def test_misspelt_options_are_refused():
    with pytest.raises(ValidationError):
        BehaviouralOptions(fatige=0.1)


def test_opening_rests_on_a_fifth_of_what_people_meet_unless_the_file_says_otherwise(make_mind, toy_taste):
    users = np.arange(30)
    items = np.tile(np.arange(12), (30, 1))
    appeal = toy_taste.appeal(users)[:, :12].astype(float)
    like = toy_taste.stars.like_probability(users, toy_taste.stars.leaning(users))[:, :12]

    def odds(**options):
        mind = make_mind(random_click_rate=0.05, examination_exponent=0, **options)
        return logit(decide(mind, items, agents=users).trace.probability("click"))

    def slopes(**options):
        design = np.column_stack([np.ones(like.size), appeal.ravel(), logit(like).ravel()])
        return np.linalg.lstsq(design, odds(**options).ravel(), rcond=None)[0][1:]

    assert slopes() == pytest.approx([0.2, 0], abs=1e-4)
    assert slopes(utility="met") == pytest.approx([1, 0], abs=1e-4)
    assert slopes(utility={"liking": 2.0}) == pytest.approx([0, 2], abs=1e-4)


def test_without_a_stated_level_random_items_are_opened_as_often_as_people_met_them(make_mind, toy_taste):
    share = toy_taste.appeal_weights.met_share
    stated = make_mind(random_click_rate=share)
    assert make_mind().describe()["click_constant"] == stated.describe()["click_constant"]
    assert make_mind().describe()["browsing"]["origins"]["random_click_rate"] == "the training history"
    assert stated.describe()["browsing"]["origins"]["random_click_rate"] == "the experiment file"


def calibration_of_liking(weights, constant):
    """A calibration that knows nothing but what people like of what they are shown."""

    def fitted(value):
        return Parameter(value=value, low=None, high=None, origin="fitted", source="a test")

    table, features = random_log(people=3)
    found = fit_exposures(table, audience(table, features))
    known = {name: fitted(value) for name, value in weights.items()}
    liking = found.liking.model_copy(update={"intercept": fitted(constant), "weights": known})
    return found.model_copy(update={"liking": liking})


def test_ratings_of_shown_items_are_those_that_a_log_of_exposures_says(make_mind, toy_population, toy_taste, tmp_path):
    users, items = np.repeat(np.arange(20), 30), np.tile(np.arange(30), 20)
    chosen = make_mind().rating_shares(users, items)
    likes, taken = chosen[:, 3:].sum(axis=1), toy_taste.stars.shares(users, items)[:, 3:].sum(axis=1)
    assert np.allclose(logit(likes), logit(taken) - 0.5, atol=1e-4)  # people like what nobody chose less
    path = tmp_path / "exposures.json"
    path.write_text(calibration_of_liking({"appeal": 0.1, "liking": 0.9, "popularity": 0.0}, constant=-1.0).as_text())
    mind = BehaviouralMind(toy_population, toy_taste, BehaviouralOptions(exposures=path))
    odds = utility_features(toy_taste, users, items) @ [0.1, 0.9, 0.0] - 1.0
    shares = mind.rating_shares(users, items)
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.allclose(shares[:, 3:].sum(axis=1), expit(odds), atol=1e-5)


def test_what_was_shown_in_vain_is_opened_less_often_where_a_log_could_tell(toy_population, toy_taste, tmp_path):
    found = calibration_of_liking({"appeal": 0.1, "liking": 0.9, "popularity": 0.0}, constant=-1.0)
    fitted = Parameter(value=-1.5, low=None, high=None, origin="fitted", source="a test")
    tired = found.model_copy(update={"utility": found.utility.model_copy(update={"repeat": fitted})})
    users, items = np.arange(5), np.tile(np.arange(6), (5, 1)).astype(np.int32)
    nothing = toy_population.train.take(np.zeros(0, dtype=np.int64))
    shown = Shown(np.repeat(users, 3), np.tile(np.arange(3), 5))

    def chances(calibration, *, notice):
        path = tmp_path / "exposures.json"
        path.write_text(calibration.as_text())
        mind = BehaviouralMind(toy_population, toy_taste, BehaviouralOptions(exposures=path, examination_exponent=0.0))
        if notice:
            mind.notice(0, nothing, shown)
        page = Page(1, 0, items)
        legal = feed_actions((1.0, 2.0, 3.0, 4.0, 5.0), np.ones(5, dtype=np.bool_))
        sessions = Sessions(users, users, 1, Draws.for_sessions(1, users, 1))
        decision = asyncio.run(mind.decide(Situation(sessions, page, legal, users)))
        return logit(decision.trace.probability("click")), mind

    before, mind = chances(tired, notice=False)
    after, _ = chances(tired, notice=True)
    assert mind.counts_shown()
    np.testing.assert_allclose(after[:, :3], before[:, :3] - 1.5)
    np.testing.assert_allclose(after[:, 3:], before[:, 3:])
    untold, mind = chances(found, notice=True)
    assert not mind.counts_shown(), "a preset is nothing that was measured here"
    np.testing.assert_allclose(untold, before)
