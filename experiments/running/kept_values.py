"""Values that are kept in the cache as JSON: a file that was damaged or edited counts as none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import write_text
from groundlings.simulator.log.manifest_seal import SEAL, hash_without_seal, with_seal


def read_kept(path: Path) -> dict[str, Any]:
    """What a file keeps.

    Raises:
        OSError: It cannot be read.
        ValueError, TypeError, AttributeError, RecursionError: It is not as it was written.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.get(SEAL) != hash_without_seal(content):
        raise ValueError("not as it was written")
    return {name: value for name, value in content.items() if name != SEAL}


def write_kept(path: Path, content: Mapping[str, Any]) -> None:
    """Keep values for another run; where the cache cannot be written, they are made again next time."""
    with suppress(OSError, RunDirectoryError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(with_seal(content)))
