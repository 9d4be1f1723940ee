"""From the log of a run to the figures and the page beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.experiments.analysis.metrics import Summary, summarise
from groundlings.experiments.archive import directory as files

if TYPE_CHECKING:
    from sqlalchemy import Engine


def measure(directory: Path, engine: Engine, variants: Sequence[Engine] = ()) -> Summary:
    """Recompute summary and report of a run from what lies in its directory: the log, and the manifest beside it.

    Args:
        directory: The run's.
        engine: Its log.
        variants: Logs of the same experiment with other prompts, models or seeds, for the report's verdict.
    """
    from groundlings.experiments.analysis.report import write_report

    summary = summarise(engine)
    write_report(directory, engine, summary, variants)
    files.write_json(directory / files.SUMMARY_NAME, summary.as_dict())
    return summary
