"""A log by item: how often each was shown and what was done with it, by part of the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlings.simulator.log.columnar import columnar
from groundlings.simulator.log.reading.excerpts import ExcerptReader, WithEvents
from groundlings.simulator.log.reading.part_sums import counts_by_item

if TYPE_CHECKING:
    import pandas as pd

# Whole numbers divide without a rest on either database; PostgreSQL's drivers take a bare percent sign for a place.
_PART = "(agent_id - {first}) - ((agent_id - {first}) / {parts}) * {parts}"

_SHOWN = f"""
SELECT arm_id, {_PART} AS part, item_id, count(*) AS shown, count(clicked) AS known,
       count(CASE WHEN clicked THEN 1 END) AS clicks
FROM impressions LEFT JOIN sessions USING (session_id)
GROUP BY arm_id, {_PART}, item_id
"""

_BOUGHT = f"""
SELECT arm_id, {_PART} AS part, item_id, count(CASE WHEN kind = 'purchase' THEN 1 END) AS purchases,
       count(CASE WHEN kind = 'paid' THEN 1 END) AS priced,
       coalesce(sum(CASE WHEN kind = 'paid' THEN value END), 0.0) AS paid
FROM events LEFT JOIN impressions ON impressions.impression_id = events.impression_id
     LEFT JOIN sessions ON sessions.session_id = events.session_id
WHERE kind IN ('purchase', 'paid')
GROUP BY arm_id, {_PART}, item_id
"""

_PURCHASES = """
SELECT arm_id, agent_id, day, item_id
FROM events LEFT JOIN impressions ON impressions.impression_id = events.impression_id
     LEFT JOIN sessions ON sessions.session_id = events.session_id
WHERE kind = 'purchase'
ORDER BY arm_id, agent_id, day, event_id
"""

_PRICED = """
SELECT arm_id, count(CASE WHEN kind = 'purchase' THEN 1 END) AS purchases,
       count(CASE WHEN kind = 'paid' THEN 1 END) AS priced, count(CASE WHEN kind = 'cost' THEN 1 END) AS costed
FROM events LEFT JOIN sessions USING (session_id)
WHERE kind IN ('purchase', 'paid', 'cost')
GROUP BY arm_id
"""

_AGENTS_SHOWN = "SELECT arm_id, count(DISTINCT agent_id) AS agents FROM sessions WHERE pages > 0 GROUP BY arm_id"

_ITEM_IDS = "SELECT item_id FROM items ORDER BY item_id"


class ItemReader(ExcerptReader):
    """See `LogReader`."""

    def item_numbers(self) -> list[int]:
        """The log's numbers of the items, in the order of the catalog."""
        return [row[0] for chunk in self._chunks(_ITEM_IDS) for row in chunk]

    def items_shown(self, parts: int) -> pd.DataFrame:
        """One row per arm, part of the agents and item that was shown: arm_id, part, item_id, shown, known (with known
        outcome) and clicks.

        Args:
            parts: Into how many parts the agents are divided: their place in the log modulo this, alike in all arms.
        """
        with self._connected() as connection:
            behind = columnar(connection)
            if behind is not None:
                return counts_by_item(behind, parts, self._numbers_of("agents"), self._numbers_of("items"))
        return self._ask_all(_SHOWN.format(parts=parts, first=self._first_agent()))

    def items_bought(self, parts: int) -> pd.DataFrame:
        """As `items_shown`: arm_id, part, item_id, purchases, priced (those whose price is known) and paid (for
        these); empty where nothing was bought."""
        sold = WithEvents(("purchase", "paid"))
        return self._ask_of(sold, _BOUGHT.format(parts=parts, first=self._first_agent()))

    def agents_shown(self) -> dict[int, int]:
        """arm_id -> agents who were shown something there; arms in which nobody was are absent."""
        return {row["arm_id"]: int(row["agents"]) for row in self._rows(_AGENTS_SHOWN)}

    def purchases_known(self) -> dict[int, tuple[int, int, int]]:
        """arm_id -> purchases, those with a known price, and those with a known cost; arms without any are absent."""
        return {
            row["arm_id"]: (int(row["purchases"]), int(row["priced"]), int(row["costed"]))
            for row in self._rows(_PRICED)
        }

    def purchases(self) -> pd.DataFrame:
        """One row per purchase, in the order of happening within an arm and agent: arm_id, agent_id, day, item_id."""
        return self._ask_of(WithEvents(("purchase",)), _PURCHASES)

    def _first_agent(self) -> int:
        return self._numbers_of("agents").start
