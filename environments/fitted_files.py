"""Reading a JSON file that a command of ours fitted and a person may have changed, moved or taken for another."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import ConfigError, DataError, expectation

Content = TypeVar("Content", bound=BaseModel)


def read_fitted(path: Path, content: type[Content], *, what: str, file: str, command: str) -> Content:
    """The checked content of a file.

    Args:
        path: The file.
        content: Of what form it is.
        what: Names what is in it, for messages, such as "the calibration".
        file: Names the file, such as "a calibration file".
        command: Makes such a file.

    Raises:
        ConfigError: There is no such file.
        DataError: It is none of ours, or damaged.
    """
    try:
        text = bounded_text(path)
    except OSError as fault:
        raise ConfigError(f"{path}: {what} cannot be read ({fault.strerror})") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not {file}: not UTF-8 text") from None
    except ValueError as fault:
        raise DataError(f"{path}: not {file}: {fault}") from None
    try:
        return content.model_validate_json(text)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        told = expectation(first["msg"])
        raise DataError(f"{path}: not {file} of this version: {where}: {told}; make one with `{command}`") from None
