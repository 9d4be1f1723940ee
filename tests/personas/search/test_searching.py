"""What people look for comes from their training history alone, names no item, and decides what they open."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groundlings.environments.actions import LegalActions
from groundlings.environments.catalog import Catalog
from groundlings.environments.content import words_in
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.random_streams import Draws
from groundlings.environments.search_site import search_schema
from groundlings.environments.sessions import Sessions
from groundlings.personas.contract import MindContract
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.population import build_population
from groundlings.personas.search.attributes import Attributes, Titles
from groundlings.personas.search.needs import Needs
from groundlings.personas.search.options import SearchOptions
from groundlings.personas.search.searching import Searching, check_catalog

SCHEMA = search_schema(RatingScale().values)


class TestMindThatSearches(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, toy_population, toy_taste):
        self.make_mind = lambda **options: BehaviouralMind(
            toy_population, toy_taste, BehaviouralOptions(search=SearchOptions(**options)), schema=SCHEMA
        )

    def situation(self, *, may_go_on=True, day=0, source="search", number=2):
        found = super().situation(may_go_on=may_go_on, day=day)
        texts = np.full(self.n_users, source, dtype=object)
        page = replace(found.page, number=number, further={"source": texts})
        go_on = np.full(self.n_users, may_go_on)
        return replace(found, page=page, legal=LegalActions(SCHEMA, {"next_page": go_on, "query": go_on}))

    def decided(self, mind, **page):
        return asyncio.run(mind.decide(self.situation(**page)))

    def test_everybody_asks_on_the_empty_box_and_nobody_where_nothing_can_be_asked(self):
        mind = self.make_mind()
        assert all(self.decided(mind, number=1)["query"])
        assert not any(self.decided(mind, number=1, may_go_on=False)["query"])
        assert np.isnan(self.decided(mind, number=1)["satisfaction"]).all()

    def test_who_asks_does_not_turn_the_page(self):
        decision = self.decided(self.make_mind(reformulation_rate=0.5))
        asked = np.array([query is not None for query in decision["query"]])
        assert asked.any()
        assert decision["next_page"].any()
        assert not (decision["next_page"] & asked).any()

    def test_a_rate_of_nought_never_asks(self):
        mind = self.make_mind(reformulation_rate=0, search_rate=0)
        for source in ("feed", "search"):
            assert not any(self.decided(mind, source=source)["query"])

    def test_results_that_have_what_is_looked_for_are_opened_more(self):
        page = {"source": "search"}
        with_need = self.decided(self.make_mind(match=3.0), **page).trace.probability("click")
        without = self.decided(self.make_mind(match=0.0), **page).trace.probability("click")
        shown = self.situation().page.shown
        assert (with_need[shown] >= without[shown]).all()
        assert (with_need[shown] > without[shown]).any()
        feed = self.decided(self.make_mind(match=3.0), source="feed").trace.probability("click")
        assert feed[shown] == pytest.approx(without[shown])


def test_options_of_searching_are_refused_where_nobody_can_search(toy_population, toy_taste):
    with pytest.raises(ConfigError, match=r"mind\.search: .* no query can be made"):
        BehaviouralMind(toy_population, toy_taste, BehaviouralOptions(search=SearchOptions()))


def test_a_query_longer_than_the_need_is_refused():
    with pytest.raises(ValidationError, match="query_words: found 5; expected at most need_words, which is 2"):
        SearchOptions(need_words=2, query_words=5)


def groceries(histories):
    """A shop in which titles, categories and texts share words."""
    catalog = Catalog(
        item_ids=tuple("abcdefg"),
        titles=("Oat Milk", "Rye Bread", "Green Tea", "Bakery", "Dark Chocolate", "Soap", "Herbal Tea"),
        years=np.full(7, np.nan),
        genres=(("Dairy",), ("Bakery",), ("Drinks",), ("Bakery",), ("Sweets",), ("Household", "Drinks"), ("Drinks",)),
        texts=("green oat drink", "dark rye", "green herbal tea", "a roll", "dark sweet", "a bar", "herbal tea"),
    )
    users = np.array([user for user, items in enumerate(histories) for _ in items])
    items = np.array([item for items in histories for item in items])
    rows = Interactions.of(
        users, items, np.full(len(users), np.nan), np.arange(len(users)), n_users=len(histories), n_items=7
    )
    people = People(tuple(f"u{n}" for n in range(len(histories))), ({},) * len(histories))
    dataset = Dataset("shop", catalog, people, rows, RatingScale(), "a test", "none")
    return build_population(dataset, rows, size="all", seed=1)


def sessions(n, day=0):
    users = np.arange(n)
    return Sessions(users, users, day, Draws.for_sessions(3, users, day))


def test_a_need_is_of_what_was_chosen_and_lasts_the_day():
    population = groceries([[0], [2, 6], [3]])
    needs = Needs(population, SearchOptions(need_words=3))
    names = needs.attributes.names
    found = needs.of(sessions(3))
    chosen = [{names[each] for each in row if each >= 0} for row in found]
    assert chosen[0] <= {"dairy", "green"}  # "oat" and "drink" are words of one item, which tell nothing of another
    assert chosen[1] <= {"drinks", "green", "herbal", "tea"}
    assert not chosen[2]
    assert needs.query(found[2], 0) is None
    assert needs.without == 1
    assert (found == needs.of(sessions(3))).all()


def test_weights_count_items_and_rarity():
    population = groceries([[2, 6, 5]])
    needs = Needs(population, SearchOptions(need_words=1, query_words=1))
    drawn = [needs.attributes.names[needs.of(sessions(1, day))[0, 0]] for day in range(600)]
    weights = {"drinks": 3 * np.log(7 / 3), "herbal": 2 * np.log(7 / 2), "tea": 2 * np.log(7 / 2),
               "green": np.log(7 / 2), "household": np.log(7)}  # fmt: skip
    assert set(drawn) == set(weights)
    total = sum(weights.values())
    for name, weight in weights.items():
        share, spread = weight / total, np.sqrt(weight / total * (1 - weight / total) / 600)
        assert abs(drawn.count(name) / 600 - share) < 4.5 * spread


def test_queries_of_a_need_move_on_and_come_to_an_end():
    needs = Needs(groceries([[0, 5, 6]]), SearchOptions(need_words=3, query_words=2))
    need = np.array([needs.attributes.names.index(name) for name in ("dairy", "drinks", "household")])
    assert [needs.query(need, number) for number in range(3)] == ["dairy drinks", "drinks household", None]


@settings(max_examples=20)
@given(st.permutations(range(7)), st.integers(0, 50))
def test_no_query_has_the_title_of_an_item_in_it(order, day):
    needs = Needs(groceries([order[:4], order[3:]]), SearchOptions(need_words=8, query_words=4))
    titles = [words_in(title) for title in ("Oat Milk", "Rye Bread", "Green Tea", "Bakery", "Herbal Tea")]
    for need in needs.of(sessions(2, day)):
        for number in range(5):
            said = words_in(needs.query(need, number) or "")
            for title in titles:
                places = range(len(said) - len(title) + 1)
                assert all(said[place : place + len(title)] != title for place in places)


def test_a_title_in_a_text_is_found_as_words_and_not_as_letters():
    titles = Titles(["Heat", "Blue Velvet"])
    assert titles.names_one("some blue velvet please")
    assert titles.names_one("HEAT")
    assert not titles.names_one("heated blue")


def test_the_share_of_a_need_counts_by_rarity():
    needs = Needs(groceries([[0]]), SearchOptions())
    names = needs.attributes.names
    need = np.array([[names.index("drinks"), names.index("household"), -1]])
    match = needs.match(need, np.array([[5, 2, 0, -1]]))
    assert match[0] == pytest.approx([1.0, np.log(7 / 3) / (np.log(7 / 3) + np.log(7)), 0.0, 0.0])


def test_a_catalog_of_titles_alone_has_no_attributes():
    catalog = groceries([[0]]).catalog
    bare = replace(catalog, genres=((),) * 7, texts=(None,) * 7)
    assert Attributes.of(bare, Titles(bare.titles)).names == ()
    with pytest.raises(ConfigError, match=r"mind\.search: .* nobody would search; name columns"):
        check_catalog(bare)
    check_catalog(catalog)


def test_people_of_whom_none_has_anything_to_look_for_are_refused():
    """The title of each item is all that there is of it, and a title is no query."""
    with pytest.raises(ConfigError, match="nobody would search"):
        Searching(SearchOptions(), groceries([[3], [3]]), None, lambda users, _: np.zeros(len(users)))
