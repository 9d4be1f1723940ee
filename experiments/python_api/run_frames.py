"""The log of a run as data frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.experiments.archive.integrity import reading
from groundlings.simulator.log.store import open_log

if TYPE_CHECKING:
    import pandas as pd

_VISIT = """
sessions JOIN arms ON arms.arm_id = sessions.arm_id JOIN agents ON agents.agent_id = sessions.agent_id
"""

_IMPRESSIONS = f"""
SELECT impression_id, session_id, arms.name AS arm, source_user_id AS "user", day, page, impressions.position, rank,
       source_item_id AS item, title, score, pscore, is_random, examined, clicked, rating, p_click, u_click,
       display_position, teams.name AS team
FROM {_VISIT} JOIN impressions USING (session_id) JOIN items USING (item_id)
LEFT JOIN arms AS teams ON teams.arm_id = impressions.team_arm_id
ORDER BY impression_id
"""
_SESSIONS = f"""
SELECT session_id, arms.name AS arm, source_user_id AS "user", day, sim_time, policy_version, pscore_kind, pages,
       ended_by, satisfaction
FROM {_VISIT}
ORDER BY session_id
"""
_EVENTS = f"""
SELECT event_id, sessions.session_id, events.impression_id, arms.name AS arm, source_user_id AS "user", day,
       events.page, events.kind, source_item_id AS item, value, detail
FROM {_VISIT} JOIN events ON events.session_id = sessions.session_id
LEFT JOIN impressions ON impressions.impression_id = events.impression_id
LEFT JOIN items ON items.item_id = impressions.item_id
ORDER BY event_id
"""
_CALLS = f"""
SELECT call_id, session_id, arms.name AS arm, source_user_id AS "user", day, page, template, prompt_hash, model,
       model_fingerprint, temperature, calls.seed, status, attempts, from_store, prompt_tokens, cached_tokens,
       completion_tokens, latency_seconds, messages, reply, first_token
FROM {_VISIT} JOIN calls USING (session_id)
ORDER BY call_id
"""
_AGENTS = 'SELECT agent_id, source_user_id AS "user", persona FROM agents ORDER BY agent_id'
_ITEMS = "SELECT item_id, source_item_id AS item, title, year, genres FROM items ORDER BY item_id"
_ARMS = """
SELECT arm_id, name AS arm, position, recommender, options, sees_hidden_preference FROM arms ORDER BY position
"""
_INTERACTIONS = f"""
SELECT arms.name AS arm, source_user_id AS "user", source_item_id AS item, rating, sim_time AS timestamp, day
FROM {_VISIT} JOIN impressions USING (session_id) JOIN items USING (item_id)
WHERE clicked
ORDER BY impression_id
"""


@dataclass(frozen=True, slots=True)
class RunFrames:
    """The tables of one log, with names of arms and the data set's own ids of users and items beside each row.

    What nobody knows is missing (NaN or NA), never 0 or False.

    Attributes:
        run: The run's directory.
    """

    run: Path

    def impressions(self) -> pd.DataFrame:
        """One row per slot that was shown."""
        return self._read(_IMPRESSIONS, truths=("is_random", "examined", "clicked"), words=("team",))

    def sessions(self) -> pd.DataFrame:
        """One row per visit."""
        return self._read(_SESSIONS)

    def events(self) -> pd.DataFrame:
        """One row per thing that happened."""
        return self._read(_EVENTS, counts=("impression_id",), words=("item", "detail"))

    def calls(self) -> pd.DataFrame:
        """One row per question to a language model."""
        return self._read(_CALLS, truths=("from_store",), counts=("seed",), words=("first_token",))

    def agents(self) -> pd.DataFrame:
        """One row per simulated person."""
        return self._read(_AGENTS)

    def items(self) -> pd.DataFrame:
        """One row per item of the catalogue, shown or not."""
        return self._read(_ITEMS, counts=("year",))

    def arms(self) -> pd.DataFrame:
        """One row per recommender under test."""
        return self._read(_ARMS, truths=("sees_hidden_preference",))

    def interactions(self) -> pd.DataFrame:
        """One row per item that was opened: what the recommenders could learn from."""
        return self._read(_INTERACTIONS)

    def _read(
        self, sql: str, *, truths: Sequence[str] = (), counts: Sequence[str] = (), words: Sequence[str] = ()
    ) -> pd.DataFrame:
        """The answer to a query; columns named besides it may lack values, and have the types that can."""
        import pandas as pd

        with reading(self.run):
            engine = open_log(self.run)
            try:
                frame = pd.read_sql_query(sql, engine)
            finally:
                engine.dispose()
        kinds = {**dict.fromkeys(truths, "boolean"), **dict.fromkeys(counts, "Int64"), **dict.fromkeys(words, "string")}
        return frame.astype(kinds)
