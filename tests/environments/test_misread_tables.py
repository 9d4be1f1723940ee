"""A look at tables that are not what they were read as says so, and what to do instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundlings.environments.datasets import OwnData
from groundlings.environments.datasets.own import load_own
from groundlings.environments.datasets.proposal import propose_for
from groundlings.environments.errors import DataError

ROWS = [f"c{user},a{(user * 3 + place) % 7},{place + 1}" for user in range(8) for place in range(5)]
MET = "\n".join(["customer,sku,stars", *ROWS]) + "\n"
GOODS = ["sku,name,shelf", *(f"a{number},Thing {number},{number % 2}" for number in range(7))]


def tables(folder: Path, met: str = MET, goods: list[str] = GOODS) -> list[Path]:
    """The files of a shop."""
    (folder / "met.csv").write_text(met)
    (folder / "goods.csv").write_text("\n".join(goods) + "\n")
    return [folder / "met.csv", folder / "goods.csv"]


@pytest.mark.parametrize(
    ("sign", "name"), [("::", "'::'"), ("^", "'^'"), ("~", "'~'"), ("\x01", "a byte 0x01"), ("   ", "blanks")]
)
def test_cells_between_other_signs_are_told_as_such(tmp_path, sign, name):
    met, _ = tables(tmp_path, MET.replace(",", sign))
    told = f"{met}: its cells seem to be separated by {name}, which is not read; save the file as CSV with commas"
    with pytest.raises(DataError) as error:
        propose_for([met])
    assert told in str(error.value)
    assert "name it too" not in str(error.value)
    own = {"interactions": {"path": str(met), "user": "customer", "item": "sku"}, "items": {"path": str(met)}}
    own["items"] |= {"id": "sku", "title": "name"}
    with pytest.raises(DataError, match=f"is not in the header.*seem to be separated by {'.' if sign == '^' else ''}"):
        load_own(OwnData.model_validate(own), Path())


def test_rows_of_another_length_are_told_of_other_signs_before_of_quotation_marks(tmp_path):
    met, _ = tables(tmp_path, "customer::sku::note\nc1::a1::red\nc1::a2::red, blue\n")
    with pytest.raises(DataError, match="found 2 cells, expected 1 as in the header; its cells seem to be separated"):
        load_own(OwnData.model_validate({"interactions": {"path": str(met), "user": "customer", "item": "sku"},
                 "items": {"path": str(met), "id": "sku", "title": "sku"}}), Path())  # fmt: skip


def test_a_header_that_stands_twice_is_told(tmp_path):
    met, goods = tables(tmp_path, MET.replace("customer,sku,stars", "customer,customer,stars"))
    with pytest.raises(DataError) as error:
        propose_for([met])
    assert f"{met}: column 'customer' stands in the header twice; rename one of them" in str(error.value)
    assert "name it too" not in str(error.value)
    goods.write_text(goods.read_text().replace("name,shelf", "name,name"))
    met.write_text(MET)
    assert f"{goods}: column 'name' stands in the header twice; rename one of them" in propose_for([met, goods]).doubts


@pytest.mark.parametrize(
    ("row", "told"), [("a3,Thing 3 again,1", "'a3' stands in 2 rows"), (",Thing,1", "1 row has none")]
)
def test_a_table_of_items_where_an_id_stands_twice_or_not_at_all_is_told(tmp_path, row, told):
    met, goods = tables(tmp_path, goods=[*GOODS, row])
    proposal = propose_for([met, goods])
    assert not proposal.is_whole
    assert f"{goods}: 'sku' holds ids of 'sku', but {told}; a table of items or users has one row for each of them" in (
        proposal.doubts
    )
    assert not any("no file has a row per item" in doubt for doubt in proposal.doubts)


def test_a_table_of_users_where_an_id_stands_twice_is_not_passed_over_in_silence(tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("\n".join(["customer,age", *(f"c{number},{20 + number}" for number in range(8)), "c3,23"]))
    doubts = propose_for([*tables(tmp_path), people]).doubts
    assert any(doubt.startswith(f"{people}: 'customer' holds ids of 'customer', but 'c3'") for doubt in doubts)
