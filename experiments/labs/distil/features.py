"""What the student knows of a pair: behavioural features, popularity, and what texts say of item and history.

    evidence    the behavioural features of the taste model, and the share of items that fewer people have met, twice:
                as it is, and its distance from the middle, so that a dislike of both ends can be told
    text        the item's vector, the mean vector of the latest items of the history, and both multiplied number by
                number: then a linear map can tell whether they are alike, and in what

Text vectors are those of `recommenders.text_vectors`: weighted words, categories and years, reduced by an SVD. Columns
of evidence are scaled to spread 1 over the pairs that can be chosen; each block of text as a whole, so that all text
together weighs as much in the penalty as all evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.experiments.labs.fidelity.list_features import LATEST, Numbers
from groundlings.experiments.labs.fidelity.scenes import Scenes
from groundlings.personas.taste.co_occurrence import histories, weigh
from groundlings.personas.taste.features import FEATURES

KNOWN = (*FEATURES, "popularity rank", "popularity rank, from the middle")
"""Names of the evidence columns."""

BLOCKS = ("item", "history", "both")
"""Names of the text blocks."""


@dataclass(frozen=True)
class PairFeatures:
    """Measures the features of pairs.

    Attributes:
        vectors: Of items, from their texts, shape (n_items, width).
        less_known: Share of the items that fewer people have met, shape (n_items,).
    """

    vectors: FloatArray
    less_known: FloatArray

    @classmethod
    def of(cls, vectors: FloatArray, statistics: Interactions) -> PairFeatures:
        """For items with these text vectors, popularity counted on these rows."""
        counts = statistics.item_counts
        return cls(vectors, np.searchsorted(np.sort(counts), counts) / max(len(counts), 1))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns, in order."""
        numbers = range(self.vectors.shape[1])
        return (*KNOWN, *(f"{block} {number}" for block in BLOCKS for number in numbers))

    @property
    def of_text(self) -> BoolArray:
        """Which columns come from texts, shape (n_features,)."""
        return np.arange(len(self.names)) >= len(KNOWN)

    def scales(self, features: FloatArray) -> FloatArray:
        """What each column is multiplied by, shape (n_features,); 0 for a column that is the same everywhere.

        Args:
            features: Of the pairs that can be chosen, shape (n, n_features).
        """
        variances = features.var(axis=0)
        # A column of 1e-12 of the others' spread is a constant and its rounding.
        variances[variances < 1e-12] = 0.0
        blocks = variances[len(KNOWN) :].reshape(len(BLOCKS), -1)
        totals = blocks.sum(axis=1, keepdims=True) * len(BLOCKS) / len(KNOWN)
        variances[len(KNOWN) :] = np.where(blocks > 0, totals, 0.0).ravel()
        return np.divide(1, np.sqrt(variances), out=np.zeros(len(variances)), where=variances > 0)

    def measure(self, scenes: Scenes, measured: Mapping[str, Numbers]) -> FloatArray:
        """Features of each item of each scene, shape (n, width of lists, n_features), 0 where there is no item.

        Args:
            scenes: Whose items, and what each person had met before.
            measured: The behavioural features of the same items (`measure_scenes`).
        """
        listed = scenes.lists.listed
        items = np.where(listed, scenes.lists.items, 0)
        history = np.broadcast_to(self.histories(scenes.histories)[:, None, :], (*items.shape, self.vectors.shape[1]))
        found = self.of_pairs([measured[name] for name in FEATURES], items, history)
        return np.where(listed[..., None], found, 0.0)

    def histories(self, met: Interactions) -> FloatArray:
        """The mean vector of everybody's latest items, shape (n_users, width)."""
        users, items, age = histories(met)
        return np.asarray(weigh(users, items, (age < LATEST).astype(np.float64), met) @ self.vectors)

    def of_pairs(self, evidence: Sequence[Numbers], items: IntArray, history: FloatArray) -> FloatArray:
        """Features of pairs, shape (..., n_features).

        Args:
            evidence: Each of `FEATURES`, shape as `items`.
            items: Of the pairs, any shape.
            history: The mean vector of each pair's person, shape (..., width).
        """
        rank, item = self.less_known[items], self.vectors[items]
        known = [*(each.astype(np.float64) for each in evidence), rank, np.abs(2 * rank - 1)]
        return np.concatenate([np.stack(known, axis=-1), item, history, item * history], axis=-1)
