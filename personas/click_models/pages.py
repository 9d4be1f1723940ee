"""Pages of results with the clicks that they got: what click models are fitted to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray, seal_arrays


@dataclass(frozen=True, slots=True)
class ResultPages:
    """One row per page, ranks from the top; shorter pages end with `NO_ITEM`.

    Attributes:
        documents: Numbers of the results from 0 on, shape (n_pages, depth).
        clicks: Which of them were clicked, in whatever order, shape (n_pages, depth).
        features: What is known of each result on its page, shape (n_pages, depth, n_features); None without.
        weights: How much each page counts in a fit, shape (n_pages,); all alike if absent.
    """

    documents: IntArray
    clicks: BoolArray
    features: FloatArray | None = None
    weights: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.documents.ndim != 2 or self.documents.shape != self.clicks.shape:
            raise ValueError(
                f"documents and clicks: found shapes {self.documents.shape} and {self.clicks.shape}; expected one "
                "shape (n_pages, depth)"
            )
        if self.features is not None and self.features.shape[:2] != self.documents.shape:
            raise ValueError(f"features: found shape {self.features.shape}; expected (n_pages, depth, n_features)")
        if (self.shown[:, 1:] & ~self.shown[:, :-1]).any():
            raise ValueError("documents: found a result below an empty rank; expected empty ranks at the end")
        if (self.clicks & ~self.shown).any():
            raise ValueError("clicks: found a click on an empty rank")
        seal_arrays(self, "documents", "clicks", "features", "weights")

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def depth(self) -> int:
        """Ranks of the longest page."""
        return self.documents.shape[1]

    @property
    def shown(self) -> BoolArray:
        """Where a page has a result, shape (n_pages, depth)."""
        return self.documents != NO_ITEM

    def counted(self, what: FloatArray | BoolArray) -> FloatArray:
        """Something of each slot times how much its page counts, shape (n_pages, depth)."""
        return what.astype(np.float64) if self.weights is None else what * self.weights[:, None]

    def take(self, rows: IntArray | BoolArray) -> ResultPages:
        """Some pages, in the order given."""
        features = None if self.features is None else self.features[rows]
        weights = None if self.weights is None else self.weights[rows]
        return ResultPages(self.documents[rows], self.clicks[rows], features, weights)

    def with_unclicked(self, weights: FloatArray) -> ResultPages:
        """The pages, and each again without a click, counting as much as stated, shape (n_pages,)."""
        return ResultPages(
            np.concatenate([self.documents, self.documents]),
            np.concatenate([self.clicks, np.zeros_like(self.clicks)]),
            None if self.features is None else np.concatenate([self.features, self.features]),
            np.concatenate([np.ones(len(self)), weights]),
        )

    def clicked(self, clicks: BoolArray) -> ResultPages:
        """The same pages with other clicks."""
        return replace(self, clicks=clicks)

    def last_click(self) -> IntArray:
        """Rank of the lowest click from 0 on, shape (n_pages,); -1 on a page without one."""
        lowest = self.depth - 1 - np.argmax(self.clicks[:, ::-1], axis=1)
        return np.where(self.clicks.any(axis=1), lowest, -1)
