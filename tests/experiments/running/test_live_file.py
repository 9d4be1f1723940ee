"""What a run says of itself while it goes, to whoever reads its directory."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from groundlings.experiments.running.events import ArmBegins, Note, RunBegins, SessionsWritten
from groundlings.experiments.running.live_file import LIVE_NAME, STOP_NAME, LiveFile, ask_to_stop, read_live


class Heard:
    """Remembers events."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def event(self, event: object) -> None:
        self.events.append(event)


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr("groundlings.experiments.running.live_file._EVERY_SECONDS", 0.02)


def until(found, seconds: float = 120.0):
    """What a function returns as soon as it is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (value := found()) is not None:
            return value
        time.sleep(0.01)
    raise AssertionError("nothing came")


def test_progress_is_passed_on_and_stands_in_the_directory_until_the_end(tmp_path) -> None:
    heard = Heard()
    told = [RunBegins(tmp_path), ArmBegins("a, b", 40), SessionsWritten(3), SessionsWritten(4), Note("so it is")]
    with LiveFile(heard) as live:
        for event in told:
            live.event(event)
        state = until(lambda: (found := read_live(tmp_path)) and (found if found.note else None))
        (stage,) = state.stages
        assert (stage.arms, stage.sessions, stage.likely_sessions) == ("a, b", 7, 40)
        assert state.alive
    assert heard.events == told
    assert list(tmp_path.iterdir()) == []
    assert read_live(tmp_path) is None


def test_what_is_left_is_told_from_the_rate_of_the_last_minute(tmp_path) -> None:
    with LiveFile(Heard()) as live:
        live.event(RunBegins(tmp_path))
        live.event(ArmBegins("a", 1_000_000))
        until(lambda: read_live(tmp_path))
        assert read_live(tmp_path).seconds_left() is None
        live.event(SessionsWritten(400_000))
        state = until(lambda: (found := read_live(tmp_path)) and (found if found.sessions_per_second else None))
        assert state.seconds_left() == pytest.approx(600_000 / state.sessions_per_second)


def test_the_cells_of_a_matrix_are_told_one_by_one(tmp_path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with LiveFile(Heard()) as live:
        for directory, name in ((first, "a"), (second, "b")):
            directory.mkdir()
            live.event(RunBegins(directory))
            live.event(ArmBegins(name, 5))
            state = until(lambda here=directory: (found := read_live(here)) and (found if found.stages else None))
            assert [stage.arms for stage in state.stages] == [name]
        assert read_live(first) is None


def test_a_run_stops_once_where_it_is_asked_to_and_not_for_what_was_asked_before(tmp_path) -> None:
    ask_to_stop(tmp_path)
    stopped, asked = threading.Event(), []

    def stop() -> None:
        asked.append(1)
        stopped.set()

    heard = Heard()
    with LiveFile(heard, stop) as live:
        live.event(RunBegins(tmp_path))
        until(lambda: read_live(tmp_path))
        time.sleep(0.1)
        assert not asked, "the file of an earlier start counts no more"
        ask_to_stop(tmp_path)
        assert stopped.wait(20)
        time.sleep(0.1)
    assert len(asked) == 1
    assert not (tmp_path / STOP_NAME).exists()
    assert any(isinstance(event, Note) and "asked to stop" in event.line for event in heard.events)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"stages": 3}', "x" * 100, '{"process": "1e999"}', "[" * 100_000, b"\xff\xfe"]
)
def test_a_file_that_is_none_of_ours_says_nothing(tmp_path, content) -> None:
    (tmp_path / LIVE_NAME).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_live(tmp_path) is None


def test_a_process_that_is_gone_is_not_alive(tmp_path) -> None:
    gone = {"process": 2**22 - 3, "started_at": 0, "written_at": 0, "stages": [], "note": ""}
    gone |= {"sessions_per_second": None}
    (tmp_path / LIVE_NAME).write_text(json.dumps(gone))
    assert not read_live(tmp_path).alive


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say when a process began")
def test_a_process_that_was_given_the_number_of_one_that_is_gone_is_not_alive(tmp_path) -> None:
    with LiveFile(Heard()) as live:
        live.event(RunBegins(tmp_path))
        until(lambda: read_live(tmp_path))
        told = json.loads((tmp_path / LIVE_NAME).read_text()) | {"written_at": 0}
    for changed, alive in (
        ({}, True),
        ({"process_began": told["process_began"] - 1}, False),
        ({"process_began": None}, True),
    ):
        (tmp_path / LIVE_NAME).write_text(json.dumps(told | changed))
        assert read_live(tmp_path).alive is alive
