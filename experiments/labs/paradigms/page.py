"""The comparison as one HTML file that needs nothing else."""

from __future__ import annotations

from groundlings.experiments.analysis.report.formatting import decimal
from groundlings.experiments.analysis.report.lab_page import render_lab_page
from groundlings.experiments.labs.paradigms.figures import pictures_of
from groundlings.experiments.labs.paradigms.findings import Findings
from groundlings.experiments.labs.paradigms.tables import COSTS, PARTS, answer, setting, tables_of


def render_page(findings: Findings) -> str:
    """The page as text."""
    return render_lab_page(
        "groundlings.experiments.labs.paradigms",
        "paradigms.html.j2",
        {**PARTS, "groups": "Groups of users and items", "definitions": "What each figure is"},
        {
            "lab_name": "paradigms",
            "run_name": findings.experiment,
            "question": f"Does any recommender serve users better than {findings.baseline}?",
            "answer": answer(findings),
            "setting": setting(findings),
            "explained": _explained(findings.baseline),
            "costs": COSTS,
            "findings": findings,
            "pictures": pictures_of(findings),
            "tables": tables_of(findings),
            "labels": {column.name: column.label for column in findings.columns},
            "decimal": decimal,
        },
    )


def _explained(baseline: str) -> dict[str, str]:
    """Part of the comparison -> what a cell of its table holds."""
    below = f"below it the difference to {baseline}"
    return {
        "users": f"Mean over users with its 95 % interval; {below}.",
        "lists": f"Over all that was shown, with its 95 % interval; {below}.",
        "fairness": "The mean of the most active third of the users less that of the least active one, with its 95 % "
        "interval: above zero, active users are served better.",
        "cost": "Of the recommender's questions to its own language model, and of no others.",
    }
