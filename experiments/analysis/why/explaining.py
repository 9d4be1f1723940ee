"""Everything that says why the arms of a run differ, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.comparison.outcomes import Outcomes
from groundlings.experiments.analysis.metrics.item_counts import ArmItems, read_item_counts
from groundlings.experiments.analysis.why.decomposition import Decomposition, decompose
from groundlings.experiments.analysis.why.flow import PageFlow, measure_flow
from groundlings.experiments.analysis.why.funnel import Funnel, measure_funnel
from groundlings.experiments.analysis.why.items import ItemEffects, measure_items
from groundlings.experiments.analysis.why.overlap import Overlap, measure_overlap
from groundlings.experiments.analysis.why.reading import MOST_IMPRESSIONS, read_steps
from groundlings.experiments.analysis.why.target import target_of
from groundlings.experiments.config.designs import SplitDesign
from groundlings.simulator.log.reader import LogReader


@dataclass(frozen=True, slots=True)
class Why:
    """Why arms differ.

    Attributes:
        baseline: The arm that others are compared to.
        arms: All arms that are compared, the baseline first; of interleaved lists the two that drafted them.
        every: One of so many agents was read, so that a large run takes no longer; 1 = all.
        agents: How many that are.
        funnel: From being shown to being liked or bought.
        effect: The effect on the primary metric in parts, or that of what stands in for it.
        items: The items that gained and lost most.
        overlap: What pairs of arms shared.
        flow: Where sessions went, page by page; of all agents.
    """

    baseline: str
    arms: tuple[str, ...]
    every: int
    agents: int
    funnel: Funnel
    effect: Decomposition
    items: ItemEffects
    overlap: Overlap
    flow: PageFlow


def explain(
    log: LogReader,
    outcomes: Outcomes,
    comparison: Comparison,
    items: Sequence[ArmItems] | None = None,
    most: int = MOST_IMPRESSIONS,
) -> Why:
    """Why the arms of a run differ.

    Args:
        log: The run's.
        outcomes: What `read_outcomes` read from it.
        comparison: What `compare_outcomes` made of that.
        items: What `read_item_counts` read from it; read if absent.
        most: About how many impressions are read; of more, those of each so many agents.
    """
    primary = comparison.metrics[comparison.plan.primary]
    counts = read_steps(log, outcomes, primary.name, most)
    bought = log.purchases_known() if primary.money else {}
    unpriced = sum(purchases - priced for purchases, priced, _ in bought.values())
    target = target_of(primary, counts.steps, together=counts.together, unpriced=unpriced)
    shown = read_item_counts(log) if items is None else tuple(items)
    return Why(
        baseline=counts.sides[0].name,
        arms=tuple(side.name for side in counts.sides),
        every=counts.every,
        agents=counts.agents,
        funnel=measure_funnel(counts),
        effect=decompose(counts, target, comparison),
        items=measure_items(log, counts, target, float(outcomes.run["like_from"])),
        overlap=measure_overlap(log, counts, shown, split=isinstance(outcomes.design, SplitDesign)),
        flow=measure_flow(log, outcomes.estimator),
    )
