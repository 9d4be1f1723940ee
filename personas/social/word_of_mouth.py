"""Word of mouth: items that a person's ties liked or disliked on the days before are opened more or less often.

    log-odds of opening = ... + likes * log(1 + n+) + dislikes * log(1 + n-)

n+ and n- count the ties who mentioned the item in the last days, each once. What somebody mentions on a day is heard by
all of their ties, off the site, from the next day on: nothing about it is shown on a page. A click with a rating is a
like or a dislike by the scale, a click without one says nothing; where people do not rate, everything that they took is
a like, and a dislike is what the data call one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.datasets.ties_table import read_ties
from groundlings.environments.interactions import DISLIKE, Interactions
from groundlings.environments.random_streams import Draws
from groundlings.personas.population import Population
from groundlings.personas.social.generated import small_world
from groundlings.personas.social.options import SocialOptions


class WordOfMouth:
    """What the agents of one arm have heard from their ties.

    Args:
        options: What the experiment file says.
        population: Who the agents are.
        base_directory: Where a relative path of the ties starts.

    Raises:
        DataError: The ties cannot be read, or join nobody.
        ConfigError: There are too few agents for generated ties.
    """

    def __init__(self, options: SocialOptions, population: Population, base_directory: Path) -> None:
        self._options = options
        self._left_out = 0
        if isinstance(options.ties, Path):
            path = base_directory / options.ties.expanduser()
            ids = population.people.user_ids
            self._ties, self._left_out = read_ties(path, ids, "the data set", "mind.social.ties")
        else:
            self._ties = small_world(options.ties, population.users, len(population.people.user_ids), options.seed)
        self._scale, train = population.scale, population.train
        self._rated = not bool(np.isnan(train.ratings).all())
        self._shape = train.n_users, train.n_items
        self._mentions: list[tuple[int, sp.csr_array, sp.csr_array]] = []  # day, likes, dislikes; oldest first
        self._heard = self._nothing, self._nothing

    @property
    def _nothing(self) -> sp.csr_array:
        return sp.csr_array(self._shape)

    def notice(self, day: int, interactions: Interactions) -> None:
        """Take note of a day: what agents mention of it, and what is forgotten."""
        liked, disliked = self._opinions(interactions)
        said = self._mentioned(day, interactions)
        new = day, self._acts(interactions, liked & said), self._acts(interactions, disliked & said)
        self._mentions = [*(each for each in self._mentions if each[0] > day - self._options.days), new]
        likes = [liked for _, liked, _ in self._mentions]
        dislikes = [disliked for _, _, disliked in self._mentions]
        self._heard = self._from_ties(likes), self._from_ties(dislikes)

    def _from_ties(self, days: Sequence[sp.csr_array]) -> sp.csr_array:
        """How many ties of each user mentioned each item on the days that are remembered, each tie once."""
        acts = self._nothing
        for each in days:
            acts = sp.csr_array(acts + each)
        acts.data[:] = 1.0
        return self._ties.counts(acts)

    def _opinions(self, interactions: Interactions) -> tuple[BoolArray, BoolArray]:
        """Which interactions are likes and which are dislikes, shape (n,) each."""
        if self._rated:
            return interactions.ratings >= self._scale.like, interactions.ratings <= self._scale.dislike
        nobody = np.zeros(len(interactions), dtype=np.bool_)
        disliked = nobody if interactions.kinds is None else np.asarray(interactions.kinds == DISLIKE)
        return ~disliked, disliked

    def _mentioned(self, day: int, interactions: Interactions) -> BoolArray:
        """A function of who, what and when alone, so that arms share it: shape (n,)."""
        draws = Draws.for_sessions(self._options.seed, interactions.users, day)
        return draws.uniform("mention", interactions.items) < self._options.mention

    def _acts(self, interactions: Interactions, which: BoolArray) -> sp.csr_array:
        cells = interactions.users[which], interactions.items[which].astype(np.int64)
        return sp.csr_array((np.ones(int(which.sum())), cells), shape=self._shape)

    def log_odds(self, users: IntArray, items: NDArray[np.integer]) -> FloatArray:
        """What it adds for each of some items, shape (n, m) as `items`; `users` of shape (n,)."""
        rows, columns = np.repeat(users, items.shape[1]), items.ravel().astype(np.int64)
        likes, dislikes = (np.log1p(np.asarray(heard[rows, columns])).reshape(items.shape) for heard in self._heard)
        return np.asarray(self._options.likes * likes + self._options.dislikes * dislikes)

    def describe(self) -> Mapping[str, Any]:
        """Plain JSON values, for manifests: the options, and which ties they lead to."""
        options = self._options.model_dump(mode="json", exclude={"ties"})
        generated = not isinstance(self._options.ties, Path)
        return {
            **options,
            "origin": "generated: nobody has these ties" if generated else "a table",
            "ties": len(self._ties),
            "ties_sha256": self._ties.fingerprint,
            "rows_left_out": self._left_out,
        }


def word_of_mouth(options: SocialOptions | None, population: Population, base_directory: Path) -> WordOfMouth | None:
    """What agents hear, where the experiment file says that they have ties; else None."""
    return None if options is None else WordOfMouth(options, population, base_directory)
