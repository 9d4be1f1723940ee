"""Metrics of coming back, by name: sessions and days per user, days between them, and retention on any day.

They are not among the metrics that every report shows; an experiment file names those it wants. All are of users with a
session: when a user comes for the first time depends on no arm, so that nobody is left out because of one.
"""

from __future__ import annotations

import re

from groundlings.experiments.analysis.metrics.declaration import Metric

_CAME = "agents who never had a session"

SESSIONS_PER_USER = Metric(
    name="sessions_per_user",
    label="Sessions per user",
    definition="Sessions of a user over all simulated days; of users with a session.",
    unit="sessions",
    decimals=2,
    higher_is_better=True,
    denominator="user with a session",
    left_out=_CAME,
    sql="""\
SELECT arm_id, agent_id, count(*) AS numerator, 1 AS denominator
FROM sessions
GROUP BY arm_id, agent_id""",
)
DAYS_ACTIVE = Metric(
    name="days_active",
    label="Days active",
    definition="Days with a session of a user; of users with a session.",
    unit="days",
    decimals=2,
    higher_is_better=True,
    denominator="user with a session",
    left_out=_CAME,
    sql="""\
SELECT arm_id, agent_id, count(DISTINCT day) AS numerator, 1 AS denominator
FROM sessions
GROUP BY arm_id, agent_id""",
)
RETURN_GAP = Metric(
    name="return_gap",
    label="Return gap",
    definition=(
        "Days from a day with a session to the user's next; of users who came back. Gaps that are open when the run"
        " ends are not in it, so it is shorter than all gaps are."
    ),
    unit="days",
    decimals=2,
    higher_is_better=False,
    denominator="gap between days with a session",
    left_out="agents who never came back on a later day",
    sql="""\
SELECT arm_id, agent_id, max(day) - min(day) AS numerator, count(DISTINCT day) - 1 AS denominator
FROM sessions
GROUP BY arm_id, agent_id
HAVING count(DISTINCT day) > 1""",
)
FIRST_SESSION_CLICKS = Metric(
    name="first_session_clicks",
    label="Clicks in the first session",
    definition=(
        "Clicks in a user's first session, one without any counts as zero; where a page of it is lost its clicks are"
        " not known, and the user is left out. What arms do to returns is not in it."
    ),
    unit="clicks",
    decimals=2,
    higher_is_better=True,
    denominator="first session every page of which could be read",
    left_out="agents who never had a session, or lost a page of the first one",
    measures_choice=True,
    needs=frozenset({"click"}),
    sql="""\
SELECT arm_id, agent_id, count(CASE WHEN clicked THEN 1 END) AS numerator, 1 AS denominator
FROM sessions LEFT JOIN impressions USING (session_id)
WHERE session_id IN (SELECT min(session_id) FROM sessions GROUP BY arm_id, agent_id)
  AND ended_by NOT IN ('unreadable', 'unanswerable')
GROUP BY arm_id, agent_id""",
)

BY_NAME = {metric.name: metric for metric in (SESSIONS_PER_USER, DAYS_ACTIVE, RETURN_GAP, FIRST_SESSION_CLICKS)}
LISTED = (*BY_NAME, "retention_1", "retention_7", "retention_28", "rolling_retention_7")
"""Names that are listed where metrics are; retention has any day."""

_RETENTION = re.compile(r"(rolling_)?retention_([1-9][0-9]{0,4})")


def metric_of_returns(name: str) -> Metric | None:
    """The metric of a name: one of `BY_NAME`, `retention_N` or `rolling_retention_N`; None of any other name."""
    found = _RETENTION.fullmatch(name)
    if found is None:
        return BY_NAME.get(name)
    day = int(found[2])
    return rolling_retention(day) if found[1] else retention(day)


def retention(day: int) -> Metric:
    """The share of users with a session exactly so many days after their first one."""
    return Metric(
        name=f"retention_{day}",
        label=f"Back on day {day}",
        definition=f"Share of users with a session {_days(day)} after the day of their first one.",
        unit="share of users",
        higher_is_better=True,
        denominator=f"user whose first session is {_days(day)} or more before the last day",
        left_out="agents whose first session is later, or who never had one",
        sql=f"""\
SELECT arm_id, agent_id, count(DISTINCT CASE WHEN day = first_day + {day} THEN 1 END) AS numerator, 1 AS denominator
{_SINCE_FIRST}
WHERE first_day + {day} <= (SELECT max(day) FROM sessions)
GROUP BY arm_id, agent_id""",
    )


def rolling_retention(day: int) -> Metric:
    """The share of users with a session so many days after their first one, or later."""
    return Metric(
        name=f"rolling_retention_{day}",
        label=f"Back on day {day} or later",
        definition=(
            f"Share of users with a session {_days(day)} after the day of their first one or later. It falls towards"
            " the end of a run, where little time is left to come back."
        ),
        unit="share of users",
        higher_is_better=True,
        denominator=f"user whose first session is {_days(day)} or more before the last day",
        left_out="agents whose first session is later, or who never had one",
        sql=f"""\
SELECT arm_id, agent_id, max(CASE WHEN day >= first_day + {day} THEN 1 ELSE 0 END) AS numerator, 1 AS denominator
{_SINCE_FIRST}
WHERE first_day + {day} <= (SELECT max(day) FROM sessions)
GROUP BY arm_id, agent_id""",
    )


_SINCE_FIRST = """\
FROM sessions JOIN (
  SELECT arm_id, agent_id, min(day) AS first_day
  FROM sessions
  GROUP BY arm_id, agent_id
) AS first_sessions USING (arm_id, agent_id)"""


def _days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"
