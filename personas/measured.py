"""What was measured of many people at once, column by column, without a `Persona` of each.

A persona in full is some two kilobytes of JSON and takes a tenth of a millisecond to make. What is told here of a
person takes some sixty bytes and some microseconds: the numbers that figures, segments and exports read. Lists of
items, the lifts of categories and the description are made by `Population.persona`, from the same training rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.population import Population
from groundlings.personas.profile import Profiles


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPersonas:
    """One entry per person in each column.

    Attributes:
        user_ids: The data set's own ids.
        demographics: As the data set gives them.
        history_length: Training interactions, shape (n,).
        activity, diversity: `Traits`, shape (n,).
        conformity: `Traits`, shape (n,), NaN without a rating.
        activity_level, diversity_level, conformity_level: Index into `profile.LEVELS`, shape (n,), -1 = unknown.
        ratings: Ratings given, shape (n,).
        rating_sum: Of them, shape (n,).
        rating_spread: Their standard deviation, shape (n,), NaN with fewer than two.
        favourites: The category with the highest lift, the first by name of several; None where there is none.
    """

    user_ids: Sequence[str]
    demographics: Sequence[Mapping[str, str]]
    history_length: IntArray
    activity: IntArray
    activity_level: NDArray[np.int8]
    diversity: IntArray
    diversity_level: NDArray[np.int8]
    conformity: FloatArray
    conformity_level: NDArray[np.int8]
    ratings: IntArray
    rating_sum: FloatArray
    rating_spread: FloatArray
    favourites: Sequence[str | None]


def measured_personas(population: Population, first: int, last: int) -> MeasuredPersonas:
    """The people in the rows `first` to `last - 1` of a population."""
    users, profiles = population.users[first:last], population.profiles
    rows = users.tolist()
    stars = np.array(profiles.scale.values, dtype=np.float64)
    return MeasuredPersonas(
        user_ids=[population.people.user_ids[user] for user in rows],
        demographics=[population.people.attributes[user] for user in rows],
        history_length=population.history_lengths[users],
        activity=profiles.activity[users],
        activity_level=profiles.activity_level[users],
        diversity=profiles.diversity[users],
        diversity_level=profiles.diversity_level[users],
        conformity=profiles.conformity[users],
        conformity_level=profiles.conformity_level[users],
        ratings=profiles.ratings[users],
        rating_sum=profiles.star_counts[users] @ stars,
        rating_spread=profiles.spread[users],
        favourites=_favourites(profiles, users, population.catalog.genre_names),
    )


def _favourites(profiles: Profiles, users: IntArray, genres: Sequence[str]) -> list[str | None]:
    if not genres:
        return [None] * len(users)
    order = sorted(range(len(genres)), key=lambda column: genres[column])
    lifts = np.nan_to_num(profiles.genre_lifts(users)[:, order], nan=-1.0)
    best = np.argmax(lifts, axis=1)
    known = lifts[np.arange(len(users)), best] > 0
    names: list[str | None] = [*(genres[column] for column in order), None]
    return [names[place] for place in np.where(known, best, len(order)).tolist()]
