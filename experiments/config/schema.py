"""The experiment file: every key, what it means, and what happens when it is misspelt.

The docstring under a field is its documentation: `groundlings schema` prints them all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from groundlings.environments.datasets.config import DatasetConfig
from groundlings.environments.split import SplitKind
from groundlings.experiments.config.designs import (
    INTERLEAVED,
    DesignConfig,
    InterleavingDesign,
    ParallelDesign,
    SplitDesign,
)
from groundlings.personas.minds.behavioural import BehaviouralOptions
from groundlings.personas.minds.calibrated import CalibratedOptions
from groundlings.personas.minds.language.config import LanguageOptions, Wording
from groundlings.personas.minds.scripted import ScriptedOptions
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.log.address import postgres_address


class Section(BaseModel):
    """A part of the experiment file: frozen, unknown keys refused."""

    # Values are kept out of messages: what stands in the wrong place may be a password. `loading` shows what it may.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


class SplitConfig(Section):
    """What is known before the experiment, and what is held out."""

    kind: SplitKind = "per_user_temporal"
    """`per_user_temporal` holds out the end of each person's history, `global_temporal` all rows after one moment."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the interactions that neither personas nor recommenders see."""
    salt: str = "groundlings"
    """Decides, with a person's id, which third of the people no model may be fitted on."""


class PopulationConfig(Section):
    """Who comes."""

    size: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """How many real people become agents; a smaller population is part of a larger one with the same seed."""


class SimulationConfig(Section):
    """When things happen."""

    days: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Steps of the clock. Every agent visits at most once a day."""
    visit_probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    """P(an agent comes on a day); the same draw in every arm."""
    refit_every: Annotated[int, Field(ge=0)] = 1
    """Days between two fits of the recommenders, on the real history and all that their own arm did; 0 = never."""
    concurrency: Annotated[int, Field(ge=1)] = 8
    """Visits open at once when a language model decides. It changes the speed, never the result."""


_MOST_SLOTS = 100_000


class SiteConfig(Section):
    """What a visit looks like."""

    page_size: Annotated[int, Field(ge=1)] = 10
    """Slots a page."""
    max_pages: Annotated[int, Field(ge=1)] = 5
    """Pages a visit can see at most."""

    @model_validator(mode="after")
    def _can_be_shown(self) -> SiteConfig:
        if self.page_size * self.max_pages > _MOST_SLOTS:
            raise ValueError(
                f"{self.page_size} slots a page on {self.max_pages} pages are more than {_MOST_SLOTS:,} slots a visit"
            )
        return self


class BehaviouralMindConfig(BehaviouralOptions):
    """No language model: a choice model estimated on real histories."""

    kind: Literal["behavioural"]
    """`behavioural`."""


class ScriptedMindConfig(ScriptedOptions):
    """A fixed rule, for tests and examples."""

    kind: Literal["scripted"]
    """`scripted`."""


class LanguageMindConfig(LanguageOptions):
    """A language model decides, one checked call a page."""

    kind: Literal["language"]
    """`language`."""
    model: ModelConfig = ModelConfig()
    """Which model answers."""


class CalibratedMindConfig(CalibratedOptions):
    """Evidence from real histories and a language model's score, weighed by what validation people really did."""

    kind: Literal["calibrated"]
    """`calibrated`."""
    model: ModelConfig = ModelConfig()
    """Which model answers; it must give log probabilities."""


def _spelled_out(mind: Any) -> Any:
    return {"kind": mind} if isinstance(mind, str) else mind


MindConfig = Annotated[
    Annotated[
        BehaviouralMindConfig | ScriptedMindConfig | LanguageMindConfig | CalibratedMindConfig,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_spelled_out),
]


MetricName = Literal["view_ratio", "likes_per_session", "like_ratio", "mean_rating", "exit_page", "satisfaction"]
Share = Annotated[float, Field(gt=0, lt=1)]


