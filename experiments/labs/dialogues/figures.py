"""Recall by round with intervals over dialogues, beside popularity, and what a leak is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.experiments.labs.dialogues.rounds import ACCEPTED, UNREADABLE, Conversation
from groundlings.experiments.labs.resampling import Figure, Interval, Resamples, interval

AMONG = (1, 10, 50)
"""Recall@1, @10 and @50."""


@dataclass(frozen=True, slots=True)
class Round:
    """What came of a round.

    Attributes:
        number: From 1; the list of the first is made before the seeker has said anything.
        recall: Share of targets among the first 1, 10 and 50 of the list, as `AMONG`; None where that is every item.
        over_popular: The same, less that of popularity with the same seeker; all 0 for popularity.
    """

    number: int
    recall: tuple[Figure | None, ...]
    over_popular: tuple[Figure | None, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A seeker with a recommender.

    Attributes:
        seeker, system: Their names.
        turns: How many conversations there were.
        accepted: Share of them that end because a target was listed.
        accepted_ends: Its 95 % interval over dialogues.
        unreadable: How many end because an answer could not be read, or the server refused one.
        answers: Of the seeker; none to a recommender that reads no words.
        naming: Those that name a target.
        rounds: One per round.
    """

    seeker: str
    system: str
    turns: int
    accepted: float
    accepted_ends: Interval
    unreadable: int
    answers: int
    naming: int
    rounds: tuple[Round, ...]

    @property
    def nothing_read(self) -> bool:
        """Whether the seeker was asked and no answer could be read: nothing is known of rounds after the first."""
        return self.unreadable > 0 and not self.answers


@dataclass(frozen=True, slots=True)
class Worth:
    """What a leak is worth to a recommender: recall of the last round with it less the same without it.

    Attributes:
        leaky, without: The seekers.
        system: The recommender.
        gain: As `AMONG`.
    """

    leaky: str
    without: str
    system: str
    gain: tuple[Figure | None, ...]


class Tally:
    """Recall of one seeker with one recommender, resample by resample.

    Args:
        talks: All conversations.
        judged: The dialogues that they go on with.
        resamples: Of these.
        items: How many there are: a list of so many holds every target, so that recall among them says nothing.
    """

    def __init__(self, talks: Sequence[Conversation], judged: Sequence[int], resamples: Resamples, items: int) -> None:
        places = {dialogue: place for place, dialogue in enumerate(judged)}
        dialogues = np.array([places[talk.turn.dialogue] for talk in talks for _ in talk.turn.targets])
        ranks = np.array([rank for talk in talks for rank in zip(*talk.ranks, strict=True)])
        found = np.stack([(ranks > 0) & (ranks <= most) for most in AMONG], axis=2).reshape(len(ranks), -1)
        hits: FloatArray = np.zeros((len(judged), found.shape[1]))
        np.add.at(hits, dialogues, found)
        targets = np.bincount(dialogues, minlength=len(judged)).astype(np.float64)
        everybody = np.ones(len(judged), dtype=np.bool_)
        ratios = resamples.ratio(hits, np.repeat(targets[:, None], hits.shape[1], axis=1), everybody)
        turns, ended = (
            np.bincount([places[talk.turn.dialogue] for talk in some], minlength=len(judged)).astype(np.float64)
            for some in (talks, [talk for talk in talks if talk.over == ACCEPTED])
        )
        self.talks, self._dialogues = talks, len(judged)
        self.accepted = resamples.ratio(ended, turns, everybody)
        """Shape (1 + times,)."""
        self.recall = ratios.reshape(len(ratios), -1, len(AMONG))
        self.recall[:, :, [most >= items for most in AMONG]] = np.nan
        """Shape (1 + times, rounds, len(AMONG))."""

    def row(self, seeker: str, system: str, popular: Tally) -> Row:
        """The figures."""
        gain = self.recall - popular.recall
        return Row(
            seeker,
            system,
            turns=len(self.talks),
            accepted=float(self.accepted[0]),
            accepted_ends=interval(self.accepted, 0.0, 1.0, self._dialogues),
            unreadable=sum(talk.over == UNREADABLE for talk in self.talks),
            answers=sum(talk.answers for talk in self.talks),
            naming=sum(talk.naming for talk in self.talks),
            rounds=tuple(
                Round(
                    place + 1, _figures(self.recall[:, place], share_of=self._dialogues), _figures(gain[:, place], -1.0)
                )
                for place in range(self.recall.shape[1])
            ),
        )

    def worth(self, leaky: str, without: str, system: str, other: Tally) -> Worth:
        """What this leaky seeker gives over another one."""
        return Worth(leaky, without, system, _figures(self.recall[:, -1] - other.recall[:, -1], -1.0))


def _figures(resampled: FloatArray, least: float = 0.0, share_of: int | None = None) -> tuple[Figure | None, ...]:
    """Of columns as `AMONG`, shape (1 + times, len(AMONG))."""
    return tuple(None if np.isnan(column[0]) else Figure.of(column, least, 1.0, share_of) for column in resampled.T)
