"""What scorers are worth on people whom nothing was learned from: one row per scorer and figure.

    top-1            share of scenes in which the real item has the highest score of five, ties shared
    log-loss         minus the log of the probability of the real item among five (chance: 1.609)
    calibration      expected calibration error of these probabilities: over ten groups of equal size, the mean distance
                     of the mean probability from the share of real items
    list AUC         probability that an item of a list that was really met scores higher than one that was never met
    positive share   share of the items of a list that get a yes, half of which were really met

Probabilities among five come from a conditional logit whose slope was set on scenes of the validation third, as in
`fidelity`; a yes is a score above the threshold at which half of the validation lists' items lie, except for raw
answers, where it is the model's own. Every figure is a mean over each user's scenes and then over users, with an
interval over users. A scene with an answer that cannot be read is in no figure, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.special import log_softmax

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.experiments.labs.fidelity.choice_of_five import Said, choice_logit
from groundlings.experiments.labs.fidelity.people import mean_by_person
from groundlings.experiments.labs.fidelity.scenes import CHOICES, Scenes
from groundlings.experiments.labs.fidelity.thresholds import list_auc
from groundlings.experiments.labs.resampling import Resamples, interval
from groundlings.experiments.labs.ties.choice import choice_weights
from groundlings.experiments.labs.train_mind.scoring import POPULARITY, Scores

FIGURES = ("top-1", "log-loss", "calibration", "list AUC", "positive share")
_MOST = {"log-loss": np.inf}
"""The bounds of figures: all are at least 0, and at most 1 where nothing else is said."""

_BINS = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one scorer.

    Attributes:
        scorer, figure: Which.
        value, low, high: With its 95 % interval over users; None where there is none, as where nothing could be read.
        gain, gain_low, gain_high: The difference to popularity, of the same scenes; None for popularity itself.
        left_out: Scenes or lists with an answer that could not be read.
    """

    scorer: str
    figure: str
    value: float | None
    low: float | None
    high: float | None
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    left_out: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Weight:
    """What the model's score adds to another: the weights of both in a choice between two items.

    Attributes:
        beside: The other score.
        value, low, high: Weight of the model's score per standard deviation, estimated on the validation third.
        other: That of the other score, likewise.
        gain, gain_low, gain_high: Top-1 of both together less that of the other alone, on the test third.
        saved, saved_low, saved_high: Log-loss of the other alone less that of both, in nats a choice, likewise.
    """

    beside: str
    value: float
    low: float | None
    high: float | None
    other: float
    gain: float
    gain_low: float | None
    gain_high: float | None
    saved: float
    saved_low: float | None
    saved_high: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Worth:
    """What a token of a model's answers is worth beside another score.

    Attributes:
        beside: The other score.
        tokens: Computed per decision; what the prompts about a scene begin with is computed once.
        value, low, high: Nats of log-loss saved in a choice among five, per 1,000 tokens.
    """

    beside: str
    tokens: float
    value: float
    low: float | None
    high: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def worth_of(weights: Sequence[Weight], asked: int, tokens: int) -> list[Worth]:
    """What the tokens of some answers are worth beside each other score.

    Args:
        weights: What the model adds.
        asked: Decisions, at least 1.
        tokens: Computed for all of them.
    """
    each = tokens / asked
    scale = 1000 / (CHOICES * each)
    return [
        Worth(
            weight.beside,
            each,
            scale * weight.saved,
            *(None if end is None else scale * end for end in (weight.saved_low, weight.saved_high)),
        )
        for weight in weights
    ]


