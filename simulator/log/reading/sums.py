"""Sums over a log, grouped by the database: what metrics, comparisons and reports are made of.

Impressions are first summed by session, in the order they lie on disk or of their index, and only then joined
to arms and agents: 5 million impressions of 500,000 sessions take about five seconds on one slow core. Grouping
them by arm and agent at once takes twice as long, because the database has to sort every impression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import text

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.finite import NotFinite
from groundlings.simulator.log.parts import RESTORE
from groundlings.simulator.log.reading.cells import refuse_places
from groundlings.simulator.log.reading.excerpts import ExcerptReader
from groundlings.simulator.log.reading.nobody import of_somebody
from groundlings.simulator.log.reading.open_log import DONE
from groundlings.simulator.log.reading.part_sums import agents_by_position, totals_by_session

if TYPE_CHECKING:
    import pandas as pd

TOTALS = (
    "sessions", "pages", "satisfaction", "asked", "shown", "known", "clicks", "ratings", "likes", "stars",
    "whole_sessions", "whole_likes", "begun_sessions", "begun_pages",
)  # fmt: skip
"""Columns that are summed. `known` are the slots whose outcome is known, `asked` the sessions with a satisfaction,
`whole_...` counts sessions no page of which is lost, and `begun_...` all but those whose first page is lost."""

_SESSIONS = """
SELECT session_id, arm_id, agent_id, day, ended_by, 1 AS sessions, pages, satisfaction,
       satisfaction IS NOT NULL AS asked
FROM sessions
"""

_IMPRESSIONS = """
SELECT session_id, count(*) AS shown, count(clicked) AS known, count(CASE WHEN clicked THEN 1 END) AS clicks,
       count(rating) AS ratings, count(CASE WHEN rating >= :like_from THEN 1 END) AS likes, sum(rating) AS stars
FROM impressions
GROUP BY session_id
"""

_NEWER_SESSIONS = f"{_SESSIONS} WHERE session_id > :session"

# A session is written at once with its impressions and numbered in step with them, so that what is new lies at the end
# of both tables. What is written between the two queries belongs to a session above `last`, and waits.
_NEWER_IMPRESSIONS = """
SELECT session_id, max(impression_id) AS impression_id, count(*) AS shown, count(clicked) AS known,
       count(CASE WHEN clicked THEN 1 END) AS clicks, count(rating) AS ratings,
       count(CASE WHEN rating >= :like_from THEN 1 END) AS likes, sum(rating) AS stars
FROM impressions
WHERE impression_id > :impression AND session_id <= :last
GROUP BY session_id
"""

_ENDED = "SELECT arm_id, ended_by, count(*) AS sessions FROM sessions GROUP BY arm_id, ended_by"

_EVENTS = """
SELECT arm_id, kind, count(*) AS events
FROM events LEFT JOIN sessions USING (session_id)
WHERE kind IN ({kinds})
GROUP BY arm_id, kind
"""

_CALLS = """
SELECT arm_id, count(*) AS calls, count(CASE WHEN from_store THEN 1 END) AS from_store, sum(attempts - 1) AS retries,
       count(CASE WHEN status = 'reasked' THEN 1 END) AS reasked, sum(prompt_tokens) AS prompt_tokens,
       sum(cached_tokens) AS cached_tokens, sum(completion_tokens) AS completion_tokens
FROM calls LEFT JOIN sessions USING (session_id)
GROUP BY arm_id
"""

_LATENCIES = """
SELECT arm_id, latency_seconds
FROM calls LEFT JOIN sessions USING (session_id)
WHERE NOT from_store
"""

_LESSONS = """
SELECT arm_id, count(*) AS calls, count(CASE WHEN from_store THEN 1 END) AS from_store, sum(attempts - 1) AS retries,
       0 AS reasked, sum(prompt_tokens) AS prompt_tokens, sum(cached_tokens) AS cached_tokens,
       sum(completion_tokens) AS completion_tokens
