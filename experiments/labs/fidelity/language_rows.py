"""What the language model's answers add: the three ablations on the same users, part by part.

The headline is the difference "both" less "evidence only", paired over users: what the language model adds to the
behavioural features. The claim is that it is above zero; by the rule of `records` the verdict is "not supported" if its
interval touches zero.

Part 6 is left out: an order of eleven recommenders takes thousands of pages, too many for a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.compare import mean_interval, paired_difference, within_one
from groundlings.experiments.labs.fidelity.calibration import BINS, expected_calibration_error
from groundlings.experiments.labs.fidelity.language import BOTH, EVIDENCE, LANGUAGE, AskedLists, LanguageAnswers
from groundlings.experiments.labs.fidelity.lists import Negatives, share_of_list
from groundlings.experiments.labs.fidelity.people import bootstrap, mean_by_person, rows_by_person
from groundlings.experiments.labs.fidelity.preference import like_probability
from groundlings.experiments.labs.fidelity.ratings import RatedPairs
from groundlings.experiments.labs.fidelity.records import Record, Row, compare_rows, is_better
from groundlings.experiments.labs.fidelity.stage import Stage
from groundlings.experiments.labs.fidelity.thresholds import MEASURES, choose_rule, measure
from groundlings.personas.taste.calibration import Estimate
from groundlings.personas.taste.regression import fit_logistic

SAMPLE = "language sample"
"""The first words of the name of every task of this module."""

CONTRIBUTION = f"{BOTH} - {EVIDENCE}"
"""The scorer of every difference."""

_ADDED = "What the language model adds: both less evidence only, paired over users. "
_RIDGE = 1.0
_LEAST = 1e-6


def examine_language(stage: Stage, answers: LanguageAnswers) -> list[Record]:
    """Records of parts 1, 2, 3, 5 and 7 about the ablations."""
    records = _weights(answers)
    for kind in answers.test:
        records += _interaction(stage, answers, kind)
        records += _honesty(stage, answers, kind)
    records += _preference(stage, answers)
    records += _random_slates(answers)
    records += _memory(answers)
    records += _stereotype(answers)
    return records


def _task(name: str) -> str:
    return f"{SAMPLE}: {name}"


def _weights(answers: LanguageAnswers) -> list[Record]:
    """The weights, estimated on validation users."""
    calibration = answers.calibration
    n = calibration.labels.people
    figures: Mapping[str, tuple[Estimate, str, bool]] = {
        "weight of evidence": (
            calibration.evidence,
            "Log-odds per unit of appeal, together with the language term",
            False,
        ),
        "weight of language": (calibration.language, "Log-odds per SD of the score, together with appeal", True),
        "gain, nats a pair": (
            calibration.gain,
            "Log likelihood that the language term adds, users held out",
            True,
        ),
    }
    return [
        Record(
            "interaction", _task("weights"), BOTH, name, "mind", estimate.value, *estimate.interval, n, "people",
            f"{meaning}; validation users, 95 % clustered by user.",
            holds=estimate.interval[0] > 0 if claimed else None,
        )
        for name, (estimate, meaning, claimed) in figures.items()
    ]  # fmt: skip


def _interaction(stage: Stage, answers: LanguageAnswers, kind: Negatives) -> list[Record]:
    test, validation = answers.test[kind], answers.validation[kind]
    here, before = _scales(stage, answers, test), _scales(stage, answers, validation)
    width, tuners = test.lists.items.shape[1], len(validation.lists.users)
    records = []
    for name, definition in MEASURES.items():
        values = {}
        for scorer, scores in here.items():
            rule = choose_rule(name, before[scorer], validation.lists, None)
            values[scorer] = measure(name, scores[rule.scale], test.lists, rule.threshold)
        definition = f"{definition} Lists of at most {width} items; thresholds are those of {tuners} validation users."
        records += _compared("interaction", _task(f"{kind} 1:1"), name, values, definition, higher_is_better=True)
    return records


def _scales(stage: Stage, answers: LanguageAnswers, asked: AskedLists) -> dict[str, dict[str, FloatArray]]:
    """Scorer -> scale -> scores; the scale of a threshold is chosen with the threshold, on validation users."""
    unknown = np.where(np.isnan(asked.said), np.nan, 0.0)
    counts = stage.train.item_counts[np.where(asked.lists.listed, asked.lists.items, 0)].astype(np.float64)
    given = {"popularity": np.log1p(counts) + unknown, **asked.log_odds(answers.calibration)}
    above = asked.log_odds(answers.calibration, above_usual=True)
    return {
        name: {"as given": scores, **({"above the usual": above[name]} if name in above else {})}
        for name, scores in given.items()
    }


def _compared(
    part: str, task: str, metric: str, values: Mapping[str, FloatArray], definition: str, *, higher_is_better: bool
) -> list[Record]:
    """One record per row, and the difference between "both" and "evidence only"."""
    minds = (EVIDENCE, LANGUAGE, BOTH)
    rows = [Row(scorer, "mind" if scorer in minds else "trivial", numbers) for scorer, numbers in values.items()]
    records = compare_rows(part, task, metric, rows, definition=definition, higher_is_better=higher_is_better)
    gap = paired_difference(values[BOTH], values[EVIDENCE])
    return [
        *records,
        Record(
            part, task, CONTRIBUTION, metric, "mind", gap.difference, gap.low, gap.high, gap.n, "people",
            _ADDED + definition, holds=is_better(gap, higher_is_better=higher_is_better),
        ),
    ]  # fmt: skip


def _honesty(stage: Stage, answers: LanguageAnswers, kind: Negatives) -> list[Record]:
    """Part 3: probabilities by a logistic curve of each row, fitted on validation users."""
    test, validation = answers.test[kind], answers.validation[kind]
    here, before = _scales(stage, answers, test), _scales(stage, answers, validation)
    rows, slots = np.nonzero(test.lists.listed & ~np.isnan(test.said))
    users, happened = test.lists.users[rows], test.lists.positive[rows, slots].astype(np.float64)
    people, whose = np.unique(users, return_inverse=True)
    task = _task(f"interaction, {kind} 1:1")
    chances = {}
    for name, scales in here.items():
        last = list(scales)[-1]  # the scale on which users are comparable, if the row has it
        chances[name] = _curve(before[name][last], validation)(scales[last][rows, slots])
    brier = {name: mean_by_person(users, (chance - happened) ** 2, people) for name, chance in chances.items()}
    definition = "Mean squared error of the probability, per user; mean over users."
    records = _compared("calibration", task, "brier", brier, definition, higher_is_better=False)
    for name, chance in chances.items():

        def error(some: IntArray, chance: FloatArray = chance) -> float:
            times = np.bincount(some, minlength=len(people)).astype(np.float64)
            return expected_calibration_error(chance, happened, times[whose])

        low, high = bootstrap(
            error, len(people), stage.config.bootstrap, stage.chance("language ece", kind, name), least=0
        )
        records.append(
            Record(
                "calibration", task, name, "ece", "trivial" if name == "popularity" else "mind",
                expected_calibration_error(chance, happened), low, high, len(people), "people",
                f"Mean distance between probability and frequency over {BINS} bins of equal mass. With few pairs per "
                "bin, sampling noise alone puts it well above zero.",
            )
        )  # fmt: skip
    return records


def _curve(scores: FloatArray, asked: AskedLists) -> Callable[[FloatArray], FloatArray]:
    """A function from a score to P(real): a logistic curve fitted on these users' lists."""
    listed = asked.lists.listed & ~np.isnan(scores)
    known, labels = scores[listed], asked.lists.positive[listed].astype(np.float64)
    centre, spread = float(known.mean()), max(float(known.std()), 1e-12)
    fitted = fit_logistic(((known - centre) / spread)[:, None], labels, np.ones(len(labels)), ridge=_RIDGE)
    return lambda values: np.asarray(expit(fitted[0] + fitted[1] * (values - centre) / spread))


