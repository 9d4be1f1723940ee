"""One run into one format, with its datasheet, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.archive.log_check import warn_of_changes
from groundlings.experiments.exports.datasheet import write_datasheet
from groundlings.experiments.exports.folders import check_free, new_directory
from groundlings.experiments.exports.formulas import formula_notes
from groundlings.experiments.exports.registry import Format, Written, find_format
from groundlings.experiments.exports.source import LogSource

if TYPE_CHECKING:
    from groundlings.experiments.exports.quality.measuring import LogQuality


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export.

    Attributes:
        directory: Where it lies.
        written: What is in it.
        quality: What the log is worth; None where it was not measured.
    """

    directory: Path
    written: Written
    quality: LogQuality | None = None


Measure = Callable[[LogSource], "LogQuality | str"]
"""Says what a log is worth, or why that is not measured."""


def check_export(format_name: str, out: Path) -> Format:
    """The format of an export that could begin; for callers who first have something long to do.

    Raises:
        UserError: There is no such format, or something lies at `out`.
    """
    chosen = find_format(format_name)
    check_free(out)
    return chosen


def export_run(
    run: Path, format_name: str, out: Path, *, partial: bool = False, measure: Measure | None = None
) -> Exported:
    """Write the log of a run in another format.

    Args:
        run: A run directory, or a log.
        format_name: One of `registry.available_formats()`, or `module:Class`.
        out: The new directory.
        partial: Whether a run that did not finish will do.
        measure: What is to be said in the datasheet of the worth of the log; nothing where absent.

    Raises:
        ConfigError: There is no such format.
        RunDirectoryError: There is no such run, or `out` is taken or cannot be written.
        DataError: The log holds something that the format cannot carry.
    """
    # Named in full before code of somebody's own is imported: it may change the working directory.
    place, source = (out.absolute(), run.absolute()) if ":" in format_name else (out, run)
    found = export_in(find_format(format_name), source, place, partial=partial, measure=measure)
    return replace(found, directory=out)


def export_in(
    chosen: Format, run: Path, out: Path, *, partial: bool = False, measure: Measure | None = None
) -> Exported:
    """As `export_run`, in a format that was found already."""
    check_free(out)
    with reading(run), LogSource(run, partial=partial) as source, new_directory(out) as draft:
        warn_of_changes(source.changes, run)
        written = chosen.write(source, draft)
        written = replace(written, notes=(*written.notes, *formula_notes(draft)))
        quality = None if measure is None else measure(source)
        write_datasheet(source, chosen, written, draft, quality)
    return Exported(out, written, None if isinstance(quality, str) else quality)
