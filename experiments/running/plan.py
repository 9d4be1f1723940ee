"""From names to objects: the one place where a configuration becomes everything that a simulation needs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.chat import ChatModel
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.environments.environment import Environment
from groundlings.environments.errors import ConfigError
from groundlings.environments.offers import DayOffers
from groundlings.environments.registry import EnvironmentContext
from groundlings.environments.repeats import OwnClock
from groundlings.environments.split import Split
from groundlings.experiments.analysis.metrics.declaration import Metric
from groundlings.experiments.analysis.metrics.registry import metrics_of
from groundlings.experiments.config.designs import arm_rows, arranged
from groundlings.experiments.config.environment import built_site
from groundlings.experiments.config.item_groups import read_item_groups
from groundlings.experiments.config.keys_in_options import refuse_keys_in_options
from groundlings.experiments.config.schema import ArmConfig, CalibratedMindConfig, ExperimentConfig, PluginMindConfig
from groundlings.experiments.running.agent_notes import check_agent_notes
from groundlings.experiments.running.arm_minds import (
    Built,
    check_actions,
    check_unbuilt,
    estimates_taste,
    minds_of,
    preference_of,
)
from groundlings.experiments.running.assigning import assignment_of, crossing_line
from groundlings.experiments.running.beginning import check_beginning
from groundlings.experiments.running.calibration import CalibrationGround
from groundlings.experiments.running.event_loop import completed, ctrl_c_at_once, outside_of_loops
from groundlings.experiments.running.events import SILENT, Note, Progress, on_download, on_note
from groundlings.experiments.running.execution import IN_ONE_PROCESS, Execution, execution_of
from groundlings.experiments.running.foresight import check_recommenders
from groundlings.experiments.running.hybrid_sample import check_sample
from groundlings.experiments.running.identity import identity_of
from groundlings.experiments.running.idle_keys import idle_lines
from groundlings.experiments.running.interventions import check_with_data, interventions_identity
from groundlings.experiments.running.offered import check_offers
from groundlings.experiments.running.opened_model import Opening
from groundlings.experiments.running.returning import PlannedReturns, planned_returns
from groundlings.experiments.running.sizes import personas_line, size_warning, store_line, store_of
from groundlings.experiments.running.supplied import Supplied
from groundlings.personas.mind import Mind
from groundlings.personas.population import Population, build_population
from groundlings.personas.registry import MindContext
from groundlings.recommenders.base import AsyncRecommender
from groundlings.recommenders.learning import asks_to_learn
from groundlings.recommenders.oracle import Preference
from groundlings.recommenders.registry import RecommenderContext, build_recommender, check_presenting, takes_a_model
from groundlings.recommenders.rules import ruled
from groundlings.simulator.arm import Arm
from groundlings.simulator.assignment import Assignment
from groundlings.simulator.days import Schedule
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.log.reply_forms import replies_so_far
from groundlings.simulator.log.spending import Spending
from groundlings.simulator.log.store import store_at
from groundlings.simulator.log.writer import ArmRow


@dataclass(frozen=True)
class Plan:
    """An experiment ready to run: all names resolved, all data read, all models open.

    Attributes:
        config: What was asked for.
        supplied: Objects that stand in for names of the configuration.
        dataset: People, items and their real history.
        split: That history in a known and a held-out part.
        population: The agents.
        environment: What agents can see and do.
        schedule: Days, concurrency and refits.
        ground: The data that taste and calibration are fitted on.
        minds: What every arm's mind is built from, the agents' language model included.
        models: Arm's name -> the model that its recommender asks, for those that ask one.
        preference: The agents' hidden preference, which bounds rank by; None where it cannot be read.
        metrics: The metrics of the run.
        arms: As the log describes them.
        built: Minds and arms, as far as there are any.
        identity: What must be equal for a run of this plan to be resumed; {} where models may not be asked.
        item_groups: Grouping of a table of the experiment file -> the group of each item, None where it is unknown.
        returns: When people come back, where the file says more than a chance per day.
        execution: Where sessions are to be simulated, and why there.
    """

    config: ExperimentConfig
    supplied: Supplied
    dataset: Dataset
    split: Split
    population: Population
    environment: Environment[Any]
    schedule: Schedule
    ground: CalibrationGround
    minds: MindContext
    models: dict[str, ChatModel] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    preference: Preference | None = None
    arms: tuple[ArmRow, ...] = ()
    built: Built = field(default_factory=Built, repr=False, compare=False)
    identity: Mapping[str, str] = field(default_factory=dict)
    item_groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    returns: PlannedReturns | None = None
    execution: Execution = IN_ONE_PROCESS

    @property
    def described_mind(self) -> Mapping[str, Any]:
        """Kind, parameters and versions of the mind, as it says itself; {} where there are no arms."""
        minds_of(self)
        return self.built.described

    @property
    def stages(self) -> list[list[Arm]]:
        """The arms to simulate, made when somebody first asks: those of one stage run together and share a log.

        The caller removes a stage before simulating it, which frees its arms afterwards. Empty where agents ask a model
        and asking is not allowed.
        """
        built, config = self.built, self.config
        if built.stages is None:
            minds, recommenders = minds_of(self), built.recommenders
            each = zip(config.arms, recommenders, minds, strict=True)
            arms = [self.make_arm(*every) for every in each] if minds else []
            user_ids = [self.dataset.people.user_ids[user] for user in self.population.users]
            together = config.design, config.seed, user_ids, arms, self.assignment
            built.stages = arranged(*together) if arms else []
            built.recommenders, built.minds = [], []
        return built.stages

    def mind(self) -> Mind:
        """A new mind for one arm, with a memory of its own."""
        return self.supplied.mind(self.minds) if self.supplied.mind else self.config.mind.build(self.minds)

    @property
    def around(self) -> EnvironmentContext:
        """What an environment of this run is built from."""
        return EnvironmentContext.of(self.dataset, self.split.train, self.config.base)

    def recommender(self, arm: ArmConfig, swapped_in: str = "") -> AsyncRecommender:
        """A new recommender of an arm, not yet fitted.

        Args:
            arm: Its configuration.
            swapped_in: Key path of the intervention by which the arm gets it; "" for the one that it begins with.
        """
        from groundlings.simulator.language.json_post import JsonPost

        context = RecommenderContext(
            catalog=self.dataset.catalog,
            user_ids=self.dataset.people.user_ids,
            base_directory=self.config.base,
            preference=self.preference,
            model=self.models.get(arm.name),
            sampling=arm.model.sampling if arm.model else None,
            demographics=self.dataset.people,
            rating_scale=self.dataset.scale,
            site_page_size=self.environment.page_size,
            post=JsonPost(),
        )
        where = swapped_in or f"arms[{self.config.arms.index(arm)}]"
        given = None if swapped_in else self.supplied.recommenders.get(arm.name)
        if given is not None:
            built = given if isinstance(given, AsyncRecommender) else given(context)
        else:
            built = build_recommender(arm.recommender, arm.options, context, where=where)
            if (
                arm.model is not None
                and not swapped_in
                and not takes_a_model(arm.recommender, arm.options, where=where)
            ):
                raise ConfigError(f"{where}.model: {arm.recommender} asks no language model; take the key out")
        may_ask = arm.model is not None or swapped_in or self.config.interventions or asks_to_learn(built)
        if arm.max_unreadable is not None and not may_ask:
            raise ConfigError(
                f"{where}.max_unreadable: {arm.recommender} asks no language model; take the key out (what may "
                "be lost of pages is mind.max_unreadable)"
            )
        return check_presenting(self._ruled(arm, built, where), where)

    def _ruled(self, arm: ArmConfig, recommender: AsyncRecommender, where: str) -> AsyncRecommender:
        """A recommender with the rules of its arm, and the random slots of the arm or the site, around it."""
        slots, here = arm.slots, f"{where}.slots"
        if slots is None:
            slots, here = self.config.site.slots, f"site.slots ({where})"
        rules, random = arm.rules or (), None if slots == "none" else slots
        if not rules and random is None:
            return recommender
        page_size = self.environment.page_size
        return ruled(recommender, rules, random, self.dataset.catalog, page_size, f"{where}.rules", here)

    def make_arm(self, arm: ArmConfig, recommender: AsyncRecommender | None = None, mind: Mind | None = None) -> Arm:
        """The state of an arm before the first day, for all agents; arms share nothing but the language models.

        Args:
            arm: Its configuration.
            recommender: Not yet fitted; a new one if absent.
            mind: The mind; a new one if absent.
        """
        return Arm(
            name=arm.name,
            users=self.population.users,
            recommender=recommender or self.recommender(arm),
            environment=self.environment,
            mind=mind or self.mind(),
            catalog=self.dataset.catalog,
            history=self.split.train,
            seed=self.config.seed,
            starts_cold=arm.history == "none",
            offers=self.dataset.offers,
            repeats=self.config.repeats,
            clock=self.clock if self.config.repeats.allowed else None,
        )

    @cached_property
    def assignment(self) -> Assignment | None:
        """Who lives in which arm where ties may join agents of different arms; None in any other run."""
        return assignment_of(self.config, self.population)

    @cached_property
    def clock(self) -> OwnClock:
        """Where each user's training history ends."""
        return OwnClock.of(self.split)

    @cached_property
    def first_seen(self) -> sp.csr_array:
        """Items that must not be shown to each user on the first day, shape (n_users, n_items)."""
        train, repeats = self.split.train, self.config.repeats
        return repeats.seen(train, self.clock.days(train) if repeats.allowed else np.zeros(0, dtype=np.int64), 0)

    @cached_property
    def first_offers(self) -> DayOffers | None:
        """What every arm offers on the first day; None where the data know of no offers."""
        offers = self.dataset.offers
        return None if offers is None else offers.on(offers.opening(self.split.train.next_second))


