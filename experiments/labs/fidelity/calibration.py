"""Part 3: are probabilities calibrated, and is the same question answered in the same way twice?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, ItemArray
from groundlings.experiments.analysis.compare import mean_interval, within_one
from groundlings.experiments.labs.fidelity.interaction import Asked, Task
from groundlings.experiments.labs.fidelity.lists import Lists, share_of_list
from groundlings.experiments.labs.fidelity.people import bootstrap, mean_by_person
from groundlings.experiments.labs.fidelity.preference import like_probability
from groundlings.experiments.labs.fidelity.ratings import RatedPairs, held_out_ratings
from groundlings.experiments.labs.fidelity.records import Kind, Record, Row, compare_rows, is_within, target_of
from groundlings.experiments.labs.fidelity.scorers import Scorer
from groundlings.experiments.labs.fidelity.sessions import decide
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.experiments.labs.fidelity.thresholds import choose_rule
from groundlings.personas.taste.regression import fit_logistic

PART = "calibration"
BINS = 15
ECE_TARGET = 0.03
FLIP_TARGET = 0.05

_BRIER = "Mean squared error of the probability (Brier 1950), per user; mean over users."
_ECE = f"Mean distance between probability and frequency over {BINS} bins of equal mass (Naeini et al. 2015)."
_RECALIBRATED = " Probabilities: a logistic curve of the score, fitted on validation users."


@dataclass(frozen=True)
class Reliability:
    """A reliability curve.

    Attributes:
        task, scorer: As in `Record`.
        said, happened: Mean probability and frequency of each bin, shape (n_bins,).
    """

    task: str
    scorer: str
    said: FloatArray
    happened: FloatArray


def examine_calibration(stage: Stage, asked: Asked, scorers: list[Scorer]) -> tuple[list[Record], list[Reliability]]:
    """Records of part 3, and its curves."""
    records: list[Record] = []
    curves: list[Reliability] = []
    ratio = min(stage.config.lists.ratios)
    for task in asked.test:
        if task[1] == ratio:
            said = [
                (scorer.name, scorer.kind, _recalibrated(asked, scorer.name, task))
                for scorer in scorers
                if task in asked.test_scores[scorer.name]
            ]
            lists = asked.test[task]
            rows, slots = np.nonzero(lists.listed)
            happened = lists.positive[rows, slots].astype(np.float64)
            label = f"interaction, {task[0]} 1:{task[1]}"
            flat = [(name, kind, chance[rows, slots]) for name, kind, chance in said]
            _score(stage, label, lists.users[rows], happened, flat, _RECALIBRATED, records, curves)
    _likes(stage, records, curves)
    records += _consistency(stage, asked)
    return records, curves


def reliability(
    said: FloatArray, happened: FloatArray, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean probability, frequency and mass of each of `BINS` bins of equal mass, in the order of probability.

    Args:
        said: Probabilities, shape (n,).
        happened: 1 or 0, shape (n,).
        weights: How often each row counts, once if absent.
    """
    order = np.argsort(said, kind="stable")
    mass = np.ones(len(said)) if weights is None else weights[order]
    middle = np.cumsum(mass) - mass / 2
    bins = np.minimum((BINS * middle / mass.sum()).astype(np.int64), BINS - 1)
    size = np.bincount(bins, mass, minlength=BINS).astype(np.float64)
    sums = [np.bincount(bins, mass * values[order], minlength=BINS) for values in (said, happened)]
    filled = size > 0
    return sums[0][filled] / size[filled], sums[1][filled] / size[filled], size[filled]


def expected_calibration_error(said: FloatArray, happened: FloatArray, weights: FloatArray | None = None) -> float:
    """Mean distance of probability from frequency over bins of equal mass; arguments as in `reliability`."""
    mean, frequency, mass = reliability(said, happened, weights)
    return float((np.abs(mean - frequency) * mass).sum() / mass.sum())


