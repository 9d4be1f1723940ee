"""The file that `groundlings warmup` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.experiments.config.schema import Section
from groundlings.simulator.language.config import ModelConfig

Share = Annotated[float, Field(gt=0, lt=1)]
Volume = Annotated[int, Field(ge=1)]
Channel = Literal["content", "taste", "active"]


class ColdConfig(Section):
    """Which items count as new. All that anybody did with them is hidden."""

    choose: Literal["random", "newest", "list"] = "random"
    """`random` as ColdRec does, anew for each seed; `newest` by year of release; `list` by the ids under `items`."""
    share: Share = 0.2
    """Share of the items that are new; half of these are measured, the other half teach the audience to judge."""
    items: tuple[str, ...] = ()
    """With `choose: list`, ids of the new items. All are measured; as many others are hidden to teach the audience."""

    @model_validator(mode="after")
    def _items_go_with_a_list(self) -> ColdConfig:
        if (self.choose == "list") != bool(self.items):
            raise ValueError("items: needed with choose: list, and only with it")
        return self


class RecallConfig(Section):
    """Who is thought of at all: every arm chooses people from the same pool."""

    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] = ("content", "taste", "active")
    """Rankings of people for an item; their mean rank decides."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the people that may be asked who are in an item's pool."""


class AudienceConfig(Section):
    """How simulated people meet a new item."""

    takers: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Share of an item's pool that has taken it when its cast is chosen. Whoever meets it again and again takes it in
    the end; how soon depends on their chance, so the likely come first, but not alone."""


class PagesConfig(Section):
    """Meeting the item on real pages instead of being asked directly."""

    people: Annotated[int, Field(ge=1)] = 200
    """Best people of each item's pool who are sent a page; those asked directly for comparison are the same."""
    seeds: Annotated[int, Field(ge=1)] = 2
    """In how many of the seeds, from the first."""
    page_size: Annotated[int, Field(ge=2)] = 10
    """Slots of the page: the new item stands in one by lot, the recommender's own items in the others."""


class WarmRecommenderConfig(Section):
    """A recommender that is to be warmed up."""

    recommender: str
    """A shipped recommender, a plug-in's name, or `module:Class`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What its constructor takes."""


class LanguageConfig(Section):
    """Let a language model judge a sample, and say what that costs and brings."""

    model: ModelConfig = ModelConfig()
    """Which model answers."""
    items: Annotated[int, Field(ge=1)] = 10
    """New items it is asked about."""
    shortlist: Annotated[int, Field(ge=2)] = 20
    """Interested people of each item it is asked about, one question each."""
    known_pairs: Annotated[int, Field(ge=10)] = 100
    """Pairs with hidden items it is asked about first; how much its word counts is estimated on them."""


class MetadataConfig(Section):
    """Let a language model write a line about items that have no text (Acharya, Singh and Onoe 2023)."""

    model: ModelConfig = ModelConfig()
    """Which model writes."""
    items: Annotated[int, Field(ge=1)] = 50
    """Items it writes about, at most: in turn a new one and an old one by lot."""


class WarmupConfig(Section):
    """One measurement of what simulated first interactions are worth."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """Names the directory of the results."""
    description: str = ""
    """For the people who read the page."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Where all chance comes from."""
    seeds: Annotated[int, Field(ge=2)] = 5
    """How often everything is done anew: another draw of new items, of held-out rows, and of luck."""
    dataset: DatasetConfig
    """Which people, items and history."""
    salt: str = "groundlings"
    """Decides which third of the people is tested and never asked; the other two may be asked."""
    cold: ColdConfig = ColdConfig()
    """Which items count as new."""
    recall: RecallConfig = RecallConfig()
    """Who is thought of."""
    volumes: Annotated[tuple[Volume, ...], Field(min_length=1)] = (1, 5, 10, 20, 50)
    """Interactions an item, the same in every arm; ascending."""
    headline: Volume = 10
    """The volume that decides; one of `volumes`."""
    recommender: WarmRecommenderConfig = WarmRecommenderConfig(recommender="als")
    """What is warmed up."""
    others: tuple[WarmRecommenderConfig, ...] = (
        WarmRecommenderConfig(recommender="ease"),
        WarmRecommenderConfig(recommender="item_knn"),
    )
    """Further recommenders that get the same interactions at the headline volume: does the finding depend on one?"""
    refit: bool = True
    """Also fit the recommender anew on everything, at the headline volume; else new items are folded in alone."""
    audience: AudienceConfig = AudienceConfig()
    """How simulated people meet a new item."""
    pages: PagesConfig | None = PagesConfig()
    """Meeting it on real pages, compared with being asked; null = left out."""
    language: LanguageConfig | None = None
    """A language model as judge, on a sample."""
    metadata: MetadataConfig | None = None
    """A language model that writes what is missing about items, with a measurement of what that changes."""
    depth: Annotated[int, Field(ge=1)] = 20
    """Ranks that count."""
    margin: Share = 0.01
    """Largest loss on old items that is tolerated, as a share of their value without warm-up."""
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    """Resamples of items behind each interval."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: the directory it stands in, from which relative paths count."""

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
