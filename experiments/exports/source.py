"""One run's log as an export reads it: who and what once, everything else in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from groundlings.environments.errors import ConfigError, RunDirectoryError
from groundlings.experiments.analysis.metrics.lost import LostPages, read_lost
from groundlings.experiments.analysis.metrics.lost_afterthoughts import LostAfterthoughts, read_lost_afterthoughts
from groundlings.experiments.analysis.metrics.lost_lessons import Lessons, read_lessons
from groundlings.experiments.analysis.metrics.lost_replies import LostReplies, read_lost_replies
from groundlings.experiments.analysis.metrics.model_lists import ModelLists, read_model_lists
from groundlings.experiments.archive.directory import read_manifest
from groundlings.experiments.archive.log_check import SOME_ROWS, check_log
from groundlings.experiments.archive.provenance import claim
from groundlings.experiments.exports.folders import folder_names
from groundlings.simulator.interventions import Intervention
from groundlings.simulator.log.columns import Row
from groundlings.simulator.log.reader import ArmRows as Counts
from groundlings.simulator.log.reader import LoggedItem, LogReader, Outcome

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KNOWN", "OPENED", "RATED", "Agent", "Arm", "Counts", "LogSource", "LoggedItem", "Row"]

KNOWN: Outcome = "known"
OPENED: Outcome = "clicked"
RATED: Outcome = "rated"
"""Impressions: the outcome is known, the item was opened, stars were given."""

_FACTS = (
    "run_id", "experiment", "status", "started_at", "finished_at", "seed", "config", "config_hash", "dataset",
    "dataset_hash", "dataset_source", "dataset_licence", "page_size", "max_pages", "like_from", "mind",
    "model_fingerprint", "versions", "identity", "accepted_changes",
)  # fmt: skip
"""What an export tells of a run: columns of `runs`."""


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
    """A simulated person; `persona` as logged, `number` from 1 in the order of the log.

    The persona of a large run says what was measured and has no lists, acts or description (docs/log.md, agents).
    """

    agent_id: int
    number: int
    user_id: str
    persona: Mapping[str, Any]


class LogSource:
    """The log of one run, opened for reading; use it as a context manager.

    Args:
        directory: The run.
        partial: Whether a run that did not finish will do.
        most_rows: About how many rows are read to see whether the log is as it was written; all where it is None.

    Attributes:
        changes: What became of the log since it was written.
        has_teams: Whether the log says whose pick a slot was.
        has_places: Whether the log says in which row of its page a slot stood.

    Raises:
        RunDirectoryError: There is no such run, or it is not finished and `partial` was not asked for.
    """

    def __init__(self, directory: Path, *, partial: bool = False, most_rows: int | None = SOME_ROWS) -> None:
        self.directory = directory
        self._log = LogReader(directory)
        self.has_teams = self._log.schema_version() > 1
        self.has_places = self._log.has_places()
        self.manifest = read_manifest(directory)
        self.changes = check_log(directory, self._log, most_rows)
        found = self._log.run()
        self.run = {name: found[name] for name in _FACTS}
        if self.run["status"] != "done" and not partial:
            raise RunDirectoryError(
                f"{directory}: this run is {self.run['status']}, not done, so some sessions are missing from its log; "
                "finish it, or export what there is with --partial"
            )
        arms = self._log.logged_arms()
        self.arms = tuple(
            Arm(arm.arm_id, arm.name, arm.recommender, arm.options, arm.sees_hidden_preference, folder)
            for arm, folder in zip(arms, folder_names([arm.name for arm in arms]), strict=True)
        )
        self._by_id = {arm.arm_id: arm for arm in self.arms}

    def __enter__(self) -> LogSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()

    @cached_property
    def digest(self) -> str | None:
        """SHA-256 over what happened, None before a run is done: the manifest's where the seals vouch for it."""
        if self.run["status"] != "done":
            return None
        written = self.manifest.get("digest")
        return written if isinstance(written, str) and self.changes.proves_manifest else self._log.digest()

    def impressions(self, columns: Sequence[str], outcome: Outcome | None = None) -> Iterator[tuple[Arm, list[Row]]]:
        """Impressions in the order of the log, chunk by chunk and arm by arm.

        Args:
            columns: Names from `reader.IMPRESSION_COLUMNS`.
            outcome: `KNOWN`, `OPENED` or `RATED`; all impressions without it.
        """
        for arm_id, rows in self._log.impression_chunks(columns, outcome):
            yield self._by_id[arm_id], rows

    def impression_columns(
        self, columns: Mapping[str, pa.DataType], outcome: Outcome | None = None
    ) -> Iterator[tuple[Arm, pa.Table]]:
        """As `impressions`, as columns of the kinds that are named: for formats that never look at a row."""
        for arm_id, rows in self._log.impression_batches(columns, outcome):
            yield self._by_id[arm_id], rows

    def table_columns(
        self, name: str, key: Sequence[str], columns: Mapping[str, pa.DataType]
    ) -> Iterator[tuple[Arm, pa.Table]]:
        """As `table`, as columns of the kinds that are named."""
        for arm_id, rows in self._log.table_batches(name, key, columns):
            yield self._by_id[arm_id], rows

    def interactions(self, columns: Sequence[str]) -> Iterator[tuple[Arm, list[Row]]]:
        """Impressions that became an interaction, what recommenders learn from; chunks as of `impressions`.

        Raises:
            ConfigError: The log is of an earlier version and does not say which action counts.
        """
        actions = self._log.logged_actions()
        if actions is None:
            raise ConfigError(
                f"{self.directory}: this log is of an earlier version and does not say which action of its "
                "environment is an interaction"
            )
        clicked = actions.interaction == "click"
        found = self._log.impression_chunks(
            columns, OPENED if clicked else None, None if clicked else actions.interaction
        )
        for arm_id, rows in found:
            yield self._by_id[arm_id], rows

    @cached_property
    def opinion(self) -> str | None:
        """The action by which agents said what they think of an item: `rate`, `like`, or None of these."""
        actions = self._log.logged_actions()
        return "rate" if actions is None else actions.opinion

    def columns_of(self, table: str) -> frozenset[str]:
        """The columns that a table has in this log; logs of earlier versions lack some."""
        return self._log.columns_of(table)

    def table(self, name: str, key: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[Arm, list[Row]]]:
        """Another table that hangs on sessions, in the order of its key, chunk by chunk and arm by arm."""
        for arm_id, rows in self._log.table_chunks(name, key, columns):
            yield self._by_id[arm_id], rows

    def counts(self) -> dict[str, Counts]:
        """How much of everything each arm has, by the arm's name."""
        return {self._by_id[arm_id].name: rows for arm_id, rows in self._log.rows_by_arm().items()}

    def lost(self) -> dict[str, LostPages]:
        """The pages of which nothing is known, and why, by the arm's name."""
        found = read_lost(self._log, self._by_id, self.run["mind"])
        return {self._by_id[arm_id].name: pages for arm_id, pages in found.items()}

    def lost_afterthoughts(self) -> dict[str, LostAfterthoughts]:
        """What is lost of what agents were asked after sessions, by the name of each arm that lost any."""
        return {self._by_id[arm_id].name: lost for arm_id, lost in read_lost_afterthoughts(self._log).items()}

    def lessons(self) -> dict[str, Lessons]:
        """What recommenders asked in order to learn, and what of it is lost, by the name of each arm that asked."""
        found = read_lessons(self._log, self.run["config"])
        return {self._by_id[arm_id].name: lessons for arm_id, lessons in found.items()}

    def lost_replies(self) -> dict[str, LostReplies]:
        """What is lost of the replies to recommenders about lists, by the name of each arm that lost any."""
        found = read_lost_replies(self._log, self.run["config"])
        return {self._by_id[arm_id].name: lost for arm_id, lost in found.items()}

    def model_lists(self) -> dict[str, ModelLists]:
        """What language models made of the lists they were asked for, by the name of each arm that asked."""
        found = read_model_lists(self._log, self.run["config"])
        return {self._by_id[arm_id].name: lists for arm_id, lists in found.items()}

    def agents(self) -> Iterator[Agent]:
        """The simulated people, in the order of the log."""
        for number, agent in enumerate(self._log.logged_agents(), start=1):
            yield Agent(agent.agent_id, number, agent.user_id, agent.persona)

    @property
    def n_agents(self) -> int:
        """How many simulated people there are."""
        return len(self._log.agent_ids())

    def interventions(self) -> tuple[Intervention, ...]:
        """What was changed in arms at the beginning of a day, in the order in which it was decided."""
        return self._log.logged_interventions()

    def items(self) -> list[LoggedItem]:
        """The catalogue, in its order."""
        return list(self._log.logged_items())

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
            "digest": self.digest,
            "identity": claim(run),
            "status": run["status"],
            **({"changed_since_written": list(self.changes.faults)} if self.changes.faults else {}),
            "dataset": {name: run[f"dataset_{name}"] for name in ("hash", "source", "licence")}
            | {"name": run["dataset"]},
        }
