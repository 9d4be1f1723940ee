"""Files of a run are written whole or not at all, and what prevents it is one message."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import choose_directory, write_bytes, write_json
from groundlings.experiments.exports.folders import new_directory


def failing(code: int, gone: Path | None = None):
    """A `Path.write_bytes` and a `Path.unlink` of a file system that refuses both."""

    def refuse(self: Path, *_: object, **__: object) -> int:
        if gone is not None:
            shutil.rmtree(gone, ignore_errors=True)
        raise OSError(code, "refused", str(self))

    return refuse


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_place_that_cannot_be_written_is_one_message_with_a_way_out(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_bytes", failing(code))
    monkeypatch.setattr(Path, "unlink", failing(code))
    with pytest.raises(RunDirectoryError, match=r"report.html: cannot be written .*copy .* where you may write"):
        write_bytes(tmp_path / "report.html", b"")


def test_a_full_disk_tells_how_much_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", failing(errno.ENOSPC))
    with pytest.raises(RunDirectoryError, match=r"\d+ MiB free"):
        write_bytes(tmp_path / "report.html", b"")


@pytest.mark.parametrize("stage", ["stat", "replace"])
def test_ctrl_c_leaves_no_half_file(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, stage, stop)
        with pytest.raises(KeyboardInterrupt):
            write_bytes(tmp_path / "report.html", b"new")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("other", ["has begun", "has begun in the same place", "is done"])
def test_two_commands_may_write_one_file_at_once(other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, part = tmp_path / "figures.json", tmp_path / "figures.json.part"
    usual, met = Path.stat, []

    def meet(looked_at: Path, **options: bool) -> os.stat_result:
        if looked_at == part and not met:
            met.append(part)
            part.rename(path if other == "is done" else tmp_path / "kept")
            if other != "is done":
                part.write_bytes(b"half")
            if other == "has begun in the same place":  # a system gives the number of a file anew once it is gone
                number = usual(tmp_path / "kept").st_ino
                return os.stat_result([found if place != 1 else number for place, found in enumerate(usual(part))])
        return usual(looked_at, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", meet)
        write_bytes(path, b"whole")
    assert met
    assert path.read_bytes() == b"whole"
    assert not part.exists()


def test_a_directory_removed_meanwhile_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"summary.json: cannot be written .*there is no directory"):
        write_json(tmp_path / "run" / "summary.json", {})


def test_json_keeps_every_value_and_holds_nothing_that_steers(tmp_path: Path) -> None:
    value = {"arm": "pop\x1b[31m\x9b\u202e\ud800 é"}
    write_json(tmp_path / "summary.json", value)
    written = (tmp_path / "summary.json").read_text(encoding="utf-8")
    assert json.loads(written) == value
    assert "\x9b" not in written
    assert "é" in written


def test_nothing_is_written_to_an_address_and_no_directory_of_its_name_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = r"^s3:/bucket/run: nothing is written to addresses \(s3:\); name a directory on this machine$"
    with pytest.raises(RunDirectoryError, match=told):
        choose_directory("shop", Path("s3://bucket/run"))
    with pytest.raises(RunDirectoryError, match=told), new_directory(Path("s3://bucket/run")):
        pass
    assert not any(tmp_path.iterdir())
