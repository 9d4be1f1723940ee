"""What every data set has to keep, whoever loaded it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from groundlings.environments import levels
from groundlings.environments.dataset import HELD_OUT, LEFT_OUT, TRAINING, Dataset
from groundlings.environments.datasets.forms import of_forms
from groundlings.environments.errors import DataError, shown


def check_dataset(dataset: Dataset, where: str) -> None:
    """Return if every other room can rely on a data set.

    Args:
        dataset: As a loader returned it.
        where: What it is called in messages.

    Raises:
        DataError: It breaks a rule; the message names all that it breaks.
    """
    found = problems(dataset)
    if found:
        raise DataError(f"{where}: {'; '.join(found)}. Mend its loader (docs/own-dataset.md)")


def problems(dataset: Dataset) -> list[str]:
    """The rules that a data set breaks, in words."""
    return of_forms(dataset) or [*of_people(dataset), *of_items(dataset), *of_history(dataset)]


def of_people(dataset: Dataset) -> list[str]:
    """Rules of users that are broken, in words."""
    people, found = dataset.people, []
    if len(set(people.user_ids)) != len(people.user_ids):
        found.append(f"user id {shown(_repeated(people.user_ids))} appears more than once")
    if len(people.attributes) != len(people.user_ids):
        found.append(f"{len(people.user_ids)} user ids, but attributes of {len(people.attributes)} users")
    if len(people) != dataset.interactions.n_users:
        found.append(f"{len(people)} users, but interactions.n_users is {dataset.interactions.n_users}")
    if not all(people.user_ids):
        found.append("a user id is empty")
    return found


def of_items(dataset: Dataset) -> list[str]:
    """Rules of items that are broken, and of the licence."""
    catalog, found = dataset.catalog, []
    if len(catalog) != dataset.interactions.n_items:
        found.append(f"{len(catalog)} items, but interactions.n_items is {dataset.interactions.n_items}")
    if not all(catalog.item_ids) or not all(catalog.titles):
        found.append("an item's id or title is empty")
    if not dataset.licence.strip():
        found.append("the licence says nothing")
    return found


def of_history(dataset: Dataset) -> list[str]:
    """Rules of interactions that are broken."""
    history, found = dataset.interactions, []
    if not len(history):
        return ["there are no interactions"]
    if history.synthetic.any():
        found.append("some interactions are marked as simulated; a data set holds what real people did")
    scale, given = dataset.scale, history.ratings[~np.isnan(history.ratings)]
    off = given[levels.places(scale.values, given) < 0]
    if len(off):
        found.append(f"a rating is {off[0]:g}, which is not on the scale {scale}; NaN means not rated")
    found += of_parts(dataset)
    columns: list[np.ndarray] = [history.timestamps, history.users, history.items]
    if not np.array_equal(np.lexsort((history.users, history.timestamps)), np.arange(len(history))):
        found.append("rows are not in the order of time and user; return history.chronological()")
    if dataset.parts is not None and len(dataset.parts) == len(history):
        columns.append(dataset.parts)
    order = np.lexsort(columns)
    if np.logical_and.reduce([column[order][1:] == column[order][:-1] for column in columns]).any():
        found.append("somebody met an item twice at the same moment")
    return found


def of_parts(dataset: Dataset) -> list[str]:
    """Rules of times that are not known, and of a split that came with the data, that are broken."""
    found, parts = [], dataset.parts
    if not dataset.times_known and dataset.interactions.timestamps.any():
        found.append("times_known is False, but interactions have times; leave them 0")
    if parts is None:
        return found
    if len(parts) != len(dataset.interactions):
        return [*found, f"{len(dataset.interactions)} interactions, but parts of {len(parts)}"]
    missing = [name for name, part in (("training", TRAINING), ("held-out", HELD_OUT)) if not (parts == part).any()]
    if missing:
        found.append(f"parts: no interaction is in the {' or the '.join(missing)} part")
    if not np.isin(parts, (TRAINING, HELD_OUT, LEFT_OUT)).all():
        found.append(f"parts: expected {TRAINING} (training), {HELD_OUT} (held out) or {LEFT_OUT} (left out)")
    return found


def _repeated(ids: tuple[str, ...]) -> str:
    return Counter(ids).most_common(1)[0][0]
