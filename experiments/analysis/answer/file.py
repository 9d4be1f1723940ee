"""`answer.json`: the answer beside the report, for lists of runs and the web app.

It carries the seals of the manifests it was made of, and a hash over all it says: an answer that was edited, comes from
another run, or was made before the run went on is not shown. As with the seals of a log, the hash shows accidents and
edits; it is no signature.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.answer.values import Answer
from groundlings.experiments.archive import directory as files
from groundlings.experiments.archive.cells import has_cells, has_log
from groundlings.simulator.log.manifest_seal import SEAL, hash_without_seal, with_seal

MADE_OF = "made_of"
"""The answer's key for the seals of the manifests it was made of: one of a run, in a matrix that of each cell."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What `answer.json` of a run tells.

    Attributes:
        values: Keys as of `Answer.as_dict`; empty where there is no answer that can be shown.
        fault: Why an answer that lies there is not shown, and what to do; "" where there is none or it is shown.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


def write_answer(directory: Path, answer: Answer) -> None:
    """Write the answer of a run.

    Raises:
        RunDirectoryError: The directory cannot be written.
    """
    files.write_json(directory / files.ANSWER_NAME, sealed(directory, answer.as_dict()))


def sealed(directory: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer says, with what it was made of and its seal."""
    return with_seal({**told, MADE_OF: _seals(directory)})


def read_answer(directory: Path) -> StoredAnswer:
    """What `answer.json` of a run holds, if it is as it was written and of this run as it stands."""
    path = directory / files.ANSWER_NAME
    if not path.is_file():
        return StoredAnswer()
    found = _content(path)
    if found is None:
        fault = "cannot be read"
    elif SEAL not in found:
        fault = "has no seal"
    elif found[SEAL] != hash_without_seal(found):
        fault = "was changed after it was written"
    elif found.get(MADE_OF) != _seals(directory):
        fault = "was not made of this run as it stands"
    else:
        return StoredAnswer(found)
    again = f"groundlings report {shlex.quote(str(directory))}"
    return StoredAnswer(fault=f"{files.ANSWER_NAME} {fault}; write it anew with `{again}`")


def _content(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(bounded_text(path, regular=True))
        return found if isinstance(found, dict) else None
    except (OSError, ValueError, RecursionError):
        return None


def _seals(directory: Path) -> list[Any] | None:
    """Of the manifests of a run, or of all cells of a matrix by name; None for one that has none, or cannot be read."""
    try:
        # Not as the file of the matrix names them: reading that takes longer than all else a list of runs asks.
        cells = sorted(filter(has_log, (directory / files.CELLS).iterdir())) if has_cells(directory) else [directory]
        return [files.read_manifest(run).get(SEAL) for run in cells]
    except (OSError, RunDirectoryError):
        return None
