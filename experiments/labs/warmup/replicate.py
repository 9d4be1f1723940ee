"""One seed from beginning to end: split the history, fit, build the pools, select users, measure all arms."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.content import Content
from groundlings.environments.dataset import Dataset
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws, name_key
from groundlings.environments.words import plural
from groundlings.experiments.labs.warmup.config import WarmRecommenderConfig, WarmupConfig
from groundlings.experiments.labs.warmup.outcomes import Arena, Lists, Outcome
from groundlings.experiments.labs.warmup.recall import NEIGHBOURS, Clues, Pools, recall
from groundlings.experiments.labs.warmup.selection_quality import SelectionQuality, measure_selection
from groundlings.experiments.labs.warmup.splitting import ColdSplit, split_cold
from groundlings.experiments.labs.warmup.user_selection import select_users
from groundlings.experiments.running.foresight import check_fit
from groundlings.personas.taste.content import ContentTaste, fit_content_taste
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.base import FoldsIn, ScoringRecommender
from groundlings.recommenders.content_knn import neighbour_shares
from groundlings.recommenders.registry import RecommenderContext, build_recommender
from groundlings.simulator.cohorts import clicks_at

NONE, CONTENT_KNN, RANDOM, ACTIVE = "none", "content_knn", "random_n", "most_active_n"
FILTER, AUDIENCE, ORACLE, JUDGEMENT = "filter_only", "audience", "oracle_n", "judgement"
ARMS = (NONE, CONTENT_KNN, RANDOM, ACTIVE, FILTER, AUDIENCE, ORACLE, JUDGEMENT)
"""Names of the arms that every seed measures at every volume."""

CHOOSING = (RANDOM, ACTIVE, FILTER, AUDIENCE, ORACLE)
"""The arms that select users."""

_UNSCORED = -1e9
"""Score of a new item that a recommender cannot score: ranked behind every old one, in random order."""


@dataclass(frozen=True)
class Trial:
    """One seed.

    Attributes:
        config: The configuration of the measurement.
        dataset: Users, items and interactions.
        content: The content of the items.
        number: Which seed, from 0.
        split: Its parts of the history.
        recommender: The recommender that gets the interactions, fitted on `split.train`.
        taste: The agents' judgement of new items.
        pools: The users that can be selected for each item.
    """

    config: WarmupConfig
    dataset: Dataset
    content: Content
    number: int
    split: ColdSplit
    recommender: ScoringRecommender
    taste: ContentTaste
    pools: Pools
    arena: Arena = field(repr=False)

    def chance_of(self, *purpose: object) -> np.random.Generator:
        """Random numbers of one purpose, the same in every run of the same configuration."""
        return _generator(self.config, self.number, *purpose)

    @cached_property
    def chance(self) -> FloatArray:
        """P(a user of the panel clicks a new item), shape (n_panel, n_new)."""
        return self.taste.chance(self.split.panel, self.split.new)

    @cached_property
    def interested(self) -> BoolArray:
        """Whether each user of the pool clicked the item before users are selected, shape (n_panel, n_new).

        Each user's waiting time until the click is exponential with rate -log(1 - chance): the continuous form of being
        shown the item again and again, with that probability of a click each time. The users with the shortest times
        have clicked.
        """
        draws = Draws.for_sessions(name_key("warmup", self.config.seed, self.number), self.split.panel, 0)
        uniform = draws.uniform("takes", np.broadcast_to(self.split.new, self.chance.shape))
        waiting = np.where(self.pools.inside, np.log1p(-uniform) / np.log1p(-self.chance), np.inf)
        count = max(1, round(self.config.audience.takers * int(self.pools.inside[:, 0].sum())))
        clicked = np.zeros(self.chance.shape, dtype=np.bool_)
        np.put_along_axis(clicked, np.argsort(waiting, axis=0, kind="stable")[:count], True, axis=0)
        return clicked

    @cached_property
    def interacted(self) -> BoolArray:
        """Whether each user of the panel really interacted with each new item, shape (n_panel, n_new).

        Only the oracle and the measures of the selection read it.
        """
        return np.asarray(self.split.early.matrix[self.split.panel][:, self.split.new].toarray() > 0)

    @cached_property
    def user_vectors(self) -> FloatArray:
        """The panel's vectors in a factorisation of the training rows, shape (n_panel, d).

        The factorisation is not the recommender's.
        """
        own = AlsRecommender(seed=name_key("casting", self.config.seed, self.number) % 2**31)
        vectors, _ = own.factorise(self.split.train.matrix)
        return np.asarray(vectors[self.split.panel], dtype=np.float64)

    def choose(self, arm: str, volume: int) -> IntArray:
        """The selected users of one arm, rows of the panel, shape (n_new, volume)."""
        if volume > self.pools.inside[:, 0].sum():
            raise ConfigError(
                f"volumes: found {volume}, but a pool has {plural(int(self.pools.inside[:, 0].sum()), 'user')}"
            )
        if arm == AUDIENCE:
            return select_users(self.user_vectors, self.chance, self.interested, volume)
        if arm == ORACLE:
            return np.stack([self._first_users(item, volume) for item in range(len(self.split.new))])
        order = self.order(arm)
        within = np.where(self.pools.inside, self.random_order if order is None else order, -np.inf)
        return np.ascontiguousarray(np.argsort(-within, axis=0, kind="stable")[:volume].T)

    def order(self, arm: str) -> FloatArray | None:
        """An arm's score of each user for each item, shape (n_panel, n_new); None where it has none."""
        if arm == ACTIVE:
            return self._active
        if arm == FILTER:
            return self.pools.order
        return self.chance if arm == AUDIENCE else None

    def interaction_matrix(self, chosen: IntArray) -> sp.csr_array:
        """A selection as users and new items, 1.0 each, shape (n_users, n_new)."""
        users = self.split.panel[chosen].ravel()
        columns = np.repeat(np.arange(len(chosen)), chosen.shape[1])
        return sp.csr_array((np.ones(len(users)), (users, columns)), shape=(self.split.train.n_users, len(chosen)))

    def synthetic_rows(self, chosen: IntArray) -> Interactions:
        """A selection as interactions that are marked as synthetic, a second after the last real one."""
        users = self.split.panel[chosen].ravel()
        items = np.repeat(self.split.new, chosen.shape[1])
        train = self.split.train
        return clicks_at(train.next_second, users, items.astype(np.int32), np.full(len(users), np.nan), train)

    def fresh(self, spec: WarmRecommenderConfig) -> ScoringRecommender:
        """A new, unfitted recommender; raises `ConfigError` for one without scores."""
        context = RecommenderContext(
            self.dataset.catalog,
            self.dataset.people.user_ids,
            self.config.base,
            demographics=self.dataset.people,
            rating_scale=self.dataset.scale,
        )
        return build_scoring(spec, context)

    def judge(self, arm: str, chosen: IntArray) -> SelectionQuality:
        """The quality of an arm's selection."""
        return measure_selection(chosen, self.interacted, self.pools.inside, self.order(arm))

    @cached_property
    def random_order(self) -> FloatArray:
        """Uniform random numbers that order the panel for each item, shape (n_panel, n_new)."""
        return self.chance_of("lots").random(self.pools.inside.shape)

    @cached_property
    def _active(self) -> FloatArray:
        activity = np.diff(self.split.train.matrix.indptr)[self.split.panel].astype(np.float64)
        return np.repeat(activity[:, None], len(self.split.new), axis=1)

    def _first_users(self, item: int, volume: int) -> IntArray:
        """The first users of the panel who really interacted with an item.

        Where they are fewer than `volume`, random users are added, so that all arms have equally many rows.
        """
        early = self.split.early
        here = np.flatnonzero(early.items == self.split.new[item])
        here = here[np.lexsort((early.users[here], early.timestamps[here]))]
        users = early.users[here]
        users = users[np.sort(np.unique(users, return_index=True)[1])]
        rows = np.searchsorted(self.split.panel, users[np.isin(users, self.split.panel)])[:volume]
        others = np.argsort(-self.random_order[:, item], kind="stable")
        return np.concatenate([rows, others[~np.isin(others, rows)][: volume - len(rows)]])


