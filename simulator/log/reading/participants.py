"""What a run is and who takes part in it: the run's own row, its arms, agents and items."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groundlings.environments.actions import OPINIONS
from groundlings.environments.catalog import BETWEEN_GENRES
from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.assignment import Assignment
from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log import tables
from groundlings.simulator.log.assignment_rows import assignments, ties_by_arm
from groundlings.simulator.log.begun import Change, read_accepted
from groundlings.simulator.log.intervention_rows import read_interventions
from groundlings.simulator.log.measured_agents import are_measured, persona_of, stored
from groundlings.simulator.log.parts import RESTORE
from groundlings.simulator.log.reading.cells import told
from groundlings.simulator.log.reading.open_log import OpenLog

_ACTION = re.compile(r"[a-z][a-z0-9_]*")

_ASSIGNED = "SELECT arm_id, cluster, ties FROM assignments ORDER BY agent_id"

_MEASURED = f"SELECT {', '.join(stored.columns.keys())} FROM agents ORDER BY agent_id"

_USER = "agents.source_user_id"

_JSON = ("config", "mind", "versions", "identity")
"""Columns of `runs` that hold JSON."""


@dataclass(frozen=True, slots=True)
class LoggedArm:
    """An arm as logged.

    Attributes:
        arm_id: Its number in the log.
        name, recommender, options: As in the YAML.
        sees_hidden_preference: Whether it is a bound, such as the oracle.
    """

    arm_id: int
    name: str
    recommender: str
    options: Mapping[str, Any]
    sees_hidden_preference: bool


@dataclass(frozen=True, slots=True)
class LoggedAgent:
    """An agent as logged.

    Attributes:
        agent_id: Its number in the log.
        user_id: The data set's own id of the person behind the persona.
        persona: All that the persona knows, as plain values; in the log of a large run what was measured.
    """

    agent_id: int
    user_id: str
    persona: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LoggedItem:
    """An item as logged.

    Attributes:
        item_id: Its number in the log.
        number: From 0, in the order of the catalog.
        source_id: The data set's own id.
        title, year, genres: As in the catalog; `year` is None where it is unknown.
    """

    item_id: int
    number: int
    source_id: str
    title: str
    year: int | None
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoggedActions:
    """What could be done in the environment of a run.

    Attributes:
        names: All actions.
        interaction: The one that makes an interaction of user and item.
        strength: The number that comes with it, None where there is none.
    """

    names: tuple[str, ...]
    interaction: str
    strength: str | None

    @property
    def opinion(self) -> str | None:
        """The action by which agents say what they think of an item: `rate`, `like`, or None of these."""
        return next((name for name in OPINIONS if name in self.names), None)


_FEED = LoggedActions(("click", "rate", "next_page", "satisfaction"), "click", "rate")
"""Of the paginated feed, the environment of every log that names no other."""


class ParticipantReader(OpenLog):
    """See `LogReader`."""

    def run(self) -> dict[str, Any]:
        """The row of `runs`, column by column, with those that hold JSON as plain values.

        `accepted_changes` stands beside them: which parts of `identity` had changed when it was resumed all the same.

        Raises:
            RunDirectoryError: The log holds no run, or more than one, or its JSON is none.
        """
        found = self._rows("SELECT * FROM runs")
        if len(found) != 1:
            raise RunDirectoryError(f"{self}: the log holds {len(found)} runs; expected exactly one")
        if not set(tables.runs.columns.keys()) <= set(found[0]):
            self.columns_of("runs")  # refuses a log of today's schema that lacks one
        row = {"identity": None, **found[0]}  # earlier logs have no such column
        parsed = {name: self._object(name, row[name]) for name in _JSON if row[name] is not None}
        changed = list(dict.fromkeys(change.what for change in self.accepted_changes()))
        return {**row, **parsed, "accepted_changes": changed}

    def _object(self, name: str, content: str) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except (TypeError, ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise RunDirectoryError(f"{self}: the log is damaged: runs.{name} holds no JSON object; restore a copy")
        return found

    def accepted_changes(self) -> tuple[Change, ...]:
        """What had changed when the run was resumed all the same, the first change first; empty for one experiment."""
        with self._connected() as connection:
            return read_accepted(connection)

    def logged_interventions(self) -> tuple[Intervention, ...]:
        """What was changed in arms at the beginning of a day, or is to be, in the order in which it was decided."""
        with self._connected() as connection:
            return read_interventions(connection)

    def logged_actions(self) -> LoggedActions | None:
        """What could be done in the run's environment; None in an earlier log of somebody's own environment."""
        run = self.run()
        identity = run["identity"] or {}
        if "environment.actions" not in identity:
            return None if "environment" in run["config"] else _FEED
        names = tuple(identity["environment.actions"].split(","))
        roles = [identity["environment.interaction"], identity["environment.strength"]]
        if not all(_ACTION.fullmatch(name) for name in (*names, *filter(None, roles))):
            raise RunDirectoryError(f"{self}: runs.identity names no actions of an environment; restore it from a copy")
        return LoggedActions(names, roles[0], roles[1] or None)

    def action_names(self) -> tuple[str, ...] | None:
        """As `logged_actions`, the names alone."""
        found = self.logged_actions()
        return None if found is None else found.names

    def logged_arms(self) -> tuple[LoggedArm, ...]:
        """The arms in the order of the YAML, the baseline first."""
        return tuple(
            LoggedArm(
                row["arm_id"],
                row["name"],
                row["recommender"],
                json.loads(row["options"]),
                bool(row["sees_hidden_preference"]),
            )
            for row in self._rows(
                "SELECT arm_id, name, recommender, options, sees_hidden_preference FROM arms ORDER BY position"
            )
        )

    def visited_arms(self) -> tuple[LoggedArm, ...]:
        """As `logged_arms`, without the two that have no session of their own where they draft lists together."""
        from groundlings.recommenders.interleaving import TEAM_DRAFT

        arms = self.logged_arms()
        return tuple(arm for arm in arms if arm.recommender == TEAM_DRAFT) or arms

    def agent_ids(self) -> list[int]:
        """The log's numbers of the agents, in its order."""
        return self._once("agents", lambda: self._column("SELECT agent_id FROM agents ORDER BY agent_id"))

    def user_ids(self) -> list[str]:
        """The data set's own ids of the people behind the agents, in the order of the log."""
        ids = self._once("users", lambda: self._column("SELECT source_user_id FROM agents ORDER BY agent_id"))
        return [told(self, _USER, each) for each in ids]

    def _column(self, sql: str) -> list[Any]:
        """The answer to a query for one column."""
        return [value for chunk in self._chunks(sql) for (value,) in chunk]

    def assignment(self) -> Assignment | None:
        """Which arm each agent lives in, and where its ties do; None where ties cross no arms.

        Raises:
            RunDirectoryError: The log has lost the table, or some of its rows, or one says something impossible.
        """
        if not self.columns_of(assignments.name):
            return None
        arms = {row["arm_id"]: row["name"] for row in self._rows("SELECT arm_id, name FROM arms ORDER BY position")}
        places, names = {arm_id: place for place, arm_id in enumerate(arms)}, tuple(arms.values())
        found = [row for chunk in self._chunks(_ASSIGNED) for row in chunk]
        agents = self._rows("SELECT count(*) AS agents FROM agents")[0]["agents"]
        if len(found) != agents:
            raise RunDirectoryError(
                f"{self}: the log is damaged: assignments has {len(found):,} rows, expected one for each of {agents:,} "
                f"agents; {RESTORE}"
            )
        try:
            return Assignment(
                arms=names,
                homes=np.array([places[arm_id] for arm_id, _, _ in found], dtype=np.int64),
                clusters=np.array([cluster for _, cluster, _ in found], dtype=np.int64),
                ties=np.array([ties_by_arm(ties, names) for _, _, ties in found], dtype=np.int64),
            )
        except (KeyError, TypeError, ValueError):
            raise RunDirectoryError(
                f"{self}: the log is damaged: a row of assignments is of an arm that is not there, or does not say how "
                f"many ties live in each arm; {RESTORE}"
            ) from None

    def users_who_came(self, most: int) -> list[str]:
        """The data set's own ids of the first people of the log who had a session."""
        found = self._rows(
            "SELECT source_user_id FROM agents WHERE agent_id IN "
            "(SELECT DISTINCT agent_id FROM sessions ORDER BY agent_id LIMIT :most) ORDER BY agent_id",
            most=most,
        )
        return [row["source_user_id"] for row in found]

    def logged_agents(self) -> Iterator[LoggedAgent]:
        """The agents in the order of the log, `CHUNK_ROWS` in memory at a time."""
        if self.agents_are_measured():
            for chunk in self._chunks(_MEASURED):
                for row in chunk:
                    yield LoggedAgent(row[0], told(self, _USER, row[1]), persona_of(row))
            return
        for chunk in self._chunks("SELECT agent_id, source_user_id, persona FROM agents ORDER BY agent_id"):
            for agent_id, user_id, persona in chunk:
                yield LoggedAgent(agent_id, told(self, _USER, user_id), json.loads(persona))

    def agents_are_measured(self) -> bool:
        """Whether the log keeps what was measured of each agent, and not all that the agent's persona knows."""
        with self._connected() as connection:
            return are_measured(connection)

    def measured_agents(self, columns: Sequence[str]) -> Iterator[Mapping[str, Sequence[Any]]]:
        """Columns of `measured_agents.stored` by name, `CHUNK_ROWS` rows at a time, in the order of the log.

        Only where `agents_are_measured`; cells are as SQLite gives them, None where something is not known.
        """
        for chunk in self._chunks(f"SELECT {', '.join(columns)} FROM agents ORDER BY agent_id"):
            yield dict(zip(columns, zip(*chunk, strict=True), strict=True))

    def logged_items(self) -> tuple[LoggedItem, ...]:
        """The items in the order of the catalog."""
        chunks = self._chunks("SELECT item_id, source_item_id, title, year, genres FROM items ORDER BY item_id")
        rows = (row for chunk in chunks for row in chunk)
        return tuple(
            LoggedItem(
                item_id,
                number,
                told(self, "items.source_item_id", source_id),
                told(self, "items.title", title),
                told(self, "items.year", year, int | None),
                tuple(filter(None, told(self, "items.genres", genres).split(BETWEEN_GENRES))),
            )
            for number, (item_id, source_id, title, year, genres) in enumerate(rows)
        )
