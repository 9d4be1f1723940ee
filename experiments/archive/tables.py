"""Tables that commands write where their user says: CSV or Parquet, by the name of the file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.environments.errors import ConfigError
from groundlings.experiments.archive.directory import write_bytes, write_text

if TYPE_CHECKING:
    import pandas as pd


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
        write_text(path, frame.to_csv(index=False))
        return
    content = BytesIO()
    frame.to_parquet(content, index=False)
    write_bytes(path, content.getvalue())
