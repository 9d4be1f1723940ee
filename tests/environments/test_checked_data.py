"""Own tables are checked once: what is kept of them is the same data set, and nothing else is ever taken for it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundlings.environments.dataset import Dataset
from groundlings.environments.datasets import DatasetConfig, checked, file_kinds, load_dataset, shipped
from groundlings.environments.errors import DataError
from groundlings.environments.memory import Available

HISTORY = (
    "user,item,stars,when,fold\nu,i0,5,2024-03-01,train\nu,i1,,2024-03-02T00:00:00.5,test\nv,i1,9,2024-03-02,train\n"
)
ITEMS = "id,name,made,kinds,text\ni0,Hat,1999,a|b,soft\ni1,Cap,,,\n"
USERS = "id,age,town\nu,7,\nv,,Wien\n"


class Shop:
    """Three tables, a directory of downloads, and a count of how often the tables were read."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.read = folder, 0
        self.kept = folder / "downloads" / "checked"
        for name, text in (("met.csv", HISTORY), ("items.csv", ITEMS), ("users.csv", USERS)):
            (folder / name).write_text(text)
        load = shipped.load_own

        def counted(*given) -> Dataset:
            self.read += 1
            return load(*given)

        monkeypatch.setattr(shipped, "load_own", counted)
        monkeypatch.setattr(checked, "_WORTH_KEEPING", 1)
        monkeypatch.setenv("GROUNDLINGS_DATA", str(folder / "downloads"))

    def load(self, **changes) -> Dataset:
        columns = {"path": "met.csv", "user": "user", "item": "item", "rating": "stars", "timestamp": "when"}
        items = {"path": "items.csv", "id": "id", "title": "name", "year": "made", "genres": "kinds", "text": "text"}
        own = {
            "interactions": columns | {"split": "fold"},
            "items": items,
            "users": {"path": "users.csv", "id": "id", "attributes": ["town", "age"]},
            "on_problem": "drop",
        }
        return load_dataset(DatasetConfig.model_validate({"name": "own", "own": own | changes}), base=self.folder)

    @property
    def file(self) -> Path:
        (found,) = self.kept.iterdir()
        return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path, monkeypatch)


def test_offers_costs_and_further_columns_are_kept_with_the_tables(shop):
    (shop.folder / "items.csv").write_text("id,name,brand,unit_cost\ni0,Hat,Acme,2.5\ni1,Cap,,\n")
    (shop.folder / "offers.csv").write_text("item,day,price,left\ni0,0,4.5,3\ni1,0,,\n")
    items = {"path": "items.csv", "id": "id", "title": "name", "features": ["brand"], "cost": "unit_cost"}
    offers = {"path": "offers.csv", "item": "item", "first_day": "day", "price": "price", "stock": "left"}
    first, second = (shop.load(items=items, offers=offers) for _ in range(2))
    assert shop.read == 1
    assert first.fingerprint == second.fingerprint
    assert second.catalog.features["brand"].tolist() == ["Acme", None]
    assert np.array_equal(second.catalog.costs, [2.5, np.nan], equal_nan=True)
    assert np.array_equal(second.offers.price, [4.5, np.nan], equal_nan=True)
    (shop.folder / "offers.csv").write_text("item,day,price,left\ni0,0,5,3\ni1,0,,\n")
    assert shop.load(items=items, offers=offers).offers.price[0] == 5
    assert shop.read == 2


def test_what_is_kept_is_the_same_data_set_to_the_last_part(shop):
    first, second = shop.load(), shop.load()
    assert shop.read == 1
    assert first.fingerprint == second.fingerprint
    assert first.people == second.people
    assert first.catalog.texts == second.catalog.texts
    for name in ("notes", "source", "licence", "scale", "times_known", "name"):
        assert getattr(first, name) == getattr(second, name)
    assert np.array_equal(first.parts, second.parts)
    assert second.interactions.ticks_per_second == 1000
    assert "left out" in second.notes[0]
    assert (shop.file.stat().st_mode & 0o777, shop.kept.stat().st_mode & 0o777) == (0o600, 0o700)


def test_another_content_another_configuration_or_another_place_is_read_anew(shop, tmp_path):
    shop.load()
    (shop.folder / "items.csv").write_text(ITEMS.replace("Hat", "Cat"))
    assert shop.load().catalog.titles[0] == "Cat"
    assert shop.load(on_problem="report").notes != shop.load().notes
    assert shop.read == 3
    (tmp_path / "elsewhere").mkdir()
    for name in ("met.csv", "items.csv", "users.csv"):
        (shop.folder / name).rename(tmp_path / "elsewhere" / name)
    shop.folder = tmp_path / "elsewhere"
    assert "elsewhere" in shop.load().notes[0]
    with pytest.raises(DataError, match="'9'"):
        shop.load(on_problem="stop")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_what_is_damaged_is_made_anew(shop, place, cut):
    whole, times = shop.load().fingerprint, shop.read
    content = shop.file.read_bytes()
    at = int(place * len(content))
    shop.file.write_bytes(content[:at] + (b"" if cut else bytes([content[at] ^ 1]) + content[at + 1 :]))
    assert shop.load().fingerprint == whole
    assert shop.read == times + 1
    assert shop.file.read_bytes() == content


def test_what_somebody_else_may_have_written_is_not_believed(shop):
    shop.load()
    shop.file.chmod(0o622)
    shop.load()
    assert shop.read == 2
    assert shop.file.stat().st_mode & 0o777 == 0o600
    shop.kept.chmod(0o777)
    shop.load()
    shop.load()
    assert shop.read == 4


def test_several_writers_at_once_agree(shop):
    with ThreadPoolExecutor(8) as pool:
        found = {each.result().fingerprint for each in [pool.submit(shop.load) for _ in range(16)]}
    assert len(found) == 1
    assert shop.load().fingerprint in found
    assert shop.file.suffix == ".data"


def test_where_nothing_can_or_shall_be_kept_the_tables_are_read(shop, monkeypatch):
    (shop.folder / "downloads").write_text("a file where the directory should be")
    shop.load()
    shop.load()
    assert shop.read == 2
    (shop.folder / "downloads").unlink()
    monkeypatch.setenv("GROUNDLINGS_DATA_CACHE", "0")
    shop.load()
    assert not shop.kept.exists()


def test_the_oldest_goes_when_there_are_many(shop):
    for number in range(10):
        (shop.folder / "users.csv").write_text(USERS.replace("7", str(number)))
        shop.load()
        os.utime(max(shop.kept.iterdir(), key=lambda each: each.stat().st_mtime), (number, number))
    assert len(list(shop.kept.iterdir())) == 8


def test_small_tables_are_not_kept(shop, monkeypatch):
    monkeypatch.setattr(checked, "_WORTH_KEEPING", 10_000)
    shop.load()
    assert not shop.kept.exists()


def test_files_larger_than_memory_are_refused_before_they_are_hashed(shop, monkeypatch):
    for module in (checked, file_kinds):
        monkeypatch.setattr(module, "available_memory", lambda: Available(20, "free memory"))
    monkeypatch.setattr(checked.hashlib, "file_digest", lambda *_: pytest.fail("hashed, which takes minutes"))
    with pytest.raises(DataError, match=r"reading it takes about .*, and 20 bytes are left \(free memory\)"):
        shop.load()
