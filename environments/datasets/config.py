"""What the `dataset` part of an experiment file may say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from groundlings.environments import levels
from groundlings.environments.catalog import COST
from groundlings.environments.dataset import RatingScale
from groundlings.environments.datasets.loader import DATASET_LOADERS
from groundlings.environments.datasets.offer_columns import OfferColumns, OfferWeeks
from groundlings.environments.datasets.problems import OnProblem
from groundlings.environments.datasets.same_moment import SameMoment
from groundlings.environments.datasets.time_cells import TimeUnit
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.interactions import KINDS, Kind
from groundlings.environments.key_words import without_keys_as_names
from groundlings.environments.paths import NamedPath, NamedPaths
from groundlings.environments.patterns import NOUN

DATASET_NAMES: tuple[str, ...] = tuple(DATASET_LOADERS.shipped)

_OWN_LOADER = re.compile(r"[\w.]+:\w+")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SplitColumn(_Strict):
    """A column that says of each interaction which part it belongs to; a plain name is short for `{column: ...}`.

    Any other cell is refused.
    """

    column: str
    """Its header."""
    training: Annotated[tuple[str, ...], Field(min_length=1)] = ("train", "training")
    """Cells of interactions that personas and recommenders may know."""
    held_out: Annotated[tuple[str, ...], Field(min_length=1)] = ("test", "held_out")
    """Cells of interactions that are held out."""
    left_out: tuple[str, ...] = ("valid", "validation", "val")
    """Cells of interactions that are used for nothing."""

    @model_validator(mode="before")
    @classmethod
    def _plain_name(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @field_validator("training", "held_out", "left_out", mode="before")
    @classmethod
    def _as_cells(cls, value: Any) -> Any:
        """Numbers as the cells of a file have them: YAML reads 1 as a number."""
        if not isinstance(value, list | tuple):
            return value
        return tuple(str(cell) if type(cell) is int else cell for cell in value)

    @model_validator(mode="after")
    def _cells_differ(self) -> SplitColumn:
        cells = [*self.training, *self.held_out, *self.left_out]
        twice = sorted({cell for cell in cells if cells.count(cell) > 1})
        if twice:
            raise ValueError(f"a cell can mean one part only, found more than once: {', '.join(map(shown, twice))}")
        return self


class HeldOutFile(_Strict):
    """A second file with the interactions that are held out; those of the first one are then all for training."""

    path: NamedPaths
    """A file with the same columns as the first, or several; see `interactions.path`."""


class InteractionColumns(_Strict):
    """The file of the interactions, and its columns."""

    path: NamedPaths
    """A CSV, TSV or Parquet file (text perhaps packed with gzip), one row per interaction; relative to the experiment
    file. A list of files, or a pattern such as `sales/2024-*.csv`, is read as one file."""
    user: str
    """Column with the user's id."""
    item: str
    """Column with the item's id."""
    rating: str | None = None
    """Column with the stars given; without it the feedback is implicit."""
    kind: str | None = None
    """Column that says what the user did; `kinds` says what its cells mean."""
    kinds: Kind | dict[str, Kind] | None = None
    """Cell -> one of `interaction`, `view`, `click`, `add_to_cart`, `purchase`, `play`, `rating`, `like`, `dislike`; if
    absent, cells are these words. Without a column `kind`, one of them, which is then the kind of every row."""
    weight: str | None = None
    """Column with the quantity bought or the time played, from 0 to 1e15; an empty cell is unknown."""
    counted: tuple[Kind, ...] | None = None
    """Kinds that are interactions, which personas are measured on, recommenders learn from and splits hold out. If
    absent: all of `interaction`, `purchase`, `play`, `rating` and `like`; where the data have none of these,
    `add_to_cart`; else `click`; else `view`. A `dislike` is always one, with a negative opinion."""
    timestamp: str | None = None
    """Column with the time; without it nobody knows what came first, and `split.kind` must be `random` or `given`. A
    number of seconds, milliseconds, microseconds or nanoseconds since 1970, a date such as
    20240131, or ISO dates (UTC unless they say otherwise); fractions of a second count."""
    time_unit: TimeUnit | None = None
    """What the numbers of that column are; if absent, it is told from the years that they give."""
    split: SplitColumn | None = None
    """Column with a split of your own; with it, `split.kind` must be `given`."""
    held_out: HeldOutFile | None = None
    """File of the held-out interactions, where training and held-out ones lie in two; `split.kind` must be `given`."""
    same_moment: SameMoment | None = None
    """What rows of one user, item and time are: `merge` one interaction, with the rating that they agree on; `first` or
    `last` of them in the file counts; `refuse` a problem. `merge` if absent, `refuse` in data without times. How many
    rows were merged is counted in the notes of the data set."""

    @model_validator(mode="after")
    def _keys_fit(self) -> InteractionColumns:
        if self.split is not None and self.held_out is not None:
            raise ValueError("split, held_out: both say what is held out; keep one")
        if self.time_unit is not None and self.timestamp is None:
            raise ValueError("time_unit: there is no column `timestamp` for it; name one, or take the key out")
        if isinstance(self.kinds, dict) and self.kind is None:
            raise ValueError("kinds: there is no column `kind` whose cells it could explain; name one")
        if isinstance(self.kinds, str) and self.kind is not None:
            raise ValueError("kinds: found one kind for all rows, and a column `kind`; keep one of the two")
        if self.counted is not None:
            self._refuse_uncountable(self.counted)
        return self

    def _refuse_uncountable(self, counted: tuple[Kind, ...]) -> None:
        if self.kind is None and self.kinds is None:
            raise ValueError("counted: there are no kinds to choose from; name a column `kind`, or take the key out")
        if not counted or "dislike" in counted:
            raise ValueError("counted: name at least one kind, and not `dislike`, which nobody chooses an item by")

    def named_kinds(self) -> Mapping[str, Kind]:
        """Cell -> kind, where there is a column of kinds."""
        return self.kinds if isinstance(self.kinds, dict) else {kind: kind for kind in KINDS}


