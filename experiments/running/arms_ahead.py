"""Arms that other processes simulate while this one simulates those before them.

Arms that learn from their own agents alone do not depend on each other. Where their sessions are too few to share out
among workers, the next arms are simulated from their first day to their last by forked processes, one each, as many as
there are cores: this process waits for them more than it computes. What they would have written comes back whole and is
written here, arm after arm: the log says the same in the same order. Nothing depends on these processes: an arm that
none hands back is simulated here.

It is done only for agents and recommenders of Groundlings that ask nobody, and where nothing is to change in an arm:
they keep no connections, and leave nothing behind but their sessions and figures that are kept for other runs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from groundlings.environments.cores import usable_cores
from groundlings.environments.social_turns import site_alone
from groundlings.experiments.running.arm_minds import estimates_taste
from groundlings.experiments.running.event_loop import ctrl_c_at_once
from groundlings.recommenders.agent_notes import noting_part
from groundlings.recommenders.fit_counts import CountsItsFit
from groundlings.recommenders.registry import parts_of
from groundlings.simulator.arm import Arm
from groundlings.simulator.engines.beside import Beside
from groundlings.simulator.engines.engine import may_wait, not_ours
from groundlings.simulator.engines.worker import ended
from groundlings.simulator.log.writer import LogWriter
from groundlings.simulator.session import CohortRecord
from groundlings.simulator.sessions_written import WrittenSessions

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

FEWEST_SESSIONS, MOST_SESSIONS = 1_000, 20_000
"""Of an arm: fewer are over before a process has begun, and more take too much memory on their way."""

Lived: TypeAlias = list[tuple[CohortRecord, dict[str, Any], WrittenSessions]]
"""What an arm hands to its log, cohort by cohort: the sessions, whose they are and when, and what is told of them."""


class ArmsAhead:
    """See the module; use it as a context manager, which ends all processes.

    Args:
        plan: What is simulated.
        live: Simulates all days of some arms; what is to be logged goes into the notebook.
        wanted: Whether anything may be simulated ahead.
    """

    def __init__(
        self, plan: Plan, live: Callable[[Sequence[Arm], Notebook], Coroutine[Any, Any, None]], *, wanted: bool
    ) -> None:
        self._live = live
        sessions = len(plan.population) * plan.schedule.likely_sessions
        alone = plan.execution.engine == "process" and plan.config.execution.engine == "auto"
        kept = plan.config.exposures is None and estimates_taste(plan)
        fits = FEWEST_SESSIONS <= sessions <= MOST_SESSIONS
        self._processes = usable_cores() if wanted and alone and kept and fits else 0
        self._begun: dict[str, Beside[Lived]] = {}

    def __enter__(self) -> ArmsAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._begun.values():
            process.__exit__(kind, error, trace)

    def begin(self, stages: Sequence[Sequence[Arm]]) -> None:
        """Have the next stages simulated, where they are not yet and may be; each is arms that share a log."""
        for arms in stages[: self._processes]:
            if arms[0].name not in self._begun and all(map(_leaves_nothing_behind, arms)):
                self._begun[arms[0].name] = Beside(partial(_lived, self._live, arms))

    def take(self, arms: Sequence[Arm]) -> Lived | None:
        """What a process has made of a stage, waiting for it; None where it is still to be simulated."""
        process = self._begun.pop(arms[0].name, None)
        if process is None:
            return None
        with process, ctrl_c_at_once():
            return process.handed_back()


class Notebook:
    """What arms take for their log in a process of their own, and for who watches.

    Attributes:
        lived: Everything that they said.
    """

    def __init__(self) -> None:
        self.lived: Lived = []
        self._last: tuple[CohortRecord, dict[str, Any]]

    def write(self, sessions: CohortRecord, **where: Any) -> None:
        """See `LogWriter.write`."""
        self._last = sessions, where

    def told(self, written: WrittenSessions) -> None:
        """What an arm says of the sessions that it has just written."""
        self.lived.append((*self._last, written))

    def flush(self) -> None:
        """Nothing waits."""


def write(lived: Lived, log: LogWriter, on_sessions: Callable[[WrittenSessions], None]) -> None:
    """Write into the log, and tell, what a process has handed back."""
    for sessions, where, written in lived:
        log.write(sessions, **where)
        on_sessions(written)
    log.flush()


def _lived(live: Callable[[Sequence[Arm], Notebook], Coroutine[Any, Any, None]], arms: Sequence[Arm]) -> Lived:
    notes = Notebook()
    ended(live(arms, notes))
    return notes.lived


def _leaves_nothing_behind(arm: Arm) -> bool:
    """Whether an arm waits for nobody, and writes nothing beside its log."""
    parts = parts_of(arm.recommender)
    writes = noting_part(arm.recommender) is not None or any(isinstance(part, CountsItsFit) for part in parts)
    return not writes and not may_wait(arm.recommender) and not_ours([*parts, site_alone(arm.environment)]) is None
