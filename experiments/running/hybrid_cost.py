"""What the sample of a hybrid audience costs, and how wide its intervals would be, before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from groundlings.environments.words import persons
from groundlings.experiments.analysis.hybrid.allocation import FEWEST, prospect
from groundlings.experiments.config.schema import HybridMindConfig
from groundlings.experiments.running.hybrid_sample import people_asked
from groundlings.experiments.running.plan import Plan

if TYPE_CHECKING:
    from groundlings.experiments.running.cost import Estimate

CORRELATIONS = (0.5, 0.7, 0.9)
"""Between the two minds, for which intervals are told; the run itself measures its own."""

_FACTORS = (0.5, 1, 2, 4)
"""Samples that are told of, as shares of the one that is asked for."""


def plan_of_sample(plan: Plan) -> Plan | None:
    """A plan of the same sessions of so many people with the language mind; None where nobody is in a sample."""
    people, mind = people_asked(plan.config, plan.population), plan.config.mind
    if not people or not isinstance(mind, HybridMindConfig):
        return None
    population = replace(plan.population, users=plan.population.users[:people])
    config = plan.config.model_copy(update={"mind": mind.language})
    return replace(plan, config=config, population=population, minds=replace(plan.minds, population=population))


def sample_lines(plan: Plan, bound: Estimate) -> Iterator[tuple[str, str]]:
    """Rows of the plan that `groundlings check` prints: who is in the sample, and what others would give and cost.

    Args:
        plan: Of the run.
        bound: The most that it takes; its calls are the sample's.
    """
    people, mind, agents = people_asked(plan.config, plan.population), plan.config.mind, len(plan.population)
    if not people or not isinstance(mind, HybridMindConfig):
        return
    pilot = f", {mind.pilot:,} of them as a pilot" if mind.pilot else ""
    strata = f"; strata: {', '.join(mind.strata)}" if mind.strata else ""
    more = (
        f" ({wanted:,} are wanted, and two of every stratum asked)" if (wanted := mind.people(agents)) < people else ""
    )
    yield (
        "sample",
        f"{people:,} of {persons(agents)}{more} also {'lives' if people == 1 else 'live'} by the language "
        f"mind{pilot}{strata}",
    )
    sizes = dict.fromkeys(min(agents, max(FEWEST, round(factor * people))) for factor in _FACTORS)
    for size in sizes:
        found = [prospect(size, agents, correlation) for correlation in CORRELATIONS]
        widths = " / ".join(f"{each.half_width:.3f}" for each in found)
        worths = " / ".join(f"{each.worth:,.0f}" for each in found)
        calls = round(bound.calls * size / people)
        money = "" if bound.money is None else f", money {bound.money * size / people:,.2f}"
        yield "", f"{size:,}: \N{PLUS-MINUS SIGN}{widths} SD, worth {worths}; at most {calls:,} calls{money}"
    told = " / ".join(f"{each:g}" for each in CORRELATIONS)
    yield (
        "",
        f"(half the 95 % interval of a mean, in standard deviations of a person's value by the language mind, and the "
        f"people by the language mind alone who would give the same, if the two minds correlate {told})",
    )
