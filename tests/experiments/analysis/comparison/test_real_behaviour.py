"""A simulated effect beside what real people did with the same arm: the rules, from made-up evidence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.held_out import (
    Agreement,
    ArmBehaviour,
    Audiences,
    HeldOut,
    RealEffect,
    of_dict,
    read_held_out,
)
from groundlings.experiments.analysis.comparison.real_behaviour import audiences_differ, order_check, real_behaviour
from groundlings.experiments.analysis.metrics.definitions import BY_NAME
from groundlings.experiments.running.held_out.audiences import compare_audiences

CTR, STARS = BY_NAME["view_ratio"], BY_NAME["mean_rating"]


def gap(low, high):
    middle = (low + high) / 2
    return Difference(middle, (high - low) / 4, low, high, 0.01, 600, 0)


def evidence(low, high, source="held-out behaviour", *, decides=True):
    return RealEffect(source, "nDCG@10 of new items", Estimate(0.08, 0.01, 0.07, 0.09, 600, 0), gap(low, high), decides)


NOT_ASKED = Audiences(missing="not asked")


def held_out(*effects, audiences=NOT_ASKED, **changes):
    arms = {"popular": ArmBehaviour("popular"), "als": ArmBehaviour("als", effects)}
    return HeldOut("popular", 700, 650, 600, arms, audiences=audiences, **changes)


def stance(found, low=-0.03, high=-0.01, metric=CTR):
    return real_behaviour(found, "als", gap(low, high), metric)


def test_an_effect_with_the_other_sign_than_held_out_behaviour_is_contradicted():
    found = stance(held_out(evidence(0.001, 0.011)))
    assert (found.stance, found.decided_by.source) == ("disagrees", "held-out behaviour")
    assert stance(held_out(evidence(0.001, 0.011)), 0.01, 0.03).stance == "agrees"


def test_evidence_that_cannot_tell_says_so():
    found = stance(held_out(evidence(-0.001, 0.011)))
    assert (found.stance, found.decided_by) == ("cannot tell", None)
    assert found.why


def test_a_metric_that_is_not_about_choosing_items_is_not_held_against_it():
    found = stance(held_out(evidence(0.001, 0.011)), metric=STARS)
    assert found.stance == "does not correspond"
    assert "mean rating" in found.why


def test_a_metric_of_which_less_is_better_is_turned_round():
    bounce = replace(CTR, higher_is_better=False)
    assert stance(held_out(evidence(0.001, 0.011)), metric=bounce).stance == "agrees"


def test_random_exposures_outrank_what_people_chose_themselves():
    chosen, random = evidence(0.001, 0.011), evidence(-0.05, -0.02, "random exposures")
    found = stance(held_out(chosen, random))
    assert (found.stance, found.decided_by.source) == ("agrees", "random exposures")
    unsure = evidence(-0.05, 0.02, "random exposures")
    assert stance(held_out(chosen, unsure)).decided_by.source == "held-out behaviour"


def test_figures_that_are_told_beside_it_decide_nothing():
    assert stance(held_out(evidence(-0.02, 0.01), evidence(0.01, 0.02, decides=False))).stance == "cannot tell"


def test_what_is_not_known_says_why():
    assert stance(None) is None
    assert stance(held_out(missing="a script decides")).why == "a script decides"
    assert stance(held_out()).stance == "not known"
    unknown = HeldOut("popular", arms={"als": ArmBehaviour("als", missing="it asks a language model")})
    assert stance(unknown).why == "it asks a language model"


ends = st.floats(-1, 1).map(lambda value: round(value, 3))


@given(ends, ends, ends, st.booleans())
def test_a_stance_never_rests_on_an_interval_that_includes_zero(low, width, effect, random):
    assume(width > 0)
    source = "random exposures" if random else "held-out behaviour"
    found = stance(held_out(evidence(low, low + width, source)), effect - 0.01, effect + 0.01)
    tells = not low <= 0 <= low + width
    assert (found.stance in ("agrees", "disagrees")) == (tells and effect != 0)
    if found.decided_by is not None:
        assert (found.stance == "agrees") == (found.decided_by.difference.difference * effect > 0)


def test_the_file_reads_back_as_what_was_written(tmp_path):
    found = held_out(
        evidence(0.001, 0.011),
        audiences=Audiences(40, ("a", "b"), {"x": (1.0, 2.0)}, (Agreement("x", "y", 0.5, (("a", "b"),)),)),
    )
    assert of_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert read_held_out(tmp_path) is None
    (tmp_path / "held_out.json").write_text('{"baseline": 3, "arms": []}')
    with pytest.raises(RunDirectoryError, match=r"held_out.json: cannot be read .* --resume"):
        read_held_out(tmp_path)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_figure_that_is_no_number_is_refused_and_not_compared(tmp_path, number):
    text = json.dumps(held_out(evidence(0.001, 0.011)).as_dict())
    assert "0.011" in text
    (tmp_path / "held_out.json").write_text(text.replace("0.011", number))
    with pytest.raises(RunDirectoryError, match=rf"held_out.json: cannot be read .*found {number}, expected a finite"):
        read_held_out(tmp_path)


utilities = st.lists(st.lists(st.floats(0, 5), min_size=6, max_size=6), min_size=3, max_size=5).map(
    lambda rows: np.array(rows).T
)


@given(utilities, st.integers(0, 10))
def test_an_audience_agrees_with_itself_and_with_its_opposite_never(clicks, seed):
    jittered = clicks + np.random.default_rng(seed).normal(0, 1e-3, clicks.shape)
    arms = [f"arm {number}" for number in range(clicks.shape[1])]
    found = compare_audiences(["one", "same", "opposite"], arms, [jittered, jittered, -jittered])
    if found.missing:
        assert not found.agreements
        return
    same, opposite, _ = found.agreements
    assert same.tau == pytest.approx(1.0)
    assert opposite.tau == pytest.approx(-1.0)
    assert not same.reversed
    assert opposite.reversed
    assert found.lowest is not same


def test_arms_that_an_audience_does_not_tell_apart_are_tied():
    rng = np.random.default_rng(0)
    people = rng.normal(0, 1, 200)
    low, high, higher = people, people + 1 + rng.normal(0, 0.1, 200), people + 1 + rng.normal(0, 0.1, 200)
    first = np.column_stack([low, high, higher])
    found = compare_audiences(["one", "other"], ["a", "b", "c"], [first, first[:, [0, 2, 1]]])
    assert found.lowest.tau == pytest.approx(1.0), "b and c differ by noise alone"


def test_audiences_that_disagree_are_named_with_the_arms_that_they_reverse():
    rng = np.random.default_rng(1)
    people = rng.normal(3, 1, 100)
    one = np.column_stack([people, people + 1, people + 2])
    other = one[:, [0, 2, 1]]
    found = compare_audiences(["own mind", "family"], ["popular", "ease", "als"], [one, other])
    assert found.lowest.tau == pytest.approx(1 / 3)
    (check,) = order_check(found)
    assert (check.status, check.spoils) == ("failed", False)
    said = audiences_differ(found, "ease", "popular")
    assert "0.33 between own mind and family, which reverse ease and als" in said
    assert "2 of 2 put ease above popular" in said
    agreed = compare_audiences(["own mind", "family"], ["popular", "ease", "als"], [one, one])
    assert order_check(agreed)[0].status == "passed"
    assert audiences_differ(agreed, "ease", "popular") == ""
    assert order_check(Audiences(missing="nobody")) == ()
