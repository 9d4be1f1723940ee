"""How ties move each other's opinions, day by day.

An agent's *opinion* is how its interest is divided over the categories of the catalog: the share of each among what it
liked, an item of several categories counting for each in equal parts. The shares of an agent sum to 1. An agent of whom
no like of an item with a category is known has no opinion: it says nothing, hears nothing, and counts in no mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.interactions import Interactions
from groundlings.environments.ties import Ties
from groundlings.personas.population import Population
from groundlings.personas.social.opinion_options import BoundedConfidence, DeGroot, FriedkinJohnsen
from groundlings.personas.social.options import SocialOptions, TiesOptions
from groundlings.personas.social.word_of_mouth import WordOfMouth

_TIES_AT_ONCE = 200_000
"""Ties whose two opinions are compared at a time; bounds the memory."""


def interests(liked: Interactions, membership: FloatArray) -> FloatArray:
    """How each user's likes are divided over categories, shape (n_users, n_categories); NaN where there are none.

    Args:
        liked: What was liked; nothing else.
        membership: Share of each category in each item, shape (n_items, n_categories); a row sums to 1, or to 0 for an
            item without a category, which counts for nothing.
    """
    cells = liked.users, liked.items
    met = sp.csr_array((np.ones(len(liked)), cells), shape=(liked.n_users, liked.n_items))
    counts: FloatArray = np.asarray(met @ membership)
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0))


class Opinions(ABC):
    """The opinions of the agents of one arm.

    Attributes:
        first: The first opinion of each user, NaN where it has none, shape (n_users, n_categories).
        now: The present one, likewise.

    Args:
        first: The first opinions; a user who is no agent has none.
        membership: As in `interests`.
        ties: Who hears whom.
        experience: How far a day of likes moves an opinion.
    """

    def __init__(self, first: FloatArray, membership: FloatArray, ties: Ties, experience: float) -> None:
        self.first, self.now = first, first.copy()
        self._membership = membership
        self._ties = ties
        self._experience = experience

    @property
    def known(self) -> BoolArray:
        """Who has an opinion, shape (n_users,)."""
        return np.asarray(~np.isnan(self.now).any(axis=1))

    def notice(self, liked: Interactions) -> None:
        """Take note of what was liked on a day, then let ties hear each other."""
        if self._experience and len(liked):
            self._live(interests(liked, self._membership))
        known = self.known
        if known.any():
            self.now[known] = self._heard(known)[known]

    def _live(self, today: FloatArray) -> None:
        """Move opinions to what was liked; whoever had none has this one from now on."""
        known, liked = self.known, ~np.isnan(today[:, 0])
        begins, moves = liked & ~known, liked & known
        self.first[begins] = self.now[begins] = today[begins]
        self.now[moves] += self._experience * (today[moves] - self.now[moves])

    @abstractmethod
    def _heard(self, known: BoolArray) -> FloatArray:
        """The opinions of the next day, shape as `now`; rows of those without one may hold anything."""

    def _mean_of_ties(self, known: BoolArray) -> FloatArray:
        """The mean opinion of each user's ties who have one, else the user's own, shape as `now`."""
        told = np.where(known[:, None], self.now, 0.0)
        sums = self._ties.graph @ np.column_stack([told, known])
        heard = sums[:, -1:] > 0
        return np.divide(sums[:, :-1], sums[:, -1:], out=self.now.copy(), where=heard)

    def change(self, users: IntArray, items: NDArray[np.integer]) -> FloatArray:
        """By how much the categories of items have gained in opinions since the first, shape as `items`.

        Args:
            users: Whose, shape (n,).
            items: One row per user, shape (n, m).

        Returns:
            -1 to 1; 0 for whoever has no opinion and for items without a category.
        """
        gained = np.nan_to_num(self.now[users] - self.first[users])
        return np.asarray(np.einsum("ug,umg->um", gained, self._membership[items]))


class DeGrootOpinions(Opinions):
    """See `DeGroot`."""

    def __init__(
        self, options: DeGroot | FriedkinJohnsen, first: FloatArray, membership: FloatArray, ties: Ties
    ) -> None:
        super().__init__(first, membership, ties, options.experience)
        self._trust = options.trust

    def _heard(self, known: BoolArray) -> FloatArray:
        return np.asarray((1 - self._trust) * self.now + self._trust * self._mean_of_ties(known))


class FriedkinJohnsenOpinions(DeGrootOpinions):
    """See `FriedkinJohnsen`."""

    def __init__(self, options: FriedkinJohnsen, first: FloatArray, membership: FloatArray, ties: Ties) -> None:
        super().__init__(options, first, membership, ties)
        self._susceptibility = options.susceptibility

    def _heard(self, known: BoolArray) -> FloatArray:
        return np.asarray(self._susceptibility * super()._heard(known) + (1 - self._susceptibility) * self.first)


class BoundedConfidenceOpinions(Opinions):
    """See `BoundedConfidence`."""

    def __init__(self, options: BoundedConfidence, first: FloatArray, membership: FloatArray, ties: Ties) -> None:
        super().__init__(first, membership, ties, options.experience)
        self._confidence = options.confidence
        rows, columns = ties.graph.nonzero()
        self._pairs = rows.astype(np.int64), columns.astype(np.int64)

    def _heard(self, known: BoolArray) -> FloatArray:
        sums, counts = self.now.copy(), np.ones(len(self.now))  # an agent listens to itself
        hearers, tellers = (each[known[self._pairs[0]] & known[self._pairs[1]]] for each in self._pairs)
        for start in range(0, len(hearers), _TIES_AT_ONCE):
            some = slice(start, start + _TIES_AT_ONCE)
            hearer, teller = hearers[some], tellers[some]
            near = np.abs(self.now[hearer] - self.now[teller]).sum(axis=1) / 2 <= self._confidence
            chosen = sp.csr_array(
                (np.ones(int(near.sum())), (hearer[near], teller[near])), shape=self._ties.graph.shape
            )
            sums[known] += (chosen @ np.nan_to_num(self.now))[known]
            counts += np.asarray(chosen.sum(axis=1)).ravel()
        return np.asarray(sums / counts[:, None])


def opinions_of(options: TiesOptions | None, ties: Ties, heard: WordOfMouth, population: Population) -> Opinions | None:
    """Everybody's opinions before the first day; None where the options say nothing of opinions.

    Args:
        options: What the experiment file says.
        ties: Over which opinions move.
        heard: Says what counts as a like.
        population: Who the agents are.

    Raises:
        ConfigError: The catalog has no categories.
    """
    model = options.opinions if isinstance(options, SocialOptions) else None
    if model is None:
        return None
    if not population.catalog.genre_names:
        raise ConfigError(
            "mind.social.opinions: opinions are about categories of items, and the catalogue has none; name a column "
            "of categories in the data set, or take mind.social.opinions out"
        )
    genres = population.catalog.genre_matrix.astype(np.float64)
    membership = genres / np.maximum(genres.sum(axis=1, keepdims=True), 1)
    liked = heard.liked(population.train)
    first = np.full((liked.n_users, membership.shape[1]), np.nan)
    first[population.users] = interests(liked, membership)[population.users]
    match model:
        case DeGroot():
            return DeGrootOpinions(model, first, membership, ties)
        case FriedkinJohnsen():
            return FriedkinJohnsenOpinions(model, first, membership, ties)
        case BoundedConfidence():
            return BoundedConfidenceOpinions(model, first, membership, ties)
