"""What the sample of a hybrid audience tells, in words; terminal and page say the same."""

from __future__ import annotations

from dataclasses import dataclass

from groundlings.experiments.analysis.comparison.effects import Comparison
from groundlings.experiments.analysis.hybrid.estimate import HybridEstimate
from groundlings.experiments.analysis.hybrid.findings import HybridFindings
from groundlings.experiments.analysis.report.formatting import NOTHING, count, decimal, plural, signed

HEADERS = ("arm", "behavioural", "with the language sample", "correlation", "worth", "n")
"""Of the table: everybody by the behavioural mind alone; the estimate; and what the sample was worth."""


@dataclass(frozen=True, slots=True)
class HybridRow:
    """One arm on the primary metric; the baseline with its mean, the others with their difference to it.

    Attributes:
        name: The arm.
        cells: As the `HEADERS` after the first say.
    """

    name: str
    cells: tuple[str, ...]


def opening(found: HybridFindings) -> str:
    """Who was in the sample and what it took, in sentences."""
    pilot = sum(stratum.pilot for stratum in found.strata)
    first = f", {count(pilot)} of them as a pilot" if pilot else ""
    lost = f" {found.lost.sentence()}." if found.lost.lost else ""
    estimated = f" (estimated for {plural(found.estimated_calls, 'call')})" if found.estimated_calls else ""
    unfinished = "" if found.finished else " The sample has not ended: what is missing is not counted."
    return (
        f"{count(found.sampled)} of {plural(found.agents, 'agent')} also lived by the language mind{first}: "
        f"{plural(found.calls, 'call')}, {count(found.prompt_tokens)} tokens in and "
        f"{count(found.completion_tokens)} out{estimated}.{lost}{unfinished}"
    )


def strata(found: HybridFindings) -> str:
    """How the sample was shared out, "" where there is one stratum."""
    if len(found.strata) < 2:
        return ""
    parts = [f"{each.name} {count(each.sample)} of {count(each.people)}" for each in found.strata]
    return f"Strata: {'; '.join(parts)}."


def basis(comparison: Comparison) -> str:
    """What the figures are, and what they are not."""
    metric = comparison.metrics[comparison.plan.primary].label.lower()
    return (
        f"Differences to {comparison.baseline} on {metric}, of {comparison.baseline} its mean; 95 % intervals, "
        "uncorrected. The estimate is the mean of everybody under the behavioural mind plus the mean paired difference "
        "of the sample, strata weighted. Worth: people by the language mind alone who would give the same interval. "
        "The verdict is of the behavioural mind alone, whose people the recommenders learnt from."
    )


def rows(comparison: Comparison, found: HybridFindings) -> tuple[HybridRow, ...]:
    """A row per arm on the primary metric, the baseline first."""
    primary = comparison.plan.primary
    decimals = comparison.metrics[primary].decimals
    base = HybridRow(found.baseline, _cells(found.means[found.baseline][primary], decimals, difference=False))
    others = [
        HybridRow(name, _cells(of_arm[primary], decimals, difference=True))
        for name, of_arm in found.differences.items()
    ]
    return (base, *others)


def _cells(found: HybridEstimate, decimals: int, *, difference: bool) -> tuple[str, ...]:
    write = signed if difference else decimal
    ends = "" if found.low is None else f" [{write(found.low, decimals)}, {write(found.high, decimals)}]"
    worth = NOTHING if found.worth is None else f"{count(found.worth)} for {count(found.n)}"
    left_out = f" ({count(found.excluded)} without a value)" if found.excluded else ""
    return (
        write(found.behavioural, decimals),
        f"{write(found.estimate, decimals)}{ends}",
        decimal(found.correlation, 2),
        worth,
        f"{count(found.n)}{left_out}",
    )
