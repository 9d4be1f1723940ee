"""Single sessions, row by row: for whoever shows what one person was shown and did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from groundlings.simulator.log.reading.open_log import OpenLog

if TYPE_CHECKING:
    import pandas as pd

Rows: TypeAlias = Sequence[Mapping[str, Any]]
"""Rows as the database gives them, a mapping of column to value each."""

_FIRST_SESSIONS = """
SELECT agent_id, arm_id, session_id, likes, clicks
FROM sessions
JOIN (SELECT arm_id, agent_id, min(day) AS day FROM sessions
      WHERE agent_id IN (SELECT agent_id FROM agents ORDER BY agent_id LIMIT :candidates)
      GROUP BY arm_id, agent_id) AS firsts USING (arm_id, agent_id, day)
LEFT JOIN (
    SELECT session_id, count(CASE WHEN rating >= :like_from THEN 1 END) AS likes,
           count(CASE WHEN clicked THEN 1 END) AS clicks
    FROM impressions GROUP BY session_id
) AS seen USING (session_id)
WHERE likes IS NOT NULL
ORDER BY agent_id
"""

# Our own integers are written into these queries, because SQLite binds a limited number of values.
_AGENTS = "SELECT agent_id, source_user_id, persona FROM agents WHERE agent_id IN ({})"

_SESSIONS = """
SELECT session_id, agent_id, name AS arm, day, pages, ended_by, satisfaction
FROM sessions JOIN arms USING (arm_id)
WHERE session_id IN ({})
ORDER BY agent_id, arms.position, day, sim_time
"""

_SLOTS = """
SELECT session_id, page, position, title, year, genres, clicked, rating
FROM impressions JOIN items USING (item_id)
WHERE session_id IN ({})
ORDER BY session_id, rank
"""

_PAGE_EVENTS = """
SELECT session_id, page, kind, value, detail
FROM events
WHERE session_id IN ({}) AND kind IN ('next_page', 'exit', 'unreadable', 'unanswerable', 'illegal')
ORDER BY event_id
"""

_SESSIONS_OF_AGENT = """
SELECT session_id, name AS arm, day, pages, ended_by FROM sessions JOIN arms USING (arm_id)
WHERE agent_id = :agent AND (CAST(:arm AS TEXT) IS NULL OR name = :arm)
      AND (CAST(:day AS INTEGER) IS NULL OR day = :day)
ORDER BY arms.position, day, sim_time
"""

_SESSIONS_OF_AGENTS = """
SELECT agent_id, session_id, name AS arm, day, pages, ended_by FROM sessions JOIN arms USING (arm_id)
WHERE agent_id IN ({})
ORDER BY agent_id, arms.position, day, sim_time, session_id
"""

_NAMED_ITEMS = """
SELECT item_id - first AS number, title, year
FROM items JOIN (SELECT min(item_id) AS first FROM items) AS beginning ON item_id - first IN ({})
"""

_SHOWN = """
SELECT impression_id, page, display_position, impressions.item_id, title, year, genres, examined, clicked, rating,
       p_click, {further}
