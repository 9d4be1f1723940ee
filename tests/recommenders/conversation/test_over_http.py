"""A chat recommender on a real little HTTP server: it takes part, its slips are counted, its silence is an error."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.plan import build_plan
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.language.json_post import JsonPost
from groundlings.simulator.log.reader import LogReader

pytestmark = pytest.mark.usefixtures("quick_report")


@pytest.fixture
def server():
    """Suggests the first item that the user has not had, then says what is no move; what it was sent.

    `answers`, where there are some, are sent one by one in the place of that, a tenth of a second apart.
    """
    sent, status, answers = [], [200], []

    closing = threading.Event()

    class Chat(BaseHTTPRequestHandler):
        def do_POST(self):
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sent.append(told)
            first = next(f"i{item}" for item in range(1, 31) if f"i{item}" not in told["had"])
            move = json.dumps({"say": "This one?", "suggest": first}) if len(told["messages"]) == 1 else "As you like."
            self.send_response(status[0])
            self.end_headers()
            for part in answers or [move.encode()]:
                self.wfile.write(part)
                self.wfile.flush()
                if answers[1:] and closing.wait(0.1):
                    return

        def log_message(self, *_):
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Chat) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        running.sent, running.status, running.answers = sent, status, answers
        running.url = f"http://127.0.0.1:{running.server_port}/reply"
        yield running
        closing.set()
        running.shutdown()


def config(url, **options):
    return ExperimentConfig.model_validate({
        "name": "over_http",
        "seed": 3,
        "dataset": {"name": "toy", "toy": {"n_users": 6, "n_items": 30, "interactions_per_user": 5}},
        "environment": "conversation",
        "mind": "conversing",
        "simulation": {"days": 1},
        "arms": [{"name": "mine", "recommender": "chat_http", "options": {"url": url, **options}}],
    })  # fmt: skip


def test_it_takes_part_and_what_is_no_move_is_counted(server, tmp_path):
    done = run_experiment(config(server.url), tmp_path / "run")
    with LogReader(done.directory) as log:
        events, impressions = log.events(), log.impressions()
    kinds = events.groupby("kind").size()
    assert len(impressions) == 6
    assert kinds["breaks_off"] == kinds["refuse"] == 6 - kinds.get("accept", 0)
    first = next(told for told in server.sent if len(told["messages"]) == 1)
    assert set(first) == {"user", "messages", "had", "fields"}
    assert {"genres", "year"} <= set(first["fields"])


def test_a_server_that_fails_stops_the_run_with_its_address(server, tmp_path):
    server.status[0] = 500
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1.*status 500"):
        run_experiment(config(server.url), tmp_path / "run")


def test_an_address_elsewhere_is_not_asked(tmp_path):
    with pytest.raises(ProviderError, match="nothing was sent"):
        run_experiment(config("http://chat.invalid/reply"), tmp_path / "run")
    with pytest.raises(ConfigError, match="expected an address"):
        run_experiment(config("chat.invalid"), tmp_path / "other")


@pytest.mark.parametrize(
    "answer", [b'{"say": "caf\xe9", "abstain": true}', b'{"say": "\\ud800", "abstain": true}', b"[" * 100_000]
)
def test_an_answer_that_no_text_holds_is_counted_and_not_repaired(server, answer, tmp_path):
    server.answers[:] = [answer]
    done = run_experiment(config(server.url), tmp_path / "run")
    with LogReader(done.directory) as log:
        kinds = log.events().groupby("kind").size()
    assert kinds["breaks_off"] == 6
    assert "abstains" not in kinds


def test_a_server_that_drips_is_given_up_after_the_time_for_a_whole_answer(server, tmp_path):
    server.answers[:] = [b" "] * 1000
    with pytest.raises(ProviderError, match=r"within 0\.3 seconds"):
        run_experiment(config(server.url, seconds=0.3), tmp_path / "run")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"SSH-2.0-x\r\n", r"no answer of HTTP.*SSH.*mend url"),
        (b'HTTP/1.1 422 x\r\nContent-Length: 27\r\n\r\n{"detail": "user: missing"}', "422; .*user: missing"),
        (b"HTTP/1.1 302 x\r\nLocation: http://other.invalid/\r\n\r\n", "302; .*leads to http://other.invalid/"),
        (b"HTTP/1.1 500 x\r\nContent-Length: 99\r\n\r\noops", "status 500"),
        (b"", "closes the connection"),
    ],
)
def test_what_is_no_answer_is_told_by_what_came(answer, says):
    async def asked():
        async def answers(reader, writer):
            await reader.read(1)
            writer.write(answer)
            writer.close()

        async with await asyncio.start_server(answers, "127.0.0.1", 0) as running:
            await JsonPost()(f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/", {}, 5.0)

    with pytest.raises(ProviderError, match=says):
        asyncio.run(asked())


@pytest.mark.parametrize("status", [201, 206, 302])
def test_no_status_but_200_brings_a_move(server, status, tmp_path):
    server.status[0] = status
    with pytest.raises(ProviderError, match=f"status {status}; expected 200"):
        run_experiment(config(server.url), tmp_path / "run")


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2@127.0.0.1/reply",
        "http://127.0.0.1/reply?api_key=hunter2",
        "http://127.0.0.1:99999/reply",
        "http://[127.0.0.1/reply",
        "ftp://127.0.0.1/reply",
    ],
)
def test_an_address_with_a_secret_or_of_no_server_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="expected an address") as refused:
        build_plan(config(url)).recommender(config(url).arms[0])
    assert "hunter2" not in str(refused.value)
