"""From the log of a run to its findings: one arm after the other against the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.words import persons
from groundlings.experiments.analysis.compare import CONFIDENCE, Difference, mean_interval
from groundlings.experiments.analysis.comparison.checks import check_arm, check_run, check_sessions, competitors
from groundlings.experiments.analysis.comparison.effects import (
    ArmFindings,
    Comparison,
    Exploration,
    Guardrail,
    Harm,
    Headline,
    Variants,
)
from groundlings.experiments.analysis.comparison.equivalence import no_loss_p_value
from groundlings.experiments.analysis.comparison.estimators import Estimator
from groundlings.experiments.analysis.comparison.fidelity_gate import Gate, find_gate, find_truth
from groundlings.experiments.analysis.comparison.held_out import HeldOut
from groundlings.experiments.analysis.comparison.money import skewness_check, tails
from groundlings.experiments.analysis.comparison.multiplicity import benjamini_hochberg, holm
from groundlings.experiments.analysis.comparison.objectives import signs_of, turned, weigh
from groundlings.experiments.analysis.comparison.outcomes import ArmOutcomes, Outcomes, by_name, read_outcomes
from groundlings.experiments.analysis.comparison.primary_effect import Headlines, headlines
from groundlings.experiments.analysis.comparison.real_behaviour import (
    RealBehaviour,
    audiences_differ,
    beside,
    contradiction,
    extrapolation_decides,
    order_check,
    real_behaviour,
    repeat_check,
)
from groundlings.experiments.analysis.comparison.segments import effects_by_segment, levels_of
from groundlings.experiments.analysis.comparison.several_runs import (
    Gap,
    check_variants,
    circumstances,
    in_all_runs,
    in_every_run,
    mean_over_runs,
    pooled,
    preference_in_all,
    variants_of,
)
from groundlings.experiments.analysis.comparison.spillover import spillover, ties_check
from groundlings.experiments.analysis.comparison.standing import standing
from groundlings.experiments.analysis.comparison.verdict import UNVARIED, UNVARIED_GROUPS, Check, Evidence, judge
from groundlings.experiments.analysis.hybrid.findings import find_hybrid
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.lost import altogether
from groundlings.experiments.archive.log_check import SOME_ROWS, check_log
from groundlings.experiments.config.decision_plan import PlanConfig
from groundlings.simulator.log.reader import LogReader


def compare_run(
    directory: Path,
    log: LogReader,
    fidelity: Path | None = None,
    variants: Sequence[LogReader] = (),
    metrics: Sequence[Metric] | None = None,
    held_out: HeldOut | None = None,
    truth: Path | None = None,
) -> Comparison:
    """Everything that can be said about the arms of a run.

    Args:
        directory: The run's; `fidelity.json`, `truth.json` and `held_out.json` in it are read.
        log: Its log.
        fidelity: Another fidelity.json, or the directory that holds one.
        variants: Logs of the same experiment with other prompts, models or seeds.
        metrics: What is measured; what the run's experiment file names if absent.
        held_out: What real behaviour says of the arms, where the run's directory does not hold it.
        truth: Another truth.json, or the directory that holds one.

    Raises:
        RunDirectoryError: A log or a file beside it cannot be read, or a variant lacks an arm.
    """
    outcomes = replace(read_outcomes(log, metrics), changes=check_log(directory, log))
    run = outcomes.run
    gate = find_gate(directory, fidelity, run["dataset_hash"], run["mind"])
    others = read_variants(variants, metrics)
    random = find_truth(directory, truth, run["dataset_hash"], run["mind"])
    found = compare_outcomes(outcomes, gate, others, *beside(directory, held_out), random)
    return replace(found, hybrid=find_hybrid(directory, log, outcomes))


def read_variants(
    variants: Sequence[LogReader], metrics: Sequence[Metric] | None, most_rows: int | None = SOME_ROWS
) -> list[Outcomes]:
    """What is compared of other runs of the same experiment, and what became of each since it was written.

    Args:
        variants: Their logs.
        metrics: What is measured.
        most_rows: As of `check_log`.
    """
    return [
        replace(read_outcomes(variant, metrics), changes=check_log(variant.directory, variant, most_rows))
        for variant in variants
    ]


def compare_outcomes(
    outcomes: Outcomes,
    gate: Gate | None,
    others: Sequence[Outcomes] = (),
    held_out: HeldOut | None = None,
    written: tuple[Check, ...] = (),
    truth: Gate | None = None,
) -> Comparison:
    """As `compare_run`, from what was read; `written` are checks of the files beside the log.

    Raises:
        RunDirectoryError: A variant lacks an arm, or is the same run again.
    """
    # Without a plan some metric has to stand first; the words say that nobody chose it.
    plan = outcomes.plan or PlanConfig(primary=outcomes.metrics[0].name)
    arms = competitors(outcomes)
    runs = (outcomes, *others)
    seen = {arm.name: variants_of(runs, arm.name, plan.primary) for arm in arms}
    found = headlines(runs, arms, plan, seen)
    own = (*check_run(outcomes, plan.alpha), *ties_check(outcomes), *_looked(outcomes, plan))
    further = [(*check_sessions(run, plan.alpha), *_looked(run, plan)) for run in others]
    checks = (*written, *in_all_runs(own, further, circumstances(runs)[1:]), *check_variants(outcomes, others))
    checks = (*checks, *(() if held_out is None else repeat_check(held_out)))
    stands = standing(outcomes, plan, arms, others)
    comparer = _Comparer(
        runs, plan, found, checks, gate, levels_of(outcomes.personas), _explore(runs, arms, plan), held_out, truth,
        stands.ranks,
    )  # fmt: skip
    return Comparison(
        run=outcomes.run,
        plan=plan,
        design=outcomes.design,
        declared=outcomes.plan is not None,
        baseline=outcomes.baseline.name,
        baseline_mean=_baseline_mean(runs, plan.primary),
        arms=tuple(comparer.findings(arm, seen[arm.name]) for arm in arms),
        checks=(*checks, *(() if held_out is None else order_check(held_out.audiences))),
        gate=gate,
        preference=preference_in_all(runs),
        metrics=by_name(outcomes.metrics),
        lost=outcomes.lost,
        held_out=held_out,
        truth=truth,
        objectives=weigh(runs, plan, arms) if arms else None,
        tails=tails(outcomes, plan, arms) if outcomes.plan is not None else (),
        standing=stands,
        spillover=spillover(outcomes, plan.primary),
    )


@dataclass(frozen=True)
class _Comparer:
    """What all arms have in common."""

    runs: tuple[Outcomes, ...]
    plan: PlanConfig
    found: Headlines
    checks: tuple[Check, ...]
    gate: Gate | None
    levels: Mapping[str, Sequence[str]]
    explored: Mapping[str, tuple[Exploration, ...]]
    held_out: HeldOut | None
    truth: Gate | None
    ranks: Mapping[str, tuple[int, int]]

    @property
    def outcomes(self) -> Outcomes:
        """The first run, whose agents every check of an arm and every part of the audience is about."""
        return self.runs[0]

    def findings(self, arm: ArmOutcomes, variants: Variants | None) -> ArmFindings:
        """All about one arm."""
        base, plan = self.outcomes.baseline, self.plan
        headline, alone = self.found.by_arm[arm.name], self.found.alone[arm.name]
        ours, theirs = arm.values(plan.primary), base.values(plan.primary)
        checks = (*check_arm(arm, self.outcomes, plan, alone), *skewness_check(arm, self.outcomes, plan))
        guardrails = _guardrails(self.runs, arm.name, plan, signs_of(plan, arm.metrics))
        metric = arm.metrics[plan.primary]
        real = real_behaviour(self.held_out, arm.name, headline.effect, metric)
        judgement = judge(self._evidence(arm, headline, guardrails, checks, real, variants))
        segments, contrasts = effects_by_segment(ours, theirs, self.levels, self.outcomes.estimator)
        by_day = [
            self._in_all(arm.name, partial(_on_day, metric=metric, day=day))
            for day in range(min(len(run.baseline.days) for run in self.runs))
        ]
        return ArmFindings(
            name=arm.name,
            word=judgement.word,
            reasons=judgement.reasons,
            headline=headline,
            ranks=self.ranks.get(arm.name),
            guardrails=guardrails,
            explored=self.explored[arm.name],
            segments=segments,
            contrasts=contrasts,
            harm=_harm(arm.totals.values(metric), base.totals.values(metric)),
            days=tuple(by_day),
            novelty=self._in_all(arm.name, partial(_first_to_last, metric=metric)) if len(by_day) > 1 else None,
            variants=variants,
            checks=checks,
            real=real,
            basis=judgement.basis,
        )

    def _evidence(
        self,
        arm: ArmOutcomes,
        headline: Headline,
        guardrails: Sequence[Guardrail],
        checks: Sequence[Check],
        real: RealBehaviour | None,
        variants: Variants | None,
    ) -> Evidence:
        """What speaks for and against an arm's effect."""
        base, metric = self.outcomes.baseline, arm.metrics[self.plan.primary]
        better = signs_of(self.plan, arm.metrics)[self.plan.primary] * (headline.effect.difference or 0.0) > 0
        harmed = [arm.metrics[guard.metric].label.lower() for guard in guardrails if guard.state == "harmed"]
        return Evidence(
            clear=headline.clear,
            identical=headline.identical,
            unclear=_unclear(headline, arm, base),
            same_sign=None if variants is None else variants.same_sign,
            harmed=tuple(harmed) if better else (),
            declared=self.outcomes.plan is not None,
            checks=(*self.checks, *checks),
            gate=None if self.gate is None else self.gate.opens,
            truth=None if self.truth is None or not self.truth.counts else self.truth.passed,
            contradicted=contradiction(real, base.name, clear=headline.clear),
            audiences_differ=""
            if self.held_out is None
            else audiences_differ(self.held_out.audiences, arm.name, base.name),
            extrapolated=extrapolation_decides(self.held_out, arm.name, metric),
            unsealed="" if self.gate is None or self.gate.counts or not self.gate.fits else self.gate.unsealed,
        )

    def _in_all(self, arm: str, gap: Gap) -> Difference:
        return pooled(in_every_run(gap, self.runs, arm), 1 - CONFIDENCE)


