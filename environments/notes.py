"""What a recommender says of listed items: a line per slot, shown in the place of the catalogue's own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray

NOTE = "note"
"""Name of the shown lines in `groundlings.environments.page.Page.further`."""

UNSAID = -1
"""In `Notes.fitting`: the item is shown in the catalogue's own words."""

Cells = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Notes:
    """Lines for the slots of lists or pages, shape (n, size) each.

    Attributes:
        originals: What the catalogue says of the item, which the line stands for; None for an empty slot.
        shown: The line; None where the item is shown in the catalogue's own words.
        fitting: How many facts in the line fit the keywords that it was chosen by; `UNSAID` where there is none.
    """

    originals: NDArray[np.object_]
    shown: NDArray[np.object_]
    fitting: IntArray

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Notes:
        """Notes that say nothing."""
        return cls(np.full(shape, None), np.full(shape, None), np.full(shape, UNSAID, dtype=np.int64))

    def each(self, change: Callable[[Cells, Any], Cells]) -> Notes:
        """The same change to every column.

        Args:
            change: Is given a column and what stands in it where nothing is said.
        """
        return Notes(change(self.originals, None), change(self.shown, None), change(self.fitting, UNSAID))

    def put(self, notes: Notes, rows: IntArray, slots: slice) -> None:
        """Put the notes of lists into some rows, in place, from a slot on."""
        self.originals[rows, slots] = notes.originals
        self.shown[rows, slots] = notes.shown
        self.fitting[rows, slots] = notes.fitting

    def check(self, shape: Sequence[int]) -> None:
        """Raise ValueError where they do not belong to lists of a shape, or a line is no text."""
        for name in ("originals", "shown", "fitting"):
            column: object = getattr(self, name)
            if not isinstance(column, np.ndarray) or column.shape != tuple(shape):
                raise ValueError(f"ranking.notes.{name} has another shape than ranking.items {tuple(shape)}")
        lines = [*self.originals.ravel().tolist(), *self.shown.ravel().tolist()]
        if not all(line is None or isinstance(line, str) for line in lines):
            raise ValueError("ranking.notes holds a line that is no text; expected texts and None")
        if ((self.fitting == UNSAID) != (self.shown == None)).any():  # noqa: E711 - cell by cell
            raise ValueError(f"ranking.notes.fitting must be {UNSAID} where nothing is said, and nowhere else")