class Things(_Strict):
    """What an item is called in prompts and reports; a plain word is short for `{many: ...}`."""

    one: str = Field(default="item", pattern=NOUN)
    """In the singular."""
    many: str = Field(default="items", pattern=NOUN)
    """In the plural."""

    @model_validator(mode="before")
    @classmethod
    def _plain_word(cls, value: Any) -> Any:
        return {"many": value} if isinstance(value, str) else value


class ItemColumns(_Strict):
    """Which file describes the items, and under which column names."""

    path: NamedPaths
    """A file with one row per item, or several; see `interactions.path`."""
    id: str
    """Column with the item's id."""
    title: str
    """Column with the title, as people read it."""
    year: str | None = None
    """Column with the year of release."""
    genres: str | None = None
    """Column with the genres (or categories), several in one cell."""
    genre_separator: str = Field(default="|", min_length=1)
    """What stands between two genres in one cell."""
    text: str | None = None
    """Column with a longer description."""
    features: tuple[str, ...] | None = None
    """Further columns to keep as they stand, for instance a brand or a department; an empty cell is unknown."""
    cost: str | None = None
    """Column with the seller's cost per unit, 1e15 at most, for the action `cost` (docs/shop.md); an empty cell is
    unknown."""
    things: Things | None = None
    """What items are called, in prompts and reports: `products`, or `{one: dish, many: dishes}`."""
    verbs: dict[Kind, Annotated[str, Field(pattern=NOUN)]] | None = None
    """Kind of an interaction -> what people did, in the past tense, such as `{play: listened to}`; the others are
    "bought", "played", "looked at" and so on."""

    @model_validator(mode="after")
    def _features_differ(self) -> ItemColumns:
        features = self.features or ()
        if COST in features or len(set(features)) < len(features):
            raise ValueError(
                f"features: each column once, and `{COST}` by the key of that name; found {', '.join(features)}"
            )
        return self


