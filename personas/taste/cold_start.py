"""Taste that also covers cold-start items, so that a page can show them to any mind."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.personas.taste.content import ContentTaste
from groundlings.personas.taste.features import Features
from groundlings.personas.taste.model import Taste


@dataclass(frozen=True)
class TasteWithNew(Taste):
    """A taste whose appeal of new items comes from their content.

    Both models state log-odds up to a constant of their own. The new items' are shifted so that their mean over
    people is the mean over all other items: a new item is on average as attractive as an old one.

    Attributes:
        content: Judges the new items, which are `content.items`.
    """

    content: ContentTaste

    def appeal(self, users: IntArray) -> Features:
        """See `Taste.appeal`."""
        appeal = super().appeal(users)
        judged = self.content.log_odds(users, self.content.items) + self._shift
        appeal[:, self.content.items] = judged.astype(np.float32)
        return appeal

    def appeal_of(self, users: IntArray, items: IntArray) -> FloatArray:
        """See `Taste.appeal_of`."""
        appeal = super().appeal_of(users, items)
        new = np.flatnonzero(np.isin(items, self.content.items))
        people, person = np.unique(users[new], return_inverse=True)
        # Content is judged by products of matrices; whole rows hold each pair's in company that is always the same.
        for part, rows in self.catalog_rows.parts(people):
            here = (person >= part.start) & (person < part.stop)
            appeal[new[here]] = self.catalog_rows.appeal[rows[person[here] - part.start], items[new[here]]]
        return appeal

    @cached_property
    def _shift(self) -> float:
        """What makes both means equal, over an even sample of people."""
        everybody = self.evidence.n_users
        some = np.unique(np.linspace(0, everybody - 1, min(everybody, _SAMPLE)).astype(np.int64))
        old = np.setdiff1d(np.arange(self.n_items), self.content.items)
        return float(super().appeal(some)[:, old].mean() - self.content.log_odds(some, self.content.items).mean())


_SAMPLE = 200


def with_new_items(taste: Taste, content: ContentTaste) -> TasteWithNew:
    """A fitted taste that knows what to make of new items, too."""
    known = {field.name: getattr(taste, field.name) for field in fields(Taste)}
    return TasteWithNew(**known, content=content)