class Bench:
    """Measures each arm with one recommender.

    Args:
        trial: The seed.
        spec: The recommender.
        fitted: The same recommender, fitted on the training rows; None = it is fitted here.
    """

    def __init__(self, trial: Trial, spec: WarmRecommenderConfig, fitted: ScoringRecommender | None = None) -> None:
        self._trial = trial
        self._spec = spec
        self._recommender = fitted or trial.fresh(spec)
        if fitted is None:
            self._recommender.fit(trial.split.train, trial.dataset.catalog)
        self._scores = self._recommender.score(trial.split.tested)
        self._old = trial.arena.old_lists(self._scores)

    @property
    def folds_in(self) -> bool:
        """Whether the recommender includes new items without a refit."""
        return isinstance(self._recommender, FoldsIn)

    def without_warm_up(self) -> Outcome:
        """The arm none."""
        return self._measure(np.full((len(self._trial.split.tested), len(self._trial.split.new)), _UNSCORED))

    def content_knn(self) -> Outcome:
        """The arm content_knn: a new item has the mean score of the most similar old ones."""
        old = np.flatnonzero(self._trial.split.train.item_counts > 0)
        shares = neighbour_shares(self._trial.content, old, self._trial.split.new, NEIGHBOURS)
        return self._measure(self._scores[:, old] @ shares)

    def judgement(self) -> Outcome:
        """The arm judgement: tested users' lists in the order of the agents' own probabilities, without a recommender.

        The difference to the arm audience is what gets lost by passing on a few interactions only. These scores are not
        on the recommender's scale, so all new items are ranked behind the old ones in lists of the whole catalogue.
        """
        return self._measure(_UNSCORED + self._trial.taste.log_odds(self._trial.split.tested, self._trial.split.new))

    def fold_in(self, chosen: IntArray) -> Outcome:
        """The metrics after folding an arm's interactions in; a recommender that cannot do this is refitted."""
        if not isinstance(self._recommender, FoldsIn):
            return self.refit(chosen)
        return self._measure(
            self._recommender.score_new(self._trial.split.tested, self._trial.interaction_matrix(chosen))
        )

    def refit(self, chosen: IntArray | None) -> Outcome:
        """The metrics after a refit on the real interactions and an arm's."""
        trial = self._trial
        if chosen is None:
            return self.without_warm_up()
        recommender = trial.fresh(self._spec)
        recommender.fit(trial.split.train.joined(trial.synthetic_rows(chosen)), trial.dataset.catalog)
        scores = recommender.score(trial.split.tested)
        return trial.arena.measure(trial.arena.old_lists(scores), trial.arena.new_lists(scores[:, trial.split.new]))

    def _measure(self, new_scores: FloatArray) -> Outcome:
        new: Lists = self._trial.arena.new_lists(new_scores)
        return self._trial.arena.measure(self._old, new)


