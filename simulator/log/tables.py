"""The schema. `docs/log.md` explains every column; `migrations.py` brings older files up to it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, MetaData, Table, false
from sqlalchemy import Integer as SmallInteger
from sqlalchemy import String as PlainString
from sqlalchemy import Text as PlainText

# What SQLite has by itself, PostgreSQL is told: numbers of 64 bits, and text that sorts by its bytes.
Integer = BigInteger().with_variant(SmallInteger(), "sqlite")
String = PlainString().with_variant(PlainText(collation="C"), "postgresql")
Text = PlainText().with_variant(PlainText(collation="C"), "postgresql")

metadata = MetaData()


def _key(name: str) -> Column[Any]:
    """A number that the writer gives."""
    return Column(name, Integer, primary_key=True, autoincrement=False)


runs = Table(
    "runs",
    metadata,
    Column("run_id", String, primary_key=True),
    Column("experiment", String, nullable=False),
    Column("status", String, nullable=False),  # running, done, interrupted, failed
    Column("started_at", String, nullable=False),  # wall clock, ISO 8601, UTC
    Column("finished_at", String),
    Column("seed", Integer, nullable=False),
    Column("config", Text, nullable=False),  # the whole YAML as JSON
    Column("config_hash", String, nullable=False),
    Column("dataset", String, nullable=False),
    Column("dataset_hash", String, nullable=False),
    Column("dataset_source", Text, nullable=False),
    Column("dataset_licence", Text, nullable=False),
    Column("page_size", Integer, nullable=False),
    Column("max_pages", Integer, nullable=False),
    Column("like_from", Float, nullable=False),  # a rating from here on is a like
    Column("mind", Text, nullable=False),  # JSON: kind, parameters, prompt hashes, model
    Column("model_fingerprint", String),  # NULL without a language model
    Column("versions", Text, nullable=False),  # JSON: package -> version; `digest` -> version of the digest
    Column("synthetic", Boolean, nullable=False),  # always true: no row of a log is a real person's
    Column("identity", Text),  # JSON: what must be equal for a run to be resumed; NULL in logs of schema 1 to 3
)

accepted_changes = Table(
    "accepted_changes",
    metadata,
    _key("change_id"),
    Column("run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("accepted_at", String, nullable=False),  # wall clock, ISO 8601, UTC
    Column("what", String, nullable=False),  # which part of `runs.identity`
    Column("before", Text),  # NULL = it had none
    Column("after", Text),  # NULL = it has none now
)

arms = Table(
    "arms",
    metadata,
    _key("arm_id"),
    Column("run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("name", String, nullable=False),
    Column("position", Integer, nullable=False),  # in the YAML; 0 is the one others are compared to
    Column("recommender", String, nullable=False),
    Column("options", Text, nullable=False),  # JSON
    Column("sees_hidden_preference", Boolean, nullable=False),  # true for bounds such as oracle
)

interventions = Table(
    "interventions",
    metadata,
    _key("intervention_id"),  # ascending in the order of writing
    Column("arm_id", ForeignKey("arms.arm_id"), nullable=False),
    Column("day", Integer, nullable=False),  # from its beginning on; 0 is the first
    Column("kind", String, nullable=False),  # recommender, site, withdraw, restore, prompt
    Column("detail", Text, nullable=False),  # JSON: to what the arm is changed
    Column("origin", String, nullable=False),  # file, live
    Column("place", Integer, nullable=False),  # number in the file's list from 0, or line of interventions.jsonl from 1
)

agents = Table(
    "agents",
    metadata,
    _key("agent_id"),
    Column("run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("source_user_id", String, nullable=False),  # the real person the persona was measured on
    Column("persona", Text, nullable=False),  # JSON
)

items = Table(
    "items",
    metadata,
    _key("item_id"),
    Column("run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("source_item_id", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("year", Integer),
    Column("genres", Text, nullable=False),  # joined by |
)

sessions = Table(
    "sessions",
    metadata,
    _key("session_id"),
    Column("arm_id", ForeignKey("arms.arm_id"), nullable=False),
    Column("agent_id", ForeignKey("agents.agent_id"), nullable=False),
    Column("day", Integer, nullable=False),  # 0 is the first
    Column("sim_time", Integer, nullable=False),  # seconds since 1970 on the simulated clock
    Column("policy_version", String, nullable=False),  # hash of what the recommender had learnt
    Column("pscore_kind", String, nullable=False),  # deterministic, exact, estimated
    Column("pages", Integer, nullable=False),  # pages seen
    Column("ended_by", String, nullable=False),  # exit, last_page, unreadable, nothing_shown
    Column("satisfaction", Float),  # mean over the pages that were asked, NULL = never asked
)

impressions = Table(
    "impressions",
    metadata,
    _key("impression_id"),
    Column("session_id", ForeignKey("sessions.session_id"), nullable=False),
    Column("page", Integer, nullable=False),  # 1 is the first
    Column("position", Integer, nullable=False),  # 0 is the first slot of the page
    Column("rank", Integer, nullable=False),  # 0 is the first slot of the session
    Column("item_id", ForeignKey("items.item_id"), nullable=False),
    Column("score", Float),  # the recommender's own
    Column("pscore", Float, nullable=False),  # P(this item in this slot | request)
    Column("is_random", Boolean, nullable=False),  # chance, not the score, chose it
    Column("examined", Boolean),  # NULL = not known
    Column("clicked", Boolean),  # NULL = the reply for this page was unreadable
    Column("rating", Float),  # NULL = none given
    Column("p_click", Float),  # NULL = the mind states none
    Column("u_click", Float),  # the uniform number held against it
    Column("display_position", Integer, nullable=False),  # where the mind saw the slot; `position` unless rotated
    Column("team_arm_id", ForeignKey("arms.arm_id")),  # the arm whose pick the slot is; NULL unless arms share lists
    Column("row_name", String),  # the carousel; NULL where rows have no names
    Column("place_row", Integer),  # the row of the page, 0 is the first; NULL in one list, whose `position` says it
    Column("place_slot", Integer),  # the slot in that row, 0 is the first; NULL likewise
)

events = Table(
    "events",
    metadata,
    _key("event_id"),  # ascending in the order of happening within a session
    Column("session_id", ForeignKey("sessions.session_id"), nullable=False),
    Column("impression_id", ForeignKey("impressions.impression_id")),  # NULL = concerns the page
    Column("page", Integer, nullable=False),
    Column("kind", String, nullable=False),  # an action of the environment's schema, or as in `row_layout.EventKinds`
    Column("value", Float),  # the number given (rate: stars); next_page, exit: satisfaction with the page
    Column("detail", Text),  # illegal: what and why; next_page, exit: the feeling in words; else the text
)

calls = Table(
    "calls",
    metadata,
    _key("call_id"),
    Column("session_id", ForeignKey("sessions.session_id"), nullable=False),
    Column("page", Integer, nullable=False),
    Column("template", String, nullable=False),
    Column("prompt_hash", String, nullable=False),
    Column("model", String, nullable=False),
    Column("model_fingerprint", String, nullable=False),
    Column("temperature", Float, nullable=False),
    Column("seed", Integer),
    Column("status", String, nullable=False),  # ok, reasked, unreadable, unanswerable
    Column("attempts", Integer, nullable=False),
    Column("from_store", Boolean, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("latency_seconds", Float, nullable=False),
    Column("messages", Text, nullable=False),  # JSON: all that the model was shown
    Column("reply", Text, nullable=False),  # all that it said
    Column("first_token", Text),  # JSON: alternatives of the first token with log probabilities; NULL = not asked for
    Column("asked_by", String, nullable=False, server_default="agent"),  # agent, recommender
    Column("finish_reason", String),  # in the server's word; NULL = it gave none
    Column("form", String),  # json_schema, grammar, answers, none; NULL = not asked of a server, or not known
    Column("tokens_estimated", Boolean, nullable=False, server_default=false()),  # the server gave no believable counts
    Column("thought_characters", Integer, nullable=False, server_default="0"),  # of a thinking block that was cut off
    Column("team_arm_id", ForeignKey("arms.arm_id")),  # whose recommender asked, where arms draft a list together
)

moods = Table(
    "moods",
    metadata,
    Column("session_id", ForeignKey("sessions.session_id"), primary_key=True),
    _key("page"),
    Column("satisfaction", Float, nullable=False),  # with the session before this page, 1 to 10
    Column("tiredness", Float, nullable=False),  # 0 rested to 1 exhausted
    Column("boredom", Text, nullable=False),  # JSON: topic -> 0 to 1
    Column("p_next", Float),  # P(next page); NULL = the mind states none, or there is none
    Column("u_next", Float),  # the uniform number held against it
)

memories = Table(
    "memories",
    metadata,
    Column("session_id", ForeignKey("sessions.session_id"), primary_key=True),
    _key("place"),  # order within the session, from 0
    Column("kind", String, nullable=False),  # visit, reflection, said
    Column("text", Text, nullable=False),
    Column("importance", Float, nullable=False),  # 1 to 10
)

interviews = Table(
    "interviews",
    metadata,
    Column("session_id", ForeignKey("sessions.session_id"), primary_key=True),
    _key("place"),  # order of the questions, from 0
    Column("question", Text, nullable=False),
    Column("answer", Text),  # NULL = the reply was unreadable
    Column("call_id", ForeignKey("calls.call_id"), nullable=False),
)

seals = Table(
    "seals",
    metadata,
    _key("seal_id"),  # ascending in the order of writing
    Column("kind", String, nullable=False),  # run, arms, agents, assignments, items, rows, lessons, state, ...
    Column("covers", Text, nullable=False),  # JSON: what was hashed
    Column("content", String, nullable=False),  # SHA-256 over it
    Column("seal", String, nullable=False),  # SHA-256 over the seal before this one, kind, covers and content
)

LARGE = ("sessions", "impressions", "events")
"""The tables that grow with every session; a log in parts keeps them in Parquet files."""

INDEXES = {
    "sessions_by_arm": "sessions (arm_id, day)",
    "impressions_by_session": "impressions (session_id)",
    "events_by_session": "events (session_id)",
    "events_by_impression": "events (impression_id)",
    "calls_by_session": "calls (session_id)",
}
"""Built when a run is done: an index that stands while rows pour in costs five sixths of the speed."""

# PostgreSQL looks up every reference of every row while rows pour in, which costs three quarters of the speed. It gets
# its references with the indexes, when all of them can be looked up at once; SQLite reads them and enforces none.
for _table in metadata.tables.values():
    for _reference in _table.foreign_key_constraints:
        _reference.ddl_if(dialect="sqlite")
