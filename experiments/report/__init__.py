"""What a run found, for people: a page to read, pictures to show and a table for the terminal."""

from experiments.report.page import write_report
from experiments.report.terminal import render_summary_table

__all__ = ["render_summary_table", "write_report"]
