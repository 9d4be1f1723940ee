"""A path of one's own data that leads nowhere, and an id that stands nowhere, are answered with what was meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from groundlings.environments.datasets import DatasetConfig, load_dataset
from groundlings.environments.datasets.proposal import propose_for
from groundlings.environments.errors import DataError

DATA = Path(__file__).parent / "data"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory with two tables, to spoil."""
    for name in ("history.csv", "items.csv"):
        shutil.copy(DATA / name, tmp_path)
    return tmp_path


def load(shop: Path, path: str = "history.csv"):
    own = {
        "interactions": {"path": path, "user": "customer", "item": "sku", "timestamp": "when"},
        "items": {"path": "items.csv", "id": "sku", "title": "name"},
    }
    return load_dataset(DatasetConfig.model_validate({"name": "own", "own": own}), base=shop)


def refusal(shop: Path, path: str = "history.csv") -> str:
    with pytest.raises(DataError) as error:
        load(shop, path)
    return str(error.value)


@pytest.mark.parametrize(
    ("there", "written", "told"),
    [
        (
            "K\u00e4ufe.csv",
            "Ka\u0308ufe.csv",
            "it is written 'Ka\\u0308ufe.csv' (with U+0061, U+0308) here and 'K\\xe4ufe",
        ),
        ("K\u00e4ufe/h.csv", "Ka\u0308ufe/h.csv", "has no 'Ka\u0308ufe'; it is written 'Ka\\u0308ufe'"),
        ("K\u00e4ufe-1.csv", "Ka\u0308ufe-*.csv", "'K\\xe4ufe-1.csv' fits it but for how its letters are composed"),
        ("H.CSV", "h.csv", "did you mean 'H.CSV'? Capital letters count"),
        ("HIST.CSV", "h*.csv", "'HIST.CSV' fits it but for capital letters"),
        ("data/h.csv", "Data/h.csv", "has no 'Data'; did you mean 'data'? Capital letters count"),
        ("data/h.csv", "Data/*.csv", "did you mean 'data'? Capital letters count"),
        ("data/h.csv", "data\\h.csv", "/ stands between directories here, where this path has a backslash"),
    ],
)
def test_a_path_that_differs_from_the_file_in_what_nobody_sees_is_answered_with_that(shop, there, written, told):
    (shop / there).parent.mkdir(exist_ok=True)
    (shop / "history.csv").rename(shop / there)
    said = refusal(shop, written)
    assert told in said, said


def test_a_pattern_passes_over_the_hidden_files_that_lie_beside_copies(shop):
    (shop / "._history.csv").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    assert len(load(shop, "*history.csv").interactions) == len(load(shop).interactions)
    assert "a zero byte" in refusal(shop, "._*.csv")


def test_an_id_that_lost_the_zeros_before_it_is_told_as_such(shop):
    path = shop / "history.csv"
    path.write_text(path.read_text().replace("08,10,", "08,0010,"))
    assert "; '10' is: zeros before a number get lost in spreadsheets" in refusal(shop)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("s3://bucket/history.csv", "addresses (s3:) are not read; download the file first"),
        ("HTTPS://host.example/history.csv?version=2", "addresses (https:) are not read; download the file first"),
        ("file:///data/history.csv", "this is an address; write the path alone, without file:"),
    ],
)
def test_an_address_is_no_path(shop, address, told):
    with pytest.raises(ValidationError) as error:
        load(shop, address)
    assert told in str(error.value)
    with pytest.raises(DataError) as looked_at:
        propose_for([Path(address)])
    assert told in str(looked_at.value)


def test_a_directory_that_is_called_as_addresses_begin_is_read(shop, monkeypatch):
    monkeypatch.chdir(shop)
    (shop / "s3:").mkdir()
    (shop / "history.csv").rename(shop / "s3:" / "history.csv")
    assert len(load(shop, "s3:/history.csv").interactions) == 4
