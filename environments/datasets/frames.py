"""Data frames as a data set: the same columns, the same checks and the same complaints as tables in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets.config import OwnData
from groundlings.environments.datasets.ids import by_length
from groundlings.environments.datasets.own import load_own
from groundlings.environments.datasets.problems import OnProblem
from groundlings.environments.datasets.tables import Table, is_text
from groundlings.environments.errors import ConfigError, DataError, shown

if TYPE_CHECKING:
    import pandas as pd

ColumnNames = Mapping[str, Mapping[str, str | Sequence[str] | Mapping[str, str | Sequence[str]]]]

_OPTIONAL = {
    "interactions": ("rating", "timestamp"),
    "items": ("year", "genres", "text"),
    "users": (),
    "offers": ("first_day", "last_day", "price", "stock", "promoted"),
}
_NEEDED = {"interactions": ("user", "item"), "items": ("id", "title"), "users": ("id",), "offers": ("item",)}
_HELD_OUT = "held_out"
_IDS = (("interactions", "user"), ("interactions", "item"), ("items", "id"), ("users", "id"))


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Your own data frames, as `docs/own-data.md` describes tables in files.

        Tables(
            interactions=purchases,
            items=products,
            columns={"interactions": {"user": "customer", "item": "sku", "timestamp": "bought_at"}},
        )

    A column that `columns` does not name has the name of its key: `user` (or `user_id`), `item` (or `item_id`),
    perhaps `timestamp` and `rating` of interactions; `id`, `title` and perhaps `year`, `genres` and `text` of items;
    `id` of users; `item`, `first_day` and perhaps `last_day`, `price`, `stock` and `promoted` of offers. Columns of
    kinds and weights, and the words for items, are read where `columns` names them.

    Attributes:
        interactions: One row per interaction.
        items: One row per item; if absent, items are those of the interactions, and their ids are their titles.
        users: One row per person; if absent, people are known by their ids alone. Every column is an attribute that
            personas are told, unless `columns` names the `attributes`.
        columns: Table -> key -> name of the column, as under `dataset.own` of an experiment file, and
            `genre_separator` of items.
        scale: The stars that people may give: `low`, `high` and `step`; 1 to 5 in steps of 1 if absent.
        held_out: Held-out interactions, with the columns of `interactions`, which are then all for training; the split
            is `{"kind": "given"}`. A column that says which is which is named by the key `split` of interactions.
        offers: Prices, stock and promotions by day, one row per item and period (docs/shop.md).
        on_problem: What happens to rows that cannot be used: "stop" (if absent), "drop" or "report", as in a file.
    """

    interactions: pd.DataFrame
    items: pd.DataFrame | None = None
    users: pd.DataFrame | None = None
    columns: ColumnNames = field(default_factory=dict)
    scale: Mapping[str, float] | None = None
    held_out: pd.DataFrame | None = None
    offers: pd.DataFrame | None = None
    on_problem: OnProblem | None = None

    def section(self) -> dict[str, Any]:
        """What `dataset.own` of an experiment file would say of these tables, not yet checked.

        Raises:
            ConfigError: A table is no data frame, or `columns` speaks of a table that there is not.
        """
        frames = {name: frame for name, frame in self._frames().items() if name != _HELD_OUT}
        _refuse_other("columns", self.columns, "a mapping of tables to their columns")
        _refuse_other("scale", {} if self.scale is None else self.scale, "a mapping with low, high and step")
        for name, keys in self.columns.items():
            if name not in frames:
                raise ConfigError(f"columns: found {shown(name)}, expected one of {', '.join(frames)}")
            _refuse_other(f"columns.{name}", keys, "a mapping of keys to names of columns")
        own: dict[str, Any] = {} if self.scale is None else {"scale": dict(self.scale)}
        if self.on_problem is not None:
            own["on_problem"] = self.on_problem
        for name, frame in frames.items():
            named = dict(self.columns.get(name, {}))
            headers = _headers(frame)
            found = {key: _header(key, headers) for key in _NEEDED[name]}
            found |= {key: key for key in _OPTIONAL[name] if key in headers}
            own[name] = {"path": name, **found, **named}
            if name == "users" and "attributes" not in named:
                own[name]["attributes"] = [header for header in headers if header != own[name]["id"]]
        if self.held_out is not None:
            own["interactions"][_HELD_OUT] = {"path": _HELD_OUT}
        if "items" not in own:
            own["items"] = {"path": "items", "id": "id", "title": "title"}
        return own

    def load(self, own: OwnData) -> Dataset:
        """The data set in these frames.

        Args:
            own: `section`, checked.

        Raises:
            DataError: A cell, a column or a table is not what it has to be; the message says which.
        """
        described = own.model_dump()
        described[_HELD_OUT] = described["interactions"]
        tables = {name: _table(frame, name, described[name]) for name, frame in self._frames().items()}
        for name, key in (*_IDS, (_HELD_OUT, "user"), (_HELD_OUT, "item")):
            if name in tables:
                _refuse_changing_ids(tables[name], described[name][key], f"own.{name}.{key}")
        if "items" not in tables:
            met = [tables[name] for name in ("interactions", _HELD_OUT) if name in tables]
            tables["items"] = _items_of(met, own.interactions.item)

        def table_at(path: Path) -> Table:
            if str(path) not in tables:
                raise ConfigError(f"columns: found the path {shown(str(path))}, and data frames have none; take it out")
            return tables[str(path)]

        return load_own(own, Path(), table_at)

    def _frames(self) -> dict[str, pd.DataFrame]:
        import pandas as pd

        frames = {
            "interactions": self.interactions,
            _HELD_OUT: self.held_out,
            "items": self.items,
            "users": self.users,
            "offers": self.offers,
        }
        given = {name: frame for name, frame in frames.items() if frame is not None}
        for name, frame in given.items():
            if not isinstance(frame, pd.DataFrame):
                raise ConfigError(f"{name}: found {type(frame).__name__}, expected a pandas DataFrame")
        return given


