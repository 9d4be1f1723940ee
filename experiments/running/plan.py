"""From names to objects: the one place where a configuration becomes collaborators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.chat import ChatModel
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import ProgressHook, load_dataset
from groundlings.environments.feed import PaginatedSite
from groundlings.environments.split import Split, split_history
from groundlings.experiments.config.designs import (
    INTERLEAVED,
    InterleavingDesign,
    ParallelDesign,
    SplitDesign,
    assigned_arms,
    shares_of,
)
from groundlings.experiments.config.schema import (
    ArmConfig,
    BehaviouralMindConfig,
    CalibratedMindConfig,
    ExperimentConfig,
    LanguageMindConfig,
    ScriptedMindConfig,
)
from groundlings.experiments.running.calibration import (
    CalibrationGround,
    LanguageTerm,
    Notify,
    PairsDone,
    find_language_term,
    people_at_once,
)
from groundlings.experiments.running.supplied import Supplied
from groundlings.personas.held_out_replay import Grounding
from groundlings.personas.mind import KnowsPreference, Mind
from groundlings.personas.population import Population, build_population
from groundlings.recommenders.base import Recommender
from groundlings.recommenders.interleaving import TEAM_DRAFT, TeamDraftRecommender
from groundlings.recommenders.registry import RecommenderContext, build_recommender
from groundlings.simulator.arm import Schedule, World
from groundlings.simulator.language.budget import Spent
from groundlings.simulator.log.writer import ArmRow

_MANY_IMPRESSIONS = 50_000_000
_BYTES_AN_IMPRESSION = 100
"""Of a behavioural mind's log, with the events and indexes that belong to an impression."""


@dataclass(frozen=True)
class Plan:
    """An experiment ready to run: all names resolved, all data read.

    Attributes:
        config: What was asked for.
        dataset: People, items and their real history.
        split: That history in a known and a held-out part.
        population: Who comes.
        site: Where they browse.
        schedule: When.
        language: What a calibrated mind asks and weighs; None until `with_language_term`, and for other minds.
        supplied: Objects that stand in for names of the configuration.
    """

    config: ExperimentConfig
    dataset: Dataset
    split: Split
    population: Population
    site: PaginatedSite
    schedule: Schedule
    language: LanguageTerm | None = None
    supplied: Supplied = field(default_factory=Supplied)

    @property
    def size_warning(self) -> str | None:
        """A line about a run that may fill a disk or take days, None for any other."""
        impressions = self.sessions * min(self.site.depth, len(self.dataset.catalog))
        if impressions < _MANY_IMPRESSIONS:
            return None
        gigabytes = impressions * _BYTES_AN_IMPRESSION / 1e9
        return (
            f"this is large: up to {impressions:,} impressions, about {gigabytes:,.0f} GB of log; "
            "fewer days, people or pages (simulation, population, site) make it smaller"
        )

    @property
    def sessions(self) -> int:
        """Visits of all arms at most (fewer where people do not come every day)."""
        worlds = len(self.config.arms) if isinstance(self.config.design, ParallelDesign) else 1
        return worlds * len(self.population) * self.schedule.days

    def make_mind(self, model: ChatModel | None) -> Mind:
        """A mind for one arm; what it remembers of that arm's days is its own.

        Args:
            model: Answers for language minds; the other kinds need none.
        """
        match self.config.mind:
            case BehaviouralMindConfig() as options:
                from groundlings.personas.minds.behavioural import BehaviouralMind

                return BehaviouralMind(self.population, self._taste, options, self._grounding)
            case CalibratedMindConfig() as options:
                from groundlings.personas.minds.calibrated import CalibratedMind

                if self.language is None:
                    return CalibratedMind(self.population, self._taste, options, grounding=self._grounding)
                scorer, weights = self.language.scorer, self.language.calibration
                return CalibratedMind(self.population, self._taste, options, scorer, weights, self._grounding)
            case ScriptedMindConfig() as options:
                from groundlings.personas.minds.scripted import ScriptedMind

                return ScriptedMind(options)
            case LanguageMindConfig() as options:
                from groundlings.personas.minds.language.mind import LanguageMind

                if model is None:
                    raise ValueError("a language mind needs a model to ask")
                return LanguageMind(self.population, model, options, options.model.sampling)

    @cached_property
    def _preference(self) -> Callable[[IntArray], FloatArray] | None:
        """What the bounds rank by: the audience's hidden taste, where its mind has one that can be read."""
        if asks_a_model(self.config):
            return None
        mind = self.make_mind(None)
        return mind.preference if isinstance(mind, KnowsPreference) else None

    @cached_property
    def _taste(self) -> Any:
        if self.language is None:
            return self._taste_of(self.config.seed)
        from groundlings.personas.taste.model import fit_taste
        from groundlings.personas.taste.weights import TasteWeights

        # The weights were fitted with this evidence: another seed's would be a little different.
        kept = TasteWeights.from_dict(self.language.calibration.taste)
        return fit_taste(
            self.dataset, self.split.train, salt=self.config.split.salt, seed=self.config.seed, weights=kept
        )

    def _taste_of(self, seed: int) -> Any:
        from groundlings.personas.taste.model import fit_taste

        return fit_taste(self.dataset, self.split.train, salt=self.config.split.salt, seed=seed)

    @cached_property
    def _grounding(self) -> Grounding | None:
        """What people really met later, where the mind replays it; recommenders never see it."""
        wanted = getattr(self.config.mind, "grounded", False)
        return Grounding.of(self.split.test) if wanted else None

    @property
    def calibration_ground(self) -> CalibrationGround:
        """What the weights of a calibrated mind are fitted on."""
        return CalibrationGround(self.dataset, self.split, self.config.split, self.population, self._taste_of)

    async def with_language_term(
        self, model: ChatModel | None, notify: Notify, on_pairs: PairsDone, run: Path | None = None
    ) -> Plan:
        """This plan with the weights of its calibrated mind, found or fitted; itself where its mind has none.

        Args:
            model: Who is asked.
            notify: Told where the weights came from.
            on_pairs: Told how far a fit is.
            run: The directory of a run that is resumed.
        """
        options = self.config.mind
        if not isinstance(options, CalibratedMindConfig) or model is None:
            return self
        found = await find_language_term(
            options,
            self.calibration_ground,
            model,
            base=self.config.base,
            run=run,
            people_at_once=people_at_once(options.model),
            notify=notify,
            on_pairs=on_pairs,
        )
        return replace(self, language=found)

    def recommender(self, arm: ArmConfig) -> Recommender:
        """The recommender of an arm, not yet fitted."""
        context = RecommenderContext(
            catalog=self.dataset.catalog,
            user_ids=self.dataset.people.user_ids,
            base_directory=self.config.base,
            preference=self._preference,
        )
        given = self.supplied.recommenders.get(arm.name)
        if given is not None:
            return given(context)
        where = f"arms[{self.config.arms.index(arm)}]"
        return build_recommender(arm.recommender, arm.options, context, where=where)

    def world(self, arm: ArmConfig, model: ChatModel | None, residents: BoolArray | None = None) -> World:
        """A fresh world for one arm: nothing in it is shared with another arm's, but for the model that is asked.

        Args:
            arm: Which.
            model: Answers for language minds.
            residents: Who may come, shape (n_agents,); everybody if absent.
        """
        return World(
            arm=arm.name,
            users=self.population.users,
            recommender=self.recommender(arm),
            site=self.site,
            mind=self.make_mind(model),
            catalog=self.dataset.catalog,
            history=self.split.train,
            seed=self.config.seed,
            like=self.dataset.scale.like,
            residents=residents,
            starts_cold=arm.history == "none",
        )

    def arm_rows(self) -> list[ArmRow]:
        """The arms as the log describes them; arms that share lists come before the world in which they do."""
        rows = [
            ArmRow(arm.name, arm.recommender, arm.options, self.recommender(arm).sees_hidden_preference)
            for arm in self.config.arms
        ]
        if isinstance(self.config.design, InterleavingDesign):
            rows.append(ArmRow(INTERLEAVED, TEAM_DRAFT, {}, any(row.sees_hidden_preference for row in rows)))
        return rows

    def stages(self, model: ChatModel | None) -> list[list[World]]:
        """The worlds of the experiment: those of a stage live side by side and share their log, stage after stage."""
        arms = self.config.arms
        match self.config.design:
            case SplitDesign() as design:
                shares = shares_of(design, [arm.name for arm in arms])
                user_ids = [self.dataset.people.user_ids[user] for user in self.population.users]
                home = assigned_arms(self.config.seed, user_ids, shares)
                worlds = [self.world(arm, model, home == place) for place, arm in enumerate(arms)]
                return [worlds] if design.log == "shared" else [[world] for world in worlds]
            case InterleavingDesign():
                first, second = (self.recommender(arm) for arm in arms)
                return [
                    [
                        replace(
                            self.world(arms[0], model), arm=INTERLEAVED, recommender=TeamDraftRecommender(first, second)
                        )
                    ]
                ]
            case ParallelDesign():
                return [[self.world(arm, model)] for arm in arms]


