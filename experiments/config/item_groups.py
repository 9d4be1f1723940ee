"""The `groups` part of an experiment file: how the items of the catalog are grouped, for figures by group."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from groundlings.environments.datasets.ids import alike, places_of
from groundlings.environments.datasets.remarks import MAKE_EMPTY, remark_on_words
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import ConfigError, RunWarning, shown
from groundlings.environments.paths import NamedPath
from groundlings.environments.patterns import GROUPING
from groundlings.experiments.config.section import Section

Known = Literal["category", "popularity"]
CATEGORY: Final = "category"
POPULARITY: Final = "popularity"


class ItemTableConfig(Section):
    """A grouping of the items that a table of your own holds."""

    name: Annotated[str, Field(pattern=GROUPING)]
    """What the grouping is called in reports."""
    path: NamedPath
    """A CSV, TSV or Parquet file (text perhaps packed with gzip); relative to the experiment file."""
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
        ConfigError: A table knows none of the items.
        DataError: A table cannot be read, lacks a column, or gives an item two groups.
    """
    tables = [] if config is None else [each for each in config.items if isinstance(each, ItemTableConfig)]
    return {table.name: _read(table, item_ids, base) for table in tables}


def _read(table: ItemTableConfig, item_ids: Sequence[str], base: Path) -> tuple[str | None, ...]:
    where = f"groups.items ({table.name})"
    path = base / table.path
    rows = Table.read(path)
    items, groups = rows.ids(table.item, f"{where}.item"), rows.column(table.group, f"{where}.group")
    remark_on_words(groups, f"{where}.group", MAKE_EMPTY)
    places = places_of(items.values, item_ids)[items.codes]
    if (places < 0).all():
        raise ConfigError(
            f"{where}: no {table.item} of {path} is an item of this data set, whose ids look like "
            f"{', '.join(map(shown, item_ids[:3]))}"
        )
    found: dict[int, str] = {}
    for row, (place, group) in enumerate(zip(places.tolist(), groups.cells, strict=True)):
        if place >= 0 and found.setdefault(place, group) != group:
            items.fail(
                row,
                f"item {shown(item_ids[place])} has the {table.group} {shown(group)} here and "
                f"{shown(found[place])} above; expected one group per item",
            )
    if same := alike(dict.fromkeys(found.values())):
        warnings.warn(f"{where}: {path}: of the groups {same}", RunWarning, stacklevel=2)
    return tuple(found.get(place) or None for place in range(len(item_ids)))