def _score(
    stage: Stage,
    task: str,
    users: IntArray,
    happened: FloatArray,
    said: list[tuple[str, Kind, FloatArray]],
    how: str,
    records: list[Record],
    curves: list[Reliability],
) -> None:
    """Brier score and calibration error of each row on the same pairs."""
    people, person = np.unique(users, return_inverse=True)
    brier = [Row(name, kind, mean_by_person(users, (chance - happened) ** 2, people)) for name, kind, chance in said]
    records += compare_rows(PART, task, "brier", brier, definition=_BRIER + how, higher_is_better=False)
    for name, kind, chance in said:
        unknown = np.bincount(person, np.isnan(chance), minlength=len(people)) > 0
        asked = ~unknown[person]
        whose = np.unique(person[asked], return_inverse=True)[1]
        # Sorted by probability once, so that every resample is sorted.
        order = np.argsort(chance[asked], kind="stable")
        known, whose = (chance[asked][order], happened[asked][order]), whose[order]
        n = int((~unknown).sum())

        def error(some: IntArray, known: tuple[FloatArray, FloatArray] = known, whose: IntArray = whose) -> float:
            times = np.bincount(some, minlength=int(whose.max()) + 1).astype(np.float64)
            return expected_calibration_error(*known, times[whose])

        low, high = None, None
        if kind == "mind":
            low, high = bootstrap(error, n, stage.config.bootstrap, stage.chance("ece", task, name), least=0)
        record = Record(
            PART, task, name, "ece", kind, expected_calibration_error(*known), low, high, n, "people", _ECE + how
        )
        if kind == "mind":
            record = target_of(replace(record, holds=is_within(low, high, (None, ECE_TARGET))), high=ECE_TARGET)
        records.append(record)
        curves.append(Reliability(task, name, *reliability(*known)[:2]))


def _recalibrated(asked: Asked, scorer: str, task: Task) -> FloatArray:
    """P(real) of each listed item, by the scale whose logistic curve fits the validation users best."""
    lists = asked.validation[task]
    best, least = None, np.inf
    for scale, scores in asked.validation_scores[scorer][task].items():
        listed = lists.listed & ~np.isnan(scores)
        labels = lists.positive[listed].astype(np.float64)
        centre, spread = scores[listed].mean(), max(float(scores[listed].std()), 1e-12)
        standard = (scores[listed] - centre) / spread
        curve = fit_logistic(standard[:, None], labels, np.ones(len(labels)), ridge=1e-6)
        chance = np.clip(expit(curve[0] + curve[1] * standard), 1e-12, 1 - 1e-12)
        loss = -float((labels * np.log(chance) + (1 - labels) * np.log(1 - chance)).mean())
        if loss < least:
            here = asked.test_scores[scorer][task][scale]
            best, least = expit(curve[0] + curve[1] * (here - centre) / spread), loss
    if best is None:
        raise ValueError(f"{scorer} has no scale")
    return best


def _likes(stage: Stage, records: list[Record], curves: list[Reliability]) -> None:
    """Calibration of the mind's P(like | rated), without a fitted curve, and of shares of likes in training."""
    ratings = held_out_ratings(stage, stage.testers)
    if ratings.shares is None or not len(ratings.real):
        return
    known = stage.train.take(~np.isnan(stage.train.ratings))
    liked = (known.ratings >= ratings.scale.like).astype(np.float64)
    overall = float(liked.mean())

    def share(groups: np.ndarray, size: int) -> FloatArray:
        sums = np.bincount(groups, liked, minlength=size) + 5 * overall
        return sums / (np.bincount(groups, minlength=size) + 5)

    said: list[tuple[str, Kind, FloatArray]] = [
        ("overall share", "trivial", np.full(len(ratings.real), overall)),
        ("person's share", "trivial", share(known.users, known.n_users)[ratings.users]),
        ("item's share", "trivial", share(known.items, known.n_items)[ratings.items]),
        (MIND, "mind", like_probability(ratings)),
    ]
    happened = (ratings.real >= ratings.scale.like).astype(np.float64)
    _score(stage, "liked, of rated", ratings.users, happened, said, " Probabilities as they are.", records, curves)
    records += _log_loss(stage, ratings)


