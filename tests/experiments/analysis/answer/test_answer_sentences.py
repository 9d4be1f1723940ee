"""The sentence of a run: whatever was found, it names who wins only where that may be said."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import (
    PLAN,
    N,
    answer,
    answer_to,
    arm,
    base_likes,
    run_of,
    shifted,
    summary_of,
)

from groundlings.experiments.analysis.answer.answering import answer_of
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.estimators import Split
from groundlings.experiments.analysis.comparison.fidelity_gate import Gate
from groundlings.experiments.analysis.comparison.held_out import ArmBehaviour, HeldOut, RealEffect
from groundlings.experiments.analysis.comparison.preference import preference
from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.analysis.metrics.lost import LostPages
from groundlings.experiments.analysis.report import real_sentences
from groundlings.experiments.config.designs import InterleavingDesign, SplitDesign
from groundlings.experiments.config.schema import PlanConfig

FIGURES = re.compile(r"[+\N{MINUS SIGN}][\d.]+ % \[[+\N{MINUS SIGN}][\d.]+ %, [+\N{MINUS SIGN}][\d.]+ %\]")


def test_a_winner_is_named_with_its_lift_its_interval_and_the_baseline():
    found = answer_to(2.0, 1.0)
    assert (found.kind, found.winner, found.tied) == ("winner", "a", ())
    assert found.sentence.startswith("a leads: likes per session +31 % [")
    assert FIGURES.search(found.sentence)
    assert "against base (3.26)" in found.sentence
    assert found.sentence.endswith("Both beat base.")
    assert found.question == "Does any of a and b beat base on likes per session?"


def test_nothing_is_said_to_lose_more_than_all_there_is():
    base = np.array([0, 0, 0, 0, 1, 1, 1, 2, 3, 3], dtype=float)
    found = answer(run_of(arm("base", base), arm("a", base[::-1].copy())))
    assert not found.rows[0].size.percent, "its lift would have an interval that begins below -100 %"
    assert "%" not in found.detail


def test_leaders_that_cannot_be_told_apart_are_named_as_tied():
    found = answer_to(2.0, 1.9, 0.5)
    assert (found.kind, found.winner, found.tied) == ("tied", "a", ("b",))
    assert found.sentence.startswith("a and b are tied for first: ")
    assert len(FIGURES.findall(found.sentence)) == 2
    assert "no clear difference between the two" in found.sentence
    assert {row.name: row.place for row in found.rows} == {"a": "tied", "b": "tied", "c": "", "base": ""}
    assert "Choose between a and b" in found.next_step


def test_what_was_not_declared_is_exploratory():
    found = answer_to(2.0, 0.0, plan=None)
    assert found.sentence.startswith("Exploratory: a leads: click-through rate +")
    assert "against base (42.6 %)" in found.sentence
    assert "no deciding metric was declared beforehand" in found.lights[0].words
    assert "`plan`" in found.next_step
    assert found.question == "How do base, a and b compare on click-through rate?"


def test_where_nothing_is_clear_nobody_wins():
    found = answer_to(0.1, 0.0, spread=3.0)
    assert (found.kind, found.winner) == ("no clear winner", None)
    assert found.sentence.startswith("No clear winner: ")
    assert "can be chance" in found.sentence
    assert re.search(r"or more would have been found 80 times in 100\.", found.sentence)
    assert "would have been found 80 times in 100, had it alone been looked at." in answer_to(0.1, plan=None).sentence
    assert "groundlings power" in found.next_step
    lower = answer_to(-0.1, -0.1)
    assert lower.sentence.startswith(
        "No arm is shown to beat base: b comes closest, with likes per session \N{MINUS SIGN}"
    )


def test_a_baseline_that_nobody_reaches_stays_ahead():
    found = answer_to(-1.0, -2.0)
    assert (found.kind, found.winner) == ("baseline ahead", None)
    assert found.sentence.startswith("base stays ahead: both others are worse; the nearest is a, ")
    assert found.rows[0].baseline
    assert found.next_step.startswith("Keep base")


def test_bounds_and_copies_do_not_compete():
    base = base_likes()
    rest = (arm("again", base, policy="base"), arm("oracle", base + 5, bound=True))
    found = answer(run_of(arm("base", base), arm("a", shifted(base, 2)), *rest))
    assert found.winner == "a"
    assert [row.name for row in found.rows] == ["a", "base"]
    assert "again is a copy of base" in found.left_out
    assert "oracle knows what people secretly want" in found.left_out
    alone = answer(run_of(arm("base", base), *rest))
    assert (alone.kind, alone.winner) == ("not compared", None)
    assert alone.sentence == "Nothing to compare: base met no other recommender; likes per session 3.26."


def test_arms_that_did_the_same_are_said_to():
    base = base_likes()
    found = answer(run_of(arm("base", base), arm("a", base, identical=True)))
    assert found.sentence == "Nothing to compare: a did exactly what base did, in every slot of every session."
    both = answer(run_of(arm("base", base), arm("a", base, identical=True), arm("b", shifted(base, 2))))
    assert both.winner == "b"
    assert "a did exactly what base did." in both.sentence


def test_what_could_not_be_read_is_not_known_and_never_zero():
    base = base_likes()
    lost = arm("a", base, lost=LostPages(pages=40, unreadable=40))
    for name in ("whole_sessions", "known", "asked", "begun_sessions", "ratings"):
        lost.totals.columns[name] = np.zeros(N)
    found = answer(run_of(arm("base", base), lost))
    assert (found.kind, found.winner) == ("not known", None)
    assert found.sentence.startswith("No answer: a: n/a, nobody has a known value of likes per session (40 of 40")
    assert found.rows[-1].change == "n/a"
    read = LostPages(pages=4000)
    beside = answer(run_of(arm("base", base, lost=read), lost, arm("b", shifted(base, 2), lost=read)))
    assert beside.winner == "b"
    assert "a: n/a" in beside.sentence


def test_lists_of_both_tell_a_preference_and_no_size():
    base = base_likes()
    clicks = np.arange(N) % 4
    run = replace(
        run_of(arm("mixed", base), plan=None, design=InterleavingDesign(kind="interleaving")),
        preference=preference(clicks + 1.0, clicks * 1.0, ("popular", "ease")),
    )
    found = answer(run)
    assert (found.kind, found.winner) == ("preference", None)
    assert found.sentence.startswith(f"ease is preferred: {N} people opened more of its picks, 0 more of popular's")
    assert found.question == "Do people prefer ease or popular?"
    assert "design: parallel" in found.next_step
    none = answer(replace(run, preference=preference(clicks * 1.0, clicks * 1.0, ("popular", "ease"))))
    assert none.sentence.startswith("No preference found: ")
    turned = answer(replace(run, preference=preference(clicks * 1.0, clicks + 1.0, ("popular", "ease"))))
    assert turned.sentence.startswith("popular is preferred: ")


def test_arms_of_different_people_are_ranked_too():
    homes = np.arange(N) % 2
    base = base_likes()
    likes = np.where(homes == 1, base + 4, base)
    sides = [arm(name, likes, assigned=homes == place, share=0.5) for place, name in enumerate(("base", "a"))]
    for place, side in enumerate(sides):
        for totals in (side.totals, *side.days):
            for name in totals.columns:
                totals.columns[name] = np.where(homes == place, totals.columns[name], 0.0)
    found = answer(run_of(*sides, estimator=Split(homes), design=SplitDesign(kind="split")))
    assert found.winner == "a"
    assert found.rows[0].chance > 0.99


def real(low, high, source="held-out behaviour"):
    gap = Difference((low + high) / 2, 0.01, low, high, 0.01, N, 0)
    effect = RealEffect(source, "nDCG@10", Estimate(0.1, 0.01, 0.08, 0.12, N, 0), gap)
    return HeldOut("base", N, N, N, {"a": ArmBehaviour("a", (effect,))})


def test_of_an_arm_that_got_another_recommender_real_people_are_known_of_its_first_one_only():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)))
    evidence = real(0.01, 0.03)
    plain = compare_outcomes(run, None, held_out=evidence)
    assert "first recommender" not in real_sentences.real(plain, plain.arms[0]) + real_sentences.people(plain)
    swapped = replace(run, run={**run.run, "other_recommender_from_day": {"a": 3}})
    found = answer_of(compare_outcomes(swapped, None, held_out=evidence), summary_of(swapped), own_words={"a": "asks"})
    assert "also puts a (its first recommender) ahead" in found.lights[1].words
    assert found.rows[0].about == "asks (its first recommender)"
    comparison = compare_outcomes(swapped, None, held_out=evidence)
    said = real_sentences.real(comparison, comparison.arms[0])
    assert said.startswith("held-out behaviour (its first recommender) agrees")
    assert real_sentences.people(comparison).endswith(
        "Another recommender made the lists of a from day 3 on: what real people do is known of its first one only."
    )


def test_what_real_people_did_wins_over_the_claim():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)), arm("b", shifted(base, 1, seed=2)))
    alone = run_of(arm("base", base), arm("a", shifted(base, 2)))
    found = answer(alone, held_out=real(-0.03, -0.01))
    assert (found.kind, found.winner) == ("contradicted", None)
    assert found.sentence.startswith("Not to be relied on, because real people did the opposite: ")
    assert "nDCG@10 \N{MINUS SIGN}0.0200 [\N{MINUS SIGN}0.0300, \N{MINUS SIGN}0.0100]" in found.sentence
    assert found.lights[1].state == "bad"
    assert found.next_step.startswith("Do not ship a")
    other = answer(run, held_out=real(-0.03, -0.01))
    assert other.winner == "b", "real people contradict a alone"
    assert "a does not count" in other.sentence
    agrees = answer(alone, held_out=real(0.01, 0.03))
    assert agrees.winner == "a"
    assert agrees.lights[1].words.startswith("What the real users chose later also puts a ahead of base;")
    lower = answer(run_of(arm("base", base), arm("a", shifted(base, -2))), held_out=real(-0.03, -0.01))
    assert lower.lights[1].words.startswith("What the real users chose later also puts a behind base;")
    unclear = answer(run_of(arm("base", base), arm("a", shifted(base, 0.1, 3))), held_out=real(-0.03, -0.01))
    assert [each.words for each in unclear.rows[0].news] == ["what real people chose puts it behind base"]
    assert unclear.lights[1].state == "unknown", "nothing is contradicted that is not clear"


def test_people_who_were_once_shown_items_are_told_of():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)))
    assert answer(run).lights[2].words == "No real person was shown these lists: all of this is simulated."
    found = answer(run, held_out=real(0.01, 0.03, "random exposures"))
    assert found.lights[2].words == f"Once: {N} real people were shown items at random; what they did agrees."
    assert found.lights[1].words.startswith("What the real users chose of what they were shown at random also puts a")
    stars = answer(replace(run, plan=PlanConfig(primary="satisfaction")), held_out=real(0.01, 0.03, "random exposures"))
    assert stars.lights[2].words.endswith("what they did is not about this metric.")
    corrected = answer_of(compare_outcomes(run, None), summary_of(run), past_tests=3)
    assert corrected.lights[2].words == "Corrected by 3 tests on real people."


def test_an_audience_that_passed_is_told_in_plain_words():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)))
    gate = Gate("fidelity.json", True, True, 0.8, 0.6, 0.9, 0.95, 11, "", sealed=True)
    found = answer(run, gate)
    assert found.lights[1].state == "good"
    assert "same side in 95 % of the pairs of recommenders" in found.lights[1].words
    assert answer(run, replace(gate, passed=False)).lights[1].state == "warn"
    for unlike, why in (
        ({"fits": False, "mismatch": "other data"}, "only on other data"),
        ({"sealed": False}, "no seal"),
    ):
        light = answer(run, replace(gate, **unlike)).lights[1]
        assert light.state == "unknown"
        assert why in light.words


def test_a_guardrail_that_is_harmed_stops_a_winner():
    base = base_likes()
    plan = PlanConfig(primary="likes_per_session", guardrails={"satisfaction": 0.05})
    found = answer(run_of(arm("base", base), arm("a", shifted(base, 2), satisfaction=5.0), plan=plan))
    assert (found.kind, found.winner) == ("does not hold", None)
    assert "satisfaction falls by more than the plan allows" in found.sentence
    assert [each.words for each in found.news] == ["satisfaction \N{MINUS SIGN}17 %, more than allowed"]
    less = tuple(replace(each, higher_is_better=False) if each.name == "satisfaction" else each for each in METRICS)
    risen = answer(run_of(arm("base", base), arm("a", shifted(base, 2), satisfaction=7.0), plan=plan, metrics=less))
    assert "satisfaction rises by more than the plan allows" in risen.sentence
    held = answer(run_of(arm("base", base), arm("a", shifted(base, 2)), plan=plan))
    assert held.winner == "a"
    assert [(each.state, each.words) for each in held.news] == [("good", "guardrail held")]


def test_bad_news_stands_beside_the_winner():
    base = base_likes()
    found = answer(run_of(arm("base", base), arm("a", base + 1 + np.arange(N) % 2, days=[0.7, 0.3])))
    assert [each.words for each in found.news] == ["fades: \N{MINUS SIGN}3.20 by day 2"]
    worse = arm("a", shifted(base, 2))
    for part in (worse.totals, *worse.days):
        part.columns["stars"] = 0.9 * part.columns["stars"]
    found = answer(run_of(arm("base", base), worse))
    assert [each.words for each in found.news] == ["mean rating \N{MINUS SIGN}10 %"]


def test_less_is_better_where_the_metric_says_so():
    less = tuple(replace(each, higher_is_better=False) if each.name == PLAN.primary else each for each in METRICS)
    base = base_likes()
    found = answer(run_of(arm("base", base), arm("a", shifted(base, -2)), arm("b", shifted(base, 1)), metrics=less))
    assert found.sentence.startswith("a leads: likes per session \N{MINUS SIGN}30 % [")
    assert "b is worse than base" in found.sentence
    assert found.rows[0].ranks == (1, 1)
    either = tuple(replace(each, higher_is_better=None) if each.name == PLAN.primary else each for each in METRICS)
    found = answer(run_of(arm("base", base), arm("a", shifted(base, -2)), metrics=either))
    assert (found.kind, found.winner) == ("no direction", None)
    three = [arm(name, shifted(base, shift)) for name, shift in (("a", 1), ("b", -2), ("c", 2))]
    found = answer(run_of(arm("base", base), *three, metrics=either))
    assert found.detail.startswith("c shows likes per session +")
    assert found.detail.endswith("; a lies between them.")


def test_a_lift_on_a_baseline_of_nothing_is_told_in_the_metrics_unit():
    nothing = np.zeros(N)
    found = answer(run_of(arm("base", nothing), arm("a", np.arange(N) % 3.0)))
    assert found.sentence.startswith("a leads: likes per session +0.49")
    assert "%" not in found.sentence
    assert not found.size.percent
    rare = np.where(np.arange(N) == 3, 2.0, 0.0)
    assert not answer(run_of(arm("base", rare), arm("a", rare + np.arange(N) % 3))).size.percent


def test_an_effect_below_the_smallest_that_matters_is_said_to_be():
    found = answer_to(0.2, spread=0.3)
    assert found.claim == "a is ahead, but by less than matters"
    assert "less than 5 % too small to matter" in found.sentence


def test_several_objectives_together_may_say_another_thing():
    plan = PlanConfig.model_validate({
        "primary": "likes_per_session", "utility": "relative",
        "objectives": [{"metric": "likes_per_session", "role": "primary", "weight": 1},
                       {"metric": "satisfaction", "role": "objective", "weight": 10}],
    })  # fmt: skip
    base = base_likes()
    found = answer(
        run_of(
            arm("base", base), arm("a", shifted(base, 3), satisfaction=5.0), arm("b", shifted(base, 1, seed=2)),
            plan=plan,
        )
    )  # fmt: skip
    assert found.winner == "a"
    assert "Weighed with the other objectives, b comes first" in found.sentence
    assert "worse when all objectives are weighed" in [each.words for each in found.news]


def test_a_test_that_failed_is_said_before_anything_else():
    base = base_likes()
    arms = (arm("base", base), arm("a", shifted(base, 2)))
    open_run = answer(run_of(*arms, status="interrupted"))
    assert open_run.sentence.startswith("This run is not finished (interrupted), so this may change: a leads: ")
    assert (open_run.winner, open_run.lights[0].state) == (None, "bad")
    twin = arm("again", base + np.arange(N) % 2, policy="base")
    failed = answer(run_of(*arms, twin))
    assert failed.sentence.startswith("Do not use these figures: a check of the test failed (A/A")
    assert "check failed" in failed.next_step


def test_other_runs_of_the_experiment_agree_in_sign_or_stop_the_winner():
    base = base_likes()
    whole = [run_of(arm("base", base), arm("a", shifted(base, shift)), run_id=str(shift)) for shift in (2.0, 1.8, -1.0)]
    assert answer(whole[0]).sentence.count("runs") == 0
    assert answer(whole[0], others=whole[1:2]).sentence.endswith("Both runs show the same sign.")
    torn = answer(whole[0], others=whole[1:])
    assert torn.winner is None
    assert "same sign" not in torn.sentence
    assert torn.sentence.endswith("Its sign changes between the 3 runs: run 3 shows \N{MINUS SIGN}15 %.")


def test_a_question_of_the_file_is_the_title():
    assert answer_to(2.0, question="  Do lists\n beat charts? ").question == "Do lists beat charts?"


@settings(max_examples=25, deadline=None)
@given(
    shifts=st.lists(st.integers(-6, 6), min_size=1, max_size=5),
    spread=st.sampled_from([0.2, 1.0, 4.0]),
    people=st.sampled_from([8, 40]),
    planned=st.booleans(),
)
def test_nobody_wins_who_is_clearly_below_another_and_ties_are_exactly_those_not_told_apart(
    shifts, spread, people, planned
):
    base = base_likes(people)
    arms = [arm("base", base)]
    arms += [
        arm("abcde"[place], shifted(base, shift / 4, spread, place)) for place, shift in enumerate(shifts, start=0)
    ]
    run = run_of(*arms, plan=PLAN if planned else None)
    comparison = compare_outcomes(run, None)
    found = answer_of(comparison, summary_of(run))
    names = {each.name for each in comparison.arms}
    if found.winner is None:
        ahead = [each.name for each in comparison.arms if each.headline.clear and each.headline.effect.difference > 0]
        for name in ahead:
            assert any(comparison.standing.between(name, other).high < 0 for other in names - {name})
        return
    gaps = {other: comparison.standing.between(found.winner, other) for other in names - {found.winner}}
    assert not any(gap.high < 0 for gap in gaps.values())
    assert set(found.tied) == {other for other, gap in gaps.items() if not gap.low > 0}
    winner = next(each for each in comparison.arms if each.name == found.winner)
    assert winner.headline.clear
    assert winner.headline.effect.low > 0
    assert (found.size.low > 0) == (winner.headline.effect.low > 0)
    chances = [row.chance for row in found.rows]
    assert sum(chances) == pytest.approx(1)
    assert all(1 <= row.ranks[0] <= row.ranks[1] <= len(found.rows) for row in found.rows)


def test_twelve_arms_are_told_in_one_breath():
    found = answer_to(*[place / 4 for place in range(12)])
    assert found.winner == "l"
    assert len(found.rows) == 13
    assert "and 5 others also beat base" in found.sentence
    assert len(found.sentence) < 400


def test_a_small_difference_that_would_have_been_found_is_not_called_none():
    base = base_likes(mean=600)
    told = answer(run_of(arm("base", base), arm("a", shifted(base, 0.01, spread=1.0)))).sentence
    assert re.search(r"A difference of 0\.0\d+ % or more would have been found", told), told
