"""The command as a person meets it: what it prints, how it ends, and one clear message for each mistake.

What depends on the process (the installed script, limits, signals, everything that reaches its streams) is watched on a
process of its own (`groundlings`); the rest runs in this one (`in_process`), where nothing is imported a second time.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from groundlings.environments.errors import RunWarning

COMMAND = Path(sys.executable).with_name("groundlings")

SMALL = {
    "name": "small",
    "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 30, "n_items": 60, "interactions_per_user": 15}},
    "simulation": {"days": 1},
    "mind": {"kind": "scripted"},
    "arms": [{"name": "random", "recommender": "random_order"}, {"name": "popular", "recommender": "popular"}],
}


@pytest.fixture
def groundlings(tmp_path):
    """Run the command in a directory that is not the project's."""

    def ran(*arguments: object, preexec=None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=preexec,
        )

    return ran


@pytest.fixture
def config(tmp_path):
    def written(**sections) -> Path:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump({**SMALL, **sections}))
        return path

    return written


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """One clear message, status 2, no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


def test_run_report_and_digest_agree(in_process, config, tmp_path, blank_pictures):
    done = in_process("run", config(), "--out", "here")
    assert done.returncode == 0, done.stderr
    assert "random" in done.stdout
    assert "popular" in done.stdout
    printed = in_process("digest", "here").stdout.strip()
    assert re.fullmatch("v2:[0-9a-f]{64}", printed)
    assert printed in done.stdout
    summary = (tmp_path / "here/summary.json").read_text()
    assert in_process("report", "here").returncode == 0
    assert (tmp_path / "here/summary.json").read_text() == summary


def test_without_out_each_run_gets_a_directory_of_its_own(in_process, config, tmp_path, quick_report):
    for _ in range(2):
        assert in_process("run", config()).returncode == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["small", "small-2"]


def test_check_prints_the_plan_and_writes_nothing(in_process, config, tmp_path):
    done = in_process("check", config(mind={"kind": "language", "model": {"provider": "embedded"}}))
    assert done.returncode == 0, done.stderr
    for part in ("60", "300", "tokens", "popular"):
        assert part in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.yaml"]


def test_an_existing_run_is_never_overwritten(in_process, config, tmp_path, quick_report):
    assert in_process("run", config(), "--out", "here").returncode == 0
    before = (tmp_path / "here/log.db").read_bytes()
    refused(in_process("run", config(), "--out", "here"), "not empty", "--out")
    assert (tmp_path / "here/log.db").read_bytes() == before


@pytest.mark.parametrize(
    ("sections", "parts"),
    [
        ({"site": {"page_sise": 3}}, ["small.yaml", "site.page_sise", "page_size"]),
        ({"population": {"size": 31}}, ["31", "30"]),
        ({"arms": [{"name": "a", "recommender": "populer"}]}, ["populer", "popular"]),
        ({"arms": [{"name": "a", "recommender": "ease", "options": {"regg": 3}}]}, ["regg"]),
        ({"arms": [{"name": "a", "recommender": "nowhere:Class"}]}, ["nowhere"]),
        ({"arms": [{"name": "a", "recommender": "oracle"}], "mind": {"kind": "scripted"}}, ["oracle", "mind"]),
        (
            {"dataset": {"name": "own", "own": {
                "interactions": {"path": "no.csv", "user": "u", "item": "i", "timestamp": "t"},
                "items": {"path": "no.csv", "id": "i", "title": "t"},
            }}},
            ["no.csv"],
        ),
        (
            {"mind": {"kind": "language", "model": {"provider": "endpoint", "base_url": "http://127.0.0.1:9/v1"}}},
            ["127.0.0.1:9"],
        ),
        (
            {"mind": {"kind": "language", "model": {"provider": "endpoint", "base_url": "https://example.com/v1"}}},
            ["GROUNDLINGS_REMOTE"],
        ),
    ],
)  # fmt: skip
def test_a_mistake_ends_in_one_clear_message_and_leaves_nothing_behind(in_process, config, tmp_path, sections, parts):
    refused(in_process("run", config(**sections), "--out", "here"), *parts)
    assert not (tmp_path / "here").exists()


def test_a_wrong_key_is_one_message_that_never_shows_the_key(in_process, config, tmp_path):
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self):
            body = b'{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}'
            self.send_response(401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the names are the base class's

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    model = {"provider": "endpoint", "base_url": url, "model": "m", "api_key_env": "SOME_KEY"}
    done = in_process(
        "run", config(mind={"kind": "language", "model": model}), "--out", "here", SOME_KEY="sk-quite-secret"
    )
    server.shutdown()
    refused(done, url, "key")
    assert "sk-quite-secret" not in done.stdout + done.stderr
    kept = [path for path in (tmp_path / "here").rglob("*") if path.is_file()] if (tmp_path / "here").exists() else []
    assert all(b"sk-quite-secret" not in path.read_bytes() for path in kept)


def test_bad_data_is_one_message_that_names_file_row_and_fix(in_process, config, tmp_path):
    (tmp_path / "what.csv").write_text("who,what,when,stars\na,x,1,5\na,y,2,9\n")
    (tmp_path / "items.csv").write_text("what,name\nx,First\ny,Second\n")
    tables = {
        "interactions": {"path": "what.csv", "user": "who", "item": "what", "timestamp": "when", "rating": "stars"},
        "items": {"path": "items.csv", "id": "what", "title": "name"},
    }
    done = in_process("run", config(dataset={"name": "own", "own": tables}), "--out", "here")
    refused(done, "what.csv", "3", "9")
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("arguments", [["run"], ["run", "a", "b"], ["fly"], ["run", "x.yaml", "--seed", "many"]])
def test_a_mistyped_command_is_explained(in_process, arguments):
    refused(in_process(*arguments))


def test_a_directory_that_cannot_be_written_is_named(in_process, config, tmp_path):
    (tmp_path / "file").write_text("")
    refused(in_process("run", config(), "--out", "file/run"), "file/run", "--out")


def test_a_disk_that_fills_up_ends_in_one_message_and_a_readable_log(groundlings, config, tmp_path):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = groundlings("run", config(simulation={"days": 60}), "--out", "here", preexec=small_disk)
    refused(done, "here/log.db", "disk")
    with sqlite3.connect(tmp_path / "here/log.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_ctrl_c_ends_with_130_and_keeps_what_was_finished(config, tmp_path):
    long = {"simulation": {"days": 5000}, "dataset": {"name": "toy", "toy": {"n_users": 500}}}
    path = config(**long, log={"store": "sqlite"})
    process = subprocess.Popen([COMMAND, "run", path, "--out", "here"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "here/log.db"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and _sessions(log)):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert "Ctrl-C" in stderr
    assert _sessions(log) > 0
    with sqlite3.connect(log) as connection:
        assert connection.execute("SELECT status FROM runs").fetchone() == ("interrupted",)


def _sessions(log: Path) -> int:
    try:
        with sqlite3.connect(f"file:{log}?mode=ro", uri=True) as connection:
            return int(connection.execute("SELECT count(*) FROM sessions").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the tables are not there yet


def test_digest_of_something_else_is_refused(in_process, tmp_path):
    refused(in_process("digest", tmp_path), "log.db")


def test_version_schema_and_help(groundlings, in_process):
    assert groundlings("--version").stdout.startswith("groundlings 0.")
    assert "page_size" in in_process("schema").stdout
    commands = in_process("--help").stdout
    for name in ("check", "run", "report", "digest", "doctor", "datasets", "personas", "schema"):
        assert name in commands


PLANNED = {"plan": {"primary": "view_ratio"}, "metrics": ["view_ratio"], "mind": {"kind": "behavioural"}}


def test_json_is_one_object_and_all_that_is_printed(groundlings, in_process, config, quick_report):
    done = groundlings("run", config(**PLANNED), "--out", "here", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert (told["directory"], told["status"]) == ("here", "done")
    assert told["digest"] == in_process("digest", "here").stdout.strip()
    assert [arm["name"] for arm in told["arms"]] == ["random", "popular"]
    assert 0 < told["arms"][0]["metrics"]["view_ratio"]["mean"] < 1
    assert told["verdict"]["primary"] == "view_ratio"
    assert told["verdict"]["arms"]["popular"]["word"] in ("validated", "indicative", "not supported")
    again = json.loads(in_process("run", "--resume", "here", "--json").stdout)
    assert again == told


def test_json_of_replicates_has_a_part_for_each_and_no_verdict_where_nothing_was_declared(
    in_process, config, quick_report
):
    done = in_process("run", config(variants={"seeds": [3, 4]}), "--out", "here", "--json")
    told = json.loads(done.stdout)
    assert list(told["cells"]) == ["seed-3", "seed-4"]
    assert told["cells"]["seed-3"]["digest"] != told["cells"]["seed-4"]["digest"]
    assert told["verdict"] is None


def test_quiet_prints_where_the_report_lies_and_nothing_else(in_process, config, quick_report):
    done = in_process("run", config(), "--out", "here", "--quiet")
    assert (done.stdout.split(), done.stderr) == (["report", "here/report.html"], "")
    refused(in_process("run", config(), "--out", "here", "--quiet", "--json"), "either --json or --quiet")


def test_an_error_of_a_quiet_run_is_still_said(in_process, config):
    for option in ("--quiet", "--json"):
        done = in_process("run", config(population={"size": 31}), option)
        refused(done, "31")
        assert done.stdout == ""


def test_a_persona_of_a_directory_that_is_no_run_is_told(in_process, tmp_path):
    (tmp_path / "empty").mkdir()
    told = in_process("personas", "show", "empty")
    assert told.returncode == 2
    assert "found no config.yaml there; expected a directory that `groundlings run` has begun" in told.stderr


def test_a_warning_that_a_command_gives_twice_is_printed_once(in_process, monkeypatch):
    """A lab that makes a world ten times over would say ten times what is wrong with its file."""

    def warned(**_):
        for _ in range(2):
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.warn("2 rows name nobody", RunWarning, stacklevel=1)

    monkeypatch.setattr("groundlings.experiments.cli.main._mount", lambda: None)
    monkeypatch.setattr("groundlings.experiments.cli.main.app", warned)
    for _ in range(2):
        assert in_process("check").stderr.count("2 rows name nobody") == 1


def test_a_command_without_its_run_says_what_a_run_is(in_process):
    done = in_process("compare")
    assert done.returncode == 2
    assert "Missing argument 'RUN'. A directory that `groundlings run` wrote." in done.stderr
