"""From the log of a run to the figures and the page beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from groundlings.experiments.analysis.metrics import Metric, Summary, summarise
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.log_check import SOME_ROWS
from groundlings.simulator.log.reader import LogReader


def measure(
    directory: Path,
    log: LogReader,
    variants: Sequence[LogReader] = (),
    metrics: Sequence[Metric] | None = None,
    most_rows: int | None = SOME_ROWS,
    fidelity: Path | None = None,
    truth: Path | None = None,
) -> Summary:
    """Recompute summary and report of a run from what lies in its directory: the log, and the manifest beside it.

    Args:
        directory: The run's.
        log: Its log.
        variants: Logs of the same experiment with other prompts, models or seeds, for the report's verdict.
        metrics: What is measured; what the run's experiment file names if absent.
        most_rows: About how many rows are read to see whether the log is as it was written; all where it is None.
        fidelity, truth: Files of the labs, where they do not lie beside the run.
    """
    from groundlings.experiments.analysis.report import write_report

    summary = summarise(log, metrics)
    write_report(directory, log, summary, variants, most_rows, fidelity, truth)
    files.write_json(directory / files.SUMMARY_NAME, summary.as_dict())
    return summary
