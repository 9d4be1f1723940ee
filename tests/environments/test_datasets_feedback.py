"""Kinds of events and weights in one's own tables: what is an interaction, what is known besides, what is refused."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.catalog import Catalog
from groundlings.environments.dataset import LIKES, Dataset, RatingScale
from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.datasets.config import OwnData
from groundlings.environments.datasets.copies import as_copied
from groundlings.environments.datasets.frames import Tables
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import KINDS, Interactions
from groundlings.environments.people import People
from groundlings.environments.split import split_dataset

EVENTS = """user,item,what,when,pieces
u1,a,seen,100,
u1,a,trx,110,2
u1,b,seen,120,
u1,a,trx,130,
u2,b,seen,100,
u2,b,basket,105,
u2,b,trx,110,1
u2,c,seen,120,
"""
NAMES = {"seen": "view", "basket": "add_to_cart", "trx": "purchase"}
COLUMNS = {"path": "events.csv", "user": "user", "item": "item", "timestamp": "when"}
KINDS_OF_EVENTS = {"kind": "what", "kinds": NAMES}


@pytest.fixture
def shop(tmp_path):
    """Loads events with some keys of `interactions`, and perhaps others of `own`."""
    (tmp_path / "items.csv").write_text("id,title\na,Apples\nb,Bread\nc,Cheese\n", encoding="utf-8")

    def load(events: str = EVENTS, own: dict | None = None, items: dict | None = None, **columns) -> Dataset:
        (tmp_path / "events.csv").write_text(events, encoding="utf-8")
        tables = {"path": "items.csv", "id": "id", "title": "title"} | (items or {})
        section = {"interactions": COLUMNS | columns, "items": tables} | (own or {})
        return load_dataset(DatasetConfig.model_validate({"name": "own", "own": section}), base=tmp_path)

    return load


def kinds_of(history: Interactions) -> list[str]:
    return [KINDS[kind] for kind in history.kinds.tolist()]


def test_several_kinds_of_a_pair_are_rows_of_one_history_and_the_furthest_stage_is_the_interaction(shop):
    dataset = shop(**KINDS_OF_EVENTS, weight="pieces")
    assert sorted(kinds_of(dataset.interactions)) == ["add_to_cart"] + ["purchase"] * 3 + ["view"] * 4
    assert kinds_of(dataset.history) == ["purchase"] * 3
    np.testing.assert_array_equal(np.sort(dataset.history.weights), [1, 2, np.nan])
    assert dataset.notes == (
        "interactions are 3 of kind purchase; known of people, and learnt by nobody: 4 of kind view, 1 of kind "
        "add_to_cart (own.interactions.counted)",
    )


@pytest.mark.parametrize(
    ("kept", "counted"),
    [({"seen", "basket", "trx"}, {"purchase"}), ({"seen", "basket"}, {"add_to_cart"}), ({"seen"}, {"view"})],
)
def test_without_a_stage_the_one_before_it_is_the_interaction(shop, kept, counted):
    header, *rows = EVENTS.splitlines(keepends=True)
    events = header + "".join(row for row in rows if row.split(",")[2] in kept)
    assert set(kinds_of(shop(events, **KINDS_OF_EVENTS).history)) == counted


def test_what_counts_can_be_said(shop):
    dataset = shop(**KINDS_OF_EVENTS, counted=["purchase", "add_to_cart"])
    assert sorted(kinds_of(dataset.history)) == ["add_to_cart", "purchase", "purchase", "purchase"]
    assert dataset.fingerprint != shop(**KINDS_OF_EVENTS).fingerprint


def test_names_without_a_meaning_are_refused_together_with_their_counts(shop):
    with pytest.raises(DataError) as error:
        shop(kind="what", kinds={"trx": "purchase"})
    assert (
        "line 2: column 'what': found 'seen' (4 rows), 'basket' (1 row), which own.interactions.kinds does not"
        in str(error.value)
    )
    assert "map each to one of interaction, view, click" in str(error.value)


def test_a_file_may_be_of_one_kind(shop):
    rows = [row.split(",") for row in EVENTS.splitlines()]
    events = "".join(",".join(row) + "\n" for row in rows if row[2] in ("what", "trx"))
    assert kinds_of(shop(events, kinds="purchase").interactions) == ["purchase"] * 3
    assert shop(events).interactions.kinds is None


@pytest.mark.parametrize("cell", ["-1", "many", "inf", "1_0", "1e300"])
def test_a_weight_that_is_no_amount_is_refused_with_its_line(shop, cell):
    with pytest.raises(DataError, match=r"line 3: .*(a quantity or a play time from 0 on|'1e300', expected 1e\+15 )"):
        shop(EVENTS.replace("110,2", f"110,{cell}"), **KINDS_OF_EVENTS, weight="pieces")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kinds": NAMES}, "no column `kind`"),
        ({"kind": "what", "kinds": "purchase"}, "keep one of the two"),
        ({"counted": ["purchase"]}, "no kinds to choose from"),
        ({**KINDS_OF_EVENTS, "counted": ["dislike"]}, "not `dislike`"),
        ({"kind": "what", "kinds": {"trx": "bought"}}, "purchase"),
    ],
)
def test_keys_that_do_not_fit_are_refused(shop, keys, message):
    with pytest.raises(ValueError, match=message):
        shop(**keys)


def test_a_history_without_an_interaction_is_refused(shop):
    with pytest.raises(DataError, match=r"own\.interactions\.counted names play; nothing would be an interaction"):
        shop(**KINDS_OF_EVENTS, counted=["play"])
    with pytest.raises(DataError, match="all rows are of the kinds dislike"):
        shop("user,item,what,when\nu1,a,dislike,1\n", kind="what")


def test_one_kind_of_a_pair_stands_once_at_a_moment(shop):
    twice = "user,item,what,when\nu1,a,seen,1\nu1,a,trx,1\n"
    assert len(shop(twice, **KINDS_OF_EVENTS).interactions) == 2
    assert len(shop(twice + "u1,a,trx,1\n", **KINDS_OF_EVENTS).interactions) == 2
    with pytest.raises(DataError, match="at the same moment"):
        shop(twice + "u1,a,trx,1\n", **KINDS_OF_EVENTS, same_moment="refuse")


OPINIONS = "user,item,what,when\nu1,a,like,1\nu1,b,dislike,2\nu2,b,like,3\nu2,b,play,4\nu2,c,play,5\n"


def test_likes_and_dislikes_are_opinions_without_a_scale_and_a_dislike_is_no_choice(shop):
    dataset = shop(OPINIONS, kind="what")
    assert (dataset.scale, dataset.opinions) == (LIKES, "likes")
    np.testing.assert_array_equal(dataset.history.ratings, [1, 0, 1, np.nan, np.nan])
    assert dataset.history.matrix.toarray().tolist() == [[1, 0, 0], [0, 1, 1]]
    assert dataset.history.met_by(np.array([0])).toarray().tolist() == [[1, 1, 0]]
    assert dataset.history.item_counts.tolist() == [1, 1, 1]


def test_of_likes_alone_nobody_can_tell_what_is_not_liked(shop):
    dataset = shop(OPINIONS.replace("u1,b,dislike,2\n", ""), kind="what")
    assert dataset.opinions == "none"
    assert np.isnan(dataset.history.ratings).all()


def test_likes_that_do_not_count_are_no_opinions(shop):
    dataset = shop(OPINIONS, kind="what", counted=["play"])
    assert dataset.opinions == "none"
    assert kinds_of(dataset.history) == ["dislike", "play", "play"]


def test_a_scale_beside_likes_is_refused(shop):
    with pytest.raises(ConfigError, match=r"dataset\.own\.scale: found a scale, but there is no column `rating`"):
        shop(OPINIONS, {"scale": {"low": 1}}, kind="what")


def test_ratings_come_before_likes(shop):
    events = "user,item,what,when,stars\nu1,a,like,1,\nu1,b,dislike,2,\nu1,c,rating,3,4\n"
    dataset = shop(events, kind="what", rating="stars")
    assert (dataset.scale, dataset.opinions) == (RatingScale(), "ratings")
    np.testing.assert_array_equal(dataset.history.ratings, [np.nan, np.nan, 4])


def test_where_nobody_rates_agents_do_only_if_the_scale_is_stated(shop):
    assert shop(**KINDS_OF_EVENTS).opinions == "none"
    assert shop(EVENTS, {"scale": {"low": 1, "high": 5}}, **KINDS_OF_EVENTS).opinions == "ratings"


def test_items_are_called_as_the_file_says(shop):
    items = {"things": {"one": "dish", "many": "dishes"}, "verbs": {"purchase": "ate"}}
    words = shop(items=items, **KINDS_OF_EVENTS).catalog.words
    assert (words.counted(1), words.counted(2)) == ("1 dish", "2 dishes")
    assert (words.did("purchase"), words.did("view")) == ("ate", "looked at")
    assert shop(items={"things": "products"}, **KINDS_OF_EVENTS).catalog.words.many == "products"


@pytest.mark.parametrize("events", [EVENTS, OPINIONS], ids=["shop", "likes"])
def test_copies_bring_the_same_data_set_back(shop, events):
    columns = {"weight": "pieces", **KINDS_OF_EVENTS} if events == EVENTS else {"kind": "what"}
    dataset = shop(events, items={"things": "products", "verbs": {"play": "heard"}}, **columns)
    again = as_copied(dataset)
    assert again.fingerprint == dataset.fingerprint
    assert (again.opinions, again.catalog.words) == (dataset.opinions, dataset.catalog.words)


ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 6), st.sampled_from([1, 4])),
    min_size=4,
    max_size=30,
)


@given(ROWS, st.sampled_from(["per_user_temporal", "global_temporal", "random"]))
def test_nothing_that_is_known_besides_tells_of_what_is_held_out(rows, kind):
    users, items, times, kinds = (np.array(column) for column in zip(*rows, (0, 0, 6, 4), strict=True))
    history = Interactions.of(users, items, None, times, n_users=3, n_items=4, kinds=kinds).chronological()
    catalog = Catalog(tuple("abcd"), tuple("ABCD"), np.full(4, np.nan), ((),) * 4)
    dataset = Dataset("d", catalog, People(tuple("uvw"), ({}, {}, {})), history, RatingScale(), "", "")
    split = split_dataset(dataset, kind, 0.5, salt="a")
    assert set(kinds_of(split.train)) | set(kinds_of(split.test)) == {"purchase"}
    beside = split.beside
    if beside is None:
        assert (history.kinds == 4).all()
        return
    for user in range(3):
        held_out = split.test.take(split.test.users == user)
        known = beside.take(beside.users == user)
        if kind == "random":
            assert not set(known.items.tolist()) & set(held_out.items.tolist())
        elif len(held_out):
            assert known.timestamps.max(initial=-1) < held_out.timestamps.min()


def test_data_frames_bring_kinds_and_amounts_where_their_columns_are_named():
    frame = pd.read_csv(StringIO(EVENTS))
    names = {"timestamp": "when", "kind": "what", "kinds": NAMES, "weight": "pieces"}
    tables = Tables(frame, columns={"interactions": names})
    dataset = tables.load(OwnData.model_validate(tables.section()))
    assert sorted(kinds_of(dataset.history)) == ["purchase"] * 3
    assert np.nansum(dataset.history.weights) == 3
    renamed = frame.rename(columns={"what": "kind", "pieces": "weight"})
    unnamed = Tables(renamed[renamed.kind == "seen"], columns={"interactions": {"timestamp": "when"}})
    assert unnamed.load(OwnData.model_validate(unnamed.section())).interactions.kinds is None
