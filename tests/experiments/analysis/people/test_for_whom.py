"""Segments, dots and the dozen: effects are found where they were planted, and those who are shown stand for all."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes
from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.analysis.metrics.totals import TOTALS, Totals
from groundlings.experiments.analysis.people.attributes import attributes_of, conjunctions
from groundlings.experiments.analysis.people.heat_map import heat_map
from groundlings.experiments.analysis.people.spread import (
    DOZEN,
    MOST_DOTS,
    axis_of,
    choose_dozen,
    evenly_spaced,
    spread_of,
)
from groundlings.experiments.analysis.report.people_sentences import dozen, fares, heat_lines, with_value
from groundlings.experiments.analysis.report.verdict_sentences import segments
from groundlings.experiments.config.designs import ParallelDesign
from groundlings.experiments.config.schema import PlanConfig

LIKES = next(metric for metric in METRICS if metric.name == "likes_per_session")
FEWER = replace(LIKES, higher_is_better=False)
N = 960


def personas(n=N):
    """Women and men, three thirds of activity, ages 18 to 77, a postcode of one's own, a favourite category."""
    return tuple(
        {
            "traits": {"activity": {"value": 5.0 * place, "level": ("low", "medium", "high")[place % 3]}},
            "demographics": {"gender": "FM"[place % 2], "post": f"{10000 + place}", "height": str(150 + place % 40)},
            "style": {"mean": 1 + 4 * (place % 97) / 97},
            "genre_lifts": {"Drama": 2.0, "War": 1.0 + (place % 5)},
        }
        for place in range(n)
    )


def arm(name, likes):
    n = len(likes)
    ones = {"sessions", "asked", "pages", "whole_sessions", "begun_sessions", "begun_pages", "satisfaction"}
    columns = {total: np.ones(n) if total in ones else np.zeros(n) for total in TOTALS}
    columns |= {"shown": np.full(n, 10.0), "known": np.full(n, 10.0), "likes": likes, "whole_likes": likes}
    columns |= {"clicks": likes, "ratings": likes, "stars": 3 * likes}
    totals = Totals(pd.DataFrame({**columns, "agent_id": np.arange(n)}), pd.Index(range(n)))
    everybody = np.ones(n, dtype=bool)
    return ArmOutcomes(name, name, False, totals, (totals,), everybody, everybody, 1.0, False)


def outcomes(effect, n=N, seed=0, **arms):
    """A baseline and an arm with an effect of each user's own, shape (n,)."""
    rng = np.random.default_rng(seed)
    base = rng.poisson(4, n).astype(float)
    run = {"run_id": "a", "experiment": "made up", "status": "done", "agents": n, "days": 1, "seed": seed,
           "dataset_hash": "d", "mind": {"kind": "behavioural"}}  # fmt: skip
    others = [arm(name, np.maximum(base + rng.normal(0, 0.3, n), 0)) for name in arms]
    plan = PlanConfig(primary="likes_per_session", smallest_effect=0.1)
    both = (arm("base", base), arm("new", np.maximum(base + effect, 0)), *others)
    return Outcomes(run, plan, ParallelDesign(), Paired(), both, personas(n))


@pytest.fixture(scope="module")
def planted():
    """Highly active women gain 3; nobody else gains or loses on average."""
    place = np.arange(N)
    gains = (place % 2 == 0) & (place % 3 == 2)
    return outcomes(np.where(gains, 3.0, 0.0) + np.random.default_rng(1).normal(0, 1, N).round())


def table(heat, *names):
    return next(each for each in (*heat.single, *heat.pairs) if each.names == names)


def test_an_effect_on_one_conjunction_is_found_there_and_nowhere_else(planted):
    heat = heat_map(planted, compare_outcomes(planted, None))
    pair = {row.levels: row.cells[0] for row in table(heat, "activity", "gender").rows}
    assert pair["high", "F"].reading == "better"
    assert pair["high", "F"].effect.difference == pytest.approx(3.0, abs=0.35)
    assert {cell.reading for levels, cell in pair.items() if levels != ("high", "F")} == {"unclear"}
    assert max(abs(cell.colour) for cell in pair.values()) <= 1.0
    assert "activity high" in heat_lines(heat, LIKES)[0]


def test_a_segment_says_on_how_many_of_its_users_an_effect_rests(planted):
    heat = heat_map(planted, compare_outcomes(planted, None))
    cell = heat.everybody[0]
    fewer = replace(cell, effect=replace(cell.effect, n=N - 30))
    assert with_value(N, heat.everybody) == ""
    assert with_value(N, (fewer, None)) == "930 with a value"
    assert with_value(N, (fewer, cell)) == "930 to 960 with a value"


def test_single_segments_have_the_p_values_that_compare_prints(planted):
    comparison = compare_outcomes(planted, None)
    said = segments(comparison.arms[0], LIKES, 0.05)
    assert re.search(r"clear in \d of \d segments by activity, .*gender; differs by ", said), said
    heat = heat_map(planted, comparison)
    printed = {(each.attribute, each.level): each.adjusted_p for each in comparison.arms[0].segments}
    shown = {(t.names[0], row.levels[0]): row.cells[0].adjusted_p for t in heat.single for row in t.rows}
    assert {key: shown[key] for key in printed} == printed
    assert set(shown) > set(printed), "and further attributes"
    assert table(heat, "activity").differing == ("new",)


