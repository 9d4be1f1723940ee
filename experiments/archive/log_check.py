"""Whether a run is as it was written: the seals of its log, its manifest, and what does not belong into either."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundlings.environments.errors import RunDirectoryError, RunWarning
from groundlings.experiments.archive.directory import MANIFEST_NAME, read_manifest, write_json
from groundlings.simulator.log.manifest_seal import SEAL, hash_without_seal, seal_manifest
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.seal_check import SealReport
from groundlings.simulator.log.store import store_at

SOME_ROWS = 500_000
"""Of a log with more rows than this, blocks are drawn at random: reading these takes about two seconds."""

FEW_ROWS = 20_000
"""As `SOME_ROWS`, where many runs are looked at together."""


@dataclass(frozen=True, slots=True)
class LogCheck:
    """What became of a run since it was written.

    Attributes:
        seals: What the seals of its log say.
        manifest: What is wrong with its manifest, None where nothing is.
        foreign: Triggers, views and tables in the log that no run makes.
    """

    seals: SealReport
    manifest: str | None = None
    foreign: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that is not as it was written."""
        return (*self.seals.faults, *(() if self.manifest is None else (self.manifest,)))

    @property
    def proves_manifest(self) -> bool:
        """Whether what the manifest says of the log still holds, as far as was looked."""
        return self.seals.sealed and not self.faults

    def __str__(self) -> str:
        seals = self.seals
        if self.faults:
            return "; ".join(self.faults)
        if not seals.sealed:
            return "not sealed (written by an earlier version)"
        if seals.blocks_read == seals.blocks:
            return f"as it was written (all {seals.rows:,} rows were read)"
        if not seals.blocks_read:
            return f"sealed as it was written ({seals.rows:,} rows, none of them read again)"
        return (
            f"as it was written, as far as was looked: {seals.blocks_read} of {seals.blocks} blocks of rows, drawn at "
            f"random, so an edit in one block is noticed with a chance of {100 * seals.chance:.0f} %; "
            "`groundlings digest` reads all"
        )


def check_log(
    directory: Path | None, log: LogReader, most_rows: int | None = SOME_ROWS, seals: SealReport | None = None
) -> LogCheck:
    """Look whether a run is as it was written, and warn of what does not belong into its log or is missing beside it.

    Args:
        directory: The run's, for its manifest; None where only the log is of interest.
        log: Its log.
        most_rows: About how many rows are read; all without it.
        seals: What the seals say, where that is known; they are checked if absent.

    Raises:
        RunDirectoryError: The log cannot be read.
    """
    foreign = log.foreign()
    if foreign:
        warnings.warn(
            f"{log}: found {', '.join(foreign)}, which no run of Groundlings makes; the log is only read",
            RunWarning,
            stacklevel=2,
        )
    seals = log.check_seals(most_rows) if seals is None else seals
    if directory is None or not directory.is_dir():
        return LogCheck(seals, None, foreign)
    if seals.manifests and not (directory / MANIFEST_NAME).is_file():
        warnings.warn(
            f"{directory}: {MANIFEST_NAME}, which was written when the run ended, is missing; restore it from a copy, "
            f"or write it anew with `groundlings run --resume {shlex.quote(str(directory))}`",
            RunWarning,
            stacklevel=2,
        )
    return LogCheck(seals, next(_manifest_faults(directory, seals), None), foreign)


def refuse_changed_manifest(directory: Path) -> None:
    """Return where the log of a run vouches for the manifest beside it, or there is none.

    A run that goes on has another one written over it, and with it what it tells of the log would be gone.

    Raises:
        RunDirectoryError: It was changed, or the log was.
    """
    if not (directory / MANIFEST_NAME).is_file():
        return
    try:
        with LogReader(directory) as log:
            seals = log.check_seals(0)
    except RunDirectoryError:
        return  # whoever writes the log refuses it in words of its own
    if seals.faults:
        return  # whoever writes the log looks at all of it, and refuses it in the words of its seals
    try:
        read_manifest(directory)
    except RunDirectoryError:
        if seals.manifests:  # the log is as the last manifest left it, so another says the same
            return
    fault = next(_manifest_faults(directory, seals), None)
    if fault is not None:
        raise RunDirectoryError(f"{directory}: {fault}; nothing was written, restore the run from a copy")


def warn_of_changes(check: LogCheck, where: object) -> None:
    """Warn where a run is not as it was written."""
    if check.faults:
        warnings.warn(f"{where}: {check}", RunWarning, stacklevel=2)


def write_manifest(directory: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest that its log vouches for.

    Raises:
        RunDirectoryError: The log or the directory cannot be written.
    """
    seal = seal_manifest(store_at(directory), content)
    write_json(directory / MANIFEST_NAME, {**content, **({} if seal is None else {SEAL: seal})})


def _manifest_faults(directory: Path, seals: SealReport) -> Iterator[str]:
    try:
        manifest = read_manifest(directory)
    except RunDirectoryError:
        yield f"{MANIFEST_NAME} cannot be read"
        return
    if not (directory / MANIFEST_NAME).is_file():
        return
    seal = manifest.get(SEAL)
    try:
        found = hash_without_seal(manifest)
    except RecursionError:
        yield f"{MANIFEST_NAME} cannot be read"
        return
    if not seals.sealed:
        if seal is not None and not seals.faults:
            yield f"the seals of the log were taken away: {MANIFEST_NAME} holds one"
    elif seal is None:
        yield f"{MANIFEST_NAME} was changed: its seal is missing"
    elif seals.manifests.get(found) != seal:
        known = seal in seals.manifests.values()
        yield f"{MANIFEST_NAME} was changed" if known else f"{MANIFEST_NAME} holds a seal that the log does not know"
