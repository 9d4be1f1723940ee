"""Prices, stock and promotions by day: the table of one's own, and what is offered on a day."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import DatasetConfig, OwnData, load_dataset
from groundlings.environments.datasets.copies import as_copied
from groundlings.environments.datasets.frames import Tables
from groundlings.environments.errors import DataError
from groundlings.environments.offers import PRICE, PROMOTED, STOCK, Offers

HISTORY = "user,item,time\nu,a,2024-01-01\nv,b,2024-01-02\nw,c,2024-01-03\n"
ITEMS = "id,title,kind,made_by,bought_for\na,Tea,drinks,Acme,1.20\nb,Jam,spreads,,0\nc,Rye,bread,Bake,\n"
OFFERS = {"path": "offers.csv", "item": "sku", "first_day": "from", "last_day": "to", "price": "price"}


def load(base, table: str | None = None, items: dict | None = None, **offers) -> Dataset:
    """The data set of three items, with this table of offers."""
    (base / "history.csv").write_text(HISTORY)
    if not (base / "items.csv").exists():
        (base / "items.csv").write_text(ITEMS)
    if table is not None:
        (base / "offers.csv").write_text(table)
    own = {
        "interactions": {"path": "history.csv", "user": "user", "item": "item", "timestamp": "time"},
        "items": {"path": "items.csv", "id": "id", "title": "title", "genres": "kind", **(items or {})},
        "offers": None if table is None and not offers else OFFERS | offers,
    }
    return load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=base)


def offers_of(rows: list[tuple], n_items: int = 3, **further) -> Offers:
    """Rows of item, first day, last day, price, stock and promoted; days are numbers."""
    items, first, last, price, stock, promoted = (list(column) for column in zip(*rows, strict=True))
    return Offers(
        np.array(items, dtype=np.int32),
        np.array(first),
        np.array(last),
        np.array(price, dtype=float),
        np.array(stock, dtype=float),
        np.array(promoted, dtype=bool),
        n_items,
        **({"dated": False} | further),
    )


def test_a_table_of_offers_says_what_is_offered_on_each_day(tmp_path):
    table = (
        "sku,from,to,price,left,ad\n"
        "a,2024-01-01,2024-01-10,2.50,10,no\n"
        "a,20240111,2024-01-12,1.99,,YES\n"
        "b,2024-01-05,,3,0,false\n"
        "b,2024-02-01,,,7,0.0\n"
    )
    offers = load(tmp_path, table, stock="left", promoted="ad", currency="EUR").offers
    assert offers.opening(86_400 * 19_737 + 77) == 19_737, "the day after the history, 2024-01-15"

    def on(day: str):
        return offers.on(int(np.datetime64(day).astype(int)))

    np.testing.assert_equal(on("2024-01-10").prices, [2.5, 3, np.nan])
    np.testing.assert_equal(on("2024-01-10").stock, [10, 0, np.nan])
    np.testing.assert_equal(on("2024-01-11").prices, [1.99, 3, np.nan])
    np.testing.assert_equal(on("2024-01-11").promoted, [True, False, False])
    assert on("2024-01-31").sold_out.tolist() == [False, True, False], "what nobody counts is not sold out"
    np.testing.assert_equal(on("2024-02-01").prices, [np.nan] * 3), "an empty price is unknown, and never 0"
    assert on("2024-02-01").sold_out.tolist() == [False] * 3
    assert on("2024-01-11").currency == "EUR"


def test_a_price_list_without_days_holds_from_the_beginning(tmp_path):
    prices = load(tmp_path, path="items.csv", item="id", first_day=None, last_day=None, price="bought_for").offers
    np.testing.assert_equal(prices.on(prices.opening(10**9)).prices, [1.2, 0, np.nan])


def test_numbers_of_days_count_from_the_first_simulated_one_unless_another_begins(tmp_path):
    table = "sku,from,to,price\na,0,2,1\na,3,5,2\n"
    assert load(tmp_path, table).offers.opening(10**9) == 0
    assert load(tmp_path, table, begins=3).offers.opening(10**9) == 3
    dated = "sku,from,to,price\na,2024-01-01,2024-01-02,1\n"
    begun = load(tmp_path, dated, begins="2024-01-02").offers
    assert begun.on(begun.opening(10**9)).prices[0] == 1


def test_from_and_to_are_understood_as_keys(tmp_path):
    table = "sku,from,to,price\na,0,2,1\n"
    short = load(tmp_path, table, first_day=None, last_day=None, **{"from": "from", "to": "to"})
    assert short.fingerprint == load(tmp_path, table).fingerprint


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (b"d,caf\xe9,,,\n", r"^\S+items.csv, line 5: byte 0xe9 is not UTF-8; save the file as UTF-8$"),
        (
            b"d,Oil\n",
            r"^\S+items.csv, line 5: found 2 cells, expected 5 as in the header; quote cells that hold a comma$",
        ),
    ],
)
def test_what_is_wrong_with_a_file_that_is_read_as_items_and_as_offers_is_told_once(tmp_path, row, told):
    (tmp_path / "items.csv").write_bytes(ITEMS.encode() + row)
    with pytest.raises(DataError, match=told):
        load(tmp_path, path="items.csv", item="id", first_day=None, last_day=None, price="bought_for")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("zz,2024-01-01,2024-01-02,1,1,0", "item 'zz' is not in the items file"),
        (",2024-01-01,2024-01-02,1,1,0", "expected an item's id"),
        ("a,2024-02-30,2024-03-01,1,1,0", "expected a date such as 2024-01-31"),
        ("a,31.01.2024,2024-03-01,1,1,0", "expected a date such as 2024-01-31"),
        ("a,2024-01-05,2024-01-04,1,1,0", "ends on 2024-01-04, before it begins on 2024-01-05"),
        ("a,2024-01-01,2024-01-02,$3.99,1,0", "'$3.99', expected a price of at least 0, such as 3.99"),
        ("a,2024-01-01,2024-01-02,1e308,1,0", "column 'price': found '1e308', expected 1e+15 (1,000,000,000,000,000)"),
        ("a,2024-01-01,2024-01-02,-1,1,0", "expected a price of at least 0"),
        ("a,2024-01-01,2024-01-02,nan,1,0", "expected a price of at least 0"),
        ("a,2024-01-01,2024-01-02,1,few,0", "expected units in stock"),
        ("a,2024-01-01,2024-01-02,1,-3,0", "expected units in stock"),
        ("a,2024-01-01,2024-01-02,1,1,perhaps", "expected 1 or 0, true or false, yes or no"),
        ("a,2024-01-01,2024-01-02,1,1,", "expected 1 or 0, true or false, yes or no"),
        ("b,2024-01-20,2024-01-25,1,1,0", "begins on 2024-01-20, while that of line 2 for the same item holds until"),
        ("a,12,2024-01-25,1,1,0", "among dates; write all days as dates, or all as numbers"),
    ],
)
def test_what_an_offer_cannot_be_is_refused_with_its_row(tmp_path, row, complaint):
    table = f"sku,from,to,price,left,ad\nb,2024-01-01,2024-01-31,1,1,0\n{row}\n"
    with pytest.raises(DataError) as refused:
        load(tmp_path, table, stock="left", promoted="ad")
    assert complaint in str(refused.value)
    assert "offers.csv, line 3: column" in str(refused.value)


def test_one_item_twice_in_a_price_list_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"line 3: column 'sku': the item of line 2 stands here again"):
        load(tmp_path, "sku,price\na,1\na,2\n", first_day=None, last_day=None)


@pytest.mark.parametrize(
    ("offers", "complaint"),
    [
        ({"price": None}, "nothing is offered"),
        ({"first_day": None}, "no column `first_day` beside it"),
        ({"currency": "a currency"}, "currency"),
    ],
)
def test_keys_that_say_nothing_are_refused(tmp_path, offers, complaint):
    with pytest.raises(ValueError, match=complaint):
        load(tmp_path, "sku,from,to,price\na,0,2,1\n", **offers)


def test_features_and_costs_are_kept_and_nothing_else_changes_without_them(tmp_path):
    plain = load(tmp_path)
    described = load(tmp_path, items={"features": ["made_by"], "cost": "bought_for"})
    assert described.catalog.features["made_by"].tolist() == ["Acme", None, "Bake"]
    np.testing.assert_equal(described.catalog.costs, [1.2, 0, np.nan])
    assert plain.catalog.costs is None
    assert plain.catalog.fingerprint != described.catalog.fingerprint


def test_a_copy_of_a_data_set_has_its_offers_and_features(tmp_path):
    table = "sku,from,to,price,left,ad\na,2024-01-01,2024-01-10,2.50,10,no\nb,2024-01-05,,,,1\n"
    for begins in (None, "2024-01-03"):
        dataset = load(
            tmp_path,
            table,
            {"features": ["made_by", "id"], "cost": "bought_for"},
            stock="left",
            promoted="ad",
            currency="EUR",
            begins=begins,
        )
        copied = as_copied(dataset)
        assert copied.offers.fingerprint == dataset.offers.fingerprint
        assert copied.catalog.fingerprint == dataset.catalog.fingerprint


def test_frames_make_the_offers_of_the_same_table_in_a_file(tmp_path):
    table = "sku,from,to,price,left,ad\na,2024-01-01,2024-01-10,2.50,10,0\nb,2024-01-05,,,,1\n"
    wanted = load(tmp_path, table, {"cost": "bought_for", "features": ["made_by"]}, stock="left", promoted="ad")
    offers = pd.read_csv(io.StringIO(table), parse_dates=["from", "to"]).astype({"ad": bool})
    tables = Tables(
        pd.read_csv(io.StringIO(HISTORY)),
        pd.read_csv(io.StringIO(ITEMS)),
        columns={
            "interactions": {"timestamp": "time"},
            "items": {"genres": "kind", "cost": "bought_for", "features": ["made_by"]},
            "offers": {"item": "sku", "first_day": "from", "last_day": "to", "stock": "left", "promoted": "ad"},
        },
        offers=offers,
    )
    found = tables.load(OwnData.model_validate(tables.section()))
    assert found.offers.fingerprint == wanted.offers.fingerprint
    assert found.catalog.fingerprint == wanted.catalog.fingerprint


def test_the_usual_price_is_that_of_most_days_before():
    offers = offers_of(
        [(0, -20, -11, 5, np.nan, 0), (0, -10, -9, 3, np.nan, 1), (0, 0, 90, 9, np.nan, 0), (1, 0, 9, 2, 1, 0)]
    )
    np.testing.assert_equal(offers.usual_prices(0), [5, 2, np.nan])
    np.testing.assert_equal(offers.usual_prices(60), [9, 2, np.nan])


def test_empty_slots_show_nothing():
    page = offers_of([(0, 0, 9, 5, 2, 1)]).on(3).on_page(np.array([[0, 1, NO_ITEM]], dtype=np.int32))
    np.testing.assert_equal(page[PRICE], [[5, np.nan, np.nan]])
    np.testing.assert_equal(page[PROMOTED], [[True, False, False]])
    np.testing.assert_equal(page[STOCK], [[2, np.nan, np.nan]])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-5, 5), st.integers(0, 4)), min_size=1, max_size=6))
def test_an_item_has_one_offer_a_day_or_the_table_is_refused(periods):
    rows = [(item, first, first + length, number, np.nan, 0) for number, (item, first, length) in enumerate(periods)]
    there = [{(item, day) for day in range(first, last + 1)} for item, first, last, *_ in rows]
    if sum(map(len, there)) > len(set().union(*there)):
        with pytest.raises(DataError, match="overlap"):
            offers_of(rows)
        return
    offers = offers_of(rows)
    for day in range(-6, 12):
        wanted = [
            next((row[3] for row, days in zip(rows, there, strict=True) if (item, day) in days), np.nan)
            for item in range(3)
        ]
        np.testing.assert_equal(offers.on(day).prices, np.array(wanted, dtype=float))


def test_numbers_and_ids_of_offers_are_read_as_those_of_other_tables(tmp_path):
    (tmp_path / "history.csv").write_text("user,item,time\nu,1,2024-01-01\nv,2,2024-01-02\n")
    (tmp_path / "items.csv").write_text("id;title;cost\n1;Tea;1,25\n2;Jam;\n")
    (tmp_path / "offers.csv").write_text("sku;price;left\n1.0;2,75;3\n2.0;;0,5\n")
    own = {
        "interactions": {"path": "history.csv", "user": "user", "item": "item", "timestamp": "time"},
        "items": {"path": "items.csv", "id": "id", "title": "title", "cost": "cost"},
        "offers": {"path": "offers.csv", "item": "sku", "price": "price", "stock": "left"},
    }
    data = load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=tmp_path)
    today = data.offers.on(0)
    np.testing.assert_array_equal(today.prices, [2.75, np.nan])
    np.testing.assert_array_equal(today.stock, [3, 0.5])
    np.testing.assert_array_equal(data.catalog.features["cost"], [1.25, np.nan])


def test_offers_of_an_item_that_is_left_out_go_with_it(tmp_path):
    (tmp_path / "history.csv").write_text(HISTORY)
    (tmp_path / "items.csv").write_text(ITEMS.replace("a,Tea", "a,"))
    (tmp_path / "offers.csv").write_text("sku,price\na,1\nb,2\nc,3\n")
    own = {
        "interactions": {"path": "history.csv", "user": "user", "item": "item", "timestamp": "time"},
        "items": {"path": "items.csv", "id": "id", "title": "title"},
        "offers": {"path": "offers.csv", "item": "sku", "price": "price"},
        "on_problem": "drop",
    }
    data = load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=tmp_path)
    assert data.catalog.item_ids == ("b", "c")
    np.testing.assert_array_equal(data.offers.on(0).prices, [2, 3])
    assert any("offers.csv: 1 row left out" in note and "'a' is left out" in note for note in data.notes)
    (tmp_path / "offers.csv").write_text("sku,price\na,1\nz,2\n")
    with pytest.raises(DataError, match="item 'z' is not in the items file"):
        load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=tmp_path)
