"""What every part of the lab reads: the data, the split, the users and the mind under examination."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import IntArray
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.environments.errors import ConfigError
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.environments.split import Split, people_in_thirds
from groundlings.environments.words import persons
from groundlings.experiments.labs.fidelity.config import FidelityConfig
from groundlings.experiments.running.events import SILENT, Progress, on_download, on_note
from groundlings.experiments.running.foresight import check_fit, check_learns
from groundlings.personas.minds.behavioural import BehaviouralMind
from groundlings.personas.population import Population, build_population
from groundlings.personas.taste.model import FAMILIES, Taste, estimate, fit_taste
from groundlings.personas.taste.training_data import Measured, measure
from groundlings.recommenders.registry import RecommenderContext, build_recommender

VALIDATION_THIRD, TEST_THIRD = 1, 2
MIND = "evidence mind"
"""The mind under examination, in every record."""


@dataclass(frozen=True)
class Stage:
    """The data of one examination. Profiles, taste and recommenders read `split.train` only.

    Attributes:
        config: The configuration.
        dataset: Users, items and interactions.
        split: The interactions in a training and a held-out part.
        testers: Users of the test third, with training and held-out rows, ascending: every figure is about them.
        tuners: As many users of the validation third, ascending: thresholds are chosen on their held-out rows.
        measured: What tastes are estimated from.
        taste: The taste model under examination.
    """

    config: FidelityConfig
    dataset: Dataset
    split: Split
    testers: IntArray
    tuners: IntArray
    measured: Measured
    taste: Taste

    @property
    def seed(self) -> int:
        """The seed of every random number."""
        return self.config.seed

    @property
    def train(self) -> Interactions:
        """The training part of the history."""
        return self.split.train

    @cached_property
    def held_out(self) -> sp.csr_array:
        """Pairs of the held-out part that are not in training, shape (n_users, n_items)."""
        return only_new(self.split.test, self.train)

    @cached_property
    def population(self) -> Population:
        """The testers as agents."""
        everybody = build_population(self.dataset, self.train, size="all", seed=self.seed)
        return replace(everybody, users=self.testers)

    @cached_property
    def mind(self) -> BehaviouralMind:
        """The mind under examination."""
        return self.mind_with()

    def mind_with(
        self, taste: Taste | None = None, population: Population | None = None, **changes: Any
    ) -> BehaviouralMind:
        """The mind under examination with other options or another taste."""
        return BehaviouralMind(
            self.population if population is None else population,
            self.taste if taste is None else taste,
            self.config.mind.options.model_copy(update=changes),
            base_directory=self.config.base,
        )

    @cached_property
    def meeting_mind(self) -> BehaviouralMind:
        """The same mind, opening what people would meet of their own accord: that is what the held-out part shows."""
        return self.mind_with(utility="met")

    def taste_with(self, seed: int) -> Taste:
        """The taste under examination, with labels sampled by another seed."""
        return fit_taste(self.dataset, self.train, salt=self.config.split.salt, seed=seed, labels=self.split.labels)

    def taste_of(self, family: str) -> Taste:
        """A taste of one family of features only, fitted like the one under examination."""
        return estimate(self.measured, FAMILIES[family])

    @property
    def site(self) -> PaginatedFeed:
        """The environment of the probes and the system level."""
        return PaginatedFeed(
            self.config.site.page_size, self.config.site.max_pages, self.dataset.scale, opinions=self.dataset.opinions
        )

    @property
    def context(self) -> RecommenderContext:
        """What constructors of recommenders may ask for, without hidden preferences."""
        dataset = self.dataset
        return RecommenderContext(
            dataset.catalog,
            dataset.people.user_ids,
            self.config.base,
            demographics=dataset.people,
            rating_scale=dataset.scale,
        )

    def chance(self, *purpose: object) -> np.random.Generator:
        """Random numbers of one purpose, the same in every run of the same seed and salt."""
        return np.random.default_rng(name_key("fidelity", self.seed, self.config.split.salt, *purpose))


def set_stage(config: FidelityConfig, progress: Progress = SILENT) -> Stage:
    """Read, split, choose users, and fit the taste on the fitting and validation thirds' training rows.

    Raises:
        ConfigError: The test third has fewer users than asked for, or a fit takes more memory than there is.
    """
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    split = config.split.of(dataset)
    _check_fits(config, dataset, split.train)
    for salt in config.salts:
        people_of(config, dataset, split, salt)  # refuses here what would be refused after the fits
    testers, tuners = people_of(config, dataset, split, config.split.salt)
    measured = measure(dataset, split.train, salt=config.split.salt, seed=config.seed, labels=split.labels)
    return Stage(config, dataset, split, testers, tuners, measured, estimate(measured))


def people_of(config: FidelityConfig, dataset: Dataset, split: Split, salt: str) -> tuple[IntArray, IntArray]:
    """Users of the test and of the validation third of a salt with training and held-out rows, ascending.

    Raises:
        ConfigError: A third has nobody, or the test third of `split.salt` has fewer users than asked for.
    """
    thirds = people_in_thirds(dataset.people.user_ids, salt)
    new = only_new(split.test, split.train)
    usable = (np.bincount(split.train.users, minlength=len(thirds)) > 0) & (np.diff(new.indptr) > 0)
    if not usable.any():
        raise ConfigError(
            f"split: nobody in {dataset.name} has both known rows and held-out ones of items not known before, so that "
            "nobody can be examined; expected people with several items, some before and some after the cut"
        )
    testers = _choose(np.flatnonzero(usable & (thirds == TEST_THIRD)), config, dataset, "test", salt)
    return testers, _choose(np.flatnonzero(usable & (thirds == VALIDATION_THIRD)), config, dataset, "validation", salt)


def _check_fits(config: FidelityConfig, dataset: Dataset, train: Interactions) -> None:
    """Return if what the lab fits can be fitted: EASE is always among it."""
    from groundlings.recommenders.ease import EaseRecommender

    check_fit("this lab", "ease", EaseRecommender(), train)
    context = RecommenderContext(dataset.catalog, dataset.people.user_ids, config.base)
    for number, arm in enumerate(config.recommenders):
        where = f"recommenders[{number}]"
        built = build_recommender(arm.recommender, arm.options, context, where=where)
        check_fit(where, arm.recommender, built, train)
        check_learns(where, built, train, dataset.catalog)


def only_new(held_out: Interactions, train: Interactions) -> sp.csr_array:
    """Held-out pairs that are not in training, 1.0 each, shape (n_users, n_items)."""
    matrix = held_out.matrix
    return sp.csr_array(matrix - matrix.multiply(train.matrix))


def _choose(people: IntArray, config: FidelityConfig, dataset: Dataset, third: str, salt: str) -> IntArray:
    """As many users as asked for, the first by a hash of seed and id, ascending."""
    size = config.population.size
    if not len(people):
        raise ConfigError(
            f"split: nobody in the {third} third of {dataset.name} under salt {salt!r} has both known rows and "
            "held-out ones of items not known before; choose another salt (split.salt, salts), or give "
            "more people with both"
        )
    if size == "all":
        return people
    if size > len(people) and third == "test" and salt == config.split.salt:  # further salts take who is there
        raise ConfigError(
            f"population.size: found {size}, but the test third of {dataset.name} under split.salt "
            f"{salt!r} has {persons(len(people))} with held-out rows; write a number up to that, or all"
        )
    keys = [name_key("person", config.seed, dataset.people.user_ids[user]) for user in people]
    return np.sort(people[np.argsort(keys, kind="stable")][:size])
