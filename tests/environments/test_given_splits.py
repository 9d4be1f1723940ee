"""Splits that are drawn at random or come with the data, and data without times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.dataset import HELD_OUT, LEFT_OUT, TRAINING, Dataset
from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.datasets.config import OwnData, ToyOptions
from groundlings.environments.datasets.copies import as_copied, described
from groundlings.environments.datasets.frames import Tables
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import split_dataset, split_history, split_training, tied_cuts
from groundlings.personas.taste.training_data import measure

Row = tuple[int, int, int]
PARTS = {TRAINING: "train", HELD_OUT: "test", LEFT_OUT: "valid"}


def dataset_of(rows: list[Row], *, timed: bool = True, parts: list[int] | None = None) -> Dataset:
    """A data set of (user, item, time) in data frames, its ids independent of the order of rows."""
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"]).astype({"user": str, "item": str})
    columns = {}
    if not timed:
        frame = frame.drop(columns="timestamp")
    if parts is not None:
        frame["part"] = [PARTS[part] for part in parts]
        columns = {"interactions": {"split": {"column": "part"}}}
    tables = Tables(frame, columns=columns)
    return tables.load(OwnData.model_validate(tables.section()))


def rows_of(part: Interactions, dataset: Dataset) -> list[Row]:
    users, items = dataset.people.user_ids, dataset.catalog.item_ids
    columns = zip(part.users.tolist(), part.items.tolist(), part.timestamps.tolist(), strict=True)
    return sorted((int(users[user]), int(items[item]), time) for user, item, time in columns)


pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=2, max_size=40, unique=True)
histories = pairs.flatmap(
    lambda met: st.lists(st.integers(0, 30), min_size=len(met), max_size=len(met)).map(
        lambda times: [(*pair, time) for pair, time in zip(met, times, strict=True)]
    )
)
fractions = st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7])


@given(histories, fractions, st.booleans(), st.randoms())
def test_a_random_split_holds_out_the_same_share_of_each_user_and_ignores_the_order_of_rows(
    rows, fraction, timed, random
):
    dataset, again = dataset_of(rows, timed=timed), dataset_of(random.sample(rows, len(rows)), timed=timed)
    split = split_dataset(dataset, "random", fraction, salt="a")
    train, test = rows_of(split.train, dataset), rows_of(split.test, dataset)
    assert sorted(train + test) == rows_of(dataset.interactions, dataset)
    assert not set(train) & set(test)
    by_time = split_history(dataset.interactions, "per_user_temporal", fraction)
    assert np.array_equal(np.bincount(split.test.users, minlength=9), np.bincount(by_time.test.users, minlength=9))
    same = split_dataset(again, "random", fraction, salt="a")
    assert (rows_of(same.train, again), rows_of(same.test, again)) == (train, test)
    # So is the order of what is known, but for rows of one moment, which stand as in the file.
    assert timed or np.array_equal(same.train.items, split.train.items)


def test_another_salt_draws_another_random_split_and_times_say_nothing_of_it():
    toy = make_toy(ToyOptions(n_users=200, n_items=60, interactions_per_user=20))
    one, other = (split_dataset(toy, "random", 0.2, salt=salt) for salt in ("a", "b"))
    assert len(one.test) == len(other.test) == 800
    pairs_of = [set(zip(each.test.users.tolist(), each.test.items.tolist(), strict=True)) for each in (one, other)]
    assert len(pairs_of[0] & pairs_of[1]) < 250  # 160 by chance
    place = np.argsort(np.argsort(toy.interactions.timestamps.reshape(-1), kind="stable"))
    held_out = np.isin(toy.interactions.users * 60 + toy.interactions.items, one.test.users * 60 + one.test.items)
    assert abs(place[held_out].mean() / place.mean() - 1) < 0.05


@given(histories, st.data())
def test_a_given_split_is_exactly_the_given_one_from_a_column_and_from_two_files(rows, data):
    size = len(rows) - 2
    parts = data.draw(st.lists(st.sampled_from([TRAINING, HELD_OUT, LEFT_OUT]), min_size=size, max_size=size))
    parts = [TRAINING, HELD_OUT, *parts]
    dataset = dataset_of(rows, parts=parts)
    split = split_dataset(dataset, "given", 0.2, salt="a")
    wanted = {part: sorted(row for row, own in zip(rows, parts, strict=True) if own == part) for part in PARTS}
    assert rows_of(split.train, dataset) == wanted[TRAINING]
    assert rows_of(split.test, dataset) == wanted[HELD_OUT]
    assert split.left_out == len(wanted[LEFT_OUT])
    assert {dataset.people.user_ids[user] for user in split.dropped_users} == (
        {str(row[0]) for row in rows} - {str(row[0]) for row in wanted[TRAINING]}
    )
    training, held_out = (
        pd.DataFrame(wanted[part], columns=["user", "item", "timestamp"]).astype({"user": str, "item": str})
        for part in (TRAINING, HELD_OUT)
    )
    tables = Tables(training, held_out=held_out)
    if not {row[0] for row in wanted[HELD_OUT]} <= {row[0] for row in wanted[TRAINING]}:
        with pytest.raises(DataError, match="is not in the training interactions"):
            tables.load(OwnData.model_validate(tables.section()))
        return
    two = tables.load(OwnData.model_validate(tables.section()))
    again = split_dataset(two, "given", 0.2, salt="a")
    assert rows_of(again.train, two) == wanted[TRAINING]
    assert rows_of(again.test, two) == wanted[HELD_OUT]


@given(pairs, st.booleans(), st.randoms())
def test_what_a_run_keeps_of_given_splits_and_missing_times_is_the_same_data_set(met, split, random):
    others = [random.choice([TRAINING, HELD_OUT, LEFT_OUT]) for _ in met[2:]]
    parts = [TRAINING, HELD_OUT, *others] if split else None
    dataset = dataset_of([(*pair, 0) for pair in met], timed=False, parts=parts)
    # A copy has users and items in files of their own, in the order of their numbers.
    kept = as_copied(dataset)
    assert kept.fingerprint == as_copied(kept).fingerprint
    assert not kept.times_known
    assert described(kept).interactions.timestamp is None
    assert rows_of(kept.interactions, kept) == rows_of(dataset.interactions, dataset)
    assert parts is None or np.array_equal(kept.parts, dataset.parts)


def test_the_split_is_part_of_the_fingerprint():
    rows = [(0, 1, 1), (0, 2, 2), (0, 3, 3)]
    plain = dataset_of(rows)
    given_split = dataset_of(rows, parts=[0, 0, 1])
    assert len({plain.fingerprint, given_split.fingerprint, dataset_of(rows, parts=[0, 1, 1]).fingerprint}) == 3
    assert replace(plain, times_known=True, parts=None).fingerprint == plain.fingerprint


def test_without_times_no_feature_sees_the_numbers_of_items_or_the_order_of_the_file():
    rows = [(user, item, 0) for user in range(60) for item in range(20)]
    dataset = dataset_of(rows, timed=False)
    train = split_dataset(dataset, "random", 0.2, salt="a").train
    latest = {user: train.items[train.users == user][-4:].mean() for user in range(60)}
    assert abs(np.mean(list(latest.values())) - 9.5) < 1.0  # the highest numbers would give 17.5
    assert latest != {
        user: each.items[each.users == user][-4:].mean()
        for each in [split_dataset(dataset, "random", 0.2, salt="b").train]
        for user in range(60)
    }
    labels = measure(dataset, train, salt="a", seed=1, labels="random").held_out
    assert abs(labels.items.mean() - train.items.mean()) < 1.5


@pytest.mark.parametrize("kind", ["per_user_temporal", "global_temporal"])
def test_splits_by_time_refuse_data_without_times_and_name_the_random_one(kind):
    rows = [(user, item, 7) for user in range(3) for item in range(5)]
    for dataset, told in ((dataset_of(rows, timed=False), "has no times"), (dataset_of(rows), "are of one moment")):
        with pytest.raises(ConfigError, match=told) as error:
            split_dataset(dataset, kind, 0.2, salt="a")
        assert "split: {kind: random}" in str(error.value)
        assert len(split_dataset(dataset, "random", 0.2, salt="a").test) == 3


def test_users_whose_held_out_part_begins_among_rows_of_one_moment_are_counted():
    rows = [(0, item, 5) for item in range(5)] + [(1, item, item) for item in range(5)]
    assert tied_cuts(split_dataset(dataset_of(rows), "per_user_temporal", 0.2, salt="a")) == 1


def test_labels_are_drawn_as_the_held_out_part_was():
    toy = make_toy(ToyOptions(n_users=60, n_items=60, interactions_per_user=20))
    rank = np.empty(len(toy.interactions), dtype=np.int64)
    order = np.lexsort((toy.interactions.timestamps, toy.interactions.users))
    rank[order] = np.arange(len(order)) % 20
    by_time, at_random = ((rank >= 16).astype(np.int8), np.random.default_rng(1).permuted((rank >= 16).astype(np.int8)))
    drawn = {
        "per_user_temporal": split_dataset(toy, "per_user_temporal", 0.2, salt="a").labels,
        "global_temporal": split_dataset(toy, "global_temporal", 0.2, salt="a").labels,
        "random": split_dataset(toy, "random", 0.2, salt="a").labels,
        "given by time": split_dataset(replace(toy, parts=by_time), "given", 0.2, salt="a").labels,
        "given at random": split_dataset(replace(toy, parts=at_random), "given", 0.2, salt="a").labels,
    }
    assert drawn == {
        "per_user_temporal": "latest",
        "global_temporal": "latest",
        "random": "random",
        "given by time": "latest",
        "given at random": "random",
    }
    train = split_dataset(toy, "random", 0.2, salt="a").train
    latest, random = (split_training(toy, train, 0.25, labels, salt="a") for labels in ("latest", "random"))
    assert len(latest.test) == len(random.test) == 240
    # Time begins anew for each user here, so a label's time tells its place in the history.
    assert random.test.timestamps.mean() < latest.test.timestamps.mean()
    assert abs(random.test.timestamps.mean() - train.timestamps.mean()) < train.timestamps.std() / 5


@pytest.mark.parametrize(
    ("parts", "kind", "told"),
    [
        (None, "given", "brings no split"),
        ([0, 0, 1], "random", "brings a split of its own"),
        ([0, 0, 1], "per_user_temporal", "write `kind: given`"),
    ],
)
def test_a_split_that_would_be_ignored_and_one_that_is_missing_are_errors(parts, kind, told):
    with pytest.raises(ConfigError, match=told):
        split_dataset(dataset_of([(0, 1, 1), (0, 2, 2), (0, 3, 3)], parts=parts), kind, 0.2, salt="a")


def own(folder: Path, interactions: dict, **tables: str) -> dict:
    """`dataset` of an experiment file, with the tables written."""
    tables = {"items": "id,title\n1,One\n2,Two\n3,Three\n", **tables}
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    users = {"users": {"path": "users.csv", "id": "id"}} if "users" in tables else {}
    columns = {"path": "history.csv", "user": "user", "item": "item", **interactions}
    return {
        "name": "own",
        "own": {"interactions": columns, "items": {"path": "items.csv", "id": "id", "title": "title"}, **users},
    }


def loaded(folder: Path, interactions: dict, **tables: str) -> Dataset:
    return load_dataset(DatasetConfig.model_validate(own(folder, interactions, **tables)), base=folder)


def test_two_files_and_a_column_of_numbers_give_the_split_that_they_say(tmp_path):
    two = loaded(
        tmp_path,
        {"held_out": {"path": "later.csv"}},
        history="user,item\nu,1\nu,2\nv,1\n",
        later="user,item\nu,3\nv,1\n",  # v met item 1 in both parts: it is one row of each
    )
    assert (two.source, two.times_known) == ("history.csv, later.csv, items.csv", False)
    column = loaded(
        tmp_path,
        {"split": {"column": "fold", "training": [0, 1], "held_out": [2], "left_out": [3]}},
        history="user,item,fold\nu,1,0\nu,2,1\nv,1,0\nu,3,2\nv,1,2\nv,2,3\n",
    )
    for dataset, left_out in ((two, 0), (column, 1)):
        split = split_dataset(dataset, "given", 0.2, salt="a")
        ids = [
            sorted(
                (dataset.people.user_ids[user], dataset.catalog.item_ids[item])
                for user, item in zip(*each, strict=True)
            )
            for each in ((split.train.users, split.train.items), (split.test.users, split.test.items))
        ]
        assert ids == [[("u", "1"), ("u", "2"), ("v", "1")], [("u", "3"), ("v", "1")]]
        assert split.left_out == left_out


def test_clocks_of_two_files_are_brought_together(tmp_path):
    dataset = loaded(
        tmp_path,
        {"timestamp": "at", "held_out": {"path": "later.csv"}},
        history="user,item,at\nu,1,1700000000\nu,2,1700000001\n",
        later="user,item,at\nu,3,1700000002500\n",
    )
    assert dataset.interactions.seconds.tolist() == [1700000000.0, 1700000001.0, 1700000002.5]


@pytest.mark.parametrize(
    ("interactions", "tables", "words"),
    [
        (
            {"held_out": {"path": "later.csv"}},
            {"later": "user,item\nw,1\n"},
            ["later.csv, line 2", "'w' is not in the training interactions", "history.csv"],
        ),
        (
            {"held_out": {"path": "later.csv"}},
            {"later": "user,item\nw,1\n", "users": "id\nu\nv\n"},
            ["later.csv, line 2", "'w' is not in the users file"],
        ),
        (
            {"held_out": {"path": "later.csv"}},
            {"later": "user,item\nu,9\n"},
            ["later.csv, line 2", "item '9' is not in the items file"],
        ),
        ({"held_out": {"path": "gone.csv"}}, {}, ["gone.csv: no such file"]),
        (
            {"split": "part"},
            {"history": "user,item,part\nu,1,train\nu,2,tset\n"},
            ["history.csv, line 3", "'tset'", "'test', 'held_out' (held_out)", "own.interactions.split"],
        ),
        (
            {"split": "part"},
            {"history": "user,item,part\nu,1,train\nu,2,valid\n"},
            ["history.csv", "'part'", "says of no interaction 'test', 'held_out'"],
        ),
        (
            {"held_out": {"path": "later.csv"}, "timestamp": "at"},
            {"history": "user,item,at\nu,1,1700000000\nv,2,1700000000\n", "later": "user,item,at\nv,2,1700000000.0\n"},
            ["later.csv, line 2", "user 'v' met item '2' at this moment among the training", "(1 rows like that)"],
        ),
        (
            {"split": "part", "timestamp": "at"},
            {"history": "user,item,at,part\nu,1,1700000000,train\nu,1,1700000000,test\n"},
            ["history.csv, line 3", "user 'u' met item '1' at this moment among the training"],
        ),
        (
            {},
            {"history": "user,item\nu,1\nu,1\n"},
            ["history.csv, line 3", "as on line 2", "name the column with the time"],
        ),
    ],
)
def test_a_split_that_cannot_be_right_is_named_with_file_and_line(tmp_path, interactions, tables, words):
    with pytest.raises(DataError) as error:
        loaded(tmp_path, interactions, **{"history": "user,item\nu,1\nv,2\n", **tables})
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("interactions", "told"),
    [
        ({"split": "part", "held_out": {"path": "later.csv"}}, "both say what is held out"),
        ({"time_unit": "s"}, "no column `timestamp`"),
        ({"split": {"column": "part", "training": ["a"], "held_out": ["a"]}}, "one part only"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(tmp_path, interactions, told):
    with pytest.raises(ValueError, match=told):
        DatasetConfig.model_validate(own(tmp_path, interactions))
