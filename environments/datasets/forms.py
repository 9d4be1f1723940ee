"""What the fields of a data set have to be before anybody reads them, in words where they are something else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.errors import shown
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People

_MOST_STEPS = 1000
_LATEST_SECONDS = 10**11  # the year 5138


def of_forms(dataset: Dataset) -> list[str]:
    """What is of another type than it has to be, or of a value that nothing can be made of."""
    found = list(_of_fields(dataset))
    return found or [
        *_of_scale(dataset.scale),
        *_of_texts(dataset.people, dataset.catalog),
        *_of_times(dataset.interactions),
    ]


def _of_fields(dataset: Dataset) -> Iterator[str]:
    expected: list[tuple[str, type]] = [
        *((name, str) for name in ("name", "source", "licence")),
        ("catalog", Catalog),
        ("people", People),
        ("interactions", Interactions),
        ("scale", RatingScale),
        ("times_known", bool),
    ]
    for name, kind in expected:
        value = getattr(dataset, name)
        if not isinstance(value, kind):
            yield f"{name} is {shown(value)}, expected {'text' if kind is str else f'a {kind.__name__}'}"


def _of_scale(scale: Any) -> Iterator[str]:
    ends = (scale.low, scale.high, scale.step)
    if not all(isinstance(end, int | float) and math.isfinite(end) for end in ends) or not (
        scale.step > 0 and 1 <= (scale.high - scale.low) / scale.step <= _MOST_STEPS
    ):
        yield (
            f"the scale is {shown(scale)}; expected numbers, high a whole number of steps (1 to {_MOST_STEPS:,}) above "
            "low"
        )


def _of_texts(people: Any, catalog: Catalog) -> Iterator[str]:
    named = [(key, value) for each in people.attributes if isinstance(each, dict) for key, value in each.items()]
    if no_mapping := [each for each in people.attributes if not isinstance(each, dict)]:
        yield f"a user's attributes are {shown(no_mapping[0])}, expected a mapping"
    groups: list[tuple[str, Iterable[object]]] = [
        ("a user's id", people.user_ids),
        ("an attribute's name", (key for key, _ in named)),
        ("an attribute's value", (value for _, value in named)),
        ("an item's id", catalog.item_ids),
        ("an item's title", catalog.titles),
        ("a genre", (genre for genres in catalog.genres for genre in genres)),
        ("an item's text", (text for text in catalog.texts if text is not None)),
    ]
    for what, values in groups:
        if (wrong := next((value for value in values if not _is_storable(value)), None)) is not None:
            yield f"{what} is {shown(wrong)}, expected text that UTF-8 can hold"


def _is_storable(value: object) -> bool:
    """Whether something is text that a file can hold: a lone surrogate stands for a byte that nobody could read."""
    if not isinstance(value, str):
        return False
    return value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)


def _of_times(history: Interactions) -> Iterator[str]:
    if len(history) and np.abs(history.timestamps).max() // history.ticks_per_second >= _LATEST_SECONDS:
        yield "a time lies beyond the year 5138: milliseconds? Say so in ticks_per_second"
