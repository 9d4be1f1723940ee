"""What a run has spent on language models, by who asked: a run that goes on keeps to what is left of each budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import inspect, text

from groundlings.recommenders.interleaving import TEAM_DRAFT
from groundlings.simulator.language.budget import Spent
from groundlings.simulator.log.store import Store, named_faults

# Logs of earlier versions hold whatever servers said, and a count below zero gives nothing back.
_SPENT = """
SELECT arms.name AS arm, arms.recommender AS policy, {team} AS team, {asker} AS asked_by, count(*) AS calls,
       coalesce(sum(CASE WHEN calls.prompt_tokens > 0 THEN calls.prompt_tokens END), 0) AS prompt,
       coalesce(sum(CASE WHEN calls.cached_tokens > 0 THEN calls.cached_tokens END), 0) AS cached,
       coalesce(sum(CASE WHEN calls.completion_tokens > 0 THEN calls.completion_tokens END), 0) AS completion,
       count(CASE WHEN {estimated} THEN 1 END) AS estimated
FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id)
WHERE NOT calls.from_store
GROUP BY arms.name, arms.recommender, team, asked_by
"""
_OF_LESSONS = """
SELECT arms.name AS arm, '' AS policy, NULL AS team, 'recommender' AS asked_by, count(*) AS calls,
       sum(prompt_tokens) AS prompt, sum(cached_tokens) AS cached, sum(completion_tokens) AS completion,
       count(CASE WHEN tokens_estimated THEN 1 END) AS estimated
FROM lessons JOIN arms USING (arm_id)
WHERE NOT from_store
GROUP BY arms.name
"""
_TEAM = "(SELECT name FROM arms AS teams WHERE teams.arm_id = calls.team_arm_id)"
AGENT, RECOMMENDER = "agent", "recommender"
"""Who asks, as the column `calls.asked_by` has it; a log without that column has asked for agents alone."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What calls have taken.

    Attributes:
        agents: Of the agents of all arms together, who share a model and its budget.
        recommenders: Arm's name -> of its recommender, which has a model and a budget of its own.
    """

    agents: Spent = field(default_factory=Spent)
    recommenders: Mapping[str, Spent] = field(default_factory=dict)

    def __add__(self, other: Spending) -> Spending:
        arms = {*self.recommenders, *other.recommenders}
        return Spending(self.agents + other.agents, {arm: self.by(arm) + other.by(arm) for arm in arms})

    def by(self, arm: str) -> Spent:
        """What the recommender of an arm has taken."""
        return self.recommenders.get(arm, Spent())


def spent_in(store: Store) -> Spending:
    """What the calls in a log have taken; those read from a record took nothing, nor does a log without calls."""
    if not store.exists():
        return Spending()
    engine = store.for_reading()
    try:
        with named_faults(store), engine.connect() as connection:
            inspector = inspect(connection)
            if not inspector.has_table("calls"):
                return Spending()
            known = {column["name"] for column in inspector.get_columns("calls")}
            query = _SPENT.format(
                asker="calls.asked_by" if "asked_by" in known else f"'{AGENT}'",
                team=_TEAM if "team_arm_id" in known else "NULL",
                estimated="calls.tokens_estimated" if "tokens_estimated" in known else "FALSE",
            )
            rows = [*connection.execute(text(query)).all()]
            if inspector.has_table("lessons"):
                rows += connection.execute(text(_OF_LESSONS)).all()
            arms = connection.execute(text("SELECT name, recommender FROM arms")).all()
    finally:
        engine.dispose()
    spending = Spending()
    for row in rows:
        spent = Spent(row.calls, row.prompt, min(row.cached, row.prompt), row.completion, row.estimated)
        if row.asked_by != RECOMMENDER:
            spending += Spending(agents=spent)
        elif row.team is None and row.policy == TEAM_DRAFT:
            # An earlier log does not say which of them asked: no cap may be passed, so it counts against each.
            spending += Spending(recommenders={arm.name: spent for arm in arms if arm.recommender != TEAM_DRAFT})
        else:
            spending += Spending(recommenders={row.team or row.arm: spent})
    return spending
