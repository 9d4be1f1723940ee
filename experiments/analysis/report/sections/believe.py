"""Whether the run may be believed: its checks, and how close its agents are to real users."""

from __future__ import annotations

from groundlings.experiments.analysis.report.sections.material import Material, Section


def believe_section(material: Material) -> Section:
    """The checks of the test, and what the labs found of the agents."""
    return Section({"arm_checks": [check for arm in material.comparison.arms for check in arm.checks]})
