"""A look at one's own tables proposes a mapping, says why, and says where it could be otherwise."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.datasets import OwnData
from groundlings.environments.datasets.own import load_own
from groundlings.environments.datasets.proposal import Proposal, propose_for
from groundlings.environments.datasets.tables import Table
from groundlings.environments.errors import DataError

USERS, ITEMS = 12, 9
MOMENTS = ["2024-03-01T09:30:00.250", "2024-03-02 18:00:00+01:00", "2024-03-03"]


def met(headers=("customer", "sku", "stars", "bought_at"), time="iso") -> pd.DataFrame:
    rows = [
        (f"c{user}", f"a{(user * 5 + place) % ITEMS}", place % 5 + 1, place)
        for user in range(USERS)
        for place in range(6)
    ]
    moments = {
        "iso": lambda n: f"2024-03-{n + 1:02d} 10:00:00",
        "seconds": lambda n: 1_700_000_000 + n,
        "milliseconds": lambda n: 1_700_000_000_123 + n,
        "digits": lambda n: 20240301 + n,
    }[time]
    return pd.DataFrame([(*row[:3], moments(row[3])) for row in rows], columns=list(headers))


def goods(headers=("sku", "name", "made", "categories", "blurb")) -> pd.DataFrame:
    long = "A long description of what this is and what it is for, in words. "
    rows = [(f"a{n}", f"Thing {n}", 1990 + n, ["x|y", "x", "y|z"][n % 3], f"{long}{n}") for n in range(ITEMS)]
    return pd.DataFrame(rows, columns=list(headers))


def folks() -> pd.DataFrame:
    rows = [(f"c{n}", 20 + n % 5, f"c{n}@example.org") for n in range(USERS)]
    return pd.DataFrame(rows, columns=["customer", "age", "mail"])


def columns(proposal: Proposal) -> dict[str, str | None]:
    return {choice.key: choice.column for choice in proposal.choices}


def test_columns_are_told_by_their_headers_their_cells_and_what_other_tables_say():
    proposal = propose_for([folks(), goods(), met()])
    assert proposal.section == {
        "interactions": {
            "path": "table 3 (data frame)",
            "user": "customer",
            "item": "sku",
            "timestamp": "bought_at",
            "rating": "stars",
        },
        "items": {
            "path": "table 2 (data frame)",
            "id": "sku",
            "title": "name",
            "year": "made",
            "genres": "categories",
            "text": "blurb",
        },
        "users": {"path": "table 1 (data frame)", "id": "customer", "attributes": ["age"]},
        "scale": {"low": 1, "high": 5, "step": 1},
    }
    assert proposal.is_whole
    reasons = {choice.key: "; ".join(choice.reasons) for choice in proposal.choices}
    assert "100% of the ids in 'customer' are in 'customer'" in reasons["interactions.user"]
    assert "moments from 2024-03-01 to 2024-03-06" in reasons["interactions.timestamp"]
    assert "words between '|', 3 different ones" in reasons["items.genres"]
    assert any("'mail' left out" in doubt for doubt in proposal.doubts)


@pytest.mark.parametrize("time", ["iso", "seconds", "milliseconds", "digits"])
@pytest.mark.parametrize("form", ["csv", "tsv", ";", "csv.gz", "parquet"])
def test_what_is_proposed_for_files_of_every_kind_can_be_read(tmp_path, form, time):
    ending = "csv" if form == ";" else form
    for name, frame in (("log", met(time=time)), ("goods", goods())):
        path = tmp_path / f"{name}.{ending}"
        if form == "parquet":
            frame.to_parquet(path)
            continue
        text = frame.to_csv(index=False, sep={"tsv": "\t", ";": ";"}.get(form, ","))
        path.write_bytes(gzip.compress(text.encode()) if form.endswith("gz") else text.encode())
    proposal = propose_for([tmp_path / f"log.{ending}", tmp_path / f"goods.{ending}"])
    dataset = load_own(OwnData.model_validate(proposal.section), Path())
    assert (len(dataset.people), len(dataset.catalog), len(dataset.interactions)) == (USERS, ITEMS, 6 * USERS)
    assert dataset.catalog.genres[0] == ("x", "y")
    assert dataset.times_known


def test_files_with_the_same_columns_are_one_table(tmp_path):
    for number, frame in enumerate((met()[:30], met()[30:])):
        frame.to_csv(tmp_path / f"month{number}.csv", index=False)
    goods().to_csv(tmp_path / "goods.csv", index=False)
    proposal = propose_for(sorted(tmp_path.iterdir()))
    assert proposal.section["interactions"]["path"] == [str(tmp_path / f"month{number}.csv") for number in (0, 1)]
    assert len(load_own(OwnData.model_validate(proposal.section), Path()).interactions) == 6 * USERS


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (("customer", "sku", "stars", "price"), "column 'price' is not used: it looks like a price"),
        (("customer", "sku", "stars", "basket_id"), "column 'basket_id' is not used: it looks like a basket"),
        (
            ("customer", "sku", "x", "bought_at"),
            "column 'x' holds 1, 2, 3, 4, 5; if these are ratings, add `rating: x`",
        ),
    ],
)
def test_what_is_not_used_is_named_with_what_it_may_be(headers, told):
    frame = met(headers)
    if headers[3] != "bought_at":
        frame[headers[3]] = [f"{n % 7}.5" if headers[3] == "price" else f"b{n // 3}" for n in range(len(frame))]
    doubts = propose_for([frame, goods()]).doubts
    assert any(told in doubt for doubt in doubts), doubts


def test_two_columns_that_would_do_as_well_are_both_named():
    frame = met().assign(client=lambda table: table["customer"].str.replace("c", "k"))
    proposal = propose_for([frame, goods()])
    assert any(
        "interactions.user" in doubt and "'customer'" in doubt and "'client'" in doubt and "decide" in doubt
        for doubt in proposal.doubts
    )
    nameless = propose_for([met(("a", "b", "c", "d"))])
    assert not nameless.is_whole
    for role in ("user", "item"):
        assert any(f"ids of {role}s: 'a' or 'b'" in doubt for doubt in nameless.doubts)


def test_without_items_or_times_the_proposal_says_what_is_missing():
    proposal = propose_for([met().drop(columns="bought_at")])
    assert not proposal.is_whole
    assert any("no file has a row per item" in doubt for doubt in proposal.doubts)
    assert any("`split.kind` must be `random` or `given`" in doubt for doubt in proposal.doubts)


def test_a_time_that_cannot_be_read_is_named_with_the_reason():
    frame = met()
    frame["bought_at"] = [f"{place % 12 + 1:02d}{place % 28 + 1:02d}2024" for place in range(len(frame))]
    doubts = propose_for([frame, goods()]).doubts
    assert any("'bought_at' may be the time, and cannot be read so" in doubt for doubt in doubts), doubts


def test_rows_that_cannot_be_read_and_tables_without_interactions_are_said(tmp_path):
    goods().to_csv(tmp_path / "goods.csv", index=False)
    with pytest.raises(DataError, match="no file has two columns whose ids repeat"):
        propose_for([tmp_path / "goods.csv"])
    text = met().to_csv(index=False)
    (tmp_path / "log.csv").write_text(text + "c1,a1\n")
    proposal = propose_for([tmp_path / "log.csv", tmp_path / "goods.csv"])
    assert any("found 2 cells, expected 4" in doubt for doubt in proposal.doubts)


def test_a_file_without_a_header_line_is_told(tmp_path):
    (tmp_path / "log.csv").write_text("\n".join(f"{n % 7},{n % 5},{n}" for n in range(8, 50)))
    assert any("(1, 3, 8) looks like data" in doubt for doubt in propose_for([tmp_path / "log.csv"]).doubts)


@given(
    order=st.permutations(range(3)),
    names=st.sampled_from(
        [("userId", "movieId"), ("household_id", "product_id"), ("reader", "BOOK_ID"), ("uid", "iid")]
    ),
    numbers=st.booleans(),
)
def test_the_order_of_tables_and_columns_does_not_matter(order, names, numbers):
    user, item = names
    frames = [met((user, item, "rating", "ts")), goods((item, "title", "year", "genre", "text")), folks()]
    frames[2] = frames[2].rename(columns={"customer": user})
    if numbers:  # ids of users and of items are then the same numbers
        for frame in frames:
            for column in (user, item):
                if column in frame:
                    frame[column] = frame[column].str[1:].astype(int)
    frames[0] = frames[0][[*frames[0].columns[::-1]]]
    found = columns(propose_for([frames[place] for place in order]))
    assert (found["interactions.user"], found["interactions.item"]) == names
    assert (found["items.id"], found["users.id"]) == (item, user)
    assert (found["interactions.timestamp"], found["interactions.rating"]) == ("ts", "rating")


def test_kinds_and_weights_are_proposed_with_what_the_cells_mean():
    frame = met(("customer", "sku", "qty", "at")).assign(event=["view", "buy", "wave"] * (USERS * 2))
    proposal = propose_for([frame, goods()])
    assert proposal.section["interactions"]["kind"] == "event"
    assert proposal.section["interactions"]["weight"] == "qty"
    assert proposal.section["interactions"]["kinds"] == {"buy": "purchase", "view": "view", "wave": "interaction"}
    assert any("what 'wave' mean is not known" in doubt for doubt in proposal.doubts)


def test_a_header_of_plays_proposes_the_kind_and_the_file_of_items_what_they_are_called(tmp_path):
    plays = pd.DataFrame({"user": [1, 1, 2, 2], "artist": [1, 2, 2, 3], "plays": [70, 2, 13, 5]})
    plays.to_csv(tmp_path / "plays.csv", index=False)
    artists = pd.DataFrame({"artist": [1, 2, 3], "name": ["One", "Two", "Three"]})
    artists.to_csv(tmp_path / "artists.csv", index=False)
    section = propose_for([tmp_path / "plays.csv", tmp_path / "artists.csv"]).section
    assert (section["interactions"]["kinds"], section["items"]["things"]) == ("play", "artists")


PRICES = {"sku": ["a1", "a1", "a2"], "from": ["2024-03-01", "2024-03-11", "2024-03-01"], "price": [89.0, 69.5, 120.0]}


@pytest.mark.parametrize("apart", [True, False])
def test_prices_become_offers_and_costs_a_column_of_the_items(tmp_path, apart):
    goods = pd.DataFrame({"sku": ["a1", "a2", "a3"], "name": ["Boots", "Coat", "Shoes"], "cost": [41.5, 66.0, 3.0]})
    days = [f"2024-02-0{day}" for day in (1, 2, 3, 4)]
    bought = {"customer": ["c7", "c7", "c8", "c9"], "sku": ["a1", "a2", "a1", "a3"], "when": days}
    tables = {"bought": pd.DataFrame(bought), "goods": goods if apart else goods.assign(price=[9.0, 8.0, 7.0])}
    if apart:
        tables["prices"] = pd.DataFrame({**PRICES, "to": ["2024-03-10", None, None], "ad": ["no", "yes", "no"]})
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    proposal = propose_for([tmp_path / f"{name}.csv" for name in tables])
    section = proposal.section
    assert section["items"]["cost"] == "cost"
    named = {"item": "sku", "price": "price"}
    dated = {"first_day": "from", "last_day": "to", "promoted": "ad"} if apart else {}
    assert section["offers"] == {"path": str(tmp_path / f"{'prices' if apart else 'goods'}.csv"), **named, **dated}
    assert not any("'price'" in doubt for doubt in proposal.doubts)
    dataset = load_own(OwnData.model_validate(section), Path())
    assert dataset.offers.has_prices
    assert dataset.catalog.costs.tolist() == [41.5, 66.0, 3.0]


def test_numbers_of_hundreds_of_digits_are_no_ratings():
    frame = met()
    frame["stars"] = [str(10 ** (50 * row)) for row in range(len(frame))]
    assert "rating" not in propose_for([frame, goods()]).section["interactions"]


@pytest.mark.parametrize("largest", [-(2**63), 2**64 - 1])
def test_ratings_too_large_for_steps_to_be_seen_are_said(largest):
    frame = met()
    frame["stars"] = [largest, largest // 2] * (len(frame) // 2)
    proposal = propose_for([frame, goods()])
    assert "scale" not in proposal.section
    assert f"scale: among ratings as large as {abs(largest):g} no steps can be seen; say low, high and step" in (
        proposal.doubts
    )


@pytest.mark.parametrize("cell", [1, 1.0, 5])
def test_one_number_alone_is_no_rating(cell):
    proposal = propose_for([met().assign(stars=cell), goods()])
    assert not {"rating", "scale"} & {*proposal.section["interactions"], *proposal.section}
    assert any(f"'stars' is not used: it holds {cell:g} and nothing else" in doubt for doubt in proposal.doubts)


def test_ratings_without_equal_steps_get_no_scale_and_one_reason():
    frame = met()
    frame["stars"] = [-8.74, 7.1, -3.33, 0.05, 99.0, 2.5] * USERS
    proposal = propose_for([frame, goods()])
    assert "scale" not in proposal.section
    told = [doubt for doubt in proposal.doubts if doubt.startswith("scale")]
    assert len(told) == 2
    assert "-8.74 to 7.1, and 99: where 99 says that there is none" in told[0]
    assert "not in up to 1,000 equal steps" in told[1]


def test_minus_nothing_is_nothing():
    frame = met()
    frame["stars"] = ["-0", "1", "2", "3", "4", "1"] * USERS
    proposal = propose_for([frame, goods()])
    assert proposal.section["scale"] == {"low": 0, "high": 4, "step": 1}
    assert any(doubt.startswith("scale: 0 to 4 in steps of 1") for doubt in proposal.doubts)
    told = "scale: where 0 says that somebody did not rate, make these cells empty, and let `low` be 1"
    assert told in proposal.doubts, "so it is in Goodreads and Book-Crossing, and -1 among anime"


@pytest.mark.parametrize(
    ("met_by", "described_by", "expected"),
    [
        # H&M: numbers of articles have as many digits as seconds since 1970.
        (
            {"t_dat": "2018-09-0{b}", "customer_id": "c{a}", "article_id": "66371300{b}"},
            {"article_id": "66371300{b}", "prod_name": "Top {b}"},
            {"user": "customer_id", "item": "article_id", "timestamp": "t_dat"},
        ),
        # MyAnimeList: all numbers of users are numbers of series as well.
        (
            {"user_id": "{a}", "anime_id": "{b}", "rating": "{b}"},
            {"anime_id": "{b}", "name": "Series {b}"},
            {"user": "user_id", "item": "anime_id", "rating": "rating"},
        ),
        # RecBole: the kind of the cells stands behind each header.
        (
            {"user_id:token": "u{a}", "item_id:token": "i{b}", "timestamp:float": "88125094{b}"},
            {"item_id:token": "i{b}", "movie_title:token_seq": "Film {b}"},
            {"user": "user_id:token", "item": "item_id:token", "timestamp": "timestamp:float"},
        ),
    ],
    ids=["clothes", "series", "recbole"],
)
def test_tables_that_people_publish_are_told_apart_although_numbers_agree_by_chance(met_by, described_by, expected):
    pairs = [(a, b) for a in range(1, 6) for b in range(1, 8) if (a + b) % 3]
    rows = [{name: cell.format(a=a, b=b) for name, cell in met_by.items()} for a, b in pairs]
    items = [{name: cell.format(b=b) for name, cell in described_by.items()} for b in range(1, 8)]
    proposal = propose_for([pd.DataFrame(rows), pd.DataFrame(items)])
    found = columns(proposal)
    assert {key: found[f"interactions.{key}"] for key in expected} == expected
    assert (found["items.id"], found["items.title"]) == tuple(described_by)
    assert "users" not in proposal.section


def test_a_table_of_orders_is_no_table_of_users():
    bought = pd.DataFrame([(order, f"p{(order + n) % 7}") for order in range(1, 13) for n in range(3)])
    bought.columns = ["order_id", "product_id"]
    orders = pd.DataFrame([(order, order % 4) for order in range(1, 13)], columns=["order_id", "user_id"])
    proposal = propose_for([bought, orders])
    assert columns(proposal)["interactions.user"] is None
    assert "users" not in proposal.section
    told = " ".join(proposal.doubts)
    assert "has a row per 'order_id', and a data set has no baskets" in told
    assert "interactions.merge(baskets, on='order_id')" in told


def test_a_file_without_headers_is_told_as_such(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("".join(f"A{n % 4}X,B{n % 7},{n % 5 + 1}.0,{1_365_811_200 + n}\n" for n in range(20)))
    assert "the first line (A0X, B0, 1.0, 1365811200) looks like data; write" in " ".join(propose_for([path]).doubts)
    with pytest.raises(DataError, match="where this first line is data, write a line with headers above it"):
        Table.read(path).check_header("user", "own.interactions.user")