def test_users_are_found_in_the_rows_that_count_them(planted):
    places = [0, 1, 7, 500]
    heat = heat_map(planted, compare_outcomes(planted, None), places)
    for names in (("gender",), ("activity", "gender")):
        here = table(heat, *names)
        for place, row in zip(places, here.members, strict=True):
            person = planted.personas[place]
            levels = {"gender": person["demographics"]["gender"], "activity": person["traits"]["activity"]["level"]}
            assert here.rows[row].levels == tuple(levels[name] for name in names)


def test_every_attribute_of_a_persona_is_offered_but_those_that_name_users():
    found, naming = attributes_of(personas())
    assert {each.names[0] for each in found} == {"activity", "gender", "height", "mean rating", "favourite category"}
    assert naming == ("post",)
    heights = next(each for each in found if each.names == ("height",))
    assert len(heights.levels) == 3, "a number with many values is told in thirds"


@given(n=st.integers(40, 300), most=st.integers(1, 30))
def test_each_user_is_in_at_most_one_row_and_no_row_is_small(n, most):
    single, _ = attributes_of(personas(n))
    for each in (*single, *conjunctions(single, most)):
        rows = list(each.rows())
        placed = np.concatenate([users for _, users in rows]) if rows else np.zeros(0)
        assert len(placed) == len(set(placed.tolist())) == (each.codes >= 0).sum()
        if len(each.names) == 2:
            *kept, last = rows
            assert len(kept) <= most
            assert all(len(users) >= 20 for _, users in kept)
            assert len(last[1]) >= 20 or last[0] == ("others", "others")


def test_ten_arms_have_as_many_cells_as_a_page_holds():
    many = outcomes(np.zeros(N), **{f"arm {number}": 0 for number in range(9)})
    heat = heat_map(many, compare_outcomes(many, None))
    assert len(heat.arms) == 10
    assert sum(len(row.cells) for each in heat.pairs for row in each.rows) <= 1800
    assert sum(row.n for row in table(heat, "activity", "gender").rows) == N, "small combinations are others"


gaps = st.lists(st.integers(-8, 8), min_size=1, max_size=400).map(lambda values: np.array(values, dtype=float) / 2)


@given(values=gaps)
def test_those_who_are_chosen_lose_and_gain_in_the_proportion_of_all(values):
    chosen = values[evenly_spaced(values, DOZEN)]
    assert len(chosen) == min(DOZEN, len(values))
    assert list(chosen) == sorted(chosen)
    for part in (np.less, np.equal, np.greater):
        assert abs(part(chosen, 0).mean() - part(values, 0).mean()) <= 1 / len(chosen) + 1e-9


@given(values=gaps)
def test_a_dot_lies_on_the_axis_and_on_the_side_of_its_sign(values):
    axis = axis_of(values)
    for value in values:
        column = axis.column(value)
        assert 0 <= column < axis.columns
        assert np.sign(column - axis.below) == np.sign(value)
        assert 0 <= axis.share(value) <= 1
        inside = abs(value) < min(axis.below, axis.above) * axis.width
        assert not inside or abs(axis.middle(column) - axis.share(value)) <= axis.room / axis.places
    assert axis.columns <= 85


def test_shares_are_of_all_users_and_dots_of_a_hundred(planted):
    users = [f"u{number}" for number in range(N)]
    spread = spread_of(planted, ["new"], LIKES, range(1, N + 1), users)
    (new,) = spread.arms
    assert new.lower + new.same + new.higher == new.n == N
    assert len(new.dots) == MOST_DOTS
    assert fares(new, True).endswith("% better")
    assert abs(sum(dot.value < 0 for dot in new.dots) / MOST_DOTS - new.lower / N) <= 0.01
    worse, same, better = (words.split()[0] for words in fares(new, True).split(", "))
    assert fares(new, False) == f"{better} % fare worse, {same} % the same, {worse} % better"
    levels = {}
    for dot in new.dots:
        assert dot.level == levels.get(dot.column, 0), "dots of a column stand on each other"
        levels[dot.column] = dot.level + 1


def test_the_dozen_says_by_which_rule_it_was_chosen(planted):
    found = choose_dozen(planted, "new", LIKES, range(1, N + 1))
    said = dozen(found, LIKES)
    assert said.startswith("12 of 960 users who stand for all, evenly spaced by rank: ")
    assert "between new and base" in said
    lower = sum(each.value < 0 for each in found.people)
    assert f"{lower} fare worse with new" in said
    one = replace(found, people=tuple(replace(each, value=place - 1.0) for place, each in enumerate(found.people)))
    assert "1 fares worse with new, 1 the same and 10 better, about in the proportion of all users." in dozen(
        one, LIKES
    )
    alone = choose_dozen(planted, None, LIKES, range(1, N + 1))
    assert {each.arm for each in alone.people} == {"base"}
    assert "from the lowest likes per session to the highest" in dozen(alone, LIKES)


def test_a_metric_that_should_be_small_turns_words_and_colours_round():
    place = np.arange(N)
    run = outcomes(np.where(place % 2 == 0, 2.0 + (place % 4 == 2), 0.0))
    comparison = compare_outcomes(run, None)
    flipped = {**comparison.metrics, "likes_per_session": FEWER}
    heat = heat_map(run, replace(comparison, metrics=flipped))
    women = next(row for row in table(heat, "gender").rows if row.levels == ("F",)).cells[0]
    assert (women.reading, women.colour < 0) == ("worse", True)
