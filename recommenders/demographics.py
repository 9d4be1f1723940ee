"""What users said of themselves as columns of 0 and 1, for recommenders that a real system could give it to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.errors import ConfigError
from groundlings.environments.people import People

MOST_VALUES = 20
"""An attribute with more values than this (a postcode, a year of birth) makes no groups, unless it is asked for."""


@dataclass(frozen=True)
class Groups:
    """The groups that users belong to.

    Attributes:
        names: Attribute and value of each group, sorted.
        members: 1.0 for each user in a group, shape (n_users, n_groups).
    """

    names: tuple[tuple[str, str], ...]
    members: sp.csr_array


def check_attributes(people: People | None, attributes: Sequence[str] | None) -> None:
    """Raise `ConfigError` where an attribute is asked for that no user has."""
    has = {name for each in (() if people is None else people.attributes) for name in each}
    missing = sorted(set(attributes or ()) - has)
    if missing:
        raise ConfigError(
            f"attributes: found {', '.join(missing)}, expected attributes of the users; "
            f"they have: {', '.join(sorted(has)) or 'none'}"
        )


def groups_of(people: People | None, n_users: int, attributes: Sequence[str] | None = None) -> Groups:
    """Groups of users who gave the same value of an attribute; users who gave none belong to none.

    Args:
        people: The users, None where nothing is known of them.
        n_users: How many users there are.
        attributes: Which attributes; all with at most `MOST_VALUES` values if None.
    """
    known = () if people is None else people.attributes
    values: dict[str, set[str]] = {}
    for each in known:
        for name, value in each.items():
            values.setdefault(name, set()).add(value)
    used = [name for name in sorted(values) if _is_used(name, len(values[name]), attributes)]
    names = tuple((name, value) for name in used for value in sorted(values[name]))
    column = {each: number for number, each in enumerate(names)}
    pairs = [(row, column[pair]) for row, each in enumerate(known) for pair in each.items() if pair in column]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Groups(names, sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n_users, len(names))))


def _is_used(name: str, n_values: int, attributes: Sequence[str] | None) -> bool:
    return n_values <= MOST_VALUES if attributes is None else name in attributes
