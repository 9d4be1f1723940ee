"""What is wrong with the rows of one's own tables is told together, or left out and counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import DatasetConfig, OwnData, load_dataset
from groundlings.environments.datasets.frames import Tables
from groundlings.environments.errors import DataError

ITEMS = "id,name,made\ni0,Hat,1999\ni1,Cap,2001\ni2,Tie,2003\n"
GOOD = ["u,i0,5,2024-03-01", "u,i1,4,2024-03-02", "v,i1,,2024-03-02", "v,i2,3,2024-03-04"]
BAD = {
    "rating": "u,i2,9,2024-03-05",
    "time": "u,i2,3,yesterday",
    "item": "u,i7,3,2024-03-05",
    "user": ",i2,3,2024-03-05",
    "cells": "u,i2,3",
    "moment": "u,i0,1,2024-03-01",
}
SAID = {
    "rating": "column 'stars': found '9', expected a rating from 1 to 5",
    "time": "column 'when': found 'yesterday', expected",
    "item": "column 'item': item 'i7' is not in the items file",
    "user": "column 'user': the cell is empty, expected a user's id",
    "cells": "found 3 cells, expected 4 as in the header",
    "moment": "user 'u' met item 'i0' at the same moment as on line 2, with another rating",
}


class Shop:
    """A directory with two tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("items.csv", ITEMS)
        self.met(GOOD)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def met(self, rows, name: str = "met.csv") -> None:
        self.write(name, "\n".join(["user,item,stars,when", *rows]) + "\n")

    def load(self, on_problem: str | None = None, **changes) -> Dataset:
        columns = {"path": "met.csv", "user": "user", "item": "item", "rating": "stars", "timestamp": "when"}
        own = {
            "interactions": {key: value for key, value in (columns | changes).items() if value is not None},
            "items": {"path": "items.csv", "id": "id", "title": "name", "year": "made"},
        }
        if on_problem is not None:
            own["on_problem"] = on_problem
        return load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=self.folder)

    def refusal(self, on_problem: str | None = None, **changes) -> str:
        with pytest.raises(DataError) as error:
            self.load(on_problem, **changes)
        return str(error.value)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_all_kinds_of_problems_are_told_in_one_message_with_counts_and_first_rows(shop):
    shop.met([*GOOD, *BAD.values(), *[BAD["rating"]] * 5])
    shop.write("items.csv", ITEMS + "i0,Again,1999\ni3,,1999\ni4,Scarf,soon\n")
    said = shop.refusal()
    assert "found 9 kinds of problems in 14 rows:" in said
    assert all(each in said for each in SAID.values()), said
    assert "met.csv, line 6: column 'stars': found '9'" in said
    assert "(5 more rows like it: line 12, line 13, line 14 ...)" in said
    for each in (
        "line 5: column 'id': 'i0' stands already on line 2",
        "line 6: column 'name'",
        "line 7: column 'made'",
    ):
        assert f"items.csv, {each}" in said
    assert said.endswith("leave such rows out with own.on_problem: drop")


def test_rows_after_one_with_too_few_cells_keep_their_lines(shop):
    shop.met([GOOD[0], BAD["cells"], BAD["cells"], GOOD[1], BAD["rating"], BAD["cells"], BAD["time"]])
    said = shop.refusal()
    assert "line 3: found 3 cells, expected 4 as in the header; quote cells that hold a comma (2 more rows" in said
    assert "line 6: column 'stars'" in said
    assert "line 8: column 'when'" in said


def test_columns_and_files_that_cannot_be_used_are_told_together_and_are_not_left_out(shop):
    shop.write("items.csv", "id,titel,made\ni0,Hat,1999\n")
    said = shop.refusal("drop", rating="star", user="customer")
    for column in ("'name' (own.items.title)", "'star' (own.interactions.rating)", "'customer'"):
        assert f"column {column}" in said
    assert "has to be mended" in said
    (shop.folder / "items.csv").unlink()
    said = shop.refusal(path="nowhere.csv")
    assert "nowhere.csv: no such file" in said
    assert "items.csv: no such file" in said


