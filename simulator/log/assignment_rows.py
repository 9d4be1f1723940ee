"""Rows of `assignments`: the arm, the cluster and the ties of each agent, where agents of different arms have ties.

The table stands in the logs of runs whose design puts agents with ties into one arm each, and in no other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, MetaData, Table

from groundlings.simulator.assignment import Assignment
from groundlings.simulator.log.seals import RowSeal
from groundlings.simulator.log.tables import Integer, Text

if TYPE_CHECKING:
    from groundlings.simulator.log.store import Store

assignments = Table(
    "assignments",
    MetaData(),  # only the logs of runs in which ties may cross arms have it
    Column("agent_id", Integer, primary_key=True, autoincrement=False),
    Column("arm_id", Integer, nullable=False),  # the arm that the agent lives in
    Column("cluster", Integer, nullable=False),  # of agents with ties, from 0
    Column("ties", Text, nullable=False),  # JSON: name of each arm -> how many of the agent's ties live there
)


def write_assignments(
    connection: Connection, store: Store, arm_ids: Mapping[str, int], first: int, assignment: Assignment
) -> tuple[dict[str, Any], str]:
    """Make the table and write a row per agent; what their seal is to say.

    Args:
        connection: To a log where no run has begun before this one.
        store: The log's.
        arm_ids: Name of each arm -> its id.
        first: Id of the first agent.
        assignment: Who lives where.
    """
    assignments.create(connection)
    seal = RowSeal(assignments)
    homes, clusters, ties = assignment.homes.tolist(), assignment.clusters.tolist(), assignment.ties.tolist()
    rows = (
        (
            first + place,
            arm_ids[assignment.arms[home]],
            cluster,
            json.dumps(dict(zip(assignment.arms, known, strict=True))),
        )
        for place, (home, cluster, known) in enumerate(zip(homes, clusters, ties, strict=True))
    )
    store.pour(connection, assignments, seal.passing(rows))
    return seal.seal


def ties_by_arm(written: str, arms: tuple[str, ...]) -> list[int]:
    """A cell of `ties` in the order of arms."""
    found = json.loads(written)
    return [int(found[arm]) for arm in arms]
