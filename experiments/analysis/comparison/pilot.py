"""A small run before the real one: how much do agents' differences vary, and how many agents does that ask for?

The pilot plays the arms of the file before few people, and the first arm a second time with other draws. It reports
spreads and not effects: a plan made after a look at effects would be no plan.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.special import stdtrit

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import name_key
from groundlings.experiments.analysis.compare import paired_difference
from groundlings.experiments.analysis.comparison.checks import competitors
from groundlings.experiments.analysis.comparison.estimators import known_before
from groundlings.experiments.analysis.comparison.outcomes import Outcomes, by_name, read_outcomes
from groundlings.experiments.analysis.comparison.power import detectable_effect, needed_agents
from groundlings.experiments.analysis.comparison.split import adjusted_outcomes
from groundlings.experiments.analysis.metrics.background import measure_background, write_background
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.config.designs import InterleavingDesign, ParallelDesign, SplitDesign, shares_of
from groundlings.experiments.config.schema import BehaviouralMindConfig, ExperimentConfig, PlanConfig
from groundlings.experiments.running.beginning import check_beginning
from groundlings.experiments.running.events import SILENT, Progress
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import Plan, build_plan
from groundlings.experiments.running.simulating import simulate
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

OTHER_DRAWS = "other draws"
"""Name of the first arm's second copy."""

_GROUPS = 20
"""Groups of agents, one left out at a time, by which the uncertainty of a spread is told."""

_FEWEST_GROUPS = 5


