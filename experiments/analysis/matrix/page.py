"""The page of a matrix: what all runs say together first, then whether they agree, and each run's own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from groundlings.environments.cleaning import printable
from groundlings.experiments.analysis.answer.file import read_answer, write_answer
from groundlings.experiments.analysis.answer.finding import direction_of
from groundlings.experiments.analysis.comparison.several_runs import factors
from groundlings.experiments.analysis.matrix import sentences
from groundlings.experiments.analysis.matrix.cells import arms_over_runs, heat_maps
from groundlings.experiments.analysis.measuring import Measured
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.page import common_context, read_material
from groundlings.experiments.analysis.report.sections.answer import answer_section
from groundlings.experiments.analysis.report.sections.bars import bars_of_sizes
from groundlings.experiments.analysis.report.sections.believe import believe_section
from groundlings.experiments.analysis.report.sections.material import Material
from groundlings.experiments.analysis.report.skeleton import frame, page_environment
from groundlings.experiments.archive import directory as files
from groundlings.simulator.log.reader import LogReader

CONTENTS = {
    "answer": "The answer",
    "agree": "Do the runs agree?",
    "factors": "By what varies",
    "runs": "Every run",
    "believe": "Can I believe it?",
    "again": "Details",
}
"""Id of each section -> its name in the list of contents."""

SCRIPTS = ("page.js",)
"""Of the page, in the order in which they run."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run, and what its own page answers.

    Attributes:
        name: By what it differs.
        href: Of its page, relative to that of the matrix.
        sentence: Its own answer; "" where it left none.
        agents, status: As logged.
        digest: Over what happened in it; "" where it has not ended.
    """

    name: str
    href: str
    sentence: str
    agents: int
    status: str
    digest: str


def measure_matrix(
    directory: Path,
    cells: Sequence[Path],
    logs: Sequence[LogReader],
    fidelity: Path | None = None,
    truth: Path | None = None,
) -> Measured:
    """Write `report.html` and `answer.json` of a matrix; each cell has its own.

    Args:
        directory: Of the matrix.
        cells: The runs, in the order of the matrix.
        logs: Theirs.
        fidelity, truth: Files of the labs; those beside the matrix or its first cell if absent.

    Returns:
        The figures of the first cell, and what all cells answer together.
    """
    first, *others = logs
    summary = summarise(first)
    near = [given or _beside(directory, name) for given, name in ((fidelity, "fidelity.json"), (truth, "truth.json"))]
    material = read_material(cells[0], first, summary, others, fidelity=near[0], truth=near[1])
    files.write_text(directory / files.REPORT_NAME, render_page(material, directory, cells, logs))
    write_answer(directory, material.answer)
    return Measured(summary, material.answer)


def render_page(material: Material, directory: Path, cells: Sequence[Path], logs: Sequence[LogReader]) -> str:
    """The page as text; arguments as of `measure_matrix`."""
    levels = factors([log.run() for log in logs])
    context = _context(material, levels) | {"runs": _runs(directory, cells, logs, levels)}
    contents = {
        name: label
        for name, label in CONTENTS.items()
        if (name != "agree" or context["over_runs"]) and (name != "factors" or context["heats"])
    }
    environment = page_environment("groundlings.experiments.analysis.matrix")
    context |= frame(environment, contents, SCRIPTS)
    return printable(environment.get_template("matrix.html.j2").render(context), newlines=True)


def _context(material: Material, levels: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    comparison = material.comparison
    direction = direction_of(comparison) if comparison.arms else 1
    arms = arms_over_runs(comparison)
    higher_is_better = {1: True, -1: False}.get(direction)
    sizes = {(arm.name, -1): arm.size for arm in arms}
    sizes |= {(arm.name, number): cell.size for arm in arms for number, cell in enumerate(arm.cells)}
    sections = (answer_section(material), believe_section(material))
    context = common_context(material)
    for section in sections:
        context |= section.context
    return context | {
        "run_names": next((arm.variants.names for arm in comparison.arms if arm.variants), _names(levels)),
        "over_runs": arms,
        "agreement": [sentences.agreement(arm, higher_is_better) for arm in arms],
        "spreads": [sentences.spread(arm) for arm in arms],
        "basis": sentences.basis(arms),
        "bars": bars_of_sizes(sizes),
        "heats": heat_maps(arms, levels),
        "factor_names": list(levels[0]),
        "undirected": higher_is_better is None,
    }


def _names(levels: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(", ".join(f"{name} {level}" for name, level in each.items()) or "the only run" for each in levels)


def _runs(
    directory: Path, cells: Sequence[Path], logs: Sequence[LogReader], levels: Sequence[Mapping[str, str]]
) -> list[RunLine]:
    lines = []
    for cell, log, name in zip(cells, logs, _names(levels), strict=True):
        answer, run = read_answer(cell), log.run()
        sentence = answer.values.get("sentence") or answer.fault
        place = cell.relative_to(directory) / files.REPORT_NAME
        digest = files.read_manifest(cell).get("digest")
        lines.append(
            RunLine(
                name=name,
                href=quote(place.as_posix()),
                sentence=sentence if isinstance(sentence, str) else "",
                agents=len(log.agent_ids()),
                status=str(run["status"]),
                digest=digest if isinstance(digest, str) else "",
            )
        )
    return lines


def _beside(directory: Path, name: str) -> Path | None:
    """An examination that lies with a matrix counts for its cells."""
    return directory / name if (directory / name).is_file() else None
