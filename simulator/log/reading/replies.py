"""Replies of a language model to questions of one kind, some at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from groundlings.simulator.log.finite import refuse_row
from groundlings.simulator.log.reading.nobody import refuse_nobody
from groundlings.simulator.log.reading.open_log import OpenLog

_REPLIES = """
SELECT arm_id, status, messages, reply, agent_id
FROM calls LEFT JOIN sessions USING (session_id)
WHERE substr(template, 1, {length}) = '{template}-'
"""

_AGAIN = """
SELECT arm_id, SUM(questions - 1) AS again
FROM (
    SELECT session_id, page, COUNT(*) AS questions
    FROM calls
    WHERE substr(template, 1, {length}) = '{template}-'
    GROUP BY session_id, page
) AS lists LEFT JOIN sessions USING (session_id)
GROUP BY arm_id
"""

_OUTCOMES = """
SELECT agent_id, title, year, clicked, rating
FROM impressions JOIN sessions USING (session_id) LEFT JOIN items USING (item_id)
WHERE arm_id = {arm_id}
ORDER BY impression_id
"""


@dataclass(frozen=True, slots=True)
class LoggedReply:
    """One call.

    Attributes:
        arm_id: The arm of the session.
        status: As `CallRecord.status`.
        question: The last message that the model was shown.
        reply: What it said.
        agent_id: The agent of the session.
    """

    arm_id: int
    status: str
    question: str
    reply: str
    agent_id: int


_TAUGHT = """
SELECT arm_id, status, messages, reply FROM lessons WHERE substr(template, 1, {length}) = '{template}-'
"""


class ReplyReader(OpenLog):
    """See `LogReader`."""

    def replies_to(self, template: str) -> Iterator[LoggedReply]:
        """The calls of one prompt in all its versions, never all in memory.

        Args:
            template: Name of the prompt file without its version, letters and underscores.
        """
        for chunk in self._chunks(_of(_REPLIES, template)):
            for row in chunk:
                refuse_nobody(self, arm_id=row[0], agent_id=row[4])
                yield LoggedReply(int(row[0]), str(row[1]), json.loads(row[2])[-1]["content"], str(row[3]), int(row[4]))

    def asked_again(self, template: str) -> dict[int, int]:
        """arm_id -> calls of one prompt behind the first for a page of a session; arms without such calls are absent.

        Args:
            template: As of `replies_to`.
        """
        return {int(row["arm_id"]): int(row["again"]) for row in self._rows(_of(_AGAIN, template))}

    def lessons_on(self, template: str) -> Iterator[tuple[int, str, str, str]]:
        """What recommenders asked in order to learn, by the prompt: arm_id, status, last message, reply.

        Args:
            template: As of `replies_to`.
        """
        if not self.columns_of("lessons"):
            return
        for chunk in self._chunks(_of(_TAUGHT, template)):
            for arm_id, status, messages, reply in chunk:
                yield int(arm_id), str(status), json.loads(messages)[-1]["content"], str(reply)

    def outcomes_by_title(self, arm_id: int) -> Iterator[tuple[int, str, int | None, bool | None, float | None]]:
        """Agent, title, year, whether it was clicked (None = not known) and rating of every impression of an arm."""
        for chunk in self._chunks(_OUTCOMES.format(arm_id=int(arm_id))):
            for agent, title, year, clicked, rating in chunk:
                refuse_nobody(self, agent_id=agent, title=title)
                refuse_row(("rating",), (rating,))
                yield int(agent), str(title), year, None if clicked is None else bool(clicked), rating


def _of(query: str, template: str) -> str:
    """A query for the calls of one prompt."""
    if not template.replace("_", "").isalpha():
        raise ValueError(f"{template!r} is no name of a prompt file")
    return query.format(template=template, length=len(template) + 1)
