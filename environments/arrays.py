"""Types of the arrays that all packages share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
ItemArray = NDArray[np.int32]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
KindArray = NDArray[np.int8]

NO_ITEM = -1
"""Stands in an item array where a ranking ran out of items: the slot is not shown and not logged."""
