"""What environments for learning wait for ends where whoever waits is interrupted."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from groundlings.experiments.gym.world import OwnLoop


@pytest.fixture
def _interrupts():
    """SIGINT raises `KeyboardInterrupt`, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interrupts")
def test_who_is_interrupted_while_a_mind_waits_can_close_the_world():
    ended = []

    async def waits_for_ever():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    loop = OwnLoop()
    with pytest.raises(KeyboardInterrupt):
        loop.wait(waits_for_ever())
    loop.close()
    assert ended
