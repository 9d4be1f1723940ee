"""One seed from beginning to end: part the history, fit, recall, let people meet the new items, measure all arms."""

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
from groundlings.experiments.labs.warmup.config import WarmRecommenderConfig, WarmupConfig
from groundlings.experiments.labs.warmup.outcomes import Arena, Lists, Outcome
from groundlings.experiments.labs.warmup.recall import NEIGHBOURS, Clues, Pools, recall
from groundlings.experiments.labs.warmup.selection_quality import Choice, judge_choice
from groundlings.experiments.labs.warmup.splitting import ColdSplit, split_cold
from groundlings.experiments.labs.warmup.user_selection import select_users
from groundlings.personas.taste.content import ContentTaste, fit_content_taste
from groundlings.recommenders.als import AlsRecommender
from groundlings.recommenders.base import FoldsIn, ScoringRecommender
from groundlings.recommenders.content_knn import neighbour_shares
from groundlings.recommenders.registry import RecommenderContext, build_recommender

NONE, CONTENT_KNN, RANDOM, ACTIVE = "none", "content_knn", "random_n", "most_active_n"
FILTER, AUDIENCE, ORACLE, JUDGEMENT = "filter_only", "audience", "oracle_n", "judgement"
ARMS = (NONE, CONTENT_KNN, RANDOM, ACTIVE, FILTER, AUDIENCE, ORACLE, JUDGEMENT)
"""Names of the arms that every seed measures at every volume."""

CHOOSING = (RANDOM, ACTIVE, FILTER, AUDIENCE, ORACLE)
"""The arms that choose people."""

_UNSCORED = -1e9
"""Score of a new item about which a recommender knows nothing: behind every old one, in an order by lot."""


@dataclass(frozen=True)
class Trial:
    """One seed.

    Attributes:
        config: What was asked for.
        dataset: People, items and their history.
        content: What items are like.
        number: Which seed, from 0.
        split: Its parts of the history.
        recommender: The one to be warmed up, fitted on `split.train`.
        taste: The audience's judgement of new items.
        pools: Who may be chosen.
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
        """P(each of the panel takes each new item), shape (n_panel, n_new)."""
        return self.taste.chance(self.split.panel, self.split.new)

    @cached_property
    def interested(self) -> BoolArray:
        """Who of the pool took the item before its cast was chosen, shape (n_panel, n_new).

        A race: each person's waiting time is exponential, its rate -log(1 - chance), which is what meeting the item
        again and again with that chance comes to.
        """
        draws = Draws.for_visits(name_key("warmup", self.config.seed, self.number), self.split.panel, 0)
        luck = draws.uniform("takes", np.broadcast_to(self.split.new, self.chance.shape))
        waiting = np.where(self.pools.inside, np.log1p(-luck) / np.log1p(-self.chance), np.inf)
        count = max(1, round(self.config.audience.takers * int(self.pools.inside[:, 0].sum())))
        takers = np.zeros(self.chance.shape, dtype=np.bool_)
        np.put_along_axis(takers, np.argsort(waiting, axis=0, kind="stable")[:count], True, axis=0)
        return takers

    @cached_property
    def took(self) -> BoolArray:
        """Who of the panel really took each new item; the oracle and the measures of choice look at it, nobody else."""
        return np.asarray(self.split.early.matrix[self.split.panel][:, self.split.new].toarray() > 0)

    @cached_property
    def people(self) -> FloatArray:
        """The panel in a space of taste of the audience's own, shape (n_panel, d); the recommender's is not read."""
        own = AlsRecommender(seed=name_key("casting", self.config.seed, self.number) % 2**31)
        vectors, _ = own.factorise(self.split.train.matrix)
        return np.asarray(vectors[self.split.panel], dtype=np.float64)

    def choose(self, arm: str, volume: int) -> IntArray:
        """The people of one arm, rows of the panel, shape (n_new, volume)."""
        if volume > self.pools.inside[:, 0].sum():
            raise ConfigError(f"volumes: found {volume}, but a pool has {self.pools.inside[:, 0].sum()} people")
        if arm == AUDIENCE:
            return select_users(self.people, self.chance, self.interested, volume)
        if arm == ORACLE:
            return np.stack([self._first_takers(item, volume) for item in range(len(self.split.new))])
        order = self.order(arm)
        within = np.where(self.pools.inside, self.lots if order is None else order, -np.inf)
        return np.ascontiguousarray(np.argsort(-within, axis=0, kind="stable")[:volume].T)

    def order(self, arm: str) -> FloatArray | None:
        """How an arm ranks the panel for each item, shape (n_panel, n_new); None where it does not."""
        if arm == ACTIVE:
            return self._active
        if arm == FILTER:
            return self.pools.order
        return self.chance if arm == AUDIENCE else None

    def takers(self, chosen: IntArray) -> sp.csr_array:
        """Choices as people and new items, 1.0 each, shape (n_users, n_new)."""
        users = self.split.panel[chosen].ravel()
        columns = np.repeat(np.arange(len(chosen)), chosen.shape[1])
        return sp.csr_array((np.ones(len(users)), (users, columns)), shape=(self.split.train.n_users, len(chosen)))

    def synthetic_rows(self, chosen: IntArray) -> Interactions:
        """Choices as rows that say they are synthetic, a second after the last real one."""
        users = self.split.panel[chosen].ravel()
        items = np.repeat(self.split.new, chosen.shape[1])
        moment = np.full(len(users), self.split.train.timestamps.max(initial=0) + 1)
        train = self.split.train
        return Interactions.of(users, items, None, moment, n_users=train.n_users, n_items=train.n_items, synthetic=True)

    def fresh(self, spec: WarmRecommenderConfig) -> ScoringRecommender:
        """A new, unfitted recommender; raises `ConfigError` for one without scores."""
        context = RecommenderContext(self.dataset.catalog, self.dataset.people.user_ids, self.config.base)
        return build_scoring(spec, context)

    def judge(self, arm: str, chosen: IntArray) -> Choice:
        """How well an arm chose."""
        return judge_choice(chosen, self.took, self.pools.inside, self.order(arm))

    @cached_property
    def lots(self) -> FloatArray:
        """The order by lot, shape (n_panel, n_new)."""
        return self.chance_of("lots").random(self.pools.inside.shape)

    @cached_property
    def _active(self) -> FloatArray:
        activity = np.diff(self.split.train.matrix.indptr)[self.split.panel].astype(np.float64)
        return np.repeat(activity[:, None], len(self.split.new), axis=1)

    def _first_takers(self, item: int, volume: int) -> IntArray:
        """The panel's first real takers; where they are fewer, people by lot fill up, so that no arm has more rows."""
        early = self.split.early
        here = np.flatnonzero(early.items == self.split.new[item])
        here = here[np.lexsort((early.users[here], early.timestamps[here]))]
        users = early.users[here]
        users = users[np.sort(np.unique(users, return_index=True)[1])]
        rows = np.searchsorted(self.split.panel, users[np.isin(users, self.split.panel)])[:volume]
        others = np.argsort(-self.lots[:, item], kind="stable")
        return np.concatenate([rows, others[~np.isin(others, rows)][: volume - len(rows)]])


