"""Data frames become the data set that the same tables in files become, and come back from their copies unchanged."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import DatasetConfig, OwnData, load_dataset
from groundlings.environments.datasets.copies import as_copied, copies_of, described
from groundlings.environments.datasets.frames import Tables
from groundlings.environments.datasets.own import load_own
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import ConfigError, DataError

PURCHASES = pd.DataFrame(
    {
        "customer": ["c7", "c7", "c8", "c8"],
        "sku": ["a1", "a2", "a1", "a3"],
        "stars": [5, 4, None, 2.5],
        "bought_at": ["2024-03-01T09:30:00", "2024-03-02T18:00:00", "2024-03-02T20:15:00", "2024-03-05T12:00:00"],
    }
)
PRODUCTS = pd.DataFrame(
    {
        "sku": ["a1", "a2", "a3"],
        "name": ["Boots", 'Jacket, "warm"', "Shoes"],
        "made": [2021, 2020, None],
        "categories": ["outdoor/shoes", "outdoor", None],
        "blurb": ["Soft\nsole.", None, None],
    }
)
CUSTOMERS = pd.DataFrame({"customer": ["c7", "c8"], "age": [34, None], "town": ["Porto", "Leeds"]})
COLUMNS = {
    "interactions": {"user": "customer", "item": "sku", "rating": "stars", "timestamp": "bought_at"},
    "items": {
        "id": "sku",
        "title": "name",
        "year": "made",
        "genres": "categories",
        "genre_separator": "/",
        "text": "blurb",
    },
    "users": {"id": "customer"},
}
OF_TWO = {name: COLUMNS[name] for name in ("interactions", "items")}
SCALE = {"low": 1, "high": 5, "step": 0.5}


def loaded(tables: Tables) -> Dataset:
    return tables.load(OwnData.model_validate(tables.section()))


def met(*rows: tuple[object, object, int]) -> Tables:
    return Tables(pd.DataFrame(rows, columns=["user", "item", "timestamp"]))


def from_disk(dataset: Dataset, folder: Path) -> Dataset:
    """What a later process reads of a data set's copies."""
    (folder / "data").mkdir()
    for name, table in copies_of(dataset).items():
        pyarrow.parquet.write_table(table, folder / "data" / f"{name}.parquet")
    return load_own(described(dataset), folder)


def test_frames_are_what_the_same_tables_in_files_are(tmp_path):
    own = {}
    frames = {"interactions": PURCHASES, "items": PRODUCTS, "users": CUSTOMERS.astype({"age": "Int64"})}
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        own[name] = {"path": f"{name}.csv", **COLUMNS[name]}
    own["users"]["attributes"] = ["age", "town"]
    files = DatasetConfig.model_validate({"name": "own", "own": {**own, "scale": SCALE}})
    frames_too = loaded(Tables(**frames, columns=COLUMNS, scale=SCALE))
    assert frames_too.fingerprint == load_dataset(files, base=tmp_path).fingerprint


def test_columns_that_nobody_names_have_the_names_of_their_keys():
    dataset = loaded(
        Tables(
            pd.DataFrame({"user": ["u"], "item": ["i"], "rating": [3], "timestamp": [9], "price": [[1, 2]]}),
            items=pd.DataFrame({"id": ["i"], "title": ["I"], "genres": ["a|b"], "year": [1999.0], "text": ["long"]}),
            users=pd.DataFrame({"id": ["u"], "age": [7]}),
        )
    )
    item = dataset.catalog[0]
    assert (item.title, item.genres, item.year, item.text) == ("I", ("a", "b"), 1999, "long")
    assert dataset.people.attributes == ({"age": "7"},)
    assert dataset.interactions.ratings.tolist() == [3.0]


def test_interactions_alone_make_a_data_set_whose_items_are_known_by_their_ids():
    dataset = loaded(met((10, "b", 1), (9, "a", 2), (9, "b", 3)))
    assert dataset.people.user_ids == ("9", "10")
    assert dataset.catalog.item_ids == dataset.catalog.titles == ("a", "b")
    assert np.isnan(dataset.interactions.ratings).all()


def test_times_may_be_those_of_pandas():
    frame = met(("u", "i", 0), ("u", "j", 0)).interactions
    moments = pd.to_datetime(["2024-03-01 09:30", "2024-03-01 10:30"])
    for times in (moments, moments.tz_localize("UTC"), moments.tz_localize("UTC").tz_convert("Asia/Tokyo")):
        dataset = loaded(Tables(frame.assign(timestamp=times)))
        assert dataset.interactions.timestamps.tolist() == [1709285400, 1709289000]


