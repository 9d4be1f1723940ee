"""The file that `groundlings fidelity` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.patterns import NAME
from groundlings.environments.synthetic_users import Method
from groundlings.experiments.config.layout import check_plain_lists
from groundlings.experiments.config.one_token import OneTokenModel
from groundlings.experiments.config.schema import (
    ArmConfig,
    BehaviouralMindConfig,
    PopulationConfig,
    Section,
    SiteConfig,
    SplitConfig,
)
from groundlings.personas.minds.calibrated import LanguageTermOptions
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.lost_pages import MAX_UNREADABLE

FEWEST_RECOMMENDERS = 8
"""With fewer recommenders, even the order of a perfect simulator would hardly be significant."""

DEFAULT_ARMS = (
    ArmConfig(name="random_order", recommender="random_order"),
    ArmConfig(name="popular", recommender="popular"),
    ArmConfig(name="item_knn", recommender="item_knn"),
    ArmConfig(name="item_knn_5", recommender="item_knn", options={"neighbours": 5}),
    ArmConfig(name="ease", recommender="ease"),
    ArmConfig(name="ease_2000", recommender="ease", options={"regularisation": 2000.0}),
    ArmConfig(name="als", recommender="als"),
    ArmConfig(name="als_8", recommender="als", options={"factors": 8}),
    ArmConfig(name="bpr", recommender="bpr"),
    ArmConfig(
        name="ease_20_random",
        recommender="degraded",
        options={"of": {"recommender": "ease"}, "share": 0.2},
    ),
    ArmConfig(
        name="popular_50_random",
        recommender="degraded",
        options={"of": {"recommender": "popular"}, "share": 0.5},
    ),
)
"""Those of a file that names none, and beside the arms of an experiment file."""


class ListsConfig(Section):
    """The lists in which scorers must separate held-out items from sampled negatives."""

    length: Annotated[int, Field(ge=4, le=100_000)] = 20
    """Items per list at most: `length // (m + 1)` held-out items and m times as many negatives."""
    ratios: Annotated[tuple[Annotated[int, Field(ge=1, le=50)], ...], Field(min_length=1)] = (1, 2, 3, 9)
    """Each m is one task 1:m, once with uniform and once with popularity-matched negatives."""
    reader: bool = True
    """Whether the list reader is fitted as well: trees that see the whole list. They are no mind and drive no agent."""


class ChoiceConfig(Section):
    """The choice among five: one item that the user really met next, and four that the user never met."""

    scenes: Annotated[int, Field(ge=0, le=10_000_000)] = 8
    """Scenes per user at most; 0 leaves the task out."""
    later: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of all rows of the history, the latest, that scenes are taken from. Statistics rest on the others."""


class SessionsConfig(Section):
    """The short simulations of the probes and the system level."""

    days: Annotated[int, Field(ge=2, le=1_000_000)] = 4
    """Days of the filter-bubble probe, and sessions per agent that the system level averages over."""
    doses: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=2)] = (0.25, 0.5, 0.75, 1.0)
    """Shares of slots that the dose-response probe fills at random, ascending."""

    @model_validator(mode="after")
    def _doses_rise(self) -> SessionsConfig:
        if list(self.doses) != sorted(set(self.doses)):
            raise ValueError(f"doses must rise, found {list(self.doses)}")
        return self


class LanguageConfig(LanguageTermOptions):
    """A language model, examined together with the behavioural features on a sample of users."""

    model: OneTokenModel = ModelConfig()
    """Which model answers; it must give log probabilities."""
    people: Annotated[int, Field(ge=10, le=10_000_000)] | Literal["all"] = 60
    """Number of test users the model is asked about, and half as many validation users."""
    calls: Annotated[int, Field(ge=1, le=10**15)] | Literal["all"] = 2000
    """Most questions, without those of a fit; lists are as long as that allows. `all` asks about whole lists."""
    max_unreadable: Annotated[float, Field(ge=0, le=1)] = MAX_UNREADABLE
    """Above this share of answers that cannot be read the lab stops with exit status 1; 1 = never."""


class FidelityConfig(Section):
    """One comparison of agents with the real users they were built from."""

    name: Annotated[str, Field(pattern=NAME)]
    """Names the directory of the results."""
    description: str = ""
    """A sentence for the readers of the page."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """The seed of every random number."""
    dataset: DatasetConfig
    """The users, items and interactions."""
    split: SplitConfig = SplitConfig()
    """What is held out; `split.salt` decides which third of the users is tested and never fitted on."""
    population: PopulationConfig = PopulationConfig()
    """Number of users of the test third that are examined; thresholds are chosen on as many of the validation third."""
    lists: ListsConfig = ListsConfig()
    """The lists in which scorers must separate held-out items from sampled negatives."""
    choice: ChoiceConfig = ChoiceConfig()
    """The choice among five."""
    mind: BehaviouralMindConfig = BehaviouralMindConfig(kind="behavioural")
    """The mind of the agents in probes and on the system level."""
    site: SiteConfig = SiteConfig(page_size=10, max_pages=2)
    """The pages of a session there."""
    visits: SessionsConfig = SessionsConfig()
    """The short simulations of the probes and the system level."""
    recommenders: tuple[ArmConfig, ...] = DEFAULT_ARMS
    """The recommenders whose order is predicted, near-ties among them; at least eight."""
    salts: tuple[str, ...] = ("harbour", "lantern", "meadow", "quarry")
    """Further salts, with each of which the order of recommenders is measured on another test third: the gate judges
    the mean over these and `split.salt`, and needs five."""
    synthetic_users: tuple[Method, ...] = ()
    """Ways to make synthetic users (`resample`, `copula`) that are compared with real users; empty leaves them out. An
    experiment file with `population.synthetic` is compared with its own."""
    language: LanguageConfig | None = None
    """A language model with the behavioural features: evidence only, language only, and both. None leaves it out."""
    bootstrap: Annotated[int, Field(ge=100, le=10_000)] = 500
    """Resamples of users for intervals without a formula."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: its directory, to which relative paths refer."""

    @model_validator(mode="after")
    def _measures_plain_lists(self) -> FidelityConfig:
        check_plain_lists(self.site, self.recommenders)
        return self

    @model_validator(mode="after")
    def _not_grounded(self) -> FidelityConfig:
        if self.mind.grounded:
            raise ValueError(
                "mind.grounded: grounded replay decides by the held-out behaviour that every figure here is measured "
                "against; take it out, it is for `groundlings run`"
            )
        return self

    @model_validator(mode="after")
    def _salts_differ(self) -> FidelityConfig:
        every = (self.split.salt, *self.salts)
        twice = sorted({salt for salt in every if every.count(salt) > 1})
        if twice:
            raise ValueError(f"salts: {', '.join(twice)}: it stands there twice, or is split.salt already; take it out")
        return self

    @model_validator(mode="after")
    def _enough_recommenders(self) -> FidelityConfig:
        names = [arm.name for arm in self.recommenders]
        if len(set(names)) < len(names):
            raise ValueError("recommenders: names must differ")
        asking = [arm.name for arm in self.recommenders if arm.model is not None]
        if asking:
            raise ValueError(f"recommenders: {', '.join(asking)}: the lab asks no model for recommenders; take it out")
        if len(names) < FEWEST_RECOMMENDERS:
            raise ValueError(f"recommenders: found {len(names)}, expected at least {FEWEST_RECOMMENDERS}")
        return self
