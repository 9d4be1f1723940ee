"""Where sessions go: from the first page to the next, and out; per arm, agents as units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.analysis.compare import Difference, Estimate
from groundlings.experiments.analysis.comparison.estimators import Estimator
from groundlings.experiments.analysis.comparison.ratios import ratio_estimate
from groundlings.simulator.log.reader import LogReader

MOST_COLUMNS = 8
"""Pages that are drawn; what happens on later ones is put together with the last."""

LEFT, NO_MORE, LOST = "left", "no more", "lost"


@dataclass(frozen=True, slots=True)
class PageStep:
    """What became of the sessions on one page.

    Attributes:
        page: 1 is the first.
        reached: Share of all sessions that were shown it.
        went_on: Of those that were shown it, the share that went to the next page; None where none was shown it.
        difference: Of `went_on` to the baseline; None for the baseline itself, and where one of the two is not known.
        left, no_more, lost: Share of all sessions that ended here by choice, because there was no further page, and
            because the page is lost.
    """

    page: int
    reached: Estimate
    went_on: Estimate | None
    difference: Difference | None
    left: float
    no_more: float
    lost: float


@dataclass(frozen=True, slots=True)
class PageFlow:
    """The sessions of all arms, page by page.

    Attributes:
        arms: Arm -> pages, page 1 first; an arm without a session has none.
        sessions: Arm -> sessions that were shown something.
        cut: Whether the last page stands for it and all later ones.
    """

    arms: Mapping[str, tuple[PageStep, ...]]
    sessions: Mapping[str, int]
    cut: bool


def measure_flow(log: LogReader, estimator: Estimator) -> PageFlow:
    """The page flow of every arm that was visited.

    Args:
        log: The run's.
        estimator: How two arms are compared.
    """
    frame = log.session_lengths()
    agents = np.array(log.agent_ids(), dtype=np.int64)
    longest = int(frame.pages.max()) if len(frame) else 0
    columns = min(longest, MOST_COLUMNS)
    tables = {}
    for arm in log.visited_arms():
        rows = frame[frame.arm_id == arm.arm_id]
        who = np.asarray(np.searchsorted(agents, rows.agent_id.to_numpy(np.int64)), dtype=np.int64)
        by_choice, no_more = rows.by_choice.to_numpy(np.bool_), rows.no_more.to_numpy(np.bool_)
        tables[arm.name] = _Table(who, rows.pages.to_numpy(np.int64), by_choice, no_more, len(agents))
    base = next(iter(tables.values()), None)
    return PageFlow(
        {
            name: tuple(_step(table, base, page, columns, estimator) for page in range(1, columns + 1))
            if table.n_sessions
            else ()
            for name, table in tables.items()
        },
        {name: table.n_sessions for name, table in tables.items()},
        longest > columns,
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """The sessions of one arm: whose, how many pages, and whether by choice or for want of a further page they ended,
    shape (n_sessions,) each."""

    agents: IntArray
    pages: IntArray
    by_choice: BoolArray
    no_more: BoolArray
    n_agents: int

    @property
    def n_sessions(self) -> int:
        return len(self.pages)

    def by_agent(self, which: BoolArray) -> FloatArray:
        """How many of these sessions each agent has, shape (n_agents,)."""
        return np.bincount(self.agents, weights=which, minlength=self.n_agents).astype(np.float64)


def _step(table: _Table, base: _Table | None, page: int, columns: int, estimator: Estimator) -> PageStep:
    reached, went_on = _reached(table, page), _reached(table, page + 1)
    ended = (table.pages == page) if page < columns else (table.pages >= page)
    by_choice, no_more = ended & table.by_choice, ended & table.no_more
    sessions = table.by_agent(np.ones(table.n_sessions, dtype=np.bool_))
    came = sessions > 0
    last = page == columns
    gap = None
    if base is not None and base is not table and not last:
        gap = estimator.ratio(
            (table.by_agent(went_on), table.by_agent(reached)),
            (base.by_agent(_reached(base, page + 1)), base.by_agent(_reached(base, page))),
        )
    rate = ratio_estimate(table.by_agent(went_on)[came], table.by_agent(reached)[came])
    return PageStep(
        page,
        ratio_estimate(table.by_agent(reached)[came], sessions[came]),
        None if last or rate.mean is None else rate,
        gap if gap is not None and gap.difference is not None else None,
        float(by_choice.mean()),
        float(no_more.mean()),
        float((ended & ~by_choice & ~no_more).mean()),
    )


def _reached(table: _Table, page: int) -> BoolArray:
    return np.asarray(table.pages >= page, dtype=np.bool_)