FROM impressions JOIN items USING (item_id) WHERE session_id = :session ORDER BY page, display_position
"""
_FURTHER = {
    "row_name": "row_name",
    "place_row": "place_row",
    "place_slot": "place_slot",
    "team_arm_id": "(SELECT name FROM arms WHERE arms.arm_id = impressions.team_arm_id)",
}
"""Columns of impressions that logs of earlier schemas lack, and what is read of each; then there is nothing."""


@dataclass(frozen=True, slots=True)
class SessionRows:
    """The rows of one session, table by table.

    Attributes:
        slots: Impressions with their item, by page and by where the agent saw them; `team` is the name of the arm that
            picked the item of a shared list.
        events: As in `events`, in the order of happening.
        moods: As in `moods`.
        calls: As in `calls`, in order.
        memories: kind and text, in order.
        answers: question and answer of the interview, in order.
    """

    slots: Rows
    events: Rows
    moods: Rows
    calls: Rows
    memories: Rows
    answers: Rows


class SessionReader(OpenLog):
    """See `LogReader`."""

    def agent_of(self, user_id: str) -> Mapping[str, Any] | None:
        """agent_id, source_user_id and persona (JSON) of a person, by the data set's id; None for an unknown one."""
        found = self._rows(
            "SELECT agent_id, source_user_id, persona FROM agents WHERE source_user_id = :user", user=user_id
        )
        return found[0] if found else None

    def sessions_of_agent(self, agent_id: int, arm: str | None = None, day: int | None = None) -> Rows:
        """An agent's sessions by arm in the order of the YAML, then by day: session_id, arm, day, pages, ended_by.

        Args:
            agent_id: The agent's number in the log.
            arm: Name of the one arm that is wanted; all where absent.
            day: The one day that is wanted, 0 is the first; all where absent.
        """
        return self._rows(_SESSIONS_OF_AGENT, agent=agent_id, arm=arm, day=day)

    def session(self, session_id: int) -> SessionRows:
        """All that the log holds of one session."""

        def of(sql: str) -> Rows:
            return self._rows(sql, session=session_id)

        return SessionRows(
            slots=of(self._shown),
            events=of("SELECT * FROM events WHERE session_id = :session ORDER BY event_id"),
            moods=of("SELECT * FROM moods WHERE session_id = :session"),
            calls=of("SELECT * FROM calls WHERE session_id = :session ORDER BY call_id"),
            memories=of("SELECT kind, text FROM memories WHERE session_id = :session ORDER BY place"),
            answers=of("SELECT question, answer FROM interviews WHERE session_id = :session ORDER BY place"),
        )

    @cached_property
    def _shown(self) -> str:
        here = self.columns_of("impressions")
        names = {"team_arm_id": "team"}
        columns = [f"{sql if name in here else 'NULL'} AS {names.get(name, name)}" for name, sql in _FURTHER.items()]
        return _SHOWN.format(further=", ".join(columns))

    def sessions_of_agents(self, agent_ids: Sequence[int]) -> Rows:
        """As `sessions_of_agent`, of several agents at once and with agent_id: their sessions are sought only once."""
        return self._of(_SESSIONS_OF_AGENTS, agent_ids) if agent_ids else []

    def named_items(self, numbers: Sequence[int]) -> Rows:
        """Of items by their place in the catalog, from 0: number, title, year; those that are not there are absent."""
        return self._of(_NAMED_ITEMS, numbers) if numbers else []

    def first_sessions(self, candidates: int, like_from: float) -> pd.DataFrame:
        """The first session in each arm of the first agents of the log, those that were shown nothing left out:
        agent_id, arm_id, session_id, likes, clicks.

        Args:
            candidates: How many agents.
            like_from: From this many stars on, a rating is a like.
        """
        return self._ask(_FIRST_SESSIONS, candidates=candidates, like_from=like_from)

    def agents_of(self, agent_ids: Sequence[int]) -> Rows:
        """Of some agents: agent_id, source_user_id, persona (JSON)."""
        return self._of(_AGENTS, agent_ids)

    def sessions_of(self, session_ids: Sequence[int]) -> Rows:
        """Some sessions by agent and arm: session_id, agent_id, arm (name), day, pages, ended_by, satisfaction."""
        return self._of(_SESSIONS, session_ids)

    def slots_of(self, session_ids: Sequence[int]) -> Rows:
        """Impressions of some sessions by rank: session_id, page, position, title, year, genres, clicked, rating."""
        return self._of(_SLOTS, session_ids)

    def page_events_of(self, session_ids: Sequence[int]) -> Rows:
        """How the pages of some sessions ended, and what was refused on them: session_id, page, kind (`next_page`,
        `exit`, `unreadable`, `unanswerable` or `illegal`), value, detail; in the order of happening."""
        return self._of(_PAGE_EVENTS, session_ids)

    def _of(self, sql: str, ids: Sequence[int]) -> Rows:
        return self._rows(sql.format(", ".join(str(int(each)) for each in ids)))
