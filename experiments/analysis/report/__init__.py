"""What a run found, for people: a page to read, pictures to show and a table for the terminal."""

from groundlings.experiments.analysis.report.page import write_report
from groundlings.experiments.analysis.report.terminal import render_summary_table

__all__ = ["render_summary_table", "write_report"]
