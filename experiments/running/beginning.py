"""What an experiment that begins may not say, though one that began with an earlier version may have said it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlings.experiments.analysis.metrics.directions import check_directions
from groundlings.experiments.config.keys_in_options import refuse_keys_in_options

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan


def check_beginning(plan: Plan) -> None:
    """Raise `ConfigError` where a plan calls better what a metric calls worse, or an option holds a key."""
    refuse_keys_in_options(plan.config)
    check_directions(plan.config.plan.model_dump() if plan.config.plan else None, plan.metrics)
