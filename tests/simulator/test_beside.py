"""An answer is the same wherever it is worked out, and none is missing where a process fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from groundlings.simulator.engines import beside
from groundlings.simulator.engines.beside import Beside


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "usable_cores", lambda: 2)


def by_another(then: Callable[[], object] = lambda: None) -> Callable[[], bool]:
    """Asks whether another process answers, which does something before."""
    here = os.getpid()

    def answered() -> bool:
        if os.getpid() == here:
            return False
        then()
        return True

    return answered


def test_another_process_answers_where_there_is_a_second_core(monkeypatch: pytest.MonkeyPatch) -> None:
    with Beside(by_another()) as asked:
        assert asked.answer() is True
        assert asked.answer() is False  # it has ended
    monkeypatch.setattr(beside, "usable_cores", lambda: 1)
    with Beside(by_another()) as asked:
        assert asked.answer() is False


@pytest.mark.parametrize(
    "end",
    [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: 1 / 0, lambda: os._exit(0)],
    ids=["kill", "fault", "end"],
)
def test_what_another_process_does_not_answer_is_worked_out_here(end: Callable[[], object]) -> None:
    with Beside(by_another(end)) as asked:
        assert asked.answer() is False


def test_whoever_asks_meets_the_fault() -> None:
    with Beside(lambda: 1 / 0) as asked, pytest.raises(ZeroDivisionError):
        asked.answer()


def test_a_process_ends_with_its_context() -> None:
    reader, writer = os.pipe()
    with Beside(signal.pause):
        os.close(writer)  # the process holds the other copy until it ends
    assert os.read(reader, 1) == b""
    os.close(reader)
