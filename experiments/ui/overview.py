"""What the index says of each run: read from small files beside the log, and again only when these have changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.errors import GroundlingsError
from groundlings.experiments.analysis.answer.file import read_answer
from groundlings.experiments.analysis.report.formatting import signed
from groundlings.experiments.archive.directory import ANSWER_NAME, MANIFEST_NAME, REPORT_NAME
from groundlings.experiments.archive.inventory import UNREADABLE
from groundlings.experiments.running.live_file import LiveState, read_live
from groundlings.experiments.ui.run_shelf import ShelvedRun, shelved_runs
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

_WATCHED = (LOG_NAME, f"{LOG_NAME}-wal", ANSWER_NAME, MANIFEST_NAME, REPORT_NAME)
_COLOURS = ("good", "warn", "bad", "unknown")
_LIGHTS = 3
_LEAST_FIRST = ("running", UNREADABLE, "failed", "killed", "interrupted", "done")
"""Of the states of replicates the one that counts for all of them."""

_LARGEST = 1e15
_MOST = 2_000
"""Characters of a text that the index shows at most."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the index.

    Attributes:
        run: Where it lies.
        experiment: The name in its file.
        status: running, done, interrupted, failed, killed (it says that it is running, and its process is gone),
            unreadable.
        question: What was asked; "" in a run without an answer.
        sentence: The answer in one sentence; "" likewise, and why there is none of an unreadable run, or none to
            believe.
        winner: The recommender in front; "" where none is.
        lift: How far, with its interval, in words; "" likewise.
        lights: Colour and words of each of the three lights.
        started: Wall clock, UTC, to the minute; "" where it is not known.
        took: How long it was simulated; "" where that is not known.
        live: What it says of itself while it runs.
        has_report: Whether its report lies there.
    """

    run: ShelvedRun
    experiment: str
    status: str
    question: str = ""
    sentence: str = ""
    winner: str = ""
    lift: str = ""
    lights: tuple[tuple[str, str], ...] = ()
    started: str = ""
    took: str = ""
    live: LiveState | None = None
    has_report: bool = False


class Overview:
    """The rows of the index.

    Args:
        root: The directory that holds the runs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept: dict[str, tuple[tuple[float, ...], RunRow]] = {}

    def rows(self) -> list[RunRow]:
        """All runs, the latest first; those that are running before all others, and a matrix above its replicates."""
        together: dict[Path, list[RunRow]] = {}
        matrices: dict[Path, ShelvedRun] = {}
        for run in shelved_runs(self.root):
            if run.is_matrix:
                matrices[run.whole] = run
            else:
                # Replicates without a page of all of them stand for themselves.
                together.setdefault(run.whole if run.whole in matrices else run.directory, []).append(self.row(run))
        groups = list(together.values())
        groups.sort(key=lambda rows: max(row.started for row in rows), reverse=True)
        groups.sort(key=lambda rows: all(row.status != "running" for row in rows))
        found = []
        for rows in groups:
            matrix = matrices.get(rows[0].run.whole)
            found += rows if matrix is None else [_row_of_all(matrix, rows), *rows]
        return found

    def row(self, run: ShelvedRun) -> RunRow:
        """What is known of one run."""
        changed = tuple(_changed(run.directory / name) for name in _WATCHED)
        kept = self._kept.get(run.key)
        row = kept[1] if kept is not None and kept[0] == changed else _read(run)
        # A log on a server changes without any file here, and a server that is away comes back.
        if row.status == "done":
            self._kept[run.key] = (changed, row)
        live = read_live(run.whole)
        if row.status != "running":
            return row
        if live is not None and live.alive:
            return replace(row, live=live)
        # A run that Python started writes no such file: nobody knows whether it still goes.
        return row if live is None else replace(row, status="killed")


def _read(run: ShelvedRun) -> RunRow:
    try:
        with LogReader(run.directory) as log:
            about = log.run()
    except GroundlingsError as fault:
        return RunRow(run, run.name, UNREADABLE, sentence=str(fault)[:_MOST])
    row = RunRow(
        run=run,
        experiment=str(about["experiment"])[:_MOST],
        status=str(about["status"])[:_MOST],
        started=_minute(about["started_at"]),
        took=_took(_content(run.directory / MANIFEST_NAME)),
        has_report=(run.directory / REPORT_NAME).is_file(),
    )
    return _with_answer(row)


def _row_of_all(matrix: ShelvedRun, rows: Sequence[RunRow]) -> RunRow:
    """A matrix in the index: what all of its replicates answer together, and as far as the least of them is."""
    states = {row.status for row in rows}
    row = RunRow(
        run=matrix,
        experiment=next((row.experiment for row in rows if row.status != UNREADABLE), matrix.name),
        status=next((status for status in _LEAST_FIRST if status in states), rows[0].status),
        started=min((row.started for row in rows if row.started), default=""),
        live=next((row.live for row in rows if row.live is not None), None),
        has_report=True,
    )
    return _with_answer(row)


def _with_answer(row: RunRow) -> RunRow:
    answer = read_answer(row.run.directory)
    told = answer.values
    return replace(
        row,
        question=_text(told.get("question")),
        sentence=_text(told.get("sentence") or answer.fault),
        winner=_text(told.get("winner")),
        lift=_lift(told.get("lift")),
        lights=_lights(told.get("lights")),
    )


def _content(path: Path) -> Mapping[str, Any]:
    """A JSON object that lies beside a log; empty where there is none that can be read."""
    try:
        found = json.loads(bounded_text(path, regular=True))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _took(manifest: Mapping[str, Any]) -> str:
    seconds = manifest.get("seconds")
    simulate = seconds.get("simulate") if isinstance(seconds, dict) else None
    return f"{simulate:,.0f} s" if _is_figure(simulate) and simulate >= 0 else ""


def _lift(told: object) -> str:
    """A size as it stands in `answer.json`, in words."""
    if not isinstance(told, dict):
        return ""
    given = [told.get(name) for name in ("value", "low", "high")]
    found = [float(each) for each in given if _is_figure(each)]
    if len(found) < len(given):
        return ""
    unit, factor, decimals = (" %", 100, 0) if told.get("percent") else ("", 1, 2)
    value, low, high = (signed(factor * each, decimals) for each in found)
    return f"{value}{unit} [{low}, {high}]"


def _lights(told: object) -> tuple[tuple[str, str], ...]:
    lights = told if isinstance(told, list) else []
    named = [light for light in lights[:_LIGHTS] if isinstance(light, dict) and light.get("state") in _COLOURS]
    return tuple((light["state"], f"{_text(light.get('name'))}: {_text(light.get('words'))}") for light in named)


def _minute(stamp: object) -> str:
    try:
        return datetime.fromisoformat(str(stamp)).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return ""


def _is_figure(value: object) -> TypeGuard[float]:
    """Whether a value of a file that may be a stranger's is a number that can be shown."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST


def _text(value: object) -> str:
    return value[:_MOST] if isinstance(value, str) else ""


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
