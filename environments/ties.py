"""Who knows whom, as one sparse matrix, and what a person's ties did, as one sparse product."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import DataError

FRIENDS_LIKED = "friends_liked"
"""How many ties of an agent liked the item in a slot, where a site shows it: its name in
`groundlings.environments.page.Page.further`, and a kind of event in the log."""


@dataclass(frozen=True)
class Ties:
    """Ties between people, each known in both directions.

    Attributes:
        graph: 1.0 where two people have a tie, shape (n_users, n_users); symmetric, with an empty diagonal.
    """

    graph: sp.csr_array

    @classmethod
    def of(cls, first: NDArray[np.integer], second: NDArray[np.integer], n_users: int) -> Ties:
        """Build from pairs of row numbers; a pair that stands twice, or in both directions, is one tie.

        Args:
            first, second: The two people of each pair, shape (n_pairs,).
            n_users: Size of the world.

        Raises:
            DataError: Somebody has a tie to themselves, or is not in the world.
        """
        if (first == second).any():
            raise DataError(f"ties: user number {first[first == second][0]} has a tie to itself; remove the row")
        if len(first) and not (0 <= min(first.min(), second.min()) and max(first.max(), second.max()) < n_users):
            raise DataError(f"ties: user numbers must lie in 0..{n_users - 1}")
        rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
        graph = sp.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n_users, n_users))
        graph.sum_duplicates()
        graph.data[:] = 1.0
        return cls(graph)

    def __len__(self) -> int:
        """How many ties there are."""
        return self.graph.nnz // 2

    @property
    def fingerprint(self) -> str:
        """SHA-256 over who knows whom: equal for equal ties, in whatever order they were read."""
        graph = self.graph.sorted_indices()
        digest = hashlib.sha256(f"{graph.shape[0]}".encode())
        for column in (graph.indptr, graph.indices):
            digest.update(column.astype("<i8").tobytes())
        return digest.hexdigest()

    def among(self, users: NDArray[np.integer]) -> Ties:
        """Those that join two of some people, in the same world.

        Args:
            users: Row numbers, shape (n,).
        """
        inside = np.zeros(self.graph.shape[0])
        inside[users] = 1.0
        chosen = sp.diags_array(inside, format="csr")
        graph = sp.csr_array(chosen @ self.graph @ chosen)
        graph.eliminate_zeros()
        return Ties(graph)

    def counts(self, acts: sp.csr_array) -> sp.csr_array:
        """How many ties of each user did something with each item, shape (n_users, n_items).

        Args:
            acts: 1.0 where a user did it (liked the item, say), shape (n_users, n_items).
        """
        return sp.csr_array(self.graph @ acts)

    def each_of(self, users: NDArray[np.integer]) -> tuple[IntArray, IntArray]:
        """All ties of some users, one after the other.

        Args:
            users: Row numbers, shape (n,).

        Returns:
            Which of `users`, and whom it knows, shape (n_ties,) each.
        """
        starts, counts = self.graph.indptr[users].astype(np.int64), np.diff(self.graph.indptr)[users].astype(np.int64)
        which = np.repeat(np.arange(len(users)), counts)
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return which, self.graph.indices[starts[which] + within].astype(np.int64)

    def relabelled(self, chance: np.random.Generator) -> Ties:
        """The same graph with its people exchanged at random: as many ties and friends of friends, of other people."""
        place = chance.permutation(self.graph.shape[0])
        return Ties(sp.csr_array(self.graph[place][:, place]))
