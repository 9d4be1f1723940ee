"""Legal answers are legal: whatever a scale, what the prompt prints, the schema lists and the grammar writes counts."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundlings.environments.dataset import RatingScale
from groundlings.environments.datasets.config import ScaleConfig
from groundlings.environments.decision import checked
from groundlings.personas.minds.language.reply_schema import reply_schema
from groundlings.simulator.language.gbnf import grammar_for

FEELINGS = ("fine", "bored")


@st.composite
def scales(draw) -> RatingScale:
    """Decimal scales, and such as thirds and sevenths that have no last digit."""
    step = draw(st.integers(1, 60)) / draw(st.sampled_from([1, 2, 3, 4, 7, 10, 20, 30, 100, 1000]))
    low = draw(st.integers(-40, 40)) * draw(st.sampled_from([step, 1.0, 0.1, 100_000.0]))
    steps = draw(st.integers(1, 40))
    return ScaleConfig(low=low, high=low + steps * step, step=step).scale()


NAMED = [
    RatingScale(0, 1, 0.1),
    RatingScale(1, 10, 0.1),
    RatingScale(0, 5, 0.2),
    RatingScale(-1, 1, 0.1),
    RatingScale(-0.3, 0.3, 0.1),
    ScaleConfig(low=-1, high=1, step=2 / 3).scale(),
    ScaleConfig(low=-1, high=1, step=0.6667).scale(),
]


def logged(language, population, scale: RatingScale, number: str) -> float:
    """What the site lets pass where a reply rates with this number."""
    bench = language(population, scale.values)
    asked = bench.situation()
    reply = f'{{"open":{{"2":{number}}},"feel":"fine","satisfaction":7,"next":true}}'
    mind, model = bench.mind([reply])
    found = checked(bench.decide(mind, asked), asked.page, asked.legal)
    assert found.illegal == (), (number, found.illegal)
    printed = re.search(r"with your stars \((.*?)\)", bench.prompt(model.requests[0]))
    assert printed is not None
    assert printed[1].split(", ") == list(scale.texts)
    return float(found.decision["rate"][0, 1])


def each_way(scale: RatingScale, place: int) -> set[str]:
    """One rating as the prompt prints it, as the schema and the grammar have it, and in single precision."""
    schema = reply_schema([1], scale.values, may_go_on=False, feelings=FEELINGS)
    number = json.dumps(schema["properties"]["open"]["properties"]["1"]["enum"][place])
    assert f'"{number}"' in grammar_for(schema)
    value = scale.values[place]
    single = value if abs(value) > 1e4 * scale.step else float(np.float32(value))  # beyond, the digits are not there
    return {scale.texts[place], number, repr(value), repr(single)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it gives a class
@given(scale=scales(), share=st.floats(0, 1))
def test_what_prompt_schema_and_grammar_say_is_accepted_as_the_value_of_the_scale(
    language, toy_population, scale, share
):
    place = round(share * (len(scale.values) - 1))
    for number in each_way(scale, place):
        assert logged(language, toy_population, scale, number) == scale.values[place]


@pytest.mark.parametrize("scale", NAMED, ids=str)
def test_every_rating_of_a_scale_that_practitioners_use_is_legal(language, toy_population, scale):
    assert len(set(scale.texts)) == len(scale.values)
    for place, text in enumerate(scale.texts):
        assert logged(language, toy_population, scale, text) == scale.values[place]


def test_scales_of_today_keep_their_values_and_words():
    assert RatingScale(0.5, 5, 0.5).values == tuple(n / 2 for n in range(1, 11))
    assert RatingScale().texts == ("1", "2", "3", "4", "5")
    assert RatingScale(1, 10, 0.1).values[24] == 1 + 24 * 0.1
    assert RatingScale(-0.3, 0.3, 0.1).texts == ("-0.3", "-0.2", "-0.1", "0", "0.1", "0.2", "0.3")


@pytest.mark.parametrize("number", ["0.25", "0.300001", "-0.1", "1.1", "0.3000004"])
def test_a_number_between_two_ratings_is_refused_by_its_own_digits(language, toy_population, number):
    bench = language(toy_population, RatingScale(0, 1, 0.1).values)
    asked = bench.situation()
    mind, _ = bench.mind([f'{{"open":{{"2":{number}}},"feel":"fine","satisfaction":7,"next":true}}'])
    (illegal,) = checked(bench.decide(mind, asked), asked.page, asked.legal).illegal
    assert (illegal.said, illegal.reason.partition(":")[0]) == (
        f"rate {number}",
        "stars are 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1",
    )


@given(steps=st.integers(1, 25).map(lambda quarter: 4 * quarter), scale=scales())
def test_three_quarters_up_a_rating_is_a_like_and_a_quarter_up_a_dislike(steps, scale):
    scale = RatingScale(scale.low, scale.low + steps * scale.step, scale.step)
    values = scale.values
    assert [value >= scale.like for value in values] == [place >= 3 * steps // 4 for place in range(len(values))]
    assert [value <= scale.dislike for value in values] == [place <= steps // 4 for place in range(len(values))]
