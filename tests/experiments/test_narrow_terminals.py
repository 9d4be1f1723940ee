"""A terminal that says it has no room still gets what there is to say, and a long text does not take minutes."""

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


def test_numbers_and_paths_of_a_long_text_are_not_looked_for():
    terminal = Terminal(file=io.StringIO())
    assert terminal.render_str("[bold]error[/] 7 of /a/path").spans[1:]
    assert len(terminal.render_str(f"[bold]error[/] {'7.' * 2_000}").spans) == 1, "but the markup of our own"


@pytest.mark.parametrize("width", range(20, 30))
def test_no_line_ends_between_a_number_and_its_unit(width):
    console = Terminal(file=io.StringIO(), width=width)
    table = Table()
    table.add_column("against popular (2.1 %)\n95 % interval", overflow="fold")
    console.print(table)
    console.print("likes per session [bold]+20 %[/] [+12 %, +29 %], \ufdd0 %", highlight=False)
    told = console.file.getvalue()
    assert not any(line.strip(" \N{BOX DRAWINGS HEAVY VERTICAL}").startswith("%") for line in told.splitlines())
    assert "2.1 %" in told
    assert "\\ufdd0 %" in " ".join(told.split()), "what came from outside is written out, as everywhere"
