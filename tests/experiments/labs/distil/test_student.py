"""Draws scatter as answers do, between people and within, and choices of pairs keep to what is left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.experiments.labs.distil.choosing import choose_uncertain, choose_uniformly
from groundlings.experiments.labs.distil.figures import Judged
from groundlings.experiments.labs.distil.student import scatter_of

PEOPLE = np.repeat(np.arange(400), 5)


def test_draws_have_the_spread_of_answers_between_people_within_them_and_where_it_is_wide():
    chance = np.random.default_rng(0)
    predicted = chance.normal(size=len(PEOPLE))
    wide = np.where(predicted > 0, 2.0, 0.5)
    answers = predicted + chance.normal(0, 1.5, 400)[PEOPLE] + wide * chance.normal(size=len(PEOPLE))
    scatter = scatter_of(answers, predicted, PEOPLE, 4)
    assert scatter.between == pytest.approx(1.5**2, rel=0.25)
    drawn = scatter.draw(predicted, PEOPLE, chance)
    judged = Judged.of(answers, PEOPLE, 10, chance)
    for part in ("within", "between"):
        assert judged.spread(drawn)[part][0] == pytest.approx(judged.spread(answers)[part][0], rel=0.25)
    low, high = (scatter.draw(np.full(4000, at), np.arange(4000), chance).var() for at in (-2.0, 2.0))
    assert high - low == pytest.approx(2.0**2 - 0.5**2, rel=0.25)


def test_a_person_deviates_once_in_all_draws_about_that_person():
    scatter = scatter_of(np.repeat(np.random.default_rng(1).normal(size=400), 5), np.zeros(2000), PEOPLE, 1)
    drawn = scatter.draw(np.zeros(2000), PEOPLE, np.random.default_rng(2)).reshape(400, 5)
    assert np.ptp(drawn, axis=1).max() < 1e-9
    assert drawn[:, 0].std() == pytest.approx(1, rel=0.2)


def test_where_nobody_has_two_pairs_all_deviation_is_the_pairs():
    rest = np.random.default_rng(3).normal(size=300)
    scatter = scatter_of(rest, np.zeros(300), np.arange(300), 3)
    assert scatter.between == 0
    assert scatter.rests.std() == pytest.approx(rest.std(), rel=0.1)


def test_r2_is_one_for_the_answers_and_zero_for_their_mean():
    answers = np.random.default_rng(4).normal(size=len(PEOPLE))
    judged = Judged.of(answers, PEOPLE, 10, np.random.default_rng(5))
    assert judged.r2(answers)[0] == 1
    assert judged.r2(np.full(len(answers), answers.mean()))[0] == pytest.approx(0, abs=1e-9)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 4))
def test_choices_are_of_what_is_left_and_as_many_as_there_can_be(seed, count, most):
    chance = np.random.default_rng(seed)
    left = chance.random((9, 5)) < 0.6
    evenly = choose_uniformly(left, count, chance)
    assert not (evenly & ~left).any()
    assert evenly.sum() == min(count, left.sum())
    assert np.all((evenly.sum(axis=1) >= evenly.sum(axis=1).max() - 1) | (evenly.sum(axis=1) == left.sum(axis=1)))
    predicted = chance.normal(size=(4, *left.shape))
    unsure = choose_uncertain(left, predicted, count, most, chance)
    assert not (unsure & ~left).any()
    assert unsure.sum() == min(count, np.minimum(left.sum(axis=1), most).sum())
    if unsure.any() and (rest := left & ~unsure & (unsure.sum(axis=1) < most)[:, None]).any():
        assert predicted.std(axis=0)[rest].max() <= predicted.std(axis=0)[unsure].min() + 1e-9
