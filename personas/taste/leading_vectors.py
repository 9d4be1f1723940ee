"""Leading eigenvectors of a large symmetric matrix, by products with a few vectors at a time.

Block power iteration with a few vectors more than wanted, then Rayleigh and Ritz on what they span (Halko, Martinsson
and Tropp 2011, "Finding structure with randomness", SIAM Review 53(2), section 4.4). The start is fixed, so the same
matrix gives the same vectors wherever a product is computed alike.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

ROUNDS = 6
"""Products before the last one: a vector whose eigenvalue is half the smallest wanted one keeps 1/64 of its part."""

QUICK_ROUNDS = 3
"""The same where the matrix itself is a sample's."""

_SPARE = 32

Columns = NDArray[np.floating]


def leading_eigenvectors(
    multiply: Callable[[Columns], Columns], n: int, size: int, *, quick: bool = False
) -> tuple[Columns, Columns]:
    """The largest eigenvalues, descending, and their vectors, shapes (size,) and (n, size).

    Args:
        multiply: The matrix times some columns, shape (n, k) to shape (n, k).
        n: Rows of the matrix.
        size: How many are wanted, at most n.
        quick: In single precision, and with fewer rounds.
    """
    width = min(size + _SPARE, n)
    basis: Columns = np.random.default_rng(0).standard_normal((n, width))
    if quick:
        basis = basis.astype(np.float32)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    for _ in range(rounds if width < n else 1):
        basis = np.linalg.qr(multiply(basis))[0]
    small = basis.T @ multiply(basis)
    values, turned = scipy.linalg.eigh((small + small.T) / 2)
    leading = np.argsort(-values)[:size]
    return values[leading], basis @ turned[:, leading]
