"""How many rows of a large table a log can have at most, by what its own run was asked to do."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.parts import RESTORE, Part

_UNASKED_ROWS = 2_000_000
"""Of a table with fewer rows nothing is asked: they are read in a second."""

_MOST_VISITS = 24
"""Sessions of a person and day, where returns let them come back on the same day."""

MOST_SLOTS = 100_000
"""Of a session in an environment that does not say how many it has: the most that a site may have."""

_KINDS_OF_EVENTS = 64
"""Events of a slot: more kinds of them than any environment has."""


def refuse_too_many(directory: Path, index: sqlite3.Connection, known: Sequence[Part]) -> None:
    """Return where parts list no more rows than the run could have written; small ones may claim much together.

    Args:
        directory: The run's.
        index: Its `log.db`.
        known: The parts that it lists.

    Raises:
        RunDirectoryError: They list more, or the run's configuration does not say how many it could have written.
    """
    listed: Counter[str] = Counter()
    for part in known:
        listed[part.name] += max(0, part.rows)
    large = {name: rows for name, rows in listed.items() if rows > _UNASKED_ROWS}
    if not large:
        return
    most = _most_rows(directory, index)
    for name, rows in large.items():
        if rows > most.get(name, rows):
            raise RunDirectoryError(
                f"{directory}: the list of parts has {rows:,} rows of {name}, expected at most {most[name]:,} of a run "
                f"with these arms, agents, days and slots; nothing of it was read; {RESTORE}"
            )


def _most_rows(directory: Path, index: sqlite3.Connection) -> dict[str, int]:
    """Rows of each large table at most: each person comes every day in every arm, and sees every page."""
    (arms,), (agents,) = (index.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("arms", "agents"))
    try:
        (written,) = index.execute("SELECT config FROM runs").fetchone()
        config = json.loads(written)
        days = _count(config["simulation"]["days"])
        slots = _slots(config.get("site") if config.get("environment") is None else None)
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
        raise RunDirectoryError(
            f"{directory}: the run's configuration does not say how many days and slots it has; {RESTORE}"
        ) from None
    visits = _MOST_VISITS if (config["simulation"].get("returns") or {}) else 1
    sessions = arms * agents * days * visits
    return {
        "sessions": sessions,
        "impressions": sessions * slots,
        "events": sessions * slots * _KINDS_OF_EVENTS,
    }


def _slots(site: Any) -> int:
    """Slots of a session at most."""
    if site is None or site.get("page_size") is None:
        return MOST_SLOTS
    return _count(site["page_size"]) * _count(site["max_pages"])


def _count(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(value)
    return value