kinds = st.lists(st.sampled_from(sorted(BAD)), max_size=6, unique=True)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    bad=kinds, at=st.lists(st.integers(0, 4), min_size=6, max_size=6), on_problem=st.sampled_from(["drop", "report"])
)
def test_what_is_left_is_what_it_would_be_without_the_bad_rows(shop, bad, at, on_problem):
    rows = list(GOOD)
    for kind, place in zip(bad, at, strict=False):
        rows.insert(len(rows) if kind == "moment" else place, BAD[kind])
    shop.met(GOOD)
    whole = shop.load()
    shop.met(rows)
    left = shop.load(on_problem)
    assert left.fingerprint == whole.fingerprint
    assert len(left.notes) == len(bad)
    for kind in bad:
        told = SAID[kind].replace("line 2", f"line {rows.index(GOOD[0]) + 2}")
        assert any(told in note and "left out" in note for note in left.notes), (kind, left.notes)


def test_an_item_that_is_left_out_takes_its_interactions_with_it_and_both_are_counted(shop):
    shop.write("items.csv", ITEMS.replace("2003", "soon"))
    dataset = shop.load("drop")
    assert dataset.catalog.item_ids == ("i0", "i1")
    assert len(dataset.interactions) == 3
    assert [note.split(":")[0].rsplit("/", 1)[-1] for note in dataset.notes] == ["items.csv", "met.csv"]
    assert "item 'i2'" not in shop.refusal()


def test_somebody_all_of_whose_rows_are_left_out_is_no_user(shop):
    shop.met([*GOOD, "Total,,,"])
    dataset = shop.load("drop")
    assert dataset.people.user_ids == ("u", "v")
    assert dataset.interactions.n_users == 2


def test_a_file_of_which_nothing_can_be_used_is_refused(shop):
    shop.met([BAD["rating"]] * 3)
    assert "own.on_problem leaves out all rows" in shop.refusal("drop")


# Rows of one moment


def test_rows_that_agree_are_one_interaction_and_are_counted(shop):
    shop.met([*GOOD, "u,i0,,2024-03-01", "u,i0,5,2024-03-01", "v,i1,2,2024-03-02"])
    dataset = shop.load()
    shop.met(["u,i0,5,2024-03-01", "u,i1,4,2024-03-02", "v,i1,2,2024-03-02", "v,i2,3,2024-03-04"])
    once = shop.load()
    assert dataset.fingerprint == once.fingerprint
    assert once.notes == ()
    assert dataset.notes == (
        "interactions: 3 rows name a user, an item and a time that another row names, and count once with it "
        "(own.interactions.same_moment: merge)",
    )


@pytest.mark.parametrize("gap", ["", "NULL"])
@pytest.mark.parametrize("time", ["{}", "{}000", "{}.5", "20240301"])
def test_a_gap_in_the_first_row_does_not_make_the_other_times_wrong(tmp_path, time, gap):
    shop = Shop(tmp_path)
    shop.met([f"u,i2,3,{gap}", *(f"u{n},i1,4,{time.format(1_700_000_000 + n)}" for n in range(3))])
    told = shop.refusal()
    assert f"found '{gap}', expected" in told
    assert "more row" not in told
    assert len(shop.load("drop").interactions.users) == 3


@pytest.mark.parametrize(("rule", "stars"), [("first", 5), ("last", 1)])
def test_the_first_or_the_last_row_counts_where_the_file_says_so(shop, rule, stars):
    shop.met([*GOOD, "u,i0,,2024-03-01", BAD["moment"]])
    dataset = shop.load(same_moment=rule)
    assert dataset.interactions.ratings[0] == stars
    assert len(dataset.interactions) == 4
    assert "2 rows name" in dataset.notes[0]
    assert "line 6" in shop.refusal(same_moment="refuse")


def test_repeats_without_times_are_merged_only_where_the_file_says_so(shop):
    shop.met([GOOD[0], GOOD[0].replace("01", "09")])
    assert "own.interactions.same_moment: merge" in shop.refusal(timestamp=None)
    assert len(shop.load(timestamp=None, same_moment="merge").interactions) == 1
    assert len(shop.load().interactions) == 2


# Several files


def test_a_list_of_files_and_a_pattern_are_read_as_one_file(shop):
    whole = shop.load()
    shop.met(GOOD[:1], "met-2.csv")
    (shop.folder / "met-1.csv").write_text("when;stars;item;user\n2024-03-02;4;i1;u\n")
    shop.met(GOOD[2:], "met-3.csv")
    listed = shop.load(path=["met-2.csv", "met-1.csv", "met-3.csv"])
    assert listed.fingerprint == whole.fingerprint
    assert listed.source == "met-2.csv, met-1.csv, met-3.csv, items.csv"
    assert shop.load(path="met-*.csv").fingerprint == whole.fingerprint
    shop.met([*GOOD[2:], BAD["cells"], BAD["rating"]], "met-3.csv")
    said = shop.refusal(path="met-?.csv")
    assert "met-3.csv, line 4: found 3 cells" in said
    assert "met-3.csv, line 5: column 'stars'" in said


