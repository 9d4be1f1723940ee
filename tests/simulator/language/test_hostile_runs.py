"""Whole runs against a server that lies: nothing of it is taken for a number, and no key is written down."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from groundlings.environments.errors import BudgetExhausted, GroundlingsError
from groundlings.experiments.archive.agent_history import read_story
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.log.spending import spent_in
from groundlings.simulator.log.store import store_at

KEY = "sk-very-secret-0123456789"
SAID = '{"open": {"1": 4}, "feel": "delighted", "satisfaction": 7, "next": false}'


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    """Nobody looks at these reports."""
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)


@contextmanager
def _server(**changed):
    """Answers every question with one completion, parts of which are raw JSON."""
    plain = {"model": '"m"', "text": json.dumps(SAID), "usage": '{"prompt_tokens": 10, "completion_tokens": 5}'}
    parts = {**plain, "logprobs": "null", **changed}
    choice = '{"finish_reason": "stop", "message": {"role": "assistant", "content": @text}, "logprobs": @logprobs}'
    body = f'{{"model": @model, "usage": @usage, "choices": [{choice}]}}'
    for name, raw in parts.items():
        body = body.replace(f"@{name}", raw)
    body = body.encode()

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def _send(self, content):
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            self._send(b'{"data": [{"id": "m"}]}')

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self._send(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _config(url, *, mind=None, **model):
    return ExperimentConfig.model_validate({
        "name": "hostile", "seed": 5,
        "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 20, "interactions_per_user": 6}},
        "population": {"size": 3}, "simulation": {"days": 1, "concurrency": 2},
        "site": {"page_size": 3, "max_pages": 1},
        "mind": {"kind": "language", **(mind or {}),
                 "model": {"provider": "endpoint", "base_url": url, "model": "m", "max_attempts": 2, **model}},
        "arms": [{"name": "popular", "recommender": "popular"}],
    })  # fmt: skip


def _run_to_its_end(config, directory, *progress):
    """Pages that cannot be read may be too many for a result; what is logged is looked at here."""
    with suppress(GroundlingsError):
        run_experiment(config, directory, *progress)


def _rows(directory, query):
    with sqlite3.connect(directory / "log.db") as connection:
        return connection.execute(query).fetchall()


class _Notes:
    def __init__(self):
        self.lines = []

    def event(self, event):
        if isinstance(event, Note):
            self.lines.append(event.line)


def test_a_run_says_how_many_of_its_calls_were_counted_by_estimate(tmp_path):
    with _server(usage="null") as url:
        run_experiment(_config(url), tmp_path / "run")
    estimated = json.loads((tmp_path / "run" / "manifest.json").read_text())["calls_with_estimated_tokens"]
    assert estimated == {"popular": _rows(tmp_path / "run", "SELECT count(*) FROM calls WHERE tokens_estimated")[0][0]}
    assert estimated["popular"] == 3


def test_a_capped_run_stops_by_estimate_and_goes_on_from_there(tmp_path):
    notes = _Notes()
    with _server(usage='{"prompt_tokens": -1000000, "completion_tokens": -5}') as url:
        config = _config(url, budget={"tokens": 1300})
        with pytest.raises(BudgetExhausted, match="are estimated, because the server gave no believable counts"):
            run_experiment(config, tmp_path / "run", notes)
        assert len([line for line in notes.lines if "counted by estimate" in line]) == 1
        spent = spent_in(store_at(tmp_path / "run")).agents
        assert 0 < spent.calls == spent.estimated_calls < 3
        with pytest.raises(BudgetExhausted):
            resume_experiment(tmp_path / "run")


def test_counts_below_zero_in_an_older_log_give_nothing_back(tmp_path):
    with _server() as url:
        run_experiment(_config(url), tmp_path / "run")
    with sqlite3.connect(tmp_path / "run" / "log.db") as connection:
        connection.execute("UPDATE calls SET prompt_tokens = -1000000, cached_tokens = 50, completion_tokens = -5")
    assert spent_in(store_at(tmp_path / "run")).agents.tokens == 0
    assert spent_in(store_at(tmp_path / "run")).agents.cached_tokens == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "700.0", "null"])
def test_an_unknown_log_probability_is_null_in_the_log(tmp_path, number):
    odds = f'[{{"token": "yes", "logprob": {number}}}, {{"token": "no", "logprob": -2.0}}]'
    listed = f'{{"content": [{{"top_logprobs": {odds}}}]}}'
    with _server(text=json.dumps('{"feel": "bored", "satisfaction": 3}'), logprobs=listed) as url:
        _run_to_its_end(_config(url, mind={"decision": "graded"}), tmp_path / "run")
    found = {text for (text,) in _rows(tmp_path / "run", "SELECT first_token FROM calls WHERE first_token IS NOT NULL")}
    assert found == {'[["no", -2.0], ["yes", null]]'}
    ((user,), *_) = _rows(tmp_path / "run", "SELECT source_user_id FROM agents ORDER BY agent_id")
    assert read_story(tmp_path / "run", user)


def test_no_file_of_a_run_holds_a_key_that_its_server_repeats(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    told = json.dumps(SAID.replace("delighted", f"delighted by {KEY}"))
    notes = _Notes()
    with _server(text=told, model=json.dumps(f"m-{KEY}")) as url:
        _run_to_its_end(_config(url, api_key_env="MY_KEY"), tmp_path / "run", notes)
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert written == []
    assert len([line for line in notes.lines if "repeats the key" in line]) == 1
    replies = _rows(tmp_path / "run", "SELECT DISTINCT status, model, reply FROM calls WHERE status = 'unreadable'")
    assert replies == [("unreadable", "m-(key)", "(withheld: it repeats the key)")]
