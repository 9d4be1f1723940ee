"""Reading a run whose files may be damaged: damage is reported, and nothing is repaired."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import GroundlingsError, RunDirectoryError, RunWarning, UnknownTables
from groundlings.experiments.archive.directory import MANIFEST_NAME
from groundlings.experiments.archive.strangers import strange
from groundlings.simulator.log.digest_version import shortened
from groundlings.simulator.log.integrity import examine
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import named_faults, store_at


@contextmanager
def reading(*runs: Path) -> Iterator[None]:
    """Translate database errors of a corrupt log into `RunDirectoryError`; re-raise bugs unchanged.

    Nothing is checked until something fails: then the whole log is, which takes a while for a large one.

    Args:
        runs: Run directories, or logs; of somebody else's, the reader is warned.

    Raises:
        RunDirectoryError: The log holds what no run writes, or not what its run has written.
    """
    for run in runs:
        why = strange(run)
        if why is not None:
            warnings.warn(
                f"{run}: {why}; its log is only read, and it is neither resumed nor deleted", RunWarning, stacklevel=3
            )
    try:
        with named_faults(store_at(runs[0])):
            yield
    except UnknownTables as fault:
        for run in runs:
            if damage := _damage(run):
                raise _damaged(run, damage) from fault
        raise
    except GroundlingsError:
        raise
    except Exception as fault:
        for run in runs:
            damage = _damage(run)
            if damage is not None:
                raise _damaged(run, damage) from fault
            if changes := _changes(run):
                raise RunDirectoryError(
                    f"{store_at(run)}: the log cannot be read ({type(fault).__name__}: {fault}), and is not as it was "
                    f"written: {changes}; restore it from a copy"
                ) from fault
        raise


def _damaged(run: Path, damage: str) -> RunDirectoryError:
    return RunDirectoryError(
        f"{store_at(run)}: the log is damaged: {damage}; it was left as it is, restore it from a copy"
    )


def _damage(run: Path) -> str | None:
    """What is wrong with a log; of a finished run also that it is not the one that its manifest speaks of."""
    damage, found = examine(store_at(run))
    written = _written(run)
    if damage is not None or found is None or written in (None, found):
        return damage
    return f"its digest is {shortened(found)}..., and {MANIFEST_NAME} says {shortened(written)}..."


def _changes(run: Path) -> str:
    """What the seals of a log say of edits, "" where they say nothing."""
    try:
        with LogReader(run) as log:
            return "; ".join(log.check_seals(None).faults)
    except Exception:  # whatever keeps the seals from being read, it says nothing of edits
        return ""


def _written(run: Path) -> str | None:
    """The digest in a run's manifest, None where none can be read."""
    try:
        return str(json.loads(bounded_text(run / MANIFEST_NAME, regular=True))["digest"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
