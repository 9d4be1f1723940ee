"""What is asked of a log while a run still writes it, and page by page afterwards: calls, spending, users."""

from __future__ import annotations

from dataclasses import dataclass

from groundlings.simulator.log.reading.open_log import OpenLog
from groundlings.simulator.log.reading.sessions import Rows

_SPENT = """
SELECT count(*) AS calls, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
       count(CASE WHEN status = 'unreadable' THEN 1 END) AS unreadable,
       count(CASE WHEN status = 'unanswerable' THEN 1 END) AS unanswerable,
       count(CASE WHEN from_store THEN 1 END) AS from_store, max(call_id) AS last
FROM calls WHERE call_id > :after
"""

_ILLEGAL = """
SELECT count(CASE WHEN kind = 'illegal' THEN 1 END) AS illegal, max(event_id) AS last
FROM events WHERE event_id > :after
"""

_MOST_CHARACTERS = 1_000_000
"""Of a text that is shown on a page: a log of a stranger's may hold any."""

_CUT = f"""CASE WHEN length({{0}}) > {_MOST_CHARACTERS}
       THEN substr({{0}}, 1, {_MOST_CHARACTERS}) || '... (' || length({{0}}) || ' characters)' ELSE {{0}} END
       AS {{0}}"""

_CALLS = f"""
SELECT call_id, arms.name AS arm, source_user_id AS user_id, agent_id, day, page, template, model, status, attempts,
       from_store, prompt_tokens, completion_tokens, latency_seconds, asked_by,
       {_CUT.format("messages")}, {_CUT.format("reply")}
FROM (SELECT * FROM calls WHERE call_id > :after {{only}} ORDER BY call_id LIMIT :limit) AS wanted
LEFT JOIN sessions USING (session_id) LEFT JOIN arms USING (arm_id) LEFT JOIN agents USING (agent_id)
ORDER BY call_id
"""

_USERS = """
SELECT agent_id, source_user_id AS user_id FROM agents
WHERE agent_id > :after AND substr(source_user_id, 1, :length) = :begins
ORDER BY agent_id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls took and what went wrong, up to where the log was read.

    Attributes:
        calls: To a language model, those read from a record included.
        prompt_tokens, completion_tokens: As the server counted them, or as they were estimated.
        unreadable, unanswerable: Calls whose reply could not be read, or that the server refuses for good.
        from_store: Calls that were read from a record and cost nothing.
        illegal: Actions that the environment refused.
        last_call, last_event: The last ids that were read.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    from_store: int = 0
    illegal: int = 0
    last_call: int = 0
    last_event: int = 0


class LiveReader(OpenLog):
    """See `LogReader`."""

    def spent_since(self, before: Spent) -> Spent:
        """What calls took until now, of which only what is new is read.

        Args:
            before: The answer of an earlier look; `Spent()` at the first.
        """
        (calls,) = self._rows(_SPENT, after=before.last_call)
        (events,) = self._rows(_ILLEGAL, after=before.last_event)
        return Spent(
            calls=before.calls + int(calls["calls"]),
            prompt_tokens=before.prompt_tokens + int(calls["prompt_tokens"] or 0),
            completion_tokens=before.completion_tokens + int(calls["completion_tokens"] or 0),
            unreadable=before.unreadable + int(calls["unreadable"]),
            unanswerable=before.unanswerable + int(calls["unanswerable"]),
            from_store=before.from_store + int(calls["from_store"]),
            illegal=before.illegal + int(events["illegal"]),
            last_call=before.last_call if calls["last"] is None else int(calls["last"]),
            last_event=before.last_event if events["last"] is None else int(events["last"]),
        )

    def calls_after(self, call_id: int, limit: int, *, failed: bool = False) -> Rows:
        """Calls in their order with the arm's name and the user, `messages` (JSON) and `reply` as they were.

        Of a text of more than a million characters the beginning is read, and a mark says how long it is.

        Args:
            call_id: Those after this one; 0 begins at the first.
            limit: So many at most.
            failed: Whether only calls are wanted whose reply could not be used.
        """
        only = "AND status <> 'ok'" if failed else ""
        return self._rows(_CALLS.format(only=only), after=call_id, limit=limit)

    def users_after(self, agent_id: int, limit: int, begins: str = "") -> Rows:
        """agent_id and user_id (the data set's own) of agents, in the order of the log.

        Args:
            agent_id: Those after this one; 0 begins at the first.
            limit: So many at most.
            begins: With what the user's id begins.
        """
        return self._rows(_USERS, after=agent_id, limit=limit, begins=begins, length=len(begins))
