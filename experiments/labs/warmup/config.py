"""The file that `groundlings warmup` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.patterns import NAME
from groundlings.experiments.config.one_token import OneTokenModel
from groundlings.experiments.config.schema import Section
from groundlings.personas.minds.calibrated_question import QuestionOptions
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.lost_pages import MAX_UNREADABLE

Share = Annotated[float, Field(gt=0, lt=1)]
Volume = Annotated[int, Field(ge=1, le=1_000_000)]
Channel = Literal["content", "taste", "active"]


class ColdConfig(Section):
    """Which items are cold-start items. All interactions with them are held out."""

    choose: Literal["random", "newest", "list"] = "random"
    """`random` as ColdRec does, redrawn for each seed; `newest` by year of release; `list` by the ids under `items`."""
    share: Share = 0.2
    """Share of the items that are new. Half of these are measured; the agents' judgement is fitted on the other half,
    the hidden items."""
    items: tuple[str, ...] = ()
    """With `choose: list`, ids of the new items. All are measured; as many others are drawn as hidden items."""

    @model_validator(mode="after")
    def _items_go_with_a_list(self) -> ColdConfig:
        if (self.choose == "list") != bool(self.items):
            raise ValueError("items: needed with choose: list, and only with it")
        return self


class RecallConfig(Section):
    """Recall: which users can be selected for an item. Every arm selects from the same pool."""

    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] = ("content", "taste", "active")
    """Rankings of users for an item; their mean rank decides."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the panel that is in an item's pool."""


class AudienceConfig(Section):
    """How agents click new items."""

    takers: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Share of an item's pool that has clicked it before its users are selected. The item is shown to all until this
    share has clicked it, so users with a high probability are more often among them, but not alone."""


class PagesConfig(Section):
    """Showing the item on a page among others, compared with showing it alone."""

    people: Annotated[int, Field(ge=1, le=10_000_000)] = 200
    """First users of each item's pool, who are shown the item in both conditions."""
    seeds: Annotated[int, Field(ge=1, le=10_000)] = 2
    """Number of seeds with this comparison, from the first."""
    page_size: Annotated[int, Field(ge=2, le=1000)] = 10
    """Slots of the page: the new item is in one, drawn uniformly at random, the recommender's own items in the
    others."""


class WarmRecommenderConfig(Section):
    """A recommender that gets the simulated interactions."""

    recommender: str
    """A shipped recommender, a plug-in's name, or `module:Class`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Arguments of its constructor."""


class LanguageConfig(Section):
    """A language model that judges a sample of the items, with the cost and the gain."""

    model: OneTokenModel = ModelConfig()
    """Which model answers; it must give log probabilities."""
    question: QuestionOptions = QuestionOptions()
    """How much of person and item the model is shown; of a trained model what its training said."""
    items: Annotated[int, Field(ge=1, le=10_000_000)] = 10
    """Number of new items it is asked about."""
    shortlist: Annotated[int, Field(ge=2, le=100_000)] = 20
    """Users per item it is asked about, one question each; all have clicked the item in the simulation."""
    known_pairs: Annotated[int, Field(ge=10, le=100_000_000)] = 100
    """Pairs with hidden items it is asked about first; the weight of its answers is fitted on them."""
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = MAX_UNREADABLE
    """Above this share of answers that cannot be read the lab stops with exit status 1; 1 = never."""


class MetadataConfig(Section):
    """A language model that writes a line about items that have no text (Acharya, Singh and Onoe 2023)."""

    model: ModelConfig = ModelConfig()
    """Which model writes, at temperature 0, and at most 80 tokens per text unless `max_tokens` is given."""
    items: Annotated[int, Field(ge=1, le=10_000_000)] = 50
    """Most items it writes about: a new one and an old one in turn, the old ones in random order."""
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = MAX_UNREADABLE
    """Above this share of texts that cannot be read the lab stops with exit status 1; 1 = never."""

    @model_validator(mode="after")
    def _at_zero(self) -> MetadataConfig:
        if "temperature" in self.model.model_fields_set and self.model.temperature:
            raise ValueError(
                f"model.temperature: found {self.model.temperature:g}; expected 0 or none, because texts are written "
                "at that one. For a server that takes none but its own, write send_temperature: false"
            )
        return self


class WarmupConfig(Section):
    """One measurement of what simulated first interactions are worth."""

    name: Annotated[str, Field(pattern=NAME)]
    """Names the directory of the results."""
    description: str = ""
    """A sentence for the readers of the page."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """The seed of every random number."""
    seeds: Annotated[int, Field(ge=2, le=10_000)] = 5
    """Number of replicates, each with its own draw of new items, held-out rows and random numbers."""
    dataset: DatasetConfig
    """The users, items and interactions."""
    salt: str = "groundlings"
    """Decides which third of the users is tested; the other two thirds are the panel, whose interactions may be
    simulated."""
    cold: ColdConfig = ColdConfig()
    """Which items are cold-start items."""
    recall: RecallConfig = RecallConfig()
    """Which users can be selected for an item."""
    volumes: Annotated[tuple[Volume, ...], Field(min_length=1)] = (1, 5, 10, 20, 50)
    """Interactions per item, the same in every arm; ascending."""
    headline: Volume = 10
    """The volume that decides; one of `volumes`."""
    recommender: WarmRecommenderConfig = WarmRecommenderConfig(recommender="als")
    """The recommender that gets the interactions."""
    others: tuple[WarmRecommenderConfig, ...] = (
        WarmRecommenderConfig(recommender="ease"),
        WarmRecommenderConfig(recommender="item_knn"),
    )
    """Further recommenders that get the same interactions at the headline volume, to see whether the result depends on
    the recommender."""
    refit: bool = True
    """Also refit the recommender on all interactions, at the headline volume; false = only fold new items in."""
    audience: AudienceConfig = AudienceConfig()
    """How agents click new items."""
    pages: PagesConfig | None = PagesConfig()
    """Showing the item on a page among others, compared with showing it alone; null = left out."""
    language: LanguageConfig | None = None
    """A language model that judges a sample of the items; null = none."""
    metadata: MetadataConfig | None = None
    """A language model that writes texts of items without one; null = none."""
    depth: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Length of the lists that are measured."""
    margin: Share = 0.01
    """Largest tolerated loss on old items, as a share of their value without warm-up."""
    bootstrap: Annotated[int, Field(ge=100, le=10_000)] = 1000
    """Resamples of items behind each interval."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: its directory, to which relative paths refer."""

    @model_validator(mode="after")
    def _fits_together(self) -> WarmupConfig:
        if list(self.volumes) != sorted(set(self.volumes)):
            raise ValueError(f"volumes must rise, found {list(self.volumes)}")
        if self.headline not in self.volumes:
            raise ValueError(f"headline: found {self.headline}, expected one of volumes {list(self.volumes)}")
        names = [self.recommender.recommender, *(other.recommender for other in self.others)]
        if len(set(names)) < len(names):
            raise ValueError(f"others: each recommender once, found {', '.join(names)}")
        return self
