"""Users of a data set whom nobody was: they have a history, and no real person behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from groundlings.environments.arrays import IntArray, seal_arrays

if TYPE_CHECKING:
    from groundlings.environments.dataset import Dataset

Method = Literal["resample", "copula"]
"""How they are drawn (`groundlings.personas.synthesis.synthesize`)."""


@dataclass(frozen=True)
class SyntheticUsers:
    """The last users of a data set; the others are real.

    Attributes:
        real: The data set without them.
        made_from: Row numbers of the real users whose histories each one's is made from, the first of them gave most,
            shape (n, n_donors).
        attributes_from: The real user whose attributes each one has, shape (n,).
        recipe: How they were made, with its version and seed, in one line.
    """

    real: Dataset
    made_from: IntArray
    attributes_from: IntArray
    recipe: str

    def __post_init__(self) -> None:
        seal_arrays(self, "made_from", "attributes_from")

    def __len__(self) -> int:
        return len(self.made_from)

    @property
    def first(self) -> int:
        """Row number of the first one: as many real users come before."""
        return len(self.real.people)

    @property
    def users(self) -> IntArray:
        """Their row numbers in the data set, ascending, shape (n,)."""
        return np.arange(self.first, self.first + len(self), dtype=np.int64)
