"""The three words and the rules behind them, from made-up outcomes whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runs import DAYS, PLAN, N, outcomes, totals

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.estimators import Paired
from groundlings.experiments.analysis.comparison.fidelity_gate import find_gate, find_truth
from groundlings.experiments.analysis.comparison.held_out import (
    Agreement,
    ArmBehaviour,
    Audiences,
    Extrapolation,
    HeldOut,
    RealEffect,
)
from groundlings.experiments.analysis.comparison.verdict import Check, Evidence, judge
from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.analysis.report import verdict_sentences
from groundlings.simulator.log.manifest_seal import with_seal


def fidelity(tmp_path, sealed=True, **changes):
    content = {
        "about": {"dataset_hash": "d", "mind": {"kind": "behavioural", "click_constant": 1.0}},
        "system_gate_passed": True,
        "records": [
            {"part": "system", "metric": "kendall tau", "kind": "mind", "value": 0.8, "low": 0.6, "high": 0.9, "n": 11},
            {"part": "system", "metric": "sign agreement", "kind": "mind", "value": 0.95, "n": 40},
        ],
        **changes,
    }
    (tmp_path / "fidelity.json").write_text(json.dumps(with_seal(content) if sealed else content))
    return find_gate(tmp_path, None, "d", {"kind": "behavioural", "click_constant": 2.0})


def word(run, gate=None, others=()):
    (new,) = compare_outcomes(run, gate, others).arms
    return new.word, new.reasons


def test_validated_needs_a_plan_all_checks_an_effect_and_an_audience_that_passed(tmp_path):
    assert word(outcomes(), fidelity(tmp_path)) == ("validated", ())


def real(difference, low, high, tau=1.0):
    """What held-out behaviour says of the new arm, and how alike two audiences order the arms."""
    estimate = Estimate(0.08, 0.01, 0.06, 0.1, N, 0)
    effect = RealEffect("held-out behaviour", "nDCG@10", estimate, Difference(difference, 0.01, low, high, 0.1, N, 0))
    audiences = Audiences(60, ("base", "new"), {"x": (1, 2), "y": (1, 2)}, (Agreement("x", "y", tau),))
    return HeldOut("base", N, N, N, {"new": ArmBehaviour("new", (effect,))}, audiences=audiences)


def test_an_effect_that_real_people_contradict_is_not_supported_whatever_its_p_value(tmp_path):
    gate = fidelity(tmp_path)
    found = compare_outcomes(outcomes(), gate, held_out=real(-0.02, -0.03, -0.01))
    (new,) = found.arms
    assert new.headline.adjusted_p < 0.001
    assert (new.word, new.real.stance) == ("not supported", "disagrees")
    assert new.reasons == (
        f"held-out behaviour says the opposite: nDCG@10 -0.0200 [-0.0300, -0.0100] against base, {N} people",
    )
    for low, high, stance in ((-0.03, 0.01, "cannot tell"), (0.01, 0.03, "agrees")):
        (new,) = compare_outcomes(outcomes(), gate, held_out=real((low + high) / 2, low, high)).arms
        assert (new.word, new.real.stance) == ("validated", stance)
    stars = PLAN.model_copy(update={"primary": "mean_rating"})
    unlike, agreeing = (
        compare_outcomes(outcomes(plan=stars), gate, held_out=real(shift, shift - 0.01, shift + 0.01)).arms[0]
        for shift in (-0.02, 0.02)
    )
    assert unlike.real.stance == "does not correspond"
    assert (unlike.word, unlike.reasons) == (agreeing.word, agreeing.reasons)


@pytest.mark.parametrize(
    ("modelled", "disliked", "word"),
    [((0.1, 0.3), (0.05, 0.2), "validated"), ((0.1, 0.3), (-0.2, -0.1), "indicative"),
     ((0.1, 0.3), (-0.1, 0.2), "indicative"), ((-0.1, 0.3), (-0.2, -0.1), "validated"),
     ((0.1, 0.3), (None, None), "validated")],
)  # fmt: skip
def test_a_sign_that_rests_on_what_people_hardly_pick_keeps_an_effect_from_validated(
    tmp_path, modelled, disliked, word
):
    def lift(low, high):
        return Estimate(None if low is None else (low + high) / 2, 0.01, low, high, N, 0)

    rests_on = Extrapolation(lift(0.3, 0.4), lift(*modelled), lift(*disliked))
    found = real(0.02, 0.01, 0.03)
    found = replace(found, arms={"new": replace(found.arms["new"], extrapolation=rests_on)})
    (new,) = compare_outcomes(outcomes(), fidelity(tmp_path), held_out=found).arms
    assert new.word == word
    said = [reason for reason in new.reasons if reason.startswith("the sign rests on items outside what people pick")]
    assert len(said) == (word == "indicative")
    if said:
        assert "expected likes against base +20.0 % [+10.0, +30.0] as modelled" in said[0]


def test_an_order_that_depends_on_the_audience_is_said_with_every_word(tmp_path):
    gate = fidelity(tmp_path)
    (new,) = compare_outcomes(outcomes(), gate, held_out=real(0.02, 0.01, 0.03, tau=0.5)).arms
    assert new.word == "indicative"
    assert "Kendall's tau 0.50 between x and y" in new.reasons[0]
    (null,) = compare_outcomes(outcomes(shift=0.0, seed=1), gate, held_out=real(0.02, 0.01, 0.03, tau=0.5)).arms
    assert null.word == "not supported"
    assert "depends on the audience" in null.reasons[-1]


@pytest.mark.parametrize(
    ("passed", "dataset", "word", "basis"),
    [
        (True, "d", "validated", "under random exposure"),
        (False, "d", "indicative", ""),
        (True, "another", "validated", "against later observed behaviour"),
        (False, "another", "validated", "against later observed behaviour"),
    ],
)
def test_what_a_validation_rests_on_is_said(tmp_path, passed, dataset, word, basis):
    tau = {"part": "order", "metric": "kendall tau", "kind": "mind", "n": 12}
    plain, fitted = {"kind": "behavioural"}, {"kind": "behavioural", "exposures": "e" * 64}
    content = {
        "about": {"dataset_hash": dataset, "minds": {"mind": plain, "mind, fitted on exposures": fitted}},
        "gate_passed": {"mind": passed, "mind, fitted on exposures": not passed},
        "records": [
            {**tau, "scorer": "mind, fitted on exposures", "value": 0.9},
            {**tau, "scorer": "mind", "value": 0.83},
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(with_seal(content)))
    own = {**fitted, "exposures": "f" * 64}
    assert find_truth(tmp_path, None, "d", own).tau == 0.9, "the mind that was fitted as the run's was"
    truth = find_truth(tmp_path, None, "d", {"kind": "behavioural"})
    assert truth.tau == 0.83
    found = compare_outcomes(outcomes(), fidelity(tmp_path), truth=truth)
    assert (found.arms[0].word, found.arms[0].basis) == (word, basis)
    (tmp_path / "truth.json").write_text('{"gate_passed": {}}')
    with pytest.raises(RunDirectoryError, match="not a file of the truth lab"):
        find_truth(tmp_path, tmp_path, "d", {})


@pytest.mark.parametrize(
    "change",
    [
        {"value": "high"}, {"value": float("nan")}, {"value": float("inf")}, {"value": [1]}, {"value": 2},
        {"low": {}}, {"high": "1"}, {"n": "11"}, {"n": -1}, {"n": 1.5}, {"value": True},
    ],
)  # fmt: skip
def test_figures_of_a_gate_that_cannot_be_are_refused(tmp_path, change):
    tau = {"part": "system", "metric": "kendall tau", "kind": "mind", "scorer": "mind", "value": 0.9, "n": 11}
    about = {"dataset_hash": "d", "mind": {}, "minds": {"mind": {}}}
    content = {"about": about, "system_gate_passed": True, "gate_passed": {"mind": True}, "records": [tau | change]}
    (tmp_path / "fidelity.json").write_text(json.dumps(content))
    with pytest.raises(RunDirectoryError, match="not a file of the fidelity lab"):
        find_gate(tmp_path, None, "d", {})
    content["records"][0]["part"] = "order"
    (tmp_path / "truth.json").write_text(json.dumps(content))
    with pytest.raises(RunDirectoryError, match="not a file of the truth lab"):
        find_truth(tmp_path, None, "d", {})


def test_indicative_without_an_examined_audience():
    found, reasons = word(outcomes())
    assert found == "indicative"
    assert reasons == ("the audience was not put to the system gate of the fidelity lab",)


def test_not_supported_where_the_interval_includes_zero(tmp_path):
    found, reasons = word(outcomes(shift=0.0, seed=1), fidelity(tmp_path))
    assert (found, reasons) == ("not supported", ("the interval includes zero",))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"system_gate_passed": False}, "did not pass"),
        ({"about": {"dataset_hash": "another", "mind": {"kind": "behavioural"}}}, "did not pass"),
        ({"about": {"dataset_hash": "d", "mind": {"kind": "language"}}}, "did not pass"),
        ({"about": {"dataset_hash": "d", "mind": {"kind": "behavioural", "exposures": "e"}}}, "did not pass"),
    ],
)
def test_a_gate_that_failed_or_is_about_something_else_does_not_open(tmp_path, change, why):
    found, reasons = word(outcomes(), fidelity(tmp_path, **change))
    assert found == "indicative"
    assert why in reasons[0]


def test_a_file_of_a_lab_that_nobody_sealed_validates_nothing_and_says_how_to_write_it_anew(tmp_path):
    gate = fidelity(tmp_path, sealed=False)
    found, (reason,) = word(outcomes(), gate)
    assert (found, gate.opens, gate.passed) == ("indicative", False, True)
    assert "has no seal" in reason
    assert "`groundlings fidelity FILE.yaml`" in verdict_sentences.gate(gate)
    assert fidelity(tmp_path, sealed=False, system_gate_passed=False).counts, "what failed needs no seal to count"


def test_the_gate_is_read_with_its_figures(tmp_path):
    gate = fidelity(tmp_path)
    assert (gate.tau, gate.tau_low, gate.sign_agreement, gate.recommenders, gate.fits) == (0.8, 0.6, 0.95, 11, True)
    with pytest.raises(RunDirectoryError, match="no such file"):
        find_gate(tmp_path, tmp_path / "elsewhere.json", "d", {})
    (tmp_path / "fidelity.json").write_text("[1, 2]")
    with pytest.raises(RunDirectoryError, match="not a file of the fidelity lab"):
        find_gate(tmp_path, tmp_path, "d", {})


def test_without_a_plan_nothing_is_validated_and_the_words_say_so(tmp_path):
    found, reasons = word(outcomes(plan=None), fidelity(tmp_path))
    assert found == "indicative"
    assert reasons == ("no primary metric was declared",)


def test_without_an_a_a_pair_nothing_is_validated(tmp_path):
    found, reasons = word(outcomes(twin=False), fidelity(tmp_path))
    assert found == "indicative"
    assert reasons == ("check not run: A/A: two arms of the same recommender agree",)


def test_a_copy_that_differs_spoils_every_effect(tmp_path):
    run = outcomes()
    off = replace(run.arms[2], totals=totals(run.arms[1].totals.columns["likes"], days=DAYS))
    found, reasons = word(replace(run, arms=(*run.arms[:2], off)), fidelity(tmp_path))
    assert found == "not supported"
    assert "A/A" in reasons[0]


def test_a_harmed_guardrail_takes_the_support_away_from_an_arm_called_better(tmp_path):
    assert word(outcomes(satisfaction=5.0), fidelity(tmp_path)) == (
        "not supported",
        ("guardrail harmed: satisfaction",),
    )
    worse, _ = word(outcomes(shift=-1.0, satisfaction=5.0), fidelity(tmp_path))
    assert worse == "validated"


def test_attrition_in_one_arm_spoils_its_effect(tmp_path):
    found, reasons = word(outcomes(completed=np.arange(N) >= 30), fidelity(tmp_path))
    assert found == "not supported"
    assert any("attrition" in reason for reason in reasons)


def test_sessions_that_depend_on_the_arm_spoil_every_effect(tmp_path):
    run = outcomes()
    more = run.arms[1].totals
    more.columns["sessions"] = more.columns["sessions"] + (np.arange(N) < 5)
    found, reasons = word(run, fidelity(tmp_path))
    assert found == "not supported"
    assert any("negative control" in reason for reason in reasons)


def test_a_run_that_was_interrupted_supports_nothing():
    run = outcomes()
    assert word(replace(run, run={**run.run, "status": "interrupted"}))[0] == "not supported"


def test_a_sign_that_turns_between_variants_supports_nothing(tmp_path):
    found, reasons = word(outcomes(), fidelity(tmp_path), [outcomes(shift=-1.0, seed=5, run_id="b")])
    assert found == "not supported"
    assert "the sign changes between variants" in reasons


def test_a_sequential_plan_is_wider_and_may_be_looked_at_only_where_it_said():
    looking = PLAN.model_copy(update={"stopping": "group_sequential", "looks": (N, 10 * N)})
    fixed = compare_outcomes(outcomes(), None).arms[0].headline.effect
    early = compare_outcomes(outcomes(plan=looking), None)
    assert early.arms[0].headline.effect.high > fixed.high
    assert "look 1 of 2" in early.arms[0].headline.interval
    unplanned = looking.model_copy(update={"looks": (N - 1, 10 * N)})
    assert word(outcomes(plan=unplanned))[0] == "not supported"
    anytime = PLAN.model_copy(update={"stopping": "confidence_sequence"})
    assert compare_outcomes(outcomes(plan=anytime), None).arms[0].headline.effect.high > fixed.high


def test_a_lift_is_as_many_standard_errors_wide_as_the_effect_where_many_arms_compete():
    others = [outcomes(0.2, seed=7 + n).arms[1] for n in range(3)]
    arms = [replace(other, name=f"new {n}", policy=f"ease {n}") for n, other in enumerate(others)]
    for each in compare_outcomes(replace(outcomes(0.2), arms=(*outcomes(0.2).arms[:2], *arms)), None).arms:
        effect, lift = each.headline.effect, each.headline.lift
        reach = (effect.high - effect.difference) / effect.standard_error
        assert reach > 2.1, "corrected for four arms"
        assert (lift.high - lift.mean) / lift.standard_error == pytest.approx(reach)


@pytest.mark.parametrize(("ends", "shift", "status"), [
    ((0.4, 0.9), 1.0, "passed"), ((-0.1, 0.9), 1.0, "failed"), ((-0.9, -0.4), 1.0, "failed"),
    ((-0.9, -0.4), 0.3, "failed"), ((-0.1, 0.9), 0.3, "passed"),
])  # fmt: skip
def test_a_bootstrap_interval_on_the_other_side_of_zero_contradicts_the_effect(monkeypatch, ends, shift, status):
    monkeypatch.setattr(Paired, "bootstrap", lambda *_: ends)
    (new,) = compare_outcomes(outcomes(shift), None).arms
    assert (new.headline.effect.difference > 0, new.headline.clear) == (True, shift == 1.0)
    assert next(check.status for check in new.checks if check.name.startswith("the bootstrap agrees")) == status


def test_segments_harm_days_and_json_are_complete():
    found = compare_outcomes(outcomes(), None)
    (new,) = found.arms
    assert {segment.attribute for segment in new.segments} == {"activity", "gender"}
    assert sum(segment.effect.n for segment in new.segments) == 2 * N
    assert len(new.days) == DAYS
    assert new.harm.worse + new.harm.same + new.harm.better == pytest.approx(1.0)
    assert new.headline.detectable > 0
    assert new.headline.smallest == pytest.approx(0.1 * found.baseline_mean)
    assert {each.metric for each in new.explored} | {"likes_per_session", "satisfaction"} == {m.name for m in METRICS}
    assert json.loads(json.dumps(found.as_dict()))["arms"][0]["word"] == "indicative"


checks = st.lists(
    st.builds(Check, st.just("c"), st.sampled_from(["passed", "failed", "not run"]), st.just(""), st.booleans()),
    max_size=4,
).map(tuple)
evidence = st.builds(
    Evidence, st.booleans(), st.sampled_from([None, True, False]), st.sampled_from([(), ("m",)]), st.booleans(), checks,
    st.sampled_from([None, True, False]), contradicted=st.sampled_from(["", "the opposite"]),
    audiences_differ=st.sampled_from(["", "tau 0.3"]),
    extrapolated=st.sampled_from(["", "the sign"]), truth=st.sampled_from([None, True, False]),
)  # fmt: skip


@given(evidence)
def test_the_rules_are_monotone_and_every_lesser_word_has_a_reason(given_evidence):
    order = ["not supported", "indicative", "validated"]
    found = judge(given_evidence)
    assert bool(found.reasons) == (found.word != "validated")
    for better in (
        replace(given_evidence, clear=True), replace(given_evidence, gate=True), replace(given_evidence, declared=True),
        replace(given_evidence, harmed=()), replace(given_evidence, checks=()),
        replace(given_evidence, contradicted=""), replace(given_evidence, audiences_differ=""),
        replace(given_evidence, truth=True), replace(given_evidence, extrapolated=""),
    ):  # fmt: skip
        assert order.index(judge(better).word) >= order.index(found.word)
    if found.word == "validated":
        assert given_evidence.clear
        assert given_evidence.gate
        assert not given_evidence.contradicted
        assert given_evidence.declared
