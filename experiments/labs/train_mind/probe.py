"""The memorisation probe: can a stranger tell from the model what it was trained on?

Three attacks, each of the model before and after training. What training left is the difference.

*Histories*: the loss of what a prompt says of a person, per token, of people who were learned from and of people who
were not. Who holds the model and a history may guess "learned from" where the loss is low (Yeom et al. 2018); measured
is the probability that the guess separates the two. It is no coin before: the groups are of other times.

*Titles*: the same of titles alone, of items in training prompts and of items in none. The former are better known.

*Completions*: whether the likeliest words after the titles that a person met last are the next title, word by word, as
greedy decoding would say them (Carlini et al. 2021 extract texts so).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.labs.resampling import Resamples, interval
from groundlings.experiments.labs.train_mind.scenes import Material
from groundlings.experiments.labs.train_mind.token_trees import Prompts

if TYPE_CHECKING:
    from groundlings.experiments.labs.train_mind.network import Network

PEOPLE = 40
"""Of each of the two groups, at most."""

TITLES = 100
"""Of items in training prompts, and of others, at most."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the losses of one model tell.

    Attributes:
        learned, others: Mean loss per token of those that were learned from, and of the others, in nats.
        sizes: How many there are of each.
        separated, low, high: P(one that was learned from has the lower loss), with its interval over those that were
            learned from.
    """

    learned: float
    others: float
    sizes: tuple[int, int]
    separated: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Completions:
    """How often a model goes on with the real next title.

    Attributes:
        titles: Asked for, of people who were learned from and of others.
        continued: Of these, said word by word.
    """

    titles: tuple[int, int]
    continued: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Told:
    """What one model says in the three attacks.

    Attributes:
        histories, titles: "learned" and "others" -> mean loss per token of each, shape (n,).
        completions: Counts.
    """

    histories: Mapping[str, FloatArray]
    titles: Mapping[str, FloatArray]
    completions: Completions


@dataclass(frozen=True, slots=True)
class Memory:
    """What one model tells a stranger; see the module."""

    histories: Probe
    titles: Probe | None
    completions: Completions

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class MemoryProbe:
    """The three attacks on one material.

    Args:
        material: Who is learned from, and who is tested.
        prompts: "learned" and "test five" -> the words of their questions.
        chance: Random numbers, for titles.
    """

    def __init__(self, material: Material, prompts: Mapping[str, Prompts], chance: np.random.Generator) -> None:
        learned, test = material.learned, material.groups.test
        self._people = {"learned": (prompts["learned"], len(learned)), "others": (prompts["test five"], len(test))}
        decided = np.unique(learned.lists.items[learned.lists.listed])
        named = prompts["learned"].named_in(range(len(learned)))
        seen = np.union1d(decided, named)
        groups = {"learned": seen, "others": np.setdiff1d(np.arange(prompts["learned"].n_items), seen)}
        self._titles: dict[str, IntArray] = {
            name: np.sort(chance.choice(items, min(TITLES, len(items)), replace=False))
            for name, items in groups.items()
        }

    def ask(self, network: Network) -> Told:
        """What a model says."""
        titles = self._people["learned"][0]
        asked = [self._completed(network, *each) for each in self._people.values()]
        return Told(
            {
                name: np.array([network.loss(prompts.about(user)) for user in range(min(size, PEOPLE))])
                for name, (prompts, size) in self._people.items()
            },
            {
                name: np.array([network.loss(titles.title(item)) for item in items.tolist()])
                for name, items in self._titles.items()
            },
            Completions((asked[0][0], asked[1][0]), (asked[0][1], asked[1][1])),
        )

    def _completed(self, network: Network, prompts: Prompts, size: int) -> tuple[int, int]:
        """Titles of the second half of what the first people met last, and those that the model goes on with."""
        asked = continued = 0
        for user in range(min(size, PEOPLE)):
            tokens, places = prompts.latest(user)
            if len(places) < 2:
                continue
            right = network.likeliest(tokens)[:-1] == tokens[1:]
            later = places[len(places) // 2 :]
            asked += len(later)
            continued += sum(bool(right[first - 1 : end - 1].all()) for first, end in later)
        return asked, continued


def weigh_memory(told: Told, times: int, chance: np.random.Generator) -> Memory:
    """What a model's answers tell; titles only where some were in no training prompt.

    Args:
        told: The answers.
        times: Resamples of people and titles.
        chance: Random numbers.
    """
    titles = probe(told.titles, times, chance) if all(map(len, told.titles.values())) else None
    return Memory(probe(told.histories, times, chance), titles, told.completions)


def probe(losses: Mapping[str, Sequence[float] | FloatArray], times: int, chance: np.random.Generator) -> Probe:
    """What losses tell.

    Args:
        losses: "learned" and "others", one each.
        times: Resamples of those that were learned from.
        chance: Random numbers.
    """
    learned, others = np.asarray(losses["learned"]), np.asarray(losses["others"])
    wins = 1 - (rankdata(np.concatenate([learned, others]))[: len(learned)] - rankdata(learned)) / len(others)
    resampled = Resamples.draw(len(learned), times, chance).mean(wins, np.ones(len(learned), dtype=np.bool_))
    sizes = (len(learned), len(others))
    return Probe(float(learned.mean()), float(others.mean()), sizes, float(resampled[0]), *interval(resampled, 0, 1))