class PlanConfig(Section):
    """What the experiment is to decide, declared before it runs and stored in its log."""

    primary: MetricName
    """The one metric that decides; all others only warn or suggest."""
    smallest_effect: Share = 0.05
    """The smallest effect on it that matters, as a share of the first arm's mean."""
    guardrails: dict[MetricName, Share] = {}
    """Metrics that must not fall, each with the largest loss that is tolerated, as a share of the first arm's mean."""
    alpha: Share = 0.05
    """Chance of a false alarm that is accepted, of all arms and all looks together."""
    power: Share = 0.8
    """Wanted chance of finding the smallest effect; for `groundlings power` and the effect a null could have missed."""
    take_out_luck: bool = False
    """Whether outcomes are compared less the luck of opening (opened minus expected), for minds that state P(open):
    the same effect, more precisely."""
    stopping: Literal["fixed", "group_sequential", "confidence_sequence"] = "fixed"
    """One look at the end; looks at planned numbers of people; or a look whenever one likes, at wider intervals."""
    looks: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Numbers of people at which a `group_sequential` plan looks, ascending: a run of each, all with one seed."""

    @model_validator(mode="after")
    def _fits_together(self) -> PlanConfig:
        if self.primary in self.guardrails:
            raise ValueError(f"guardrails: {self.primary} is the primary metric already; name others")
        if list(self.looks) != sorted(set(self.looks)):
            raise ValueError(f"looks must rise, found {list(self.looks)}")
        if (self.stopping == "group_sequential") != bool(self.looks):
            raise ValueError("looks: needed with stopping: group_sequential, and only with it")
        return self


class VariantsConfig(Section):
    """The same experiment under other circumstances, which must not decide: each combination is a run of its own."""

    prompts: tuple[Wording, ...] = ()
    """Wordings of a language mind's prompts, as in `mind.wording`; the mind's own if empty."""
    models: tuple[ModelConfig, ...] = ()
    """Language models, each as in `mind.model` of a language or calibrated mind; the mind's own if empty."""
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = ()
    """Seeds, as the file's own; the file's own if empty."""

    @model_validator(mode="after")
    def _vary(self) -> VariantsConfig:
        for name in ("prompts", "models", "seeds"):
            values = getattr(self, name)
            if len(values) > len({repr(value) for value in values}):
                raise ValueError(f"variants.{name}: the same one stands there twice; it would count as two runs")
        return self


class ArmConfig(Section):
    """One recommender under test."""

    name: Annotated[str, Field(min_length=1)]
    """Its name in the log and in every report."""
    recommender: str
    """A shipped recommender, a plug-in's name, or `module:Class`; `python:NAME` stands for an object that Python code
    handed over (docs/python-api.md)."""
    options: dict[str, Any] = {}
    """What the recommender's constructor takes."""
    history: Literal["all", "none"] = "all"
    """What it knows on the first morning: `all` of the training part, or `none` of it, as a recommender that starts
    cold; it then learns from what agents do. Nobody is shown what they already know in either case."""


class LogConfig(Section):
    """A log on a server instead of a file; the results are the same."""

    url: Annotated[str, AfterValidator(postgres_address)]
    """`postgresql://USER@HOST:PORT/DATABASE`, with `groundlings[postgres]` installed. The password stands in PGPASSWORD
    or ~/.pgpass, never here. Each run gets a schema of its own in the database; its directory says which."""


