"""The results on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.lab import Findings
from groundlings.experiments.labs.fidelity.sentences import figure, target
from groundlings.experiments.terminal import escape

_COLOURS = {"validated": "green", "indicative": "cyan", "not supported": "red"}


def render_findings(findings: Findings) -> Table:
    """The headline figures: value, interval, comparison, target and verdict."""
    about = findings.about
    gate = "passed" if findings.passed else "did not pass"
    table = Table(
        title=f"{escape(about['dataset'])}: {about['people_tested']:,} users nothing was fitted on, "
        f"salt {escape(repr(about['salt']))}",
        caption=f"Overall: {findings.overall}; the mind {gate} the system gate. Targets were set before measuring."
        + _lost(about),
        caption_justify="left",
    )
    for heading, justify in (("figure", "left"), ("value", "right"), ("compared with", "left"), ("target", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("met")
    table.add_column("verdict")
    for row in headlines(findings.records):
        record = row.record
        met = "" if record.target is None else "yes" if record.target.met else "[red]no"
        word = record.verdict or ""
        colour = _COLOURS.get(word, "")
        said = f"[{colour}]{word}" if colour else word
        table.add_row(escape(row.label), escape(figure(record)), escape(row.beside), target(record), met, said)
    return table


def _lost(about: Mapping[str, Any]) -> str:
    """How many answers of the language model could not be read; "" where all could, or none was asked for."""
    asked = about["language"] or {}
    if not asked.get("unreadable"):
        return ""
    share = 100 * asked["unreadable"] / asked["pairs"]
    return f"\n{asked['unreadable']:,} of {asked['pairs']:,} answers of the language model unreadable ({share:.1f} %)."
