"""The files of Coat: what is read from them, and what is said where they are damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.datasets.coat import random_part
from groundlings.environments.datasets.contract import DatasetContract
from groundlings.environments.datasets.loader import LoadContext
from groundlings.environments.datasets.shipped import COAT
from groundlings.environments.errors import DataError

FILES = {
    "train.ascii": "0 5 1 0\n2 0 0 3\n",
    "test.ascii": "1 5 0 0\n0 4 0 0\n",
    "user_features.ascii": "1 0 1\n0 1 0\n",
    "user_features_map.txt": "gender:men\ngender:women\nlikes:red: all of it",
    "item_features.ascii": "1 0\n0 1\n1 1\n0 0\n",
    "item_features_map.txt": "sort:coat\nfront:yes\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def load(folder: Path):
    return load_dataset(DatasetConfig(name="coat", directory=folder))


class TestCoat(DatasetContract):
    @pytest.fixture(autouse=True)
    def files(self, folder):
        self.folder = folder

    def build(self):
        return COAT

    def context(self):
        return LoadContext(self.folder, self.folder, options={"directory": self.folder})


def test_the_self_chosen_part_is_the_history(folder):
    dataset = load(folder)
    history = dataset.interactions
    rows = sorted(zip(history.users.tolist(), history.items.tolist(), history.ratings.tolist(), strict=True))
    assert rows == [(0, 1, 5.0), (0, 2, 1.0), (1, 0, 2.0), (1, 3, 3.0)]
    assert dataset.people.attributes == ({"gender": "men", "likes": "red: all of it"}, {"gender": "women"})
    assert dataset.catalog.genres == (("sort:coat",), ("front:yes",), ("sort:coat", "front:yes"), ())
    assert dataset.catalog.titles == ("Item 0 (coat)", "Item 1", "Item 2 (coat)", "Item 3")


def test_the_random_part_is_read_apart_and_without_what_the_history_holds(folder):
    rows, left_out = random_part(folder, load(folder).interactions)
    assert left_out == 1
    assert sorted(zip(rows.users.tolist(), rows.items.tolist(), rows.ratings.tolist(), strict=True)) == [
        (0, 0, 1.0),
        (1, 1, 4.0),
    ]


def test_the_order_of_a_history_is_not_that_of_item_numbers(tmp_path):
    chance = np.random.default_rng(0)
    np.savetxt(tmp_path / "train.ascii", chance.integers(1, 6, (40, 30)), fmt="%d")
    history = load(tmp_path).interactions
    assert not load(tmp_path).times_known
    latest = [history.items[history.users == user][-6:].mean() for user in range(40)]
    assert 12 < np.mean(latest) < 17
    assert load(tmp_path).interactions.fingerprint == history.fingerprint


def test_without_features_nothing_is_known(tmp_path):
    (tmp_path / "train.ascii").write_text(FILES["train.ascii"])
    dataset = load(tmp_path)
    assert dataset.people.attributes == ({}, {})
    assert dataset.catalog.genres == ((),) * 4
    assert dataset.catalog.titles[2] == "Item 2"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("train.ascii", None, r"train\.ascii: no such file\. Coat .*290 people.*https://"),
        ("train.ascii", "", "the file is empty"),
        ("train.ascii", "1 2\n1 2 3\n", r"train\.ascii, line 2: found 3 cells, expected 2"),
        ("train.ascii", "1 2\n\n", r"line 2: found 0 cells, expected 2"),
        ("train.ascii", "1 x 0 0\n", r"line 1: found '1 x 0 0', expected numbers"),
        ("train.ascii", "1 6 0 0\n", r"line 1: found 6, expected 1, 2, 3, 4 or 5, or 0"),
        ("train.ascii", "1 nan 0 0\n", r"line 1: found nan, expected 1, 2, 3, 4 or 5, or 0"),
        ("train.ascii", b"\xff\xfe1 2", "cannot be read as text"),
        ("user_features.ascii", "1 0\n0 1\n", r"line 1: expected a 0 or a 1 for each of the 3 features"),
        ("user_features.ascii", "1 0 2\n0 1 0\n", r"expected a 0 or a 1"),
        ("user_features.ascii", "1 0 1\n", r"found 1 lines, expected 2, one per user"),
        ("item_features_map.txt", None, r"item_features_map\.txt: no such file"),
    ],
)
def test_damage_is_told_with_file_and_line(folder, name, content, complaint):
    path = folder / name
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    with pytest.raises(DataError, match=complaint):
        load(folder)


def test_a_random_part_of_another_size_is_refused(folder):
    history = load(folder).interactions
    (folder / "test.ascii").write_text("1 0\n0 1\n")
    with pytest.raises(DataError, match="found 2 people and 2 items, expected 2 and 4"):
        random_part(folder, history)


def test_the_folder_must_be_named():
    with pytest.raises(DataError, match=r"dataset\.directory: missing\. Coat .*https://"):
        load_dataset(DatasetConfig(name="coat"))