def _baseline_mean(runs: Sequence[Outcomes], metric: str) -> float | None:
    return mean_over_runs([mean_interval(run.baseline.counted(metric)) for run in runs]).mean


def _effect(how: Estimator, arm: ArmOutcomes, base: ArmOutcomes, metric: str, confidence: float) -> Difference:
    return how.difference(arm.values(metric), base.values(metric), confidence)


def _on_day(how: Estimator, arm: ArmOutcomes, base: ArmOutcomes, metric: Metric, day: int) -> Difference:
    return how.difference(arm.days[day].values(metric), base.days[day].values(metric))


def _first_to_last(how: Estimator, arm: ArmOutcomes, base: ArmOutcomes, metric: Metric) -> Difference:
    """Of each agent's own change: in a split design only that can be compared between arms."""
    ours, theirs = (side.days[-1].values(metric) - side.days[0].values(metric) for side in (arm, base))
    return how.difference(ours, theirs)


def _guardrails(
    runs: Sequence[Outcomes], arm: str, plan: PlanConfig, signs: Mapping[str, int]
) -> tuple[Guardrail, ...]:
    found = []
    for name, share in plan.guardrails.items():
        mean = mean_over_runs([mean_interval(run.baseline.values(name)) for run in runs]).mean or 0.0
        gap = partial(_effect, metric=name, confidence=1 - plan.alpha)
        found.append((name, share * abs(mean), pooled(in_every_run(gap, runs, arm), plan.alpha)))
    gains = [effect if signs[name] > 0 else turned(effect) for name, _, effect in found]
    tests = [no_loss_p_value(gain, margin) for gain, (_, margin, _) in zip(gains, found, strict=True)]
    # A metric that cannot be tested takes part as a loss that cannot be ruled out.
    adjusted = holm([1.0 if test is None else test for test in tests])
    guardrails = []
    for (name, margin, effect), gain, test, p_value in zip(found, gains, tests, adjusted, strict=True):
        state: Literal["held", "unclear", "harmed"] = "unclear"
        if gain.high is not None and gain.high < -margin:
            state = "harmed"
        elif test is not None and p_value < plan.alpha:
            state = "held"
        guardrails.append(Guardrail(name, margin, effect, None if test is None else float(p_value), state))
    return tuple(guardrails)