def _preference(stage: Stage, answers: LanguageAnswers) -> list[Record]:
    """Part 2: liked against disliked held-out items among those that were asked about."""
    test, validation = (_rated(stage, groups) for groups in (answers.test, answers.validation))
    if test is None or validation is None:
        return []
    ratings, said = test
    before, said_before = validation
    liked = (ratings.real >= ratings.scale.like).astype(np.float64)
    liked_before = (before.real >= before.scale.like).astype(np.float64)
    evidence, evidence_before = (
        logit(np.clip(like_probability(each), _LEAST, 1 - _LEAST)) for each in (ratings, before)
    )
    weights = fit_logistic(
        np.column_stack([evidence_before, said_before]), liked_before, np.ones(len(liked_before)), ridge=_RIDGE
    )
    values = {
        "item mean": ratings.predictors["item mean"],
        "user+item bias": ratings.predictors["user+item bias"],
        EVIDENCE: evidence,
        LANGUAGE: said,
        BOTH: weights[1] * evidence + weights[2] * said,
    }
    people = np.unique(ratings.users)
    scored = {name: _auc_by_person(ratings.users, liked, numbers, people) for name, numbers in values.items()}
    definition = (
        "P(a liked held-out item scores higher than a disliked one) among the items that were asked about, per user "
        "with both; mean over users. The weights of both are fitted on validation users."
    )
    return _compared("preference", _task("liked or disliked"), "auc", scored, definition, higher_is_better=True)


