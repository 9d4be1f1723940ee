"""The first section: who wins, by how much, whether that may be believed, the bad news, and what to do next."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from markupsafe import Markup, escape

from groundlings.experiments.analysis.answer.values import Answer, Row, Size
from groundlings.experiments.analysis.report.formatting import decimal
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.sparkline import sparkline

Key = TypeVar("Key", bound=Hashable)


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
    return bars_of_sizes({row.name: row.size for row in rows})


def bars_of_sizes(sizes: Mapping[Key, Size]) -> dict[Key, Bar]:
    """As `bars_of`, of sizes under any name; those that are not known have no bar."""
    known = {name: size for name, size in sizes.items() if size.value is not None}
    ends = [end for size in known.values() for end in (size.value, size.low, size.high) if end is not None]
    marks = [0.0, *ends]
    low, high = min(marks), max(marks)
    reach = (high - low) or 1.0

    def place(value: float) -> float:
        return round(100 * (value - low) / reach, 2)

    return {
        name: Bar(
            zero=place(0.0),
            start=place(min(0.0, size.value or 0.0)),
            end=place(max(0.0, size.value or 0.0)),
            low=place((size.value if size.low is None else size.low) or 0.0),
            high=place((size.value if size.high is None else size.high) or 0.0),
        )
        for name, size in known.items()
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