class Bench:
    """One recommender of one trial, and the lists it makes of each arm's interactions.

    Args:
        trial: The seed.
        spec: The recommender; it is fitted on the training rows.
        fitted: The same, where it is fitted already.
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
        """Whether new items can be taken in without a new fit."""
        return isinstance(self._recommender, FoldsIn)

    def without_warm_up(self) -> Outcome:
        """The arm none."""
        return self._measure(np.full((len(self._trial.split.tested), len(self._trial.split.new)), _UNSCORED))

    def content_knn(self) -> Outcome:
        """The arm content_knn: a new item has the mean score of the old ones most like it."""
        old = np.flatnonzero(self._trial.split.train.item_counts > 0)
        shares = neighbour_shares(self._trial.content, old, self._trial.split.new, NEIGHBOURS)
        return self._measure(self._scores[:, old] @ shares)

    def judgement(self) -> Outcome:
        """The arm judgement: tested people's lists in the order of the audience's own chances, without a recommender.

        It shows what the judgement knows, and so how much gets lost on the way through a few interactions. On the
        recommender's scale it says nothing, so all new items stay behind the old ones in lists of the catalogue.
        """
        return self._measure(_UNSCORED + self._trial.taste.log_odds(self._trial.split.tested, self._trial.split.new))

    def fold_in(self, chosen: IntArray) -> Outcome:
        """An arm's interactions taken in, all else as it was; a recommender that cannot is fitted anew."""
        if not isinstance(self._recommender, FoldsIn):
            return self.refit(chosen)
        return self._measure(self._recommender.score_new(self._trial.split.tested, self._trial.takers(chosen)))

    def refit(self, chosen: IntArray | None) -> Outcome:
        """An arm's interactions joined to the real rows and everything learnt anew."""
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
    """The recommender of a section of the file; raises `ConfigError` for one that ranks without scores."""
    built = build_recommender(spec.recommender, spec.options, context, where="recommender")
    if not isinstance(built, ScoringRecommender):
        raise ConfigError(f"recommender: {spec.recommender} gives no scores, so new items cannot be put among old ones")
    return built


def begin_trial(config: WarmupConfig, dataset: Dataset, content: Content, number: int) -> Trial:
    """Part the history, fit recommender and judgement on what may be known, and fill the pools."""
    split = split_cold(dataset, config.cold, config.salt, _generator(config, number, "split"))
    context = RecommenderContext(dataset.catalog, dataset.people.user_ids, config.base)
    recommender = build_scoring(config.recommender, context)
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
