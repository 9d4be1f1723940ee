"""LensKit's column names in Parquet: `<arm>/interactions.parquet` and one `items.parquet`.

An interaction is an opened item, in the order of happening. The simulated clock stands still during a session, so the
rows of a session share their timestamp; `visit` and `rank` keep them apart and in order. (LensKit reads further columns
as attributes and takes none that ends in `_id`, so the session is called `visit` here.)
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from groundlings.experiments.exports.columns import ParquetTable, typed
from groundlings.experiments.exports.registry import Written
from groundlings.experiments.exports.source import OPENED, LogSource

COLUMNS: Mapping[str, str] = {
    "user_id": "text", "item_id": "text", "rating": "float", "timestamp": "int", "visit": "int", "rank": "int",
}  # fmt: skip
_LOGGED: Mapping[str, str] = {("session_id" if name == "visit" else name): kind for name, kind in COLUMNS.items()}
ITEMS: Mapping[str, str] = {"item_id": "text", "title": "text", "year": "int", "genres": "text"}


def write(source: LogSource, directory: Path) -> Written:
    """See `registry.Writer`."""
    about = source.provenance()
    files = {arm.arm_id: f"{arm.folder}/interactions.parquet" for arm in source.arms}
    with ExitStack() as stack:
        tables = {
            arm_id: stack.enter_context(ParquetTable(directory / file, COLUMNS, about))
            for arm_id, file in files.items()
        }
        for arm, rows in source.impression_columns(typed(_LOGGED), OPENED):
            tables[arm.arm_id].write_columns(rows)
        counts = {file: tables[arm_id].count for arm_id, file in files.items()}
    with ParquetTable(directory / "items.parquet", ITEMS, about) as items:
        items.write([(item.source_id, item.title, item.year, "|".join(item.genres)) for item in source.items()])
        return Written(counts | {"items.parquet": items.count})
