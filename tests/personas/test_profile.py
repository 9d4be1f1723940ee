import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.personas.profile import GENRE_PRIOR, measure_profiles

CLEO = 2


@pytest.fixture
def profiles(three_people):
    return measure_profiles(three_people.interactions, three_people.catalog, three_people.scale)


def test_traits_follow_their_formulas(profiles):
    # Item means: a (5 + 3) / 2 = 4, b 4, c (1 + 2) / 2 = 1.5.
    assert profiles.activity.tolist() == [3, 2, 0]
    assert profiles.diversity.tolist() == [3, 2, 0]
    assert profiles.conformity[0] == pytest.approx((1.0 + 0.0 + 0.25) / 3)
    assert profiles.conformity[1] == pytest.approx((1.0 + 0.25) / 2)


def test_style_counts_the_stars(profiles):
    style = profiles.style(0)
    assert style.mean == pytest.approx(10 / 3)
    assert style.spread == pytest.approx(np.std([5, 4, 1]))
    assert style.shares == pytest.approx({1.0: 1 / 3, 2.0: 0, 3.0: 0, 4.0: 1 / 3, 5.0: 1 / 3})
    assert style.ratings == 3


def test_lift_is_the_smoothed_ratio_of_shares(profiles, three_people):
    genre = three_people.catalog.genre_names.index("War")
    overall = 1 / 5
    assert profiles.genre_lifts(slice(0, 1))[0, genre] == pytest.approx((1 + GENRE_PRIOR) / (3 * overall + GENRE_PRIOR))


def test_what_is_unknown_is_absent(profiles):
    style, traits = profiles.style(CLEO), profiles.traits(CLEO)
    assert (style.mean, style.spread, dict(style.shares), style.ratings) == (None, None, {}, 0)
    assert traits.conformity is None


def test_one_rating_has_no_spread(three_people):
    alone = three_people.interactions.take(np.array([0]))
    style = measure_profiles(alone, three_people.catalog, three_people.scale).style(0)
    assert style.mean == 5.0
    assert style.spread is None


def test_high_conformity_is_a_small_distance(three_people):
    # Three people rate the same two items; the third one stands apart.
    history = Interactions.of(
        np.array([0, 0, 1, 1, 2, 2]),
        np.array([0, 1, 0, 1, 0, 1]),
        np.array([4.0, 4.0, 4.0, 5.0, 1.0, 1.0]),
        np.arange(6),
        n_users=3,
        n_items=4,
    )
    profiles = measure_profiles(history, three_people.catalog, three_people.scale)
    assert profiles.traits(0).conformity.level == "high"
    assert profiles.traits(2).conformity.level == "low"


def test_levels_split_people_in_thirds(toy_split, toy):
    profiles = measure_profiles(toy_split.train, toy.catalog, toy.scale)
    assert np.bincount(profiles.conformity_level).tolist() == [30, 30, 30]


@given(st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0, 2.5, 3.0]), min_size=1, max_size=20))
def test_shares_sum_to_one_on_any_scale(three_people_catalog, stars):
    history = Interactions.of(
        np.zeros(len(stars), dtype=int),
        np.arange(len(stars)) % 4,
        np.array(stars),
        np.arange(len(stars)),
        n_users=1,
        n_items=4,
    )
    style = measure_profiles(history, three_people_catalog, RatingScale(0.5, 3.0, 0.5)).style(0)
    assert sum(style.shares.values()) == pytest.approx(1)
    assert style.mean == pytest.approx(sum(value * share for value, share in style.shares.items()))


@pytest.fixture(scope="module")
def three_people_catalog(toy):
    from groundlings.environments.catalog import Catalog

    return Catalog(("a", "b", "c", "d"), ("A", "B", "C", "D"), np.full(4, np.nan), ((),) * 4)
