"""The examination as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from groundlings.experiments.analysis.report.claims import claims_count, fidelity_claims
from groundlings.experiments.analysis.report.svg import Draw
from groundlings.experiments.labs.fidelity import figures
from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.lab import Findings
from groundlings.experiments.labs.fidelity.records import Record
from groundlings.experiments.labs.page import Examination, answer_of_claims, render_examination

PARTS = {
    "interaction": "Does it predict which items users interact with next?",
    "preference": "Does it predict what users like, and how many stars they give?",
    "calibration": "Are probabilities calibrated?",
    "distributions": "Do agents and real users have the same distributions?",
    "probes": "What do controlled changes do to agents?",
    "system": "Does it order recommenders as real users do?",
    "memorisation and stereotype": "Memorisation and stereotypes",
    "synthetic users": "Are synthetic users like real ones, and copies of none?",
}
"""The eight parts, each with the question that it answers."""


def render_page(findings: Findings) -> str:
    """The page as text."""
    claims = fidelity_claims([record.as_dict() for record in findings.records])
    examination = Examination(
        lab="fidelity",
        name="fidelity lab",
        question=f"Do these agents do what real users of {findings.about['dataset']} did?",
        answer=answer_of_claims(findings.passed, claims),
        about=findings.about,
        parts=[(name, question, _tables(findings.records, name)) for name, question in PARTS.items()],
        pictures=_pictures(findings),
        size=(4.6, 3.5),
    )
    return render_examination(
        examination,
        {
            "claims": claims,
            "claims_count": claims_count(claims),
            "findings": findings,
            "headlines": headlines(findings.records),
        },
    )


def _tables(records: Sequence[Record], part: str) -> list[tuple[str, list[Record]]]:
    """The records of a part by task, in the order in which tasks first occur."""
    own = [record for record in records if record.part == part]
    order = {task: number for number, task in enumerate(dict.fromkeys(record.task for record in own))}
    own = [record for record in own if record.kind != "real" or not record.task.startswith("utility")]
    own = [record for record in own if not record.task.startswith("utility")]
    return [(task, list(rows)) for task, rows in groupby(sorted(own, key=lambda each: order[each.task]), _task)]


def _task(record: Record) -> str:
    return record.task


def _pictures(findings: Findings) -> dict[str, list[tuple[str, Draw]]]:
    records = findings.records
    pictures: dict[str, list[tuple[str, Draw]]] = {
        "interaction": [
            (f"{title}: F1 of every scorer by the ratio of real items to negatives; the table below has the figures.",
             figures.draw_ratios(records, negatives, "f1", title))
            for negatives, title in (
                ("uniform", "Uniform negatives"), ("popularity-matched", "Popularity-matched negatives"),
            )
        ],
        "calibration": [
            (f"Reliability of {task}.", figures.draw_reliability(findings.curves, task, f"Reliability: {task}"))
            for task in dict.fromkeys(curve.task for curve in findings.curves)
        ],
        "system": [
            (f"Order of the recommenders by real nDCG@10 and by expected clicks of the {name}.",
             figures.draw_order(findings.utilities, name))
            for name in findings.utilities.simulated
        ],
        "probes": [
            ("Click-through rate by slot, with every item in every slot once.",
             figures.draw_series(records, "position rotation", "click rate, slot", "Position", "click-through rate",
                                 "slot")),
            ("P(exit) after each page.",
             figures.draw_series(records, "fatigue", "exit hazard", "Fatigue", "share that leaves", "after page")),
            ("Expected clicks per session as more slots are filled at random.",
             figures.draw_series(records, "dose-response", "clicks", "Dose-response", "expected clicks per session",
                                 "share of slots filled at random")),
        ],
    }  # fmt: skip
    if findings.stars is not None:
        pictures["distributions"] = [
            ("Histogram of stars: real, mind, point prediction.", figures.draw_stars(findings.stars)),
            ("Distribution of users' mean stars: real, mind, point prediction.", figures.draw_people(findings.stars)),
        ]
    return pictures
