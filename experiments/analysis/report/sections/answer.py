"""The first section: what the run answers."""

from __future__ import annotations

from groundlings.experiments.analysis.report.sections.material import Material, Section


def answer_section(material: Material) -> Section:
    """The verdict on every arm."""
    return Section({"primary": material.primary, "heading": material.summary.run["experiment"]})
