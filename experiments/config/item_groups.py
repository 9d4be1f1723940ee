"""The `groups` part of an experiment file: how the items of the catalog are grouped, for figures by group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.section import Section

Known = Literal["category", "popularity"]
CATEGORY: Final = "category"
POPULARITY: Final = "popularity"


class ItemTableConfig(Section):
    """A grouping of the items that a table of your own holds."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """What the grouping is called in reports."""
    path: Path
    """A CSV file with a header; relative to the experiment file."""
    item: str
    """Its column of item ids, as the data set has them."""
    group: str
    """Its column of groups, such as the provider of an item; an empty cell is an unknown group."""


class GroupsConfig(Section):
    """How items are grouped, for exposure and money by group."""

    items: tuple[Known | ItemTableConfig, ...] = (CATEGORY, POPULARITY)
    """`category` for the catalog's genres or categories (an item of several counts in equal parts), `popularity` for
    thirds of the catalog by users in the training part, and tables of your own."""

    @model_validator(mode="after")
    def _named_once(self) -> GroupsConfig:
        names = [each if isinstance(each, str) else each.name for each in self.items]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"items: {', '.join(twice)} stands there twice; each grouping needs a name of its own")
        return self


def read_item_groups(
    config: GroupsConfig | None, item_ids: Sequence[str], base: Path
) -> dict[str, tuple[str | None, ...]]:
    """Grouping -> the group of each item, in the order of the catalog, None where it is unknown.

    Args:
        config: As in the experiment file; None = no table is read.
        item_ids: The data set's own ids, in the order of the catalog.
        base: Where relative paths count from.

    Raises:
        ConfigError: A table cannot be read, lacks a column, or gives an item two groups.
    """
    tables = [] if config is None else [each for each in config.items if isinstance(each, ItemTableConfig)]
    return {table.name: _read(table, item_ids, base) for table in tables}


def _read(table: ItemTableConfig, item_ids: Sequence[str], base: Path) -> tuple[str | None, ...]:
    import pandas as pd

    path, where = base / table.path, f"groups.items ({table.name})"
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError) as fault:
        raise ConfigError(f"{where}: {path} cannot be read as a CSV file with a header ({fault})") from None
    for column in (table.item, table.group):
        if column not in frame:
            raise ConfigError(f"{where}: {path} has no column {column!r}; it has {', '.join(map(str, frame.columns))}")
    pairs = frame[[table.item, table.group]].drop_duplicates()
    twice = pairs[table.item][pairs[table.item].duplicated()]
    if len(twice):
        raise ConfigError(
            f"{where}: {path} gives item {twice.iloc[0]!r} more than one {table.group}; expected one group per item"
        )
    known = dict(zip(pairs[table.item], pairs[table.group], strict=True))
    if not known.keys() & set(item_ids):
        raise ConfigError(
            f"{where}: no {table.item} of {path} is an item of this data set, whose ids look like "
            f"{', '.join(map(repr, item_ids[:3]))}"
        )
    return tuple(known.get(item) or None for item in item_ids)