def test_files_that_lack_a_column_or_stand_twice_are_named(shop):
    shop.write("met-1.csv", "user,item,when\nu,i0,2024-03-01\n")
    assert "met-1.csv: column 'stars'" in shop.refusal(path=["met.csv", "met-1.csv"])
    assert "met.csv: the file is named twice" in shop.refusal(path=["met.csv", "met*.csv"])
    assert "no file has a name of this pattern" in shop.refusal(path="sold-*.csv")


def test_parquet_files_with_different_kinds_of_one_column_are_refused(shop):
    for number, stars in enumerate(([5.0], ["five"])):
        table = {"user": ["u"], "item": ["i0"], "stars": stars, "when": ["2024-03-01"]}
        pyarrow.parquet.write_table(pa.table(table), shop.folder / f"part{number}.parquet")
    assert "their columns are of different kinds" in shop.refusal(path="part*.parquet")


def test_ids_that_look_alike_and_are_two_are_told(shop):
    shop.met([*GOOD, "caf\u00e9,i0,5,2024-03-01", "cafe\u0301,i1,5,2024-03-01"])
    (note,) = shop.load().notes
    assert note.startswith(
        r"users: of the ids 'caf\xe9' (with U+00E9) and 'cafe\u0301' (with U+0065, U+0301) look alike"
    )


def test_json_and_headers_that_stand_twice_are_called_by_their_name(shop):
    shop.write("met.json", '[{"user": "u", "item": "i0"}]')
    assert "met.json: the file is JSON; save it as CSV" in shop.refusal(path="met.json")
    shop.write("met.csv", "user,item,stars,when,user\nu,i0,5,2024-03-01,w\n")
    said = shop.refusal()
    assert "column 'user' (own.interactions.user) stands in the header twice" in said
    assert said.endswith("; rename one of them")


# Data frames


def test_problems_of_data_frames_are_collected_and_left_out_alike():
    frame = pd.DataFrame(
        {"user": ["u", "u", "v"], "item": ["a", "b", "a"], "timestamp": [1, 2, 3], "rating": [5.0, np.inf, 9.0]}
    )
    with pytest.raises(DataError, match=r"(?s)2 kinds of problems in 2 rows.*row 2: .*found inf.*row 3: .*found '9'"):
        _loaded(Tables(frame))
    dataset = _loaded(Tables(frame, on_problem="drop"))
    assert len(dataset.interactions) == 1
    assert len(dataset.notes) == 2
    with pytest.raises(ValidationError, match="on_problem"):
        DatasetConfig.model_validate({"name": "own", "own": Tables(frame, on_problem="ignore").section()})


def _loaded(tables: Tables) -> Dataset:
    return tables.load(OwnData.model_validate(tables.section()))


# Kinds and weights


def test_weights_of_rows_of_one_moment_add_up_and_other_kinds_are_other_interactions(shop):
    rows = ["u,i0,buy,2,2024-03-01", "u,i0,buy,,2024-03-01", "u,i0,buy,3,2024-03-01", "u,i0,look,1,2024-03-01"]
    shop.write("met.csv", "\n".join(["user,item,what,n,when", *rows, "v,i1,buy,,2024-03-02", "v,i1,buy,,2024-03-02"]))
    columns = {"rating": None, "kind": "what", "kinds": {"buy": "purchase", "look": "view"}, "weight": "n"}
    dataset = shop.load(**columns)
    weights = dict(zip(dataset.interactions.kinds.tolist(), dataset.interactions.weights.tolist(), strict=False))
    assert len(dataset.interactions) == 3
    assert sorted(dataset.interactions.weights[:2].tolist()) == [1, 5]
    assert np.isnan(dataset.interactions.weights[2]), weights
    assert dataset.notes[0].startswith("interactions: 3 rows name")
    shop.write("met.csv", "\n".join(["user,item,what,n,when", *rows, "v,i1,steal,-1,2024-03-02"]))
    said = shop.refusal(**columns)
    assert "found 2 kinds of problems in 2 rows" in said
    assert "'steal' (1 row)" in said
    assert len(shop.load("drop", **columns).interactions) == 2
