"""Products of rows with rows of a table are the same to the last bit whether the table is kept full or not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.personas.taste.sparse_rows import PairedTable, row_products


def made(chance, rows, columns, density):
    values = chance.normal(size=(rows, columns)).astype(np.float32)
    return sp.csr_array(np.where(chance.random((rows, columns)) < density, values, 0))


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.05, 0.13, 0.6, 1.0]), st.sampled_from([0.02, 0.3, 1.0]))
def test_products_are_those_of_sparse_rows_to_the_last_bit(seed, table_density, density):
    chance = np.random.default_rng(seed)
    table, left = made(chance, 30, 70, table_density), made(chance, 25, 70, density)
    rows = chance.integers(0, 30, 25)
    for often in (None, rows[:9]):  # of a table that is not full none of its rows are kept, or nine at most
        found = PairedTable(table, often).products(left, rows)
        assert found.tobytes() == row_products(left, table[rows]).tobytes()


@pytest.mark.parametrize(("density", "full"), [(0.02, False), (0.5, True)])
def test_only_a_full_table_takes_a_number_for_each_place(density, full, monkeypatch):
    table = made(np.random.default_rng(1), 40, 50, density)
    made_full = []
    whole = sp.csr_array.toarray
    monkeypatch.setattr(sp.csr_array, "toarray", lambda self: made_full.append(self.nnz) or whole(self))
    PairedTable(table)
    assert bool(made_full) == full


def test_no_pairs_have_no_products():
    table = made(np.random.default_rng(1), 10, 20, 1.0)
    assert PairedTable(table).products(sp.csr_array((0, 20), dtype=np.float32), np.zeros(0, dtype=np.int64)).shape == (
        0,
    )