FROM lessons
GROUP BY arm_id
"""

_QUESTIONS_TO_LEARN = """
SELECT arms.name AS arm, count(*) AS n
FROM lessons LEFT JOIN arms USING (arm_id)
WHERE NOT from_store
GROUP BY arms.name
"""
_LESSON_LATENCIES = "SELECT arm_id, latency_seconds FROM lessons WHERE NOT from_store"

# In numbers: a text per session would be most of what is read.
_LENGTHS = """
SELECT arm_id, agent_id, pages, CASE WHEN ended_by = :exit THEN 1 ELSE 0 END AS by_choice,
       CASE WHEN ended_by = :last_page THEN 1 ELSE 0 END AS no_more
FROM sessions
WHERE pages > 0
"""

# Counted by the database: of each user and position a row would be more than there is room for. Shares stay two whole
# numbers until they are added up, so that no sum depends on the order of rows.
_POSITIONS = """
SELECT name AS arm, position, known, clicks, count(*) AS agents
FROM (
    SELECT arm_id, agent_id, impressions.position AS position, count(clicked) AS known,
           count(CASE WHEN clicked THEN 1 END) AS clicks
    FROM impressions LEFT JOIN sessions USING (session_id)
    GROUP BY arm_id, agent_id, impressions.position
) AS agents_positions
LEFT JOIN (SELECT arm_id, name FROM arms) AS named USING (arm_id)
GROUP BY name, position, known, clicks
"""

_SURPLUS = """
SELECT arm_id, agent_id, sum(CAST(clicked AS INTEGER) - p_click) AS surplus,
       count(clicked) AS known, count(p_click) AS stated
FROM impressions LEFT JOIN sessions USING (session_id)
WHERE clicked IS NOT NULL
GROUP BY arm_id, agent_id
"""

_TEAMS = """
SELECT agent_id, teams.position AS team, count(*) AS shown, count(clicked) AS known,
       sum(CAST(clicked AS INTEGER)) AS clicks
