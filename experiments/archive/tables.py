"""Tables that commands write where their user says: CSV or Parquet, by the name of the file."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from groundlings.environments.errors import ConfigError
from groundlings.experiments.archive.directory import write_bytes, write_text

if TYPE_CHECKING:
    import pandas as pd


class _Written(Protocol):
    def write(self, text: str, /) -> int: ...


class LineFeeds:
    """What a writer of the module `csv` writes into, so that lines end with a line feed and every cell reads back.

    Only a writer whose lines end with both signs quotes a carriage return in a cell (before Python 3.13), which every
    reader takes for the end of a line.

    Args:
        file: Is written with line feeds.
    """

    def __init__(self, file: _Written) -> None:
        self._file = file

    def write(self, line: str) -> int:
        """Write one line, as it comes from `csv`."""
        return self._file.write(f"{line.removesuffix(csv.excel.lineterminator)}\n")


def as_csv(frame: pd.DataFrame) -> str:
    """A table as CSV with a header and without row numbers; cells are quoted where they must be."""
    text = StringIO(newline="")
    file: Any = LineFeeds(text)  # pandas declares more of a file than it uses
    frame.to_csv(file, index=False, lineterminator=csv.excel.lineterminator)
    return text.getvalue()


def check_place_of_table(path: Path, option: str) -> None:
    """Return if a table can be written to a path; called before anything is computed for it.

    Raises:
        ConfigError: The name says neither format, or there is no directory to write into.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigError(f"{option}: found {path}; expected a name that ends in .csv or .parquet")
    check_place(path, option)


def check_place(path: Path, option: str) -> None:
    """Return if a file can be written to a path, as far as one can see.

    Raises:
        ConfigError: It is a directory, or there is none to write into.
    """
    if path.is_dir():
        raise ConfigError(f"{option}: {path} is a directory; expected the name of a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{option}: there is no directory {path.parent}; make it, or name another file")


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table whole or not at all, in the format that its name says.

    Raises:
        RunDirectoryError: It cannot be written.
    """
    if path.suffix.lower() == ".csv":
        write_text(path, as_csv(frame))
        return
    content = BytesIO()
    frame.to_parquet(content, index=False)
    write_bytes(path, content.getvalue())
