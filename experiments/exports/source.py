"""One run's log as an export reads it: who and what once, everything else in chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import read_manifest
from groundlings.experiments.exports.folders import folder_names
from groundlings.simulator.log.migrations import schema_version
from groundlings.simulator.log.store import named_faults, open_log

Row = tuple[Any, ...]

CHUNK_ROWS = 50_000
"""Rows in memory at a time: about 40 MB as Python objects."""

IMPRESSION_COLUMNS: Mapping[str, str] = {
    "impression_id": "impressions.impression_id",
    "session_id": "impressions.session_id",
    "user_id": "agents.source_user_id",
    "agent_id": "sessions.agent_id",
    "day": "sessions.day",
    "timestamp": "sessions.sim_time",
    "policy_version": "sessions.policy_version",
    "pscore_kind": "sessions.pscore_kind",
    "page": "impressions.page",
    "position": "impressions.position",
    "rank": "impressions.rank",
    "item_id": "items.source_item_id",
    "item_number": "impressions.item_id",
    "score": "impressions.score",
    "pscore": "impressions.pscore",
    "is_random": "impressions.is_random",
    "examined": "impressions.examined",
    "clicked": "impressions.clicked",
    "rating": "impressions.rating",
    "p_click": "impressions.p_click",
    "u_click": "impressions.u_click",
    "display_position": "impressions.display_position",
    "team": "(SELECT name FROM arms WHERE arms.arm_id = impressions.team_arm_id)",
}
"""What an export may ask of an impression, and where it stands in the log; logs of the first schema have no `team`."""

KNOWN, OPENED, RATED = "clicked IS NOT NULL", "clicked", "rating IS NOT NULL"
"""Conditions on impressions: the outcome is known, the item was opened, stars were given."""

# A CASE each, because PostgreSQL does not add up truth values.
_COUNTS = """
SELECT sessions.arm_id, count(*), count(impressions.clicked), count(CASE WHEN impressions.clicked THEN 1 END),
       count(impressions.rating)
FROM impressions CROSS JOIN sessions
WHERE sessions.session_id = impressions.session_id AND +sessions.arm_id IN ({arms})
GROUP BY sessions.arm_id
"""


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm of the run, and the folder its rows go to."""

    arm_id: int
    name: str
    recommender: str
    options: Mapping[str, Any]
    sees_hidden_preference: bool
    folder: str


@dataclass(frozen=True, slots=True)
class Agent:
    """A simulated person; `persona` as logged, `number` from 1 in the order of the log."""

    agent_id: int
    number: int
    user_id: str
    persona: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LoggedItem:
    """An item; `number` from 0 in the order of the catalogue."""

    item_id: int
    number: int
    source_id: str
    title: str
    year: int | None
    genres: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What one arm's log holds: sessions, impressions, and those that are known, opened and rated."""

    sessions: int
    impressions: int
    known: int
    opened: int
    rated: int

    @property
    def unknown(self) -> int:
        """Impressions whose outcome nobody knows."""
        return self.impressions - self.known