class Table:
    """Measures scorers on the same people and resamples.

    Args:
        scenes: By the names of `groups_of`; weights need no lists, rows need all groups.
        times: Resamples of users.
        chance: Random numbers of the resamples.
    """

    def __init__(self, scenes: Mapping[str, Scenes], times: int, chance: np.random.Generator) -> None:
        self._scenes = scenes
        self._people = np.unique(self._scenes["test five"].users)
        self._tuners = np.unique(self._scenes["validation five"].users)
        self._resamples = Resamples.draw(len(self._people), times, chance)
        self._tuning = Resamples.draw(len(self._tuners), times, chance)

    def rows(self, scorers: Mapping[str, Scores]) -> list[Row]:
        """Every figure of every scorer; popularity must be among them."""
        measured = {name: self._measured(scores) for name, scores in scorers.items()}
        rows = []
        for name, found in measured.items():
            unread = any(left_out for _, left_out in found.values())
            floor = self._measured(_read_of(scorers[POPULARITY], scorers[name])) if unread else measured[POPULARITY]
            rows += [
                self._row(name, figure, values, None if name == POPULARITY else floor[figure][0], left_out)
                for figure, (values, left_out) in found.items()
            ]
        return rows

    def weights(self, model: Scores, others: Mapping[str, Scores]) -> list[Weight]:
        """What the model's score adds to each other score; none where no answer could be read."""
        added = [self.weight(model, scores, beside) for beside, scores in others.items()]
        return [each for each in added if each is not None]

    def weight(self, model: Scores, other: Scores, beside: str) -> Weight | None:
        """What the model's score adds to another score; None where no answer could be read."""
        if np.isnan(model["validation five"]).any(axis=1).all():
            return None
        spread = [float(np.nanstd(each["validation five"])) or 1.0 for each in (model, other)]
        both = {
            group: np.stack([each[group] / size for each, size in zip((model, other), spread, strict=True)], axis=-1)
            for group in ("test five", "validation five")
        }
        scenes = self._scenes["validation five"]
        differences, users = _pairs(both["validation five"], scenes, self._tuners)
        found = choice_weights(differences, users, self._tuning.weights)
        test = self._scenes["test five"]
        pair, single = both["test five"] @ found[0], other["test five"]
        single = np.where(np.isnan(pair), np.nan, single)  # both are of the same scenes
        gain = self._mean(test, hits(pair, test)) - self._mean(test, hits(single, test))
        slope = choice_weights(differences[:, 1:], users, self._tuning.weights[:1])[0, 0]
        saved = self._mean(test, _losses(single / spread[1] * slope, test)) - self._mean(test, _losses(pair, test))
        return Weight(
            beside,
            float(found[0, 0]),
            *interval(found[:, 0]),
            float(found[0, 1]),
            float(gain[0]),
            *interval(gain),
            float(saved[0]),
            *interval(saved),
        )

    def _measured(self, scores: Scores) -> dict[str, tuple[FloatArray, int]]:
        """Figure -> its resamples, shape (1 + times,), and what was left out."""
        five, lists = self._scenes["test five"], self._scenes["test lists"]
        logs = self._logs(scores)
        real = five.lists.positive
        unread = int(np.isnan(scores["test five"]).any(axis=1).sum())
        unread_lists = (np.isnan(scores["test lists"]) & lists.lists.listed).any(axis=1)
        auc = np.where(unread_lists, np.nan, list_auc(scores["test lists"], lists.lists))
        known = scores["validation lists"][~np.isnan(scores["validation lists"])]
        level = float(np.median(known)) if len(known) else np.nan
        yes = (scores["test lists"] > level) & lists.lists.listed
        share = np.where(unread_lists | np.isnan(level), np.nan, yes.sum(axis=1) / lists.lists.listed.sum(axis=1))
        return {
            "top-1": (self._mean(five, hits(scores["test five"], five)), unread),
            "log-loss": (self._mean(five, -(logs * real).sum(axis=1)), unread),
            "calibration": (self._calibration(np.exp(logs), real, five.users), unread),
            "list AUC": (self._mean(lists, auc), int(unread_lists.sum())),
            "positive share": (self._mean(lists, share), int(unread_lists.sum())),
        }

    def _logs(self, scores: Scores) -> FloatArray:
        """Log probabilities among five of the test scenes, NaN where an answer is unreadable."""
        groups = ("test five", "validation five")
        known = {group: np.asarray(~np.isnan(scores[group]).any(axis=1)) for group in groups}
        test, validation = (scores[group][known[group]] for group in known)
        tuned = _some(self._scenes["validation five"], known["validation five"])
        logs = np.full(scores["test five"].shape, np.nan)
        if not len(test) or not len(validation):
            return logs
        logs[known["test five"]] = choice_logit(Said("", "mind", test, validation), tuned)(test)
        return logs

    def _mean(self, scenes: Scenes, values: FloatArray) -> FloatArray:
        known = ~np.isnan(values)
        by_person = mean_by_person(scenes.users[known], values[known], self._people)
        return self._resamples.mean(by_person, np.ones(len(self._people), dtype=np.bool_))

    def _calibration(self, chances: FloatArray, real: BoolArray, users: IntArray) -> FloatArray:
        """Expected calibration error of the chances of all items, each scene's known, shape (1 + times,)."""
        known = ~np.isnan(chances).any(axis=1)
        if not known.any():
            return np.full(len(self._resamples.weights), np.nan)
        said, met = chances[known].ravel(), real[known].ravel().astype(np.float64)
        whose = np.repeat(np.searchsorted(self._people, users[known]), real.shape[1])
        bins = np.argsort(np.argsort(said, kind="stable"), kind="stable") * _BINS // max(len(said), 1)
        error = np.zeros(len(self._resamples.weights))
        for each in range(_BINS):
            own = bins == each
            gap = np.bincount(whose[own], (said - met)[own], minlength=len(self._people))
            error += np.abs(self._resamples.weights @ gap)
        with np.errstate(invalid="ignore"):  # a resample may draw nobody of whom an answer is known: not a number
            return error / (self._resamples.weights @ np.bincount(whose, minlength=len(self._people)))

    def _row(self, scorer: str, figure: str, values: FloatArray, floor: FloatArray | None, left_out: int) -> Row:
        gain: tuple[float | None, float | None, float | None] = (None, None, None)
        if floor is not None:
            difference = values - floor
            gain = (None if np.isnan(difference[0]) else float(difference[0]), *interval(difference))
        value = None if np.isnan(values[0]) else float(values[0])
        return Row(scorer, figure, value, *interval(values, 0, _MOST.get(figure, 1)), *gain, left_out)


