"""A log as episodes of a decision process, for learning off-line: a session is an episode, a slot a step.

A step's action is the item in the slot, so the log's `pscore`, P(item | slot, what stood at the ranks before, request),
is the chance of the action under the policy that was logged. The reward is 1 where the item was opened. The observation
holds what a recommender knows when the page is made: what was opened on earlier pages of the session, not on this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.exports.arrays import TRAITS, Rows, traits_of
from groundlings.experiments.exports.columns import typed
from groundlings.experiments.exports.source import KNOWN, Arm, LoggedItem, LogSource

OBSERVATION = ("day", *TRAITS, "page", "slot", "shown_before", "opened_before", "opened_on_page_before")
"""Columns of an observation. The first four are those of `open_bandit`'s context; `page` and `slot` count from 0 and
`shown_before` the slots of the session before this one; items opened are counted on earlier pages of the session."""

_LOGGED = {
    "session_id": "int", "agent_id": "int", "day": "int", "page": "int", "position": "int", "item_number": "int",
    "clicked": "int", "pscore": "float",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Steps:
    """Whole sessions of one arm, a row per slot whose outcome is known, in the order of happening.

    Attributes:
        observations: Shape (n, len(OBSERVATION)).
        actions: Places in the catalogue.
        rewards: 1 where the item was opened.
        pscores: The chance of each action.
        sessions: Number of the session in the log.
        users: Place among the log's agents.
        last: The last row of its session.
        left: The session ended because the user left.
        after: The observation after each session's last row, one row per session.
    """

    observations: NDArray[np.float32]
    actions: IntArray
    rewards: FloatArray
    pscores: FloatArray
    sessions: IntArray
    users: IntArray
    last: BoolArray
    left: BoolArray
    after: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def terminated(self) -> BoolArray:
        """The user left after this row, shape (n,)."""
        return self.last & self.left

    @property
    def truncated(self) -> BoolArray:
        """The session ended after this row in another way: no further page, nothing to show, or a lost page."""
        return self.last & ~self.left


class Episodes:
    """The episodes of a log.

    Args:
        source: The log.

    Attributes:
        items: The catalogue; an action is a place in it.
        user_ids: The data set's own id of each agent; `Steps.users` are places in it.
    """

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self.items: Sequence[LoggedItem] = source.items()
        agents = list(source.agents())
        self.user_ids = [agent.user_id for agent in agents]
        self._traits = np.array([traits_of(agent) for agent in agents]).reshape(len(agents), len(TRAITS))
        self._actions = Rows([(item.item_id, place) for place, item in enumerate(self.items)])
        self._users = Rows([(agent.agent_id, place) for place, agent in enumerate(agents)])
        self._numbers, self._left = _endings(source)

    def __iter__(self) -> Iterator[tuple[Arm, Steps]]:
        """Whole sessions, some at a time; a session may stretch over two chunks of the log."""
        waiting: tuple[Arm, pa.Table] | None = None
        for arm, chunk in self._source.impression_columns(typed(_LOGGED), KNOWN):
            if waiting is not None and waiting[0] is not arm:
                yield waiting[0], self._steps(waiting[1])
                waiting = None
            rows = chunk if waiting is None else pa.concat_tables([waiting[1], chunk])
            sessions = rows["session_id"].to_numpy()
            cut = int(np.flatnonzero(sessions != sessions[-1:]).max(initial=-1)) + 1
            if cut:
                yield arm, self._steps(rows.slice(0, cut))
            waiting = arm, rows.slice(cut)
        if waiting is not None and len(waiting[1]):
            yield waiting[0], self._steps(waiting[1])

    def _steps(self, rows: pa.Table) -> Steps:
        sessions, page = rows["session_id"].to_numpy(), rows["page"].to_numpy()
        opened = rows["clicked"].to_numpy().astype(np.float64)
        users = self._users.of(rows["agent_id"].to_numpy())
        place = np.arange(len(sessions))
        first = np.r_[True, sessions[1:] != sessions[:-1]]
        of_page = first | np.r_[True, page[1:] != page[:-1]]
        session_start, page_start = (np.maximum.accumulate(np.where(flags, place, 0)) for flags in (first, of_page))
        before = np.r_[0.0, np.cumsum(opened)]
        so_far = before[page_start] - before[session_start]
        of_pages = np.r_[0.0, np.add.reduceat(opened, np.flatnonzero(of_page))] if len(opened) else np.zeros(1)
        on_page_before = np.where(page_start > session_start, of_pages[np.cumsum(of_page) - 1], 0.0)
        observations = np.column_stack(
            [
                rows["day"].to_numpy(), self._traits[users], page - 1, rows["position"].to_numpy(),
                place - session_start, so_far, on_page_before,
            ]
        ).astype(np.float32)  # fmt: skip
        last = np.r_[first[1:], True]
        ends = np.flatnonzero(last)
        after = observations[ends].copy()
        after[:, OBSERVATION.index("page")] += 1
        after[:, OBSERVATION.index("slot")] = 0
        after[:, OBSERVATION.index("shown_before")] += 1
        after[:, OBSERVATION.index("opened_before")] = before[ends + 1] - before[session_start[ends]]
        after[:, OBSERVATION.index("opened_on_page_before")] = before[ends + 1] - before[page_start[ends]]
        return Steps(
            observations,
            self._actions.of(rows["item_number"].to_numpy()),
            opened,
            rows["pscore"].to_numpy(),
            sessions,
            users,
            last,
            self._left[np.searchsorted(self._numbers, sessions)],
            after,
        )


def _endings(source: LogSource) -> tuple[IntArray, BoolArray]:
    """The numbers of all sessions, ascending, and whether the user left."""
    numbers, left = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.bool_)]
    for _, rows in source.table_columns("sessions", ("session_id",), typed({"session_id": "int", "ended_by": "text"})):
        numbers.append(rows["session_id"].to_numpy())
        left.append(np.array([ended == "exit" for ended in rows["ended_by"].to_pylist()], dtype=np.bool_))
    order = np.argsort(np.concatenate(numbers), kind="stable")
    return np.concatenate(numbers)[order], np.concatenate(left)[order]


def notes(source: LogSource) -> tuple[str, ...]:
    """What a reader of episodes must know."""
    counts = source.counts()
    unknown = sum(count.unknown for count in counts.values())
    told = [
        "An episode is a session and a step a slot: the action is the item shown, the reward 1 where it was opened, "
        "and `pscore` the chance of the action under the arm's policy.",
        f"An observation holds {', '.join(f'`{name}`' for name in OBSERVATION)}; nothing that a recommender could not "
        "know when it makes the page, and not which items the person likes.",
        "An episode is terminated where the person left, and truncated where there was no further page, nothing to "
        "show, or a page whose outcome nobody knows.",
    ]
    if unknown:
        told.append(
            f"{unknown:,} slots whose outcome nobody knows are no steps; a session of such slots is no episode."
        )
    return tuple(told)
