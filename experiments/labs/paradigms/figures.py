"""The pictures of the page: differences to the first arm, by what simulated users did and by what real ones chose."""

from __future__ import annotations

from functools import partial

from groundlings.experiments.analysis.report.figures import short
from groundlings.experiments.analysis.report.palette import Style
from groundlings.experiments.analysis.report.svg import Draw, svg
from groundlings.experiments.analysis.report.verdict_figures import draw_titled_differences
from groundlings.experiments.labs.paradigms.findings import Column, Findings
from groundlings.experiments.labs.paradigms.tables import is_clear

_CLEAR = Style("arm-1", "o", "-", hollow=False)
_UNCLEAR = Style("bound", "o", "-", hollow=True)

_WIDTH, _ROW, _REST = 5.4, 0.24, 1.0
"""Inches: of a picture, of each of its rows, and of all that is above and below them."""


def pictures_of(findings: Findings) -> list[str]:
    """SVG of the first outcome and of the first figure by what real users chose later; none where neither is known."""
    known = [column for column in findings.columns if column.part == "users" and not column.missing]
    later = next((column for column in known if column.name.startswith("ndcg")), None)
    columns = dict.fromkeys(column for column in (*known[:1], later) if column is not None)
    return [
        svg(
            _drawing(findings, column),
            f"difference-{number}",
            f"{column.label}: difference to {findings.baseline} of each arm, with 95 % intervals",
            _WIDTH,
            _REST + _ROW * (len(findings.rows) - 1),
        )
        for number, column in enumerate(columns)
    ]


def _drawing(findings: Findings, column: Column) -> Draw:
    """Arms in the order of the table; a filled mark where the interval excludes zero."""
    real = column.name.startswith("ndcg")
    figures = [(row.name, row.figures.get(column.name)) for row in findings.rows[1:]]
    differences = [(name, None if figure is None else figure.difference) for name, figure in figures]
    return partial(
        draw_titled_differences,
        label=f"{column.label}: difference to {short(findings.baseline)}",
        unit="by what real users chose later" if real else "simulated",
        rows=[(name, found, _CLEAR if is_clear(found) else _UNCLEAR) for name, found in differences],
        decimals=column.decimals,
    )
