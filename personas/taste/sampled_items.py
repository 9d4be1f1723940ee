"""What a sample of very many users says of items, measured once for evidence with and without the labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.interactions import Interactions
from groundlings.personas.taste.co_occurrence import WINDOW, histories
from groundlings.personas.taste.item_tables import ItemTables, measure_tables
from groundlings.personas.taste.left_over import left_over_of, rating_vectors
from groundlings.personas.taste.many_users import MANY, MOST_SAMPLED, sampled_users

MOST_NEAR = 60_000_000
"""Items near each other, from the view of either and of itself, that are looked at where users are very many."""


@dataclass(frozen=True, slots=True)
class SampledItems:
    """What is the same for everybody, and needs no more users to be known well.

    Attributes:
        tables: What items say of each other.
        rating_vectors: As of `rating_vectors`; None where nobody of the sample rated.
    """

    tables: ItemTables
    rating_vectors: FloatArray | None


def users_in_sample(rows: Interactions) -> BoolArray | None:
    """Whose histories say what items have in common, shape (n_users,); None where users are few, and all of them do."""
    lengths = np.diff(rows.matrix.indptr).astype(np.int64)
    if np.count_nonzero(lengths) <= MANY:
        return None
    return sampled_users(_near(lengths), MOST_NEAR, MANY, MOST_SAMPLED)


def measure_sampled(rows: Interactions, telling: Interactions | None = None) -> SampledItems:
    """What the sample says of items, and all users where they are few.

    Args:
        rows: What is known of users.
        telling: The rows that tell of items, where those of synthetic users do not; all if absent.
    """
    some, sampled = _of_sample(rows if telling is None else telling)
    tables = measure_tables(*histories(some.chosen().first_meetings()), rows.n_items, sampled=sampled)
    if telling is not None:
        some, sampled = _of_sample(rows)
    left = left_over_of(some)
    return SampledItems(tables, None if left is None else rating_vectors(left, quick=sampled))


def _of_sample(rows: Interactions) -> tuple[Interactions, bool]:
    """The rows of the sample, its users numbered anew, and whether some are left out."""
    sample = users_in_sample(rows)
    if sample is None:
        return rows, False
    some = rows.take(sample[rows.users])
    return replace(some, users=(np.cumsum(sample) - 1)[some.users], n_users=int(np.count_nonzero(sample))), True


def _near(lengths: IntArray) -> IntArray:
    """How many items of histories lie near each of their items, itself included, summed, shape (n_users,)."""
    begun = np.minimum(lengths, WINDOW + 1)
    before = begun * (begun - 1) // 2 + (lengths - begun) * WINDOW
    return 2 * before + lengths
