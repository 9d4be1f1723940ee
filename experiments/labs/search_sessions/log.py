"""Search sessions as columns: one row per page of results, in the order in which a person saw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from groundlings.environments.arrays import NO_ITEM, BoolArray, FloatArray, IntArray
from groundlings.environments.errors import DataError
from groundlings.personas.click_models.pages import ResultPages


@dataclass(frozen=True, slots=True)
class LoggedPage:
    """A page of results as it stands in a file.

    Attributes:
        person, session: Whose it is; a session's name is read together with its person's.
        task: What the person was to find out; empty if the log does not say.
        query: As it was typed.
        results: Title and snippet from the top down.
        clicks: Which results were clicked, as many as results.
    """

    person: str
    session: str
    task: str
    query: str
    results: tuple[tuple[str, str], ...]
    clicks: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class SearchLog:
    """All pages; those of a session stand together, in their order.

    Attributes:
        pages: As read.
        people: Numbers of their people, from 0 on, shape (n_pages,).
        sessions, tasks: The same; a log without tasks has one task.
        number: How many pages the session had before, shape (n_pages,).
        last: Whether it is the session's last page, shape (n_pages,).
        documents: Numbers of titles, shape (n_pages, depth): a document is its title.
        clicks: Shape (n_pages, depth).
    """

    pages: tuple[LoggedPage, ...]
    people: IntArray
    sessions: IntArray
    tasks: IntArray
    number: IntArray
    last: BoolArray
    documents: IntArray
    clicks: BoolArray

    @classmethod
    def of(cls, pages: Sequence[LoggedPage]) -> SearchLog:
        """From pages, those of a session together.

        Raises:
            DataError: There is no page, no result, or the pages of a session are apart.
        """
        if not any(page.results for page in pages):
            raise DataError("search log: found no page with a result; expected pages of results with their clicks")
        keys = [(page.person, page.session) for page in pages]
        starts = [place for place, key in enumerate(keys) if place == 0 or key != keys[place - 1]]
        if len(starts) != len({*keys}):
            raise DataError("search log: found the pages of one session apart; expected them together, in their order")
        sessions = np.repeat(np.arange(len(starts)), np.diff([*starts, len(pages)]))
        shape = len(pages), max(len(page.results) for page in pages)
        documents, clicks = np.full(shape, NO_ITEM, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
        titles: dict[str, int] = {}
        for row, page in enumerate(pages):
            for rank, (title, _) in enumerate(page.results):
                documents[row, rank] = titles.setdefault(title, len(titles))
            clicks[row, : len(page.clicks)] = page.clicks
        return cls(
            tuple(pages),
            _numbers([page.person for page in pages]),
            sessions,
            _numbers([page.task for page in pages]),
            np.arange(len(pages)) - np.array(starts)[sessions],
            np.append(sessions[1:] != sessions[:-1], True),
            documents,
            clicks,
        )

    def __len__(self) -> int:
        return len(self.pages)

    @property
    def n_people(self) -> int:
        """How many people searched."""
        return int(self.people.max()) + 1

    @property
    def clicked_only(self) -> bool:
        """Whether every page has a click: pages without one were left out, and all is said given a click."""
        return bool(self.clicks.any(axis=1).all())

    @property
    def shown(self) -> BoolArray:
        """Where a page has a result, shape (n_pages, depth)."""
        return self.documents != NO_ITEM

    def result_pages(self, features: FloatArray | None = None) -> ResultPages:
        """The pages as click models take them, shape of `features` (n_pages, depth, n_features)."""
        return ResultPages(self.documents, self.clicks, features)


def _numbers(names: Sequence[str]) -> IntArray:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
