"""One run into one format, with its datasheet, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from groundlings.experiments.archive.integrity import reading
from groundlings.experiments.exports.datasheet import write_datasheet
from groundlings.experiments.exports.folders import check_free, new_directory
from groundlings.experiments.exports.formulas import formula_notes
from groundlings.experiments.exports.registry import Format, Written, find_format
from groundlings.experiments.exports.source import LogSource


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export: where it lies, and what is in it."""

    directory: Path
    written: Written


def check_export(format_name: str, out: Path) -> None:
    """Return if an export could begin; for callers who first have something long to do.

    Raises:
        UserError: There is no such format, or something lies at `out`.
    """
    find_format(format_name)
    check_free(out)


def export_run(run: Path, format_name: str, out: Path, *, partial: bool = False) -> Exported:
    """Write the log of a run in another format.

    Args:
        run: A run directory, or a log.
        format_name: One of `registry.available_formats()`, or `module:Class`.
        out: The new directory.
        partial: Whether a run that did not finish will do.

    Raises:
        ConfigError: There is no such format.
        RunDirectoryError: There is no such run, or `out` is taken or cannot be written.
        DataError: The log holds something that the format cannot carry.
    """
    return export_in(find_format(format_name), run, out, partial=partial)


def export_in(chosen: Format, run: Path, out: Path, *, partial: bool = False) -> Exported:
    """As `export_run`, in a format that was found already."""
    check_free(out)
    with reading(run), LogSource(run, partial=partial) as source, new_directory(out) as draft:
        written = chosen.write(source, draft)
        written = replace(written, notes=(*written.notes, *formula_notes(draft)))
        write_datasheet(source, chosen, written, draft)
    return Exported(out, written)
