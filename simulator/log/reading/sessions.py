"""Single sessions, row by row: for whoever shows what one person was shown and did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from typing import Any, TypeAlias

from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.social_turns import ABOUT, SAY, SOCIAL_TURN, TO, Told
from groundlings.simulator.log.reading.open_log import OpenLog

Rows: TypeAlias = Sequence[Mapping[str, Any]]
"""Rows as the database gives them, a mapping of column to value each."""

# Our own integers are written into these queries, because SQLite binds a limited number of values.
_AGENTS = "SELECT agent_id, source_user_id, persona FROM agents WHERE agent_id IN ({})"

_SESSIONS_OF_AGENT = """
SELECT session_id, name AS arm, day, pages, ended_by FROM sessions LEFT JOIN arms USING (arm_id)
WHERE agent_id = :agent AND (CAST(:arm AS TEXT) IS NULL OR name = :arm)
      AND (CAST(:day AS INTEGER) IS NULL OR day = :day)
ORDER BY arms.position, day, sim_time
"""

_SESSIONS_OF_AGENTS = """
SELECT agent_id, session_id, name AS arm, day, pages, ended_by FROM sessions LEFT JOIN arms USING (arm_id)
WHERE agent_id IN ({})
ORDER BY agent_id, arms.position, day, sim_time, session_id
"""

_NAMED_ITEMS = """
SELECT item_id - first AS number, title, year
FROM items JOIN (SELECT min(item_id) AS first FROM items) AS beginning ON item_id - first IN ({})
"""

_SHOWN = """
SELECT impression_id, page, display_position, rank, impressions.item_id, title, year, genres, examined, clicked, rating,
       p_click, {further}
FROM impressions LEFT JOIN items USING (item_id) WHERE session_id = :session ORDER BY page, display_position
"""
_TITLE = "SELECT source_item_id, title FROM items WHERE source_item_id = :item"
_TOLD = """
SELECT told.session_id, told.day, tellers.source_user_id AS teller, hearers.source_user_id AS hearer, kind, detail
FROM sessions AS mine JOIN sessions AS told ON told.arm_id = mine.arm_id AND told.day < mine.day
     JOIN events ON events.session_id = told.session_id
     JOIN agents AS tellers ON tellers.agent_id = told.agent_id
     JOIN agents AS hearers ON hearers.agent_id = mine.agent_id
WHERE mine.session_id = :session AND kind IN ('to', 'about', 'say') AND told.day >= coalesce(
  (SELECT max(day) FROM sessions AS last
   WHERE last.arm_id = mine.arm_id AND last.agent_id = mine.agent_id AND last.day < mine.day), 0)
ORDER BY told.day, told.session_id, events.event_id
"""
"""What anybody told in the arm of a session, since the agent's session before."""
_PRESENTED = "SELECT rank, original, shown, fitting FROM presentations WHERE session_id = :session ORDER BY rank"

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
        presentations: As in `presentations`: in what words slots were shown, by rank; none where nobody chose words.
        titles: Of the items that ties were told of, by the data set's id.
        heard: What ties told the agent since its session before, where sessions begin with a social turn: day, teller
            (the data set's id), item (its title) and words, in order.
    """

    slots: Rows
    events: Rows
    moods: Rows
    calls: Rows
    memories: Rows
    answers: Rows
    presentations: Rows = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    heard: Rows = ()


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

        events = of(f"SELECT {self._columns['events']} FROM events WHERE session_id = :session ORDER BY event_id")
        turns = {event["page"] for event in events if event["kind"] == SOCIAL_TURN}
        self._told(session_id, [event for event in events if event["page"] in turns])
        told = self._titled(event["detail"] for event in events if event["kind"] == ABOUT)
        return SessionRows(
            slots=of(self._shown),
            events=events,
            moods=of(f"SELECT {self._columns['moods']} FROM moods WHERE session_id = :session"),
            calls=of(f"SELECT {self._columns['calls']} FROM calls WHERE session_id = :session ORDER BY call_id"),
            memories=of("SELECT kind, text FROM memories WHERE session_id = :session ORDER BY place"),
            answers=of("SELECT question, answer FROM interviews WHERE session_id = :session ORDER BY place"),
            presentations=of(_PRESENTED) if self.columns_of("presentations") else (),
            titles=told,
            heard=self._heard(of(_TOLD)) if turns else (),
        )

    def _titled(self, item_ids: Iterable[str]) -> Mapping[str, str]:
        rows = (row for item_id in dict.fromkeys(item_ids) for row in self._rows(_TITLE, item=item_id))
        return {row["source_item_id"]: row["title"] for row in rows}

    def _heard(self, rows: Rows) -> Rows:
        """What was told to the agent itself, of what was told in the arm."""
        found = []
        for session_id, grouped in groupby(rows, key=lambda row: row["session_id"]):
            events = list(grouped)
            row, told = events[0], self._told(session_id, events)
            if told is not None and row["hearer"] in told.to:
                item = self._titled([told.about]).get(told.about, told.about)
                found.append({"day": row["day"], "teller": row["teller"], "item": item, "words": told.words})
        return found

    def _told(self, session_id: int, events: Rows) -> Told | None:
        """What was told in the social turn of a session, None where nothing was."""
        said = {event["kind"]: event["detail"] for event in events if event["kind"] in (TO, ABOUT, SAY)}
        try:
            return Told.of(0, said)
        except ValueError as fault:
            raise RunDirectoryError(
                f"{self}: the log is damaged: events of session {session_id}: {fault}; restore it from a copy"
            ) from None

    @cached_property
    def _columns(self) -> Mapping[str, str]:
        """Table -> its columns, those that an earlier schema lacks apart; see `columns_of`."""
        return {table: ", ".join(sorted(self.columns_of(table))) for table in ("events", "moods", "calls")}

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

    def agents_of(self, agent_ids: Sequence[int]) -> Rows:
        """Of some agents: agent_id, source_user_id, persona (JSON)."""
        return self._of(_AGENTS, agent_ids)

    def _of(self, sql: str, ids: Sequence[int]) -> Rows:
        return self._rows(sql.format(", ".join(str(int(each)) for each in ids)))
