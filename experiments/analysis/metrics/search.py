"""Metrics of search sessions: how often people ask, ask again, find nothing, and click, by where an item stood.

They count the events `query` and `source` (`feed` or `search`, one for each page), and exist where queries can be made.
What is unknown is never zero: a session with a lost page is left out where its queries or clicks would be guessed.
Reformulation and abandonment are those of Web search (Jansen, Booth and Spink 2009, "Patterns of query reformulation
during Web searching", JASIST 60; Diriye, White, Buscher and Dumais 2012, "Leaving so soon? Understanding and predicting
Web search abandonment rationales", CIKM).
"""

from __future__ import annotations

from groundlings.experiments.analysis.metrics.declaration import Metric

_ASKING = "Jansen, Booth and Spink 2009, Patterns of query reformulation during Web searching"
_LEAVING = "Diriye, White, Buscher and Dumais 2012, Leaving so soon?"

_NEEDS = frozenset({"click", "query"})

_SESSIONS = """\
SELECT arm_id, agent_id, day, {numerator} AS numerator, {denominator} AS denominator
FROM sessions LEFT JOIN (
  SELECT session_id, count(*) AS queries
  FROM events
  WHERE kind = 'query'
  GROUP BY session_id
) AS asked ON asked.session_id = sessions.session_id
LEFT JOIN (
  SELECT impressions.session_id, count(CASE WHEN clicked THEN 1 END) AS clicks
  FROM impressions JOIN events ON events.session_id = impressions.session_id AND events.page = impressions.page
  WHERE kind = 'source' AND detail = 'search'
  GROUP BY impressions.session_id
) AS found ON found.session_id = sessions.session_id
WHERE ended_by NOT IN ('unreadable', 'unanswerable')
GROUP BY arm_id, agent_id, day"""
"""Sessions all of whose pages could be read, with queries, and clicks on results; NULL where there were none."""

_OF_SOURCE = """\
SELECT arm_id, agent_id, day, count(CASE WHEN clicked THEN 1 END) AS numerator, count(clicked) AS denominator
FROM impressions JOIN sessions ON sessions.session_id = impressions.session_id
JOIN events ON events.session_id = impressions.session_id AND events.page = impressions.page
WHERE kind = 'source' AND detail = '{source}'
GROUP BY arm_id, agent_id, day"""

_WITHOUT_RESULTS = """\
SELECT arm_id, agent_id, day, count(CASE WHEN shown.page IS NULL THEN 1 END) AS numerator, count(*) AS denominator
FROM events JOIN sessions ON sessions.session_id = events.session_id
LEFT JOIN (
  SELECT DISTINCT session_id, page FROM impressions
) AS shown ON shown.session_id = events.session_id AND shown.page = events.page + 1
WHERE kind = 'query'
GROUP BY arm_id, agent_id, day"""
"""Queries, and those whose page of results, the next one, has no impression."""


def _among_sessions(of: str, among: str) -> str:
    """SQL of sessions for which a condition holds, among those for which another one does."""
    return _SESSIONS.format(
        numerator=f"sum(CASE WHEN {among} AND {of} THEN 1 ELSE 0 END)",
        denominator=f"sum(CASE WHEN {among} THEN 1 ELSE 0 END)",
    )


SEARCH: tuple[Metric, ...] = (
    Metric(
        name="queries_per_session",
        definition="Queries, divided by sessions; a session without one counts as zero.",
        unit="queries per session",
        denominator="session",
        decimals=2,
        higher_is_better=None,
        source=_ASKING,
        needs=_NEEDS,
        sql=_SESSIONS.format(numerator="sum(coalesce(queries, 0))", denominator="count(*)"),
    ),
    Metric(
        name="reformulation_rate",
        definition="Sessions with a second query, divided by sessions with a query.",
        unit="share of sessions with a query",
        denominator="session with a query",
        higher_is_better=False,
        source=_ASKING,
        needs=_NEEDS,
        sql=_among_sessions("queries > 1", "coalesce(queries, 0) > 0"),
    ),
    Metric(
        name="search_abandonment",
        definition="Sessions without a click on a result, divided by sessions with a query.",
        unit="share of sessions with a query",
        denominator="session with a query",
        higher_is_better=False,
        source=_LEAVING,
        needs=_NEEDS,
        sql=_among_sessions("coalesce(clicks, 0) = 0", "coalesce(queries, 0) > 0"),
    ),
    Metric(
        name="queries_without_results",
        definition="Queries whose page of results has no item, divided by queries.",
        unit="share of queries",
        denominator="query",
        higher_is_better=False,
        needs=_NEEDS,
        sql=_WITHOUT_RESULTS,
    ),
    Metric(
        name="click_rate_of_results",
        definition="Clicks on results, divided by results whose outcome is known.",
        unit="share of results",
        denominator="result whose outcome is known",
        higher_is_better=True,
        measures_choice=True,
        needs=_NEEDS,
        sql=_OF_SOURCE.format(source="search"),
    ),
    Metric(
        name="click_rate_of_feed",
        definition="Clicks on pages of the feed, divided by impressions there whose outcome is known.",
        unit="share of impressions on the feed",
        denominator="impression on the feed whose outcome is known",
        higher_is_better=True,
        measures_choice=True,
        needs=_NEEDS,
        sql=_OF_SOURCE.format(source="feed"),
    ),
)
"""Metrics of search sessions, each in SQL over the tables of the log."""
