"""The arms of a run beside the same arms without ties, under the same luck, and beside random lists.

Figures of the two runs are compared agent by agent: the same resamples of agents (bootstrap) serve both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.layout import most_liked_categories
from groundlings.environments.random_streams import name_key
from groundlings.environments.ties import Ties
from groundlings.experiments.labs.resampling import Resamples, check_times, interval
from groundlings.experiments.labs.word_of_mouth import figures
from groundlings.experiments.labs.word_of_mouth.cascades import Cascades, cascades_of
from groundlings.experiments.labs.word_of_mouth.pair import arms_of, checked_pair, with_ids
from groundlings.experiments.labs.word_of_mouth.reached import reached_shares
from groundlings.experiments.labs.word_of_mouth.spreads import Spreading, spread_in
from groundlings.experiments.labs.word_of_mouth.told import ArmLog, told_in
from groundlings.personas.social.opinions import Opinions, opinions_of
from groundlings.personas.social.options import TiesOptions
from groundlings.personas.social.spread import spread_of
from groundlings.personas.social.word_of_mouth import WordOfMouth

if TYPE_CHECKING:
    from groundlings.experiments.running.plan import Plan

RANDOM_LISTS = "random_order"
"""The recommender whose arm is the control."""

_RELABELLINGS = 10

_OF_TREES: dict[str, Callable[[Cascades], int]] = {
    "{}s of two or more": lambda trees: int((trees.sizes > 1).sum()),
    "largest {}": lambda trees: int(trees.sizes.max()),
    "deepest {}": lambda trees: int(trees.depth.max()),
}
"""Figures of all trees together; agents who share a tree cannot be resampled apart, so these have no intervals."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure with and without ties.

    Attributes:
        arm, name: Whose, and which.
        with_ties, without: Its two values; None where there is none.
        low, high: Ends of the 95 % interval of the difference over agents; None where there is none.
    """

    arm: str
    name: str
    with_ties: float | None
    without: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What ties did.

    Attributes:
        digest: Of the run with ties, so that a file of it is known to be of that run.
        agents, ties, generated: How many there are, and whether the ties are nobody's.
        control: The arm with random lists, None where the run has none.
        figures: Arm by arm.
        external_internal: The E-I index of ties by the agents' most liked category, None where nobody has one.
        relabelled: The same of each relabelling.
        told: Who told whom of what in the run with ties, with ids of the data set; see `told_in`.
        unknown: Impressions of lost pages in the two runs: what agents did with them is in no figure.
        without_category: Impressions of items without a category in the two runs, shown to agents who liked one most:
            whether these cut across is not known, and the cross-cutting exposure leaves them out.
    """

    digest: str
    agents: int
    ties: int
    generated: bool
    control: str | None
    figures: tuple[Compared, ...]
    external_internal: float | None
    relabelled: tuple[float, ...]
    told: pd.DataFrame
    unknown: int = 0
    without_category: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file; who told whom is a table of its own."""
        return {name: value for name, value in asdict(self).items() if name != "told"} | {"told": len(self.told)}


def what_ties_did(run: Path, without: Path, times: int = 1000) -> Findings:
    """Hold a run with ties against the same run without.

    Args:
        run: A run whose file has `mind.social`.
        without: A run of the same file with `mind.social=null`.
        times: Resamples of agents for the intervals.

    Raises:
        ConfigError: The first has no ties, the second has some, or they differ in something else.
        RunDirectoryError: One of them is no run, has not ended, or cannot be measured as it ran.
    """
    from groundlings.experiments.archive.directory import existing_config, read_manifest
    from groundlings.experiments.config.loading import load_config
    from groundlings.experiments.running.as_it_ran import plan_as_it_ran

    check_times(times)
    plan = plan_as_it_ran(run)
    options = checked_pair(plan, load_config(existing_config(without)), run, without)
    heard = WordOfMouth(options, plan.population, plan.config.base)
    users, catalog, train = plan.population.users, plan.dataset.catalog, plan.split.train
    rated = not np.isnan(train.ratings).all()
    liked_most = most_liked_categories(train, catalog, plan.population.scale.like if rated else None)
    chance = np.random.default_rng(name_key("word of mouth", plan.config.seed))
    resamples = _placed(Resamples.draw(len(users), times, chance), users, train.n_users)
    found, told, without_category = [], [], 0
    worlds = [arms_of(each, plan) for each in (run, without)]
    for arm in worlds[0]:
        graphs = heard.ties, heard.ties.among(users[:0])
        said = worlds[0][arm].said
        both = zip(worlds, graphs, strict=True)
        sides = [_Side.of(world[arm], heard, ties, options, plan, said) for world, ties in both]
        told.append(sides[0].told.assign(arm=arm))
        found += _compared(arm, sides, heard, catalog.genre_matrix, liked_most, resamples)
        shown = (side.log.impressions for side in sides)
        without_category += sum(figures.without_category(each, catalog.genre_matrix, liked_most) for each in shown)
    index = figures.external_internal(heard.ties, liked_most)
    relabelled = [figures.external_internal(heard.ties, each) for each in _exchanged(liked_most, users, chance)]
    return Findings(
        digest=str(read_manifest(run).get("digest")),
        agents=len(users),
        ties=len(heard.ties),
        generated=not isinstance(options.ties, Path),
        control=next((arm.name for arm in plan.config.arms if arm.recommender == RANDOM_LISTS), None),
        figures=tuple(found),
        external_internal=None if np.isnan(index) else index,
        relabelled=() if np.isnan(index) else tuple(relabelled),
        told=with_ids(pd.concat(told, ignore_index=True), plan),
        unknown=sum(int(arm.impressions.clicked.isna().sum()) for world in worlds for arm in world.values()),
        without_category=without_category,
    )


def _exchanged(groups: IntArray, users: IntArray, chance: np.random.Generator) -> list[IntArray]:
    """Groups exchanged between the agents at random, once per relabelling."""
    found = []
    for _ in range(_RELABELLINGS):
        other = groups.copy()
        other[users] = groups[chance.permutation(users)]
        found.append(other)
    return found


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two worlds of an arm; in that without ties, `told` is what ties would have told, and so on.

    What was said in words is that of the world with ties in either: nobody knows what would have been said.
    """

    log: ArmLog
    told: pd.DataFrame
    cascades: Cascades
    taken: sp.csr_array
    spreading: Spreading | None
    opinions: Opinions | None

    @classmethod
    def of(
        cls,
        log: ArmLog,
        heard: WordOfMouth,
        ties: Ties,
        options: TiesOptions,
        plan: Plan,
        said: pd.DataFrame | None,
    ) -> _Side:
        """What an arm's log says of a world.

        Args:
            log: What happened.
            heard: Ties and mentions.
            ties: Over which opinions move: none in a world without ties.
            options: What the experiment file says of both.
            plan: Of the run with ties.
            said: What was said in words in the world with ties; None where nobody says anything.
        """
        told = told_in(log, heard, said)
        cells = log.taken.user.to_numpy(), log.taken["item"].to_numpy()
        taken = sp.csr_array((np.ones(len(log.taken)), cells), shape=(log.n_users, log.n_items))
        spread = spread_of(options, heard.ties, plan.population)
        days = plan.config.simulation.days
        spreading = None if spread is None else spread_in(log, heard, spread, days)
        opinions = opinions_of(options, ties, heard, plan.population)
        if opinions is not None:
            for day in range(days):
                opinions.notice(heard.liked(log.interactions_on(day)))
        return cls(log, told, cascades_of(log, told, heard.days), taken, spreading, opinions)


