"""Cells that a spreadsheet would compute are told of, whatever a format calls its text tables."""

from __future__ import annotations

import pytest

from groundlings.experiments.exports.formulas import formula_notes


@pytest.mark.parametrize("name", ["a.tsv", "clicks.inter", "clicks.item", "clicks.user"])
def test_tables_with_tabs_are_told_of_under_every_name(tmp_path, name):
    (tmp_path / name).write_text('item_id:token\ttitle:token_seq\n1\t=HYPERLINK("x")\n-2\tOats, -3 of them\n')
    (note,) = formula_notes(tmp_path)
    assert note.startswith(f"{name}: 1 cell begins like a formula (the first: '=HYPERLINK")


def test_numbers_and_other_files_are_no_formulas(tmp_path):
    (tmp_path / "clicks.inter").write_text("user_id:token\trating:float\n-1\t-2.5e-3\n")
    (tmp_path / "notes.txt").write_text("=1+1\n")
    assert formula_notes(tmp_path) == ()
