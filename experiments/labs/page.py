"""What the pages of the labs that examine agents share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundlings.experiments.analysis.report.claims import Claim
from groundlings.experiments.analysis.report.formatting import plural
from groundlings.experiments.analysis.report.lab_page import render_lab_page
from groundlings.experiments.analysis.report.svg import Draw, svg
from groundlings.experiments.labs.fidelity.sentences import figure, figure_and_n, target


@dataclass(frozen=True, slots=True)
class Examination:
    """What the page of an examination shows beside its claims.

    Attributes:
        lab: Its package under `labs`, whose template has the same name.
        name: Of the lab, in words.
        question: What it asks.
        answer: A word or two, and a sentence.
        about: What was examined and how; its `name` stands at the head of the page.
        parts: Name, question and tables of each part; a part without tables has no section.
        pictures: Name of a part -> its pictures in words, and what draws them.
        size: Width and height of a picture in inches.
    """

    lab: str
    name: str
    question: str
    answer: tuple[str, str]
    about: Mapping[str, Any]
    parts: Sequence[tuple[str, str, Sequence[Any]]]
    pictures: Mapping[str, Sequence[tuple[str, Draw]]]
    size: tuple[float, float]


def render_examination(found: Examination, context: Mapping[str, Any]) -> str:
    """The page as text.

    Args:
        found: What every such page shows.
        context: What only this lab's template reads.
    """
    contents = {"claims": "What holds", "headlines": "Headlines"}
    contents |= {f"part-{number}": name.capitalize() for number, (name, _, rows) in enumerate(found.parts, 1) if rows}
    return render_lab_page(
        f"groundlings.experiments.labs.{found.lab}",
        f"{found.lab}.html.j2",
        {**contents, "again": "To repeat it"},
        {
            "lab_name": found.name,
            "run_name": found.about["name"],
            "question": found.question,
            "answer": found.answer,
            "about": found.about,
            "parts": found.parts,
            "pictures": {
                part: [svg(draw, f"{part}-{number}", words, *found.size) for number, (words, draw) in enumerate(panels)]
                for part, panels in found.pictures.items()
            },
            "figure": figure,
            "figure_and_n": figure_and_n,
            "target": target,
            **context,
        },
    )


def answer_of_claims(passed: bool, claims: Sequence[Claim]) -> tuple[str, str]:
    """The answer of a lab in one word and a sentence: whether the gate is passed, by the claim that it is about.

    Args:
        passed: Whether the agents passed the gate.
        claims: What was found, the one about the order of recommenders first.
    """
    head = "Yes" if passed else "Not yet"
    if not claims:
        return head, "The agents passed the gate." if passed else "The agents did not pass the gate."
    good = sum(claim.good for claim in claims)
    first = claims[0]
    gate = "" if passed else "; the gate of the lab is not passed"
    return head, f"{first.words.rstrip('.')} ({first.beside}). {good} of {plural(len(claims), 'claim')} hold{gate}."
