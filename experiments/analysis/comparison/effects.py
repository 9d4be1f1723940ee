"""What a comparison found, as plain values: the one thing that terminal, report and JSON are written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.fidelity_gate import Gate
from groundlings.experiments.analysis.comparison.held_out import HeldOut
from groundlings.experiments.analysis.comparison.money import Tail
from groundlings.experiments.analysis.comparison.objective_effects import Objectives
from groundlings.experiments.analysis.comparison.preference import Preference
from groundlings.experiments.analysis.comparison.real_behaviour import RealBehaviour
from groundlings.experiments.analysis.comparison.segments import Contrast, Segment
from groundlings.experiments.analysis.comparison.spillover import Spillover
from groundlings.experiments.analysis.comparison.standings import Standing
from groundlings.experiments.analysis.comparison.verdict import Check, Word
from groundlings.experiments.analysis.hybrid.findings import HybridFindings
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.lost import LostPages
from groundlings.experiments.config.decision_plan import PlanConfig
from groundlings.experiments.config.designs import InterleavingDesign, ParallelDesign, SplitDesign


@dataclass(frozen=True, slots=True)
class Logged:
    """What an adjusted effect is before anything is taken out of it or capped.

    Attributes:
        mean, baseline: Of the arm and of the baseline.
        effect: Their difference, with as many standard errors to either side as the adjusted one has.
        lift: The same relative to the baseline's mean.
    """

    mean: float | None
    baseline: float | None
    effect: Difference
    lift: Estimate


@dataclass(frozen=True, slots=True)
class Headline:
    """The effect on the primary metric.

    Attributes:
        effect: With the interval that the word rests on: corrected for the number of arms and looks. Where there are
            variants, it is the mean over all runs (`several_runs.pooled`).
        interval: What kind of interval that is, in words.
        adjusted_p: Corrected for the number of arms (or, without a plan, of metrics, too); None without a p value.
        clear: Whether the effect counts as found.
        lift: The same relative to the baseline's mean, each agent's arm over baseline by the delta method, with as many
            standard errors to either side as `effect` has over agents.
        bootstrap_low, bootstrap_high: Ends of the BCa interval over agents, uncorrected; None without one.
        detectable: Effect that would have been found with the power planned (the MDE); None without a standard error.
        smallest: The smallest effect that matters, in the metric's unit; None without a plan.
        pooled: The effect as a ratio of totals, by the delta method; None where the metric has no denominator.
        identical: Whether the arm did exactly what the baseline did, slot by slot: no effect is there to be sought.
        unvaried: Whether all agents differ by the same amount, as those of a script do: there is no spread to test
            against, and more agents would show nothing more.
        logged: The effect as it was logged; None where it is not adjusted.
    """

    effect: Difference
    interval: str
    adjusted_p: float | None
    clear: bool
    lift: Estimate
    bootstrap_low: float | None
    bootstrap_high: float | None
    detectable: float | None
    smallest: float | None
    pooled: Difference | None
    identical: bool = False
    unvaried: bool = False
    logged: Logged | None = None


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric that must not get worse.

    Attributes:
        metric: Its name.
        margin: Largest loss tolerated, in the metric's unit.
        effect: Paired difference.
        adjusted_p: Of "the loss is larger", by Holm over the arm's guardrails.
        state: "held" where no loss beyond the margin is shown, "harmed" where the whole interval lies beyond it.
    """

    metric: str
    margin: float
    effect: Difference
    adjusted_p: float | None
    state: Literal["held", "unclear", "harmed"]


@dataclass(frozen=True, slots=True)
class Exploration:
    """A metric that nobody declared, with its p value by Benjamini and Hochberg over all of these and all arms."""

    metric: str
    effect: Difference
    adjusted_p: float | None


@dataclass(frozen=True, slots=True)
class Harm:
    """How many agents fared worse, the same and better; noise of single sessions is in it.

    Attributes:
        worse, same, better: Shares of the agents with a value in both arms; they add up to 1.
    """

    worse: float
    same: float
    better: float


