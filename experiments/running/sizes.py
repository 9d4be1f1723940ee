"""How large a run can become, before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlings.experiments.config.designs import ParallelDesign

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

_MANY_IMPRESSIONS = 50_000_000
_BYTES_PER_IMPRESSION = 100
"""Of a behavioural mind's log, with the events and indexes that belong to an impression."""


def sessions_at_most(plan: Plan) -> int:
    """Sessions of all arms at most (fewer where people do not come every day)."""
    arms = len(plan.config.arms) if isinstance(plan.config.design, ParallelDesign) else 1
    return arms * len(plan.population) * plan.schedule.most_sessions


def size_warning(plan: Plan) -> str | None:
    """A line about a run that may fill a disk or take days, None for any other."""
    impressions = sessions_at_most(plan) * min(
        plan.environment.page_size * plan.environment.max_pages, len(plan.dataset.catalog)
    )
    if impressions < _MANY_IMPRESSIONS:
        return None
    gigabytes = impressions * _BYTES_PER_IMPRESSION / 1e9
    return (
        f"this is large: up to {impressions:,} impressions, about {gigabytes:,.0f} GB of log; "
        "fewer days, people or pages (simulation, population, site) make it smaller"
    )
