"""What the report says and draws: no false sentence, nothing moved aside, no axis that misleads, plain claims."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from typer.testing import CliRunner

from groundlings.experiments.analysis.compare import Estimate
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.comparison.verdict import Evidence, judge
from groundlings.experiments.analysis.metrics import METRICS, summarise
from groundlings.experiments.analysis.metrics.pages import Survival
from groundlings.experiments.analysis.report import verdict_sentences as words
from groundlings.experiments.analysis.report.claims import fidelity_claims, truth_claims
from groundlings.experiments.analysis.report.figures import draw_survival, short, title
from groundlings.experiments.analysis.report.formatting import ends, opening, share_interval
from groundlings.experiments.analysis.report.palette import styles
from groundlings.experiments.analysis.report.returning import draw_retention
from groundlings.experiments.analysis.report.sections.details import plain_facts
from groundlings.experiments.analysis.report.svg import Drawing, svg
from groundlings.experiments.analysis.report.takeaways import daily_takeaway, survival_takeaway
from groundlings.experiments.analysis.report.verdict_figures import draw_people
from groundlings.experiments.analysis.retention import RetentionPoint, Share
from groundlings.experiments.cli import main as cli


@pytest.fixture(scope="module")
def summary(small_log):
    return summarise(small_log)


@pytest.fixture(scope="module")
def comparison(small_run, small_log):
    return compare_run(small_run, small_log)


def found(comparison, **changed):
    """The first arm, its headline changed."""
    arm = comparison.arms[0]
    return replace(arm, headline=replace(arm.headline, **changed))


@pytest.mark.parametrize(
    ("mean", "low", "high", "said"),
    [
        (0.445, 0.444, 0.446, "44.5 % [44.4, 44.6]"),
        (0.001, 0.0, 0.002, "0.1 % [0.0, 0.2]"),
        (0.000275, 0.00022, 0.00033, "0.028 % [0.022, 0.033]"),
        (0.0, 0.0, 0.0, "0.0 % [0.0, 0.0]"),
        (3e-8, None, None, "0.0000030 %"),
    ],
)
def test_a_share_that_is_small_and_not_zero_is_not_shown_as_zero(mean, low, high, said):
    assert share_interval(Estimate(mean, None, low, high, 100, 0)) == said


def test_a_table_of_ones_own_is_called_so(summary):
    own = replace(summary, run={**summary.run, "dataset": "own"})
    assert "history in your own data, visited" in opening(own)


def test_an_interval_beside_zero_is_never_said_to_include_it(comparison):
    effect = replace(comparison.arms[0].headline.effect, difference=-0.3, low=-0.525, high=-0.075)
    arm = found(comparison, effect=effect, clear=False, adjusted_p=0.144, detectable=0.294, identical=False)
    said = words.sentence(comparison, arm)
    assert "excludes zero" in said
    assert "after correction" in said
    assert ".144" in said
    assert "Only an effect of" not in said, "a larger effect than that was found"
    reason = "not clear after correction for all metrics and arms that were looked at"
    judged = judge(
        Evidence(clear=False, same_sign=None, harmed=(), declared=False, checks=(), gate=None, unclear=reason)
    )
    assert judged.reasons == (reason,)


def test_who_had_one_recommender_each_did_not_visit_all(summary):
    assert "were each shown one of 4 recommenders" in opening(summary, split=True)
    assert "visited 4 recommenders" in opening(summary)


def curves(**last):
    return {
        name: Survival(np.array([1.0, end]), np.array([1.0, end - 0.01]), np.array([1.0, end + 0.01]))
        for name, end in last.items()
    }


def drawn(draw, *arguments, **named):
    axes = Figure().add_subplot()
    draw(axes, *arguments, **named)
    return axes


def test_arms_that_agree_lie_on_each_other_and_are_named_at_their_ends(summary):
    style = styles(summary)
    axes = drawn(draw_survival, curves(**dict.fromkeys(style, 0.6)), style)
    # The strokes to the names are placed by the axes and not by their values.
    lines = [line for line in axes.get_lines() if line.get_transform() == axes.transData and len(line.get_xdata()) == 2]
    assert len(lines) == len(style)
    assert {tuple(line.get_xdata()) for line in lines} == {(1, 2)}, "nothing is moved aside"
    assert {text.get_text() for text in axes.texts} >= set(style)
    heights = sorted(text.get_position()[1] for text in axes.texts if text.get_text() in style)
    assert min(np.diff(heights)) > 0.05, "labels do not lie on each other"


def test_panels_of_retention_have_one_scale(summary):
    def point(day, back, rolling):
        shares = [Share(value, value - 0.05, value + 0.05) for value in (back, rolling)]
        return RetentionPoint(day, 100, *shares)

    both = {name: (point(0, 1, 1), point(1, 0.2, 0.7), point(2, 0.1, 0.4)) for name in styles(summary)}
    exact, rolling = (drawn(draw_retention, both, styles(summary), rolling=each) for each in (False, True))
    assert exact.get_ylim() == rolling.get_ylim()
    assert exact.get_ylim()[1] > 0.75


def test_a_million_users_are_a_short_curve(summary):
    values = {"chance": np.random.default_rng(0).gamma(2.0, size=200_000)}
    assert len(svg(lambda axes: draw_people(axes, values, METRICS[0], styles(summary)), "n", "l", 4, 3)) < 60_000


def test_no_letter_of_a_picture_is_cut_at_its_edges():
    def draw(axes):
        title(axes, "Right abstentions", "share of conversations about a need that nothing meets")
        axes.set_yticks([0, 1], [short("A" * 30), "popular"])

    pixels = Drawing(draw, 3.6, 1.3).pixels()
    assert (pixels[:, [0, -1]] == pixels[0, 0]).all()
    assert (pixels != pixels[0, 0]).any()


def test_titles_say_what_the_figure_shows(comparison):
    effect = replace(comparison.arms[0].headline.effect, difference=0.8, low=0.7, high=0.9)
    faded = replace(effect, difference=-0.38, low=-0.52, high=-0.24)
    steady = replace(effect, difference=-0.1, low=-0.4, high=0.2)
    arms = (
        replace(found(comparison, effect=effect, clear=True), name="als", novelty=steady),
        replace(found(comparison, effect=effect, clear=True), name="item_knn", novelty=faded, days=(effect, effect)),
    )
    assert daily_takeaway(replace(comparison, arms=arms)).startswith("als keeps its lead; item_knn fades by 0.38")
    assert survival_takeaway(curves(a=0.62, b=0.48)) == "More sessions reach page 2 with a (62 %) than with b (48 %)"
    alike = "62 % of the sessions reach page 2; the arms' intervals overlap"
    assert survival_takeaway(curves(a=0.62, b=0.62)) == alike
    unknown = replace(effect, difference=None, low=None, high=None)
    assert words.days(replace(arms[0], days=(unknown, unknown)), words.primary(comparison)) == ""
    assert "of the sessions that were shown something" in survival_takeaway(curves(a=0.62, b=0.62), some_empty=True)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.0004, 0.0312, "[+0.0004, +0.031]"),
        (-0.02, -0.00004, "[\N{MINUS SIGN}0.020, \N{MINUS SIGN}0.00004]"),
        (-0.0004, 0.0004, "[0.000, 0.000]"),
        (0.0, 0.0, ""),
        (2.0, 2.0, ""),
    ],
)
def test_an_interval_that_excludes_zero_is_not_written_as_if_it_held_it_and_one_without_width_not_at_all(
    low, high, said
):
    assert ends(low, high, 3) == said


@pytest.mark.parametrize(
    ("last", "change", "better", "said"),
    [
        (-0.5, -0.38, True, "falls behind"),  # the overall effect has the same sign, and nothing good grows
        (0.2, 0.38, True, "catches up"),  # from behind to ahead: an overall effect just below zero does not fade
        (-0.2, 0.1, True, "catches up"),
        (0.5, 0.38, True, "grows"),
        (-0.2, -0.38, True, "falls behind"),
        (-0.5, 0.38, False, "fades"),
        (0.5, 0.38, False, "falls behind"),
        (-0.5, -0.38, None, "falls"),
    ],
)
def test_what_becomes_of_a_difference_is_said_by_who_is_ahead(comparison, last, change, better, said):
    effect = comparison.arms[0].headline.effect
    novelty = replace(effect, difference=change, low=change - 0.05, high=change + 0.05)
    day = replace(effect, difference=last)
    name = comparison.plan.primary
    metrics = {**comparison.metrics, name: replace(comparison.metrics[name], higher_is_better=better)}
    arm = replace(comparison.arms[0], name="als", novelty=novelty, days=(day, day))
    told = daily_takeaway(replace(comparison, arms=(arm,), metrics=metrics))
    assert told.startswith(f"als {said} by ")


def test_settings_are_lines_and_not_json():
    facts = plain_facts({"taste": {"weights": {"mean": 0.12345678901234567}}, "kind": "behavioural", "layout": None})
    assert facts == [("taste: weights: mean", "0.1235"), ("kind", "behavioural")]


def record(metric="auc", value=0.84, rule=0.79, **more):
    ends = {"low": value - 0.01, "high": value + 0.01, "n": 300, "unit": "people"}
    about = {
        "part": "interaction",
        "task": "uniform 1:1",
        "scorer": "evidence mind",
        "kind": "mind",
        "verdict": "indicative",
    }
    return {
        **about,
        "metric": metric,
        "value": value,
        **ends,
        "baseline": {"scorer": "item kNN", "value": rule},
        **more,
    }


def test_a_claim_is_plain_and_stands_between_the_rule_and_real_people():
    (claim,) = fidelity_claims([record(target={"low": 0.85, "high": None, "met": False})])
    assert "finds the real one 84 times in 100" in claim.words
    assert claim.beside == "a simple rule 79, goal 85"
    assert claim.standing == "goal just missed"
    assert not claim.good
    assert claim.place == pytest.approx((0.84 - 0.79) / (1 - 0.79))
    assert claim.low < claim.place < claim.goal <= claim.high
    assert "item kNN 0.790" in claim.figures


def test_a_goal_that_a_simple_rule_meets_as_well_is_no_merit():
    ratio = {"part": "distributions", "task": "homogeneity", "metric": "sd ratio, between people"}
    (claim,) = fidelity_claims([record(value=1.1, rule=0.95, **ratio, target={"low": 0.85, "high": 1.15})])
    assert claim.standing == "goal met, but a simple rule comes nearer"
    assert claim.place < 0
    assert not claim.good


def test_claims_are_about_the_mind_that_the_lab_judges():
    order = record("kendall tau", 0.74, 0.64, part="system", task="order of 11 recommenders")
    other = record(value=0.99, scorer="another mind")
    said = fidelity_claims([order, record(), other])
    assert [claim.words.split(" times")[0].rsplit(" ", 1)[1] for claim in said] == ["87", "84"]
    assert truth_claims([]) == ()


@given(value=st.floats(0, 1), rule=st.floats(0, 0.99), goal=st.none() | st.floats(0.01, 1))
def test_a_place_is_on_the_scale_and_nearer_to_people_is_further_right(value, rule, goal):
    (claim,) = fidelity_claims([record(value=value, rule=rule, target={"low": goal})])
    assert -0.1 <= claim.place <= 1
    (better,) = fidelity_claims([record(value=min(1.0, value + 0.1), rule=rule, target={"low": goal})])
    assert better.place >= claim.place


@pytest.fixture(scope="module")
def told(small_run, tmp_path_factory, leave_pictures_blank):
    """A run's page, drawn again by the command with a fidelity file that lies elsewhere."""
    cli._mount()
    run, lab = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("lab")
    shutil.copy(small_run / "log.db", run)
    (lab / "fidelity.json").write_text(json.dumps({"system_gate_passed": False, "records": [record()]}))
    with pytest.MonkeyPatch.context() as patched:
        leave_pictures_blank(patched)
        done = CliRunner().invoke(cli.app, ["report", str(run), "--fidelity", str(lab)])
    assert done.exit_code == 0, done.output
    return (run / "report.html").read_text(encoding="utf-8")


