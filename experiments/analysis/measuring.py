"""From the log of a run to the figures and the page beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.experiments.analysis.answer.values import Answer
from groundlings.experiments.analysis.metrics import Metric, Summary, summarise
from groundlings.experiments.analysis.metrics.summary import read_totals
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.log_check import SOME_ROWS
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    from groundlings.experiments.analysis.comparison.outcomes import Outcomes

_PARTS = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a run.

    Attributes:
        summary: Its figures, as `summary.json` holds them.
        answer: What it answers.
    """

    summary: Summary
    answer: Answer


@dataclass(frozen=True, slots=True)
class Figures:
    """What a log says of its run, before anything is compared, drawn or written.

    Attributes:
        outcomes: What the comparison needs.
        summary: As `summary.json` holds it.
    """

    outcomes: Outcomes
    summary: Summary


def read_figures(log: LogReader, metrics: Sequence[Metric] | None = None) -> Figures:
    """The figures of a run; arguments and what it raises as of `summarise`."""
    from groundlings.experiments.analysis.comparison.outcomes import read_outcomes

    log.hold_columns()
    totals = read_totals(log, metrics)
    outcomes = read_outcomes(log, measured=totals)  # read once: of many users that is most of the work
    return Figures(outcomes, summarise(log, measured=totals, outcomes=outcomes))


def measure(
    directory: Path,
    log: LogReader,
    metrics: Sequence[Metric] | None = None,
    most_rows: int | None = SOME_ROWS,
    fidelity: Path | None = None,
    truth: Path | None = None,
    told: Callable[[int, int, str], None] | None = None,
    figures: Figures | None = None,
) -> Measured:
    """Recompute summary and report of a run from what lies in its directory: the log, and the manifest beside it.

    Args:
        directory: The run's.
        log: Its log.
        metrics: What is measured; what the run's experiment file names if absent.
        most_rows: About how many rows are read to see whether the log is as it was written; all where it is None.
        fidelity, truth: Files of the labs, where they do not lie beside the run.
        told: Is called with how many parts are over, how many there are, and what the next one is.
        figures: Where they were read before, in place of `metrics`.
    """
    from groundlings.experiments.analysis import report
    from groundlings.experiments.analysis.report.page import read_material

    def tell(done: int, what: str) -> None:
        if told is not None:
            told(done, _PARTS, what)

    tell(0, "measuring")
    log.hold_columns()
    figures = figures or read_figures(log, metrics)
    summary = figures.summary
    tell(1, "comparing")
    material = read_material(directory, log, summary, (), most_rows, fidelity, truth, figures.outcomes)
    report.write_report(
        directory,
        log,
        summary,
        material,
        lambda done, total: tell(2 + round((_PARTS - 2) * done / total), "drawing"),
    )
    files.write_json(directory / files.SUMMARY_NAME, summary.as_dict())
    return Measured(summary, material.answer)
