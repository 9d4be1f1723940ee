"""DuckDB over the parts of a log, where somebody wants it to end."""

from __future__ import annotations

import signal

import duckdb
import pytest

from groundlings.simulator.log.query_engine import stoppable


def test_a_signal_ends_a_query_as_it_ends_anything_else():
    def stop(_number, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt), stoppable(), duckdb.connect() as connection:
            connection.execute("SELECT count(*) FROM range(1000000) a, range(100000000) b").fetchall()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_what_the_query_itself_gets_wrong_stays_what_it_is():
    with pytest.raises(RuntimeError, match="something else"), stoppable():
        raise RuntimeError("something else")
