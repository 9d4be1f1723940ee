"""What ties add to item kNN and popularity, beside the same ties with their people exchanged at random.

Weights are estimated on the pairs of one half of the people and judged on those of the other. The share of pairs in
which the held-out item scores higher is the area under the ROC curve (AUC) of a pair's two items.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.random_streams import name_keys
from groundlings.environments.words import plural
from groundlings.experiments.labs.resampling import Figure, Resamples, check_times
from groundlings.experiments.labs.ties.choice import choice_weights
from groundlings.experiments.labs.ties.pairs import (
    HeldOut,
    Pairs,
    hold_out,
    knn_differences,
    popularity_of,
    tie_differences,
    wins,
)
from groundlings.experiments.labs.ties.tables import TiedHistories

NEIGHBOURS = (50, 200, 1000)
"""How many neighbours item kNN keeps: as shipped, and more, because ties may only make up for what few of them miss."""

MOST_RELABELLINGS = 1000
"""What every pair scores by each of them is kept until the end."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What ties add to one item kNN.

    Attributes:
        neighbours: Of the item kNN.
        without: AUC of item kNN and popularity.
        with_ties: AUC with log(1 + ties who met the item) as well.
        gain: The difference.
        placebo: The mean gain of relabelled ties.
        weight: b1, the utility of log(1 + ties who met the item) beside item kNN and popularity.
        placebo_weights: The same of each relabelling.
    """

    neighbours: int
    without: Figure
    with_ties: Figure
    gain: Figure
    placebo: Figure
    weight: Figure
    placebo_weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found.

    Attributes:
        people, items, ties: In the tables; ties count once.
        left_out: Rows of ties that name somebody without a history.
        fitted, judged: Pairs of each half of the people.
        judged_people: People with a pair in the judged half.
        unmatched: Held-out items that no item of like popularity could stand beside.
        popularity, ties_alone, relabelled_alone: AUC of one feature.
        gains: One per item kNN.
    """

    people: int
    items: int
    ties: int
    left_out: int
    fitted: int
    judged: int
    judged_people: int
    unmatched: int
    popularity: Figure
    ties_alone: Figure
    relabelled_alone: Figure
    gains: tuple[Gain, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure_ties(
    data: TiedHistories,
    seed: int = 0,
    *,
    times: int = 1000,
    relabellings: int = 10,
    neighbours: tuple[int, ...] = NEIGHBOURS,
) -> Findings:
    """Hold ties against item kNN.

    Args:
        data: People, what they met, and their ties.
        seed: Of the split, the pairs, the halves, the relabellings and the resamples.
        times: Resamples of people.
        relabellings: How many placebos.
        neighbours: Of each item kNN.

    Raises:
        ConfigError: A number is too small or too large.
        DataError: A half of the people has no pair.
    """
    check_times(times)
    if not 1 <= relabellings <= MOST_RELABELLINGS or min(neighbours) < 1:
        raise ConfigError(
            f"found {relabellings:,} relabellings and the numbers of neighbours {', '.join(map(str, neighbours))}; "
            f"expected 1 to {MOST_RELABELLINGS:,}, and at least 1 neighbour"
        )
    chance = np.random.default_rng(seed)
    held_out = hold_out(data.met, chance)
    pairs = held_out.pairs
    half = name_keys(("ties", seed), data.user_ids) % 2 == 1
    judged = half[pairs.users]
    if judged.all() or not judged.any():
        raise DataError(f"found {plural(len(pairs), 'pair')}, all of one half of the people; expected longer histories")
    bench = _Bench(pairs, judged, Resamples.draw(len(data.user_ids), times, chance))
    popularity = np.log1p(popularity_of(held_out.training))
    popular = popularity[pairs.chosen] - popularity[pairs.other]
    tied = tie_differences(data.ties, held_out.training, pairs)
    relabelled = [tie_differences(data.ties.relabelled(chance), held_out.training, pairs) for _ in range(relabellings)]
    return Findings(
        people=data.met.shape[0],
        items=data.met.shape[1],
        ties=len(data.ties),
        left_out=data.left_out,
        fitted=int((~judged).sum()),
        judged=int(judged.sum()),
        judged_people=len(np.unique(pairs.users[judged])),
        unmatched=held_out.unmatched,
        popularity=Figure.of(bench.auc(popular), 0, 1),
        ties_alone=Figure.of(bench.auc(tied), 0, 1),
        relabelled_alone=Figure.of(np.mean([bench.auc(each) for each in relabelled], axis=0), 0, 1),
        gains=tuple(_gain(each, held_out, bench, popular, tied, relabelled) for each in neighbours),
    )


@dataclass(frozen=True)
class _Bench:
    """Pairs of two halves of the people, and resamples of all people.

    Attributes:
        pairs: Of everybody.
        judged: Which of them are judged, shape (n_pairs,); weights are estimated on the others.
        resamples: Of people.
    """

    pairs: Pairs
    judged: BoolArray
    resamples: Resamples

    def auc(self, scores: FloatArray) -> FloatArray:
        """Of the judged half, shape (1 + times,)."""
        n_users = self.resamples.weights.shape[1]
        users = self.pairs.users[self.judged]
        won = np.bincount(users, wins(scores[self.judged]), minlength=n_users).astype(np.float64)
        counts = np.bincount(users, minlength=n_users).astype(np.float64)
        return self.resamples.ratio(won, counts, np.ones(n_users, dtype=np.bool_))

    def weights(self, features: FloatArray, *, resampled: bool = False) -> FloatArray:
        """Of the half that is not judged, shape (1, n_features), or (1 + times, n_features) with its resamples."""
        resamples = self.resamples.weights if resampled else self.resamples.weights[:1]
        return choice_weights(features[~self.judged], self.pairs.users[~self.judged], resamples)


def _gain(
    neighbours: int,
    held_out: HeldOut,
    bench: _Bench,
    popular: FloatArray,
    tied: FloatArray,
    relabelled: list[FloatArray],
) -> Gain:
    known = np.column_stack([knn_differences(held_out.training, bench.pairs, neighbours), popular])
    without = bench.auc(known @ bench.weights(known)[0])
    features = np.column_stack([known, tied])
    weights = bench.weights(features, resampled=True)
    with_ties = bench.auc(features @ weights[0])
    placebos, placebo_weights = [], []
    for each in relabelled:
        features = np.column_stack([known, each])
        (found,) = bench.weights(features)
        placebos.append(bench.auc(features @ found) - without)
        placebo_weights.append(float(found[-1]))
    return Gain(
        neighbours,
        Figure.of(without, 0, 1),
        Figure.of(with_ties, 0, 1),
        Figure.of(with_ties - without),
        Figure.of(np.mean(placebos, axis=0)),
        Figure.of(weights[:, -1]),
        tuple(placebo_weights),
    )
