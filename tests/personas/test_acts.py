"""Personas of data without ratings, or with kinds of events: what was done, how often, how much and how long ago."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.words import Words
from groundlings.personas.acts import Act, act_words
from groundlings.personas.minds.language.config import LanguageOptions
from groundlings.personas.minds.language.portrait import portrait
from groundlings.personas.population import ACTS_KEPT, build_population
from groundlings.personas.prompts import worded_prompt

DAY = 86_400
KIND = {name: code for code, name in enumerate(KINDS)}


@pytest.fixture
def shop(three_people):
    """The three people in a shop of drinks, and their population from rows of (user, item, kind, day, weight)."""
    catalog = replace(three_people.catalog, words=Words("drink", "drinks", {"play": "heard"}))

    def made(rows, beside=(), times_known=True):
        def history(cells) -> Interactions:
            users, items, kinds, days, weights = zip(*cells, strict=True)
            return Interactions.of(
                np.array(users), np.array(items), None, np.array(days) * DAY, n_users=3, n_items=4,
                kinds=np.array([KIND[kind] for kind in kinds]), weights=np.array(weights, dtype=float),
            )  # fmt: skip

        dataset = replace(three_people, catalog=catalog, interactions=history(rows), times_known=times_known)
        known = history(beside) if beside else None
        return build_population(dataset, dataset.interactions, size="all", seed=0, beside=known)

    return made


ANN = [(0, 0, "purchase", 2, 3), (0, 0, "purchase", 5, 1), (0, 1, "purchase", 9, 1), (0, 2, "play", 1, np.nan)]


def test_acts_are_counted_per_item_and_kind_the_most_frequent_first_then_the_latest(shop):
    assert shop(ANN).persona(0).acts == (
        Act(0, "purchase", 2, 4, 4.0),
        Act(1, "purchase", 1, 0, 1.0),
        Act(2, "play", 1, 8, None),
    )


def test_earlier_stages_are_told_of_items_that_were_not_taken(shop):
    seen = [(0, 0, "view", 8, np.nan), (0, 3, "view", 7, np.nan), (0, 3, "view", 8, np.nan), (1, 3, "view", 1, np.nan)]
    assert shop(ANN, seen).persona(0).acts[3:] == (Act(3, "view", 2, 1, None),)


def test_the_description_says_what_was_done_in_the_words_of_the_data(shop):
    told = shop(ANN, [(0, 3, "view", 7, np.nan)]).persona(0).description
    assert "You bought 3 drinks. " in told, "Ann is alone: there is nobody to be compared with"
    assert (
        "You bought Alpha (1991) (twice, 4 in all, last 4 days before the simulation); "
        "Beta (1992) (once, less than a day before the simulation); "
        "heard Gamma (once, 8 days before the simulation); looked at Delta (1994) (once, 2 days before the simulation)."
    ) in told
    assert "title" not in told


def test_what_was_taken_is_counted_and_named_however_much_more_was_looked_at(shop):
    seen = [(0, 3, "view", day, np.nan) for day in range(1, 8)]
    assert "You bought 3 drinks. " in shop(ANN, seen).persona(0).description


def test_where_times_are_unknown_nothing_is_said_of_days(shop):
    person = shop(ANN, times_known=False).persona(0)
    assert {act.days for act in person.acts} == {None}
    assert "day" not in person.description


def test_likes_and_dislikes_are_named_as_such(shop):
    person = shop([*ANN, (0, 3, "dislike", 3, np.nan), (0, 1, "like", 3, np.nan)]).persona(0)
    assert (person.liked, person.disliked) == ((1,), (3,))
    assert "You liked Beta (1992). You did not like Delta (1994)." in person.description
    assert "like" not in {act.kind for act in person.acts}


def test_a_persona_keeps_a_bounded_number_of_acts(shop):
    rows = [(0, item, "purchase", day, 1) for item in range(4) for day in range(item + 1)]
    assert len(shop(rows).persona(0).acts) <= ACTS_KEPT


def test_of_rated_data_without_kinds_a_persona_is_what_it_was(three_people):
    person = build_population(three_people, three_people.interactions, size="all", seed=0).persona(0)
    assert person.acts is None
    assert "acts" not in person.as_dict()
    assert person.description.startswith("About you (age: 30). You have 3 titles behind you")


def test_acts_go_to_the_log(shop):
    assert shop(ANN).persona(0).as_dict()["acts"][0] == {
        "item": 0, "kind": "purchase", "count": 2, "days": 4, "amount": 4.0
    }  # fmt: skip


@pytest.mark.parametrize("wording", ["standard", "plain", "story"])
def test_a_prompt_names_as_many_acts_as_examples_and_as_many_of_another_kind(shop, wording):
    population = shop(ANN)
    prompt = worded_prompt(wording, "verdict", "agent", "history")
    told = portrait(population.persona(0), population.catalog, prompt, LanguageOptions(person_examples=1))
    assert "bought Alpha (twice, 4 in all, last 4 days before day 1); heard Gamma (once, 8 days before day 1)." in told
    assert "Beta" not in told


def test_a_verb_is_said_once_for_a_row_of_acts(shop):
    acts = [Act(0, "view", 1, None, None), Act(1, "view", 3, None, 7.0), Act(2, "play", 1, None, None)]
    told = act_words(acts, ["A", "B", "C"], shop(ANN).catalog, "now")
    assert told == "looked at A (once); B (3 times); heard C (once)"


def test_of_acts_as_frequent_the_largest_amounts_come_first_then_the_latest(shop):
    plays = [(0, 0, "play", 1, 3), (0, 1, "play", 1, 6257), (0, 2, "play", 1, 40), (0, 3, "play", 2, 40)]
    assert [act.item for act in shop(plays).persona(0).acts] == [1, 3, 2, 0]


@pytest.mark.parametrize(
    ("counts_plays", "told"), [(True, "heard Alpha (1991) (6,257 times)"), (False, "(once, 6,257 in all)")]
)
def test_a_weight_of_plays_is_told_and_only_a_count_as_times(shop, counts_plays, told):
    population = shop([(0, 0, "play", 1, 6257)], times_known=False)
    words = replace(population.catalog.words, counts_plays=counts_plays)
    population = replace(population, catalog=replace(population.catalog, words=words))
    assert told in population.persona(0).description


@pytest.mark.parametrize("number", [(2, 2, 2), (2, 2, 3)])
def test_nobody_is_compared_where_most_have_as_many(shop, number):
    rows = [(user, item, "play", 1, 1) for user, items in enumerate(number) for item in range(items)]
    assert "You heard 2 drinks. " in shop(rows).persona(0).description


def test_fewer_and_more_than_most_are_said_where_more_than_half_have_more_or_less(shop):
    rows = [(user, item, "play", 1, 1) for user, items in enumerate((1, 2, 3)) for item in range(items)]
    told = [shop(rows).persona(row).description for row in range(3)]
    assert "You heard 1 drink, fewer than most people here." in told[0]
    assert "about as many as most people here." in told[1]
    assert "You heard 3 drinks, more than most people here." in told[2]