def _explore(
    runs: Sequence[Outcomes], arms: Sequence[ArmOutcomes], plan: PlanConfig
) -> dict[str, tuple[Exploration, ...]]:
    names = [name for name in by_name(runs[0].metrics) if name != plan.primary and name not in plan.guardrails]
    found = []
    for arm in arms:
        for name in names:
            gaps = in_every_run(partial(_effect, metric=name, confidence=CONFIDENCE), runs, arm.name)
            found.append((arm.name, Exploration(name, pooled(gaps, 1 - CONFIDENCE), None)))
    tested = [(place, each.effect.p_value) for place, (_, each) in enumerate(found) if each.effect.p_value is not None]
    adjusted = dict(zip((place for place, _ in tested), benjamini_hochberg([p for _, p in tested]), strict=True))
    result: dict[str, list[Exploration]] = {arm.name: [] for arm in arms}
    for place, (arm_name, each) in enumerate(found):
        p_value = float(adjusted[place]) if place in adjusted else None
        result[arm_name].append(Exploration(each.metric, each.effect, p_value))
    return {name: tuple(each) for name, each in result.items()}


def _unclear(headline: Headline, arm: ArmOutcomes, baseline: ArmOutcomes) -> str:
    """Why an effect is not clear other than by an interval that includes zero; "" otherwise."""
    effect = headline.effect
    if headline.unvaried and not headline.clear:
        return UNVARIED if effect.low is not None else UNVARIED_GROUPS
    if effect.excludes_zero:
        return "" if headline.clear else "not clear after correction for all metrics and arms that were looked at"
    if effect.low is not None:
        return ""
    lost = altogether([baseline.lost, arm.lost])
    if lost.nothing_read:
        return f"nothing could be read ({lost.lost:,} of {lost.pages:,})"
    unread = next((side for side in (arm, baseline) if side.lost.nothing_read), None)
    if unread is not None:
        return f"nothing could be read in {unread.name} ({unread.lost.lost:,} of {unread.lost.pages:,})"
    missing = f" ({lost.counted()})" if lost.lost else ""
    who = "1 agent has" if effect.n == 1 else f"{effect.n:,} agents have"
    return f"there is no interval: {who} a value in both arms{missing}"


def _harm(arm: FloatArray, baseline: FloatArray) -> Harm | None:
    difference = arm - baseline
    known = difference[~np.isnan(difference)]
    if not len(known):
        return None
    return Harm(float((known < 0).mean()), float((known == 0).mean()), float((known > 0).mean()))


def _looked(outcomes: Outcomes, plan: PlanConfig) -> tuple[Check, ...]:
    """A sequential plan may be looked at where it said it would, and nowhere else."""
    if not plan.looks:
        return ()
    agents = outcomes.run["agents"]
    said = f"{persons(agents)}; planned looks at {', '.join(f'{look:,}' for look in plan.looks)}"
    return (Check("looked when planned", "passed" if agents in plan.looks else "failed", said),)
