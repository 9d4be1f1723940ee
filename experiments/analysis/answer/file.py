"""`answer.json`: the answer beside the report, for lists of runs and the web app."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groundlings.environments.bounded_files import bounded_text
from groundlings.experiments.analysis.answer.values import Answer
from groundlings.experiments.archive import directory as files


def write_answer(directory: Path, answer: Answer) -> None:
    """Write the answer of a run.

    Raises:
        RunDirectoryError: The directory cannot be written.
    """
    files.write_json(directory / files.ANSWER_NAME, answer.as_dict())


def read_answer(directory: Path) -> Mapping[str, Any] | None:
    """What `answer.json` of a run holds; None where there is none that can be read, as in older runs."""
    try:
        found = json.loads(bounded_text(directory / files.ANSWER_NAME, regular=True))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
