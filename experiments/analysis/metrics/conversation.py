"""Metrics of conversations: needs met, turns, questions, items named, and what was lost against the best item.

They exist where the environment offers `accept`, and read the events that
`groundlings.environments.conversation.talk_actions` declares. Sessions with a lost page are left out: what the user did
there is unknown. A session that the system broke off by a text that is no move stays in, and counts as a need not met.
"""

from __future__ import annotations

from groundlings.experiments.analysis.metrics.declaration import Metric

_SESSIONS = """\
SELECT arm_id, agent_id, day, {numerator} AS numerator, {denominator} AS denominator
FROM (
  SELECT arm_id, agent_id, day, sessions.session_id,
         count(CASE WHEN kind = 'accept' THEN 1 END) AS accepted,
         count(CASE WHEN kind = 'refuse' THEN 1 END) AS refused,
         count(CASE WHEN kind = 'abstains' THEN 1 END) AS abstained,
         count(CASE WHEN kind = 'breaks_off' THEN 1 END) AS broken,
         max(CASE WHEN kind = 'suitable_items' THEN value END) AS suitable,
         max(CASE WHEN kind = 'best_worth' THEN value END) AS best,
         sum(CASE WHEN kind = 'worth' THEN value END) AS worth,
         sum(CASE WHEN kind = 'asks' THEN value END) AS asked,
         sum(CASE WHEN kind = 'titles_not_shown' THEN value END) AS unshown, max(pages) - 1 AS turns
  FROM sessions LEFT JOIN events ON events.session_id = sessions.session_id
  WHERE ended_by NOT IN ('unreadable', 'unanswerable')
  GROUP BY arm_id, agent_id, day, sessions.session_id
) AS talks
GROUP BY arm_id, agent_id, day"""
"""Conversations all of whose pages could be read, with what was said and done in each."""

_MET = "CASE WHEN accepted > 0 OR (suitable = 0 AND abstained > 0) THEN 1 ELSE 0 END"


def _per_session(numerator: str, denominator: str = "count(*)") -> str:
    return _SESSIONS.format(numerator=numerator, denominator=denominator)


CONVERSATION: tuple[Metric, ...] = (
    Metric(
        name="needs_met",
        label="Needs met",
        definition="Conversations that end with an item that meets the need, or with an abstention where nothing meets"
        " it, divided by conversations.",
        unit="share of conversations",
        denominator="conversation",
        higher_is_better=True,
        needs=frozenset({"accept", "suitable_items", "abstains"}),
        sql=_per_session(f"sum({_MET})"),
    ),
    Metric(
        name="turns",
        label="Turns",
        definition="Moves of the system, divided by conversations.",
        unit="moves per conversation",
        denominator="conversation",
        decimals=2,
        higher_is_better=False,
        needs=frozenset({"accept"}),
        sql=_per_session("sum(turns)"),
    ),
    Metric(
        name="questions",
        label="Questions",
        definition="Fields that the system asked about, a field asked about again counted again, divided by"
        " conversations.",
        unit="fields per conversation",
        denominator="conversation",
        decimals=2,
        higher_is_better=None,
        needs=frozenset({"accept", "asks"}),
        sql=_per_session("sum(coalesce(asked, 0))"),
    ),
    Metric(
        name="items_named",
        label="Items named",
        definition="Items that the system suggested or recommended, divided by conversations.",
        unit="items per conversation",
        denominator="conversation",
        decimals=2,
        higher_is_better=None,
        needs=frozenset({"accept", "refuse"}),
        sql=_per_session("sum(accepted + refused)"),
    ),
    Metric(
        name="accepted_share",
        label="Accepted share",
        definition="Items that were accepted, divided by items that the system named.",
        unit="share of items named",
        denominator="item named",
        higher_is_better=True,
        needs=frozenset({"accept", "refuse"}),
        sql=_per_session("sum(accepted)", "sum(accepted + refused)"),
    ),
    Metric(
        name="regret",
        label="Regret",
        definition="How much the user would have liked the best item that meets the need, less how much they like the"
        " one that they accepted (0 if none), each as a place in the order of the user's taste from 0 to 1; divided by"
        " conversations about a need that something meets.",
        unit="share of the catalogue, per conversation",
        denominator="conversation about a need that something meets",
        higher_is_better=False,
        needs=frozenset({"accept", "worth", "best_worth", "suitable_items"}),
        sql=_per_session(
            "sum(CASE WHEN suitable > 0 THEN best - coalesce(worth, 0) ELSE 0 END)",
            "sum(CASE WHEN suitable > 0 THEN 1 ELSE 0 END)",
        ),
    ),
    Metric(
        name="right_abstentions",
        label="Right abstentions",
        definition="Conversations in which the system says that it has nothing, divided by conversations about a need"
        " that nothing meets.",
        unit="share of conversations about a need that nothing meets",
        denominator="conversation about a need that nothing meets",
        higher_is_better=True,
        needs=frozenset({"accept", "abstains", "suitable_items"}),
        sql=_per_session(
            "sum(CASE WHEN suitable = 0 AND abstained > 0 THEN 1 ELSE 0 END)",
            "sum(CASE WHEN suitable = 0 THEN 1 ELSE 0 END)",
        ),
    ),
    Metric(
        name="broken_off",
        label="Broken off",
        definition="Conversations that end because the system wrote what is no move, divided by conversations.",
        unit="share of conversations",
        denominator="conversation",
        higher_is_better=False,
        needs=frozenset({"accept", "abstains"}),
        sql=_per_session("sum(CASE WHEN broken > 0 THEN 1 ELSE 0 END)"),
    ),
    Metric(
        name="titles_not_shown",
        label="Titles not shown",
        definition="Titles of two words or more that the user names without having been shown them, divided by"
        " conversations: what a user knows that it should not know.",
        unit="titles per conversation",
        denominator="conversation",
        higher_is_better=False,
        needs=frozenset({"accept", "titles_not_shown"}),
        sql=_per_session("sum(coalesce(unshown, 0))"),
    ),
)
"""Measured by default wherever an environment offers what they need."""
