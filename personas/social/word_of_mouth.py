"""Word of mouth: what agents are told of the items that their ties liked or disliked on the days before.

What somebody mentions on a day is heard by all of their ties, off the site, from the next day on. A site may besides
show how many ties liked an item, mentioned or not (`site.friends`). Each tie counts once, however an agent is told.

A click with a rating is a like or a dislike by the scale, a click without one says nothing; where people do not rate,
everything that they took is a like, and a dislike is what the data call one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, IntArray
from groundlings.environments.datasets.ties_table import read_ties
from groundlings.environments.errors import DataError, RunWarning
from groundlings.environments.interactions import DISLIKE, Interactions
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.ties import FRIENDS_LIKED, Ties
from groundlings.environments.words import plural
from groundlings.personas.population import Population
from groundlings.personas.social.generated import generated_ties
from groundlings.personas.social.options import TiesOptions

Told: TypeAlias = Literal["liked", "mentioned_likes", "mentioned_dislikes"]


@dataclass(frozen=True, slots=True)
class _Day:
    """What agents did on a day, 1.0 each, shape (n_users, n_items).

    Attributes:
        number: 0 for the first day.
        acts: What they liked; what of that they mentioned; what they disliked and mentioned.
    """

    number: int
    acts: Mapping[Told, sp.csr_array]


class WordOfMouth:
    """What the agents of one arm are told of their ties.

    Args:
        options: What the experiment file says.
        population: Who the agents are.
        base_directory: Where a relative path of the ties starts.

    Raises:
        DataError: The ties cannot be read, or join nobody.
        ConfigError: There are too few agents for generated ties.
    """

    def __init__(self, options: TiesOptions, population: Population, base_directory: Path) -> None:
        self._options = options
        self._left_out = self._without_agent = 0
        if isinstance(options.ties, Path):
            path = base_directory / options.ties
            ids = population.people.user_ids
            everybody, self._left_out = read_ties(path, ids, "the data set", "mind.social.ties")
            self._ties = everybody.among(population.users)
            self._without_agent = len(everybody) - len(self._ties)
            if not len(self._ties):
                raise DataError(
                    f"{path}: none of its {plural(len(everybody), 'tie')} joins two of the "
                    f"{plural(len(population.users), 'agent')}; "
                    "raise population.size, or take mind.social out"
                )
            if self._left_out or self._without_agent:
                warnings.warn(f"{path}: {self._unheard()}", RunWarning, stacklevel=2)
        else:
            self._ties = generated_ties(options.ties, population, options.seed)
        self._scale, train = population.scale, population.train
        self._rated = not bool(np.isnan(train.ratings).all())
        self._shape = train.n_users, train.n_items
        self._remembered: list[_Day] = []  # oldest first
        nothing = self._nothing
        self._told: dict[Told, sp.csr_array] = {
            "liked": nothing, "mentioned_likes": nothing, "mentioned_dislikes": nothing
        }  # fmt: skip

    def _unheard(self) -> str:
        """What of a table carries nothing; what there is none of is not named."""
        rows, ties = plural(self._left_out, "row"), plural(self._without_agent, "tie")
        names, lead = "names" if self._left_out == 1 else "name", "leads" if self._without_agent == 1 else "lead"
        told = [f"{rows} {names} somebody who is not in the data set"] if self._left_out else []
        told += [f"{ties} {lead} to people who are no agents"] if self._without_agent else []
        return f"{' and '.join(told)}; nothing is heard over what is named here"

    @property
    def ties(self) -> Ties:
        """Which agents know each other; a tie to somebody who is no agent carries nothing, and is none of these."""
        return self._ties

    @property
    def days(self) -> int:
        """For how many days what was said or shown is remembered."""
        return self._options.days

    @property
    def _nothing(self) -> sp.csr_array:
        return sp.csr_array(self._shape)

    def notice(self, day: int, interactions: Interactions) -> None:
        """Take note of a day: what agents liked and mentioned of it, and what is forgotten."""
        liked, disliked = self.likes_and_dislikes(interactions)
        said = self.mentioned_on(day, interactions)
        acts: dict[Told, sp.csr_array] = {
            "mentioned_likes": self._acts(interactions, liked & said),
            "mentioned_dislikes": self._acts(interactions, disliked & said),
        }
        silent = bool((liked & ~said).any())
        acts["liked"] = self._acts(interactions, liked) if silent else acts["mentioned_likes"]
        self._remembered = [
            *(each for each in self._remembered if each.number > day - self._options.days),
            _Day(day, acts),
        ]
        mentioned: tuple[Told, ...] = ("mentioned_likes", "mentioned_dislikes")
        self._told = {name: self._from_ties(name) for name in mentioned}
        # Where everything is mentioned, one product is saved.
        everything = all(each.acts["liked"] is each.acts["mentioned_likes"] for each in self._remembered)
        self._told["liked"] = self._told["mentioned_likes"] if everything else self._from_ties("liked")

    def _from_ties(self, name: Told) -> sp.csr_array:
        """How many ties of each user did it with each item on the days that are remembered, each tie once."""
        acts = self._nothing
        for each in self._remembered:
            acts = sp.csr_array(acts + each.acts[name])
        acts.data[:] = 1.0
        return self._ties.counts(acts)

    def likes_and_dislikes(self, interactions: Interactions) -> tuple[BoolArray, BoolArray]:
        """Which interactions are likes and which are dislikes, shape (n,) each."""
        if self._rated:
            return interactions.ratings >= self._scale.like, interactions.ratings <= self._scale.dislike
        nobody = np.zeros(len(interactions), dtype=np.bool_)
        disliked = nobody if interactions.kinds is None else np.asarray(interactions.kinds == DISLIKE)
        return ~disliked, disliked

    def liked(self, interactions: Interactions) -> Interactions:
        """Those of some interactions that are likes."""
        return interactions.take(self.likes_and_dislikes(interactions)[0])

    def liked_and_mentioned(self, day: int, interactions: Interactions) -> IntArray:
        """What was liked on a day and mentioned, as cells of `groundlings.personas.social.spread`."""
        which = self.likes_and_dislikes(interactions)[0] & self.mentioned_on(day, interactions)
        return interactions.users[which] * self._shape[1] + interactions.items[which].astype(np.int64)

    def mentioned_on(self, day: int, interactions: Interactions) -> BoolArray:
        """Which interactions of a day are mentioned, if they are liked or disliked.

        A function of who, what and when alone, so that arms share it: shape (n,)."""
        draws = Draws.for_sessions(self._options.seed, interactions.users, day)
        return draws.uniform("mention", interactions.items) < self._options.mention

    def _acts(self, interactions: Interactions, which: BoolArray) -> sp.csr_array:
        cells = interactions.users[which], interactions.items[which].astype(np.int64)
        return sp.csr_array((np.ones(int(which.sum())), cells), shape=self._shape)

    def counts(self, told: Told, users: IntArray, items: NDArray[np.integer]) -> IntArray:
        """How many ties liked or mentioned each of some items, shape (n, m) as `items`; `users` of shape (n,)."""
        rows, columns = np.repeat(users, items.shape[1]), items.ravel().astype(np.int64)
        return np.asarray(self._told[told][rows, columns]).reshape(items.shape).astype(np.int64)

    def told(self, page: Page, users: IntArray) -> tuple[IntArray, IntArray]:
        """Of how many ties each agent was told that they liked and that they disliked each item of its page.

        A page that shows how many liked an item counts those who mentioned it as well, so its number is taken.

        Returns:
            Likes and dislikes, shape (n_sessions, n_slots) each.
        """
        liked, disliked = self.mentioned(page, users)
        return page.further.get(FRIENDS_LIKED, liked), disliked

    def mentioned(self, page: Page, users: IntArray) -> tuple[IntArray, IntArray]:
        """How many ties of each agent mentioned each item of its page; otherwise as `told`."""
        items = np.where(page.shown, page.items, 0)
        return self.counts("mentioned_likes", users, items), self.counts("mentioned_dislikes", users, items)

    def describe(self) -> Mapping[str, Any]:
        """Plain JSON values, for manifests: the options, and which ties they lead to."""
        options = self._options.model_dump(mode="json", exclude={"ties", *self._unstated()})
        ties = self._options.ties
        return {
            **options,
            **({} if isinstance(ties, Path) else ties.model_dump(mode="json")),
            "origin": "a table" if isinstance(ties, Path) else "generated: nobody has these ties",
            "ties": len(self._ties),
            "ties_sha256": self._ties.fingerprint,
            "rows_left_out": self._left_out,
            "ties_left_out": self._without_agent,
        }

    def _unstated(self) -> set[str]:
        """Options that an earlier version did not know and the file does not state: they stay out of manifests."""
        return {name for name in ("spread", "opinions") if getattr(self._options, name, None) is None}


def word_of_mouth(options: TiesOptions | None, population: Population, base_directory: Path) -> WordOfMouth | None:
    """What agents are told, where the experiment file says that they have ties; else None."""
    return None if options is None else WordOfMouth(options, population, base_directory)
