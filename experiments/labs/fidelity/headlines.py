"""The headline records, for the terminal and the top of the page, in the order of the eight parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.experiments.labs.fidelity.distributions import FLOOR
from groundlings.experiments.labs.fidelity.language_rows import CONTRIBUTION, SAMPLE
from groundlings.experiments.labs.fidelity.list_reader import READER
from groundlings.experiments.labs.fidelity.records import Record
from groundlings.experiments.labs.fidelity.synthetic_users import PART as SYNTHETIC_USERS

_CHOSEN = (
    ("interaction", "uniform 1:1", "f1", "Interaction 1:1, F1"),
    ("interaction", "uniform 1:2", "f1", "Interaction 1:2, F1"),
    ("interaction", "uniform 1:3", "f1", "Interaction 1:3, F1"),
    ("interaction", "uniform 1:9", "f1", "Interaction 1:9, F1"),
    ("interaction", "uniform 1:1", "accuracy", "Interaction 1:1, accuracy"),
    ("interaction", "uniform 1:1", "auc", "Interaction, AUC"),
    ("interaction", "popularity-matched 1:1", "accuracy", "Popularity-matched 1:1, accuracy"),
    ("interaction", "popularity-matched 1:1", "auc", "Popularity-matched, AUC"),
    ("interaction", "choice among five", "top-1", "Choice among five, top-1"),
    ("interaction", "choice among five", "log loss", "Choice among five, log loss"),
    ("preference", "liked or disliked", "auc", "Liked or disliked, AUC"),
    ("preference", "rating", "mae", "Rating, MAE"),
    ("preference", "rating", "rmse", "Rating, RMSE"),
    ("calibration", "interaction, uniform 1:1", "ece", "Calibration of interaction, ECE"),
    ("calibration", "interaction, popularity-matched 1:1", "ece", "The same, popularity-matched"),
    ("calibration", "liked, of rated", "ece", "Calibration of likes, ECE"),
    ("calibration", "self-consistency", "flip rate, graded", "Self-consistency, flips"),
    ("distributions", "ratings", "jsd", "Stars, JSD"),
    ("distributions", "ratings", "ks", "Stars, KS"),
    ("distributions", "ratings", "w1", "Stars, earth mover's distance"),
    ("distributions", "homogeneity", "icc ratio", "ICC, simulated over real"),
    ("distributions", "homogeneity", "sd ratio, between people", "SD between users, ratio"),
    ("distributions", "homogeneity", "sd ratio, within people", "SD within users, ratio"),
    ("distributions", "choices", "popularity curve jsd", "Choices, popularity curve JSD"),
    ("distributions", "choices", "genre mix jsd", "Choices, genre mix JSD"),
    ("distributions", "choices", "gini ratio", "Choices, Gini ratio"),
    ("distributions", "activity", "variation ratio", "Activity, variation ratio"),
    ("distributions", "repeats", "repeat share ratio", "Repeats, share of them, simulated over real"),
    ("distributions", "repeats", "median gap ratio", "Repeats, median days between, simulated over real"),
    ("distributions", "repeats", "gap ks", "Repeats, days between, KS"),
    ("probes", "random slates", "click rate", "Random slates, click-through rate"),
    ("probes", "dose-response", "falling steps", "Dose-response, falling steps"),
    ("system", None, "kendall tau", "Order of recommenders, Kendall's tau"),
    ("system", None, "sign agreement", "Really different pairs, sign agreement"),
    ("interaction", f"{SAMPLE}: uniform 1:1", "auc", "A language model adds to AUC"),
    ("interaction", f"{SAMPLE}: popularity-matched 1:1", "auc", "It adds to AUC, popularity-matched"),
    ("preference", f"{SAMPLE}: liked or disliked", "auc", "It adds to AUC, liked or disliked"),
    ("memorisation and stereotype", None, "decisions changed", "Other titles and demographics, decisions changed"),
)

_READ = (
    ("uniform 1:1", "f1", "List reader, no mind: 1:1, F1"),
    ("uniform 1:3", "f1", "List reader, no mind: 1:3, F1"),
    ("uniform 1:9", "f1", "List reader, no mind: 1:9, F1"),
    ("choice among five", "top-1", "List reader, no mind: choice among five, top-1"),
)
"""Figures of the list reader, which has no verdict."""

_SYNTHETIC = (
    ("items per user ks", "items per user, KS"),
    ("item popularity jsd", "item popularity, JSD"),
    ("icc ratio", "ICC of ratings, synthetic over real"),
    ("spread of taste ratio", "spread of taste, synthetic over real"),
    ("correlations", "correlations of traits, largest difference"),
    ("distance to closest fitted record, median", "distance to the closest real history"),
    ("copies", "copies"),
)
"""Figures of synthetic users, which have no verdict."""

_SHOWN = {"real people": "real users", "real people, met later": "real users, held out"}
"""Baselines that the table names in the glossary's words; records keep their names."""

