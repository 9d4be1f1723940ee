"""A log step by step: what was shown, looked at, opened and done with it, by page, slot and item, for some agents.

Every method takes `every`: one of so many agents, from the first of the log on, is read, the same ones in every arm. Of
one in many, sessions are found first and their impressions by the index, so that the time depends on what is read.
Where two arms draft lists together, a row counts for the arm that picked it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.parts import RESTORE
from groundlings.simulator.log.reading.cells import refuse_places
from groundlings.simulator.log.reading.excerpts import OfAgents, WithEvents
from groundlings.simulator.log.reading.items import ItemReader

if TYPE_CHECKING:
    import pandas as pd

_WHOLE = "CASE WHEN ended_by IN ('unreadable', 'unanswerable') THEN 0 ELSE 1 END"

_PAGES = """
SELECT {arm} AS arm_id, agent_id, page, {whole} AS whole, count(*) AS shown, count(clicked) AS known,
       count(CASE WHEN clicked IS NOT NULL THEN examined END) AS told,
       count(CASE WHEN clicked IS NOT NULL AND examined THEN 1 END) AS looked,
       count(CASE WHEN clicked THEN 1 END) AS clicks,
       count(CASE WHEN rating >= :like_from THEN 1 END) AS likes, count(rating) AS ratings, sum(rating) AS stars
FROM {tables}
GROUP BY {arm}, agent_id, page, {whole}
"""

_DEEDS = """
SELECT {arm} AS arm_id, agent_id, impressions.page AS page, {whole} AS whole, {counts}
FROM events LEFT JOIN impressions ON impressions.impression_id = events.impression_id
     LEFT JOIN sessions ON sessions.session_id = events.session_id
WHERE kind IN ({kinds}) AND events.impression_id IS NOT NULL AND {sampled}
GROUP BY {arm}, agent_id, impressions.page, {whole}
"""

_SLOTS = """
SELECT {arm} AS arm_id, {part} AS part, display_position AS slot, {whole} AS whole, count(clicked) AS known,
       count(CASE WHEN clicked IS NOT NULL AND examined THEN 1 END) AS looked,
       count(CASE WHEN clicked THEN 1 END) AS clicks
FROM {tables}
GROUP BY {arm}, {part}, display_position, {whole}
"""

_ITEMS = """
SELECT {arm} AS arm_id, {part} AS part, item_id, {whole} AS whole, count(*) AS shown,
       count(DISTINCT agent_id) AS agents, count(clicked) AS known, sum(rank) AS ranks,
       count(CASE WHEN clicked IS NOT NULL THEN examined END) AS told,
       count(CASE WHEN clicked IS NOT NULL AND examined THEN 1 END) AS looked,
       count(CASE WHEN clicked THEN 1 END) AS clicks, count(rating) AS ratings,
       count(CASE WHEN rating >= :like_from THEN 1 END) AS likes, sum(rating) AS stars
FROM {tables}
GROUP BY {arm}, {part}, item_id, {whole}
"""

_ITEM_DEEDS = """
SELECT {arm} AS arm_id, {part} AS part, item_id, {whole} AS whole, {counts}
FROM events LEFT JOIN impressions ON impressions.impression_id = events.impression_id
     LEFT JOIN sessions ON sessions.session_id = events.session_id
WHERE kind IN ({kinds}) AND events.impression_id IS NOT NULL AND {sampled}
GROUP BY {arm}, {part}, item_id, {whole}
"""

_PRICES = """
SELECT item_id, min(value) AS lowest, max(value) AS highest
FROM events JOIN impressions ON impressions.impression_id = events.impression_id
WHERE kind = 'offer_price' AND item_id IN ({items})
GROUP BY item_id
"""

_FIRST_PAGES = """
SELECT arm_id, agent_id, day, sim_time, item_id
FROM {tables} AND page = 1
"""

_ENDS = """
SELECT (SELECT count(*) FROM sessions) AS sessions, (SELECT min(session_id) FROM sessions) AS first,
       (SELECT max(session_id) FROM sessions) AS last, (SELECT min(session_id) FROM {table}) AS from_here,
       (SELECT max(session_id) FROM {table}) AS to_here