@dataclass(frozen=True, slots=True)
class Need:
    """What one metric asks for, for one arm against the first.

    Attributes:
        metric, arm: Which; the arm `OTHER_DRAWS` is the A/A pair.
        n: Agents with a value in both.
        baseline_mean: Of the first arm; None where nobody there has a value.
        sd: Standard deviation of the agents' differences; in a split design what gives the same standard error. None
            where fewer than two agents have a value in both, and so nothing else is known.
        p_value: Of the A/A pair's paired t test; None for other arms, whose effects are not looked at.
        smallest: The effect to be found, in the metric's unit.
        agents: How many it takes, those without a value included, of whom there are as many in a hundred as in the
            pilot; None where none would do, or where no agent of the pilot differs (`sd` 0).
        detectable: Effect that the planned number of agents finds (the MDE), of whom as many have a value as in the
            pilot; None where no agent differs.
        detectable_share: The same as a share of the baseline's mean; None likewise, and where that is 0.
        sd_low, sd_high: 95 % interval of `sd`, as the pilot's agents tell it: a jackknife of its logarithm. None where
            they are too few, or do not differ.
        agents_low, agents_high: What `agents` would be at these ends; it grows with the square of the spread.
        detectable_low, detectable_high: What `detectable` would be.
    """

    metric: str
    arm: str
    n: int
    baseline_mean: float | None
    sd: float | None
    p_value: float | None
    smallest: float | None
    agents: int | None
    detectable: float | None
    detectable_share: float | None
    sd_low: float | None = None
    sd_high: float | None = None
    agents_low: int | None = None
    agents_high: int | None = None
    detectable_low: float | None = None
    detectable_high: float | None = None

    @property
    def twin(self) -> bool:
        """Whether this is the A/A pair."""
        return self.arm == OTHER_DRAWS


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a pilot found.

    Attributes:
        people: Agents of the pilot.
        planned: Agents that the file plans.
        primary: The declared metric; None where none was.
        alpha: Of one comparison: the plan's, divided by the number of arms compared (Bonferroni, hence cautious).
        power, smallest_effect: Of the plan, or its defaults.
        comparisons: Arms compared with the first.
        needs: Metric by metric.
        metrics: Those of the experiment, by name.
        without_ties: Whether agents of the file have ties (`mind.social`), which a pilot of few does not.
        in_place_of: The file's mind where it is not the behavioural one, by which the pilot's agents decide; None where
            it is.
    """

    people: int
    planned: int
    primary: str | None
    alpha: float
    power: float
    smallest_effect: float
    comparisons: int
    needs: tuple[Need, ...]
    metrics: Mapping[str, Metric]
    without_ties: bool = False
    in_place_of: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        content = {name: getattr(self, name) for name in self.__slots__ if name not in ("needs", "metrics")}
        return {**content, "needs": [asdict(need) for need in self.needs]}


def run_pilot(config: ExperimentConfig, people: int, progress: Progress = SILENT) -> Pilot:
    """Play an experiment before few people with the behavioural mind, and work out what it needs.

    Args:
        config: The experiment. Another mind is replaced, and that is told: the pilot of a language mind would cost what
            the pilot is to save.
        people: Agents of the pilot.
        progress: Is told what must be known.

    Raises:
        UserError: Something that its message tells how to mend.
    """
    if isinstance(config.design, InterleavingDesign):
        raise ConfigError(
            "design: interleaving shows a preference and no effect on a metric, so there is no power to plan; ask for "
            "that of the design parallel or split: --set design=parallel"
        )
    if any(arm.name == OTHER_DRAWS for arm in config.arms):
        raise ConfigError(
            f"arms: found one named {OTHER_DRAWS!r}, as the pilot calls the first arm with other random numbers; give "
            "it another name"
        )
    if isinstance(config.design, SplitDesign) and config.design.by == "clusters":
        raise ConfigError(
            "design.by: power is planned for agents who are independent, and clusters of agents with ties are fewer; "
            "ask for that of single agents, as the least that is needed: --set mind.social=null --set design.by=agents"
        )
    whole = build_plan(config, progress=progress)
    check_beginning(whole)
    planned = len(whole.population)
    kept = BehaviouralMindConfig(kind="behavioural")
    if isinstance(config.mind, BrowsingOptions):
        names = [*BrowsingOptions.model_fields, *({"search"} & type(config.mind).model_fields.keys())]
        kept = kept.model_copy(update={name: getattr(config.mind, name) for name in names})
    size = min(people, planned)
    # Whatever the design: few people tell most when each of them meets every arm.
    parallel = {"mind": kept, "design": ParallelDesign()}
    small = config.model_copy(update={"population": config.population.model_copy(update={"size": size}), **parallel})
    with TemporaryDirectory() as folder:
        path = Path(folder) / LOG_NAME
        _simulate(build_plan(small), path)
        with LogReader(path) as log:
            outcomes = read_outcomes(log)
    plan = config.plan or PlanConfig(primary=outcomes.metrics[0].name)
    comparisons = len(competitors(outcomes)) or 1
    return Pilot(
        people=size,
        planned=planned,
        primary=None if config.plan is None else config.plan.primary,
        alpha=plan.alpha / comparisons,
        power=plan.power,
        smallest_effect=plan.smallest_effect,
        comparisons=comparisons,
        needs=tuple(_needs(outcomes, plan, plan.alpha / comparisons, planned, config.design)),
        without_ties=getattr(config.mind, "social", None) is not None,
        in_place_of=None if config.mind.kind == kept.kind else config.mind.kind,
        metrics=by_name(outcomes.metrics),
    )


def _simulate(plan: Plan, path: Path) -> None:
    again = plan.make_arm(plan.config.arms[0])
    plan.stages.append([replace(again, name=OTHER_DRAWS, seed=name_key("other luck", plan.config.seed))])
    twice = replace(plan, arms=(*plan.arms, replace(plan.arms[0], name=OTHER_DRAWS)))
    asyncio.run(simulate(twice, run_row(twice), path))
    with LogReader(path) as log:
        write_background(
            path.parent, measure_background(plan.split.train, plan.population.users, log, plan.item_groups)
        )


def _needs(
    outcomes: Outcomes, plan: PlanConfig, alpha: float, planned: int, design: ParallelDesign | SplitDesign
) -> Iterator[Need]:
    base = outcomes.baseline
    before = known_before(outcomes.personas)
    names = [plan.primary, *(metric.name for metric in outcomes.metrics if metric.name != plan.primary)]
    for metric in names:
        gaps = {
            arm.name: paired_difference(arm.values(metric), base.values(metric))
            for arm in (*competitors(outcomes), outcomes.arms[-1])
        }
        if metric != plan.primary and all(gap.standard_error is None for gap in gaps.values()):
            continue
        of_base = base.values(metric)
        mean = None if np.isnan(of_base).all() else float(np.nanmean(of_base))
        for arm in (*competitors(outcomes), outcomes.arms[-1]):
            gap = gaps[arm.name]
            if gap.standard_error is None or mean is None:
                yield Need(metric, arm.name, gap.n, mean, *(None,) * 6)
                continue
            spread = partial(_spread, arm.values(metric), of_base, design, before, _parts(arm.name, outcomes, design))
            # Agents without a value tell nothing, and the file plans agents, not values.
            sd, telling = gap.standard_error * float(np.sqrt(gap.n)), gap.n / (gap.n + gap.excluded)
            if isinstance(design, SplitDesign):
                sd, telling = spread(), 1.0
            smallest = plan.smallest_effect * abs(mean)
            seen = detectable_effect(sd, max(round(planned * telling), 2), alpha, plan.power) if sd else None
            needed = needed_agents(smallest, sd, alpha, plan.power) if sd else None
            ends = spread_ends(spread, sd, gap.n + gap.excluded) if sd else None
            need = Need(
                metric=metric,
                arm=arm.name,
                n=gap.n,
                baseline_mean=mean,
                sd=sd,
                p_value=gap.p_value if arm.name == OTHER_DRAWS else None,
                smallest=smallest,
                agents=None if needed is None else math.ceil(needed / telling),
                detectable=seen,
                detectable_share=None if seen is None or not mean else seen / abs(mean),
            )
            yield need if ends is None else _with_ends(need, sd, ends)


def _spread(
    arm: FloatArray,
    baseline: FloatArray,
    design: ParallelDesign | SplitDesign,
    before: FloatArray | None,
    parts: tuple[float, float] | None,
    left_out: IntArray | None = None,
) -> float:
    """The standard deviation of `Need.sd`, some agents left out."""
    kept = np.ones(len(arm), dtype=np.bool_)
    kept[[] if left_out is None else left_out] = False
    arm, baseline = arm[kept], baseline[kept]
    if isinstance(design, SplitDesign):
        assert parts is not None
        return _split_sd(arm, baseline, None if before is None else before[kept], parts)
    known = ~np.isnan(arm - baseline)
    return float(np.std((arm - baseline)[known], ddof=1)) if known.sum() > 1 else 0.0


def spread_ends(spread: Callable[..., float], sd: float, agents: int) -> tuple[float, float] | None:
    """The 95 % interval of a spread, by a jackknife of its logarithm over groups of agents; None where too few tell.

    Args:
        spread: The spread without some agents, by their row numbers (`left_out`).
        sd: That of all.
        agents: How many there are.
    """
    groups = min(_GROUPS, agents)
    without = [spread(left_out=np.arange(group, agents, groups)) for group in range(groups)]
    if groups < _FEWEST_GROUPS or not all(each > 0 for each in without):
        return None
    logs = np.log(without)
    error = float(np.sqrt((groups - 1) / groups * ((logs - logs.mean()) ** 2).sum()))
    reach = float(stdtrit(groups - 1, 0.975)) * error
    return sd * math.exp(-reach), sd * math.exp(reach)


def _with_ends(need: Need, sd: float, ends: tuple[float, float]) -> Need:
    low, high = (end / sd for end in ends)
    agents, seen = need.agents, need.detectable
    return replace(
        need,
        sd_low=ends[0],
        sd_high=ends[1],
        agents_low=None if agents is None else max(2, math.floor(agents * low**2)),
        agents_high=None if agents is None else math.ceil(agents * high**2),
        detectable_low=None if seen is None else seen * low,
        detectable_high=None if seen is None else seen * high,
    )


def _parts(arm: str, outcomes: Outcomes, design: ParallelDesign | SplitDesign) -> tuple[float, float] | None:
    """The shares of the people that an arm and the first arm get; the second copy of the first one gets as many.

    None where everybody meets every arm.
    """
    if not isinstance(design, SplitDesign):
        return None
    names = [each.name for each in outcomes.arms if each.name != OTHER_DRAWS]
    shares = dict(zip(names, shares_of(design, names), strict=True))
    return shares.get(arm, shares[names[0]]), shares[names[0]]


def _split_sd(arm: FloatArray, baseline: FloatArray, before: FloatArray | None, parts: tuple[float, float]) -> float:
    """What the spread of differences is to pairs, of a split design: its standard error times sqrt(people).

    Those of a group who have no value count among its people, as many in a hundred as here.
    """
    sides = (arm, baseline) if before is None else adjusted_outcomes((arm, baseline), before)
    telling = [part * float((~np.isnan(side)).mean()) for side, part in zip(sides, parts, strict=True)]
    return float(np.sqrt(sum(np.nanvar(side, ddof=1) / part for side, part in zip(sides, telling, strict=True))))
