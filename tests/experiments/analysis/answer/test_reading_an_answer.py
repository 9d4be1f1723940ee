"""What stands beside the sentence helps to read it: chances, names, the next step, and users who do not differ."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from made_up import PLAN, N, answer, answer_to, arm, base_likes, run_of, shifted, summary_of
from matplotlib.figure import Figure
from rich.console import Console

from groundlings.experiments.analysis.answer.answering import answer_of
from groundlings.experiments.analysis.answer.terminal import render_ranking
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.held_out import ArmBehaviour, HeldOut, RealEffect
from groundlings.experiments.analysis.comparison.preference import preference
from groundlings.experiments.analysis.comparison.real_behaviour import ORDER_CHECK
from groundlings.experiments.analysis.comparison.verdict import Check
from groundlings.experiments.analysis.metrics import METRICS
from groundlings.experiments.analysis.metrics.model_lists import ModelLists
from groundlings.experiments.analysis.report.palette import styles_of
from groundlings.experiments.analysis.report.sections.believe import of_the_test
from groundlings.experiments.analysis.report.sections.picks import both_picks
from groundlings.experiments.analysis.report.verdict_figures import draw_effects
from groundlings.experiments.analysis.report.verdict_sentences import plan as plan_words
from groundlings.experiments.analysis.report.verdict_sentences import sentence
from groundlings.experiments.analysis.report.verdict_terminal import print_verdict
from groundlings.experiments.config.designs import InterleavingDesign

NO_SPREAD = "there is no spread to test against"


def test_a_chance_beside_a_tie_is_said_to_decide_nothing_and_one_beside_a_winner_needs_no_word():
    tied = answer_to(2.0, 1.9, 0.5)
    assert tied.chances_note.startswith("Tied: the difference between a and b is not clear at 95 %, all pairs taken ")
    odds = {row.name: row.odds for row in tied.rows}
    assert f"Here a has {odds['a']} and b has {odds['b']}, which decides nothing." in tied.chances_note
    assert answer_to(2.0, 1.0).chances_note == ""
    unclear = answer_to(0.1, 0.0)
    assert unclear.chances_note.startswith("Not clear: at 95 %, the differences to base can be chance. ")
    assert unclear.as_dict()["chances_note"] == unclear.chances_note
    one_is_worse = answer_to(0.1, -2.0)
    assert one_is_worse.chances_note.startswith("Not clear: at 95 %, the difference of a to base can be chance. ")


def test_small_effects_are_told_apart_beside_their_bars():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 0.021, 0.01)), arm("b", shifted(base, 0.024, 0.01)))
    comparison, axes = compare_outcomes(run, None), Figure().subplots()
    draw_effects(axes, comparison, comparison.metrics[PLAN.primary], styles_of([("a", False), ("b", False)]))
    assert [text.get_text() for text in axes.texts[1:]] == ["+0.010", "+0.012"]


def test_an_effect_wins_only_where_it_is_validated_and_leads_where_it_is_indicative():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)))
    comparison = compare_outcomes(run, None)
    for word, verb in (("indicative", "leads"), ("validated", "wins")):
        judged = replace(comparison, arms=(replace(comparison.arms[0], word=word),))
        found = answer_of(judged, summary_of(run))
        assert found.sentence.startswith(f"a {verb}: likes per session +")
        assert found.rows[0].place == verb


@pytest.mark.parametrize(
    ("status", "mark"), [("passed", "\N{CHECK MARK}"), ("failed", "\N{MULTIPLICATION X}"), ("not run", "?")]
)
def test_checks_are_counted_once_and_alike_and_marked_as_the_worst_of_them(status, mark):
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)))
    passed = Check("one", "passed", "")
    found = replace(compare_outcomes(run, None), checks=(passed, passed, Check(ORDER_CHECK, status, "", spoils=False)))
    found = replace(found, arms=(replace(found.arms[0], checks=()),))
    number = 3 if status == "passed" else 2
    console = Console(file=io.StringIO(), width=120)
    print_verdict(found, console)
    assert f"{mark} {number} of 3 checks passed" in console.file.getvalue()
    assert answer_of(found, summary_of(run)).lights[0].words.startswith(f"{number} of 3 checks passed")
    line = of_the_test(found)[0]
    assert line.words == f"{number} of 3 checks passed."
    assert line.standing == {"passed": "good", "failed": "bad", "not run": "open"}[status]


def test_an_adjusted_effect_says_so_and_is_told_as_logged_beside_it():
    base = base_likes()
    arms = (arm("base", base), arm("a", shifted(base, 2)))
    assert answer(run_of(*arms)).adjusted_note == ""
    plain = answer(run_of(*arms))
    luck = shifted(base, 2) - base
    arms = tuple(replace(each, control_variates=(luck - luck.mean())[:, None]) for each in arms)
    adjusted = answer(run_of(*arms, plan=PLAN.model_copy(update={"take_out_luck": True})))
    means = {row.name: row.mean.mean for row in adjusted.rows}
    size = plain.rows[0]
    assert adjusted.rows[0].interval != size.interval
    said = "Effects are adjusted by a control variate, clicks less expected clicks, which takes luck out of them. "
    assert adjusted.adjusted_note.startswith(
        f"{said}As logged, without that, likes per session against base ({means['base']:.2f}): "
    )
    assert adjusted.adjusted_note.endswith(f": a {means['a']:.2f} ({size.change} {size.interval}).")
    base = base_likes(30)
    arms = (arm("base", base), arm("a", shifted(base, 2)))
    few = tuple(replace(each, control_variates=(shifted(base, 0) - base)[:, None]) for each in arms)
    run = run_of(*few, plan=PLAN.model_copy(update={"take_out_luck": True}))
    said = "changes nothing: it is fitted where 40 agents of an arm or more have a value. Effects are as logged."
    assert answer(run).adjusted_note.endswith(said)
    assert plan_words(compare_outcomes(run, None)).endswith(said)


def test_an_effect_of_capped_values_is_told_of_uncapped_ones_beside_it():
    base = base_likes()
    arms = (arm("base", base), arm("a", shifted(base, 2)))
    caps = {"likes_per_session": 3.0}
    capped = run_of(*(replace(each, caps=caps) for each in arms), plan=PLAN.model_copy(update={"winsorise": {**caps}}))
    told, size = answer(capped), answer(run_of(*arms)).rows[0]
    assert told.adjusted_note.startswith(
        "Effects are adjusted by capping the largest values. As logged, without that, "
    )
    assert "against base (3.26): a 4.26 " in told.adjusted_note
    assert told.adjusted_note.endswith(f"({size.change} {size.interval}).")


def test_an_effect_that_is_not_clear_although_its_interval_excludes_zero_says_why_beside_it():
    found = answer_to(0.2, -2.0, plan=None)
    row = next(row for row in found.rows if row.name == "a")
    assert (row.reading, row.size.low > 0) == ("unclear", True)
    assert re.fullmatch(r"not clear: p \.\d{3}, corrected for all metrics and arms", row.why_unclear)
    assert {row.why_unclear for row in found.rows if row.name != "a"} == {""}
    assert "which is not clear after correction for all metrics and arms that were looked at" in found.sentence
    console = Console(file=io.StringIO(), width=200)
    console.print(render_ranking(found, 200))
    assert row.why_unclear in console.file.getvalue()


def test_a_comparison_and_an_answer_call_the_chance_and_the_rank_alike():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)))
    found = compare_outcomes(run, None)
    console = Console(file=io.StringIO(), width=200)
    print_verdict(found, console)
    console.print(render_ranking(answer_of(found, summary_of(run)), 200))
    for words in ("chance to", "be best", "likely"):
        assert console.file.getvalue().count(words) >= 2
    assert "place" not in console.file.getvalue()


def test_the_best_of_a_metric_without_a_direction_is_called_the_highest():
    either = tuple(replace(each, higher_is_better=None) for each in METRICS)
    base = base_likes()
    found = answer(run_of(arm("base", base), arm("a", shifted(base, -2)), metrics=either))
    assert found.chances_note.startswith("Best means the highest here")


def test_intervals_say_what_they_are_whatever_the_plan_says():
    base = base_likes()
    plan = run_of(arm("base", base)).plan.model_copy(update={"alpha": 0.1})
    assert answer(run_of(arm("base", base), arm("a", shifted(base, 2)), plan=plan)).sure == "90 %"
    assert answer_to(2.0).sure == "95 %"
    assert answer_to(2.0).as_dict()["confidence"] == pytest.approx(0.95)


def test_a_test_that_would_have_shown_what_matters_asks_for_no_more_users():
    base = base_likes(mean=600)
    run = run_of(arm("base", base), arm("a", shifted(base, 0.01)))
    assert answer(run).next_step == (
        "Decide by something else, such as cost, because a difference as large as the plan asks for would have been "
        "found 80 times in 100, and none is clear."
    )
    assert "groundlings power" in answer(replace(run, plan=None)).next_step


def test_of_checks_that_did_not_pass_all_are_counted():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 2)))
    comparison = compare_outcomes(run, None)
    failed = replace(comparison, checks=(*comparison.checks, Check(ORDER_CHECK, "failed", "", spoils=False)))
    said = answer_of(failed, summary_of(run)).lights[0].words
    assert re.search(r"^(\d+) of (\d+) checks passed; failed: other .* alike; (\d+) not made: no recommender", said), (
        said
    )
    passed, whole, missing = map(int, re.findall(r"\d+", said)[:3])
    assert passed + 1 + missing == whole


def test_a_list_of_runs_calls_a_winner_exploratory_where_nothing_was_declared():
    assert re.fullmatch(r"a \+\d+ %", answer_to(2.0).short)
    assert re.fullmatch(r"Exploratory: a \+\d+ %", answer_to(2.0, plan=None).short)


def test_what_one_other_arm_did_is_told_in_the_singular_and_arms_that_are_level_are_both_named():
    assert answer_to(-2.0).next_step == "Keep base; Why shows what the other one did worse."
    assert answer_to(-2.0, -1.0).next_step == "Keep base; Why shows what the others did worse."
    base = base_likes()
    same = shifted(base, 0.1, 3)
    level = answer(run_of(arm("base", base), arm("a", same), arm("b", same.copy())))
    assert "a comes closest, level with b, with likes per session" in level.sentence


def test_bad_news_is_weighed_only_where_there_is_any():
    assert answer_to(2.0, 1.9).next_step.startswith("Choose between a and b by cost. ")
    base = base_likes()
    fades = arm("b", shifted(base, 1.9, seed=2), days=(0.7, 0.3))
    found = answer(run_of(arm("base", base), arm("a", shifted(base, 2)), fades))
    assert found.next_step.startswith("Choose between a and b by cost or by their bad news. ")


def test_users_who_all_did_the_same_are_said_to_and_no_difference_would_have_been_found():
    base = base_likes()
    found = answer(run_of(arm("base", base), arm("a", base)))
    assert (found.kind, found.winner) == ("no clear winner", None)
    assert found.sentence.endswith(f" The difference is the same for every user; {NO_SPREAD}.")
    assert "would have been found" not in found.sentence
    assert "chance" not in found.sentence
    assert found.next_step.startswith("Let a and base differ in more")
    assert found.chances_note == ""
    row = next(row for row in found.rows if row.name == "a")
    assert (row.interval, row.size.low, row.size.high) == ("", None, None)
    assert row.why_unclear == f"the difference is the same for every user; {NO_SPREAD}"
    comparison = compare_outcomes(run_of(arm("base", base), arm("a", base)), None)
    assert sentence(comparison, comparison.arms[0]) == (
        f"a against base: 0.00 likes, 0 %. The difference is the same for every user; {NO_SPREAD}."
    )
    nobody = np.zeros(N)
    alone = compare_outcomes(run_of(arm("base", nobody), arm("a", nobody.copy())), None)
    assert sentence(alone, alone.arms[0]).startswith("a against base: 0.00 likes. ")
    assert f"the difference is the same for every user; {NO_SPREAD}" in comparison.arms[0].reasons


@pytest.mark.parametrize("shift", [0.1, 1 / 3, 2.0])
def test_one_difference_of_all_users_wins_and_is_said_to_have_no_spread(shift):
    base = base_likes()
    found = answer(run_of(arm("base", base), arm("a", base + shift)))
    assert found.winner == "a"
    assert f"The difference is the same for every user; {NO_SPREAD}." in found.sentence
    assert NO_SPREAD not in answer(run_of(arm("base", base), arm("a", shifted(base, shift, 1.0)))).sentence


def test_the_next_step_says_what_and_why_before_the_command():
    base = base_likes()
    arms = (arm("base", base), arm("a", shifted(base, 2)))
    clicks = np.arange(N) % 4
    mixed = replace(
        run_of(arm("mixed", base), plan=None, design=InterleavingDesign(kind="interleaving")),
        preference=preference(clicks + 1.0, clicks * 1.0, ("popular", "ease")),
    )
    steps = {
        "groundlings fidelity": answer(run_of(*arms)),
        "groundlings power": answer_to(0.1, 0.0, spread=3.0),
        "groundlings run --resume": answer(run_of(*arms, status="interrupted")),
        "design: parallel": answer(mixed),
        "plan": answer_to(2.0, plan=None),
    }
    for command, found in steps.items():
        said = found.next_step
        why = said.index(" because ") if "because" in said else said.index("what is picked afterwards is easily chance")
        assert why < said.index(f"`{command}")


def test_an_arm_whose_model_put_nothing_in_order_is_no_reason_to_add_another():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", base, identical=True))
    of_base, of_a = summary_of(run).arms
    for named, step in ((1, "Add a recommender"), (2, "See what the model answered, because no reply to a put any")):
        lists = ModelLists(questions=4, unreadable=1, unanswerable=1, nothing_named=named)
        summary = replace(summary_of(run), arms=(of_base, replace(of_a, model_lists=lists)))
        assert answer_of(compare_outcomes(run, None), summary).next_step.startswith(step)


def test_recommenders_are_explained_in_half_a_line_where_anybody_says_how_they_work():
    base = base_likes()
    run = run_of(arm("popular", base), arm("als", shifted(base, 2)), arm("mine", shifted(base, 1, seed=2)))
    comparison = compare_outcomes(run, None)
    own = {"mine": "asks a <b>friend</b>", "als": "never asked: it is shipped"}
    abouts = {row.name: row.about for row in answer_of(comparison, summary_of(run), own_words=own).rows}
    assert abouts["als"].startswith("learns each user's tastes")
    assert abouts["popular"].endswith("in one order for all; what a user knows may be left out")
    assert abouts["mine"] == "asks a <b>friend</b>"
    assert {row.name: row.about for row in answer_of(comparison, summary_of(run)).rows}["mine"] == ""


def test_a_preference_is_shown_as_shares_on_both_sides_of_one_half():
    clicks = np.arange(N) % 4
    first, second = both_picks(preference(clicks + (clicks > 0), clicks * 1.0, ("popular", "ease")), {"ease": "learns"})
    assert (first.name, first.preferred, first.about) == ("ease", True, "learns")
    assert (second.name, second.preferred, second.people) == ("popular", False, 0)
    assert first.people == (clicks > 0).sum()
    shares = [float(each.share.removesuffix(" %")) for each in (first, second)]
    assert shares[0] > 50
    assert sum(shares) == pytest.approx(100, abs=1)
    assert first.bar.zero == second.bar.zero == pytest.approx(50)
    assert first.bar.low > first.bar.zero > second.bar.high
    assert first.bar.end - first.bar.zero == pytest.approx(second.bar.zero - second.bar.start, abs=0.02)


def test_where_no_preference_is_found_nobody_is_called_preferred_and_nothing_read_has_no_picture():
    clicks = np.arange(N) % 4
    alike = both_picks(preference(clicks * 1.0, clicks[::-1] * 1.0), {})
    assert [each.preferred for each in alike] == [False, False]
    assert both_picks(preference(np.zeros(0), np.zeros(0)), {}) == ()


def test_others_that_are_the_same_or_not_known_are_not_counted_as_worse():
    base = base_likes()
    same = arm("same", base, identical=True)
    found = answer(run_of(arm("base", base), arm("a", shifted(base, -2)), same))
    assert (found.kind, found.chances_note) == ("baseline ahead", "")
    assert found.sentence.startswith("base stays ahead: 1 of 2 others is worse, likes per session \N{MINUS SIGN}30 %")
    assert found.sentence.endswith("same did exactly what base did.")
    nothing = arm("nothing", base)
    nothing.totals.columns["whole_sessions"] = np.zeros(N)
    found = answer(run_of(arm("base", base), arm("a", shifted(base, -2)), arm("b", shifted(base, -1)), nothing))
    assert found.detail.startswith("2 of 3 others are worse; the nearest is b")
    found = answer(run_of(arm("base", base), arm("a", shifted(base, -2)), arm("b", shifted(base, 0.05)), same))
    assert "the difference of b to base can be chance" in found.chances_note


def test_users_of_whom_none_differs_tell_of_no_other_difference():
    even = np.full(N, 4.0)
    found = answer(run_of(arm("base", even), arm("a", even.copy())))
    assert "The difference is the same for every user; there is no spread to test against." in found.sentence
    assert "can be chance" not in found.sentence
    assert "would have been found" not in found.sentence
    assert "another `mind`" in found.next_step
    people = base_likes()
    found = answer(run_of(arm("base", people), arm("a", people.copy())))
    assert found.next_step.startswith("Let a and base differ in more, because every simulated user got as much")


def test_real_people_who_were_shown_items_do_not_say_the_opposite_of_an_effect_that_is_not_clear():
    base = base_likes()
    run = run_of(arm("base", base), arm("a", shifted(base, 0.05)))
    gap = Difference(-0.02, 0.005, -0.03, -0.01, 0.001, 600, 0)
    behind = RealEffect("random exposures", "clicks", Estimate(0.08, 0.01, 0.07, 0.09, 600, 0), gap)
    shown = HeldOut("base", N, N, N, {"base": ArmBehaviour("base"), "a": ArmBehaviour("a", (behind,))})
    comparison = compare_outcomes(run, None, (), shown)
    assert not comparison.arms[0].headline.clear
    told = answer_of(comparison, summary_of(run))
    assert "what they did has the other sign than the simulated effect, which is not clear." in told.lights[2].words
    reasons = comparison.arms[0].reasons
    assert "random exposures put it behind: clicks -0.0200 [-0.0300, -0.0100] against base, 600 people" in reasons
    assert not [reason for reason in reasons if "opposite" in reason]
