"""The first section: who wins, by how much, whether that may be believed, the bad news, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from groundlings.experiments.analysis.answer.values import Answer, Row
from groundlings.experiments.analysis.report.formatting import decimal
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.sparkline import sparkline


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from zero to an effect, with its interval, in per cent of the width.

    Attributes:
        zero: Where zero is.
        start, end: Of the bar.
        low, high: Ends of the interval; equal where there is none.
    """

    zero: float
    start: float
    end: float
    low: float
    high: float


def answer_section(material: Material) -> Section:
    """The first screen; its title is the question."""
    answer = material.answer
    return Section(
        {
            "primary": material.primary,
            "heading": answer.question,
            "answer": answer,
            "next_step": _with_code(answer.next_step),
            "lift_bars": bars_of(answer.rows),
            "courses": _courses(material),
            "whole": sum(row.chance is not None for row in answer.rows) > 1,
        }
    )


def _with_code(text: str) -> Markup:
    """What stands between backticks as code, and all of it escaped."""
    parts = [
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def bars_of(rows: Sequence[Row]) -> dict[str, Bar]:
    """Recommender -> its bar; all on one scale that holds zero and every interval."""
    known = [row.size for row in rows if row.size.value is not None]
    marks = [0.0, *(end for size in known for end in (size.value, size.low, size.high) if end is not None)]
    low, high = min(marks), max(marks)
    reach = (high - low) or 1.0

    def place(value: float) -> float:
        return round(100 * (value - low) / reach, 2)

    return {
        row.name: Bar(
            zero=place(0.0),
            start=place(min(0.0, row.size.value)),
            end=place(max(0.0, row.size.value)),
            low=place(row.size.value if row.size.low is None else row.size.low),
            high=place(row.size.value if row.size.high is None else row.size.high),
        )
        for row in rows
        if row.size.value is not None
    }


def _courses(material: Material) -> dict[str, str]:
    """Recommender -> its days as a word-sized picture; all on one scale."""
    answer: Answer = material.answer
    known = [value for row in answer.rows for value in row.course if value is not None]
    if not known:
        return {}
    scale = (min(known), max(known))
    return {
        row.name: sparkline(
            row.course,
            f"By day: {', '.join(decimal(value, material.primary.decimals) for value in row.course)}",
            scale,
            material.style[row.name].colour,
        )
        for row in answer.rows
    }
