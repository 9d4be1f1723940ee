"""A column of stars, each told by its place on a scale."""

from __future__ import annotations

import math

import numpy as np

from groundlings.environments import levels
from groundlings.environments.arrays import FloatArray
from groundlings.environments.dataset import RatingScale
from groundlings.environments.datasets.columns import Column


def read_ratings(column: Column, scale: RatingScale, key: str) -> FloatArray:
    """Stars to the last bit as the scale has them, NaN for empty cells, shape (n_rows,).

    Args:
        column: As it stands in the file.
        scale: The stars that there are.
        key: What says so ("own.scale"), for the message.

    Raises:
        DataError: A cell is no rating on the scale.
    """
    values = scale.values
    wanted = f"a rating from {scale.low:g} to {scale.high:g} in steps of {scale.step:g} ({key}), or nothing"

    def stars(cell: str) -> float:
        if not cell:
            return math.nan
        try:
            value = float("" if "_" in cell else column.with_point(cell))  # Python takes 1_0 for ten
        except ValueError:
            raise ValueError(wanted) from None
        place = levels.place(values, value)
        if place < 0:
            raise ValueError(wanted)
        return values[place]

    return column.parsed(stars, np.float64)