"""
_STRAY = """
SELECT 1 FROM {table} LEFT JOIN sessions ON sessions.session_id = {table}.session_id
WHERE sessions.session_id IS NULL LIMIT 1
"""

_ALL = "1 = 1"
_DRIVEN_BY_IMPRESSIONS = f"impressions LEFT JOIN sessions ON sessions.session_id = impressions.session_id WHERE {_ALL}"
_DRIVEN_BY_SESSIONS = "sessions CROSS JOIN impressions WHERE impressions.session_id = sessions.session_id AND {sampled}"


class StepReader(ItemReader):
    """See `LogReader`."""

    def steps_by_page(self, every: int, like_from: float) -> pd.DataFrame:
        """One row per arm, agent, page and kind of session: arm_id, agent_id, page, whole (1 = no page of the session
        is lost, else 0), shown, known (with known outcome); of these told (the mind says whether it looked), looked,
        clicks and likes.

        Args:
            every: One of so many agents.
            like_from: From this many stars on, a rating is a like.
        """
        found = self._ask_steps(every, self._filled(_PAGES, every), like_from=like_from)
        return found.drop(columns=["ratings", "stars"])  # asked for because they tell of ratings that are no numbers

    def deeds_by_page(self, every: int, kinds: Sequence[str]) -> pd.DataFrame:
        """As `steps_by_page`, from the events of impressions: arm_id, agent_id, page, whole, then how many of each kind
        in a column of its name, and `paid`, the sum of their values, where that is among the kinds.

        Args:
            every: One of so many agents.
            kinds: Actions of the environment.
        """
        return self._ask_deeds(every, kinds, self._filled(_DEEDS, every, kinds=kinds))

    def steps_by_slot(self, parts: int, every: int) -> pd.DataFrame:
        """One row per arm, part of the agents, slot where the mind saw it (0 is the first) and kind of session: arm_id,
        part, slot, whole, known, looked, clicks.

        Args:
            parts: Into how many parts the agents that are read are divided, alike in all arms.
            every: One of so many agents.
        """
        found = self._ask_steps(every, self._filled(_SLOTS, every, parts))
        refuse_places(self, "impressions.display_position", found.slot.unique().tolist())
        return found

    def items_by_step(self, parts: int, every: int, like_from: float) -> pd.DataFrame:
        """One row per arm, part of the agents, item that was shown and kind of session: arm_id, part, item_id, whole,
        shown, agents (to whom), known, ranks (their sum, 0 is the first slot of a session), told, looked, clicks,
        ratings, likes, stars (their sum). Arguments as of `steps_by_slot` and `steps_by_page`."""
        return self._ask_steps(every, self._filled(_ITEMS, every, parts), like_from=like_from)

    def items_by_deed(self, parts: int, every: int, kinds: Sequence[str]) -> pd.DataFrame:
        """As `items_by_step`, from events: arm_id, part, item_id, whole, then columns as of `deeds_by_page`."""
        return self._ask_deeds(every, kinds, self._filled(_ITEM_DEEDS, every, parts, kinds))

    def prices_shown(self, item_ids: Sequence[int]) -> dict[int, tuple[float, float]]:
        """item_id -> lowest and highest price that it was shown with; items without a price are absent."""
        items = ", ".join(str(int(each)) for each in item_ids)
        rows = self._rows(_PRICES.format(items=items)) if items else []
        return {row["item_id"]: (float(row["lowest"]), float(row["highest"])) for row in rows}

    def first_pages(self, every: int) -> pd.DataFrame:
        """One row per impression of the first page of a session: arm_id, agent_id, day, sim_time, item_id."""
        return self._ask_steps(every, _FIRST_PAGES.format(tables=self._tables(every)))

    def _ask_steps(self, every: int, sql: str, **values: Any) -> pd.DataFrame:
        """The answer about impressions of one of so many agents."""
        self._refuse_strays_beside_a_sample("impressions", every)
        wanted = OfAgents(self._first_agent(), every)
        # Those whose rows are kept already may be more than are wanted.
        kept = (each for each in self._kept if isinstance(each, OfAgents) and wanted.are_among(each))
        return self._ask_of(next(kept, wanted), sql, **values)

    def _ask_deeds(self, every: int, kinds: Sequence[str], sql: str) -> pd.DataFrame:
        """As `_ask_steps`, about events of some kinds."""
        self._refuse_strays_beside_a_sample("events", every)
        return self._ask_of(WithEvents(tuple(kinds), OfAgents(self._first_agent(), every)), sql)

    def _refuse_strays_beside_a_sample(self, table: Literal["impressions", "events"], every: int) -> None:
        """Return where each row of a table is of a session that is there; a query of all rows meets the others itself.

        Sessions are numbered without gaps. Where that holds, the first and the last number among the rows tell: an
        index has them, and no row is read. Parts are read beside their own sessions, which tells of others.
        """
        with self._connected() as connection:
            if every == 1 or columnar(connection) is not None:
                return
        (found,) = self._rows(_ENDS.format(table=table))
        first, last = found["first"] or 0, found["last"] or 0
        inside = first <= (found["from_here"] or first) <= (found["to_here"] or last) <= last
        if inside and last - first + 1 == found["sessions"]:
            return
        if self._rows(_STRAY.format(table=table)):
            raise RunDirectoryError(
                f"{self}: the log is damaged: {table}.session_id holds a number that no session has; {RESTORE}"
            )

    def _filled(self, sql: str, every: int, parts: int = 1, kinds: Sequence[str] = ()) -> str:
        first = self._first_agent()
        turn = f"((agent_id - {first}) / {every})"
        return sql.format(
            arm="coalesce(team_arm_id, arm_id)" if "team_arm_id" in self.columns_of("impressions") else "arm_id",
            whole=_WHOLE,
            part=f"({turn} - ({turn} / {parts}) * {parts})",
            tables=self._tables(every),
            sampled=_ALL if every == 1 else f"{turn} * {every} = agent_id - {first}",
            kinds=", ".join(f"'{kind}'" for kind in kinds),
            counts=", ".join(_counted(kind) for kind in kinds),
        )

    def _tables(self, every: int) -> str:
        if every == 1:
            return _DRIVEN_BY_IMPRESSIONS
        first = self._first_agent()
        sampled = f"((agent_id - {first}) / {every}) * {every} = agent_id - {first}"
        return _DRIVEN_BY_SESSIONS.format(sampled=sampled)


def _counted(kind: str) -> str:
    """Events of a kind in SQL; the name of an action has letters, digits and underscores only."""
    number = f"count(CASE WHEN kind = '{kind}' THEN 1 END)"
    if kind != "paid":
        return f"{number} AS {kind}"
    return f"{number} AS priced, coalesce(sum(CASE WHEN kind = 'paid' THEN value END), 0.0) AS paid"
