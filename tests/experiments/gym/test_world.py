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
    loop, mind = OwnLoop(), SlowMind(seconds=60, interrupted_at=threading.main_thread())
    with pytest.raises(KeyboardInterrupt):
        loop.wait(mind.answer())
    loop.close()
    assert mind.was_ended


@pytest.mark.usefixtures("_interrupts")
def test_an_interrupt_that_wakes_nobody_is_heard_all_the_same():
    # A signal wakes the thread that it reaches. It reaches another one here: the main thread was about to fall asleep.
    loop, mind = OwnLoop(), SlowMind(seconds=10, interrupted_at=None)
    with pytest.raises(KeyboardInterrupt):
        loop.wait(mind.answer())
    assert loop.wait(asyncio.sleep(0, "goes on")) == "goes on"
    loop.close()
    assert mind.was_ended


class SlowMind:
    """Sends an interrupt to a thread, this one if none is named, and then takes its time."""

    def __init__(self, seconds: float, interrupted_at: threading.Thread | None) -> None:
        self.was_ended = False
        self._seconds, self._thread = seconds, interrupted_at

    async def answer(self) -> None:
        signal.pthread_kill((self._thread or threading.current_thread()).ident, signal.SIGINT)
        try:
            await asyncio.sleep(self._seconds)
        except asyncio.CancelledError:
            self.was_ended = True
            raise