async def prepare(
    config: ExperimentConfig,
    stack: AsyncExitStack,
    *,
    supplied: Supplied | None = None,
    progress: Progress = SILENT,
    spent: Spending | None = None,
    resumed: Path | None = None,
    ask: bool = True,
) -> Plan:
    """Resolve a configuration into a plan; errors that a user can fix are raised before anything is written.

    Each arm's recommender and mind are built once. A mind that asks nobody comes before the recommenders, because
    bounds rank by its preference; a model is opened after them, because a misspelt name is found sooner than it loads.

    Args:
        config: A checked configuration.
        stack: Closes the models when it is closed.
        supplied: Objects that stand in for names.
        progress: Gets notes, and the progress of downloads and of a calibration.
        spent: Tokens and calls that the run, and others that share its budget, have used.
        resumed: The directory of a run that is resumed.
        ask: Whether models may be opened. If not, recommenders that ask get the scripted model, where agents ask, no
            arms are made, and a taste is estimated where something needs it, and not before.
    """
    spent = spent or Spending()
    if ask and resumed is None:
        refuse_keys_in_options(config)  # before the code that they are meant for is imported
    with ctrl_c_at_once():
        plan = _read(config, supplied or Supplied(), progress)
    asked = config.model_dump(include={"metrics", "plan"})
    plan = replace(plan, metrics=metrics_of(asked, plan.supplied.metrics, plan.environment.schema.names))
    if ask and resumed is None:
        check_beginning(plan)
    if ask:
        _tell(plan, progress, resumed=resumed is not None)
    if plan.supplied.mind is None and (able := config.mind.actions) is not None:
        check_actions(plan, able)  # before a model is opened for minds that could not decide here
    so_far = replies_so_far(store_at(resumed)) if resumed is not None and ask else {}
    opening = Opening(config, plan.ground, stack, progress, spent, resumed, so_far)
    for number, arm in enumerate(config.arms):
        if arm.model is not None:
            wanted = arm.model if ask else ModelConfig(provider="scripted")
            plan.models[arm.name] = await opening.of_arm(arm.name, wanted, f"arms[{number}].model")
    if ask and isinstance(config.mind, CalibratedMindConfig) and config.mind.student is not None:
        plan = replace(plan, minds=await opening.weighed(plan.minds, config.mind))
    with ctrl_c_at_once():
        if not ask and estimates_taste(plan):
            check_unbuilt(plan)
        elif config.mind.asked is None:
            minds_of(plan)
        plan = replace(plan, preference=preference_of(plan))
        plan.built.recommenders = recommenders = [plan.recommender(arm) for arm in config.arms]
        for line in (*check_recommenders(plan, recommenders), *crossing_line(plan.assignment, config.design)):
            progress.event(Note(line))
        swaps = check_with_data(plan)
        execution = execution_of(plan, recommenders, swaps)
    if ask and config.mind.asked is not None:
        plan = replace(plan, minds=await opening.of_agents(plan.minds, config.mind.asked))
    plan = replace(plan, arms=arm_rows(config.design, config.arms, recommenders), execution=execution)
    if ask:
        with ctrl_c_at_once():
            identity = identity_of(plan, recommenders, minds_of(plan)) | interventions_identity(plan, swaps)
            plan = replace(plan, identity=identity)
            _ = plan.stages
    return plan


