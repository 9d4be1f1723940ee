"""The choice among five in part 1: which of five items did the user meet next? `scenes` says where they come from.

Scores become probabilities by a conditional logit with one slope (McFadden 1974), set on scenes of the validation
third, on the scores or on their logarithms, whichever does better there. The mind's taste is fitted on the statistics
alone, with the histories of scenes as those of users; the list reader reads the five items of a scene, and its labels
are scenes of the validation third. The reader may learn how the four others are drawn; the other rows cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from groundlings.environments.arrays import FloatArray
from groundlings.environments.interactions import Interactions
from groundlings.environments.random_streams import name_key
from groundlings.experiments.labs.fidelity.list_features import LATEST, ListFeatures, Numbers
from groundlings.experiments.labs.fidelity.list_reader import FEWEST_PEOPLE, FOLDS, READER, fit_trees, lay_out
from groundlings.experiments.labs.fidelity.people import mean_by_person
from groundlings.experiments.labs.fidelity.records import Kind, Record, Row, compare_rows, target_of
from groundlings.experiments.labs.fidelity.scenes import SceneGround, SceneGroups, Scenes, draw_scenes
from groundlings.experiments.labs.fidelity.stage import MIND, Stage
from groundlings.personas.profile import GENRE_PRIOR
from groundlings.personas.taste.co_occurrence import histories, weigh
from groundlings.personas.taste.features import RECENT_HALF_LIFE, SEQUENCE_HALF_LIFE, Evidence
from groundlings.personas.taste.model import Taste, fit_taste
from groundlings.personas.taste.similar_users import SimilarUsers

PART, TASK = "interaction", "choice among five"
TOP_1_TARGET = 0.70

_STEEPEST = 50.0
_MEASURES = {
    "top-1": ("Share of scenes in which the real item has the highest score of five, ties shared", True),
    "log loss": ("Minus the log of the probability of the real item among five (chance: 1.609)", False),
}


@dataclass(frozen=True)
class _SceneEvidence(Evidence):
    """The evidence of scenes: `met` holds the users of the statistics, `asked` the histories of the scenes."""

    asked: sp.csr_array

    @cached_property
    def similar(self) -> SimilarUsers:
        """As `Evidence` has it, among the users of the statistics: no scene counts in another."""
        return SimilarUsers(self.met, self.latest_users, self.rarity, asked=self.asked)


@dataclass(frozen=True, slots=True)
class Said:
    """A row: its scores of the scenes of both groups, shape (n, 5) each."""

    name: str
    kind: Kind
    test: FloatArray
    validation: FloatArray


def examine_choices_of_five(stage: Stage) -> list[Record]:
    """Records of the task; none without times, or where a group has fewer than `FEWEST_PEOPLE` users with scenes."""
    if not (stage.config.choice.scenes and stage.dataset.times_known):
        return []
    groups = draw_scenes(stage)
    if any(len(np.unique(each.users)) < FEWEST_PEOPLE for each in (groups.test, groups.validation)):
        return []
    people = np.unique(groups.test.users)
    values: dict[str, list[Row]] = {name: [] for name in _MEASURES}
    for said in _ask(stage, groups):
        logs = choice_logit(said, groups.validation)
        values["top-1"].append(Row(said.name, said.kind, mean_by_person(groups.test.users, _hit(said, groups), people)))
        loss = -logs(said.test)[groups.test.lists.positive]
        values["log loss"].append(Row(said.name, said.kind, mean_by_person(groups.test.users, loss, people)))
    records = []
    for name, (definition, higher) in _MEASURES.items():
        definition = f"{definition}; mean over each user's scenes, then over users; {len(groups.test):,} scenes."
        records += compare_rows(
            PART, TASK, name, values[name], definition=definition, higher_is_better=higher,
            most=None if name == "log loss" else 1.0,
        )  # fmt: skip
    return [
        target_of(record, low=TOP_1_TARGET)
        if record.metric == "top-1" and record.kind in ("mind", "reader")
        else record
        for record in records
    ]


def _hit(said: Said, groups: SceneGroups) -> FloatArray:
    best = said.test == said.test.max(axis=1, keepdims=True)
    return (best & groups.test.lists.positive).any(axis=1) / best.sum(axis=1)


def choice_logit(said: Said, scenes: Scenes) -> Callable[[FloatArray], FloatArray]:
    """Scores to log probabilities, by the scale and slope that do best on validation scenes."""
    found: tuple[float, Callable[[FloatArray], FloatArray]] | None = None
    scales: list[Callable[[FloatArray], FloatArray]] = [lambda scores: scores]
    if min(said.test.min(), said.validation.min()) >= 0:
        middle = float(np.mean(said.validation)) or 1.0
        scales.append(lambda scores: np.log(scores / middle + 0.05))
    for scale in scales:
        spread = float(scale(said.validation).std()) or 1.0

        def chance(
            scores: FloatArray, slope: float, scale: Callable[[FloatArray], FloatArray] = scale, spread: float = spread
        ) -> FloatArray:
            return np.asarray(log_softmax(slope * scale(scores) / spread, axis=1))

        def loss(slope: float, chance: Callable[[FloatArray, float], FloatArray] = chance) -> float:
            return -float(chance(said.validation, slope)[scenes.lists.positive].mean())

        best = minimize_scalar(loss, bounds=(0.0, _STEEPEST), method="bounded")
        if found is None or best.fun < found[0]:
            slope = float(best.x)
            found = float(best.fun), lambda scores, chance=chance, slope=slope: chance(scores, slope)
    if found is None:
        raise ValueError("no scale to try")
    return found[1]


def _ask(stage: Stage, groups: SceneGroups) -> Sequence[Said]:
    counts = groups.statistics.item_counts.astype(np.float64)
    taste = fit_taste(stage.dataset, groups.statistics, salt=stage.config.split.salt, seed=stage.seed)
    measured = [measure_scenes(stage, groups.statistics, taste, each) for each in (groups.test, groups.validation)]
    test, validation = groups.test, groups.validation

    def row(name: str, kind: Kind, values: Sequence[NDArray[np.floating[Any]]]) -> Said:
        return Said(name, kind, *(np.asarray(each, dtype=np.float64) for each in values))

    return [
        row("random", "trivial", [np.zeros(each.lists.items.shape) for each in (test, validation)]),
        row("popularity", "trivial", [counts[each.lists.items] for each in (test, validation)]),
        row(f"item kNN, last {LATEST}", "trivial", [each["item kNN, latest"] for each in measured]),
        row("item kNN", "trivial", [each["item kNN"] for each in measured]),
        row(MIND, "mind", [each["appeal"] for each in measured]),
        row(READER, "reader", _read(stage, taste, measured, groups)),
    ]


def _read(
    stage: Stage, taste: Taste, measured: Sequence[dict[str, Numbers]], groups: SceneGroups
) -> Sequence[FloatArray]:
    """Log-odds of the list reader on test and validation scenes, the latter by trees that never saw the user."""
    vectors, lists = taste.evidence.vectors, groups.validation.lists
    test, validation = (
        lay_out(features, each.lists, vectors, 2)
        for features, each in zip(measured, (groups.test, groups.validation), strict=True)
    )
    people, place = np.unique(groups.validation.users, return_inverse=True)
    fold = (stage.chance("choice", "folds").permutation(len(people)) % FOLDS)[place]
    trees = fit_trees([(validation, lists)], fold, name_key("choice", stage.seed))
    return [
        trees.score(test, groups.test.lists.listed),
        trees.unseen(validation, lists.listed, np.arange(len(fold))),
    ]


def measure_scenes(stage: SceneGround, statistics: Interactions, taste: Taste, scenes: Scenes) -> dict[str, Numbers]:
    """The features of the items of each scene, shape as `scenes.lists.items` each; "appeal" is the mind's evidence."""
    evidence = _evidence(stage, statistics, taste.evidence, scenes.histories)
    of_scenes = Taste(evidence, taste.appeal_weights, None)
    features = ListFeatures(statistics, scenes.histories, stage.dataset.catalog, of_scenes, {})
    everything, latest = _item_knn(statistics, scenes)
    lists = scenes.lists
    return {**features.of(lists.users, lists.items), "item kNN": everything, "item kNN, latest": latest}