@pytest.mark.parametrize(
    "ids",
    [
        ["007", "7", "07"],
        ["Jörg Müller", "日本", "a b  c", "null", "NaN", "None"],
        ["a,b", 'say "hi"', "line\nbreak", "tab\tstop", "e\u0301", "é", "\u202eright"],
        [7, -3, 2**60],
        pd.Categorical(["x", "y"]),
        pd.array([1, 2], dtype="Int64"),
    ],
)
def test_ids_come_back_as_they_were(ids, tmp_path):
    frame = pd.DataFrame({"user": ids, "item": ids, "timestamp": range(len(ids))})
    dataset = loaded(Tables(frame))
    assert set(dataset.people.user_ids) == set(dataset.catalog.item_ids) == {str(each) for each in ids}
    assert from_disk(dataset, tmp_path).fingerprint == dataset.fingerprint


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6).filter(
    lambda word: word == word.strip()
)
rows = st.lists(
    st.tuples(words, words, st.sampled_from([None, 1.0, 1.3, 4.9]), st.integers(-(10**10), 10**10)),
    min_size=1,
    max_size=12,
    unique_by=lambda row: (row[0], row[1], row[3]),
)


@given(
    rows=rows,
    facts=st.lists(st.dictionaries(words, words, max_size=3), min_size=12, max_size=12),
    genres=st.lists(st.lists(words.filter(lambda word: "|" not in word), max_size=3), min_size=12, max_size=12),
)
def test_a_data_set_comes_back_from_its_copies(rows, facts, genres, tmp_path_factory):
    users, items = (sorted({row[column] for row in rows}) for column in (0, 1))
    names = sorted({name for fact in facts[: len(users)] for name in fact})
    dataset = loaded(
        Tables(
            pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]).astype({"rating": float}),
            items=pd.DataFrame(
                {
                    "id": items,
                    "title": items,
                    "genres": ["\N{SNOWMAN}".join(each) for each in genres[: len(items)]],
                    "text": [None if len(item) > 3 else item for item in items],
                }
            ),
            users=pd.DataFrame({"user": users}).join(
                pd.DataFrame([{name: fact.get(name) for name in names} for fact in facts[: len(users)]])[names]
                .add_prefix("fact ")
                .astype(object)
            ),
            columns={
                # Some of these numbers look like days written as DDMMYY; that they are seconds is said.
                "interactions": {"time_unit": "s"},
                "items": {"genre_separator": "\N{SNOWMAN}"},
                "users": {"id": "user", "attributes": [f"fact {name}" for name in names]},
            },
            scale={"low": 1, "high": 5.2, "step": 0.1},
        )
    )
    folder = tmp_path_factory.mktemp("copies")
    assert from_disk(dataset, folder).fingerprint == dataset.fingerprint
    assert as_copied(dataset).fingerprint == dataset.fingerprint


def test_an_attribute_may_be_called_as_the_copies_call_the_id():
    users = pd.DataFrame({"who": ["u"], "id": ["passport"], "id_": ["card"]})
    dataset = loaded(Tables(met(("u", "i", 1)).interactions, users=users, columns={"users": {"id": "who"}}))
    assert as_copied(dataset).people.attributes == ({"id": "passport", "id_": "card"},)


@pytest.mark.parametrize(
    ("tables", "parts"),
    [
        (
            met(("u", "i", 1), (None, "i", 2)),
            ["interactions (data frame), row 2", "column 'user'", "the cell is empty"],
        ),
        (met(("u", "i", 1), ("v ", "i", 2)), ["row 2", "column 'user'", "found 'v '", "without spaces at its ends"]),
        (met((1.0, "i", 1)), ["column 'user'", "holds double", "text or whole numbers"]),
        (met(("u", "i", 1), (3, "i", 2)), ["column 'user'", "mixes kinds of values"]),
        (
            Tables(met(("u", "i", 1), ("u", "i", 1)).interactions, columns={"interactions": {"same_moment": "refuse"}}),
            ["row 2", "user 'u' met item 'i'", "row 1"],
        ),
        (met(("u", "i", "soon")), ["row 1", "column 'timestamp'", "found 'soon'", "seconds since 1970"]),
        (met(("u", "i", 881250949), ("u", "j", 881250950), ("u", "k", 881250949000)), ["row 3", "like milliseconds"]),
        (met(), ["interactions (data frame)", "no rows"]),
        (Tables(pd.DataFrame({"user": ["u"], "itme": ["i"], "timestamp": [1]})), ["'item'", "did you mean 'itme'"]),
        (
            Tables(pd.DataFrame([["u", "i", 1, 2]], columns=["user", "item", "timestamp", "item"])),
            ["column 'item'", "stands in the header twice"],
        ),
        (
            Tables(PURCHASES.assign(stars=[5, 4.2, None, 3]), items=PRODUCTS, columns=OF_TWO),
            ["interactions (data frame), row 2", "column 'stars'", "found '4.2'", "1 to 5 in steps of 1"],
        ),
        (
            Tables(PURCHASES, items=PRODUCTS.iloc[:2], columns=OF_TWO, scale=SCALE),
            ["row 4", "column 'sku'", "item 'a3' is not in the items file"],
        ),
        (
            Tables(PURCHASES, items=PRODUCTS.assign(sku="a1"), columns=OF_TWO, scale=SCALE),
            ["items (data frame), row 2", "'a1' stands already on row 1"],
        ),
    ],
)
def test_a_bad_frame_is_one_error_with_column_row_found_and_expected(tables, parts):
    with pytest.raises(DataError) as error:
        loaded(tables)
    for part in parts:
        assert part in str(error.value)