def _tell(plan: Plan, progress: Progress, *, resumed: bool) -> None:
    """Say what follows from the file and the data before anything is built."""
    made = plan.dataset.synthetic
    if made is not None and not resumed:
        progress.event(Note(f"population: {len(made):,} synthetic users, made from {made.first:,} real ones"))
    for line in plan.returns.lines if plan.returns is not None else ():
        progress.event(Note(line))
    if resumed:
        return
    if store_of(plan).name == "parquet":
        progress.event(Note(f"log: {store_line(plan)}"))
    if kept := personas_line(plan):
        progress.event(Note(f"log of agents: {kept}"))
    for line in idle_lines(plan):
        progress.event(Note(line))
    if warning := size_warning(plan):
        progress.event(Note(warning))


def build_plan(config: ExperimentConfig, *, supplied: Supplied | None = None, progress: Progress = SILENT) -> Plan:
    """A plan for inspection: as `prepare(ask=False)` makes it, without opening a model or estimating a taste.

    Example:
        >>> plan = build_plan(load_config("my_first.yaml"))
        >>> plan.environment.schema.names
        ('click', 'rate', 'next_page', 'satisfaction')
    """

    async def planned(events: Progress) -> Plan:
        async with AsyncExitStack() as stack:
            return await prepare(config, stack, supplied=supplied, progress=events, ask=False)

    return outside_of_loops(lambda events: completed(planned(events)), progress)


