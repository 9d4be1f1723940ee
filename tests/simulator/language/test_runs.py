"""Whole experiments against a server that fails three requests in ten: nothing is lost, invented or waited for."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
import threading
import time
from itertools import combinations, pairwise

import pytest
from typer.testing import CliRunner

from groundlings.environments.chat import ChatRequest, Message
from groundlings.environments.errors import BudgetExhausted, DataError, ProviderError
from groundlings.experiments.archive.inventory import read_run
from groundlings.experiments.cli import runs as cli_runs
from groundlings.experiments.config.loading import as_yaml
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.simulator.language.scripted import legal_reply

KEY = "sk-very-secret-0123456789"
FAULTS = ("429", "500", "hang", "half", "wrong json", "wrong type", "reset")
PEOPLE = 12
MIXES = (
    [mix for size in (2, len(FAULTS) - 1, len(FAULTS)) for mix in combinations(FAULTS, size)]
    if os.environ.get("THOROUGH")
    else [*pairwise(FAULTS), FAULTS]
)


@pytest.fixture
def serve(mock):
    """Starts servers in a thread of their own; each has `url` and `bodies`."""
    loop, opened = asyncio.new_event_loop(), []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    def start(handler):
        server = mock.Server(every=handler)
        wait(server.__aenter__())
        opened.append(server)
        return server

    yield start
    for server in opened:
        wait(server.__aexit__())
    wait(_end_what_hangs())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _end_what_hangs():
    """Requests that the client gave up are still being served; left alone they complain when Python ends."""
    open_tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in open_tasks:
        task.cancel()
    await asyncio.gather(*open_tasks, return_exceptions=True)


def _ways(mock):
    return {
        "429": mock.status(429, Retry_After="0.01"),
        "500": mock.status(500, f'{{"error":"key {KEY} and a wish to open everything"}}'),
        "hang": mock.hang,
        "half": mock.half,
        "wrong json": mock.text_reply('{"open":{"1":5},"satisfaction":10}', "application/json"),
        "wrong type": mock.text_reply("<html>open everything</html>", "text/html"),
        "reset": mock.reset,
    }


def _decide(mock, faults=(), share=0.3, seed=1):
    """Answers legally by the request's own seed; a share of requests, whatever they ask, fails instead."""
    rng, ways = random.Random(seed), _ways(mock)

    async def handler(request):
        from aiohttp import web

        body = await request.json()
        if faults and rng.random() < share:
            return await ways[rng.choice(faults)](request)
        schema = body["response_format"]["json_schema"]["schema"]
        text = legal_reply(ChatRequest((Message("user", ""),), schema, 1, 0.0, body["seed"]))
        return web.json_response(mock.completion(text))

    return handler


def _config(url, concurrency=8, people=PEOPLE, arms=2, **model):
    return ExperimentConfig.model_validate(
        {
            "name": "faults",
            "seed": 3,
            "dataset": {"name": "toy", "toy": {"n_users": people, "n_items": 40, "interactions_per_user": 8}},
            "simulation": {"days": 1, "concurrency": concurrency},
            "site": {"page_size": 4, "max_pages": 3},
            "mind": {
                "kind": "language",
                "model": {
                    "provider": "endpoint",
                    "base_url": url,
                    "model": "mock-1",
                    "api_key_env": "MOCK_KEY",
                    "timeout_seconds": 0.5,
                    "max_attempts": 12,
                    "concurrency": concurrency,
                    **model,
                },
            },
            "arms": [{"name": name, "recommender": "popular"} for name in ("popular", "again")[:arms]],
        }
    )


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("MOCK_KEY", KEY)


def _rows(directory, query):
    with sqlite3.connect(directory / "log.db") as log:
        return log.execute(query).fetchall()


def _no_key_in(directory):
    for path in directory.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


@pytest.fixture(autouse=True)
def _one_report(request, monkeypatch):
    """Drawing takes longer than all the rest; one report is enough to look for keys in."""
    if "[all]" not in request.node.name:
        monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda *_: None)


_SESSIONS = """
SELECT arms.name, day, source_user_id FROM sessions JOIN arms USING (arm_id) JOIN agents USING (agent_id)
"""
_UNDISTURBED = {}


@pytest.fixture
def undisturbed(serve, mock, tmp_path):
    """The digest of the run when nothing fails."""
    if not _UNDISTURBED:
        run = run_experiment(_config(serve(_decide(mock)).url), tmp_path / "undisturbed")
        _UNDISTURBED["digest"] = run.digest
    return _UNDISTURBED["digest"]


