"""What a command says of a table that it has written, where a spreadsheet would compute some of its cells."""

from __future__ import annotations

from pathlib import Path

from groundlings.experiments.exports.formulas import formula_note
from groundlings.experiments.terminal import Terminal, escape


def tell_formulas(path: Path, console: Terminal) -> None:
    """Say how many cells of a file begin like a formula; nothing where none does, or it is no CSV."""
    if path.suffix.lower() == ".csv" and (note := formula_note(path, path.name)):
        console.print(f"note     {escape(note)}", soft_wrap=True)