def _compared(
    arm: str,
    sides: list[_Side],
    heard: WordOfMouth,
    categories: BoolArray,
    liked_most: IntArray,
    resamples: Resamples,
) -> list[Compared]:
    """All figures of an arm, with ties (first) and without."""
    resampled = _resampled(sides, heard, categories, liked_most, resamples)
    trees = {"cascade": [side.cascades for side in sides]}
    spreads = [side.spreading.trees for side in sides if side.spreading is not None]
    if spreads:
        trees["spread"] = spreads
    found = [
        Compared(arm, name, _known(first[0]), _known(second[0]), *interval(first - second))
        for name, (first, second) in resampled.items()
    ]
    for kind, both in trees.items():
        for name, of in _OF_TREES.items():
            values = (float(of(each)) if len(each.users) else None for each in both)
            found.append(Compared(arm, name.format(kind), *values))
    groups = [figures.strongest(side.opinions.now) for side in sides if side.opinions is not None]
    if groups:
        indices = (_known(figures.external_internal(heard.ties, each)) for each in groups)
        found.append(Compared(arm, "E-I by opinion", *indices))
    return found


def _resampled(
    sides: list[_Side], heard: WordOfMouth, categories: BoolArray, liked_most: IntArray, resamples: Resamples
) -> dict[str, list[FloatArray]]:
    """The figures that have intervals, with ties (first) and without, shape (1 + times,) each."""
    resampled: dict[str, list[FloatArray]] = {
        "interactions per agent": [_per_agent(side.taken, resamples) for side in sides],
        "same item, two agents": [figures.same_item(side.taken, resamples) for side in sides],
        "same item, two with a tie": [figures.same_item_of_ties(side.taken, heard.ties, resamples) for side in sides],
        "taken after being told": [_told_share(side, resamples) for side in sides],
    }
    reached = [reached_shares(side.told, resamples) for side in sides]
    resampled |= {name: [each[name] for each in reached] for name in reached[0]}
    if categories.shape[1]:
        resampled |= {
            "category entropy, bits": [figures.category_entropy(s.taken, categories, resamples) for s in sides],
            "cross-cutting exposure": [
                figures.cross_cutting(side.log.impressions, categories, liked_most, resamples) for side in sides
            ],
        }
    spreads = [side.spreading for side in sides if side.spreading is not None]
    if spreads:
        resampled["items made active per agent"] = [_mean(each.reached, resamples) for each in spreads]
    opinions = [side.opinions for side in sides if side.opinions is not None]
    if opinions:
        resampled["opinion variance"] = [figures.opinion_variance(each.now, resamples) for each in opinions]
        resampled["opinion variance at start"] = [figures.opinion_variance(each.first, resamples) for each in opinions]
    return resampled


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _per_agent(taken: sp.csr_array, resamples: Resamples) -> FloatArray:
    return _mean(np.asarray(taken.sum(axis=1)).ravel(), resamples)


def _mean(totals: NDArray[np.number], resamples: Resamples) -> FloatArray:
    """Mean over agents of one number each, shape (1 + times,)."""
    return np.asarray(resamples.weights @ totals / resamples.weights.sum(axis=1))


def _told_share(side: _Side, resamples: Resamples) -> FloatArray:
    """Share of the first interactions with an item of which a tie had told that it liked it."""
    every = np.bincount(side.cascades.users, minlength=side.log.n_users).astype(np.float64)
    told = np.bincount(side.cascades.users[side.cascades.told], minlength=side.log.n_users).astype(np.float64)
    return resamples.ratio(told, every, np.ones(side.log.n_users, dtype=np.bool_))


def _placed(resamples: Resamples, users: IntArray, n_users: int) -> Resamples:
    """Weights of agents as weights of all users of the data set: 0 for whoever is no agent."""
    weights = np.zeros((len(resamples.weights), n_users))
    weights[:, users] = resamples.weights
    return Resamples(weights)
