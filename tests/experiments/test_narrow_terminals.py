"""A terminal that says it has no room still gets what there is to say."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from groundlings.experiments.terminal import Terminal


@pytest.mark.parametrize("columns", ["0", "1"])
def test_a_table_is_printed_in_no_columns_too(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", "24")
    table = Table()
    table.add_column("arm")
    table.add_row("ease")
    console = Terminal(file=io.StringIO())
    console.print(table)
    assert "ease" in console.file.getvalue()
