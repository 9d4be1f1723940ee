"""Business rules and random slots as an experiment file states them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from groundlings.environments.arrays import BoolArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.layout import item_category
from groundlings.environments.plugins import nearest


def _id(value: Any) -> Any:
    return str(value) if type(value) is int else value  # YAML reads 42 as a number


ItemId = Annotated[str, BeforeValidator(_id)]
"""The data set's own id of an item."""


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)


class ItemSet(_Options):
    """Items of a category, or some by their ids."""

    category: str | None = None
    """All items of this category."""
    items: Annotated[tuple[ItemId, ...], Field(min_length=1)] | None = None
    """The data set's own ids."""

    @model_validator(mode="after")
    def _one_of_them(self) -> ItemSet:
        if (self.category is None) == (self.items is None):
            raise ValueError("state either `category` or `items`")
        return self

    def mask(self, catalog: Catalog, where: str) -> BoolArray:
        """Which items these are, shape (n_items,); `ConfigError` where one is not known."""
        if self.category is not None:
            return item_category(catalog, self.category, f"{where}.category")
        found = np.zeros(len(catalog), dtype=np.bool_)
        for number, item in enumerate(self.items or ()):
            found[item_number(catalog, item, f"{where}.items[{number}]")] = True
        return found


class PinRule(_Options):
    """An item that stands at a fixed slot of the first page."""

    item: ItemId
    """The data set's own id. Users who must not be shown it, because they met it before, do not see it."""
    position: Annotated[int, Field(ge=1, le=100_000)]
    """Slot of the first page, 1 for the first; slots of rows are counted from the top row on."""


class ExcludeRule(ItemSet):
    """Items that are never shown."""


class CapRule(_Options):
    """A largest number of items of a category."""

    per: Literal["category"] | None = None
    """`category`: the cap holds for each category; an item counts for each of its own."""
    category: str | None = None
    """The one category that the cap holds for."""
    at_most: Annotated[int, Field(ge=1, le=1_000_000)]
    """Items of the category."""
    within: Literal["page", "session"] = "page"
    """Where they are counted: on each page, or on all pages of a session."""

    @model_validator(mode="after")
    def _one_of_them(self) -> CapRule:
        if (self.category is None) == (self.per is None):
            raise ValueError("state either `per: category` or the one `category`")
        return self


class BoostRule(ItemSet):
    """Items that are moved up."""

    by: int
    """Places, so that it means the same for every recommender; fewer than 0 move them down."""

    @model_validator(mode="after")
    def _moves(self) -> BoostRule:
        if not self.by or abs(self.by) > _FAR:
            raise ValueError(f"by: found {self.by}; expected places from 1 to {_FAR:,}, or as many below 0")
        return self


_FAR = 10_000


class Rule(_Options):
    """One business rule: `pin`, `exclude`, `cap` or `boost`."""

    pin: PinRule | None = None
    """An item at a fixed slot of the first page."""
    exclude: ExcludeRule | None = None
    """Items that are never shown."""
    cap: CapRule | None = None
    """A largest number of items of a category."""
    boost: BoostRule | None = None
    """Items that are moved up by some places."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Rule:
        stated = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(f"a rule is one of pin, exclude, cap and boost; found {' and '.join(stated) or 'none'}")
        return self


class RandomSlots(_Options):
    """Slots that are filled uniformly at random, for exploration."""

    share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Chance with which each slot is filled at random, drawn anew for every slot of every page."""
    positions: Annotated[tuple[Annotated[int, Field(ge=1, le=100_000)], ...], Field(min_length=1)] | None = None
    """Slots of each page that are always filled at random, 1 for the first."""
    pool: Literal["all"] | ItemSet = "all"
    """What they are drawn from: `all` items that may be shown, or those of a category or of a list of ids."""

    @model_validator(mode="after")
    def _one_of_them(self) -> RandomSlots:
        if (self.share is None) == (self.positions is None):
            raise ValueError("state either `share` or `positions`")
        return self


def item_number(catalog: Catalog, item: str, where: str) -> int:
    """The row of an item in the catalog; `ConfigError` where there is none."""
    if item not in catalog.item_ids:
        raise ConfigError(f"{where}: the data set has no item {shown(item)}{nearest(item, catalog.item_ids)}")
    return catalog.item_ids.index(item)
