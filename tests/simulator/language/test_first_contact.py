"""Nobody waits for a server for long without being told, nor for ever."""

from __future__ import annotations

import asyncio
import time

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language import waiting
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.pool import EndpointPool


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Seconds as hundredths."""
    monkeypatch.setattr(waiting, "_SECONDS", (0.03, 0.1))
    monkeypatch.setattr(waiting, "_FURTHER_SECONDS", 0.2)
    monkeypatch.setattr(waiting, "_QUIET_SECONDS", 0.1)


def _start(mock, models, *, contact=0.5, **options):
    """What first contact ends with, and the lines told meanwhile."""
    lines = []

    async def scenario():
        async with mock.Server(models=models) as server:
            pool = EndpointPool(
                [Connection(base_url=server.url, model="mock-1")],
                first_contact_seconds=contact, tell=lines.append, **options,
            )  # fmt: skip
            try:
                await pool.start()
            except ProviderError as error:
                return str(error)
            finally:
                await pool.close()
            return ""

    began = time.perf_counter()
    told = asyncio.run(scenario())
    return told, lines, time.perf_counter() - began


@pytest.mark.parametrize("how", ["hang", "trickle"])
def test_a_server_that_never_finishes_ends_first_contact_with_one_message(mock, how):
    told, lines, _ = _start(mock, getattr(mock, how))
    assert "no answer to be had at first contact within 0.5 seconds" in told
    assert "mind.model.first_contact_seconds" in told
    assert lines
    assert all("waiting for model server http://127.0.0.1:" in line for line in lines)


def test_all_attempts_share_one_deadline(mock):
    told, _, _ = _start(mock, mock.status(503, "loading"), max_attempts=10**6)
    assert "within the 0.5 seconds that it may take (HTTP 503: loading)" in told


def test_a_rest_longer_than_the_deadline_is_not_waited_for(mock):
    told, _, _ = _start(mock, mock.status(429, Retry_After="1000000000"), contact=30.0)
    assert "HTTP 429" in told
    assert "asks to wait 1,000,000,000 s" in told


def test_a_server_that_answers_at_once_causes_no_line(mock, monkeypatch):
    monkeypatch.setattr(waiting, "_SECONDS", (60,))
    assert _start(mock, None)[:2] == ("", [])


def test_a_server_that_answers_late_is_waited_for_aloud(mock):
    async def late(request):
        await asyncio.sleep(0.2)
        return await mock.status(404)(request)

    told, lines, _ = _start(mock, late)
    assert told == ""
    assert lines


def test_a_rest_that_a_server_asks_for_is_told_once_and_cut(mock, request_, monkeypatch):
    monkeypatch.setattr("groundlings.simulator.language.faults._LONGEST_DELAY_SECONDS", 0.2)
    lines = []

    async def scenario():
        async with mock.Server(*[mock.status(429, Retry_After="1e9")] * 3) as server:
            pool = EndpointPool([Connection(base_url=server.url, model="mock-1")], tell=lines.append)
            await asyncio.gather(*(pool.ask(request_) for _ in range(3)))
            await pool.close()

    asyncio.run(scenario())
    (line,) = [line for line in lines if "asks to wait 1,000,000,000 s" in line]
    assert "HTTP 429" in line
    assert "asked again in" in line


def test_silence_while_requests_are_on_their_way_is_told(mock, request_):
    lines = []

    async def late(request):
        await asyncio.sleep(0.35)
        return await mock.answer(request)

    async def scenario():
        async with mock.Server(late) as server:
            pool = EndpointPool([Connection(base_url=server.url, model="mock-1")], tell=lines.append)
            await pool.ask(request_)
            await pool.close()

    asyncio.run(scenario())
    assert any("without an answer, 1 asked" in line for line in lines)


@pytest.mark.parametrize(
    "date",
    ["Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 99 Dec 2099", "nan", "-5", "9" * 400],
)
def test_no_date_or_number_in_retry_after_breaks_anything(mock, request_, date, monkeypatch):
    monkeypatch.setattr("groundlings.simulator.language.faults._LONGEST_DELAY_SECONDS", 0.01)

    async def scenario():
        async with mock.Server(mock.status(429, Retry_After=date)) as server:
            pool = EndpointPool([Connection(base_url=server.url, model="mock-1")])
            reply = await pool.ask(request_)
            await pool.close()
            return reply.attempts

    assert asyncio.run(scenario()) == 2
