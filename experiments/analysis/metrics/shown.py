"""Metrics of what is shown, whether anybody clicks or not: how popular it is, how new, and how varied a page is.

Each is one number per agent and arm, so that arms are compared as on any metric. What is one number per arm, such as
the coverage of the catalog, is in `groundlings.experiments.analysis.metrics.lists`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.experiments.analysis.metrics.background import MISSING, Background
from groundlings.experiments.analysis.metrics.declaration import Metric

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.simulator.log.reader import LogReader

NO_CATEGORIES = "no item of this run has a category, so how alike two of them are is not known"

_BY_DAY = ["arm_id", "agent_id", "day"]


def popularity(log: LogReader, background: Background | None) -> pd.DataFrame | str:
    """Sum of the shown items' popularity, and impressions."""
    return MISSING if background is None else _summed(log, background.popularity)


def novelty(log: LogReader, background: Background | None) -> pd.DataFrame | str:
    """Sum of the shown items' self-information, and impressions."""
    return MISSING if background is None else _summed(log, background.novelty)


def diversity(log: LogReader, background: Background | None) -> pd.DataFrame | str:  # noqa: ARG001 - as all scans
    """Sum over pages of the mean distance of their pairs of items, and pages with two items of known category."""
    import pandas as pd

    vectors = category_vectors(log)
    if not vectors.nnz:
        return NO_CATEGORIES
    parts = []
    for arm_id, rows in _pages(log):
        items = rows[:, 4]
        known = np.diff(vectors.indptr)[items] > 0
        _, page = np.unique(rows[:, [2, 3]], axis=0, return_inverse=True)
        page = page.ravel()
        first = np.unique(page, return_index=True)[1]
        distance = _page_distances(vectors, items[known], page[known], len(first))
        told = ~np.isnan(distance)
        frame = pd.DataFrame(rows[first[told]][:, :2], columns=["agent_id", "day"])
        parts.append(frame.assign(arm_id=arm_id, numerator=distance[told], denominator=1.0))
    return _total(parts)


def category_vectors(log: LogReader) -> sp.csr_array:
    """The categories of each item as a vector of length 1, shape (n_items, n_categories); zero where none is known."""
    found = [item.genres for item in log.logged_items()]
    columns = {name: number for number, name in enumerate(sorted({name for names in found for name in names}))}
    lengths = np.array([len(set(names)) for names in found], dtype=np.int64)
    cells = [columns[name] for names in found for name in sorted(set(names))]
    weights = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    return sp.csr_array((weights, cells, bounds), shape=(len(found), len(columns)))


def _page_distances(vectors: sp.csr_array, items: IntArray, pages: IntArray, n_pages: int) -> FloatArray:
    """Mean of 1 - cosine over all pairs of each page, shape (n_pages,), NaN with fewer than two items.

    Vectors have length 1, so the cosines of all pairs add up to the squared length of their sum, less their number.
    """
    on = sp.csr_array((np.ones(len(items)), (pages, items)), shape=(n_pages, vectors.shape[0]))
    together = on @ vectors
    count = np.bincount(pages, minlength=n_pages).astype(np.float64)
    squared = np.asarray(together.multiply(together).sum(axis=1)).ravel()
    pairs = count * (count - 1)
    return 1 - np.divide(squared - count, pairs, out=np.full(n_pages, np.nan), where=pairs > 0)


def _summed(log: LogReader, of_item: FloatArray) -> pd.DataFrame:
    """The sum of a number per item over each agent's impressions, and how many these are."""
    import pandas as pd

    parts = []
    for arm_id, rows in _pages(log):
        frame = pd.DataFrame(rows[:, :2], columns=["agent_id", "day"])
        parts.append(_grouped(frame.assign(arm_id=arm_id, numerator=of_item[rows[:, 4]], denominator=1.0)))
    return _total(parts)


def _pages(log: LogReader) -> Iterator[tuple[int, IntArray]]:
    """Impressions as numbers, some whole sessions of an arm at a time: agent_id, day, session_id, page, item (its place
    in the catalog), shape (n, 5)."""
    places = np.array(log.item_numbers(), dtype=np.int64)
    chunks = log.impression_chunks(["agent_id", "day", "session_id", "page", "item_number"])
    for arm_id, of_arm in groupby(chunks, key=itemgetter(0)):
        waiting = np.zeros((0, 5), dtype=np.int64)
        for _, rows in of_arm:
            waiting = np.concatenate([waiting, np.array(rows, dtype=np.int64)])
            last = waiting[:, 2] == waiting[-1, 2]  # its session may go on in the next chunk
            yield arm_id, _placed(waiting[~last], places)
            waiting = waiting[last]
        yield arm_id, _placed(waiting, places)


def _placed(rows: IntArray, places: IntArray) -> IntArray:
    found = rows.copy()
    found[:, 4] = np.searchsorted(places, rows[:, 4])
    return found


def _total(parts: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    if not parts:
        return pd.DataFrame({name: np.zeros(0, dtype=np.int64) for name in (*_BY_DAY, "numerator", "denominator")})
    return _grouped(pd.concat(parts, ignore_index=True))


def _grouped(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.groupby(_BY_DAY, as_index=False)[["numerator", "denominator"]].sum()


SHOWN: tuple[Metric, ...] = (
    Metric(
        name="mean_popularity",
        label="Popularity of what is shown",
        definition="Mean, over impressions, of the share of users who had the item in the training part.",
        unit="share of users",
        denominator="impression",
        higher_is_better=None,
        source="Abdollahpouri, Burke and Mobasher 2019, Managing popularity bias in recommender systems",
        scan=popularity,
    ),
    Metric(
        name="novelty",
        definition="Mean, over impressions, of -log2 p: p is the share of users who had the item in the training part,"
        " with one user added who had all items.",
        unit="bits",
        denominator="impression",
        decimals=2,
        higher_is_better=None,
        source="Zhou et al. 2010, Solving the apparent diversity-accuracy dilemma of recommender systems",
        scan=novelty,
    ),
    Metric(
        name="diversity",
        label="Diversity of a page",
        definition="Mean, over pages, of 1 - cosine between the categories of all pairs of items of the page"
        " (intra-list diversity). Items without a category are left out.",
        unit="0 to 1",
        denominator="page with two items of known category",
        higher_is_better=None,
        source="Smyth and McClave 2001, Similarity vs. diversity; Ziegler et al. 2005, Improving recommendation lists"
        " through topic diversification",
        scan=diversity,
    ),
)
"""Measured where the experiment file names them; every report holds them per arm."""
