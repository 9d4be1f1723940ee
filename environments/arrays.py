"""Types of the arrays that all packages share."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
ItemArray = NDArray[np.int32]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
KindArray = NDArray[np.int8]

NO_ITEM = -1
"""Stands in an item array where a ranking ran out of items: the slot is not shown and not logged."""


def are_flags(array: object) -> bool:
    """Whether something is an array of True and False, or of the whole numbers 1 and 0 for them."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biu":
        return False
    return array.dtype.kind == "b" or bool(((array == 0) | (array == 1)).all())


def holds_any(flags: BoolArray) -> bool:
    """`flags.any()`; on the few cells of a language agent's page it takes a tenth of that."""
    return bool(np.count_nonzero(flags))


Kind = TypeVar("Kind", bound=np.generic)


def read_only(array: NDArray[Kind]) -> NDArray[Kind]:
    """A view that refuses to be written, for arrays that reach code of others: whoever shares them sees one content.

    Whoever holds the array itself can still write into it.
    """
    view = array.view()
    view.flags.writeable = False
    return view


def seal_arrays(value: Any, *names: str) -> None:
    """Put read-only views in the place of arrays that a frozen dataclass was made with; None stays None."""
    for name in names:
        array = getattr(value, name)
        if array is not None:
            object.__setattr__(value, name, read_only(array))
