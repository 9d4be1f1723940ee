"""How the replies of a run came: in which form and from which model, and how many without counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import inspect, text

from groundlings.simulator.language.replies_so_far import RepliesSoFar
from groundlings.simulator.log.reading.open_log import OpenLog
from groundlings.simulator.log.spending import AGENT
from groundlings.simulator.log.store import Store, named_faults

_BY_ARM = """
SELECT arms.name AS arm, calls.form AS form, count(*) AS calls
FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id)
WHERE calls.form IS NOT NULL
GROUP BY arms.name, calls.form
ORDER BY arms.name, calls.form
"""
_ESTIMATED = """
SELECT arms.name AS arm, count(*) AS calls
FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id)
WHERE calls.tokens_estimated
GROUP BY arms.name
ORDER BY arms.name
"""
_BUILDS = """
SELECT arms.name AS arm, calls.model_fingerprint AS build, count(*) AS calls
FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id)
WHERE calls.asked_by = 'agent' AND calls.status <> 'unanswerable' AND calls.model_fingerprint NOT IN ('', calls.model)
GROUP BY arms.name, calls.model_fingerprint
ORDER BY arms.name, calls DESC, calls.model_fingerprint
"""
_BY_ASKER = """
SELECT DISTINCT arms.name AS arm, calls.asked_by AS asked_by, calls.form AS form,
       CASE WHEN calls.status <> 'unanswerable' THEN calls.model END AS model
FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id)
WHERE calls.form IS NOT NULL
"""


def replies_by_form(log: OpenLog) -> dict[str, dict[str, int]]:
    """Arm -> form of the reply -> calls; arms whose calls have no known form are absent."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    if "form" in log.columns_of("calls"):
        for arm, form, calls in log.query(_BY_ARM).to_numpy():
            found[arm][form] = int(calls)
    return dict(found)


def calls_with_estimates(log: OpenLog) -> dict[str, int]:
    """Arm -> calls whose tokens are estimates, as the server gave no believable counts; arms without are absent."""
    if "tokens_estimated" not in log.columns_of("calls"):
        return {}
    return {arm: int(calls) for arm, calls in log.query(_ESTIMATED).to_numpy()}


def builds_by_arm(log: OpenLog) -> dict[str, dict[str, int]]:
    """Arm -> fingerprint of the model that answered its agents -> calls, most calls first.

    Arms are absent whose server gave no fingerprint but the model's name.
    """
    found: dict[str, dict[str, int]] = defaultdict(dict)
    if "asked_by" in log.columns_of("calls"):
        for arm, build, calls in log.query(_BUILDS).to_numpy():
            found[arm][build] = int(calls)
    return dict(found)


def replies_so_far(store: Store) -> Mapping[str, RepliesSoFar]:
    """Who asks -> what is known of the replies: "agent" for the agents, "arm NAME" for the recommender of an arm."""
    engine = store.for_writing()
    try:
        with named_faults(store), engine.connect() as connection:
            inspector = inspect(connection)
            known = inspector.has_table("calls") and any(
                column["name"] == "form" for column in inspector.get_columns("calls")
            )
            rows = connection.execute(text(_BY_ASKER)).all() if known else []
    finally:
        engine.dispose()
    found: dict[str, RepliesSoFar] = defaultdict(RepliesSoFar)
    for row in rows:
        asker = AGENT if row.asked_by == AGENT else f"arm {row.arm}"
        found[asker] |= RepliesSoFar(frozenset({row.form}), frozenset({row.model} - {"", None}))
    return dict(found)
