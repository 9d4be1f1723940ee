"""What was fitted on real search sessions decides pages of results: looks, clicks, stops and further queries."""

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.actions import LegalActions
from groundlings.environments.dataset import RatingScale
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.search_site import search_schema
from groundlings.personas.click_models.examination import UserBrowsing
from groundlings.personas.click_models.pages import ResultPages
from groundlings.personas.contract import MindContract
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.search.fitted import read_fitted_search
from groundlings.personas.search.options import SearchOptions
from groundlings.personas.search.rules import SearchRules, stop_features
from tests.fitted_search import fitted_search, written

SCHEMA = search_schema(RatingScale().values)
FLAT = ((1.0,),) * 5


class TestMindThatSearchesAsRealPeople(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, toy_population, toy_taste, tmp_path):
        def make_mind(options=None, **figures):
            path = written(tmp_path / "fitted.json", **figures)
            search = SearchOptions(fitted=path, **(options or {}))
            return BehaviouralMind(toy_population, toy_taste, BehaviouralOptions(search=search), schema=SCHEMA)

        self.make_mind = make_mind

    def situation(self, *, may_go_on=True, day=0, source="search", number=2, may_turn=None):
        found = super().situation(may_go_on=may_go_on, day=day)
        page = replace(found.page, number=number, further={"source": np.full(self.n_users, source, dtype=object)})
        offered = {"next_page": may_go_on if may_turn is None else may_turn, "query": may_go_on}
        legal = LegalActions(SCHEMA, {name: np.full(self.n_users, may) for name, may in offered.items()})
        return replace(found, page=page, legal=legal)

    def decided(self, mind, **page):
        return asyncio.run(mind.decide(self.situation(**page)))

    def chances(self, mind, **page):
        return self.decided(mind, **page).trace.probability("click")

    def test_places_are_looked_at_as_in_the_log(self):
        all_seen, as_fitted = self.chances(self.make_mind(examination=FLAT)), self.chances(self.make_mind())
        assert as_fitted == pytest.approx(all_seen * [1.0, 0.5, 0.25, 0.1, 0.1])

    def test_after_a_click_the_row_of_that_click_counts(self):
        above = ((1.0, *(0.0,) * 4), (1.0, 0.0, 0.0, 0.0, 0.0), *((1.0,) * 5,) * 3)
        decision = self.decided(self.make_mind(examination=above, level=0.6))
        clicked = decision["click"][:, 0]
        assert 0 < clicked.sum() < len(clicked)
        assert not decision["click"][clicked, 1].any()
        assert (decision.trace.probability("click")[~clicked, 1] > 0).all()

    def test_a_higher_level_is_opened_more_and_a_feed_is_left_alone(self):
        few, many = self.make_mind(level=0.1), self.make_mind(level=0.7)
        shown = self.situation().page.shown
        assert (self.chances(many)[shown] > self.chances(few)[shown]).all()
        assert np.array_equal(self.chances(many, source="feed"), self.chances(few, source="feed"))

    def test_stops_are_those_of_the_log(self):
        for intercept, ask in ((30.0, False), (-30.0, True)):
            decision = self.decided(self.make_mind(reformulation=1.0, intercept=intercept), may_turn=False)
            asked = np.array([query is not None for query in decision["query"]])
            assert (asked == ask).all()
        assert all(self.decided(self.make_mind(intercept=30.0), number=1)["query"]), (
            "the empty box is no page of results"
        )

    def test_who_goes_on_turns_the_page_where_the_log_says_so_and_asks_where_there_is_none(self):
        mind = self.make_mind(reformulation=0.0, intercept=-30.0)
        assert self.decided(mind)["next_page"].all()
        assert all(self.decided(mind, may_turn=False)["query"])

    def test_a_rate_that_is_stated_goes_before_the_one_of_the_log(self):
        mind = self.make_mind({"reformulation_rate": 0.0}, reformulation=1.0, intercept=-30.0)
        assert self.decided(mind)["next_page"].all()
        assert mind.describe()["search"]["reformulation_rate"] == 0.0

    def test_it_says_what_it_was_fitted_on(self):
        found = self.make_mind().describe()["search"]["fitted"]
        assert found["origin"] == "fitted on 12 people's sessions of made.csv"
        assert found["sha256"] == fitted_search().sha256
        assert fitted_search(level=0.5).sha256 != found["sha256"]

    def test_pages_longer_than_those_of_the_log_are_refused(self):
        with pytest.raises(ConfigError, match=r"mind\.search\.fitted: found pages of 5 results; expected at most 4"):
            self.decided(self.make_mind(examination=FLAT[:4]))


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_looks_and_clicks_are_those_of_the_click_model(seed, depth):
    chance = np.random.default_rng(seed)
    documents, attractive = chance.integers(0, 3, (4, depth)), chance.random((4, depth))
    model = UserBrowsing()
    model.attractiveness = type("Told", (), {"of": lambda _, pages: attractive})()
    model.examination = chance.random((depth, depth))
    luck, shown = chance.random((4, depth)), np.ones((4, depth), dtype=np.bool_)
    chances = SearchRules(model.examination, np.zeros(6), 0.5, 0.5).looks(attractive, luck, shown) * attractive
    clicks = luck < chances
    assert chances == pytest.approx(model.conditional(ResultPages(documents, clicks)))


STOP = fitted_search().model_dump(mode="json")["stop"]


def test_what_a_stop_depends_on_by_hand():
    clicks = np.array([[True, False, True], [False, False, False]])
    assert stop_features(np.array([0, 3]), clicks, np.array([0, 4])) == pytest.approx(
        np.array([[0, 1, 2, 3, 0], [np.log(4), 0, 0, 0, np.log(5)]])
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"examination": [[1.0], [0.5, 0.2]]}, "examination of a position_based model of 2 ranks has 1 columns"),
        ({"examination": [[1.0], [1.5]]}, "holds what is no probability"),
        ({"stop": {}}, "expected intercept, number"),
        (
            {"stop": {**STOP, "clicks": {**STOP["clicks"], "value": 1e308}}},
            r"stop\.clicks is 1e\+308, expected log-odds",
        ),
        (
            {"fitted_on": {**fitted_search().fitted_on.model_dump(), "people": -5}},
            r"fitted_on\.people: expected",
        ),
        ({"format": "another"}, "format"),
        ({"level": {**fitted_search().level.model_dump(), "value": 1.0}}, "level is 1"),
    ],
)
def test_a_damaged_file_is_refused_with_what_makes_one(tmp_path, change, complaint):
    path = written(tmp_path / "fitted.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=rf"{complaint}.*groundlings search-sessions FILE --out"):
        read_fitted_search(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_fitted_search(tmp_path / "none.json")
