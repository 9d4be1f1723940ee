"""The data of an examination: what is known, what was shown at random, and who is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.dataset import TRAINING, Dataset
from groundlings.environments.datasets import load_dataset
from groundlings.environments.datasets.coat import WHERE, random_part
from groundlings.environments.datasets.exposures import load_exposures
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.exposures import Exposures
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.environments.row_order import seeded_order
from groundlings.environments.split import LabelRows
from groundlings.environments.words import persons
from groundlings.experiments.labs.truth.config import TruthConfig
from groundlings.experiments.running.events import SILENT, Progress, on_download, on_note
from groundlings.personas.population import Population, build_population
from groundlings.recommenders.registry import RecommenderContext

KNOWN_PAIRS = "of pairs that the history holds too"
"""Why an exposure is left out: its outcome may have been learnt from."""


@dataclass(frozen=True)
class Ground:
    """What every part of the lab reads.

    Attributes:
        config: The configuration.
        dataset: Users, items and self-chosen interactions, all of which agents and recommenders may learn from.
        exposures: The random exposures of `people` whose outcome is known; those of the judged are for judging alone.
        people: Users who take part, ascending, shape (n_people,).
    """

    config: TruthConfig
    dataset: Dataset
    exposures: Exposures
    people: IntArray

    @cached_property
    def train(self) -> Interactions:
        """The self-chosen interactions; the training part, where the data set brings a split of its own."""
        return _training_part(self.dataset)

    def history(self, salt: str) -> Interactions:
        """The same in the order that a run with this `split.salt` would give it, where nobody knows the times."""
        people, items = self.dataset.people.user_ids, self.dataset.catalog.item_ids
        if self.dataset.times_known:
            return self.train
        return self.train.take(seeded_order(self.train, people, items, salt))

    @property
    def labels(self) -> LabelRows:
        """Which of them serve as labels when a taste is fitted: the latest, or random ones where there are no times."""
        return "latest" if self.dataset.times_known else "random"

    @property
    def seed(self) -> int:
        """The seed of every random number."""
        return self.config.seed

    @cached_property
    def place(self) -> IntArray:
        """Which of the people each exposure is of, shape (n_exposures,)."""
        return np.searchsorted(self.people, self.exposures.users)

    @cached_property
    def positive(self) -> FloatArray:
        """1 for an exposure that was liked, or opened where the data set has no ratings, else 0."""
        return outcomes(self.exposures, self.dataset.scale.like)

    @property
    def rated(self) -> bool:
        """Whether exposures have ratings."""
        return not np.isnan(self.exposures.ratings).all()

    @cached_property
    def population(self) -> Population:
        """Everybody with a history as an agent, as in a run."""
        return build_population(self.dataset, self.train, size="all", seed=self.seed)

    @property
    def site(self) -> PaginatedFeed:
        """The pages of a session."""
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

    def fitted_half(self, salt: str) -> BoolArray:
        """People whose exposures may be fitted on, shape (n_people,): half of them, rounded down, by a hash."""
        keys = [name_key("exposures", salt, self.dataset.people.user_ids[user]) for user in self.people]
        half = np.zeros(len(self.people), dtype=np.bool_)
        half[np.argsort(keys, kind="stable")[: len(keys) // 2]] = True
        return half

    def by_person(self, values: FloatArray) -> FloatArray:
        """Sums over the exposures of each person, shape (n_people,)."""
        return np.bincount(self.place, values, minlength=len(self.people)).astype(np.float64)

    def chance(self, *purpose: object) -> np.random.Generator:
        """Random numbers of one purpose, the same in every run of the same seed."""
        return np.random.default_rng(name_key("truth", self.seed, *purpose))


def outcomes(exposures: Exposures, like_from: float) -> FloatArray:
    """What came of each exposure: 1 liked, 0 not, NaN unknown, shape (n,).

    Where exposures have ratings, a rating decides; an item that was not opened was not liked, and one that was opened
    and not rated is unknown. Without any ratings, being opened counts as the liking.
    """
    if np.isnan(exposures.ratings).all():
        return exposures.opened
    return np.where(exposures.opened == 0, 0.0, exposures.liked(like_from))


def lay_ground(config: TruthConfig, progress: Progress = SILENT) -> Ground:
    """Read the data and choose the people.

    Raises:
        ConfigError: The data set comes without random exposures, or with too few.
        DataError: A file is missing, or says something impossible.
    """
    if config.dataset.name == "coat" and config.dataset.directory is None:
        raise DataError(f"truth.directory: missing. {WHERE}: --set truth.directory=FOLDER")
    dataset = load_dataset(config.dataset, on_download(progress), notify=on_note(progress), base=config.base)
    exposures = _random_exposures(config, dataset)
    known = ~np.isnan(outcomes(exposures, dataset.scale.like))
    has_history = np.bincount(_training_part(dataset).users, minlength=len(dataset.people)) > 0
    told = {
        **exposures.left_out,
        "whose outcome is not known": int((~known).sum()),
        "of people without a history": int((known & ~has_history[exposures.users]).sum()),
    }
    exposures = exposures.take(known & has_history[exposures.users])
    people = _choose(np.unique(exposures.users), config, dataset)
    chosen = exposures.take(np.isin(exposures.users, people))
    if len(people) < 2:
        raise ConfigError(
            f"truth: found {persons(len(people))} with a history and random exposures of known outcome, expected at "
            f"least 2{_left_out(told)}"
        )
    told["of people who do not take part"] = len(exposures) - len(chosen)
    return Ground(config, dataset, _noting(chosen, told), people)


def _training_part(dataset: Dataset) -> Interactions:
    parts = dataset.parts
    if parts is None:
        return dataset.history
    return dataset.interactions.take(dataset.is_counted & (parts == TRAINING))


def _random_exposures(config: TruthConfig, dataset: Dataset) -> Exposures:
    table = config.truth.exposures
    if table is not None:
        if table.policy != "random":
            raise ConfigError(
                f"truth.exposures.policy: found {table.policy}, expected random: only items that nobody and nothing "
                "chose can judge; take the rows that were shown at random, and say so"
            )
        return _new_only(load_exposures(table, config.base, dataset), dataset.interactions)
    if config.dataset.name != "coat" or config.dataset.directory is None:
        raise ConfigError(
            f"truth.exposures: missing; the data set {dataset.name} comes without random exposures, so name the table "
            "of those (truth.exposures: {path: FILE, policy: random, ...})"
        )
    rows, known = random_part(config.base / config.dataset.directory, dataset.interactions)
    return Exposures.of(
        rows.users, rows.items, n_users=rows.n_users, n_items=rows.n_items, policy="random", ratings=rows.ratings,
        left_out={KNOWN_PAIRS: known},
    )  # fmt: skip


def _new_only(exposures: Exposures, history: Interactions) -> Exposures:
    """The exposures of pairs that the history does not hold, the others counted."""
    pairs, known_pairs = (each.users * history.n_items + each.items for each in (exposures, history))
    known = np.isin(pairs, known_pairs)
    return _noting(exposures.take(~known), {**exposures.left_out, KNOWN_PAIRS: int(known.sum())})


def _noting(exposures: Exposures, left_out: dict[str, int]) -> Exposures:
    return replace(exposures, left_out={why: rows for why, rows in left_out.items() if rows})


def _choose(people: IntArray, config: TruthConfig, dataset: Dataset) -> IntArray:
    """As many people as asked for, the first by a hash of seed and id, ascending."""
    size = config.population.size
    if size == "all" or size >= len(people):
        return people.astype(np.int64)
    keys = [name_key("person", config.seed, dataset.people.user_ids[user]) for user in people]
    return np.sort(people[np.argsort(keys, kind="stable")][:size]).astype(np.int64)


def _left_out(told: Mapping[str, int]) -> str:
    """Which exposures there were besides, as the end of a sentence."""
    found = [f"{number:,} {why}" for why, number in told.items() if number]
    return f"; left out are exposures: {', '.join(found)}" if found else ""
