"""The file that `groundlings truth` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.datasets.exposures import ExposuresConfig
from groundlings.environments.paths import NamedPath
from groundlings.environments.patterns import NAME
from groundlings.experiments.config.layout import check_plain_lists
from groundlings.experiments.config.schema import (
    ArmConfig,
    BehaviouralMindConfig,
    PopulationConfig,
    Section,
    SiteConfig,
)
from groundlings.experiments.config.section import Share

FEWEST_RECOMMENDERS = 12
"""Arms that count: with fewer, even the order of a perfect simulator would be hard to tell from a fair one."""

FEWEST_SALTS = 5
"""Partitions of the people that a pooled estimate needs before it can pass the gate."""

UNCOUNTED = frozenset({"random_order", "degraded", "oracle", "anti_oracle"})
"""Recommenders whose place in an order is known beforehand, or that read the agents' hidden preferences."""

_DEFAULT_ARMS = (
    ArmConfig(name="popular", recommender="popular"),
    ArmConfig(name="group_popular", recommender="group_popular"),
    ArmConfig(name="item_knn", recommender="item_knn"),
    ArmConfig(name="item_knn_5", recommender="item_knn", options={"neighbours": 5}),
    ArmConfig(name="liked_knn", recommender="liked_knn"),
    ArmConfig(name="liked_knn_5", recommender="liked_knn", options={"neighbours": 5}),
    ArmConfig(name="ease", recommender="ease"),
    ArmConfig(name="ease_20", recommender="ease", options={"regularisation": 20.0}),
    ArmConfig(name="als", recommender="als"),
    ArmConfig(name="als_8", recommender="als", options={"factors": 8, "regularisation": 1.0}),
    ArmConfig(name="als_64", recommender="als", options={"factors": 64, "regularisation": 1.0}),
    ArmConfig(name="bpr", recommender="bpr"),
    ArmConfig(name="bpr_8", recommender="bpr", options={"factors": 8}),
    ArmConfig(name="item_mean", recommender="item_mean"),
    ArmConfig(name="bias_svd", recommender="bias_svd"),
    ArmConfig(name="feature_regression", recommender="feature_regression"),
)


class TruthOptions(Section):
    """Where the random exposures are, and how they judge."""

    directory: NamedPath | None = None
    """The folder of a data set that is not downloaded (`coat`); short for `dataset.directory`."""
    exposures: ExposuresConfig | None = None
    """The table of items that were shown at random, with `policy: random`; not needed for `coat`, which brings it."""
    salts: Annotated[tuple[str, ...], Field(min_length=1)] = ("groundlings", "a", "b", "c", "d")
    """Each divides the people in two halves: whose exposures may be fitted on, and who is judged. Figures are pooled
    over them; a gate needs five."""
    top: Share = 0.2
    """The first share of each recommender's list of all candidates, in which real likes are counted."""
    sessions: Annotated[int, Field(ge=1, le=1000)] = 100
    """Sessions per agent and recommender; the more, the less chance is in the simulated figures."""
    bootstrap: Annotated[int, Field(ge=100, le=10_000)] = 500
    """Resamples of people behind every interval."""

    @model_validator(mode="after")
    def _salts_differ(self) -> TruthOptions:
        if len(set(self.salts)) < len(self.salts):
            raise ValueError("salts: they must differ; the same halves twice are no more evidence")
        return self


class TruthConfig(Section):
    """One examination of agents by items that were shown at random."""

    name: Annotated[str, Field(pattern=NAME)]
    """Names the directory of the results."""
    description: str = ""
    """A sentence for the readers of the page."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """The seed of every random number."""
    dataset: DatasetConfig
    """The users, items and self-chosen interactions: all that agents and recommenders learn from."""
    truth: TruthOptions = TruthOptions()
    """Where the random exposures are, and how they judge."""
    population: PopulationConfig = PopulationConfig()
    """How many of the people with random exposures take part."""
    mind: BehaviouralMindConfig = BehaviouralMindConfig(kind="behavioural")
    """The mind under examination."""
    site: SiteConfig = SiteConfig(page_size=10, max_pages=2)
    """The pages of a session."""
    recommenders: tuple[ArmConfig, ...] = _DEFAULT_ARMS
    """The recommenders whose order is predicted, named before anything is measured; at least twelve that count. Random,
    degraded and bounding ones are shown and do not count, nor do copies: those that show what an earlier one shows."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: its directory, to which relative paths refer."""

    @model_validator(mode="before")
    @classmethod
    def _one_directory(cls, content: Any) -> Any:
        """`truth.directory` is where the data set lies."""
        truth = content.get("truth") if isinstance(content, dict) else None
        directory = truth.get("directory") if isinstance(truth, dict) else None
        if directory is None:
            return content
        dataset = content.get("dataset")
        dataset = {"name": dataset} if isinstance(dataset, str) else dataset
        if not isinstance(dataset, dict) or dataset.get("directory", directory) != directory:
            raise ValueError("truth.directory: dataset.directory names another folder; keep one of the two")
        return {**content, "dataset": {**dataset, "directory": directory}}

    @model_validator(mode="after")
    def _measures_plain_lists(self) -> TruthConfig:
        check_plain_lists(self.site, self.recommenders)
        return self

    @model_validator(mode="after")
    def _knows_nothing_of_the_judged(self) -> TruthConfig:
        if self.mind.grounded:
            raise ValueError("mind.grounded: grounded replay is for `groundlings run`; take it out")
        if self.mind.exposures is not None:
            raise ValueError(
                "mind.exposures: that file may have been fitted on people who are judged here; take it out, the lab "
                "fits one on the other half in each partition"
            )
        return self

    @model_validator(mode="after")
    def _enough_recommenders(self) -> TruthConfig:
        names = [arm.name for arm in self.recommenders]
        if len(set(names)) < len(names):
            raise ValueError("recommenders: names must differ")
        asking = [arm.name for arm in self.recommenders if arm.model is not None]
        if asking:
            raise ValueError(f"recommenders: {', '.join(asking)}: the lab asks no model for recommenders; take it out")
        if sum(self.countable) < FEWEST_RECOMMENDERS:
            raise ValueError(too_few(sum(self.countable)))
        return self

    @property
    def countable(self) -> tuple[bool, ...]:
        """Whether each recommender may count in the order, copies aside."""
        return tuple(arm.recommender not in UNCOUNTED for arm in self.recommenders)


def too_few(found: int) -> str:
    """What is wrong where fewer recommenders count than an order needs."""
    return (
        f"recommenders: found {found} that count, expected at least {FEWEST_RECOMMENDERS}; random, degraded and "
        "bounding ones do not count, nor do copies of an earlier one"
    )
