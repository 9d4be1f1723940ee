"""Why the arms differ: what their lists held."""

from __future__ import annotations

from groundlings.experiments.analysis.metrics.item_counts import PURCHASES, read_item_counts
from groundlings.experiments.analysis.metrics.item_groups import measure_groups
from groundlings.experiments.analysis.metrics.lists import measure_lists
from groundlings.experiments.analysis.report.sections.material import Material, Section


def why_section(material: Material) -> Section:
    """Coverage, concentration, popularity, novelty and diversity by arm, and what each group of items got."""
    counts = read_item_counts(material.log)
    return Section(
        {
            "lists": measure_lists(material.log, counts),
            "groupings": measure_groups(material.log, counts),
            "shop": any(arm.total(PURCHASES).any() for arm in counts),
        }
    )
