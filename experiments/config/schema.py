"""The experiment file: every key, what it means, and what happens when it is misspelt.

The docstring under a field is its documentation: `groundlings schema` prints them all.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.datasets.exposures import ExposuresConfig
from groundlings.environments.errors import ConfigError
from groundlings.environments.patterns import NAME
from groundlings.environments.repeats import NEVER, RepeatRule
from groundlings.experiments.config.decision_plan import PlanConfig
from groundlings.experiments.config.designs import DesignConfig, ParallelDesign, SplitDesign, check_design
from groundlings.experiments.config.environment import OwnEnvironment, SiteConfig
from groundlings.experiments.config.execution import ExecutionConfig
from groundlings.experiments.config.interventions import InterventionConfig, check_interventions
from groundlings.experiments.config.item_groups import GroupsConfig
from groundlings.experiments.config.layout import check_attention
from groundlings.experiments.config.minds import (
    BehaviouralMindConfig,
    BehaviouralSection,
    CalibratedMindConfig,
    ConversingMindConfig,
    ConversingSection,
    HybridMindConfig,
    LanguageMindConfig,
    MindConfig,
    PluginMindConfig,
    ScriptedMindConfig,
)
from groundlings.experiments.config.people import PopulationConfig, SplitConfig
from groundlings.experiments.config.returning import ReturnsConfig
from groundlings.experiments.config.section import Section
from groundlings.experiments.config.variants import VariantsConfig
from groundlings.recommenders.rule_options import RandomSlots, Rule
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.log.address import postgres_address

__all__ = [
    "ArmConfig",
    "BehaviouralMindConfig",
    "BehaviouralSection",
    "CalibratedMindConfig",
    "ConversingMindConfig",
    "ConversingSection",
    "ExperimentConfig",
    "HybridMindConfig",
    "LanguageMindConfig",
    "LogConfig",
    "MindConfig",
    "PlanConfig",
    "PluginMindConfig",
    "PopulationConfig",
    "ScriptedMindConfig",
    "Section",
    "SimulationConfig",
    "SiteConfig",
    "SplitConfig",
    "VariantsConfig",
]


class SimulationConfig(Section):
    """The simulated days: sessions, refits, concurrency."""

    days: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Steps of the clock. Every agent has at most one session per day, unless `returns` says otherwise."""
    visit_probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    """P(an agent has a session on a day); the same draw in every arm."""
    refit_every: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    """Days between two fits of the recommenders, on the real history and their own arm's interactions; 0 = never."""
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 8
    """Sessions open at once when a language model decides. It changes the speed, never the result."""
    returns: ReturnsConfig | None = None
    """When people come back, if it is to depend on what happened, on gaps in the history, or on who they are; every
    day has the same `visit_probability` for everybody if absent."""

    @model_validator(mode="after")
    def _one_rule_of_coming(self) -> SimulationConfig:
        if self.returns is not None and self.returns.kind != "daily_chance" and self.visit_probability != 1.0:
            raise ValueError(
                f"visit_probability: only read with returns.kind: daily_chance, found {self.returns.kind}; take it out"
            )
        return self


class ArmConfig(Section):
    """One recommender under test."""

    name: Annotated[str, Field(min_length=1)]
    """Its name in the log and in every report."""
    recommender: str
    """A shipped recommender, a plug-in's name, or `module:Class`; `python:NAME` stands for an object that Python code
    handed over (docs/python-api.md)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What the recommender's constructor takes."""
    history: Literal["all", "none"] = "all"
    """What it is fitted on before the first day: `all` of the training part, or `none` of it (cold start): it then
    learns from simulated interactions only. In either case no agent is shown items of its own history."""
    model: ModelConfig | None = None
    """Which language model this recommender asks, with a budget of its own; only for one that asks a model."""
    max_unreadable: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of this recommender's lessons (what it asks its model in order to learn) that may be lost, because no reply
    came that could be read; above it the run stops with status 1, and can be resumed. It is as well the share of its
    replies about lists above which a check of `compare` fails. 0.2 if absent; 1 allows any."""
    rules: tuple[Rule, ...] | None = None
    """Business rules that this arm's lists keep: `pin`, `exclude`, `cap` and `boost` (docs/layouts.md)."""
    slots: RandomSlots | Literal["none"] | None = None
    """Slots of this arm that are filled at random, in place of `site.slots`; `none` for none."""


class LogConfig(Section):
    """Where the log lies and in what; the results are the same."""

    store: Literal["auto", "sqlite", "parquet"] = "auto"
    """What holds sessions, impressions and events in the run's directory: `sqlite`, the file `log.db` alone; `parquet`,
    Parquet files beside it, which take less than a third of the space and half of the time to write; `auto`, Parquet
    from 5,000,000 expected impressions on where no language model is asked, else SQLite. The digest is the same."""
    url: Annotated[str, AfterValidator(postgres_address)] | None = None
    """`postgresql://USER@HOST:PORT/DATABASE`: a log on a server instead, with `groundlings[postgres]` installed. The
    password stands in PGPASSWORD or ~/.pgpass, never here. Each run gets a schema of its own in the database; its
    directory says which."""

    personas: Literal["auto", "full", "measured"] = "auto"
    """What the log keeps of each agent: `full`, all that its persona knows (some two kilobytes of JSON); `measured`,
    the numbers that were measured and no lists of items, no acts and no description (some sixty bytes); `auto`,
    `measured` from 20,000 agents on where no language model is asked, else `full`. Results are the same; the digest
    differs, because it takes in what is kept. A run that is resumed keeps what it began with."""

    @model_validator(mode="after")
    def _in_one_place(self) -> LogConfig:
        if self.url is not None and self.store != "auto":
            raise ValueError(
                f"log.store: found {self.store} beside log.url, which means PostgreSQL; keep one of the two"
            )
        return self


