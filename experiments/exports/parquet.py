"""The canonical export: the log's own tables as Parquet, nothing left out.

Layout: `impressions/arm=NAME/part-0.parquet`, likewise `sessions`, `events`, `calls`, `moods`, `memories` and
`interviews`, and `presentations` where a recommender chose in what words items were shown; `arms.parquet`,
`agents.parquet` and `items.parquet` beside them. Readers of partitioned sets (PyArrow, pandas, Polars, DuckDB) take the
column `arm` from the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from groundlings.experiments.exports.columns import ParquetTable, typed
from groundlings.experiments.exports.folders import partition_value
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import Arm, LogSource, Row

IMPRESSIONS: Mapping[str, str] = {
    "impression_id": "int", "session_id": "int", "user_id": "text", "day": "int", "timestamp": "int",
    "policy_version": "text", "pscore_kind": "text", "page": "int", "position": "int", "rank": "int",
    "item_id": "text", "score": "float", "pscore": "float", "is_random": "bool", "examined": "bool",
    "clicked": "bool", "rating": "float", "p_click": "float", "u_click": "float", "display_position": "int",
}  # fmt: skip
PLACES: Mapping[str, str] = {"row_name": "text", "place_row": "int", "place_slot": "int"}
"""Columns of impressions where pages are more than one list."""
SESSIONS: Mapping[str, str] = {
    "session_id": "int", "agent_id": "int", "day": "int", "sim_time": "int", "policy_version": "text",
    "pscore_kind": "text", "pages": "int", "ended_by": "text", "satisfaction": "float",
}  # fmt: skip
EVENTS: Mapping[str, str] = {
    "event_id": "int", "session_id": "int", "impression_id": "int", "page": "int", "kind": "text",
    "value": "float", "detail": "text",
}  # fmt: skip
CALLS: Mapping[str, str] = {
    "call_id": "int", "session_id": "int", "page": "int", "template": "text", "prompt_hash": "text",
    "model": "text", "model_fingerprint": "text", "temperature": "float", "seed": "int", "status": "text",
    "attempts": "int", "from_store": "bool", "prompt_tokens": "int", "cached_tokens": "int",
    "completion_tokens": "int", "latency_seconds": "float", "messages": "text", "reply": "text",
    "first_token": "text", "asked_by": "text", "finish_reason": "text", "form": "text", "tokens_estimated": "bool",
    "thought_characters": "int", "team_arm_id": "int",
}  # fmt: skip
MOODS: Mapping[str, str] = {
    "session_id": "int", "page": "int", "satisfaction": "float", "tiredness": "float", "boredom": "text",
    "p_next": "float", "u_next": "float",
}  # fmt: skip
MEMORIES: Mapping[str, str] = {
    "session_id": "int", "place": "int", "kind": "text", "text": "text", "importance": "float",
}  # fmt: skip
INTERVIEWS: Mapping[str, str] = {
    "session_id": "int", "place": "int", "question": "text", "answer": "text", "call_id": "int",
}  # fmt: skip
PRESENTATIONS: Mapping[str, str] = {
    "session_id": "int", "rank": "int", "original": "text", "shown": "text", "fitting": "int",
}  # fmt: skip
ARMS: Mapping[str, str] = {
    "arm": "text", "recommender": "text", "options": "text", "sees_hidden_preference": "bool",
}  # fmt: skip
AGENTS: Mapping[str, str] = {"agent_id": "int", "user_id": "text", "persona": "text"}
ITEMS: Mapping[str, str] = {"item_id": "text", "title": "text", "year": "int", "genres": "text"}


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    impressions = {
        **IMPRESSIONS,
        **({"team": "text"} if source.has_teams else {}),
        **(PLACES if source.has_places else {}),
    }
    rows = _partitioned(source, directory, "impressions", impressions, source.impression_columns(typed(impressions)))
    parts: Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
        "sessions": (SESSIONS, ("session_id",)),
        "events": (EVENTS, ("event_id",)),
        "calls": (CALLS, ("call_id",)),
        "moods": (MOODS, ("session_id", "page")),
        "memories": (MEMORIES, ("session_id", "place")),
        "interviews": (INTERVIEWS, ("session_id", "place")),
        **({"presentations": (PRESENTATIONS, ("session_id", "rank"))} if source.columns_of("presentations") else {}),
    }
    for name, (columns, key) in parts.items():
        known = source.columns_of(name)
        kept = {column: kind for column, kind in columns.items() if column in known}
        rows |= _partitioned(source, directory, name, kept, source.table_columns(name, key, typed(kept)))
    about = source.provenance()
    agents = ((agent.agent_id, agent.user_id, json.dumps(agent.persona, ensure_ascii=False, sort_keys=True))
              for agent in source.agents())  # fmt: skip
    items = ((item.source_id, item.title, item.year, "|".join(item.genres)) for item in source.items())
    arms = ((arm.name, arm.recommender, json.dumps(dict(arm.options)), arm.sees_hidden_preference)
            for arm in source.arms)  # fmt: skip
    whole: tuple[tuple[str, Mapping[str, str], Iterable[Row]], ...] = (
        ("arms", ARMS, arms), ("agents", AGENTS, agents), ("items", ITEMS, items),
    )  # fmt: skip
    for name, columns, found in whole:
        with ParquetTable(directory / f"{name}.parquet", columns, about) as table:
            table.write(list(found))
            rows[f"{name}.parquet"] = table.count
    return Written(rows)


def _partitioned(
    source: LogSource,
    directory: Path,
    name: str,
    columns: Mapping[str, str],
    chunks: Iterator[tuple[Arm, pa.Table]],
) -> dict[str, int]:
    about = source.provenance()
    files = {arm.arm_id: f"{name}/arm={partition_value(arm.name)}/part-0.parquet" for arm in source.arms}
    with ExitStack() as stack:
        tables = {
            arm_id: stack.enter_context(ParquetTable(directory / file, columns, about))
            for arm_id, file in files.items()
        }
        for arm, rows in chunks:
            tables[arm.arm_id].write_columns(rows)
        return {file: tables[arm_id].count for arm_id, file in files.items()}
