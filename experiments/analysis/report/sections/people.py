"""A few agents and their sessions."""

from __future__ import annotations

from groundlings.experiments.analysis.report.gallery import choose_guests
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.config.designs import ParallelDesign


def people_section(material: Material) -> Section:
    """Up to a dozen agents chosen by a rule."""
    summary = material.summary
    worlds = len(summary.arms) if isinstance(material.outcomes.design, ParallelDesign) else 1
    return Section({"guests": choose_guests(material.log, summary.run["like_from"], worlds)})
