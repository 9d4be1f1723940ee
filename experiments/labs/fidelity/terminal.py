"""The results on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from groundlings.environments.words import plural
from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.lab import Findings
from groundlings.experiments.labs.fidelity.sentences import figure_and_n, reached, target
from groundlings.experiments.terminal import escape

_COLOURS = {"validated": "green", "indicative": "cyan", "not supported": "red"}


def render_findings(findings: Findings, width: int = 160) -> RenderableType:
    """The headline figures: value, interval, comparison, target and verdict.

    Args:
        findings: Of the lab.
        width: Of the terminal, in columns: one that has no room for a table gets a paragraph per figure.
    """
    if width < _WIDE:
        return _render_paragraphs(findings)
    table = Table(title=_title(findings), caption=_caption(findings), caption_justify="left")
    for heading, justify in (("figure", "left"), ("value", "right"), ("compared with", "left"), ("target", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("met")
    table.add_column("verdict")
    for row in headlines(findings.records):
        record = row.record
        met = reached(record).replace("no", "[red]no")
        word = record.verdict or ""
        colour = _COLOURS.get(word, "")
        said = f"[{colour}]{word}" if colour else word
        value = escape(figure_and_n(record, findings.about["people_tested"]))
        table.add_row(escape(row.label), value, escape(row.beside), target(record), met, said)
    return table


def _title(findings: Findings) -> str:
    about = findings.about
    return (
        f"{escape(about['dataset'])}: {plural(about['people_tested'], 'user')} nothing was fitted on, "
        f"salt {escape(repr(about['salt']))}"
    )


def _caption(findings: Findings) -> str:
    gate = "passed" if findings.passed else "did not pass"
    return (
        f"Overall: {findings.overall}; the mind {gate} the system gate. Targets were set before measuring."
        f"{_lost(findings.about)}"
    )


def _render_paragraphs(findings: Findings) -> Group:
    parts: list[RenderableType] = [f"[italic]{_title(findings)}[/]", ""]
    for row in headlines(findings.records):
        record = row.record
        colour = _COLOURS.get(record.verdict or "", "")
        word = f"  [{colour}]{record.verdict}[/]" if colour else f"  {record.verdict}" if record.verdict else ""
        value = escape(figure_and_n(record, findings.about["people_tested"]))
        parts.append(f"[bold]{escape(row.label)}[/]  {value}{word}")
        goal = ""
        if record.target is not None:
            goal = f"target {target(record)} {_GOAL[reached(record)]}"
        beside = escape(row.beside)
        if goal or beside:
            parts.append(Padding("; ".join(filter(None, (goal, beside and f"beside {beside}"))), (0, 0, 0, 4)))
    return Group(*parts, "", f"[dim]{_caption(findings)}[/]")


_WIDE = 120
_GOAL = {"yes": "met", "no": "[red]not met[/]", "n/a": "not known to be met"}


def _lost(about: Mapping[str, Any]) -> str:
    """How many answers of the language model could not be read; "" where all could, or none was asked for."""
    asked = about["language"] or {}
    if not asked.get("unreadable"):
        return ""
    share = 100 * asked["unreadable"] / asked["pairs"]
    return f"\n{asked['unreadable']:,} of {asked['pairs']:,} answers of the language model unreadable ({share:.1f} %)."