def _read(config: ExperimentConfig, supplied: Supplied, progress: Progress) -> Plan:
    """Everything that needs no model: data, split, population, environment and schedule."""
    if isinstance(config.mind, PluginMindConfig) and supplied.mind is None:
        config.mind.check()
    dataset = supplied.dataset or load_dataset(
        config.dataset, on_download(progress), notify=on_note(progress), base=config.base
    )
    real, known = dataset, config.split.of(dataset)
    dataset, split = config.population.of(real, known, config.seed)
    population = build_population(
        dataset, split.train, size=config.population.size, seed=config.seed, beside=split.beside
    )
    check_sample(config, dataset, population)
    check_agent_notes(config, dataset, population, progress)
    check_offers(dataset.offers, split.train, config.simulation.days, dataset.times_known, on_note(progress))
    ground = CalibrationGround(
        real, known, config.split, population, config.repeats.allowed, None if real is dataset else (dataset, split)
    )
    around = EnvironmentContext.of(dataset, split.train, config.base)
    environment = supplied.environment or built_site(config.environment or config.site, config.mind, around)
    returns = planned_returns(config, dataset, split, population, environment)
    return Plan(
        config=config,
        supplied=supplied,
        dataset=dataset,
        split=split,
        population=population,
        environment=environment,
        schedule=Schedule(
            days=config.simulation.days,
            concurrency=config.simulation.concurrency,
            refit_every=config.simulation.refit_every,
            visit_probability=config.simulation.visit_probability,
            returns=None if returns is None else returns.model,
        ),
        ground=ground,
        item_groups=read_item_groups(config.groups, dataset.catalog.item_ids, config.base),
        minds=MindContext(
            population=population,
            fit_taste=partial(ground.taste, config.seed),
            later=split.test,
            base_directory=config.base,
            offers=dataset.offers,
            schema=environment.schema,
            fit_repeats=partial(ground.repeats, config.seed) if config.repeats.allowed else None,
        ),
        returns=returns,
    )
