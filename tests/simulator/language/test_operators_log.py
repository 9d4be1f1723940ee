"""What an operator of model servers can read in `logging`, and what nobody sees who has not asked for it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from dataclasses import replace

import pytest

from groundlings.environments.chat import Message
from groundlings.environments.errors import ProviderError
from groundlings.simulator.language import pool
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.pool import EndpointPool


def _ask(mock, request, *answers, **options):
    async def scenario():
        async with mock.Server(*answers) as server:
            connection = Connection(base_url=server.url, model="mock-1", api_key="sk-hidden")
            asked = EndpointPool([connection], **options)
            try:
                return await asked.ask(request)
            finally:
                await asked.close()

    return asyncio.run(scenario())


def test_a_retry_is_logged_without_prompt_reply_or_key(mock, request_, caplog):
    said = '{"error":{"message":"too long: PRIVATE QUESTION"}}'
    asking = replace(request_, messages=(Message("user", "PRIVATE QUESTION"),))
    with caplog.at_level(logging.DEBUG, logger=pool.__name__):
        _ask(mock, asking, mock.status(503, said), mock.status(429))
    retries = [record.getMessage() for record in caplog.records if record.name == pool.__name__]
    assert ["attempt 1 failed (HTTP 503)" in line for line in retries] == [True, False]
    assert "attempt 2 failed (HTTP 429)" in retries[1]
    assert not any(secret in caplog.text for secret in ("PRIVATE", "sk-hidden"))


def test_the_breaker_and_a_request_given_up_are_logged(mock, request_, caplog):
    with pytest.raises(ProviderError):
        _ask(mock, request_, *[mock.status(503)] * 5, max_attempts=2)
    with pytest.raises(ProviderError):
        _ask(mock, request_, mock.status(401))
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "given up after 2 attempts (HTTP 503)" in errors[0]
    assert "circuit breaker opens" in errors[1]


def test_nothing_is_printed_by_whoever_sets_up_no_logging():
    program = (
        "import logging, groundlings.simulator.language.pool as pool, groundlings.experiments.running.run as run\n"
        "for room in (pool, run):\n"
        "    logging.getLogger(room.__name__).error('heard by nobody')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
