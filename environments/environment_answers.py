"""What environments of others answer, held against what they promise before anything of it is logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from groundlings.environments.actions import LegalActions
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.environment import EndedBy, Environment, Observation, SessionState
from groundlings.environments.errors import ConfigError, shown
from groundlings.environments.page import Page

_OURS = "groundlings."
_MOST_SLOTS = 100_000
_ENDINGS = frozenset(EndedBy)


def sound_environment(found: object, name: str, where: str) -> None:
    """Return if what an environment says of itself can be used.

    Args:
        found: An object that has all that an environment has.
        name: What made it, for messages.
        where: Key path, for messages.

    Raises:
        ConfigError: Its pages have no size, or it does not describe itself.
    """
    for attribute in ("page_size", "max_pages"):
        size = getattr(found, attribute)
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= _MOST_SLOTS:
            raise ConfigError(
                f"{where}: {name}.{attribute} is {shown(size)}; expected a whole number from 1 to {_MOST_SLOTS:,}"
            )
    described = found.describe()  # type: ignore[attr-defined]
    if not isinstance(described, Mapping):
        raise ConfigError(f"{where}: {name}.describe() gives {shown(described)}; expected a mapping")


class EnvironmentAnswers:
    """Checks the answers of one environment in the sessions of one cohort; shipped ones are tested and not asked.

    Args:
        environment: Whose they are.
        n_sessions: Of the cohort.
        n_items: Of the catalog.
    """

    def __init__(self, environment: Environment[Any], n_sessions: int, n_items: int) -> None:
        self._environment = environment
        self._n_sessions, self._n_items = n_sessions, n_items
        self._pages = 0
        self._checks = not type(environment).__module__.startswith(_OURS)

    def state(self, found: object, method: str) -> None:
        """Return if a state is one of this cohort; raise `ConfigError` otherwise."""
        if not self._checks:
            return
        if not isinstance(found, SessionState):
            raise self._fault(f"{method} gives {shown(found)}", "a SessionState")
        self._rows(found.here, f"the `here` of {method}")
        endings: object = found.ended_by
        if not isinstance(endings, np.ndarray) or endings.shape != (self._n_sessions,):
            raise self._fault(f"the `ended_by` of {method} is {shown(endings)}", "an ending per session")
        over = np.ones(self._n_sessions, dtype=np.bool_)
        over[found.here] = False
        for ending in endings[over].tolist():
            if not isinstance(ending, str) or ending not in _ENDINGS:
                raise self._fault(f"a session ended by {shown(ending)}", f"one of {', '.join(sorted(_ENDINGS))}")

    def observation(self, found: object) -> None:
        """Return if an observation is one that sessions of this cohort can have; raise `ConfigError` otherwise."""
        if not self._checks or found is None:
            return
        if not isinstance(found, Observation) or not isinstance(found.page, Page):
            raise self._fault(f"observe gives {shown(found)}", "an Observation with a Page, or None")
        self._rows(found.rows, "the rows of an observation")
        page, most = found.page, self._environment.max_pages
        number: object = page.number
        if not isinstance(number, int | np.integer) or not self._pages < number <= most:
            raise self._fault(
                f"page {shown(number)} follows page {self._pages}", f"the next one, up to max_pages ({most})"
            )
        self._pages = page.number
        first: object = page.first_rank
        if not isinstance(first, int | np.integer) or first < 0:
            raise self._fault(f"the first_rank of page {page.number} is {shown(first)}", "how many slots came before")
        self._items(page, len(found.rows))
        self._offered(found.legal, page)
        for name in ("scores", "propensities"):
            cells: Any = getattr(found.served, name, None)
            if np.shape(cells) != page.items.shape:
                raise self._fault(f"served.{name} has another shape than the page's items {page.items.shape}", "that")

    def _rows(self, rows: object, what: str) -> None:
        if not isinstance(rows, np.ndarray) or rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise self._fault(f"{what} are {shown(rows)}", "an array of whole numbers, one per session")
        if len(rows) and (rows[0] < 0 or rows[-1] >= self._n_sessions or (np.diff(rows) <= 0).any()):
            raise self._fault(
                f"{what} are {shown(rows.tolist())}", f"ascending numbers below {self._n_sessions}, each once"
            )

    def _items(self, page: Page, n_rows: int) -> None:
        items, most = page.items, self._environment.page_size
        if items.ndim != 2 or items.shape[0] != n_rows or items.shape[1] > most or items.dtype.kind not in "iu":
            raise self._fault(
                f"the items of page {page.number} have the shape {items.shape} of {items.dtype}",
                f"({n_rows}, at most page_size, which is {most}) of item numbers",
            )
        if ((items < NO_ITEM) | (items >= self._n_items)).any():
            raise self._fault(
                f"page {page.number} shows an item outside 0..{self._n_items - 1}", "items that there are"
            )
        ordered = np.sort(np.where(items == NO_ITEM, -1 - np.arange(items.shape[1]), items), axis=1)
        if (ordered[:, 1:] == ordered[:, :-1]).any():
            raise self._fault(f"page {page.number} shows an item twice to one user", "each item once at most")

    def _offered(self, legal: object, page: Page) -> None:
        """Hold what a page offers against the declared actions: a misspelt name keeps nothing back."""
        if not isinstance(legal, LegalActions):
            raise self._fault(f"the legal actions of page {page.number} are {shown(legal)}", "LegalActions")
        schema = self._environment.schema
        for name, where in legal.available.items():
            if name not in schema:
                raise self._fault(f"page {page.number} offers {shown(name)}", f"one of {', '.join(schema.names)}")
            shape = page.items.shape if schema[name].per == "slot" else page.items.shape[:1]
            cells = np.asarray(where)
            if cells.dtype.kind != "b" or cells.shape != shape:
                raise self._fault(
                    f"where page {page.number} offers {name} has the shape {cells.shape} of {cells.dtype}",
                    f"{shape} of bool",
                )

    def _fault(self, found: str, expected: str) -> ConfigError:
        return ConfigError(f"environment {type(self._environment).__name__}: {found}; expected {expected}")