class ExperimentConfig(Section):
    """An experiment: data, agents, environment, arms, and what is to be decided."""

    name: Annotated[str, Field(pattern=NAME)]
    """Name of the experiment and of its run directory."""
    description: str = ""
    """Free text, shown in the report."""
    question: Annotated[str, Field(min_length=1)] | None = None
    """What the run is to answer, in a sentence: the title of its report, made of the plan if absent. No result depends
    on it."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Seed of all random numbers. There is no default: a run without a seed cannot be repeated."""
    dataset: DatasetConfig
    """The data set: users, items and interactions."""
    copy_data: bool = False
    """Whether a run keeps a copy of the data set `own` in its directory (`data/`), from which it can be resumed and run
    again wherever that lies; else it names the tables where they lie."""
    split: SplitConfig = SplitConfig()
    """What is held out."""
    population: PopulationConfig = PopulationConfig()
    """Which users become agents."""
    simulation: SimulationConfig = SimulationConfig()
    """The simulated days: sessions, refits, concurrency."""
    site: SiteConfig = SiteConfig()
    """The paginated feed: slots per page, pages per session."""
    environment: OwnEnvironment = None
    """The environment, if not the paginated feed that `site` describes: `module:Class`, or a mapping with `kind` and
    its options."""
    mind: MindConfig
    """The mind that decides for agents."""
    arms: Annotated[tuple[ArmConfig, ...], Field(min_length=1)]
    """The recommenders under test; the others are compared to the first."""
    design: DesignConfig = ParallelDesign()
    """How agents are assigned to arms: `parallel`, `split` or `interleaving`."""
    interventions: Annotated[tuple[InterventionConfig, ...], Field(min_length=1)] | None = None
    """What changes in arms on the way, each at the beginning of a day (docs/interventions.md); nothing if absent."""
    metrics: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """What is measured: names of shipped metrics or plug-ins, `module:NAME` for one of your own, `shipped` for all the
    shipped ones. The shipped ones if absent."""
    groups: GroupsConfig | None = None
    """How items are grouped in the report, for exposure and money by group; by category and by popularity if absent."""
    held_out: bool = True
    """Whether a run also measures its arms on what its agents really did in the held-out part, and whether other
    simulated audiences order the arms alike; `groundlings compare` puts both beside every effect."""
    plan: PlanConfig | None = None
    """What is to be decided; without it the comparison is exploratory and no effect is called validated."""
    exposures: ExposuresConfig | None = None
    """A log of what was shown to real people, for `groundlings calibrate --exposures`; `compare` holds the arms
    of a run against it, and no session depends on it."""
    log: LogConfig | None = None
    """Where the log lies and in what; by its size in the run's directory if absent."""
    execution: ExecutionConfig = ExecutionConfig()
    """Where sessions are simulated: in one process, in several, or on a cluster. No result depends on it."""
    variants: VariantsConfig | None = None
    """Replicates as a matrix of prompts, models and seeds: an effect has to hold over all of them."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: the directory it stands in, from which relative paths count."""

    @property
    def repeats(self) -> RepeatRule:
        """Whether items of the history may be shown again; an environment of one's own knows of no repeats."""
        return NEVER if self.environment is not None else self.site.repeat_rule

    @model_validator(mode="after")
    def _arm_names_differ(self) -> ExperimentConfig:
        names = [arm.name for arm in self.arms]
        if blank := [place for place, name in enumerate(names) if not name.strip()]:
            raise ValueError(f"arms[{blank[0]}].name: an arm needs a name that can be read")
        looks = [" ".join(unicodedata.normalize("NFC", name).split()) for name in names]
        twice = sorted({look for look in looks if looks.count(look) > 1})
        if twice:
            alike = "" if len(set(names)) < len(names) else " (they differ in spaces or in how letters are composed)"
            raise ValueError(f"arm names must differ, found more than once: {', '.join(twice)}{alike}")
        return self

    @model_validator(mode="after")
    def _one_environment(self) -> ExperimentConfig:
        if self.environment is not None and self.site == SiteConfig(friends=True):
            raise ValueError(
                f"site.friends: found true with the environment {self.environment.kind}; only the paginated feed says "
                "what friends liked, so take one of the two out"
            )
        if self.environment is not None and self.site != SiteConfig():
            raise ValueError("site: it describes the paginated feed, and `environment` names another one; keep one")
        return self

    @model_validator(mode="after")
    def _attention_suits_the_layout(self) -> ExperimentConfig:
        if isinstance(self.mind, BehaviouralSection | CalibratedMindConfig):
            check_attention(self.site.layout, self.mind)
        return self

    @model_validator(mode="after")
    def _friends_are_known(self) -> ExperimentConfig:
        if self.site.friends and getattr(self.mind, "social", None) is None:
            raise ValueError("site.friends: agents without ties have no friends; give mind.social, or take it out")
        return self

    @model_validator(mode="after")
    def _ties_suit_the_design(self) -> ExperimentConfig:
        social, design = getattr(self.mind, "social", None), self.design
        if social is None:
            if isinstance(design, SplitDesign) and design.by == "clusters":
                raise ValueError(
                    "design.by: clusters are of agents with ties, and these have none; give mind.social, or write "
                    "by: agents"
                )
            return self
        if getattr(design, "by", "agents") == "clusters" and self.plan is not None and self.plan.stopping != "fixed":
            raise ValueError(
                f"plan.stopping: found {self.plan.stopping} with clusters of agents (design.by), which are too few to "
                "look at early; write fixed, or by: agents"
            )
        if design.kind == "interleaving":
            raise ValueError(
                "mind.social: with design interleaving both arms draft what every agent sees and mentions, so that "
                "nothing can be said of one of them; write design: parallel or split, or take the ties out"
            )
        if design.kind == "split" and getattr(social, "turns", None) is not None:
            raise ValueError(
                "mind.social.turns: what agents say in social turns is heard within their arm, and design split puts "
                "their ties into different arms; write design: parallel, or take the turns out"
            )
        return self

    @model_validator(mode="after")
    def _sample_lives_in_every_arm(self) -> ExperimentConfig:
        if isinstance(self.mind, HybridMindConfig) and self.mind.sample and self.design.kind != "parallel":
            raise ValueError(
                f"mind.sample: with design {self.design.kind} nobody lives in two arms, and people in the sample of a "
                "hybrid mind live in all of them; write design: parallel, or sample: 0"
            )
        return self

    @model_validator(mode="after")
    def _sample_has_no_ties(self) -> ExperimentConfig:
        if not isinstance(self.mind, HybridMindConfig) or not self.mind.sample:
            return self
        if self.mind.language.social is not None:
            raise ValueError(
                "mind.language.social: the sample of a hybrid mind would have ties to the sample alone, whom the "
                "others do not have; take it out"
            )
        shown = [change for change in self.interventions or () if change.site is not None and change.site.friends]
        if self.site.friends or shown:
            where = "site.friends" if self.site.friends else "interventions: site.friends"
            raise ValueError(
                f"{where}: people in the sample of a hybrid mind have no ties while they live by the language mind, so "
                "that there is no number to show them; take it out, or write sample: 0"
            )
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> ExperimentConfig:
        check_design(self.design, self.arms, planned=self.plan is not None)
        check_interventions(self.interventions or (), self)
        if self.variants is not None:
            self.variants.check_mind(self.mind)
        return self

    @model_validator(mode="after")
    def _metrics_are_known(self, info: ValidationInfo) -> ExperimentConfig:
        given = (info.context or {}).get("metrics", ())  # metrics that exist as values, where Python and no file asks
        if not any(":" in name for name in self.metrics or ()):  # modules are imported when a plan is built
            from groundlings.experiments.analysis.metrics.registry import metrics_of

            try:
                metrics_of(self.model_dump(include={"metrics", "plan"}), given)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return self

    @model_validator(mode="after")
    def _replay_has_something_to_replay(self) -> ExperimentConfig:
        if self.population.synthetic is not None and getattr(self.mind, "grounded", False) is True:
            raise ValueError(
                "mind.grounded: grounded replay decides by what an agent really did later, and nobody was a synthetic "
                "user (population.synthetic); take one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _data_can_be_copied(self) -> ExperimentConfig:
        if self.copy_data and self.dataset.name != "own":
            raise ValueError(f"copy_data: only tables of your own are copied, found the data set {self.dataset.name}")
        return self

    @model_validator(mode="after")
    def _expected_clicks_are_known(self) -> ExperimentConfig:
        silent = isinstance(self.mind, ScriptedMindConfig | ConversingSection) or (
            isinstance(self.mind, LanguageMindConfig) and self.mind.decision == "verdict"
        )
        if self.plan is not None and self.plan.take_out_luck and silent:
            raise ValueError(
                f"plan.take_out_luck: this {self.mind.kind} mind states no P(click), so expected clicks are not "
                "known; take the key out, or let a mind decide that does (behavioural, or language with graded "
                "decisions)"
            )
        return self

    @model_validator(mode="after")
    def _luck_has_mean_zero(self) -> ExperimentConfig:
        returns = self.simulation.returns
        if self.plan is not None and self.plan.take_out_luck and returns is not None and returns.depend_on_sessions:
            raise ValueError(
                "plan.take_out_luck: what is taken out has mean zero only where clicks do not decide on later "
                "sessions, and simulation.returns lets them; take one of the two out"
            )
        return self