def build_plan(
    config: ExperimentConfig,
    notify: Callable[[str], None] | None = None,
    progress: ProgressHook | None = None,
    supplied: Supplied | None = None,
) -> Plan:
    """Resolve every name of a configuration; raises what a user can mend, before anything is written.

    Args:
        config: A checked configuration.
        notify: Told what must be known, in a line each (the licence of the data).
        progress: Told how far a download is.
        supplied: Objects that stand in for names.
    """
    supplied = supplied or Supplied()
    dataset = supplied.dataset or load_dataset(config.dataset, progress, notify=notify, base=config.base)
    split = split_history(dataset.interactions, config.split.kind, config.split.test_fraction)
    population = build_population(dataset, split.train, size=config.population.size, seed=config.seed)
    simulation = config.simulation
    plan = Plan(
        config=config,
        dataset=dataset,
        split=split,
        population=population,
        site=PaginatedSite(config.site.page_size, config.site.max_pages, dataset.scale),
        schedule=Schedule(
            days=simulation.days,
            concurrency=simulation.concurrency,
            refit_every=simulation.refit_every,
            visit_probability=simulation.visit_probability,
        ),
        supplied=supplied,
    )
    for arm in config.arms:
        plan.recommender(arm)
    return plan


def asks_a_model(config: ExperimentConfig) -> bool:
    """Whether a language model takes part in what agents decide."""
    mind = config.mind
    return isinstance(mind, LanguageMindConfig) or (isinstance(mind, CalibratedMindConfig) and mind.asks)


async def open_model(
    config: ExperimentConfig, progress: ProgressHook | None = None, spent: Spent | None = None
) -> ChatModel | None:
    """The model that a configuration's language minds ask, ready to answer; None where nobody asks one.

    Args:
        config: A checked configuration.
        progress: Told how far a download is.
        spent: What the run had taken before it was interrupted; none = it begins.
    """
    if not asks_a_model(config):
        return None
    from groundlings.simulator.language.build import build_chat_model

    assert isinstance(config.mind, (LanguageMindConfig, CalibratedMindConfig))
    return await build_chat_model(config.mind.model, progress, base=config.base, spent=spent)
