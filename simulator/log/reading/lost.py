"""Lost pages and lessons: those of which no reply came that could be read, with the call behind each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundlings.simulator.log.reading.cells import refuse_pages
from groundlings.simulator.log.reading.open_log import OpenLog
from groundlings.simulator.lost_pages import AFTER_SESSIONS

if TYPE_CHECKING:
    import pandas as pd

_PAGES = """
SELECT arm_id, events.session_id, events.page, kind, detail
FROM events LEFT JOIN sessions USING (session_id)
WHERE kind IN ('unreadable', 'unanswerable')
"""

_LOST = "SELECT count(*) AS lost FROM events WHERE kind IN ('unreadable', 'unanswerable')"

_SHOWN = """
SELECT arm_id, sum(pages) AS pages, min(pages) AS fewest, max(pages) AS most FROM sessions GROUP BY arm_id
"""

_CALLS = """
SELECT session_id, page, call_id, {columns}
FROM calls
WHERE status IN ('unreadable', 'unanswerable'){asker}
ORDER BY call_id
"""
_CALLS_AFTER_SESSIONS = """
FROM calls LEFT JOIN sessions USING (session_id)
WHERE status <> 'reasked' AND substr(template, 1, {length}) = '{prompt}-'{asker}
"""
_AFTERTHOUGHTS = """
SELECT arm_id, count(*) AS asked, count(CASE WHEN status <> 'ok' THEN 1 END) AS lost
{origin}
GROUP BY arm_id
"""
_LOST_AFTERTHOUGHTS = """
SELECT arm_id, '{prompt}' AS asked_in, status AS kind, reply AS detail, {columns}
{origin} AND status <> 'ok'
ORDER BY call_id
"""
_OF_RECOMMENDERS = """
FROM calls JOIN sessions USING (session_id)
WHERE asked_by = 'recommender' AND status <> 'reasked'
"""
_REPLIES = """
SELECT arm_id, count(*) AS asked
{origin}
GROUP BY arm_id
"""
_LOST_REPLIES = """
SELECT arm_id, status AS kind, reply AS detail, {columns}
{origin} AND status <> 'ok'
ORDER BY call_id
"""

_LESSONS = """
SELECT arm_id, count(*) AS asked, count(CASE WHEN status <> 'ok' THEN 1 END) AS lost
FROM lessons
GROUP BY arm_id
"""

_LOST_LESSONS = """
SELECT arm_id, status, status AS kind, reply, finish_reason, form, thought_characters
FROM lessons
WHERE status <> 'ok'
ORDER BY lesson_id
"""

_ABOUT_REPLIES = {
    **{"status": "''", "reply": "''", "first_token": "NULL"},
    **{"finish_reason": "NULL", "form": "NULL", "thought_characters": "0"},
}
"""Columns, and what stands for those that an earlier schema lacks."""


class LostPageReader(OpenLog):
    """See `LogReader`."""

    def pages_by_arm(self) -> dict[int, int]:
        """arm_id -> pages that were shown; an arm without a session is absent.

        Raises:
            RunDirectoryError: A session has more pages than any site.
        """
        found = self._rows(_SHOWN)
        for row in found:
            refuse_pages(self, (row["fewest"], row["most"]))
        return {row["arm_id"]: int(row["pages"]) for row in found}

    def lost_and_shown(self) -> tuple[int, int]:
        """How many pages are lost, of how many."""
        lost = self._rows(_LOST)[0]["lost"]
        return int(lost), sum(self.pages_by_arm().values())

    def lessons_by_arm(self) -> dict[int, tuple[int, int]]:
        """arm_id -> lessons lost, and lessons; an arm whose recommender asked nothing in order to learn is absent."""
        if not self.columns_of("lessons"):
            return {}
        return {row["arm_id"]: (int(row["lost"]), int(row["asked"])) for row in self._rows(_LESSONS)}

    def lost_lessons(self) -> list[dict[str, Any]]:
        """One row per lost lesson: arm_id; kind and status, both `unreadable` or `unanswerable`; reply, finish_reason,
        form and thought_characters, as of its call."""
        if not self.columns_of("lessons"):
            return []
        return list(self._rows(_LOST_LESSONS))

    def lost_pages(self) -> pd.DataFrame:
        """One row per lost page: arm_id, kind (`unreadable` or `unanswerable`) and detail, as of its event; then of the
        first call on that page that failed: status, reply, first_token, finish_reason, form and thought_characters.

        Where the log holds no such call, its columns are NA; logs of earlier schemas know no finish_reason.
        """
        pages = self._ask(_PAGES)
        calls = self._ask(_CALLS.format(columns=self._about_replies(), asker=self._of_agents()))
        # What an agent is asked after its session stands on the last page as well, behind the page's own calls.
        first = calls.drop_duplicates(["session_id", "page"]).drop(columns="call_id")
        return pages.merge(first, on=["session_id", "page"], how="left").drop(columns=["session_id", "page"])

    def afterthoughts(self) -> dict[tuple[int, str], tuple[int, int]]:
        """(arm_id, `reflection` or `interview`) -> what agents were asked after their sessions, and what of it is lost;
        an arm whose agents were asked nothing is absent."""
        return {
            (row["arm_id"], prompt): (int(row["asked"]), int(row["lost"]))
            for prompt in AFTER_SESSIONS
            for row in self._rows(_AFTERTHOUGHTS.format(origin=self._after_sessions(prompt)))
        }

    def lost_afterthoughts(self) -> list[dict[str, Any]]:
        """One row per lost afterthought: arm_id; asked_in, `reflection` or `interview`; kind, detail and the other
        columns as of `lost_pages`."""
        columns = self._about_replies()
        return [
            dict(row)
            for prompt in AFTER_SESSIONS
            for row in self._rows(
                _LOST_AFTERTHOUGHTS.format(prompt=prompt, columns=columns, origin=self._after_sessions(prompt))
            )
        ]

    def replies_asked(self) -> dict[int, int]:
        """arm_id -> what its recommender asked a language model for lists; an arm that asked nothing is absent."""
        if "asked_by" not in self.columns_of("calls"):
            return {}
        return {row["arm_id"]: int(row["asked"]) for row in self._rows(_REPLIES.format(origin=_OF_RECOMMENDERS))}

    def lost_replies(self) -> list[dict[str, Any]]:
        """One row per lost reply to a recommender about a list: arm_id; kind, detail and the other columns as of
        `lost_pages`."""
        if "asked_by" not in self.columns_of("calls"):
            return []
        columns = self._about_replies()
        return [dict(row) for row in self._rows(_LOST_REPLIES.format(columns=columns, origin=_OF_RECOMMENDERS))]

    def _after_sessions(self, prompt: str) -> str:
        """The calls of agents in one prompt, without those that were asked again."""
        return _CALLS_AFTER_SESSIONS.format(length=len(prompt) + 1, prompt=prompt, asker=self._of_agents())

    def _about_replies(self) -> str:
        """Columns of calls that tell why a reply could not be read, as far as the log has them."""
        here = self.columns_of("calls")
        return ", ".join(name if name in here else f"{idle} AS {name}" for name, idle in _ABOUT_REPLIES.items())

    def _of_agents(self) -> str:
        """A condition that leaves out what recommenders asked."""
        return " AND asked_by = 'agent'" if "asked_by" in self.columns_of("calls") else ""
