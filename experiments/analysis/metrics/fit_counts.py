"""What the recommenders of a run counted of their first fit, as `fitted.json` beside its log holds it.

It is written arm by arm, right after the fit: only then is a fitted recommender at hand, and a run that is resumed does
not fit for days that its log holds.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.archive.directory import FITTED_NAME, read_manifest, write_json
from groundlings.recommenders.fit_counts import FitCounts

if TYPE_CHECKING:
    from groundlings.simulator.log.reader import LogReader

FITTED_HASH = "fitted_sha256"
"""The manifest's key for the SHA-256 of `fitted.json`; the log seals the manifest."""

ByArm = Mapping[str, tuple[FitCounts, ...]]
"""Arm -> counts of its recommender and of those inside of it; arms that count nothing are absent."""


def add_fit_counts(directory: Path, arm: str, found: tuple[FitCounts, ...]) -> None:
    """Write what an arm's recommender counts into a run's directory, in place of what was there of this arm.

    Raises:
        RunDirectoryError: The directory cannot be written, or what is there is damaged.
    """
    if found:
        known = {**_read(directory / FITTED_NAME), arm: found}
        write_json(directory / FITTED_NAME, {name: [asdict(each) for each in counts] for name, counts in known.items()})


def fit_counts_hash(directory: Path) -> dict[str, Any]:
    """What the manifest says of the file; {} where there is none."""
    path = directory / FITTED_NAME
    return {FITTED_HASH: hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}


def read_fit_counts(log: LogReader) -> ByArm:
    """What lies beside a log.

    Raises:
        RunDirectoryError: The file is damaged, or is not the one that the manifest speaks of.
    """
    if log.directory is None:
        return {}
    found, known = _read(log.directory / FITTED_NAME), read_manifest(log.directory).get(FITTED_HASH)
    if known is not None and fit_counts_hash(log.directory).get(FITTED_HASH) != known:
        raise RunDirectoryError(
            f"{log.directory / FITTED_NAME}: it was changed or removed after the run wrote it, and nothing that is "
            "left of the run can tell it again; restore it from a copy"
        )
    return found


@functools.cache
def _reader() -> TypeAdapter[dict[str, tuple[FitCounts, ...]]]:
    """Made once: that takes longer than reading a file."""
    return TypeAdapter(dict[str, tuple[FitCounts, ...]])


def _read(path: Path) -> ByArm:
    if not path.is_file():
        return {}
    try:
        return _reader().validate_python(json.loads(bounded_text(path, regular=True)))
    except (OSError, ValueError, ConfigError, RecursionError) as fault:
        said = f"{fault.error_count()} values do not fit" if isinstance(fault, ValidationError) else str(fault)
        raise RunDirectoryError(
            f"{path}: cannot be read as what recommenders counted of their fit ({said}); restore it from a copy"
        ) from None