def test_a_fidelity_file_can_be_named_for_a_report(told):
    assert "finds the real one 84 times in 100" in told
    assert "Nobody has held these agents against real users" not in told


def test_an_interval_in_per_cent_is_told_from_one_in_the_unit_of_the_metric(told):
    sentence = told.split('id="sentence"')[1].split("</p>")[0]
    in_percent = bool(re.search(r"\[[^\]]*\N{NO-BREAK SPACE}%, ", sentence))
    assert ("its noise is in these intervals, too" in told) is in_percent


def test_captions_hold_wherever_the_panels_are_and_numbers_are_short(told):
    text = re.sub(r"<script.*?</script>|<svg.*?</svg>|<style.*?</style>|<[^>]*>", " ", told, flags=re.DOTALL)
    assert not re.search(r"\b(Left|Right): ", text)
    assert not re.search(r"\d\.\d{8,}", text)


def test_a_difference_of_few_says_of_how_many(told, summary):
    few = [
        (arm.name, each)
        for arm in summary.arms[1:]
        for each in arm.differences.values()
        if each.excluded > 0.1 * summary.run["agents"]
    ]
    assert few
    assert told.count('class="few"') == len(few)
    assert all(f"n = {each.n} of {summary.run['agents']}" in told for _, each in few)


def test_sections_of_one_page_give_no_class_two_meanings():
    """`report.css` is of all sections and may be refined by each; what one section names is nobody else's."""
    sheets = files("groundlings.experiments.analysis.report").joinpath("templates")
    named = {}
    for section in ("answer", "why", "people"):
        style = sheets.joinpath(f"{section}.css").read_text(encoding="utf-8")
        selectors = {part.strip() for rule in re.findall(r"([^{}]+)\{", style) for part in rule.split(",")}
        named[section] = {each for each in selectors if re.fullmatch(r"\.[\w-]+", each)}
        assert named[section]
    shared = {(a, b): named[a] & named[b] for a in named for b in named if a < b and named[a] & named[b]}
    assert shared == {}