def build_scoring(spec: WarmRecommenderConfig, context: RecommenderContext) -> ScoringRecommender:
    """The recommender of a section of the file.

    Raises:
        ConfigError: The recommender ranks without scores.
    """
    built = build_recommender(spec.recommender, spec.options, context, where="recommender")
    if not isinstance(built, ScoringRecommender):
        raise ConfigError(
            f"recommender: {spec.recommender} gives no scores, so new items cannot be ranked with old ones"
        )
    return built


def begin_trial(config: WarmupConfig, dataset: Dataset, content: Content, number: int) -> Trial:
    """Split the history, fit recommender and judgement on the parts they may read, and build the pools."""
    split = split_cold(dataset, config.cold, config.salt, _generator(config, number, "split"))
    context = RecommenderContext(
        dataset.catalog, dataset.people.user_ids, config.base, demographics=dataset.people, rating_scale=dataset.scale
    )
    recommender = build_scoring(config.recommender, context)
    named = [("recommender", config.recommender), *((f"others[{at}]", each) for at, each in enumerate(config.others))]
    for where, spec in named:
        check_fit(where, spec.recommender, build_scoring(spec, context), split.train)
    recommender.fit(split.train, dataset.catalog)
    taste = fit_content_taste(
        split.train, content, split.new, labels=split.labels, hidden=split.hidden, people=split.panel,
        seed=name_key("warmup labels", config.seed, number),
    )  # fmt: skip
    pools = recall(Clues(split, content, recommender), config.recall.channels, config.recall.share)
    arena = Arena(split, config.depth, _generator(config, number, "ties"))
    return Trial(config, dataset, content, number, split, recommender, taste, pools, arena)


def _generator(config: WarmupConfig, number: int, *purpose: object) -> np.random.Generator:
    return np.random.default_rng(name_key("warmup", config.seed, number, *purpose))
