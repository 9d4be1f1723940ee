"""DuckDB over the parts of a log, where somebody wants it to end."""

from __future__ import annotations

import signal
import subprocess
import sys

import duckdb
import pytest

from groundlings.simulator.log.query_engine import answered


@pytest.mark.parametrize(
    "query",
    [
        "SELECT sum(a.range * b.range) FROM range(1000000000) a, range(1000) b",
        "SELECT sum(hash(range)) FROM range(100000000000)",
    ],
)
def test_a_signal_ends_a_query_as_it_ends_anything_else(query):
    def stop(_number, _frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with duckdb.connect() as connection, pytest.raises(KeyboardInterrupt):
            answered(connection, lambda: connection.execute(query).fetchall())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_what_the_query_itself_gets_wrong_stays_what_it_is():
    with duckdb.connect() as connection, pytest.raises(duckdb.BinderException, match="nothing"):
        answered(connection, lambda: connection.execute("SELECT nothing").fetchall())


def test_a_long_query_draws_no_bar_into_what_a_program_prints():
    asked = (
        "from pathlib import Path; from groundlings.simulator.log.query_engine import QueryEngine;"
        "print(QueryEngine(Path('.')).connection.execute(\"SELECT current_setting('enable_progress_bar')\").fetchone())"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said == "(False,)\n"
