"""How a connection to a PostgreSQL server begins and ends, whatever language the server speaks."""

from __future__ import annotations

import socket
import threading

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.experiments.archive.directory import check_server
from groundlings.simulator.log.faults import named_faults
from groundlings.simulator.log.postgres import PostgresStore


@pytest.fixture
def refusing():
    """The address of a server that lets nobody in, and says why in its own words."""
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def told(severity: str, words: str) -> str:
            said = f"S{severity}\0VFATAL\0C28P01\0M{words}\0\0".encode()

            def refuse() -> None:
                asking, _ = listening.accept()
                with asking:
                    asking.recv(1024)
                    asking.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)

            threading.Thread(target=refuse, daemon=True).start()
            port = listening.getsockname()[1]
            return f"postgresql+psycopg://me@127.0.0.1:{port}/runs?sslmode=disable&gssencmode=disable"

        yield told


@pytest.mark.parametrize(
    ("severity", "words"),
    [
        ("FATAL", "Passwort-Authentifizierung für Benutzer »me« fehlgeschlagen"),
        ("ВАЖНО", "роль \u00abme\u00bb не существует"),
        ("FATAL", 'role "me" is not permitted to log in'),
    ],
)
def test_a_server_that_refuses_a_connection_is_not_called_out_of_reach(refusing, severity, words):
    with pytest.raises(RunDirectoryError, match="the server refuses the connection; see in its words") as told:
        check_server(refusing(severity, words))
    assert words in str(told.value)
    assert "start it" not in str(told.value)


def test_a_server_that_starts_up_is_waited_for_and_not_asked_for_users_and_passwords(refusing):
    with pytest.raises(RunDirectoryError, match="up or shutting down; nothing was begun; when it is up") as told:
        check_server(refusing("FATAL", "the database system is starting up"))
    assert "password" not in str(told.value)


def test_whoever_waits_for_rows_finds_out_that_the_machine_of_the_server_is_gone(server, database, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "correct horse")
    for url, idle in ((server.over_tcp(database), "30"), (server.over_tcp(database) + "?keepalives_idle=7", "7")):
        with PostgresStore(url, "run_none").for_reading().connect() as connection:
            options = connection.connection.driver_connection.info.get_parameters()
        found = {name: value for name, value in options.items() if name.startswith(("keepalives_", "tcp_user"))}
        assert found == {
            "keepalives_idle": idle, "keepalives_interval": "10", "keepalives_count": "3", "tcp_user_timeout": "60000",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (
            "IdleInTransactionSessionTimeout",
            "raise idle_session_timeout and .* for this user, and repeat this or resume",
        ),
        ("IdleSessionTimeout", "raise idle_session_timeout and .* for this user, and repeat this or resume"),
        ("DeadlockDetected", "somebody else holds .*; when that is over, repeat this or resume"),
        ("LockNotAvailable", "somebody else holds .*; when that is over, repeat this or resume"),
        ("AdminShutdown", "when the server is back, repeat this or resume the run"),
        ("ConnectionFailure", "when the server is back, repeat this or resume the run"),
        ("OperationalError", "when the server is back, repeat this or resume the run"),
    ],
)
def test_what_a_server_does_to_a_query_is_told_in_our_words_whatever_its_own_are(name, advice):
    errors = pytest.importorskip("psycopg").errors
    with pytest.raises(RunDirectoryError, match=rf"there: .*{advice}.*\(es geht nicht\)"), named_faults("there"):
        raise getattr(errors, name)("es geht nicht")