class UserColumns(_Strict):
    """Which file describes the people, and under which column names."""

    path: NamedPaths
    """A file with one row per person, or several; see `interactions.path`."""
    id: str
    """Column with the person's id."""
    attributes: tuple[str, ...] = ()
    """Columns with what is known of them; personas are given these as they stand, and an empty cell is absent."""


_ROUNDING = 1e-9
"""In steps."""


class ScaleConfig(_Strict):
    """The stars that people may give."""

    low: float = Field(default=1.0, allow_inf_nan=False)
    """The fewest stars."""
    high: float = Field(default=5.0, allow_inf_nan=False)
    """The most stars."""
    step: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """The distance between two legal ratings."""

    @model_validator(mode="after")
    def _steps_fit(self) -> ScaleConfig:
        steps = (self.high - self.low) / self.step
        # A third has no last digit: 0.6667 stands for two thirds.
        if not 1 <= round(min(steps, 1001)) <= 1000 or levels.place(
            ((self.high - self.low) / round(steps),), self.step
        ):
            raise ValueError(
                f"found low {self.low:g}, high {self.high:g}, step {self.step:g}; "
                "high must be a whole number of steps (1 to 1000) above low"
            )
        return self

    def scale(self) -> RatingScale:
        """The same, as the other rooms know it."""
        steps = (self.high - self.low) / self.step
        exact = abs(steps - round(steps)) <= _ROUNDING
        return RatingScale(self.low, self.high, self.step if exact else (self.high - self.low) / round(steps))


class OwnData(_Strict):
    """Your own tables."""

    interactions: InteractionColumns
    """The interactions: user, item, time and perhaps a rating."""
    items: ItemColumns
    """The items."""
    users: UserColumns | None = None
    """The users; without it only their ids are known."""
    offers: OfferColumns | None = None
    """Prices, stock and promotions by day (docs/shop.md)."""
    scale: ScaleConfig | None = None
    """The stars your ratings use, and the stars agents may give: 1 to 5 in steps of 1 if absent. Where nobody of the
    data rates, agents rate only if this is stated."""
    on_problem: OnProblem | None = None
    """What happens to rows that cannot be used: `stop` (if absent) names all kinds of problems with their first rows,
    and reads nothing; `drop` leaves the rows out and counts them in the notes of the data set and the manifest;
    `report` leaves them out likewise, and names the first rows of each kind as well. A row of `offers` that cannot be
    used is an error in any case."""

    def rating_scale(self) -> RatingScale:
        """The scale of ratings."""
        return (self.scale or ScaleConfig()).scale()


class ToyOptions(_Strict):
    """The size of the made-up world."""

    n_users: int = Field(default=60, ge=1, le=10_000_000)
    """People."""
    n_items: int = Field(default=80, ge=2, le=10_000_000)
    """Items."""
    n_groups: int = Field(default=4, ge=1, le=10_000_000)
    """Groups of taste; each is a genre."""
    interactions_per_user: int = Field(default=20, ge=1, le=10_000_000)
    """Rated items per user, no item twice."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Another seed makes another world of the same kind."""
    offers: bool | None = None
    """Whether items have prices, promotions, a stock and costs, all made up."""

    @model_validator(mode="after")
    def _fits(self) -> ToyOptions:
        for name, value in (("n_groups", self.n_groups), ("interactions_per_user", self.interactions_per_user)):
            if value > self.n_items:
                raise ValueError(
                    f"{name} is {value}, but there are only {self.n_items} items; lower it or raise n_items"
                )
        if self.n_users * self.interactions_per_user > _MOST_MADE_UP:
            raise ValueError(
                f"{self.n_users} people with {self.interactions_per_user} ratings each are more than "
                f"{_MOST_MADE_UP:,} ratings; lower one of the two"
            )
        return self


