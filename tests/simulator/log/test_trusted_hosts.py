"""No password goes to a database server that only somebody else's run directory names."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.inventory import UNREADABLE, find_runs, read_run
from groundlings.experiments.config.loading import as_yaml
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.replicates import go_on_with
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import store_at
from groundlings.simulator.log.trusted_hosts import refuse_unnamed, remember, servers_of

SMALL = {
    "name": "small", "seed": 3, "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 20}},
    "simulation": {"days": 1}, "site": {"page_size": 3, "max_pages": 1},
    "mind": {"kind": "scripted", "click": [0]}, "arms": [{"name": "popular", "recommender": "popular"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch, tmp_path):
    for variable in ("GROUNDLINGS_TRUSTED_HOSTS", "PGHOST", "PGPORT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "cache"))


@contextmanager
def listening(family=socket.AF_INET, address=("127.0.0.1", 0)):
    """A place that counts who calls."""
    calls = []
    with socket.socket(family) as door:
        door.bind(address)
        door.listen()

        def answer():
            while True:
                try:
                    caller, _ = door.accept()
                except OSError:
                    return
                calls.append(caller.recv(100))
                caller.close()

        threading.Thread(target=answer, daemon=True).start()
        yield door.getsockname(), calls


def foreign(directory, url):
    directory.mkdir(parents=True)
    (directory / "config.yaml").write_text(as_yaml(ExperimentConfig.model_validate(SMALL)))
    (directory / "log.json").write_text(json.dumps({"url": url, "schema": "run_a"}))
    return directory


def test_whatever_opens_a_strangers_directory_calls_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "secret")
    with listening() as ((_, port), calls):
        run = foreign(tmp_path / "runs" / "theirs", f"postgresql://me@127.0.0.1:{port}/x")
        for opened in (LogReader, store_at, read_run, go_on_with):
            with pytest.raises(
                RunDirectoryError, match=rf"nothing was sent.*GROUNDLINGS_TRUSTED_HOSTS=127.0.0.1:{port}"
            ):
                opened(run)
        (listed,) = find_runs(tmp_path / "runs")
        assert listed.status == UNREADABLE
        assert "nothing was sent" in listed.problem
        assert calls == []
        monkeypatch.setenv("GROUNDLINGS_TRUSTED_HOSTS", f"127.0.0.1:{port}")
        with pytest.raises(RunDirectoryError):
            LogReader(run)
        assert len(calls) > 0


def test_a_socket_in_a_strangers_directory_is_a_server_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    with listening(socket.AF_UNIX, ".s.PGSQL.5432") as (_, calls):
        run = foreign(tmp_path / "theirs", f"postgresql://me@/x?host={tmp_path}")
        with pytest.raises(RunDirectoryError, match="nothing was sent"):
            LogReader(run)
        assert calls == []


def test_a_matrix_of_a_stranger_begins_no_cell_on_the_server_it_names(tmp_path):
    with listening() as ((_, port), calls):
        matrix = {**SMALL, "variants": {"seeds": [1, 2]}, "log": {"url": f"postgresql://me@127.0.0.1:{port}/x"}}
        directory = tmp_path / "matrix"
        directory.mkdir()
        (directory / "config.yaml").write_text(as_yaml(ExperimentConfig.model_validate(matrix)))
        with pytest.raises(RunDirectoryError, match="nothing was sent"):
            go_on_with(directory)
        assert calls == []


def test_a_server_on_which_a_run_was_begun_here_stays_known(server, database, tmp_path, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
    config = ExperimentConfig.model_validate({**SMALL, "log": {"url": server.url(database)}})
    run = run_experiment(config, tmp_path / "run").directory
    with LogReader(run) as log:
        assert log.digest()
    moved = tmp_path / "moved"
    run.rename(moved)
    assert read_run(moved).status == "done"
    monkeypatch.setenv("GROUNDLINGS_CACHE", str(tmp_path / "somebody else"))
    with pytest.raises(RunDirectoryError, match="no run begun here"):
        read_run(moved)


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("postgresql://me@Db.Example.COM/x", ("db.example.com:5432",)),
        ("postgresql://me@db.example.com.:5433/x", ("db.example.com:5433",)),
        ("postgresql://me@good/x?host=evil", ("evil:5432",)),
        ("postgresql://me@/x?host=a:1&host=b:2", ("a:1", "b:2")),
        ("postgresql://me@a,b/x?port=6000", ("a:6000", "b:6000")),
        ("postgresql://me@[::1]:5/x", ("::1:5",)),
        ("postgresql://me@/x?host=/var/run/postgresql", ("/var/run/postgresql:5432",)),
        ("postgresql:///x", ("socket:5432",)),
    ],
)
def test_an_address_leads_where_the_driver_goes(url, servers):
    assert servers_of(url.replace("postgresql:", "postgresql+psycopg:")) == servers


@pytest.mark.parametrize("odd", ["hostaddr=6.6.6.6", "service=theirs", "conninfo=host%3Devil", "dbname=host%3Devil"])
def test_an_address_that_could_lead_anywhere_is_never_believed(odd, tmp_path, monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_TRUSTED_HOSTS", "good")
    refuse_unnamed("postgresql+psycopg://me@good/x", tmp_path)
    with pytest.raises(RunDirectoryError, match="can lead to any server"):
        refuse_unnamed(f"postgresql+psycopg://me@good/x?{odd}", tmp_path)
    remember(f"postgresql+psycopg://me@good/x?{odd}")
    refuse_unnamed(f"postgresql+psycopg://me@good/x?{odd}", tmp_path)


def test_the_environment_names_servers_by_host_and_port(tmp_path, monkeypatch):
    url = "postgresql+psycopg://me@Localhost:5433/x"
    for variables, named in (
        ({}, False),
        ({"PGHOST": "localhost"}, False),
        ({"PGHOST": "localhost", "PGPORT": "5433"}, True),
        ({"GROUNDLINGS_TRUSTED_HOSTS": "other localhost:5434"}, False),
        ({"GROUNDLINGS_TRUSTED_HOSTS": "other, localhost:5433"}, True),
        ({"GROUNDLINGS_TRUSTED_HOSTS": "localhost"}, True),
    ):
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            if named:
                refuse_unnamed(url, tmp_path)
            else:
                with pytest.raises(RunDirectoryError):
                    refuse_unnamed(url, tmp_path)


def test_copies_that_somebody_keeps_beside_the_noted_servers_stay(tmp_path):
    remember("postgresql://127.0.0.1:1/d")
    noted = next((tmp_path / "cache").iterdir())
    copies = [noted.with_name(f"{noted.name}{end}") for end in (".bak", ".original", "-original")]
    for path in copies:
        path.write_bytes(noted.read_bytes())
        os.utime(path, (0, 0))
    remember("postgresql://127.0.0.1:2/d")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {path.name for path in (noted, *copies)}


def test_a_server_that_cannot_be_noted_leaves_no_draft(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RunDirectoryError, match="No space"):
        remember("postgresql://127.0.0.1:1/d")
    assert not any((tmp_path / "cache").iterdir())
