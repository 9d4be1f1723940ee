"""Runs of strangers, damaged runs and runs that vanish: one message or a dash, never a fault of the server."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.analysis.answer.file import sealed
from groundlings.experiments.running.live_file import LIVE_NAME, STOP_NAME, LiveState, ask_to_stop, read_live
from groundlings.experiments.ui.guard import Access
from groundlings.experiments.ui.overview import Overview
from groundlings.experiments.ui.resuming import OUTPUT_NAME, _new_file
from groundlings.experiments.ui.run_shelf import shelved_runs

LIVE = {
    "process": 1, "started_at": 1.0, "written_at": 1.0, "note": "",
    "stages": [{"arms": "a", "sessions": 1, "likely_sessions": 5}], "sessions_per_second": 1.0,
}  # fmt: skip


@pytest.fixture
def strange(small_run, tmp_path):
    """A copy of a run, of which anything may be changed."""
    return Path(shutil.copytree(small_run, tmp_path / "runs" / "strange"))


def changed(run: Path, sql: str) -> None:
    connection = sqlite3.connect(run / "log.db")
    with connection:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    "change",
    [
        {"process": 10**30},
        {"process": -1},
        {"process": 0},
        {"sessions_per_second": float("nan")},
        {"sessions_per_second": 1e-320},
        {"written_at": float("inf")},
        {"stages": [{"arms": "a", "sessions": 1, "likely_sessions": 10**4000}]},
        {"stages": [{"arms": "a", "sessions": -1, "likely_sessions": 5}]},
        {"stages": ["a"]},
        {"stages": {}},
    ],
)
def test_a_live_file_with_numbers_that_no_run_writes_is_none_of_ours(tmp_path, change) -> None:
    (tmp_path / LIVE_NAME).write_text(json.dumps(LIVE))
    assert read_live(tmp_path) is not None
    (tmp_path / LIVE_NAME).write_text(json.dumps(LIVE | change))
    assert read_live(tmp_path) is None


def test_a_file_from_the_future_does_not_make_a_run_alive() -> None:
    assert not LiveState(process=2**31 - 1, started_at=1.0, written_at=time.time() + 1e6).alive


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_no_pipe_of_a_stranger_is_waited_for(strange) -> None:
    for name in (LIVE_NAME, "answer.json", "manifest.json"):
        (strange / name).unlink(missing_ok=True)
        os.mkfifo(strange / name)
    (row,) = Overview(strange.parent).rows()
    assert (row.sentence, row.took, row.live) == ("", "", None)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("answer.json", {"lift": {"value": 10**400, "low": 1, "high": 2}}),
        ("answer.json", {"lift": {"value": 1e308, "low": 1, "high": 2, "percent": True}}),
        ("answer.json", {"lights": [{"state": ["good"]}], "lift": [1], "sentence": 1}),
        ("manifest.json", {"seconds": {"simulate": 10**400}}),
        ("manifest.json", {"seconds": {"simulate": float("nan")}}),
        ("manifest.json", {"seconds": {"simulate": True}}),
    ],
)
def test_figures_of_a_stranger_that_are_none_are_a_dash(strange, name, content) -> None:
    # A stranger can seal what he likes.
    (strange / name).write_text(json.dumps(sealed(strange, content) if name == "answer.json" else content))
    (row,) = Overview(strange.parent).rows()
    assert (row.lift, row.took, row.sentence, row.lights) == ("", "", "", ())


@pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_calendar_has_is_a_dash(strange, stamp) -> None:
    changed(strange, f"UPDATE runs SET started_at = '{stamp}'")
    (row,) = Overview(strange.parent).rows()
    assert row.started == ""


def test_a_directory_that_is_closed_hides_no_other(strange, monkeypatch) -> None:
    (strange.parent / "closed").mkdir()
    looked = Path.is_dir

    def is_dir(path: Path) -> bool:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied")
        return looked(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    assert [run.name for run in shelved_runs(strange.parent)] == ["strange"]


def test_a_directory_of_runs_that_is_gone_is_one_message(strange, serve) -> None:
    with serve(strange.parent) as site:
        shutil.rmtree(strange.parent)
        assert "cannot be read (No such file or directory)" in site.get("/").text


@pytest.mark.parametrize(
    ("sql", "page"),
    [
        ('UPDATE runs SET config = \'{"simulation": {"days": "many"}}\'', "live"),
        ("UPDATE runs SET config = '{\"simulation\": 7}'", "live"),
        ("UPDATE sessions SET day = 'x'", "calls"),
        ("UPDATE calls SET latency_seconds = 'x', from_store = 0", "calls"),
        ("UPDATE agents SET persona = '[1]'", "people/1"),
    ],
)
def test_a_log_with_other_types_is_one_message(strange, serve, sql, page) -> None:
    changed(strange, sql)
    with serve(strange.parent) as site:
        found = site.get(f"{site.key('strange')}/{page}")
        assert found.status in (200, 500)
        assert "what no run writes" in found.text
        assert "default-src 'none'" in found.headers["content-security-policy"]


def test_a_link_by_the_name_of_a_file_of_ours_is_not_followed(strange, tmp_path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (strange / OUTPUT_NAME).symlink_to(precious)
    (strange / STOP_NAME).symlink_to(tmp_path / "made elsewhere")
    with _new_file(strange / OUTPUT_NAME) as output:
        output.write(b"told")
    ask_to_stop(strange)
    assert precious.read_text() == "mine"
    assert (strange / OUTPUT_NAME).read_text() == "told"
    assert not (tmp_path / "made elsewhere").exists()


def test_a_directory_that_cannot_be_written_is_one_message(tmp_path) -> None:
    with pytest.raises(RunDirectoryError, match="cannot be written"):
        _new_file(tmp_path / "gone" / OUTPUT_NAME)


def test_another_run_in_the_same_place_is_read_from_its_beginning(strange, small_log, serve) -> None:
    from groundlings.experiments.analysis.live_effects import LiveEffects
    from groundlings.simulator.log.reader import LogReader

    effects = LiveEffects()
    before = effects.look(small_log)
    changed(strange, "UPDATE runs SET started_at = '2020-01-01T00:00:00+00:00'")
    with LogReader(strange) as other:
        assert effects.look(other) == before


def test_a_query_comes_back_as_it_was_typed(site) -> None:
    typed = "SELECT 1 AS a,\r\n\t2 AS b"
    for _ in range(2):
        page = site.post(f"{site.key('one')}/sql", {"token": site.access.token, "query": typed}).text
        assert "1 row;" in page
        assert "\nSELECT 1 AS a,\n&#9;2 AS b</textarea>" in page


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "\xff"])
def test_an_origin_that_is_no_address_is_refused(site, origin) -> None:
    assert site.post(f"{site.key('one')}/stop", None, Origin=origin).status in (400, 403)


def test_a_body_in_chunks_has_no_length_and_is_refused(site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    headers = {"Origin": f"http://127.0.0.1:{site.port}", "Content-Length": "1", "Transfer-Encoding": "chunked"}
    connection.request("POST", f"{site.key('one')}/sql", iter([b"query=1"]), headers, encode_chunked=True)
    assert connection.getresponse().status in (400, 403)
    connection.close()


@pytest.mark.parametrize(("host", "status"), [("10.1.2.3:80", 200), ("[fe80::1]:80", 200), ("evil.example", 403)])
def test_a_server_on_all_interfaces_is_reached_by_number_and_by_no_foreign_name(small_run, serve, host, status) -> None:
    with serve(small_run, Access(control=False, any_address=True)) as site:
        assert site.get("/", Host=host).status == status


@pytest.mark.parametrize("host", ["10.1.2.3", "[fe80::1]:80"])
def test_a_server_of_this_machine_is_not_reached_by_other_numbers(site, host) -> None:
    assert site.get("/", Host=host).status == 403


def test_of_a_reply_that_no_page_can_show_the_beginning_is_read(strange, serve) -> None:
    changed(strange, "UPDATE calls SET reply = hex(zeroblob(2000000)) WHERE call_id = (SELECT min(call_id) FROM calls)")
    with serve(strange.parent) as site:
        page = site.get(f"{site.key('strange')}/calls").text
    assert "... (4000000 characters)" in page
    assert page.count("0" * 1_000) < 1_100