def _refuse_other(where: str, found: object, expected: str) -> None:
    """Raise `ConfigError` for what is no mapping."""
    if not isinstance(found, Mapping):
        raise ConfigError(f"{where}: found {shown(found)}, expected {expected}")


def _headers(frame: pd.DataFrame) -> list[str]:
    """The names of a frame's columns as text; halves of surrogate pairs, which no table holds, as their escapes."""
    return [str(header).encode("utf-8", "backslashreplace").decode() for header in frame.columns]


def _header(key: str, headers: Sequence[str]) -> str:
    """The column of a needed key that nobody has named: the frames of a run call users and items by `user_id`, ..."""
    return f"{key}_id" if key not in headers and f"{key}_id" in headers else key


def _table(frame: pd.DataFrame, name: str, columns: Mapping[str, Any]) -> Table:
    """A frame as the loader reads it; columns that nobody asks for keep their names and no content."""
    path = Path(f"{name} (data frame)")
    if not len(frame):
        raise DataError(f"{path}: the table has no rows; it needs data")
    asked = {*columns.get("attributes", ()), *(columns.get("features") or ())}
    asked |= {value for value in columns.values() if isinstance(value, str)}
    asked |= {columns["split"]["column"]} if columns.get("split") else set()
    headers = _headers(frame)
    arrays = []
    for place, header in enumerate(headers):
        if header not in asked or headers.count(header) > 1:
            arrays.append(pa.nulls(len(frame)))
            continue
        try:
            arrays.append(pa.chunked_array(pa.array(frame.iloc[:, place], from_pandas=True)))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"{path}: column {header!r} mixes kinds of values ({reason}); make them of one kind, for instance "
                "with astype(str)"
            ) from error
    return Table(path, pa.table(arrays, names=headers), is_csv=False)


def whole_table(frame: pd.DataFrame, name: str) -> Table:
    """A frame with all of its columns.

    Raises:
        DataError: It has no rows, or a column mixes kinds of values.
    """
    return _table(frame, name, {"attributes": _headers(frame)})


def _refuse_changing_ids(table: Table, name: str, key: str) -> None:
    """Ids are text to the last sign: what would not come back from a log as it went in is refused."""
    column = table.column(name, key)
    kind = table.data.column(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_null(kind) or is_text(kind)):
        raise DataError(
            f"{table.path}: column {name!r} ({key}) holds {kind}, expected text or whole numbers, as ids are; "
            "convert it, for instance with astype('Int64') or astype(str)"
        )
    if is_text(kind):
        raw = table.data.column(name).cast(pa.string())
        spaced = pc.not_equal(raw, pc.utf8_trim_whitespace(raw)).fill_null(False).to_numpy()
        if spaced.any():
            row = int(np.argmax(spaced))
            cell = raw[row].as_py()
            column.fail(row, f"found {shown(cell)}, expected an id without spaces at its ends; strip the column")


def _items_of(interactions: Sequence[Table], name: str) -> Table:
    """The items that were met, their ids for titles."""
    texts = [table.column(name, "own.interactions.item").texts for table in interactions]
    ids = by_length(pa.chunked_array(texts, pa.string()))
    return Table(Path("items (of the interactions)"), pa.table({"id": ids, "title": ids}), is_csv=False)
