"""How word of an item spreads from those who like it, over ties, to agents who were never shown it.

An agent is *active* for an item from the day after it liked and mentioned it, or after a model made it so, and stays
active. Active agents pass it on whether they have taken the item or not. Being active changes how likely they open the
item, once it is on their page, and nothing else.

A pair of an agent and an item is a *cell*: one whole number, row of the user times the number of items plus the item.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import BoolArray, FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ties import Ties
from groundlings.personas.population import Population
from groundlings.personas.social.options import SocialOptions, TiesOptions
from groundlings.personas.social.spread_options import Bass, IndependentCascade, LinearThreshold

_NONE: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Activated:
    """The cells that became active at the end of a day.

    Attributes:
        begun: Whose agents liked and mentioned the item that day, ascending.
        reached: Whose agents the model made active, ascending; none is in `begun`.
    """

    begun: IntArray
    reached: IntArray


class Spread(ABC):
    """Which agents of one arm are active for which items.

    Attributes:
        over_ties: Whether word reaches agents over ties only.

    Args:
        ties: Who knows whom; their graph has a row for each user.
        n_items: Size of the catalog.
        seed: Of all draws, which depend on the agent, the item and the day besides, so that arms share them.
    """

    over_ties = True

    def __init__(self, ties: Ties, n_items: int, seed: int) -> None:
        self.ties = ties
        self.n_items = n_items
        self._seed = seed
        self._active = self._latest = _NONE

    def notice(self, day: int, liked: IntArray) -> Activated:
        """Take note of a day and let word spread until the next.

        Args:
            day: 0 for the first.
            liked: Cells of what was liked and mentioned that day, in any order.
        """
        begun = np.setdiff1d(liked, self._active)
        fresh = np.union1d(begun, self._latest)
        self._active = np.union1d(self._active, begun)
        self._latest = np.setdiff1d(self._reached(day, fresh), self._active, assume_unique=True)
        self._active = np.union1d(self._active, self._latest)
        return Activated(begun, self._latest)

    @abstractmethod
    def _reached(self, day: int, fresh: IntArray) -> IntArray:
        """Cells that the model makes active at the end of a day, each once; those that are active may be among them.

        Args:
            day: 0 for the first.
            fresh: Cells that became active since the last call, ascending.
        """

    @property
    def active(self) -> IntArray:
        """All cells that are active, ascending."""
        return self._active

    def is_active(self, users: IntArray, items: NDArray[np.integer]) -> BoolArray:
        """Which items agents are active for, shape as `items`, one row per user."""
        cells = users[:, None] * self.n_items + items
        if not len(self._active):
            return np.zeros(items.shape, dtype=np.bool_)
        found = np.minimum(np.searchsorted(self._active, cells), len(self._active) - 1)
        return np.asarray(self._active[found] == cells)

    def _ties_of(self, cells: IntArray) -> sp.csr_array:
        """How many ties of each user are in some cells with each item, shape (n_users, n_items)."""
        users, items = np.divmod(cells, self.n_items)
        acts = sp.csr_array((np.ones(len(cells)), (users, items)), shape=(self.ties.graph.shape[0], self.n_items))
        counts = self.ties.counts(acts)
        counts.sort_indices()
        return counts

    def _uniform(self, purpose: str, day: int, users: IntArray, items: IntArray) -> FloatArray:
        return Draws.for_sessions(self._seed, users, day).uniform(purpose, items)


class CascadeSpread(Spread):
    """Independent cascade; see `IndependentCascade`.

    The chances that n ties have with an agent on one day are one draw against 1 - (1 - chance)^n.
    """

    def __init__(self, options: IndependentCascade, ties: Ties, n_items: int, seed: int) -> None:
        super().__init__(ties, n_items, seed)
        self._chance = options.chance

    def _reached(self, day: int, fresh: IntArray) -> IntArray:
        tried = self._ties_of(fresh).tocoo()
        users, items = tried.row.astype(np.int64), tried.col.astype(np.int64)
        won = self._uniform("cascade", day, users, items) < 1 - (1 - self._chance) ** tried.data
        return np.asarray(users[won] * self.n_items + items[won])


class ThresholdSpread(Spread):
    """Linear threshold, all ties of an agent weighing the same; see `LinearThreshold`."""

    def __init__(self, options: LinearThreshold, ties: Ties, n_items: int, seed: int) -> None:
        super().__init__(ties, n_items, seed)
        self._threshold = options.threshold
        self._counts = sp.csr_array((ties.graph.shape[0], n_items))
        self._ties = np.diff(ties.graph.indptr)

    def _reached(self, day: int, fresh: IntArray) -> IntArray:  # noqa: ARG002 - a threshold is drawn once, for all days
        gained = self._ties_of(fresh)
        self._counts = sp.csr_array(self._counts + gained)
        users, items = (each.astype(np.int64) for each in gained.nonzero())
        shares = np.asarray(self._counts[users, items]).ravel() / self._ties[users]
        needed = self._uniform("threshold", 0, users, items) if self._threshold is None else self._threshold
        enough = shares >= needed
        return np.asarray(users[enough] * self.n_items + items[enough])


class BassSpread(Spread):
    """Bass, a day being the step of time; see `Bass`.

    Args:
        options: The parameters.
        ties: Who knows whom.
        agents: Row numbers of all agents, shape (n,).
        launched: Row numbers of the items, shape (m,).
        n_items: Size of the catalog.
        seed: Of all draws.
    """

    def __init__(
        self, options: Bass, ties: Ties, agents: IntArray, launched: IntArray, n_items: int, seed: int
    ) -> None:
        super().__init__(ties, n_items, seed)
        self.over_ties = options.among == "ties"
        self._options = options
        users, items = np.meshgrid(np.sort(agents), np.sort(launched), indexing="ij")
        self._launched = (users * n_items + items).ravel()
        self._won = np.zeros(len(self._launched), dtype=np.bool_)
        self._n_agents = len(agents)
        self._known = np.maximum(np.diff(ties.graph.indptr), 1)[users]  # whoever has no ties has a share of 0

    def notice(self, day: int, liked: IntArray) -> Activated:
        """See `Spread.notice`; likes of other items spread nothing."""
        return super().notice(day, np.intersect1d(liked, self._launched))

    def _reached(self, day: int, fresh: IntArray) -> IntArray:
        self._won |= np.isin(self._launched, fresh)
        active = self._won.reshape(self._n_agents, -1)
        if self._options.among == "everybody":
            share = np.broadcast_to(active.mean(axis=0), active.shape)
        else:
            users, items = np.divmod(self._launched, self.n_items)
            counts = self._ties_of(self._launched[self._won])
            share = np.asarray(counts[users, items]).reshape(active.shape) / self._known
        chance = self._options.innovation + self._options.imitation * share
        users, items = np.divmod(self._launched, self.n_items)
        return self._launched[self._uniform("bass", day, users, items) < chance.ravel()]


def spread_of(options: TiesOptions | None, ties: Ties, population: Population) -> Spread | None:
    """The model that the options name, before the first day; None where nothing spreads.

    Raises:
        ConfigError: An item that is launched is not in the catalog.
    """
    catalog = population.catalog
    n_items = len(catalog)
    model = options.spread if isinstance(options, SocialOptions) else None
    if options is None or model is None:
        return None
    match model:
        case IndependentCascade():
            return CascadeSpread(model, ties, n_items, options.seed)
        case LinearThreshold():
            return ThresholdSpread(model, ties, n_items, options.seed)
        case Bass():
            launched = _launched(model, catalog)
            return BassSpread(model, ties, population.users, launched, n_items, options.seed)


def _launched(options: Bass, catalog: Catalog) -> IntArray:
    rows = catalog.rows(options.launched)
    missing = [item for item, row in zip(options.launched, rows, strict=True) if row is None]
    if missing:
        raise ConfigError(
            f"mind.social.spread.launched: found {', '.join(missing[:3])}, which no item of the data set has as its "
            f"id; expected ids such as {catalog.item_ids[0]}"
        )
    return np.array([row for row in rows if row is not None], dtype=np.int64)
