"""Agents that ask a model from several processes: the run is that of one process, with one budget and one store."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from groundlings.environments.chat import ChatRequest, Message
from groundlings.environments.errors import BudgetExhausted, ProviderError, UnanswerablePrompt, WorkerLost
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import Note
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import build_plan, prepare
from groundlings.experiments.running.simulating import simulate
from groundlings.simulator.engines.worker import portable
from groundlings.simulator.language.health import Health
from groundlings.simulator.language.rate_limit import Pace
from groundlings.simulator.language.scripted import legal_reply
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

MINE = os.getpid()


class Server:
    """Answers by the seed of each question, in a thread of this process; `when` may answer otherwise."""

    def __init__(self):
        self.when = lambda body: None
        self.seeds = Counter()
        self.clients = set()

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _start(self):
        application = web.Application()
        application.router.add_get("/v1/models", self._models)
        application.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _models(self, _request):
        return web.json_response({"object": "list", "data": [{"id": "mock", "owned_by": "test"}]})

    async def _answer(self, request):
        body = await request.json()
        self.clients.add(request.transport.get_extra_info("peername")[1])
        if (other := self.when(body)) is not None:
            return other
        self.seeds[body["seed"]] += 1
        schema = body["response_format"]["json_schema"]["schema"]
        text = legal_reply(ChatRequest((Message("user", ""),), schema, 1, 0.0, body["seed"]))
        await asyncio.sleep(0.002)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}
        return web.json_response({"object": "chat.completion", "model": "mock", "choices": [choice], "usage": usage})


@pytest.fixture
def server():
    with Server() as running:
        yield running


class Listener:
    """Keeps the notes that it is told."""

    def __init__(self):
        self.lines = []

    def event(self, event):
        if isinstance(event, Note):
            self.lines.append(event.line)


def config_of(clients: int, model: dict, **changes) -> ExperimentConfig:
    engine = {"engine": "pool", "workers": clients} if clients > 1 else {"engine": "process"}
    return ExperimentConfig.model_validate(
        {
            "name": "small",
            "seed": 3,
            "dataset": {"name": "toy", "toy": {"n_users": 16, "n_items": 30, "interactions_per_user": 8}},
            "simulation": {"days": 2, "concurrency": 6},
            "site": {"page_size": 3, "max_pages": 2},
            "mind": {"kind": "language", "model": model, "reflection": {"every": 2}},
            "arms": [{"name": "popular", "recommender": "popular"}],
            "execution": engine,
            **changes,
        }
    )


def run(place: Path, config: ExperimentConfig, listener=None, cut_short=None, stop=None) -> str:
    """Simulate, from the beginning or on, and say the digest; `stop` gets the task of the run."""

    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(config, stack)
            if stop is not None:
                stop(asyncio.current_task())
            await simulate(plan, run_row(plan), place, listener or Listener(), cut_short)

    asyncio.run(whole())
    with LogReader(place) as log:
        return log.digest()


SCRIPTED = {"provider": "scripted"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The digest of the run whose agents ask from one process."""
    return run(tmp_path_factory.mktemp("alone") / LOG_NAME, config_of(1, SCRIPTED))


@pytest.mark.parametrize("clients", [2, 5])
def test_the_number_of_clients_changes_nothing_although_agents_remember(clients, alone, tmp_path):
    assert run(tmp_path / LOG_NAME, config_of(clients, SCRIPTED)) == alone


@pytest.mark.parametrize(("clients", "size"), [(1, 3), (1, 64), (2, 3)])
def test_cohorts_of_language_agents_change_nothing_although_agents_remember(clients, size, alone, tmp_path):
    mind = {"kind": "language", "model": SCRIPTED, "reflection": {"every": 2}, "cohort_size": size}
    assert run(tmp_path / LOG_NAME, config_of(clients, SCRIPTED, mind=mind)) == alone


def test_clients_ask_a_server_by_connections_of_their_own_for_the_same_run(server, tmp_path):
    model = {"provider": "endpoint", "base_url": server.url, "concurrency": 4}
    one = run(tmp_path / "one.db", config_of(1, model))
    asked, server.seeds = server.seeds, Counter()
    assert run(tmp_path / "two.db", config_of(2, model)) == one
    assert server.seeds == asked


def test_two_clients_have_the_places_of_one_process_and_no_more(server, tmp_path):
    model = {"provider": "endpoint", "base_url": server.url, "concurrency": 3}
    server.clients.clear()
    run(tmp_path / LOG_NAME, config_of(2, model, simulation={"days": 1, "concurrency": 6}))
    # The first contact of this process, and a connection for each place.
    assert len(server.clients) <= 3