_LOWER_IS_BETTER = {"mae", "rmse", "brier", "log loss"}


@dataclass(frozen=True, slots=True)
class Headline:
    """A row of the table.

    Attributes:
        label: The name of the figure.
        record: The mind's figure.
        beside: What it is compared with: a trivial scorer, the floor, real users.
    """

    label: str
    record: Record
    beside: str


def headlines(records: Sequence[Record]) -> list[Headline]:
    """The mind's headline figures, the better one of two predictions of one mind; then those of the list reader."""
    examined = {record.scorer for record in records if record.part == "interaction" and record.kind == "mind"}
    rows = []
    for part, task, metric, label in _CHOSEN:
        found = [
            record
            for record in records
            if (record.part, record.metric, record.kind) == (part, metric, "mind") and _is_of(record, task)
        ]
        by_mind: dict[str, Record] = {}
        for record in found:
            name = record.scorer.partition(" (")[0]
            other = by_mind.get(name)
            # Of the order the first record counts: it is the mean over salts, where there are several.
            if name in examined and (other is None or (part != "system" and _better(record, other))):
                by_mind[name] = record
        rows += [Headline(label, record, _beside(record, records)) for record in by_mind.values()]
    read = {(record.task, record.metric): record for record in records if record.scorer == READER}
    for task, metric, label in _READ:
        if (task, metric) in read:
            rows.append(Headline(label, read[task, metric], _beside(read[task, metric], records)))
    return rows + _of_synthetic_users(records)


def _of_synthetic_users(records: Sequence[Record]) -> list[Headline]:
    """Rows of part 8, by the way in which the users were made."""
    own = [record for record in records if record.part == SYNTHETIC_USERS and record.kind == "reference"]
    found = {(record.scorer, record.metric): record for record in own}
    return [
        Headline(f"Synthetic users ({scorer}): {label}", found[scorer, metric], _beside_real(found[scorer, metric]))
        for scorer in dict.fromkeys(record.scorer for record in own)
        for metric, label in _SYNTHETIC
        if (scorer, metric) in found
    ]


def _beside_real(record: Record) -> str:
    """The floor, or what real users have."""
    if record.baseline is None:
        return ""
    name = "floor, real v real" if record.baseline.scorer == FLOOR else record.baseline.scorer
    return f"{record.baseline.value:.3f} {_SHOWN.get(name, name)}"


def _is_of(record: Record, task: str | None) -> bool:
    """Whether a record is of a task, None for any; for the language sample only what the model adds."""
    if record.task.startswith(SAMPLE):
        return record.task == task and record.scorer == CONTRIBUTION
    return task in (None, record.task)


def _better(record: Record, other: Record) -> bool:
    if record.value is None or other.value is None:
        return other.value is None
    sign = -1 if record.metric in _LOWER_IS_BETTER else 1
    return sign * record.value > sign * other.value


def _beside(record: Record, records: Sequence[Record]) -> str:
    """The best trivial scorer, and beside it a recommender that comes nearer, where there is one."""
    if record.baseline is None:
        return ""
    name = record.baseline.scorer
    if name.endswith("quantile"):
        name = "floor, real v real"
    same = [
        each for each in records if (each.part, each.task, each.metric) == (record.part, record.task, record.metric)
    ]
    rivals = [each for each in same if each.kind == "reference" and each.value is not None]
    sign = -1 if record.metric in _LOWER_IS_BETTER else 1
    best = max(rivals, key=lambda each: sign * (each.value or 0.0), default=None)
    nearer = best is not None and best.value is not None and sign * best.value > sign * record.baseline.value
    further = f"; {best.value:.3f} {best.scorer}, a recommender" if nearer and best is not None else ""
    return f"{record.baseline.value:.3f} {_SHOWN.get(name, name)}{further}"