def _rated(stage: Stage, groups: Mapping[Negatives, AskedLists]) -> tuple[RatedPairs, FloatArray] | None:
    """Rated held-out pairs that were asked about, and the model's score of each."""
    found: dict[tuple[int, int], float] = {}
    for asked in groups.values():
        rows, slots = np.nonzero(asked.lists.positive & ~np.isnan(asked.said))
        pairs = zip(asked.lists.users[rows].tolist(), asked.lists.items[rows, slots].tolist(), strict=True)
        found.update(zip(pairs, asked.said[rows, slots].tolist(), strict=True))
    later = stage.split.test
    known = ~np.isnan(later.ratings)
    stars = dict(
        zip(
            zip(later.users[known].tolist(), later.items[known].tolist(), strict=True),
            later.ratings[known].tolist(),
            strict=True,
        )
    )
    pairs_known = sorted(pair for pair in found if pair in stars)
    if stage.taste.stars is None or not pairs_known:
        return None
    users, items = (np.array(column, dtype=np.int64) for column in zip(*pairs_known, strict=True))
    real = np.array([stars[pair] for pair in pairs_known])
    return RatedPairs(stage, users, items, real), np.array([found[pair] for pair in pairs_known])


def _auc_by_person(users: IntArray, liked: FloatArray, values: FloatArray, people: IntArray) -> FloatArray:
    result = np.full(len(people), np.nan)
    for own in rows_by_person(users):
        wins, others = liked[own].sum(), (1 - liked[own]).sum()
        if wins and others:
            ranks = rankdata(values[own])[liked[own] > 0].sum()
            result[np.searchsorted(people, users[own[0]])] = (ranks - wins * (wins + 1) / 2) / (wins * others)
    return result


def _random_slates(answers: LanguageAnswers) -> list[Record]:
    """Part 5: P(click | examined) of random candidates."""
    asked = answers.test["uniform"]
    others = asked.lists.listed & ~asked.lists.positive
    records = []
    for name, chance in answers.open_if_seen(asked).items():
        found = within_one(mean_interval(share_of_list(chance, others)))
        records.append(
            Record(
                "probes", _task("random slates"), name, "click rate if examined", "mind", found.mean, found.low,
                found.high, found.n, "people",
                "Mean P(click | examined) over random candidates, per user; mean over users. The constant of each mind "
                "was set for the stated rate on other pairs.",
            )
        )  # fmt: skip
    return records


def _memory(answers: LanguageAnswers) -> list[Record]:
    """Part 7: what the language model's answers are worth without titles."""
    nameless = answers.again.get("titles taken away")
    if nameless is None:
        return []
    named = answers.again["as they are"]
    task = _task("titles taken away")
    records = []
    for name in (LANGUAGE, BOTH):
        before, after = (
            measure("auc", each.log_odds(answers.calibration)[name], each.lists, 0.0) for each in (named, nameless)
        )
        gap = paired_difference(before, after)
        for metric, values in (("auc, with titles", before), ("auc, without titles", after)):
            found = within_one(mean_interval(values))
            records.append(
                Record(
                    "memorisation and stereotype", task, name, metric, "mind", found.mean, found.low, found.high,
                    found.n, "people",
                    "AUC of uniform 1:1 lists; without titles, items in the prompt are numbers, with year and genres.",
                )
            )  # fmt: skip
        records.append(
            Record(
                "memorisation and stereotype", task, name, "auc, by titles", "mind", gap.difference, gap.low, gap.high,
                gap.n, "people", "What titles add to the AUC, paired over users: knowledge or memorisation of titles.",
            )
        )  # fmt: skip
    return [*records, *_changed(answers, task, named, nameless)]


def _stereotype(answers: LanguageAnswers) -> list[Record]:
    """Part 7: what changes if the prompt gives a user another gender, age and occupation."""
    told, turned = (answers.again.get(f"demographics {how}") for how in ("told", "turned round"))
    if told is None or turned is None:
        return []
    return _changed(answers, _task("demographics turned round"), told, turned)


def _changed(answers: LanguageAnswers, task: str, before: AskedLists, after: AskedLists) -> list[Record]:
    first, second = answers.open_if_seen(before), answers.open_if_seen(after)
    listed = before.lists.listed
    records = []
    for name in (LANGUAGE, BOTH):
        found = within_one(mean_interval(share_of_list(np.abs(first[name] - second[name]), listed)))
        records.append(
            Record(
                "memorisation and stereotype", task, name, "decisions changed", "mind", found.mean, found.low,
                found.high, found.n, "people",
                "Mean distance between the two values of P(click | examined): with common random numbers, the "
                "share of decisions that change. Per user; mean over users.",
            )
        )  # fmt: skip
    return records