def test_a_bad_frame_gets_the_message_of_a_bad_file(tmp_path):
    frame = met(("u", "i", 1), ("u", "j", "soon")).interactions.astype(str)
    frame.to_parquet(tmp_path / "interactions.parquet")
    pd.DataFrame({"id": ["i", "j"], "title": ["I", "J"]}).to_parquet(tmp_path / "items.parquet")
    own = OwnData.model_validate(
        {
            "interactions": {"path": "interactions.parquet", "user": "user", "item": "item", "timestamp": "timestamp"},
            "items": {"path": "items.parquet", "id": "id", "title": "title"},
        }
    )
    with pytest.raises(DataError) as of_file:
        load_own(own, tmp_path)
    with pytest.raises(DataError) as of_frame:
        loaded(Tables(frame))
    assert str(of_file.value).partition(",")[2] == str(of_frame.value).partition(",")[2]


def test_what_is_no_frame_and_what_is_no_table_is_refused():
    with pytest.raises(ConfigError, match=r"items: found list, expected a pandas DataFrame"):
        Tables(PURCHASES, items=[1]).section()
    with pytest.raises(ConfigError, match=r"columns: found 'people', expected one of interactions, items"):
        Tables(PURCHASES, items=PRODUCTS, columns={"people": {}}).section()


def test_simulated_interactions_are_no_data_set():
    dataset = loaded(met(("u", "i", 1)))
    object.__setattr__(dataset.interactions, "synthetic", np.array([True]))
    with pytest.raises(DataError, match="simulated"):
        copies_of(dataset)


def test_a_table_in_memory_reads_as_its_file():
    table = copies_of(loaded(met(("u", "i", 1))))["interactions"]
    content = io.BytesIO()
    pyarrow.parquet.write_table(table, content)
    again = pyarrow.parquet.read_table(io.BytesIO(content.getvalue()))
    assert Table(Path("x"), again, False).column("user", "k").cells == ["u"]


@pytest.mark.parametrize("frequency", ["D", "M", "s"])
def test_periods_are_no_seconds(frequency: str):
    met = pd.DataFrame({"user": ["u1", "u1"], "item": ["a", "b"]})
    met["timestamp"] = pd.period_range("2024-01", periods=2, freq=frequency)
    tables = Tables(met)
    with pytest.raises(DataError, match=r"column 'timestamp'.* holds extension<.*period.*to_timestamp"):
        tables.load(OwnData.model_validate(tables.section()))


def test_stars_that_are_decimals_are_the_same_stars():
    met = pd.DataFrame({"user": ["u1", "u1"], "item": ["a", "b"], "timestamp": [1_700_000_000, 1_700_000_100]})
    for stars in (["3.50", "4.00"], ["3.00", "4.00"]):
        tables = Tables(met.assign(rating=[Decimal(each) for each in stars]), scale={"low": 1, "high": 5, "step": 0.5})
        assert tables.load(OwnData.model_validate(tables.section())).interactions.ratings.tolist() == [
            *map(float, stars)
        ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": 5}, "columns: found 5, expected a mapping of tables"),
        ({"columns": [("interactions", {})]}, "columns: found .*, expected a mapping of tables"),
        ({"columns": {"interactions": None}}, "columns.interactions: found None, expected a mapping of keys"),
        ({"columns": {"interactions": "user"}}, "columns.interactions: found 'user', expected a mapping of keys"),
        ({"scale": "1 to 5"}, "scale: found '1 to 5', expected a mapping with low, high and step"),
        (
            {"columns": {"interactions": {"path": "/etc/passwd"}}},
            "found the path '/etc/passwd', and data frames have none",
        ),
        ({"columns": {"interactions": {"held_out": {"path": "x"}}}}, "found the path 'x', and data frames have none"),
    ],
)
def test_options_in_another_form_are_one_message(options, said):
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "timestamp": [1, 2]})
    with pytest.raises(ConfigError, match=said):
        loaded(Tables(frame, **options))


def test_halves_of_characters_in_headers_are_escapes_and_in_cells_refused():
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "timestamp": [1, 2], "more": [1, 2]})
    frame.columns = pd.Index(["user", "item", "timestamp", "t\ud800"], dtype=object)
    assert len(loaded(Tables(frame)).interactions) == 2
    frame["user"] = pd.Series(["a\ud800", "b"], dtype=object)
    with pytest.raises(DataError, match="column 'user'"):
        loaded(Tables(frame))
