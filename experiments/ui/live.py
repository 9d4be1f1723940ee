"""The live page of a run: progress, cost and effects so far, without slowing the run down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from groundlings.environments.errors import GroundlingsError
from groundlings.experiments.analysis.live_effects import LiveEffects, LiveFigures
from groundlings.experiments.running.events import BETWEEN_ARMS
from groundlings.experiments.running.live_file import LiveState, Stage
from groundlings.simulator.interventions import in_words
from groundlings.simulator.log.reader import LogReader

AT_MOST = 0.02
"""Share of the time for which a log is read: a look that takes a second is followed by none for 50."""

_KEPT = 20

FAULTS_OF_A_LOG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a log of somebody else's can raise that holds other types or other JSON than ours do."""


@dataclass(frozen=True, slots=True)
class LiveView:
    """What a live page shows.

    Attributes:
        figures: What the log told at the last look; None before the first.
        looked_ago: How long ago that was, in seconds.
        problem: Why nothing can be read, "" where it can.
        changes: What was changed in its arms, or is to be, in words.
        arms: Names of the arms in which people have sessions.
    """

    figures: LiveFigures | None
    looked_ago: float | None
    problem: str
    changes: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()

    def changeable(self, state: LiveState | None, cell: str) -> tuple[str, ...]:
        """The arms that have days to come, by what the run says of itself.

        Args:
            state: What it says.
            cell: The name of the run's directory; the command that makes a matrix names its arms with it.
        """
        stages = () if state is None else state.stages[:-1]
        over = {name for stage in stages for name in self._together(stage, cell)}
        return tuple(arm for arm in self.arms if arm not in over)

    def several(self, stage: Stage, cell: str) -> bool:
        """Whether several arms are simulated together in a stage; arguments as of `changeable`."""
        return len(self._together(stage, cell)) > 1

    def _together(self, stage: Stage, cell: str) -> Sequence[str]:
        """The arms that a stage names side by side: names may hold a comma, so that none can be cut out of it."""
        places = range(len(self.arms))
        parts = [self.arms[first : last + 1] for first in places for last in places[first:]]
        named = {BETWEEN_ARMS.join(part): part for part in parts}
        of_cell = (part for name, part in named.items() if stage.arms.endswith(f" {cell}: {name}"))
        return named.get(stage.arms) or next(of_cell, ())


@dataclass(slots=True)
class _Watched:
    """One run between looks."""

    effects: LiveEffects = field(default_factory=LiveEffects)
    figures: LiveFigures | None = None
    looked_at: float | None = None
    took: float = 0.0
    problem: str = ""
    changes: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    lock: Lock = field(default_factory=Lock)


class LiveRuns:
    """Looks into the logs of running runs; however many pages ask, each log is read once in a while."""

    def __init__(self) -> None:
        self._watched: dict[Path, _Watched] = {}
        self._lock = Lock()

    def view(self, directory: Path) -> LiveView:
        """The run as far as it is."""
        with self._lock:
            watched = self._watched.pop(directory, _Watched())
            self._watched[directory] = watched  # at the end: the one that was looked at least goes first
            while len(self._watched) > _KEPT:
                del self._watched[next(iter(self._watched))]
        # Whoever comes while another page looks gets the figures before.
        if watched.lock.acquire(blocking=False):
            try:
                _look(directory, watched)
            finally:
                watched.lock.release()
        looked_at = watched.looked_at
        ago = None if looked_at is None else time.monotonic() - looked_at
        return LiveView(watched.figures, ago, watched.problem, watched.changes, watched.arms)


def _look(directory: Path, watched: _Watched) -> None:
    began = time.monotonic()  # whose clock nobody sets back
    if watched.looked_at is not None and began - watched.looked_at < watched.took / AT_MOST:
        return
    try:
        with LogReader(directory) as log:
            watched.figures, watched.problem = watched.effects.look(log), ""
            watched.changes = tuple(in_words(log.logged_interventions()))
            watched.arms = tuple(arm.name for arm in log.visited_arms())
    except GroundlingsError as fault:
        watched.problem = str(fault)
    except FAULTS_OF_A_LOG as fault:
        watched.problem = f"the log holds what no run writes ({type(fault).__name__}: {fault})"
        watched.figures, watched.effects = None, LiveEffects()
    watched.looked_at = time.monotonic()
    watched.took = watched.looked_at - began