class ExperimentConfig(Section):
    """One experiment."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    """Names the run directory."""
    description: str = ""
    """For the people who read the report."""
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Where all chance comes from. There is no default: a run without a seed cannot be repeated."""
    dataset: DatasetConfig
    """Which people, items and history."""
    copy_data: bool = False
    """Whether a run keeps a copy of the data set `own` in its directory (`data/`), from which it can be resumed and run
    again wherever that lies; else it names the tables where they lie."""
    split: SplitConfig = SplitConfig()
    """What is held out."""
    population: PopulationConfig = PopulationConfig()
    """Who comes."""
    simulation: SimulationConfig = SimulationConfig()
    """When things happen."""
    site: SiteConfig = SiteConfig()
    """What a visit looks like."""
    mind: MindConfig
    """Who decides."""
    arms: Annotated[tuple[ArmConfig, ...], Field(min_length=1)]
    """The recommenders under test; the others are compared to the first."""
    design: DesignConfig = ParallelDesign()
    """How arms meet people: `parallel`, `split` or `interleaving`."""
    plan: PlanConfig | None = None
    """What is to be decided; without it the comparison explores and never validates."""
    log: LogConfig | None = None
    """Where the log lies, if not in the SQLite file `log.db` of the run's directory."""
    variants: VariantsConfig | None = None
    """Replicates as a matrix of prompts, models and seeds: an effect has to hold over all of them."""
    base: Annotated[Path, Field(exclude=True)] = Path()
    """Not a key of the file: the directory it stands in, from which relative paths count."""

    @model_validator(mode="after")
    def _arm_names_differ(self) -> ExperimentConfig:
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"arm names must differ, found more than once: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _design_fits(self) -> ExperimentConfig:
        names = [arm.name for arm in self.arms]
        if isinstance(self.design, SplitDesign):
            if len(names) < 2:
                raise ValueError(f"design: split divides people between arms, found {len(names)} arm")
            unknown = sorted(set(self.design.shares) - set(names))
            if self.design.shares and (unknown or set(names) - set(self.design.shares)):
                wrong = f"no arm is called {', '.join(unknown)}; " if unknown else ""
                raise ValueError(f"design.shares: {wrong}give each arm its part: {', '.join(names)}")
        if isinstance(self.design, InterleavingDesign):
            if len(names) != 2:
                raise ValueError(f"design: interleaving needs exactly two arms, found {len(names)}")
            if INTERLEAVED in names:
                raise ValueError(f"design: interleaving calls the arms' common world {INTERLEAVED!r}; rename that arm")
            if self.arms[0].history != self.arms[1].history:
                raise ValueError("arms: interleaved recommenders learn from one log; give both the same `history`")
            if self.plan is not None:
                raise ValueError(
                    "plan: interleaving says which arm's items are preferred and measures no effect on a metric; take "
                    "the plan out, or choose the design parallel or split"
                )
        return self

    @model_validator(mode="after")
    def _data_can_be_copied(self) -> ExperimentConfig:
        if self.copy_data and self.dataset.name != "own":
            raise ValueError(f"copy_data: only tables of your own are copied, found the data set {self.dataset.name}")
        return self

    @model_validator(mode="after")
    def _luck_is_known(self) -> ExperimentConfig:
        silent = isinstance(self.mind, ScriptedMindConfig) or (
            isinstance(self.mind, LanguageMindConfig) and self.mind.decision == "verdict"
        )
        if self.plan is not None and self.plan.take_out_luck and silent:
            raise ValueError(
                f"plan.take_out_luck: this {self.mind.kind} mind states no chance of opening, so nobody knows what "
                "was luck; take the key out, or let a mind decide that does (behavioural, or language with graded "
                "decisions)"
            )
        return self

    @model_validator(mode="after")
    def _variants_fit(self) -> ExperimentConfig:
        asked = self.variants or VariantsConfig()
        if asked.models and not isinstance(self.mind, LanguageMindConfig | CalibratedMindConfig):
            raise ValueError(f"variants.models: a {self.mind.kind} mind asks no model; give seeds alone")
        if asked.prompts and not isinstance(self.mind, LanguageMindConfig):
            others = "models and seeds" if isinstance(self.mind, CalibratedMindConfig) else "seeds alone"
            raise ValueError(f"variants.prompts: a {self.mind.kind} mind has one wording; give {others}")
        return self