class LogSource:
    """The log of one run, opened for reading; use it as a context manager.

    Args:
        directory: The run.
        partial: Whether a run that did not finish will do.

    Attributes:
        has_teams: Whether the log says whose pick a slot was.

    Raises:
        RunDirectoryError: There is no such run, or it is not finished and `partial` was not asked for.
    """

    def __init__(self, directory: Path, *, partial: bool = False) -> None:
        self.directory = directory
        self._engine = open_log(directory)
        with named_faults(directory), self._engine.connect() as connection:
            self.has_teams = schema_version(connection) > 1
        self.manifest = read_manifest(directory)
        self.run = self._read_run()
        if self.run["status"] != "done" and not partial:
            raise RunDirectoryError(
                f"{directory}: this run is {self.run['status']}, not done, so some visits are missing from its log; "
                "finish it, or export what there is with --partial"
            )
        self.arms = self._read_arms()
        self._by_id = {arm.arm_id: arm for arm in self.arms}
        self._arm_ids = ", ".join(map(str, self._by_id))

    def __enter__(self) -> LogSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.dispose()

    def impressions(self, columns: Sequence[str], where: str = "") -> Iterator[tuple[Arm, list[Row]]]:
        """Impressions in the order of the log, chunk by chunk and arm by arm.

        Args:
            columns: Names from `IMPRESSION_COLUMNS`.
            where: `KNOWN`, `OPENED` or `RATED`; all impressions without it.
        """
        wanted = [IMPRESSION_COLUMNS[name] for name in columns]
        joins = [
            f" CROSS JOIN {table}"
            for table, key in (("agents", "agent_id"), ("items", "item_id"))
            if any(column.startswith(f"{table}.") for column in wanted)
        ]
        conditions = [
            *("agents.agent_id = sessions.agent_id" for join in joins if "agents" in join),
            *("items.item_id = impressions.item_id" for join in joins if "items" in join),
            *((f"impressions.{where}",) if where else ()),
        ]
        yield from self._by_arm("impressions", ("impression_id",), wanted, "".join(joins), conditions)

    def table(self, name: str, key: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[Arm, list[Row]]]:
        """Another table that hangs on sessions, in the order of its key, chunk by chunk and arm by arm."""
        yield from self._by_arm(name, key, [f"{name}.{column}" for column in columns])

    def rows(self, query: str) -> Iterator[list[Row]]:
        """The answer to a query, in chunks."""
        with named_faults(self.directory), self._engine.connect() as connection:
            streaming = connection.execution_options(stream_results=True, yield_per=CHUNK_ROWS)
            for chunk in streaming.exec_driver_sql(query).partitions(CHUNK_ROWS):
                yield [tuple(row) for row in chunk]

    def counts(self) -> dict[str, Counts]:
        """How much of everything each arm has, by the arm's name."""
        query = f"SELECT arm_id, count(*) FROM sessions WHERE arm_id IN ({self._arm_ids}) GROUP BY arm_id"
        visits: dict[int, Any] = dict(self._all(query))
        shown = {row[0]: row[1:] for row in self._all(_COUNTS.format(arms=self._arm_ids))}
        return {arm.name: Counts(visits.get(arm.arm_id, 0), *shown.get(arm.arm_id, (0,) * 4)) for arm in self.arms}

    def agents(self) -> Iterator[Agent]:
        """The simulated people, in the order of the log."""
        number = 0
        query = f"SELECT agent_id, source_user_id, persona FROM agents WHERE run_id = {self._run_id} ORDER BY agent_id"
        for chunk in self.rows(query):
            for agent_id, user_id, persona in chunk:
                number += 1
                yield Agent(agent_id, number, user_id, json.loads(persona))

    def items(self) -> list[LoggedItem]:
        """The catalogue, in its order."""
        query = (
            "SELECT item_id, source_item_id, title, year, genres FROM items "
            f"WHERE run_id = {self._run_id} ORDER BY item_id"
        )
        return [
            LoggedItem(item_id, number, source_id, title, year, tuple(filter(None, genres.split("|"))))
            for number, (item_id, source_id, title, year, genres) in enumerate(self._all(query))
        ]

    def provenance(self) -> dict[str, Any]:
        """Where these rows come from, for the metadata of a file."""
        run = self.run
        return {
            "synthetic": True,
            "generator": f"groundlings {run['versions'].get('groundlings', '')}".strip(),
            "run_id": run["run_id"],
            "experiment": run["experiment"],
            "seed": run["seed"],
            "config_hash": run["config_hash"],
            "digest": self.manifest.get("digest"),
            "status": run["status"],
            "dataset": {name: run[f"dataset_{name}"] for name in ("hash", "source", "licence")}
            | {"name": run["dataset"]},
        }

    @property
    def _run_id(self) -> str:
        return "'" + str(self.run["run_id"]).replace("'", "''") + "'"

    def _all(self, query: str) -> list[Row]:
        return [row for chunk in self.rows(query) for row in chunk]

    def _by_arm(
        self, table: str, key: Sequence[str], columns: Sequence[str], joins: str = "", conditions: Sequence[str] = ()
    ) -> Iterator[tuple[Arm, list[Row]]]:
        # CROSS JOIN and the unary plus keep SQLite from starting at an index of sessions: it walks the large table in
        # the order of its key, which is the order of happening, and sorts nothing. To PostgreSQL they mean no more
        # than JOIN and the number itself.
        if table == "sessions":
            origin, link = "sessions", []
        else:
            origin, link = f"{table} CROSS JOIN sessions", [f"sessions.session_id = {table}.session_id"]
        where = " AND ".join([*link, f"+sessions.arm_id IN ({self._arm_ids})", *conditions])
        query = (
            f"SELECT {', '.join(['sessions.arm_id', *columns])} FROM {origin}{joins} WHERE {where} "
            f"ORDER BY {', '.join(f'{table}.{column}' for column in key)}"
        )
        for chunk in self.rows(query):
            for arm_id, rows in groupby(chunk, key=itemgetter(0)):
                yield self._by_id[arm_id], [row[1:] for row in rows]

    def _read_run(self) -> dict[str, Any]:
        columns = (
            "run_id, experiment, status, started_at, finished_at, seed, config, config_hash, dataset, dataset_hash, "
            "dataset_source, dataset_licence, page_size, max_pages, like_from, mind, model_fingerprint, versions"
        )
        found = self._all(f"SELECT {columns} FROM runs")
        mine = [row for row in found if row[0] == self.manifest.get("run_id")] or found
        if len(mine) != 1:
            raise RunDirectoryError(f"{self.directory}: the log holds {len(found)} runs; an export needs exactly one")
        run = dict(zip(columns.split(", "), mine[0], strict=True))
        return run | {name: json.loads(run[name]) for name in ("config", "mind", "versions")}

    def _read_arms(self) -> tuple[Arm, ...]:
        found = self._all(
            "SELECT arm_id, name, recommender, options, sees_hidden_preference FROM arms "
            f"WHERE run_id = {self._run_id} ORDER BY position"
        )
        folders = folder_names([row[1] for row in found])
        return tuple(
            Arm(arm_id, name, recommender, json.loads(options), bool(bound), folder)
            for (arm_id, name, recommender, options, bound), folder in zip(found, folders, strict=True)
        )