def _read_of(scores: Scores, other: Scores) -> Scores:
    """Scores of the test third where another scorer has one, NaN elsewhere."""
    asked = {group: np.isnan(other[group]) for group in ("test five", "test lists")}
    return {**scores, **{group: np.where(lost, np.nan, scores[group]) for group, lost in asked.items()}}


def hits(scores: FloatArray, scenes: Scenes) -> FloatArray:
    """The share of the highest scores that is the real item's, shape (n,), NaN where a score is unknown."""
    best = scores == scores.max(axis=1, keepdims=True)
    found = (best & scenes.lists.positive).any(axis=1) / np.maximum(best.sum(axis=1), 1)
    return np.where(np.isnan(scores).any(axis=1), np.nan, found)


def _losses(scores: FloatArray, scenes: Scenes) -> FloatArray:
    """Minus the log of the share of the real item among five, shape (n,), NaN where a score is unknown."""
    return -(log_softmax(scores, axis=1) * scenes.lists.positive).sum(axis=1)


def _some(scenes: Scenes, which: BoolArray) -> Scenes:
    """Some of the scenes, without their histories."""
    lists = scenes.lists
    kept = replace(lists, users=lists.users[which], items=lists.items[which], positive=lists.positive[which])
    return replace(scenes, users=scenes.users[which], lists=kept)


def _pairs(features: FloatArray, scenes: Scenes, people: IntArray) -> tuple[FloatArray, IntArray]:
    """Features of each real item less those of each other item of its scene, and whose; scenes with NaN left out.

    Args:
        features: Shape (n, 5, n_features).
        scenes: The scenes.
        people: Ascending.
    """
    rows = np.flatnonzero(~np.isnan(features).any(axis=(1, 2)))
    differences: Sequence[FloatArray] = [
        features[row][scenes.lists.positive[row]] - features[row][~scenes.lists.positive[row]] for row in rows
    ]
    if not len(rows):
        return np.zeros((0, features.shape[2])), np.zeros(0, dtype=np.int64)
    users = np.repeat(np.searchsorted(people, scenes.users[rows]), [len(each) for each in differences])
    return np.concatenate(differences), users
