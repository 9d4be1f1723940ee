"""Details behind a fold: counts, cost, how to repeat the run, definitions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from groundlings.experiments.analysis.metrics import Summary
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.archive import directory as files

_OF_RATINGS = re.compile(r"\b(stars?|ratings?)\b")


def details_section(material: Material) -> Section:
    """What the run directory says of the run beyond its log."""
    manifest = files.read_manifest(material.run_dir)
    return Section(
        {
            "manifest": manifest,
            "data_notes": files.data_notes(manifest),
            "mind_facts": _mind_facts(material.summary),
        }
    )


def _mind_facts(summary: Summary) -> list[tuple[str, str]]:
    """The settings of the mind; where nobody rates, those of ratings decide nothing and are left out."""
    facts = plain_facts(summary.run["mind"])
    if summary.opinion == "rate":
        return facts
    return [fact for fact in facts if not _OF_RATINGS.search(fact[0])]


def plain_facts(described: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Settings as lines to read: names in full ("taste: weights: mean"), numbers with four figures, nothing unset.

    The exact values are in the log; a page of seventeen decimals says no more to a reader.
    """
    facts: list[tuple[str, str]] = []
    for name, value in described.items():
        label = f"{above}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            facts += plain_facts(value, f"{label}: ")
        elif value is not None:
            facts.append((label, _plain(value)))
    return facts


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