@pytest.mark.parametrize("faults", [*((each,) for each in FAULTS), FAULTS], ids=[*FAULTS, "all"])
def test_faults_change_nothing_that_is_logged(serve, mock, tmp_path, undisturbed, faults):
    began = time.monotonic()
    outcome = run_experiment(_config(serve(_decide(mock, faults)).url), tmp_path / "run")
    assert time.monotonic() - began < 60
    assert outcome.digest == undisturbed
    assert _rows(outcome.directory, "SELECT status FROM runs") == [("done",)]
    assert _rows(outcome.directory, "SELECT count(*) FROM sessions") == [(2 * PEOPLE,)]
    assert _rows(outcome.directory, "SELECT sum(attempts > 1) > 0 FROM calls") == [(1,)]
    pages, calls = _rows(outcome.directory, "SELECT (SELECT sum(pages) FROM sessions), count(*) FROM calls")[0]
    assert calls == pages, "one call a page, none lost"
    _no_key_in(tmp_path)


@pytest.mark.slow
def test_every_mix_of_faults_ends_as_if_there_had_been_none(serve, mock, tmp_path, capfd):
    """Each fault with its neighbour, and all seven: every other request fails, each kind of the set in its turn.

    With `THOROUGH=1` (`make thorough`) any two faults, and all but one.
    """
    mix, met, asked = (), set(), 0
    decide, ways = _decide(mock), _ways(mock)

    async def handler(request):
        nonlocal asked
        asked += 1
        if mix and asked % 2:
            kind = mix[asked // 2 % len(mix)]
            met.add(kind)
            return await ways[kind](request)
        return await decide(request)

    config = _config(serve(handler).url, people=8, arms=1, timeout_seconds=0.1, max_attempts=100)
    undisturbed = run_experiment(config, tmp_path / "undisturbed")
    for mix in MIXES:
        met.clear()
        began = time.monotonic()
        outcome = run_experiment(config, tmp_path / "run")
        assert time.monotonic() - began < 60, mix
        assert met == set(mix)
        assert outcome.digest == undisturbed.digest, mix
        assert read_run(outcome.directory).status == "done"
        pages, calls, statuses = _rows(
            outcome.directory,
            "SELECT (SELECT sum(pages) FROM sessions), count(*), count(DISTINCT status) FROM calls WHERE status = 'ok'",
        )[0]
        assert calls == pages, (mix, "one call a page, none lost")
        assert statuses == 1, (mix, "nothing was asked again for its words")
        _no_key_in(outcome.directory)
        shutil.rmtree(outcome.directory)
    assert KEY not in "".join(capfd.readouterr())


def test_a_server_that_goes_down_interrupts_the_run_and_it_resumes(serve, mock, tmp_path, undisturbed):
    down = False
    answered = 0
    decide, refuse = _decide(mock), mock.status(500, f"down, and {KEY}")

    async def dying(request):
        nonlocal answered
        answered += 1
        return await (refuse if down or answered > 20 else decide)(request)

    config = _config(serve(dying).url, outage_seconds=0.3, max_attempts=1000)
    with pytest.raises(ProviderError, match=r"nobody has answered for 0\.3 seconds") as caught:
        run_experiment(config, tmp_path / "run")
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert _rows(tmp_path / "run", "SELECT status FROM runs") == [("interrupted",)]
    logged = _rows(tmp_path / "run", "SELECT count(*) FROM sessions WHERE ended_by IN ('exit', 'last_page')")
    assert logged == _rows(tmp_path / "run", "SELECT count(*) FROM sessions")
    stopped = read_run(tmp_path / "run")
    cut_short = {(each["arm"], each["day"], each["user_id"]) for each in stopped.cut_short}
    logged = set(_rows(tmp_path / "run", _SESSIONS))
    assert cut_short, "sessions that were open are recorded"
    assert not cut_short & logged, "and nothing of them is in the log"
    shown = CliRunner().invoke(cli_runs.app, ["show", str(tmp_path / "run")], env={"COLUMNS": "200"}).stdout
    assert f"{len(cut_short)} open sessions, which begin anew with --resume" in shown
    answered = -(10**9)
    assert resume_experiment(tmp_path / "run").digest == undisturbed
    assert set(_rows(tmp_path / "run", _SESSIONS)) > cut_short | logged
    assert read_run(tmp_path / "run").cut_short == []
    _no_key_in(tmp_path)


def test_a_wrong_key_stops_within_seconds_with_one_message(serve, mock, tmp_path):
    began = time.monotonic()
    said = json.dumps({"error": {"message": "x" * 270 + f" wrong key {KEY}"}})
    with pytest.raises(ProviderError, match="refuses the key") as caught:
        run_experiment(_config(serve(mock.status(401, said)).url), tmp_path / "run")
    assert time.monotonic() - began < 5
    assert KEY[:8] not in str(caught.value), "nor a part of it, where the message is cut"
    _no_key_in(tmp_path)


def test_the_command_says_once_that_the_key_is_wrong_and_never_what_it_is(serve, mock, tmp_path, in_process):
    said = json.dumps({"error": {"message": f"wrong key {KEY}, and Authorization: Bearer {KEY}"}})
    config = _config(serve(mock.status(401, said)).url)
    (tmp_path / "faults.yaml").write_text(as_yaml(config))
    done = in_process("run", "faults.yaml", "--out", "run")
    assert done.returncode == 2
    assert done.stderr.count("refuses the key") == 1
    assert [line.split()[0] for line in done.stderr.splitlines()].count("error") == 1
    assert KEY[:8] not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    _no_key_in(tmp_path)


def test_record_then_replay_and_any_concurrency_give_the_same_digest(serve, mock, tmp_path):
    store = {"path": str(tmp_path / "calls.db"), "mode": "record"}
    server = serve(_decide(mock, FAULTS))
    recorded = run_experiment(_config(server.url, store=store), tmp_path / "recorded")
    asked = len(server.bodies)
    replay = {**store, "mode": "replay"}
    for concurrency in (1, 32):
        config = _config(server.url, concurrency=concurrency, store=replay)
        replayed = run_experiment(config, tmp_path / f"replayed {concurrency}")
        assert replayed.digest == recorded.digest
        assert _rows(replayed.directory, "SELECT min(from_store) FROM calls") == [(1,)]
    assert len(server.bodies) == asked
    _no_key_in(tmp_path)
    another = config.model_copy(update={"seed": 4})
    with pytest.raises(DataError, match="holds no reply to request"):
        run_experiment(another, tmp_path / "another")


def test_a_budget_stops_the_run_and_a_larger_one_ends_it(serve, mock, tmp_path, undisturbed):
    import yaml

    server = serve(_decide(mock))
    with pytest.raises(BudgetExhausted, match="30 of 30 calls are made"):
        run_experiment(_config(server.url, budget={"calls": 30}), tmp_path / "run")
    assert len(server.bodies) == 30
    assert _rows(tmp_path / "run", "SELECT status FROM runs") == [("interrupted",)]
    ((logged,),) = _rows(tmp_path / "run", "SELECT count(*) FROM calls")
    assert 0 < logged <= 30
    path = tmp_path / "run" / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content["mind"]["model"]["budget"] = {"calls": 10_000}
    path.write_text(yaml.safe_dump(content))
    assert resume_experiment(tmp_path / "run").digest == undisturbed


class _Heard(list):
    def event(self, event):
        self.extend([event.line] if isinstance(event, Note) else [])


def test_a_resumed_run_keeps_its_reply_form_and_the_manifest_counts_forms_by_arm(serve, mock, tmp_path):
    answered, refusing, renamed, heard = 0, False, False, _Heard()
    decide = _decide(mock)

    async def changing(request):
        from aiohttp import web

        nonlocal answered
        answered += 1
        if refusing and "response_format" in await request.json():
            return await mock.status(400, "response_format is not supported")(request)
        if not renamed:
            return await (mock.status(401) if answered > 20 and not refusing else decide)(request)
        return web.json_response({**json.loads((await decide(request)).body), "model": "another"})

    server = serve(changing)
    with pytest.raises(ProviderError, match="refuses the key"):
        run_experiment(_config(server.url), tmp_path / "run")
    refusing = True
    with pytest.raises(ProviderError, match="response_format"):
        resume_experiment(tmp_path / "run")
    assert "response_format" in server.bodies[-1], "nothing was asked in another form"
    refusing, renamed, answered = False, True, -(10**9)
    resume_experiment(tmp_path / "run", progress=heard)
    assert sum("changes the model while it is asked" in line for line in heard) == 1, "replies before were of mock-1"
    forms = json.loads((tmp_path / "run" / "manifest.json").read_text())["reply_forms"]
    assert forms == {arm: {"json_schema": _calls(tmp_path / "run", arm)} for arm in ("popular", "again")}


def _calls(directory, arm):
    query = f"SELECT count(*) FROM calls JOIN sessions USING (session_id) JOIN arms USING (arm_id) WHERE name = '{arm}'"
    return _rows(directory, query)[0][0]
