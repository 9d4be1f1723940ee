"""In what words items were shown, slot by slot and counted, where a recommender chose them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groundlings.simulator.log.presentation_rows import presentations
from groundlings.simulator.log.reading.open_log import OpenLog

if TYPE_CHECKING:
    import pandas as pd

_SLOTS = """
SELECT session_id, impression_id, name AS arm, source_user_id AS user_id, day, page, position,
       source_item_id AS item_id, title, original, shown, fitting, clicked
FROM presentations LEFT JOIN impressions USING (session_id, rank) LEFT JOIN sessions USING (session_id)
     LEFT JOIN (SELECT arm_id, name FROM arms) AS named USING (arm_id) LEFT JOIN agents USING (agent_id)
     LEFT JOIN items USING (item_id)
ORDER BY session_id, rank
"""

_COUNTS = """
SELECT arm_id, count(*) AS slots, count(shown) AS presented, count(CASE WHEN fitting > 0 THEN 1 END) AS fitting
FROM presentations LEFT JOIN sessions USING (session_id)
GROUP BY arm_id
"""


class PresentationReader(OpenLog):
    """See `LogReader`."""

    def presentations(self) -> pd.DataFrame:
        """One row per slot whose words a recommender chose, in the order of the log; none where no recommender did.

        Returns:
            session_id, impression_id; arm (name), user_id (the data set's own); day (0 is the first), page (1 is the
            first), position (0 is the first); item_id (the data set's own), title; original (what the catalogue says of
            the item beside its title), shown (the line in its place, NA = the catalogue's own words), fitting (how many
            facts of the line fit the keywords it was chosen by, NA likewise); clicked (NA = unknown).
        """
        import pandas as pd

        if not self.columns_of(presentations.name):
            names = _SLOTS.partition("SELECT")[2].partition("FROM")[0].replace("\n", " ").split(",")
            return pd.DataFrame(columns=[name.split()[-1] for name in names])
        found = self._ask(_SLOTS)
        clicked = found.clicked.astype("Float64").astype("boolean")  # 0, 1 and NaN, as SQLite has them
        return found.assign(clicked=clicked).astype({"shown": "string", "fitting": "Int64"})

    def presented_by_arm(self) -> dict[int, tuple[int, int, int]]:
        """arm_id -> slots whose words a recommender could choose, those with a line, those whose line fits a keyword;
        arms whose recommender says nothing of items are absent."""
        if not self.columns_of(presentations.name):
            return {}
        rows = self._rows(_COUNTS)
        return {int(row["arm_id"]): (int(row["slots"]), int(row["presented"]), int(row["fitting"])) for row in rows}
