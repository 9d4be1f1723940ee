"""Details behind a fold: counts, cost, how to repeat the run, definitions."""

from __future__ import annotations

from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.archive import directory as files


def details_section(material: Material) -> Section:
    """What the run directory says of the run beyond its log."""
    manifest = files.read_manifest(material.run_dir)
    return Section({"manifest": manifest, "data_notes": files.data_notes(manifest)})
