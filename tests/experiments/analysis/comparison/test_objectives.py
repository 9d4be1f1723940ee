"""Several objectives: a utility that knows how metrics depend on each other, and dominance that intervals must show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.comparison.comparing import compare_outcomes
from groundlings.experiments.analysis.comparison.estimators import Paired, Split
from groundlings.experiments.analysis.comparison.money import skewness
from groundlings.experiments.analysis.comparison.objectives import weigh
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes, _caps, by_name
from groundlings.experiments.analysis.comparison.sequential import boundaries
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.registry import check_plan
from groundlings.experiments.analysis.metrics.totals import TOTALS, Totals
from groundlings.experiments.analysis.report import objective_sentences as say
from groundlings.experiments.config.designs import ParallelDesign
from groundlings.experiments.config.schema import PlanConfig

N = 200


def metric(name, better=True, money=False):
    return Metric(
        name=name, definition="Made up.", unit="units", denominator="session", higher_is_better=better, money=money,
        function=lambda sessions: sessions,
    )  # fmt: skip


METRICS = (metric("money", money=True), metric("fresh"), metric("waste", better=False), metric("depth", better=None))


def arm(name, values):
    """An arm in which each agent has these values, by metric; NaN for those without."""
    agents = pd.Index(range(len(next(iter(values.values())))))
    parts = {}
    for each in METRICS:
        given_values = values.get(each.name, np.ones(len(agents)))
        known = ~np.isnan(given_values)
        parts[each.totals[0]], parts[each.totals[1]] = np.where(known, given_values, 0.0), known.astype(float)
    frame = pd.DataFrame({name: np.ones(len(agents)) for name in TOTALS} | {"agent_id": agents})
    everybody = np.ones(len(agents), dtype=bool)
    found = Totals(frame, agents, parts)
    return ArmOutcomes(
        name, name, False, found, (found,), everybody, everybody, 1.0, False, metrics=by_name(METRICS)
    )  # fmt: skip


def outcomes(sides, plan, estimator=None):
    arms = tuple(arm(name, values) for name, values in sides.items())
    people = len(next(iter(next(iter(sides.values())).values())))
    run = {"run_id": "a", "experiment": "made up", "status": "done", "agents": people, "days": 1, "seed": 0,
           "dataset_hash": "d", "mind": {"kind": "behavioural"}}  # fmt: skip
    personas = tuple({"traits": {}, "demographics": {}} for _ in range(people))
    return Outcomes(run, plan, ParallelDesign(), estimator or Paired(), arms, personas, metrics=METRICS)


def plan(*objectives, **further):
    return PlanConfig.model_validate({"primary": "money", "objectives": list(objectives), **further})


MONEY = {"metric": "money", "role": "primary", "weight": 1.0}
FRESH = {"metric": "fresh", "weight": 3.0}
WASTE = {"metric": "waste", "weight": 0.5}


def weighed(sides, declared, estimator=None):
    found = outcomes(sides, declared, estimator)
    return weigh([found], declared, found.arms[1:])


def test_means_are_as_they_were_logged_and_effects_without_luck():
    luck, declared = np.random.default_rng(4).normal(0.3, 1, 80), plan({"metric": "money", "role": "primary"})
    found = outcomes({"first": {"money": 5 + luck}, "second": {"money": np.full(80, 6.0)}}, declared)
    lucky = replace(found.arms[0], control_variates=luck[:, None])
    first, second = weigh([replace(found, arms=(lucky, found.arms[1]))], declared, found.arms[1:]).arms
    assert first.effects[0].mean.mean == pytest.approx(5 + luck.mean())
    assert second.effects[0].effect.difference == pytest.approx(1.0)


def test_the_interval_of_a_mean_keeps_to_what_its_metric_can_be():
    bounded = by_name([replace(each, least=0.0, most=1.0) for each in METRICS])
    declared = plan({"metric": "money", "role": "primary"})
    found = outcomes({"first": {"money": np.ones(4)}, "second": {"money": np.array([0.0, 1.0] * 2)}}, declared)
    arms = tuple(replace(each, metrics=bounded) for each in found.arms)
    everybody, some = (each.effects[0].mean for each in weigh([replace(found, arms=arms)], declared, arms[1:]).arms)
    assert everybody.low == pytest.approx(4 / (4 + stats.norm.ppf(0.975) ** 2))
    assert (some.low, some.high) == (0.0, 1.0)


def drawn(seed=0, n=N, gain=0.4):
    """Two arms whose gains in one metric are paid for in the other, agent by agent."""
    rng = np.random.default_rng(seed)
    money, fresh, waste, swing = (rng.normal(mean, 1.0, n) for mean in (5.0, 2.0, 3.0, 0.0))
    base = {"money": money, "fresh": fresh, "waste": waste}
    new = {"money": money + gain + swing, "fresh": fresh - swing / 3 + rng.normal(0, 0.05, n), "waste": waste + 0.2}
    return {"base": base, "new": new}


def test_a_utility_is_the_mean_of_the_agents_own_weighted_gains():
    sides = drawn()
    (_, new) = weighed(sides, plan(MONEY, FRESH, WASTE, utility="units")).arms
    gains = sum(
        weight * (sides["new"][name] - sides["base"][name])
        for name, weight in (("money", 1.0), ("fresh", 3.0), ("waste", -0.5))
    )
    expected = stats.ttest_1samp(gains, 0.0).confidence_interval()
    assert (new.utility.difference, new.utility.low, new.utility.high) == pytest.approx((gains.mean(), *expected))
    assert new.utility.p_value == pytest.approx(stats.ttest_1samp(gains, 0.0).pvalue)
    alone = [each.effect.standard_error for each in new.effects]
    assert new.utility.standard_error < 0.2 * np.hypot(alone[0], 3 * alone[1]), "what one metric gains the other loses"


def test_a_relative_utility_counts_the_error_of_the_first_arms_mean():
    sides = drawn(seed=3)
    (_, new) = weighed(sides, plan(MONEY, FRESH, utility="relative")).arms

    def change(rows):
        means = {side: {name: cells[rows].mean() for name, cells in found.items()} for side, found in sides.items()}
        return sum(
            weight * (means["new"][name] / means["base"][name] - 1) for name, weight in (("money", 1), ("fresh", 3))
        )

    rng = np.random.default_rng(1)
    resampled = np.std([change(rng.integers(0, N, N)) for _ in range(2000)])
    assert new.utility.difference == pytest.approx(change(slice(None)))
    assert new.utility.standard_error == pytest.approx(resampled, rel=0.06)


def test_agents_without_one_of_the_weighted_metrics_are_left_out_and_counted():
    sides = drawn()
    sides["new"]["fresh"] = np.where(np.arange(N) < 30, np.nan, sides["new"]["fresh"])
    sides["base"]["money"] = np.where(np.arange(N) >= N - 20, np.nan, sides["base"]["money"])
    (_, new) = weighed(sides, plan(MONEY, FRESH, utility="units")).arms
    assert (new.utility.n, new.utility.excluded) == (N - 50, 50)


def test_in_a_split_design_the_arms_agents_are_compared_by_welch():
    sides, homes = drawn(), np.arange(N) % 2
    for name, home in (("base", 0), ("new", 1)):
        sides[name] = {key: np.where(homes == home, cells, np.nan) for key, cells in sides[name].items()}
    (_, new) = weighed(sides, plan(MONEY, FRESH, utility="units"), Split(homes)).arms
    ours, theirs = (
        sides[name]["money"][homes == home] + 3 * sides[name]["fresh"][homes == home]
        for name, home in (("new", 1), ("base", 0))
    )
    expected = stats.ttest_ind(ours, theirs, equal_var=False)
    assert new.utility.difference == pytest.approx(ours.mean() - theirs.mean())
    assert new.utility.p_value == pytest.approx(expected.pvalue, rel=0.02)


def test_intervals_of_several_arms_hold_together_and_those_of_looks_are_as_wide_as_the_primary_ones():
    sides = drawn()
    three = {**sides, "other": drawn(seed=9)["new"]}
    alone, _ = (weighed(each, plan(MONEY, FRESH, utility="units")).arms[1].utility for each in (sides, three))
    with_other = weighed(three, plan(MONEY, FRESH, utility="units")).arms[1].utility
    assert with_other.high - with_other.low > alone.high - alone.low
    assert with_other.p_value == pytest.approx(min(1.0, 2 * alone.p_value))
    looks = {"stopping": "group_sequential", "looks": [100, N]}
    found = weighed(sides, plan(MONEY, FRESH, utility="units", **looks)).arms[1].utility
    assert found.high - found.difference == pytest.approx(boundaries((100, N), 0.05)[1] * found.standard_error)


def shifted(name, **gains):
    """An arm whose agents gain so much, with a little noise."""
    rng = np.random.default_rng(len(name) + ord(name[0]))
    base = {"money": np.linspace(1, 3, N), "fresh": np.linspace(3, 1, N), "waste": np.full(N, 2.0)}
    return {key: cells + gains.get(key, 0.0) + rng.normal(0, 0.2, N) for key, cells in base.items()}


TWO = (MONEY | {"weight": None}, FRESH | {"weight": None})


def front_of(sides, *objectives):
    return {each.name: (each.front, each.dominated_by) for each in weighed(sides, plan(*objectives)).arms}


def test_an_arm_that_is_worse_on_everything_is_dominated_and_a_trade_off_is_not():
    found = front_of({"base": shifted("a"), "poor": shifted("b", money=-1, fresh=-1),
                      "rich": shifted("c", money=1, fresh=-1)}, *TWO)  # fmt: skip
    assert found["poor"] == ("dominated", ("base",))
    assert found["base"] == found["rich"] == ("on the front", ())


def test_where_the_intervals_include_zero_nothing_is_called_dominated():
    found = weighed({"base": shifted("a"), "near": shifted("f", money=-0.01, fresh=-0.01)}, plan(*TWO))
    assert {each.front for each in found.arms} == {"cannot be told"}
    assert sum(each.best_means for each in found.arms) >= 1
    assert "annot be told apart" in say.front(found)


def test_less_can_be_better_by_the_metric_or_by_the_plan():
    sides = {"base": shifted("a"), "new": shifted("b", money=1, waste=1, fresh=-1)}
    waste = WASTE | {"weight": None}
    assert front_of(sides, TWO[0], waste)["base"][0] == "on the front"
    assert front_of(sides, TWO[0], waste | {"direction": "up"})["base"] == ("dominated", ("new",))
    assert front_of(sides, TWO[0], TWO[1] | {"direction": "down"})["base"] == ("dominated", ("new",))


def test_arms_that_do_not_differ_are_rarely_told_apart():
    """150 experiments of three equal arms: as all intervals hold together, at most 1 in 20 places any arm."""
    rng, alarms = np.random.default_rng(5), 0
    for _ in range(150):
        sides = {name: {key: rng.normal(0, 1, 40) for key in ("money", "fresh")} for name in ("base", "b", "c")}
        alarms += any(each.front != "cannot be told" for each in weighed(sides, plan(*TWO)).arms)
    assert alarms / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


@settings(max_examples=25)
@given(st.lists(st.tuples(*[st.floats(-2, 2)] * 2), min_size=2, max_size=4))
def test_who_is_dominated_has_no_best_means_and_nobody_dominates_a_copy(gains):
    sides = {f"arm {place}": shifted("same", money=money, fresh=fresh) for place, (money, fresh) in enumerate(gains)}
    found = weighed({**sides, "copy": sides["arm 0"]}, plan(*TWO)).arms
    for each in found:
        assert (each.front == "dominated") == bool(each.dominated_by)
        assert not (each.best_means and each.dominated_by)
    twins = {each.name: each for each in found}
    assert "copy" not in twins["arm 0"].dominated_by
    assert "arm 0" not in twins["copy"].dominated_by


def test_a_guardrail_of_a_metric_of_which_less_is_better_is_harmed_where_it_rises():
    declared = plan({"metric": "waste", "role": "guardrail", "loss": 0.1})
    for change, state in ((1.0, "harmed"), (-1.0, "held")):
        sides = {"base": shifted("a"), "new": shifted("b", money=1, waste=change)}
        (new,) = compare_outcomes(outcomes(sides, declared), None).arms
        assert [(each.metric, each.state) for each in new.guardrails] == [("waste", state)]
        assert ("guardrail harmed: waste" in new.reasons) == (state == "harmed")


def test_winsorising_is_only_done_where_the_plan_says_so_and_is_said():
    sides = drawn()
    sides["new"]["money"][0] = 1e6
    plain, capped = (plan(MONEY, FRESH, utility="units", winsorise=wanted) for wanted in (None, {"money": 0.99}))
    assert _caps(plain, outcomes(sides, plain).arms) == {}
    found = outcomes(sides, capped)
    caps = _caps(capped, found.arms)
    assert caps == {"money": np.quantile(np.concatenate([sides["base"]["money"], sides["new"]["money"]]), 0.99)}
    cut = replace(found, arms=tuple(replace(each, caps=caps) for each in found.arms))
    assert cut.arms[1].values("money").max() == caps["money"]
    assert np.array_equal(cut.arms[1].values("fresh"), sides["new"]["fresh"])
    compared = compare_outcomes(cut, None)
    assert "Winsorised: money at its 99 % quantile" in say.declared(compared, compared.objectives)
    tail = next(tail for tail in compared.tails if tail.arm == "new")
    assert (tail.cap, tail.capped) == (caps["money"], int((sides["new"]["money"] > caps["money"]).sum()))


def test_few_buyers_who_carry_the_mean_are_told_and_keep_an_effect_from_validated():
    rng = np.random.default_rng(2)
    base = np.where(rng.random(N) < 0.05, rng.lognormal(3, 1, N), 0.0)
    sides = {"base": {"money": base}, "new": {"money": base + np.where(np.arange(N) < 3, 900.0, 0.0)}}
    found = compare_outcomes(outcomes(sides, plan(MONEY, FRESH, utility="units")), None)
    (check,) = (check for check in found.arms[0].checks if check.name.startswith("enough agents for so skew"))
    assert check.status == "failed"
    assert not check.spoils
    tail = next(tail for tail in found.tails if tail.arm == "new")
    assert tail.few == 2
    assert tail.payers == int((sides["new"]["money"] > 0).sum())
    assert tail.top > 0.4
    assert "2 agents with most carry" in say.money(tail, found)
    calm = compare_outcomes(outcomes(drawn(), plan(MONEY, utility="units")), None)
    (check,) = (check for check in calm.arms[0].checks if check.name.startswith("enough agents for so skew"))
    assert check.status == "passed"


def test_skewness_is_that_of_scipy():
    values = np.random.default_rng(1).lognormal(0, 1, 300)
    assert skewness(np.append(values, np.nan)) == pytest.approx(stats.skew(values))
    assert skewness(np.ones(9)) is None


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"primary": "money", "objectives": [MONEY, MONEY]}, "money stands there twice"),
        ({"primary": "fresh", "objectives": [MONEY], "utility": "units"}, "money as primary, and `primary` is fresh"),
        ({"primary": "money", "objectives": [FRESH]}, "weights need a unit"),
        ({"primary": "money", "objectives": [TWO[1]], "utility": "units"}, "a unit needs weights"),
        ({"primary": "money", "objectives": [{"metric": "waste", "role": "guardrail"}]}, "loss: a guardrail needs"),
        ({"primary": "money", "objectives": [{"metric": "waste", "loss": 0.1}]}, "no other role has one"),
        ({"primary": "money", "guardrails": {"waste": 0.2},
          "objectives": [{"metric": "waste", "role": "guardrail", "loss": 0.1}]}, "`guardrails` says otherwise"),
        ({"objectives": [FRESH], "utility": "units"}, "primary"),
        ({"primary": "money", "winsorise": {"money": 0.2}}, "greater than 0.5"),
    ],
)  # fmt: skip
def test_objectives_that_do_not_fit_together_are_refused(declared, said):
    with pytest.raises(ValidationError, match=said):
        PlanConfig.model_validate(declared)


def test_roles_stand_for_the_keys_of_a_plan_and_a_plan_that_was_read_can_be_read_again():
    declared = plan(MONEY, {"metric": "waste", "role": "guardrail", "loss": 0.1}, FRESH, utility="units")
    assert declared.guardrails == {"waste": 0.1}
    without = PlanConfig.model_validate({"objectives": [MONEY, FRESH], "utility": "units"})
    assert without.primary == "money"
    for each in (declared, without):
        assert PlanConfig.model_validate(each.model_dump(mode="json", exclude_none=True)) == each
    plain = PlanConfig(primary="money").model_dump(exclude_none=True)
    assert not plain.keys() & {"objectives", "utility", "winsorise"}, "plans without the new keys keep their hash"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (
            {"primary": "money", "objectives": [{"metric": "fresch"}]},
            r"objectives\[0\].metric: found 'fresch' .did you",
        ),
        ({"primary": "money", "objectives": [{"metric": "depth"}]}, "neither direction of depth is good in itself"),
        ({"primary": "depth", "objectives": [{"metric": "fresh"}]}, "neither direction of depth is good in itself"),
        ({"primary": "money", "winsorise": {"monney": 0.99}}, "plan.winsorise: found 'monney'"),
        ({"primary": "money", "objectives": [{"metric": "novelty"}]}, "add it to `metrics`"),
    ],
)
def test_a_plan_whose_objectives_cannot_be_measured_is_refused(declared, said):
    with pytest.raises(ConfigError, match=said):
        check_plan(declared, METRICS)


def test_a_plan_on_what_an_environment_does_not_offer_is_refused_with_the_actions_that_are_missing():
    with pytest.raises(ConfigError, match=r"plan.primary: revenue_per_session needs the action paid and purchase"):
        check_plan({"primary": "revenue_per_session"}, METRICS, ("click", "rate"))
