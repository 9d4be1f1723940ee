"""Word spreads as the models say: known sizes, curves and orders, on made graphs and in runs of toy data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.errors import ConfigError
from groundlings.environments.ties import Ties
from groundlings.experiments.running.run import run_experiment
from groundlings.personas.population import build_population
from groundlings.personas.social.options import SmallWorld, SocialOptions
from groundlings.personas.social.spread import BassSpread, CascadeSpread, Spread, ThresholdSpread, spread_of
from groundlings.personas.social.spread_options import Bass, IndependentCascade, LinearThreshold
from groundlings.personas.social.word_of_mouth import WordOfMouth

ITEMS = 4000
"""Each item spreads by itself, so that one world holds as many cascades as items."""


def line(agents: int) -> Ties:
    return Ties.of(np.arange(agents - 1), np.arange(1, agents), agents)


def cascade(ties: Ties, chance: float, items: int = ITEMS) -> CascadeSpread:
    return CascadeSpread(IndependentCascade(model="independent_cascade", chance=chance, weight=1), ties, items, 0)


def threshold(ties: Ties, share: float | None = None) -> ThresholdSpread:
    return ThresholdSpread(LinearThreshold(model="linear_threshold", threshold=share, weight=1), ties, ITEMS, 0)


def mean_size(spread: Spread, days: int) -> float:
    """Agents who are active for an item that agent 0 alone likes, on the average of all items."""
    spread.notice(0, np.arange(ITEMS))
    for day in range(1, days):
        spread.notice(day, np.zeros(0, dtype=np.int64))
    return len(spread.active) / ITEMS


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.7, 1.0])
def test_a_cascade_along_a_line_is_as_large_as_its_geometric_sum(chance):
    expected = sum(chance**steps for steps in range(6))
    assert mean_size(cascade(line(6), chance), days=6) == pytest.approx(expected, abs=0.08)


def test_a_cascade_takes_a_day_per_tie_and_has_one_chance_with_each():
    spread = cascade(line(4), 1.0, items=10)
    assert spread.notice(0, np.array([3])).reached.tolist() == [13]
    assert spread.notice(1, np.array([13])).begun.tolist() == []  # it was active before it liked the item
    assert spread.active.tolist() == [3, 13, 23]
    star = Ties.of(np.zeros(5, dtype=int), np.arange(1, 6), 6)
    assert mean_size(cascade(star, 0.4), days=9) == pytest.approx(1 + 5 * 0.4, abs=0.08)


def test_two_ties_who_became_active_on_one_day_have_two_chances():
    spread = cascade(Ties.of(np.array([0, 1]), np.array([2, 2]), 3), 0.5)
    reached = spread.notice(0, np.arange(2 * ITEMS)).reached
    assert len(reached) / ITEMS == pytest.approx(1 - 0.5**2, abs=0.03)


def test_drawn_thresholds_reach_as_many_as_edges_drawn_at_random():
    # Kempe, Kleinberg and Tardos (2003) prove it: each agent keeps one of its ties, drawn at random, and whoever is
    # joined to the first agent by what is kept is active. Along a line of five that is 1 + 1/2 + 1/4 + 1/8 + 1/8.
    assert mean_size(threshold(line(5)), days=6) == pytest.approx(2.0, abs=0.08)


def test_a_stated_threshold_is_a_share_of_the_ties():
    assert mean_size(threshold(line(5), 0.5), days=6) == 5
    assert mean_size(threshold(line(5), 0.51), days=6) == 1
    spread = threshold(Ties.of(np.array([0, 1, 2]), np.array([3, 3, 3]), 4), 0.6)
    assert not len(spread.notice(0, np.array([0])).reached)
    assert spread.notice(1, np.array([ITEMS])).reached.tolist() == [3 * ITEMS]  # likes of earlier days count


def bass(agents: int, days: int, **options) -> np.ndarray:
    """Share of agents who are active for two launched items at the end of each day."""
    stated = Bass(model="bass", launched=("a", "b"), weight=1, **options)
    spread = BassSpread(stated, line(agents), np.arange(agents), np.array([3, 1]), 5, seed=0)
    nothing = np.zeros(0, dtype=np.int64)
    return np.cumsum([len(spread.notice(day, nothing).reached) for day in range(days)]) / (2 * agents)


def test_launched_items_follow_the_curve_of_bass():
    p, q, days = 0.006, 0.08, 90
    shares, time = bass(3000, days, innovation=p, imitation=q), np.arange(1, days + 1)
    curve = (1 - np.exp(-(p + q) * time)) / (1 + q / p * np.exp(-(p + q) * time))
    assert np.abs(shares - curve).max() < 0.04
    won = np.diff(shares)
    most = np.convolve(won, np.ones(9) / 9, mode="same").argmax()
    assert most == pytest.approx(np.log(q / p) / (p + q), abs=8)  # where the curve is steepest


def test_without_innovation_and_likes_nothing_begins():
    assert not bass(50, 5, innovation=0, imitation=1).any()
    assert bass(50, 1, innovation=1, imitation=0).tolist() == [1.0]


def test_a_share_of_ties_needs_ties_who_are_active():
    stated = Bass(model="bass", launched=("a",), innovation=0, imitation=1, among="ties", weight=1)
    spread = BassSpread(stated, line(4), np.arange(4), np.array([0]), 2, seed=0)
    assert spread.notice(0, np.array([0, 1])).begun.tolist() == [0]  # item 1 is not launched
    reached = [spread.notice(day, np.zeros(0, dtype=np.int64)).reached // 2 for day in (1, 2, 3)]
    assert set(spread.active // 2) > {0}
    assert all(np.diff(np.concatenate([[0], *reached])) == 1)  # nobody before its neighbour on the line


@settings(max_examples=12)
@given(st.integers(2, 25), st.floats(0, 1), st.integers(0, 99))
def test_nobody_becomes_active_twice_or_without_a_tie_who_is(agents: int, chance: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = random.integers(agents, size=(2, 3 * agents))
    ties = Ties.of(first[first != second], second[first != second], agents)
    spread = cascade(ties, chance, items=6)
    seen: set[int] = set()
    for day in range(4):
        before = set((spread.active // 6).tolist())
        found = spread.notice(day, random.integers(6 * agents, size=2))
        new = [*found.begun.tolist(), *found.reached.tolist()]
        assert len(set(new)) == len(new)
        assert not seen & set(new)
        seen |= set(new)
        active = {*before, *(found.begun // 6).tolist()}
        assert all(active & set(ties.graph[[user]].indices.tolist()) for user in (found.reached // 6).tolist())
    assert seen == set(spread.active.tolist())
    users = np.arange(agents)
    assert spread.is_active(users, np.tile(np.arange(6), (agents, 1))).sum() == len(seen)


def test_at_a_grocer_s_whatever_was_bought_spreads(repeat_shop):
    population = build_population(repeat_shop, repeat_shop.interactions, size="all", seed=1)
    options = SocialOptions(
        ties=SmallWorld(generator="watts_strogatz", neighbours=4),
        likes=0.0,
        spread={"model": "independent_cascade", "chance": 1.0, "weight": 1.0},
    )
    heard = WordOfMouth(options, population, Path())
    spread = spread_of(options, heard.ties, population)
    bought = population.train.take(np.array([0]))
    user, item = int(bought.users[0]), int(bought.items[0])
    reached = spread.notice(0, heard.liked_and_mentioned(0, bought)).reached
    assert (reached % len(population.catalog) == item).all()
    assert sorted(reached // len(population.catalog)) == sorted(heard.ties.graph[[user]].indices.tolist())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"model": "bass", "launched": ["nowhere"], "innovation": 0.1, "imitation": 0.1},
            "found nowhere, which no item",
        ),
        ({"model": "bass", "launched": ["i1"], "innovation": 0.6, "imitation": 0.6}, "found 1.2, expected at most 1"),
        ({"model": "bass", "launched": ["i1", "i1"], "innovation": 0.6, "imitation": 0.1}, "found an id twice"),
        ({"model": "rumour"}, "independent_cascade"),
    ],
)
def test_what_cannot_spread_is_refused(start, tmp_path, options, complaint):
    social = {"ties": "ties.csv", "likes": 0.0, "spread": {**options, "weight": 1.0}}
    with pytest.raises(ConfigError, match=complaint):
        run_experiment(start(mind={"kind": "behavioural", "social": social}), tmp_path / "run")
