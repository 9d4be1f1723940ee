"""What a session leaves behind that decides on a return: satisfaction, what was found, how alike the lists were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.environment import LOST
from groundlings.simulator.session import CohortRecord


@dataclass(frozen=True, slots=True)
class Signals:
    """What sessions left behind, one row per session, NaN where it is not known.

    Attributes:
        satisfaction: Mean over the pages that were asked, 1 to 10, shape (n,).
        found: Interactions (clicks, or purchases where the environment sells), shape (n,); not known where a page was
            lost.
        sameness: How alike the items were that were shown, 0 to 1, shape (n,); see `sameness`.
    """

    satisfaction: FloatArray
    found: FloatArray
    sameness: FloatArray


class Topics:
    """The categories of items as unit vectors.

    Args:
        catalog: The items.
    """

    def __init__(self, catalog: Catalog) -> None:
        members = sp.csr_array(catalog.genre_matrix.astype(np.float64))
        sizes: FloatArray = np.asarray(members.sum(axis=1), dtype=np.float64).ravel()
        self._known = (sizes > 0).astype(np.float64)
        scale = np.divide(1.0, np.sqrt(sizes), out=np.zeros(len(sizes)), where=sizes > 0)
        self._vectors = sp.csr_array(sp.diags_array(scale) @ members)

    def sameness(self, rows: IntArray, items: IntArray, sessions: int) -> FloatArray:
        """The mean cosine of the categories of two items of a session, over all pairs shown in it, shape (sessions,).

        Intra-list similarity (Ziegler, McNee, Konstan and Lausen 2005, "Improving recommendation lists through topic
        diversification", WWW). Items without a category are in no pair; NaN where there is no pair.

        Args:
            rows: The session of each item that was shown, shape (n_shown,).
            items: The item, shape (n_shown,).
            sessions: How many sessions there are.
        """
        shown = sp.csr_array((np.ones(len(rows)), (rows, items)), shape=(sessions, len(self._known)))
        shown.sum_duplicates()  # sorted: the order in which items come must not reach the sums
        total = shown @ self._vectors
        length: FloatArray = np.asarray(total.multiply(total).sum(axis=1), dtype=np.float64).ravel()
        known = np.asarray(shown @ self._known, dtype=np.float64)
        pairs = known * (known - 1)
        return np.divide(length - known, pairs, out=np.full(sessions, np.nan), where=pairs > 0)


def signals_of(record: CohortRecord, topics: Topics | None) -> Signals:
    """What a cohort's sessions left behind, in the cohort's order.

    Args:
        record: What happened.
        topics: None where nobody asks how alike the lists were.
    """
    n = len(record.sessions)
    felt, asked, found = np.zeros(n), np.zeros(n), np.zeros(n)
    rows, items = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for logged in record.turns:
        turn = logged.turn
        found[turn.rows] += np.count_nonzero(turn.decision[record.schema.interaction], axis=1)
        said = turn.decision.get("satisfaction")
        if said is not None:
            given = ~np.isnan(said)
            felt[turn.rows[given]] += said[given]
            asked[turn.rows[given]] += 1
        if topics is not None:
            where, slots = np.nonzero(turn.page.shown)
            rows.append(turn.rows[where])
            items.append(turn.page.items[where, slots].astype(np.int64))
    lost = np.array([reason in LOST for reason in record.ended_by], dtype=np.bool_)
    return Signals(
        satisfaction=np.divide(felt, asked, out=np.full(n, np.nan), where=asked > 0),
        found=np.where(lost, np.nan, found),
        sameness=np.full(n, np.nan)
        if topics is None
        else topics.sameness(np.concatenate(rows), np.concatenate(items), n),
    )
