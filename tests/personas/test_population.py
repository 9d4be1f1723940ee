import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.personas.population import build_population


def test_only_people_with_a_training_history_come(three_people):
    population = build_population(three_people, three_people.interactions, size="all", seed=0)
    assert population.users.tolist() == [0, 1]


@given(small=st.integers(1, 90), large=st.integers(1, 90), seed=st.integers(0, 5))
def test_a_smaller_population_is_part_of_a_larger_one(toy, toy_split, small, large, seed):
    fewer, more = (
        build_population(toy, toy_split.train, size=size, seed=seed).users for size in sorted((small, large))
    )
    assert set(fewer) <= set(more)
    assert np.all(np.diff(more) > 0)
    assert len(fewer) == min(small, large)


def test_the_seed_chooses(toy, toy_split):
    chosen = {tuple(build_population(toy, toy_split.train, size=20, seed=seed).users) for seed in range(3)}
    assert len(chosen) == 3


def test_too_large_says_how_many_there_are(three_people):
    with pytest.raises(ConfigError, match=r"found 3.*has 2 people"):
        build_population(three_people, three_people.interactions, size=3, seed=0)


def test_examples_come_most_telling_first(three_people):
    history = Interactions.of(
        np.zeros(4, dtype=int),
        np.array([0, 1, 2, 3]),
        np.array([4.0, 5.0, 4.0, 2.0]),
        np.array([1, 2, 3, 4]),
        n_users=3,
        n_items=4,
    )
    person = build_population(three_people, history, size="all", seed=0).persona(0)
    assert person.liked == (1, 2, 0)  # most stars, then newest
    assert person.disliked == (3,)


def test_the_newest_rating_of_an_item_counts(three_people):
    history = Interactions.of(
        np.zeros(2, dtype=int), np.array([0, 0]), np.array([5.0, 1.0]), np.array([1, 2]), n_users=3, n_items=4
    )
    person = build_population(three_people, history, size="all", seed=0).persona(0)
    assert (person.liked, person.disliked) == ((), (0,))


def test_without_ratings_nothing_is_said_of_likes(three_people):
    rows = three_people.interactions
    implicit = Interactions.of(rows.users, rows.items, None, rows.timestamps, n_users=3, n_items=4)
    person = build_population(three_people, implicit, size="all", seed=0).persona(0)
    assert (person.liked, person.disliked, person.style.mean, person.traits.conformity) == ((), (), None, None)
    assert "rated" not in person.description
    assert "liked" not in person.description


def test_the_description_says_what_was_measured(three_people):
    person = build_population(three_people, three_people.interactions, size="all", seed=0).persona(0)
    assert "age: 30" in person.description
    assert "3 titles" in person.description
    assert "You liked Alpha (1991) and Beta (1992)." in person.description
    assert "You did not like Gamma." in person.description
    assert "Delta" not in person.description  # never met


def test_a_test_item_reaches_no_persona(toy, toy_split):
    population = build_population(toy, toy_split.train, size="all", seed=0)
    for row in range(0, len(population), 10):
        user = population.users[row]
        held_out = set(toy_split.test.items[toy_split.test.users == user])
        person = population.persona(row)
        assert held_out.isdisjoint({*person.liked, *person.disliked})
        assert person.history_length == np.sum(toy_split.train.users == user)


def test_unknown_people_are_refused_with_examples(toy, toy_split):
    population = build_population(toy, toy_split.train, size=5, seed=0)
    inside = toy.people.user_ids[population.users[3]]
    outside = next(name for user, name in enumerate(toy.people.user_ids) if user not in population.users)
    assert population.row_of(inside) == 3
    with pytest.raises(ConfigError, match="not among the 5 people"):
        population.row_of(outside)
    with pytest.raises(ConfigError, match="no user 'nobody'"):
        population.row_of("nobody")


def test_the_fingerprint_follows_people_and_history(toy, toy_split):
    def fingerprint(train, size=10):
        return build_population(toy, train, size=size, seed=0).fingerprint

    train = toy_split.train
    assert fingerprint(train) == fingerprint(train)
    assert (
        len({fingerprint(train), fingerprint(train, size=11), fingerprint(train.take(np.arange(1, len(train))))}) == 3
    )
