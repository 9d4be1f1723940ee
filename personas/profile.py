"""What a training history says of each person: rating style, social traits, tastes, examples.

The traits are those of Agent4Rec (Zhang, Chen, Sheng, Wang and Chua 2024, "On generative agents in
recommendation", SIGIR, section 3.1.1), with y_ui = 1 where person u met item i, r_ui the stars given,
r_i the mean stars of the item and G_i its genres:

    activity     T_act  = sum_i y_ui
    conformity   T_conf = mean over rated i of (r_ui - r_i)^2
    diversity    T_div  = | union of G_i over met i |

Everything is measured on the rows handed in, which must be the training part of a history.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import RatingScale
from groundlings.environments.interactions import Interactions
from groundlings.personas.persona import Level, RatingStyle, Trait, Traits

LEVELS: Final[tuple[Level, Level, Level]] = ("low", "medium", "high")

GENRE_PRIOR = 5.0
"""Strength of the belief that a person's taste for a genre is average, in items of that genre.

With n_ug items of genre g among n_u, and p_g the genre's share among everybody's items, the lift is the
posterior mean (n_ug + GENRE_PRIOR) / (n_u p_g + GENRE_PRIOR) of a Poisson rate under a gamma prior of mean 1:
a genre that hardly anybody meets says little about a person who has not met it.
"""

_PEOPLE_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Profiles:
    """Measurements of all people, one row per user; people without a training row hold zeros and NaN.

    Attributes:
        activity: Items met, shape (n_users,).
        conformity: Mean squared distance of the person's stars from the items' means, shape (n_users,), NaN
            without a rating. A small value means that the person agrees with the others.
        diversity: Genres met, shape (n_users,).
        ratings: Stars given, shape (n_users,).
        mean, spread: Of the stars given, shape (n_users,), NaN where `RatingStyle` has None.
        star_counts: How often each star value was given, shape (n_users, n_stars), columns as in `scale.values`.
        genres_met: Items met that carry each genre, shape (n_users, n_genres), columns as in `Catalog.genre_names`.
        genre_shares: The same of everybody's items, per item met, shape (n_genres,).
        activity_level, conformity_level, diversity_level: Index into `LEVELS`, shape (n_users,), -1 = unknown.
            The thirds are those of all people with a training row. High conformity is a *small* distance.
        activity_compares, diversity_compares: `Trait.compares`, shape (n_users,).
        scale: The stars in use.
    """

    activity: IntArray
    conformity: FloatArray
    diversity: IntArray
    ratings: IntArray
    mean: FloatArray
    spread: FloatArray
    star_counts: NDArray[np.int32]
    genres_met: NDArray[np.int32]
    genre_shares: FloatArray
    activity_level: NDArray[np.int8]
    conformity_level: NDArray[np.int8]
    diversity_level: NDArray[np.int8]
    activity_compares: NDArray[np.bool_]
    diversity_compares: NDArray[np.bool_]
    scale: RatingScale

    @cached_property
    def _star_values(self) -> tuple[float, ...]:
        return self.scale.values

    def genre_lifts(self, users: slice | IntArray) -> FloatArray:
        """(Share among a person's items) / (share among everybody's), smoothed by `GENRE_PRIOR`.

        Args:
            users: Of whom, n of them.

        Returns:
            Shape (n, n_genres), columns as in `Catalog.genre_names`; NaN for a genre nobody met.
        """
        return _lifts(self.genres_met[users], self.activity[users], self.genre_shares)

    def style(self, user: int) -> RatingStyle:
        """How one person uses the stars."""
        given = int(self.ratings[user])
        if given == 0:
            return RatingStyle(mean=None, spread=None, shares={}, ratings=0)
        counts = self.star_counts[user].tolist()
        shares = {stars: count / given for stars, count in zip(self._star_values, counts, strict=True)}
        spread = None if given < 2 else float(self.spread[user])
        return RatingStyle(mean=float(self.mean[user]), spread=spread, shares=shares, ratings=given)

    def traits(self, user: int) -> Traits:
        """The social traits of one person."""
        conforms = not np.isnan(self.conformity[user])
        return Traits(
            activity=_trait(self.activity[user], self.activity_level[user], self.activity_compares[user]),
            conformity=_trait(self.conformity[user], self.conformity_level[user]) if conforms else None,
            diversity=_trait(self.diversity[user], self.diversity_level[user], self.diversity_compares[user]),
        )


def measure_profiles(train: Interactions, catalog: Catalog, scale: RatingScale) -> Profiles:
    """Measure everybody in a training history."""
    met = train.matrix
    activity = np.diff(met.indptr).astype(np.int64)
    present = activity > 0
    genres_met = _genres_met(train, catalog)
    diversity = np.count_nonzero(genres_met, axis=1).astype(np.int64)

    rated = train.take(~np.isnan(train.ratings))
    ratings = np.bincount(rated.users, minlength=train.n_users).astype(np.int64)
    mean = _mean_of(rated.users, rated.ratings, train.n_users)
    item_mean = _mean_of(rated.items, rated.ratings, train.n_items)
    spread = np.sqrt(_mean_of(rated.users, (rated.ratings - mean[rated.users]) ** 2, train.n_users))
    conformity = _mean_of(rated.users, (rated.ratings - item_mean[rated.items]) ** 2, train.n_users)

    activity_level = _thirds(activity.astype(np.float64), present)
    diversity_level = _thirds(diversity.astype(np.float64), present)
    # Distance from the others falls as conformity rises, so the thirds are taken of its negative.
    return Profiles(
        activity=activity,
        conformity=conformity,
        diversity=diversity,
        ratings=ratings,
        mean=mean,
        spread=np.where(ratings > 1, spread, np.nan),
        star_counts=count_stars(rated, scale).astype(np.int32),
        genres_met=genres_met,
        genre_shares=_shares(genres_met, activity),
        activity_level=activity_level,
        conformity_level=_thirds(-conformity, ratings > 0),
        diversity_level=diversity_level,
        activity_compares=_compares(activity, activity_level, present),
        diversity_compares=_compares(diversity, diversity_level, present),
        scale=scale,
    )


def measure_genre_lifts(train: Interactions, catalog: Catalog) -> FloatArray:
    """`Profiles.genre_lifts` of everybody, shape (n_users, n_genres)."""
    genres_met, activity = _genres_met(train, catalog), np.diff(train.matrix.indptr).astype(np.int64)
    return _lifts(genres_met, activity, _shares(genres_met, activity))


def star_columns(ratings: FloatArray, scale: RatingScale) -> IntArray:
    """The column of `scale.values` that each rating stands in, shape as given."""
    return np.rint((ratings - scale.low) / scale.step).astype(np.int64)


def count_stars(rated: Interactions, scale: RatingScale) -> IntArray:
    """How often each person gave each star value, shape (n_users, n_stars); every row must be rated."""
    width = len(scale.values)
    cells = rated.users * width + star_columns(rated.ratings, scale)
    return np.bincount(cells, minlength=rated.n_users * width).reshape(rated.n_users, width).astype(np.int64)


def _mean_of(groups: NDArray[np.integer], values: FloatArray, n_groups: int) -> FloatArray:
    """Mean of the values of each group, shape (n_groups,), NaN for an empty one."""
    counts = np.bincount(groups, minlength=n_groups)
    sums = np.bincount(groups, values, minlength=n_groups)
    return np.divide(sums, counts, out=np.full(n_groups, np.nan), where=counts > 0)


def _genres_met(train: Interactions, catalog: Catalog) -> NDArray[np.int32]:
    """`Profiles.genres_met`, counted for some people at a time: as floats it is twice as large."""
    met, genres = train.matrix, catalog.genre_matrix.astype(np.float64)
    found = np.empty((train.n_users, genres.shape[1]), dtype=np.int32)
    for start in range(0, train.n_users, _PEOPLE_AT_ONCE):
        found[start : start + _PEOPLE_AT_ONCE] = met[start : start + _PEOPLE_AT_ONCE] @ genres
    return found


def _shares(genres_met: NDArray[np.int32], activity: IntArray) -> FloatArray:
    """`Profiles.genre_shares`."""
    return genres_met.sum(axis=0, dtype=np.int64) / max(int(activity.sum()), 1)


def _lifts(genres_met: NDArray[np.int32], activity: IntArray, everybody: FloatArray) -> FloatArray:
    """Smoothed lifts, shape (n, n_genres), from how many of a person's items carry each genre."""
    lifts = (genres_met + GENRE_PRIOR) / (activity[:, None] * everybody + GENRE_PRIOR)
    return np.where(everybody > 0, lifts, np.nan)


def _thirds(values: FloatArray, known: NDArray[np.bool_]) -> NDArray[np.int8]:
    """0, 1, 2 for the lower, middle and upper third, -1 where unknown; equal values stay together."""
    levels = np.full(len(values), -1, dtype=np.int8)
    if known.any():
        cuts = np.quantile(values[known], [1 / 3, 2 / 3])
        levels[known] = np.searchsorted(cuts, values[known], side="left")
    return levels


def _compares(values: IntArray, levels: NDArray[np.int8], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`Trait.compares` of everybody; False where unknown."""
    ordered = np.sort(values[known])
    less = np.searchsorted(ordered, values, side="left")
    more = len(ordered) - np.searchsorted(ordered, values, side="right")
    half = len(ordered) / 2
    most_are_tied = len(ordered) > 0 and np.unique(ordered, return_counts=True)[1].max() > half
    return known & np.select([levels == 0, levels == 2], [more > half, less > half], not most_are_tied)


def _trait(value: float, level: int, compares: bool = True) -> Trait:
    return Trait(float(value), LEVELS[level], bool(compares))