def _log_loss(stage: Stage, ratings: RatedPairs) -> list[Record]:
    """The log loss of distributions of stars on the real stars."""
    if ratings.shares is None:
        return []
    from groundlings.personas.profile import star_columns

    known = stage.train.take(~np.isnan(stage.train.ratings))
    columns = star_columns(known.ratings, ratings.scale)
    width = len(ratings.scale.values)
    overall = np.bincount(columns, minlength=width) / len(columns)

    def histogram(groups: np.ndarray, size: int) -> FloatArray:
        counts = np.bincount(groups * width + columns, minlength=size * width).reshape(size, width)
        return (counts + 5 * overall) / (counts.sum(axis=1, keepdims=True) + 5)

    given = (np.arange(len(ratings.real)), star_columns(ratings.real, ratings.scale))
    said: list[tuple[str, Kind, FloatArray]] = [
        ("overall histogram", "trivial", np.tile(overall, (len(ratings.real), 1))),
        ("person's histogram", "trivial", histogram(known.users, known.n_users)[ratings.users]),
        ("item's histogram", "trivial", histogram(known.items, known.n_items)[ratings.items]),
        (MIND, "mind", ratings.shares),
    ]
    people = np.unique(ratings.users)
    rows = [
        Row(name, kind, mean_by_person(ratings.users, -np.log2(np.maximum(shares[given], 1e-12)), people))
        for name, kind, shares in said
    ]
    definition = "Mean -log2 of the probability of the stars that were given, in bits, per user; mean over users."
    return compare_rows(
        PART, "stars, of rated", "log loss", rows, definition=definition, higher_is_better=False, most=None
    )


def _consistency(stage: Stage, asked: Asked) -> list[Record]:
    """Ask about the same pairs in two lists with different other items and order."""
    task: Task = ("uniform", min(stage.config.lists.ratios))
    mind = stage.mind_with(utility="met", examination_exponent=0.0)

    def graded(lists: Lists, pages: ItemArray, places: IntArray, day: int) -> tuple[FloatArray, BoolArray]:
        decision = decide(stage, mind, lists.users, pages, day=day)
        probability = decision.trace.probability("click")
        if probability is None:
            raise ValueError("a graded answer needs a click probability")
        rows = np.arange(len(places))[:, None]
        return probability[rows, places], decision["click"][rows, places]

    validation, test = asked.validation[task], asked.test[task]
    rule = choose_rule("f1", {"graded": graded(validation, *_page(stage, validation, 0), 0)[0]}, validation, None)
    first, first_clicks = graded(test, *_page(stage, test, 0), 0)
    second, second_clicks = graded(test, *_page(stage, test, 1), 1)
    records = []
    for name, flips, definition in (
        ("flip rate, graded", (first >= rule.threshold) != (second >= rule.threshold),
         "Share of pairs whose yes or no (graded answer against the threshold of validation users) differs between "
         "two lists with different other items, order and day, per user; mean over users."),
        ("flip rate, sampled", first_clicks != second_clicks,
         "The same for clicks drawn on two days. Clicks are random, so a change is no fault in itself."),
    ):  # fmt: skip
        found = within_one(mean_interval(share_of_list(flips, test.listed)))
        claimed = name == "flip rate, graded"
        record = Record(
            PART, "self-consistency", MIND, name, "mind", found.mean, found.low, found.high, found.n,
            "people", definition, holds=is_within(found.low, found.high, (None, FLIP_TARGET)) if claimed else None,
        )  # fmt: skip
        records.append(target_of(record, high=FLIP_TARGET) if claimed else record)
    return records


def _page(stage: Stage, lists: Lists, number: int) -> tuple[ItemArray, IntArray]:
    """Each list mixed with as many other items in random order, and the places of the list's items."""
    chance = stage.chance("company", number)
    n, width = lists.items.shape
    company = chance.integers(0, stage.train.n_items, (n, width)).astype(np.int32)
    doubled = (company[:, :, None] == lists.items[:, None, :]).any(axis=2)
    both = np.concatenate([lists.items, np.where(doubled, np.int32(NO_ITEM), company)], axis=1)
    order = chance.permuted(np.tile(np.arange(2 * width), (n, 1)), axis=1)
    places = np.argsort(order, axis=1)[:, :width]
    return np.take_along_axis(both, order, axis=1), places
