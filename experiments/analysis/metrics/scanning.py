"""One walk through the impressions of a run, page by page, for all metrics that need the items behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.metrics.background import Background, read_background
from groundlings.simulator.log.reader import LogReader

if TYPE_CHECKING:
    import pandas as pd

BY_DAY = ["arm_id", "agent_id", "day"]

_WALKED = ("agent_id", "day", "session_id", "page", "item_number")

_SUMS = ["shown", "popularity", "novelty", "pages", "distance"]


@dataclass(frozen=True)
class Scanned:
    """A run's log and what the data tell of its items; what is read is read once.

    Attributes:
        log: The run's.
    """

    log: LogReader

    @cached_property
    def background(self) -> Background | None:
        """What lies beside the log, None where nothing does."""
        return read_background(self.log)

    @cached_property
    def vectors(self) -> sp.csr_array:
        """The categories of each item as a vector of length 1, shape (n_items, n_categories); 0 where none is known.

        Of a catalog without any, `Background.vectors`, as far as they are known.
        """
        found = [item.genres for item in self.log.logged_items()]
        if not any(found) and self.background is not None and self.background.vectors:
            return sp.csr_array(np.array(self.background.vectors, dtype=np.float64))
        columns = {name: number for number, name in enumerate(sorted({name for names in found for name in names}))}
        lengths = np.array([len(set(names)) for names in found], dtype=np.int64)
        cells = [columns[name] for names in found for name in sorted(set(names))]
        weights = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths)
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        return sp.csr_array((weights, cells, bounds), shape=(len(found), len(columns)))

    @cached_property
    def squares(self) -> FloatArray:
        """The squared length of each vector, shape (n_items,)."""
        return _squares(self.vectors)

    @cached_property
    def pages(self) -> pd.DataFrame:
        """One row per arm, agent and day with an impression: arm_id, agent_id, day; shown (impressions), popularity and
        novelty (sums over them, 0 without a background); pages (with two items of known vector) and distance (the sum
        over these of the mean distance of their pairs)."""
        import pandas as pd

        nothing = np.zeros(len(self.log.item_numbers()))
        background = self.background
        popularity, novelty = (nothing, nothing) if background is None else (background.popularity, background.novelty)
        parts = []
        for arm_id, rows in _whole_sessions(self.log):
            items = rows[:, 4]
            frame = pd.DataFrame({"arm_id": arm_id, "agent_id": rows[:, 0], "day": rows[:, 1]})
            first, distance = self._distances(rows)
            far = np.zeros(len(rows))
            told = ~np.isnan(distance)
            far[first[told]] = distance[told]
            counted = np.zeros(len(rows))
            counted[first[told]] = 1.0
            sums = (np.ones(len(rows)), popularity[items], novelty[items], counted, far)
            parts.append(_grouped(frame.assign(**dict(zip(_SUMS, sums, strict=True)))))
        if not parts:
            return pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in (*BY_DAY, *_SUMS)})
        return _grouped(pd.concat(parts, ignore_index=True))

    def _distances(self, rows: IntArray) -> tuple[IntArray, FloatArray]:
        """Of each page where its first row stands, and the mean of 1 - cosine over all pairs of its items; NaN with
        fewer than two items of known vector.

        The products of all pairs add up to the squared length of the sum of all, less the squared lengths of each.
        """
        new = np.ones(len(rows), dtype=np.bool_)
        new[1:] = (np.diff(rows[:, 2]) != 0) | (np.diff(rows[:, 3]) != 0)
        page, n_pages = np.cumsum(new) - 1, int(new.sum())
        known = np.diff(self.vectors.indptr)[rows[:, 4]] > 0
        items, pages = rows[known, 4], page[known]
        on = sp.csr_array((np.ones(len(items)), (pages, items)), shape=(n_pages, self.vectors.shape[0]))
        together = on @ self.vectors
        count = np.bincount(pages, minlength=n_pages).astype(np.float64)
        alone = np.bincount(pages, weights=self.squares[items], minlength=n_pages)
        pairs = count * (count - 1)
        cosine = np.divide(_squares(together) - alone, pairs, out=np.full(n_pages, np.nan), where=pairs > 0)
        return np.flatnonzero(new), 1 - cosine


def _squares(rows: sp.csr_array) -> FloatArray:
    """The squared length of each row, shape (n_rows,)."""
    return np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float64).ravel()


def _whole_sessions(log: LogReader) -> Iterator[tuple[int, IntArray]]:
    """Impressions as numbers, some whole sessions of an arm at a time, in the order of happening: agent_id, day,
    session_id, page, item (its place in the catalog), shape (n, 5)."""
    import pyarrow as pa

    places = np.array(log.item_numbers(), dtype=np.int64)
    batches = log.impression_batches(dict.fromkeys(_WALKED, pa.int64()))
    for arm_id, of_arm in groupby(batches, key=itemgetter(0)):
        waiting = np.zeros((0, len(_WALKED)), dtype=np.int64)
        for _, rows in of_arm:
            waiting = np.concatenate([waiting, np.column_stack([column.to_numpy() for column in rows.columns])])
            last = waiting[:, 2] == waiting[-1, 2]  # its session may go on in the next chunk
            if not last.all():
                yield arm_id, _placed(waiting[~last], places)
            waiting = waiting[last]
        yield arm_id, _placed(waiting, places)


def _placed(rows: IntArray, places: IntArray) -> IntArray:
    found = rows.copy()
    found[:, 4] = np.searchsorted(places, rows[:, 4])
    return found


def _grouped(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby(BY_DAY, as_index=False)[_SUMS].sum()
