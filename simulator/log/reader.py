"""The one reader of a run's log: every question that the platform asks of a log is a method here."""

from __future__ import annotations

from groundlings.simulator.log.reading.frames import FrameReader
from groundlings.simulator.log.reading.impression_tables import Outcome
from groundlings.simulator.log.reading.live import LiveReader, Spent
from groundlings.simulator.log.reading.lost import LostPageReader
from groundlings.simulator.log.reading.naming_damage import naming_damage
from groundlings.simulator.log.reading.open_log import CHUNK_ROWS
from groundlings.simulator.log.reading.participants import LoggedAgent, LoggedArm, LoggedItem
from groundlings.simulator.log.reading.presentations import PresentationReader
from groundlings.simulator.log.reading.replies import ReplyReader
from groundlings.simulator.log.reading.sessions import Rows, SessionReader, SessionRows
from groundlings.simulator.log.reading.steps import StepReader
from groundlings.simulator.log.reading.streams import IMPRESSION_COLUMNS, ArmRows, StreamReader
from groundlings.simulator.log.reading.sums import TOTALS, ReadUpTo, SumReader

__all__ = [
    "CHUNK_ROWS",
    "IMPRESSION_COLUMNS",
    "TOTALS",
    "ArmRows",
    "LogReader",
    "LoggedAgent",
    "LoggedArm",
    "LoggedItem",
    "Outcome",
    "ReadUpTo",
    "Rows",
    "SessionRows",
    "Spent",
]


@naming_damage
class LogReader(
    FrameReader,
    SumReader,
    StepReader,
    LiveReader,
    LostPageReader,
    PresentationReader,
    ReplyReader,
    SessionReader,
    StreamReader,
):
    """A run's log, open for reading. It changes nothing, and it reads logs of every released schema.

    - DataFrames, one row per thing: `impressions`, `sessions`, `events`, `calls`, `interactions`, `agents`, `items`,
      `arms`, `interventions`, `presentations` (in what words items were shown). Arms have their names, people and items
      the data set's own ids; what is unknown is NA.
    - The run and who takes part: `run`, `logged_arms`, `logged_agents`, `logged_items`, `user_ids`; and what changes in
      arms on the way: `logged_interventions`.
    - Sums for metrics: `session_totals`, `sessions_by_end`, `events_by_kind`, `items_shown`, ...
    - What led from being shown to being liked or bought: `steps_by_page`, `steps_by_slot`, `items_by_step`, ...
    - Pages of which nothing is known, with the reason: `lost_pages`; replies to one prompt: `replies_to`.
    - One session: `sessions_of_agent`, `session`, ...
    - While it is written, or page by page: `newer_session_totals`, `spent_since`, `calls_after`, `users_after`.
    - Chunks of constant memory: `impression_chunks`, `table_chunks`.
    - Anything else: `query`, a SELECT of your own.

    Args:
        log: A run directory, a log file, a store, or an engine, which stays its owner's to dispose of.

    Raises:
        RunDirectoryError: There is no log, it is not one of ours, or (from any method) it cannot be read.

    Example:
        >>> with LogReader(Path("runs/quickstart")) as log:
        ...     seen = log.impressions(columns=["arm", "clicked"])
        >>> seen.groupby("arm").clicked.mean()
    """
