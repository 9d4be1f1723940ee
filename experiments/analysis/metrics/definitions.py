"""What each shipped metric means: the one place that the summary, the report and the documentation read.

The metrics are those of Agent4Rec (Zhang et al. 2024, "On generative agents in recommendation", section 4.2:
view ratio, which is the click-through rate, number of likes, like ratio, exit page, satisfaction) and the mean
rating. Each is a ratio of two totals per agent and arm, over all sessions of the agent. An agent whose denominator
is zero has no value, is left out and is counted.

A page is lost where no reply came that could be read; nothing is known of it but what was shown, and that is never a
zero. So a metric of slots counts those whose outcome is known, and one of sessions leaves out the sessions of which it
would have to guess a part.
"""

from __future__ import annotations

from dataclasses import replace

from groundlings.environments.actions import OPINIONS
from groundlings.experiments.analysis.metrics.declaration import Metric

_SAYS_LIKES = frozenset(OPINIONS)
_SOURCE = "Zhang et al. 2024, On generative agents in recommendation, section 4.2"

METRICS: tuple[Metric, ...] = (
    Metric(
        name="view_ratio",
        label="Click-through rate",
        definition="Clicks divided by impressions, where the outcome is known (CTR; Agent4Rec: view ratio).",
        unit="share of impressions",
        decimals=3,
        higher_is_better=True,
        left_out="agents who were shown nothing whose outcome is known",
        numerator="clicks",
        denominator="known",
        source=_SOURCE,
        measures_choice=True,
        needs=frozenset({"click"}),
        sql="""\
SELECT arm_id, agent_id, avg(CAST(clicked AS INTEGER)) AS value
FROM impressions JOIN sessions USING (session_id)
GROUP BY arm_id, agent_id""",
    ),
    Metric(
        name="likes_per_session",
        label="Likes per session",
        definition=(
            "Ratings that are likes, divided by sessions; a session without one counts as zero. The likes of a session"
            " with a lost page are not known: such sessions are left out."
        ),
        unit="likes",
        least=0.0,
        decimals=2,
        higher_is_better=True,
        left_out="agents without a session every page of which could be read",
        numerator="whole_likes",
        denominator="whole_sessions",
        source=_SOURCE,
        measures_choice=True,
        needs_one=_SAYS_LIKES,
        sql="""\
SELECT arm_id, agent_id, avg(likes) AS value
FROM (
  SELECT arm_id, agent_id, count(CASE WHEN rating >= (SELECT like_from FROM runs) THEN 1 END) AS likes
  FROM sessions LEFT JOIN impressions USING (session_id)
  WHERE ended_by NOT IN ('unreadable', 'unanswerable')
  GROUP BY arm_id, agent_id, sessions.session_id
) AS per_session
GROUP BY arm_id, agent_id""",
    ),
    Metric(
        name="like_ratio",
        label="Like ratio",
        definition="Ratings that are likes, divided by all ratings that could be read.",
        unit="share of ratings",
        decimals=3,
        higher_is_better=True,
        left_out="agents without a rating that could be read",
        numerator="likes",
        denominator="ratings",
        source=_SOURCE,
        needs_one=_SAYS_LIKES,
        sql="""\
SELECT arm_id, agent_id, avg(CAST(rating >= (SELECT like_from FROM runs) AS INTEGER)) AS value
FROM impressions JOIN sessions USING (session_id)
GROUP BY arm_id, agent_id""",
    ),
    Metric(
        name="mean_rating",
        label="Mean rating",
        definition="Mean of the stars given, where they could be read.",
        unit="stars",
        decimals=2,
        higher_is_better=True,
        left_out="agents without a rating that could be read",
        numerator="stars",
        denominator="ratings",
        needs=frozenset({"rate"}),
        sql="""\
SELECT arm_id, agent_id, avg(rating) AS value
FROM impressions JOIN sessions USING (session_id)
GROUP BY arm_id, agent_id""",
    ),
    Metric(
        name="exit_page",
        label="Exit page",
        definition=(
            "Pages seen in a session, 1 = left from the first page. A session cut short by the last page of the"
            " site or by a lost page counts with the pages it saw, so the mean is a lower bound; where the first page"
            " is lost nothing is known, and the session is left out."
        ),
        unit="pages",
        least=1.0,
        decimals=2,
        higher_is_better=None,
        left_out="agents without a session whose first page could be read",
        numerator="begun_pages",
        denominator="begun_sessions",
        source=_SOURCE,
        sql="""\
SELECT arm_id, agent_id, avg(pages) AS value
FROM sessions
WHERE pages > 1 OR ended_by NOT IN ('unreadable', 'unanswerable')
GROUP BY arm_id, agent_id""",
    ),
    Metric(
        name="satisfaction",
        label="Satisfaction",
        definition=(
            "Mean satisfaction with a session, 1 to 10; a session's is the mean of the pages that were asked and could"
            " be read."
        ),
        unit="points of 10",
        least=1.0,
        most=10.0,
        decimals=2,
        higher_is_better=True,
        left_out="agents who were never asked, or never gave a readable answer",
        numerator="satisfaction",
        denominator="asked",
        source=_SOURCE,
        sql="""\
SELECT arm_id, agent_id, avg(satisfaction) AS value
FROM sessions
GROUP BY arm_id, agent_id""",
    ),
)

BY_NAME = {metric.name: metric for metric in METRICS}

OF_LIKES = {
    "likes_per_session": replace(
        BY_NAME["likes_per_session"],
        definition=(
            "Likes divided by sessions; a session without one counts as zero. The likes of a session with a lost page"
            " are not known: such sessions are left out."
        ),
    ),
    "like_ratio": replace(
        BY_NAME["like_ratio"],
        definition="Likes divided by likes and dislikes that could be read.",
        unit="share of likes and dislikes",
        left_out="agents without a like or dislike that could be read",
    ),
}
"""Those metrics in the words of data whose people like and dislike instead of rating."""
