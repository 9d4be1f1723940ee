"""Replies of a language model to questions of one kind, some at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from groundlings.simulator.log.reading.open_log import OpenLog

_REPLIES = """
SELECT arm_id, status, messages, reply
FROM calls JOIN sessions USING (session_id)
WHERE substr(template, 1, {length}) = '{template}-'
"""


@dataclass(frozen=True, slots=True)
class LoggedReply:
    """One call.

    Attributes:
        arm_id: The arm of the session.
        status: As `CallRecord.status`.
        question: The last message that the model was shown.
        reply: What it said.
    """

    arm_id: int
    status: str
    question: str
    reply: str


class ReplyReader(OpenLog):
    """See `LogReader`."""

    def replies_to(self, template: str) -> Iterator[LoggedReply]:
        """The calls of one prompt in all its versions, never all in memory.

        Args:
            template: Name of the prompt file without its version, letters and underscores.
        """
        if not template.replace("_", "").isalpha():
            raise ValueError(f"{template!r} is no name of a prompt file")
        for chunk in self._chunks(_REPLIES.format(template=template, length=len(template) + 1)):
            for row in chunk:
                yield LoggedReply(int(row[0]), str(row[1]), json.loads(row[2])[-1]["content"], str(row[3]))