class CompleteJourneyOptions(_Strict):
    """Which products and purchases of the data set `complete-journey` are kept."""

    min_households: int = Field(default=60, ge=1, le=1_000_000)
    """Products that at least so many households bought in the year are kept: 2,977 of 68,257 at 60. With all of
    them (1), `ease` takes more memory than most machines have."""
    offers: OfferWeeks | None = None
    """Prices by week, and what was on display or in the mailer (docs/shop.md); `true` stands for the defaults. Without
    it no prices are known."""
    purchases: Literal["first", "all"] | None = None
    """Which purchases are interactions: each household's `first` of each product, or `all` with their quantities, as
    `site.repeats` needs them; `first` if absent."""


_MOST_MADE_UP = 200_000_000
"""Ratings, several gigabytes of them."""


_SECTIONS = {"own": "own", "toy": "toy", "complete_journey": "complete-journey"}
"""A section of `dataset` -> the data set that reads it."""


class DatasetConfig(_Strict):
    """Which data the experiment stands on; a plain name is short for `{name: ...}`."""

    name: str
    """`ml-100k`, `ml-1m`, `complete-journey` (groceries), `coat` (its files lie in `directory`), `toy` (made up, for
    tests), `own` (your own tables), a plug-in, or your loader as `module:NAME`."""
    directory: NamedPath | None = None
    """Where downloaded data is kept, instead of the user's cache or the environment variable `GROUNDLINGS_DATA`; the
    folder of the data set `coat`, which has no other."""
    allow_download: bool = True
    """Whether missing data may be fetched; `GROUNDLINGS_OFFLINE=1` forbids it for every experiment."""
    own: OwnData | None = None
    """The tables of the data set `own`."""
    toy: ToyOptions | None = None
    """The size of the data set `toy`."""
    complete_journey: CompleteJourneyOptions | None = None
    """Which products and purchases of the data set `complete-journey` are kept."""
    options: dict[str, Any] | None = None
    """What a plug-in or your own loader is built with."""

    @model_validator(mode="before")
    @classmethod
    def _plain_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("name", mode="before")
    @classmethod
    def _known_name(cls, value: Any) -> Any:
        if value in DATASET_NAMES or (isinstance(value, str) and _OWN_LOADER.fullmatch(value)):
            return value  # modules are imported when data is loaded
        names = [*DATASET_NAMES, *(name for name in DATASET_LOADERS.names() if name not in DATASET_NAMES)]
        if value in names:
            DATASET_LOADERS.check_name(value, at="dataset.name")
            return value
        near = get_close_matches(str(value).lower(), names, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"dataset.name: found {without_keys_as_names(shown(value))}, expected one of {', '.join(names)}, or "
            f"{DATASET_LOADERS.own}{hint}"
        )

    @model_validator(mode="after")
    def _parts_belong(self) -> DatasetConfig:
        if self.name == "own" and self.own is None:
            raise ConfigError(
                "dataset.own: missing; the data set 'own' needs its tables: own: {interactions: ..., items: ...}"
            )
        for part, name in _SECTIONS.items():
            if getattr(self, part) is not None and self.name != name:
                raise ConfigError(
                    f"dataset.{part}: only the data set {name!r} reads this, but dataset.name is {self.name!r}"
                )
        if self.options is not None and self.name in DATASET_NAMES:
            raise ConfigError(
                f"dataset.options: only plug-ins and loaders of your own read this, but dataset.name is {self.name!r}"
            )
        return self

    def loader_options(self) -> dict[str, Any]:
        """What the loader of this name is given: its section, or the options of a plug-in."""
        if self.name == "coat":
            return {"directory": self.directory}
        sections = [getattr(self, part) for part, name in _SECTIONS.items() if name == self.name]
        if not sections or sections[0] is None:
            return dict(self.options or {})
        section: BaseModel = sections[0]
        return section.model_dump(exclude_none=True)
