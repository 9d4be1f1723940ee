"""What `dataset.own.offers` may say: which file holds prices, stock and promotions, and under which column names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from groundlings.environments.paths import NamedPath
from groundlings.environments.patterns import CURRENCY, DAY_OF_2017

_SHORT = {"from": "first_day", "to": "last_day"}
"""Also understood -> the key."""


class OfferColumns(BaseModel):
    """The file of prices, stock and promotions, and its columns."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    path: NamedPath
    """A CSV or Parquet file, one row per item and period; relative to the experiment file. It may be the items file."""
    item: str
    """Column with the item's id."""
    first_day: str | None = None
    """Column with the first day of the period (`from` is understood, too): dates such as 2024-01-31 or 20240131, or
    numbers of simulated days, 0 for the first. Without it, an offer holds from the beginning."""
    last_day: str | None = None
    """Column with the last day of the period, included (`to` is understood, too). Without it, or where a cell is empty,
    an offer holds until the day before the item's next one."""
    price: str | None = None
    """Column with the price per unit, 1e15 at most; an empty cell is unknown, never 0."""
    stock: str | None = None
    """Column with the units there are when the period begins, 1e15 at most; of an empty cell nobody counts them."""
    promoted: str | None = None
    """Column that says whether the item is promoted: 1 or 0, true or false, yes or no."""
    begins: str | Annotated[int, Field(ge=-(10**9), le=10**9)] | None = None
    """The day of the table that is simulated first, a date or a number as in `first_day`; the day after the history if
    absent, or 0 where days are numbers."""
    currency: str = Field(default="", max_length=8, pattern=CURRENCY)
    """What prices are in, as people write it (EUR, $); language agents read it behind each price, and figures of money
    are in it."""

    @model_validator(mode="before")
    @classmethod
    def _short_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        named = {key: cell for key, cell in value.items() if cell is not None}
        return {_SHORT[key] if key in _SHORT and _SHORT[key] not in named else key: cell for key, cell in named.items()}

    @field_validator("begins", mode="before")
    @classmethod
    def _date_as_text(cls, value: Any) -> Any:
        """A date as YAML reads it, spelt out again."""
        return value.isoformat() if hasattr(value, "isoformat") else value

    @model_validator(mode="after")
    def _says_something(self) -> OfferColumns:
        if self.price is None and self.stock is None and self.promoted is None:
            raise ValueError("price, stock, promoted: none of them is named, so nothing is offered; name a column")
        if self.last_day is not None and self.first_day is None:
            raise ValueError("last_day: there is no column `first_day` beside it; name one, or take the key out")
        return self


class OfferWeeks(BaseModel):
    """Which week of the data set `complete-journey` is simulated first."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    begins: str = Field(default="2017-12-04", pattern=DAY_OF_2017)
    """The date whose offers are those of the first simulated day: the history may reach to the end of the year, and no
    prices are known after it."""

    @model_validator(mode="before")
    @classmethod
    def _switched_on(cls, value: Any) -> Any:
        return {} if value is True else value

    @field_validator("begins", mode="before")
    @classmethod
    def _date_as_text(cls, value: Any) -> Any:
        """A date as YAML reads it, spelt out again."""
        return value.isoformat() if hasattr(value, "isoformat") else value
