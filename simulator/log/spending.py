"""What a run has spent on language models, by who asked: a run that goes on keeps to what is left of each budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import inspect, text

from groundlings.simulator.language.budget import Spent
from groundlings.simulator.log.store import Store, named_faults

# Logs of earlier versions hold whatever servers said, and a count below zero gives nothing back.
_SPENT = """
SELECT arms.name AS arm, {asker} AS asked_by, count(*) AS calls,
       coalesce(sum(CASE WHEN calls.prompt_tokens > 0 THEN calls.prompt_tokens END), 0) AS prompt,
       coalesce(sum(CASE WHEN calls.cached_tokens > 0 THEN calls.cached_tokens END), 0) AS cached,
       coalesce(sum(CASE WHEN calls.completion_tokens > 0 THEN calls.completion_tokens END), 0) AS completion,
       count(CASE WHEN {estimated} THEN 1 END) AS estimated
FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id)
WHERE NOT calls.from_store
GROUP BY arms.name, asked_by
"""
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
    engine = store.for_writing()
    try:
        with named_faults(store), engine.connect() as connection:
            inspector = inspect(connection)
            if not inspector.has_table("calls"):
                return Spending()
            known = {column["name"] for column in inspector.get_columns("calls")}
            query = _SPENT.format(
                asker="calls.asked_by" if "asked_by" in known else f"'{AGENT}'",
                estimated="calls.tokens_estimated" if "tokens_estimated" in known else "FALSE",
            )
            rows = connection.execute(text(query)).all()
    finally:
        engine.dispose()
    spending = Spending()
    for row in rows:
        spent = Spent(row.calls, row.prompt, min(row.cached, row.prompt), row.completion, row.estimated)
        asked = Spending(recommenders={row.arm: spent}) if row.asked_by == RECOMMENDER else Spending(agents=spent)
        spending += asked
    return spending