def test_a_budget_is_one_for_all_clients_and_the_run_goes_on_with_more(server, alone, tmp_path):
    model = {"provider": "endpoint", "base_url": server.url, "concurrency": 6}
    whole = run(tmp_path / "whole.db", config_of(1, model))
    server.seeds.clear()
    with pytest.raises(BudgetExhausted, match=r"25 of 25 calls are made.*Raise mind.model.budget"):
        run(tmp_path / LOG_NAME, config_of(3, {**model, "budget": {"calls": 25}}))
    assert server.seeds.total() == 25
    assert run(tmp_path / LOG_NAME, config_of(3, model)) == whole


def test_tokens_are_set_aside_across_clients(server, tmp_path):
    model = {"provider": "endpoint", "base_url": server.url, "concurrency": 6, "max_tokens": 20}
    with pytest.raises(BudgetExhausted, match=r"of 5,000 tokens are used, and the next call could take more"):
        run(tmp_path / LOG_NAME, config_of(3, {**model, "budget": {"tokens": 5_000}}))
    used = 100 * server.seeds.total()
    assert 2_000 < used <= 5_000  # a prompt of some 2,000 bytes is set aside, of which 90 tokens are taken


def test_one_store_keeps_the_replies_of_all_clients_and_replays_them(server, tmp_path):
    model = {"provider": "endpoint", "base_url": server.url, "model": "mock"}
    store = str(tmp_path / "calls.db")
    first = run(tmp_path / "first.db", config_of(2, {**model, "store": {"path": store, "mode": "record"}}))
    asked = server.seeds.total()
    replay = {**model, "store": {"path": store, "mode": "replay"}}
    assert run(tmp_path / "again.db", config_of(3, replay)) == first
    assert run(tmp_path / "alone.db", config_of(1, replay)) == first
    assert server.seeds.total() == asked
    with LogReader(tmp_path / "again.db") as log:
        assert log.calls(columns=["from_store"])["from_store"].all()


def test_sessions_of_a_killed_client_are_begun_again_and_it_is_said(server, tmp_path):
    model = {"provider": "endpoint", "base_url": server.url, "budget": {"calls": 10_000}}
    whole = run(tmp_path / "whole.db", config_of(1, model))
    server.seeds.clear()

    def kill_once(_body):
        if server.seeds.total() == 9:
            server.seeds["killed"] += 1
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    server.when, listener = kill_once, Listener()
    assert run(tmp_path / LOG_NAME, config_of(2, model), listener) == whole
    assert "a client process was killed (SIGKILL); the sessions that it had begun are begun again" in listener.lines[0]
    assert listener.lines[0].startswith("arm popular, day 1: ")


def test_sessions_that_kill_every_client_stop_the_run(server, tmp_path):
    def kill(_body):
        # All of them, so that the one that asks is among them and no session ever ends.
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)

    server.when, cut_short = kill, []
    with pytest.raises(WorkerLost, match=r"a client process was killed \(SIGKILL\), as 2 others did"):
        run(tmp_path / LOG_NAME, config_of(2, {"provider": "endpoint", "base_url": server.url}), cut_short=cut_short)
    assert cut_short


def test_a_wrong_key_ends_all_clients_with_the_message_of_one_process(server, tmp_path):
    model, told = {"provider": "endpoint", "base_url": server.url}, []
    for clients in (1, 2):
        server.seeds.clear()
        server.when = lambda _: web.json_response({"error": "no"}, status=401) if server.seeds.total() > 20 else None
        with pytest.raises(ProviderError) as fault:
            run(tmp_path / f"{clients}.db", config_of(clients, model))
        told.append(str(fault.value))
        with LogReader(tmp_path / f"{clients}.db") as log:
            assert log.run()["status"] == "interrupted"
            assert len(log.calls(columns=["call_id"])) > 5  # what was decided is kept
    assert told[0] == told[1]
    assert not multiprocessing.active_children()


def test_an_interrupted_run_leaves_no_client_and_goes_on_to_the_same_log(server, tmp_path):
    model = {"provider": "endpoint", "base_url": server.url}
    whole = run(tmp_path / "whole.db", config_of(1, model))
    server.seeds.clear()
    tasks = []

    def interrupt(_body):
        if server.seeds.total() == 20:
            task = tasks.pop()
            task.get_loop().call_soon_threadsafe(task.cancel)
            server.when = lambda _: None

    server.when = interrupt
    with pytest.raises(asyncio.CancelledError):
        run(tmp_path / LOG_NAME, config_of(2, model), stop=tasks.append)
    assert not multiprocessing.active_children()
    assert run(tmp_path / LOG_NAME, config_of(2, model)) == whole


