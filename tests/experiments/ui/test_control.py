"""What changes something: only by POST, from a page of ours, with the token of this start."""

from __future__ import annotations

import logging
import socket

import pytest

from groundlings.environments.errors import ConfigError
from groundlings.experiments.cli.ui import _bound, _open_to_others
from groundlings.experiments.running.live_file import STOP_NAME
from groundlings.experiments.terminal import Terminal
from groundlings.experiments.ui.guard import Access

FORM = "application/x-www-form-urlencoded"
QUERY = "SELECT name, count(*) AS sessions FROM sessions JOIN arms USING (arm_id) GROUP BY name ORDER BY name"


def asked(site, query: str):
    return site.post(f"{site.key('one')}/sql", {"token": site.access.token, "query": query})


def test_a_query_is_answered(site) -> None:
    found = asked(site, QUERY)
    assert found.status == 200
    assert '<th scope="col">sessions</th>' in found.text
    assert "rows;" in found.text


def test_values_are_text_and_never_markup(site) -> None:
    page = asked(site, "SELECT title, '<img src=x onerror=alert(2)>' AS x FROM items").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"query": QUERY}, {}),
        ({"query": QUERY, "token": "wrong"}, {}),
        (None, {"Origin": "http://evil.example"}),
        (None, {"Origin": "null"}),
        (None, {"Origin": "http://127.0.0.1:1"}),
        (None, {"Origin": ""}),
        (None, {"Content-Type": "multipart/form-data; boundary=x"}),
    ],
)
def test_a_form_from_elsewhere_is_refused(site, form, headers) -> None:
    found = site.post(f"{site.key('one')}/sql", form, **headers)
    assert found.status == 403
    for action in ("stop", "resume"):
        assert site.post(f"{site.key('one')}/{action}", form, **headers).status in (403, 404)
    assert not (site.root / "one" / STOP_NAME).exists()


def test_nothing_is_changed_by_a_link(site) -> None:
    for action in ("stop", "resume"):
        assert site.get(f"{site.key('one')}/{action}").status == 405
    assert site.get(f"{site.key('one')}/sql").text.count("rows;") == 0


def test_a_run_that_is_done_is_neither_stopped_nor_resumed(site) -> None:
    for action in ("stop", "resume"):
        assert site.post(f"{site.key('one')}/{action}").status == 303
    assert not (site.root / "one" / STOP_NAME).exists()


def test_a_server_that_others_reach_controls_nothing(small_run, serve) -> None:
    with serve(small_run, Access(control=False)) as site:
        run = site.key(small_run.name)
        page = site.get(f"{run}/sql")
        assert "Queries are off" in page.text
        assert site.access.token not in page.text
        assert site.post(f"{run}/sql", {"token": site.access.token, "query": QUERY}).status == 403


def test_a_body_that_is_too_long_is_refused_unread(site) -> None:
    assert asked(site, "SELECT 1 --" + "x" * 200_000).status == 403


def test_a_browser_that_leaves_while_it_sends_a_form_is_no_fault_of_the_server(site, caplog, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [caplog.handler])
    asked = (
        f"POST {site.key('one')}/sql HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nOrigin: http://127.0.0.1:{site.port}"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
        connection.sendall(f"{asked}\r\nContent-Type: {FORM}\r\nContent-Length: 100\r\n\r\ntoken=".encode())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    assert site.get("/").status == 200
    assert not caplog.records


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "::0"])
def test_however_all_interfaces_are_named_they_are_reached_by_number(host) -> None:
    bound = _bound(host, 0)
    try:
        access = _open_to_others(host, bound, Terminal(quiet=True))
    finally:
        bound.close()
    assert (access.any_address, access.control) == (True, False)


def test_a_host_without_a_name_is_refused() -> None:
    """A socket would take it for all interfaces."""
    with pytest.raises(ConfigError, match=r"--host: it is empty; name an interface"):
        _bound("", 0)


@pytest.mark.parametrize("host", ["nosuch.invalid", "192.0.2.1", "[::1]"])
def test_a_host_that_is_not_here_is_no_fault_of_the_port(host) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen there \(.*\); name an interface of this machine"):
        _bound(host, 0)


def test_a_port_in_use_asks_for_another() -> None:
    with _bound("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(ConfigError, match="choose another port"):
            _bound("127.0.0.1", taken.getsockname()[1])
