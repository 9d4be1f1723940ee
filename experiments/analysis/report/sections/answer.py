"""The first section: who wins, by how much, whether that may be believed, the bad news, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from groundlings.experiments.analysis.answer.values import Answer, Row
from groundlings.experiments.analysis.report.formatting import decimal
from groundlings.experiments.analysis.report.sections.bars import Bar, bars_of_sizes
from groundlings.experiments.analysis.report.sections.material import Material, Section
from groundlings.experiments.analysis.report.sections.picks import picks_of
from groundlings.experiments.analysis.report.sparkline import sparkline


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
            "picks": picks_of(material),
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
