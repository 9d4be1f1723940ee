"""Part 6, the gate: do the agents order recommenders as the real users' held-out behaviour does?

The real utility of a recommender is nDCG@10 of its list against each user's held-out interactions, training items
masked. The simulated utility is the expected number of clicks per session: the sum of the click probabilities of the
pages seen, mean over sessions with different random numbers (the clicks themselves if a mind has no probabilities).
Recommenders are fitted on training rows; neither they nor the minds read the held-out part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy.sparse as sp
from scipy import stats

from groundlings.environments.arrays import NO_ITEM, FloatArray, IntArray, ItemArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking, RankingRequest
from groundlings.experiments.analysis.compare import mean_interval, paired_difference, within
from groundlings.experiments.analysis.metrics.ranking import score_rankings
from groundlings.experiments.labs.fidelity.interaction import Asked
from groundlings.experiments.labs.fidelity.people import bootstrap, in_digits
from groundlings.experiments.labs.fidelity.records import Baseline, Kind, Record, target_of
from groundlings.experiments.labs.fidelity.score_mind import ScoreMind
from groundlings.experiments.labs.fidelity.scorers import CatalogScores, genre_profile
from groundlings.experiments.labs.fidelity.sessions import simulate_sessions
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.experiments.running.event_loop import completed
from groundlings.experiments.running.short_sessions import PEOPLE_AT_ONCE
from groundlings.personas.mind import Mind
from groundlings.personas.taste.model import FAMILIES
from groundlings.personas.taste.regression import fit_logistic
from groundlings.recommenders.base import AsyncRecommender, Recommender
from groundlings.recommenders.registry import build_recommender

PART = "system"
CUT = 10
SIGNIFICANT = 0.05
TAU_TARGET, SIGN_TARGET = 0.8, 0.9
POPULARITY_SIMULATOR = "popularity scorer"
OTHER_PEOPLE = "other real people"


@dataclass(frozen=True)
class Simulator:
    """A mind whose order of recommenders is examined; `kind` as in `Record`."""

    name: str
    kind: Kind
    mind: Mind


@dataclass(frozen=True)
class Utilities:
    """The utility of each recommender for each user.

    Attributes:
        names: The recommenders, in the order of the YAML.
        real: nDCG, shape (n_people, n_recommenders).
        others: nDCG of the validation users, for the order by other real users, shape (n_others, n_recommenders).
        simulated: Simulator -> expected clicks, same shape.
    """

    names: tuple[str, ...]
    real: FloatArray
    others: FloatArray
    simulated: Mapping[str, FloatArray]


@dataclass(frozen=True)
class GivenLists:
    """The lists of every recommender, fitted on the training part, one per user and day.

    Attributes:
        users: Shape (n,), ascending.
        lists: Of each recommender one array per day, shape (n, depth); one for all days where no list is drawn at
            random.
    """

    users: IntArray
    lists: Sequence[Sequence[ItemArray]]


def simulators(stage: Stage, asked: Asked) -> list[Simulator]:
    """The mind under examination, the same mind with each family of features alone, and minds of one trivial score."""
    families = [Simulator(f"{name} family", "mind", stage.mind_with(taste=stage.taste_of(name))) for name in FAMILIES]
    return [Simulator(MIND, "mind", stage.mind), *families, *trivial_simulators(stage, stage, asked)]


def trivial_simulators(stage: Stage, fitted: Stage, asked: Asked) -> list[Simulator]:
    """Minds of one trivial score.

    Args:
        stage: Whose users they are.
        fitted, asked: The stage, and its lists, that their slopes are fitted on.
    """
    return [
        Simulator(name, "trivial", _score_mind(name, stage, scores, _slope(fitted, asked, own)))
        for (name, scores), own in zip(_trivial(stage).items(), _trivial(fitted).values(), strict=True)
    ]


def _score_mind(name: str, stage: Stage, scores: CatalogScores, slope: float) -> ScoreMind:
    # What is met draws as strongly, whoever says what is met; weights without appeal leave nothing to compare.
    weight = slope * (stage.mind.parameters.utility.appeal or 1.0)

    def scaled(users: IntArray) -> FloatArray:
        return weight * scores(users)

    return ScoreMind(name, scaled, stage.testers, stage.train.matrix, parameters=stage.mind.parameters)


def _trivial(stage: Stage) -> Mapping[str, CatalogScores]:
    """Popularity, and the genres of what a user met."""
    counts = stage.train.item_counts.astype(np.float64)
    return {
        POPULARITY_SIMULATOR: lambda users: np.broadcast_to(np.log1p(counts), (len(users), len(counts))),
        "genre profile scorer": genre_profile(stage),
    }


def give_lists(stage: Stage, users: IntArray, on_recommender: Callable[[str], None] = lambda _: None) -> GivenLists:
    """Fit every recommender once, and keep its lists for some users, training items left out.

    Args:
        stage: The data, the recommenders, the site and the days.
        users: Who, ascending.
        on_recommender: Is told which one is fitted.
    """
    lists = []
    for number, arm in enumerate(stage.config.recommenders):
        on_recommender(arm.name)
        recommender = build_recommender(arm.recommender, arm.options, stage.context, where=f"recommenders[{number}]")
        recommender.fit(stage.train, stage.dataset.catalog)
        days = range(stage.config.visits.days if recommender.randomised else 1)
        lists.append([_lists(stage, recommender, users, day) for day in days])
    return GivenLists(users, lists)


def measure_utilities(stage: Stage, audiences: Sequence[Simulator], given: GivenLists) -> Utilities:
    """The utility of every recommender by real held-out behaviour and by each simulator.

    Args:
        stage: The users.
        audiences: The simulators.
        given: Lists for these users, and perhaps for others.
    """
    real: list[FloatArray] = []
    others: list[FloatArray] = []
    simulated: dict[str, list[FloatArray]] = {each.name: [] for each in audiences}
    for lists in given.lists:
        for users, columns in ((stage.testers, real), (stage.tuners, others)):
            rows = np.searchsorted(given.users, users)
            relevant = sp.csr_array(stage.held_out[users])
            scores = [score_rankings(items[rows], relevant, CUT).values["ndcg"] for items in lists]
            columns.append(np.mean(scores, axis=0))
        for each in audiences:
            sessions = [
                simulate_sessions(
                    stage, _Given(given.users, lists[day % len(lists)]), each.mind, stage.site, day=day
                ).expected_clicks
                for day in range(stage.config.visits.days)
            ]
            simulated[each.name].append(np.mean(sessions, axis=0))
    return Utilities(
        tuple(arm.name for arm in stage.config.recommenders),
        np.column_stack(real),
        np.column_stack(others),
        {name: np.column_stack(columns) for name, columns in simulated.items()},
    )


def examine_system(stage: Stage, utilities: Utilities, audiences: Sequence[Simulator]) -> list[Record]:
    """Records of part 6 with one salt; the gate reads those of `partitions`."""
    different = really_different(utilities.real)
    records = [
        _utility(name, "real people", f"nDCG@{CUT}", "real", column)
        for name, column in zip(utilities.names, utilities.real.T, strict=True)
    ]
    records += _ceiling(utilities, different)
    for each in audiences:
        simulated = utilities.simulated[each.name]
        records += [
            _utility(name, each.name, "expected clicks", each.kind, column)
            for name, column in zip(utilities.names, simulated.T, strict=True)
        ]
        p = kendall(utilities.real, simulated)[1]
        chance = "no p value, as one of the two has no order" if np.isnan(p) else f"exact two-sided p = {p:.2g}"
        wrong = _false_signs(simulated, utilities.real, different)
        tau = _agreement(
            stage, utilities, each, "kendall tau", lambda real, said: kendall(real, said)[0],
            f"Kendall's tau-b between simulated and real utilities; {chance}; leaving out one recommender it "
            f"lies between {_left_out(utilities.real, simulated)}. The claim: significant, and above the popularity "
            "scorer's.",
        )  # fmt: skip
        if tau.holds and p >= SIGNIFICANT:
            tau = replace(tau, holds=False)
        sign = _agreement(
            stage, utilities, each, "sign agreement", lambda real, said: sign_agreement(real, said, different),
            f"Share of the pairs of recommenders that really differ (paired t, p < {SIGNIFICANT:g}) which the "
            f"simulator puts in the same order; it reverses {wrong} of them significantly. The claim: above the "
            "popularity scorer's.",
        )  # fmt: skip
        records += [replace(tau, n=len(utilities.names)), replace(sign, n=len(different), unit="pairs")]
    return records


def _agreement(
    stage: Stage,
    utilities: Utilities,
    each: Simulator,
    metric: str,
    figure: Callable[[FloatArray, FloatArray], float],
    definition: str,
) -> Record:
    """How well a simulator predicts the order, compared with the popularity scorer on the same resamples of users."""
    real, simulated = utilities.real, utilities.simulated[each.name]
    popular = utilities.simulated[POPULARITY_SIMULATOR]
    n, times = len(real), stage.config.bootstrap
    value, beside = figure(real, simulated), figure(real, popular)

    def gap(some: IntArray) -> float:
        return figure(real[some], simulated[some]) - figure(real[some], popular[some])

    low, high = bootstrap(
        lambda some: figure(real[some], simulated[some]), n, times, stage.chance(metric, each.name),
        least=-1 if metric == "kendall tau" else 0, most=1,
    )  # fmt: skip
    least, most = bootstrap(gap, n, times, stage.chance(metric, each.name))
    baseline = Baseline(POPULARITY_SIMULATOR, beside, value - beside, least, most)
    record = Record(
        PART, f"order of {len(utilities.names)} recommenders", each.name, metric, each.kind, value, low, high, 0,
        "recommenders", definition, None if each.name == POPULARITY_SIMULATOR else baseline,
    )  # fmt: skip
    if each.kind != "mind":
        return record
    target = TAU_TARGET if metric == "kendall tau" else SIGN_TARGET
    return target_of(replace(record, holds=least is not None and least > 0), low=target)


def _ceiling(utilities: Utilities, different: Sequence[tuple[int, int]]) -> list[Record]:
    """How well other real users predict the order: a mind cannot be expected to do better."""
    k, n = len(utilities.names), len(utilities.others)
    definition = f"The same for the real utilities of {n:,} other real users (validation third): a ceiling."
    order = f"order of {k} recommenders"
    tau = kendall(utilities.real, utilities.others)[0]
    agreement = sign_agreement(utilities.real, utilities.others, different)
    return [
        Record(PART, order, OTHER_PEOPLE, "kendall tau", "real", tau, None, None, k, "recommenders", definition),
        Record(
            PART, order, OTHER_PEOPLE, "sign agreement", "real", agreement, None, None, len(different), "pairs",
            definition,
        ),
    ]  # fmt: skip


def really_different(real: FloatArray) -> list[tuple[int, int]]:
    """Pairs of columns whose paired difference over users is significant, not corrected for their number."""
    pairs = combinations(range(real.shape[1]), 2)
    found = []
    for first, second in pairs:
        p = paired_difference(real[:, first], real[:, second]).p_value
        if p is not None and p < SIGNIFICANT:
            found.append((first, second))
    return found


def kendall(real: FloatArray, simulated: FloatArray) -> tuple[float, float]:
    """Kendall's tau-b of the columns' means, and its two-sided p: exact, asymptotic only where means tie.

    Both are NaN where one of the two has no order at all.
    """
    x, y = np.nanmean(real, axis=0), np.nanmean(simulated, axis=0)
    tied = len(np.unique(x)) < len(x) or len(np.unique(y)) < len(y)
    found = stats.kendalltau(x, y, method="asymptotic" if tied else "exact")
    return float(found.statistic), float(found.pvalue)


def sign_agreement(real: FloatArray, simulated: FloatArray, pairs: Sequence[tuple[int, int]]) -> float:
    """Share of the pairs that both put in the same order; NaN without a pair."""
    x, y = np.nanmean(real, axis=0), np.nanmean(simulated, axis=0)
    return float(np.mean([(x[a] - x[b]) * (y[a] - y[b]) > 0 for a, b in pairs])) if pairs else float("nan")


def _false_signs(simulated: FloatArray, real: FloatArray, pairs: Sequence[tuple[int, int]]) -> int:
    wrong = 0
    for first, second in pairs:
        gap = paired_difference(simulated[:, first], simulated[:, second])
        truth = np.nanmean(real[:, first]) - np.nanmean(real[:, second])
        wrong += bool(gap.excludes_zero and gap.difference is not None and gap.difference * truth < 0)
    return wrong


def _left_out(real: FloatArray, simulated: FloatArray) -> str:
    columns = np.arange(real.shape[1])
    taus = [kendall(real[:, columns != left], simulated[:, columns != left])[0] for left in columns]
    return f"{in_digits(np.min(taus), '.2f')} and {in_digits(np.max(taus), '.2f')}"


def _utility(name: str, scorer: str, metric: str, kind: Kind, values: FloatArray) -> Record:
    found = within(mean_interval(values), 0.0, 1.0 if kind == "real" else None)
    definition = (
        f"nDCG@{CUT} of the recommender's list against the held-out items, per user; mean over users."
        if kind == "real"
        else "Expected clicks per session, per user; mean over users."
    )
    return Record(
        PART,
        f"utility of {name}",
        scorer,
        metric,
        kind,
        found.mean,
        found.low,
        found.high,
        found.n,
        "people",
        definition,
    )


def _lists(stage: Stage, recommender: AsyncRecommender, users: IntArray, day: int) -> ItemArray:
    """The lists of one day, as long as sessions and `CUT` need, shape (n, depth)."""
    seen, depth = stage.train.matrix, max(CUT, stage.site.depth)
    parts = []
    for first in range(0, len(users), PEOPLE_AT_ONCE):
        some = users[first : first + PEOPLE_AT_ONCE]
        request = RankingRequest(some, depth, sp.csr_array(seen[some]), Draws.for_sessions(stage.seed, some, day))
        items = completed(recommender.rank(request)).items
        parts.append(np.pad(items, ((0, 0), (0, depth - items.shape[1])), constant_values=NO_ITEM))
    return np.concatenate(parts)


class _Given(Recommender):
    """Gives the lists that a recommender gave before, to the users that it gave them to."""

    def __init__(self, users: IntArray, items: ItemArray) -> None:
        self._users, self._items = users, items

    def fit(self, interactions: Interactions, catalog: Catalog) -> None:
        """Nothing: the lists are there."""

    def recommend(self, request: RankingRequest) -> Ranking:
        """See `Recommender.recommend`."""
        items = self._items[np.searchsorted(self._users, request.users), : request.size]
        return Ranking.deterministic(items, np.full(items.shape, np.nan))


def _slope(stage: Stage, asked: Asked, scores: CatalogScores) -> float:
    """Log-odds of a real item per unit of the score, on the validation users' lists with the lowest ratio."""
    task = ("uniform", min(stage.config.lists.ratios))
    lists = asked.validation[task]  # type: ignore[index]
    listed = lists.listed
    table = np.take_along_axis(
        np.asarray(scores(lists.users)), np.where(listed, lists.items, 0).astype(np.int64), axis=1
    )
    values, labels = table[listed], lists.positive[listed].astype(np.float64)
    spread = max(float(values.std()), 1e-12)
    fitted = fit_logistic(((values - values.mean()) / spread)[:, None], labels, np.ones(len(labels)), ridge=1e-6)
    return float(fitted[1]) / spread