@dataclass(frozen=True, slots=True)
class Variants:
    """The effect in other runs of the same experiment: other prompts, models or seeds.

    Attributes:
        effects: Of each run, this one first.
        names: By what each run differs: its seed, prompt and model.
        low, high: Student's interval over the runs; None with fewer than two.
        same_sign: Whether all have the same sign.
        differences: Of each run, with its own interval over agents.
        lifts: The same relative to the baseline's mean.
    """

    effects: tuple[float, ...]
    names: tuple[str, ...]
    low: float | None
    high: float | None
    same_sign: bool
    differences: tuple[Difference, ...]
    lifts: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class ArmFindings:
    """One arm against the baseline.

    Attributes:
        name: The arm.
        word: validated, indicative or not supported.
        reasons: Why it is no better word.
        headline: The primary metric.
        ranks: Lowest and highest rank among all competitors and the baseline that the resamples allow, 1 is the best;
            None where fewer than two agents have a value in all of them.
        guardrails, explored: The other metrics.
        segments, contrasts: Parts of the audience.
        harm: Who lost; None where nobody lived in both arms.
        days: Effect of each day alone.
        novelty: Effect of the last day minus that of the first; None for a single day.
        variants: Other runs; None without any.
        checks: Of this arm.
        real: What real people did with the same arm; None where nobody looked.
        basis: What "validated" rests on, in words; "" for the other words.
    """

    name: str
    word: Word
    reasons: tuple[str, ...]
    headline: Headline
    ranks: tuple[int, int] | None
    guardrails: tuple[Guardrail, ...]
    explored: tuple[Exploration, ...]
    segments: tuple[Segment, ...]
    contrasts: tuple[Contrast, ...]
    harm: Harm | None
    days: tuple[Difference, ...]
    novelty: Difference | None
    variants: Variants | None
    checks: tuple[Check, ...]
    real: RealBehaviour | None = None
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All arms against the baseline.

    Attributes:
        run: The run's row, with "agents", "days" and "came": agents with a session.
        plan: What was declared, or what stands in for it.
        design: How arms met people.
        declared: Whether it was.
        baseline: Name of the arm that others are compared to.
        baseline_mean: Its mean of the primary metric.
        arms: Competitors, in the order of the YAML; bounds and copies of the baseline are not among them.
        checks: Of the run as a whole.
        gate: What the fidelity lab says of the audience; None where it was not asked.
        preference: What interleaved lists tell; None in any other design.
        metrics: Those of the experiment, by name.
        lost: The pages of which nothing is known, and why.
        held_out: What real behaviour and other audiences say of the arms; None where the run does not say.
        truth: What the truth lab says of the audience; None where it was not asked.
        objectives: Several objectives weighed against each other; None where the plan has none.
        tails: What means of money rest on; empty where the plan is about none.
        standing: How all arms stand to each other on the primary metric.
        hybrid: What the sample of a hybrid audience tells beside all of it; None where nobody was in one.
        spillover: What ties carry from arm to arm on the primary metric; None where they join no agents of two arms.
    """

    run: Mapping[str, Any]
    plan: PlanConfig
    design: ParallelDesign | SplitDesign | InterleavingDesign
    declared: bool
    baseline: str
    baseline_mean: float | None
    arms: tuple[ArmFindings, ...]
    checks: tuple[Check, ...]
    gate: Gate | None
    preference: Preference | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    lost: LostPages = field(default_factory=LostPages)
    held_out: HeldOut | None = None
    truth: Gate | None = None
    objectives: Objectives | None = None
    tails: tuple[Tail, ...] = ()
    standing: Standing = field(default_factory=Standing)
    hybrid: HybridFindings | None = None
    spillover: Spillover | None = None

    @property
    def all_checks(self) -> list[Check]:
        """Every check once, of the run and of each arm: what answer, page and terminal count."""
        return [*self.checks, *(check for arm in self.arms for check in arm.checks)]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        further: dict[str, Any] = {} if self.objectives is None else {"objectives": self.objectives.as_dict()}
        if self.tails:
            further["money"] = [tail.as_dict() for tail in self.tails]
        if self.spillover is not None:
            further["spillover"] = self.spillover.as_dict()
        if self.hybrid is not None:
            further["hybrid"] = self.hybrid.as_dict()
        return {
            **further,
            "run": dict(self.run),
            "plan": self.plan.model_dump(mode="json") if self.declared else None,
            "design": self.design.model_dump(mode="json"),
            "primary": self.plan.primary,
            "baseline": self.baseline,
            "baseline_mean": self.baseline_mean,
            "arms": [asdict(arm) for arm in self.arms],
            "checks": [asdict(check) for check in self.checks],
            "preference": None if self.preference is None else asdict(self.preference),
            "standing": self.standing.as_dict(),
            "lost": self.lost.as_dict(),
            "held_out": None if self.held_out is None else self.held_out.as_dict(),
            "fidelity": None if self.gate is None else asdict(self.gate),
            "truth": None if self.truth is None else asdict(self.truth),
        }