FROM impressions LEFT JOIN sessions USING (session_id) LEFT JOIN arms AS teams ON teams.arm_id = team_arm_id
WHERE team_arm_id IS NOT NULL
GROUP BY agent_id, teams.position
"""

_CUT_SHORT = """
SELECT DISTINCT arm_id, agent_id FROM sessions WHERE ended_by IN (:unreadable, :unanswerable, :nothing_shown)
"""

_SESSION_DAYS = "SELECT DISTINCT arm_id, agent_id, day FROM sessions ORDER BY arm_id, agent_id, day"

_SLOTS = """
SELECT agent_id, day, sim_time, rank, item_id, clicked, rating FROM impressions JOIN sessions USING (session_id)
WHERE arm_id = :{arm}
"""
_SLOTS_APART = f"{_SLOTS.format(arm='one')} EXCEPT {_SLOTS.format(arm='other')} LIMIT 1"


@dataclass(frozen=True, slots=True)
class PositionSums:
    """The agents' own shares of impressions that were clicked in one position of a page, added up.

    Attributes:
        arm: Its name.
        position: 0 is the first.
        n: Agents of whom something is known there.
        excluded: Those who were shown something there of which nothing is known.
        mean: Of the shares of the `n` agents, 0 where there are none.
        squares: The sum of their squares.
    """

    arm: str
    position: int
    n: int
    excluded: int
    mean: float
    squares: float


@dataclass(frozen=True, slots=True)
class ReadUpTo:
    """How far a log that is still written has been read; the ids of every log are above 0.

    Attributes:
        session, impression: The last ids that were read.
    """

    session: int = 0
    impression: int = 0


def _position_sums(arm: str, position: int, shares: Sequence[tuple[int, float]], excluded: int) -> PositionSums:
    """Of how many agents have each share."""
    n = sum(agents for agents, _ in shares)
    return PositionSums(
        arm,
        position,
        n,
        excluded,
        mean=fsum(agents * share for agents, share in shares) / n if n else 0.0,
        squares=fsum(agents * share**2 for agents, share in shares),
    )


class SumReader(ExcerptReader):
    """See `LogReader`."""

    def session_totals(self, like_from: float) -> pd.DataFrame:
        """One row per session: session_id, arm_id, agent_id, day and `TOTALS` as numbers.

        Args:
            like_from: From this many stars on, a rating is a like.

        Raises:
            RunDirectoryError: A satisfaction or a rating in the log is no finite number, or a row belongs to nobody.
        """
        with self._connected() as connection:
            behind = columnar(connection)
            if behind is not None:
                return self._in_numbers(totals_by_session(behind, like_from))
        done = any(self._rows(DONE))  # asked first: a run may end while it is read
        return self._totalled(self._ask_all(_SESSIONS), self._ask_all(_IMPRESSIONS, like_from=like_from), done)

    def newer_session_totals(self, like_from: float, after: ReadUpTo) -> tuple[pd.DataFrame, ReadUpTo]:
        """As `session_totals`, of the sessions that were written since an earlier look, and how far this one reached.

        Args:
            like_from: As there.
            after: How far the look before reached.

        Raises:
            RunDirectoryError: As there.
        """
        sessions = self._ask(_NEWER_SESSIONS, session=after.session)
        if sessions.empty:
            return self._totalled(sessions, self._ask(_IMPRESSIONS + " LIMIT 0", like_from=like_from)), after
        last = int(sessions.session_id.max())
        sums = self._ask(_NEWER_IMPRESSIONS, impression=after.impression, last=last, like_from=like_from)
        newest = sums.pop("impression_id").max() if len(sums) else after.impression
        return self._totalled(sessions, sums), ReadUpTo(last, int(newest))

    def _totalled(self, sessions: pd.DataFrame, sums: pd.DataFrame, done: bool = False) -> pd.DataFrame:
        # Joined here and not in SQL: SQLite would build an index over the sums first.
        frame = sessions.merge(sums, on="session_id", how="left")
        self._refuse_strays(frame, sums, done)
        return self._in_numbers(frame)

    def _in_numbers(self, frame: pd.DataFrame) -> pd.DataFrame:
        from groundlings.environments.environment import LOST

        self._refuse_no_numbers(frame)
        whole = ~frame.pop("ended_by").isin([reason.value for reason in LOST])
        begun = whole | (frame.pages > 1)
        for part, kept, total in (("whole", whole, "likes"), ("begun", begun, "pages")):
            frame[f"{part}_sessions"] = kept
            frame[f"{part}_{total}"] = frame[total].where(kept, 0)
        frame[list(TOTALS)] = frame[list(TOTALS)].astype(np.float64).fillna(0.0)
        return frame

    def _refuse_strays(self, frame: pd.DataFrame, sums: pd.DataFrame, done: bool) -> None:
        """Of a session that a run writes meanwhile, impressions may be there before it: it is later than all others."""
        here = sums if done else sums[sums.session_id <= (frame.session_id.max() if len(frame) else 0)]
        if sums.session_id.isna().any() or len(here) != int(frame.shown.notna().sum()):
            raise RunDirectoryError(
                f"{self}: the log is damaged: impressions.session_id holds a number that no session has; {RESTORE}"
            )
        for column in ("arm_id", "agent_id"):
            if frame[column].isna().any():
                raise RunDirectoryError(f"{self}: the log is damaged: a session holds nothing as {column}; {RESTORE}")

    def _refuse_no_numbers(self, frame: pd.DataFrame) -> None:
        """No run writes them: minds say finite numbers, and the environment refuses others."""
        for column, given in (("satisfaction", "asked"), ("stars", "ratings")):
            wrong = frame[(frame[given].fillna(0) > 0) & ~np.isfinite(frame[column].astype(np.float64))]
            if len(wrong):
                raise NotFinite

    def session_days(self) -> pd.DataFrame:
        """One row per agent, arm and day with a session: arm_id, agent_id, day."""
        return self._ask_all(_SESSION_DAYS)

    def sessions_by_end(self) -> dict[tuple[int, str], int]:
        """(arm_id, `EndedBy` value) -> sessions; pairs without a session are absent."""
        return {(row["arm_id"], row["ended_by"]): int(row["sessions"]) for row in self._rows(_ENDED)}

    def events_by_kind(self, kinds: Sequence[str]) -> dict[tuple[int, str], int]:
        """(arm_id, kind) -> events, of these kinds; pairs without an event are absent."""
        marks = {f"kind_{number}": kind for number, kind in enumerate(kinds)}
        found = self._rows(_EVENTS.format(kinds=", ".join(f":{mark}" for mark in marks)), **marks)
        return {(row["arm_id"], row["kind"]): int(row["events"]) for row in found}

    def questions_to_learn(self) -> dict[str, int]:
        """Arm -> questions that its recommender asked in order to learn, without those read from a record."""
        if not self.columns_of("lessons"):
            return {}
        found = self._ask(_QUESTIONS_TO_LEARN)
        return dict(zip(found.arm.tolist(), found.n.astype(int).tolist(), strict=True))

    def call_totals(self) -> pd.DataFrame:
        """One row per arm that asked a language model: arm_id, calls, from_store (read from a record), retries,
        reasked, prompt_tokens, cached_tokens and completion_tokens."""
        return self._with_lessons(_CALLS, _LESSONS)

    def call_latencies(self) -> pd.DataFrame:
        """One row per call that was not read from a record: arm_id, latency_seconds."""
        return self._with_lessons(_LATENCIES, _LESSON_LATENCIES)

    def _with_lessons(self, of_sessions: str, of_lessons: str) -> pd.DataFrame:
        """The answer about calls, with those that recommenders learnt from where there are any."""
        import pandas as pd

        found = self._ask(of_sessions)
        if not self.columns_of("lessons"):
            return found
        both = pd.concat([found, self._ask(of_lessons)], ignore_index=True)
        return both if "calls" not in both else both.groupby("arm_id", as_index=False).sum()

    def session_lengths(self) -> pd.DataFrame:
        """One row per session that was shown something: arm_id, agent_id, pages, by_choice (1 = the agent left) and
        no_more (1 = there was no further page)."""
        from groundlings.environments.environment import EndedBy

        return self._ask_all(_LENGTHS, exit=EndedBy.EXIT.value, last_page=EndedBy.LAST_PAGE.value)

    def click_rates_by_position(self) -> list[PositionSums]:
        """What was clicked in each position of a page, in no order."""
        alike: dict[tuple[str, int], list[tuple[int, float]]] = {}
        excluded: Counter[tuple[str, int]] = Counter()
        for name, position, known, clicks, agents in self._agents_alike():
            refuse_places(self, "impressions.position", (position,))
            shares = alike.setdefault((name, position), [])
            if known:
                shares.append((agents, clicks / known))
            else:
                excluded[name, position] += agents
        return [_position_sums(*place, shares, excluded[place]) for place, shares in alike.items()]

    def _agents_alike(self) -> Iterator[tuple[str, int, int, int, int]]:
        """In no order: an arm's name, a position, how much is known there of an agent, its clicks, and how many agents
        are alike in all of that."""
        with self._connected() as connection:
            behind = columnar(connection)
            if behind is not None:
                names = {row["arm_id"]: row["name"] for row in self._rows("SELECT arm_id, name FROM arms")}
                for each in agents_by_position(behind, self._numbers_of("agents")):
                    yield names[each.arm_id], each.position, each.known, each.clicks, each.agents
                return
        for row in self._rows_of_all(_POSITIONS):
            yield row["arm"], *(int(row[name]) for name in ("position", "known", "clicks", "agents"))

    def click_surplus(self) -> pd.DataFrame:
        """One row per arm and agent: arm_id, agent_id, surplus (clicks minus the sum of `p_click`, a control variate
        with mean zero), known (impressions whose outcome is known) and stated (those of them with a `p_click`)."""
        return self._ask(_SURPLUS)

    def clicks_by_team(self) -> pd.DataFrame:
        """One row per agent and arm that drafted lists together with another: agent_id, team (the arm's place in the
        YAML, 0 is the first), shown (slots that the arm had picked), known (with known outcome) and clicks on them."""
        return of_somebody(self, self._ask_all(_TEAMS), "team")

    def agents_cut_short(self) -> pd.DataFrame:
        """One row per arm and agent with a session ended by a lost page or an empty list: arm_id, agent_id."""
        from groundlings.environments.environment import LOST, EndedBy

        return self._ask_all(_CUT_SHORT, **{reason.value: reason.value for reason in (*LOST, EndedBy.NOTHING_SHOWN)})

    def same_slots(self, one: int, other: int) -> bool:
        """Whether two arms, given by their ids, showed the same in every slot, with the same outcome."""
        with self._asking(_SLOTS_APART) as connection:
            return not any(
                connection.execute(text(_SLOTS_APART), {"one": first, "other": second}).first()
                for first, second in ((one, other), (other, one))
            )