def _evidence(stage: SceneGround, statistics: Interactions, known: Evidence, met: Interactions) -> _SceneEvidence:
    """Evidence counted on the statistics, with the histories of scenes as those of users."""
    users, items, age = histories(met)
    catalog = stage.dataset.catalog
    genres = catalog.genre_matrix.astype(np.float64)
    activity = np.diff(met.matrix.indptr)
    usual = statistics.matrix.sum(axis=0) @ genres / max(statistics.matrix.nnz, 1)
    lifts = np.where(usual > 0, (met.matrix @ genres + GENRE_PRIOR) / (np.outer(activity, usual) + GENRE_PRIOR), 1.0)
    fields = {name: getattr(known, name) for name in Evidence.__dataclass_fields__}
    return _SceneEvidence(
        **fields
        | {
            "latest": weigh(users, items, 0.5 ** (age / SEQUENCE_HALF_LIFE), met),
            "recent": weigh(users, items, 0.5 ** (age / RECENT_HALF_LIFE), met),
            "activity": np.log1p(activity).astype(np.float32),
            # Scenes are later than the statistics: the season is that of their end.
            "period": np.full(met.n_users, len(known.season) - 1),
            "lifts": np.log(lifts).astype(np.float32),
        },
        asked=met.matrix.astype(np.float32),
    )


def _item_knn(statistics: Interactions, scenes: Scenes) -> tuple[Numbers, Numbers]:
    """Sums of cosines of each item with the whole history and with its latest items, shape (n, width) each.

    Without shrinkage: on validation scenes of MovieLens-100K that made the stronger floor.
    """
    takers = sp.csr_array(statistics.matrix.T)
    length = np.sqrt(np.diff(takers.indptr))
    users, items, age = histories(scenes.histories)
    edges = np.searchsorted(users, np.arange(len(scenes) + 1))
    sums = np.zeros((2, *scenes.lists.items.shape), dtype=np.float32)
    for number, five in enumerate(scenes.lists.items):
        own = slice(edges[number], edges[number + 1])
        overlap = (takers[five] @ takers[items[own]].T).toarray()
        cosines = overlap / np.maximum(np.outer(length[five], length[items[own]]), 1.0)
        sums[0, number], sums[1, number] = cosines.sum(axis=1), cosines[:, age[own] < LATEST].sum(axis=1)
    return sums[0], sums[1]