def test_a_form_that_the_server_refuses_is_given_up_by_all_clients_and_said_once(server, tmp_path):
    def refuses(body):
        if "response_format" in body:
            return web.json_response({"error": {"message": "response_format is not supported"}}, status=400)
        text = json.dumps({"open": {}, "feel": "bored", "satisfaction": 5, "next": False})
        choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return web.json_response({"object": "chat.completion", "model": "mock", "choices": [choice]})

    server.when, listener = refuses, Listener()
    mind = {"kind": "language", "model": {"provider": "endpoint", "base_url": server.url}, "max_unreadable": 1}
    run(tmp_path / LOG_NAME, config_of(2, {}, mind=mind), listener)
    assert len([line for line in listener.lines if "refuses the reply form" in line]) == 1
    with LogReader(tmp_path / LOG_NAME) as log:
        assert set(log.calls(columns=["form"])["form"]) == {"none"}


def test_a_refusal_of_one_prompt_comes_through_another_process_whole():
    refusal = portable(UnanswerablePrompt("no", what="filtered", attempts=2, from_store=True))
    assert isinstance(refusal, UnanswerablePrompt)
    assert (str(refusal), refusal.what, refusal.attempts, refusal.from_store) == ("no", "filtered", 2, True)


def in_a_fork(work) -> None:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(10)
    assert process.exitcode == 0


def test_limits_of_rate_count_the_requests_of_all_processes():
    pace = Pace(requests_per_minute=6, tokens_per_minute=600)
    pace.share()
    assert pace.reserve(10) == 0

    def work():
        assert 9 < pace.reserve(100) <= 10

    in_a_fork(work)
    assert 19 < pace.reserve(10) <= 20
    pace.settle(100, 90)


def test_a_server_that_wants_a_rest_is_left_alone_by_all_processes():
    from groundlings.simulator.language.faults import Fault

    health = Health(60)
    health.share()
    in_a_fork(lambda: health.failed(Fault("busy", transient=True, wait_seconds=30.0, concerns="server")))
    assert health.resting
    in_a_fork(lambda: health.succeeded(0.1))
    assert not health.resting


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "pool, 2 client processes: as execution.engine says"),
        ({"execution": {}}, "process: agents ask a language model; simulation.concurrency sets how many at once"),
        (
            {"mind": {"kind": "language"}},
            "process: agents ask a model that computes in this process (provider: embedded)",
        ),
    ],
)
def test_check_says_from_where_agents_ask(changes, line):
    assert next(build_plan(config_of(2, SCRIPTED, **changes)).execution.lines) == line


@pytest.mark.parametrize(
    ("at_once", "line"), [(255, "process: agents ask"), (256, "pool, 4 client processes: about 16")]
)
def test_by_themselves_agents_ask_from_several_processes_where_many_do_at_once(at_once, line, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.running.execution._FEWEST_SESSIONS", 16)
    monkeypatch.setattr("groundlings.experiments.running.execution.usable_cores", lambda: 4)
    config = config_of(1, SCRIPTED, simulation={"days": 1, "concurrency": at_once}, execution={})
    assert next(build_plan(config).execution.lines).startswith(line)


def test_recommenders_that_ask_a_model_stay_in_one_process(module, alone, tmp_path):
    name = module(
        "from groundlings.recommenders.base import AsyncRecommender\n"
        "from groundlings.recommenders.popular import PopularRecommender\n"
        "class Waits(AsyncRecommender):\n"
        "    def __init__(self): self.of = PopularRecommender()\n"
        "    def fit(self, interactions, catalog): self.of.fit(interactions, catalog)\n"
        "    async def rank(self, request): return self.of.recommend(request)\n"
    )
    arms = [{"name": "popular", "recommender": "popular"}, {"name": "waits", "recommender": f"{name}:Waits"}]
    assert list(build_plan(config_of(2, SCRIPTED, arms=arms)).execution.lines) == [
        "pool, 2 client processes: as execution.engine says",
        "arm waits stays in one process: its recommender (Waits) may wait for a model or a server",
    ]


def test_where_no_client_can_be_forked_this_process_asks(monkeypatch, alone, tmp_path):
    def refused(process):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.ForkProcess.start", refused)
    listener = Listener()
    assert run(tmp_path / LOG_NAME, config_of(2, SCRIPTED), listener) == alone
    assert listener.lines == [
        "asked from one process, because no other could be started (Resource temporarily unavailable)"
    ]
