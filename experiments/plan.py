"""From names to objects: the one place where a configuration becomes collaborators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from environments.chat import ChatModel
from environments.dataset import Dataset
from environments.datasets import load_dataset
from environments.errors import ConfigError
from environments.site import PaginatedSite
from environments.split import Split, split_history
from experiments.config import (
    ArmConfig,
    BehaviouralMindConfig,
    EpsilonConfig,
    ExperimentConfig,
    LanguageMindConfig,
    ScriptedMindConfig,
)
from personas.mind import KnowsPreference, Mind
from personas.population import Population, build_population
from recommenders.base import Recommender
from recommenders.registry import RecommenderContext, build_recommender
from simulator.world import Schedule, World


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
        chat_model: Answers language minds; None where no language model decides.
    """

    config: ExperimentConfig
    dataset: Dataset
    split: Split
    population: Population
    site: PaginatedSite
    schedule: Schedule
    chat_model: ChatModel | None

    @property
    def sessions(self) -> int:
        """Visits of all arms at most (fewer where people do not come every day)."""
        return len(self.config.arms) * len(self.population) * self.schedule.days

    @cached_property
    def mind(self) -> Mind:
        """A mind with no memories, for questions about the audience as such."""
        return self.make_mind()

    def make_mind(self) -> Mind:
        """A mind for one arm; what it remembers of that arm's days is its own."""
        match self.config.mind:
            case BehaviouralMindConfig() as options:
                from personas.minds.behavioural import BehaviouralMind

                return BehaviouralMind(self.population, self._taste, options)
            case ScriptedMindConfig() as options:
                from personas.minds.scripted import ScriptedMind

                return ScriptedMind(options)
            case LanguageMindConfig() as options:
                from personas.minds.language import LanguageMind

                if self.chat_model is None:
                    raise RuntimeError("a plan for language minds was made without a chat model")
                return LanguageMind(self.population, self.chat_model, options)

    @cached_property
    def _taste(self) -> Any:
        from personas.taste import fit_taste

        return fit_taste(self.dataset, self.split.train, salt=self.config.split.salt, seed=self.config.seed)

    def recommender(self, arm: ArmConfig) -> Recommender:
        """The recommender of an arm, not yet fitted."""
        preference = self.mind.preference if isinstance(self.mind, KnowsPreference) else None
        context = RecommenderContext(
            catalog=self.dataset.catalog,
            user_ids=self.dataset.people.user_ids,
            base_directory=self.config.base,
            preference=preference,
        )
        try:
            inner = build_recommender(arm.recommender, arm.options, context=context)
        except ConfigError as fault:
            raise ConfigError(f"arms: {arm.name}: {fault}") from None
        if arm.exploration is None:
            return inner
        from recommenders.exploration import EpsilonSlots, PlackettLuce

        if isinstance(arm.exploration, EpsilonConfig):
            return EpsilonSlots(inner, arm.exploration.epsilon)
        return PlackettLuce(inner, arm.exploration.temperature)

    def world(self, arm: ArmConfig) -> World:
        """A fresh world for one arm: nothing in it is shared with another arm's."""
        return World(
            arm=arm.name,
            users=self.population.users,
            recommender=self.recommender(arm),
            site=self.site,
            mind=self.make_mind(),
            catalog=self.dataset.catalog,
            history=self.split.train,
            seed=self.config.seed,
            like=self.dataset.scale.like,
        )


def build_plan(config: ExperimentConfig, notify: Callable[[str], None] = lambda _: None) -> Plan:
    """Resolve every name of a configuration; raises what a user can mend, before anything is written.

    Args:
        config: A checked configuration.
        notify: Told, in a line each, of what takes time or must be known (downloads, licences).
    """
    dataset = load_dataset(config.dataset, base=config.base, notify=notify)
    split = split_history(dataset.interactions, config.split.kind, config.split.test_fraction)
    population = build_population(dataset, split.train, size=config.population.size, seed=config.seed)
    chat_model = None
    if isinstance(config.mind, LanguageMindConfig):
        from simulator.language.build import build_chat_model

        chat_model = build_chat_model(config.mind.model, notify=notify)
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
        chat_model=chat_model,
    )
    for arm in config.arms:
        plan.recommender(arm)
    return plan
