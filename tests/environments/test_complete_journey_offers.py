"""Prices, displays and mailers of made-up households, in the layout of the package; nothing here is real."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from groundlings.environments.datasets.archives import Files
from groundlings.environments.datasets.complete_journey_offers import read_offers
from groundlings.environments.datasets.config import CompleteJourneyOptions
from groundlings.environments.errors import DataError

PRODUCTS = np.array([10, 11, 12])
# (product, quantity, sales value, manufacturer's coupon, week, time); week 2 begins on 2017-01-02
SALES = [
    (10, 2, 4.0, 0.0, 1, "2017-01-01T12:00"),
    (10, 1, 2.5, 0.5, 1, "2017-01-01T13:00"),
    (10, 1, 9.0, 0.0, 1, "2017-01-02T04:00"),  # after midnight, still of week 1
    (11, 1, 1.0, 0.0, 2, "2017-01-02T06:00"),
    (11, 0, 5.0, 0.0, 2, "2017-01-03T06:00"),  # nothing was bought
    (99, 1, 7.0, 0.0, 2, "2017-01-04T06:00"),  # not in the catalog
    (10, 1, 1.5, 0.0, 3, "2017-01-09T06:00"),
]
# (product, store, display, mailer, week); week 1 has four stores that promote anything, week 2 one
PROMOTED = [
    (10, 1, "3", "0", 1),
    (10, 2, "0", "A", 1),
    (11, 3, "0", "A", 1),
    (99, 4, "5", "0", 1),
    (10, 1, "0", "0", 2),
    (12, 1, "1", "0", 2),
]


def files(role: str, names: tuple[str, ...], rows: list[tuple]) -> Files:
    columns = dict(zip(names, (list(column) for column in zip(*rows, strict=True)), strict=True))
    if "transaction_timestamp" in columns:
        columns["transaction_timestamp"] = pa.array(np.array(columns["transaction_timestamp"], dtype="datetime64[ns]"))
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), buffer)
    return Files("wheel", {role: buffer.getvalue()}, "a test")


def sales() -> Files:
    names = ("product_id", "quantity", "sales_value", "coupon_match_disc", "week", "transaction_timestamp")
    return files("transactions", names, SALES)


def promotions() -> Files:
    return files("promotions", ("product_id", "store_id", "display_location", "mailer_location", "week"), PROMOTED)


def test_a_week_has_the_median_price_and_keeps_the_last_one_that_was_seen():
    offers, notes = read_offers(sales(), promotions(), PRODUCTS, "2017-01-03")

    def prices(day):
        return offers.on(int(np.datetime64(day).astype(int))).prices

    np.testing.assert_equal(prices("2017-01-01"), [3.0, np.nan, np.nan])
    np.testing.assert_equal(prices("2017-01-02"), [3.0, 1.0, np.nan])
    np.testing.assert_equal(prices("2017-01-15"), [1.5, 1.0, np.nan])
    np.testing.assert_equal(prices("2017-01-16"), [np.nan] * 3)
    assert offers.opening(10**9) == int(np.datetime64("2017-01-03").astype(int))
    assert (offers.currency, np.isnan(offers.stock).all()) == ("$", True)
    assert "3 of 9 pairs of a product and a week have sales, 2 further ones" in notes[0]
    assert "4 before a product's first sale are unknown" in notes[0]


def test_a_product_is_promoted_where_half_of_the_promoting_stores_do_it():
    offers, _ = read_offers(sales(), promotions(), PRODUCTS, "2017-01-03")
    weeks = [offers.on(int(np.datetime64(day).astype(int))).promoted.tolist() for day in ("2017-01-01", "2017-01-05")]
    assert weeks == [[True, False, False], [False, False, True]]


def test_a_date_that_is_none_and_a_damaged_table_are_refused():
    with pytest.raises(DataError, match="found 2017-02-31, expected a date of 2017"):
        read_offers(sales(), promotions(), PRODUCTS, "2017-02-31")
    with pytest.raises(DataError, match="fetch the data again"):
        read_offers(sales(), Files("wheel", {"promotions": b"PAR1"}, "a test"), PRODUCTS, "2017-01-03")


def test_offers_are_asked_for_by_a_word_or_with_the_day_that_is_simulated_first():
    assert CompleteJourneyOptions.model_validate({"offers": True}).offers.begins == "2017-12-04"
    assert CompleteJourneyOptions.model_validate({"offers": {"begins": "2017-10-02"}}).offers.begins == "2017-10-02"
    assert CompleteJourneyOptions().offers is None
    with pytest.raises(ValidationError):
        CompleteJourneyOptions.model_validate({"offers": {"begins": "2018-01-01"}})
