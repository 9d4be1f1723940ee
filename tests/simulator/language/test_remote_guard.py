# ruff: noqa: RUF001 - digits chosen for looking like others

from __future__ import annotations

import asyncio
import socket

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.remote_guard import goes_round_proxies, is_loopback, refuse_remote

HERE = [
    *("127.0.0.1:8000", "127.0.0.1.", "127.1", "127.0.1", "0.0.0.0", "0", "2130706433", "0x7f000001", "0177.0.0.1"),
    *("localhost", "LocalHost:1", "localhost.", "[::1]:9", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"),
    *("127.9.9.9", "１２７.0.0.1"),
]  # fmt: skip


@pytest.mark.parametrize("url", [f"http://{host}/v1" for host in HERE])
def test_this_machine_is_allowed(url, monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_REMOTE", "forbid")
    assert is_loopback(url)
    refuse_remote(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://models.example.com/v1",
        "http://10.0.0.7/v1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://x.localhost",
        "http://167772167",
        "http://[::ffff:10.0.0.7]/v1",
        "http://[fe80::1]/v1",
        "http://[::1",
        "http:///",
    ],
)
def test_every_other_machine_is_refused(url, monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_REMOTE", "forbid")
    with pytest.raises(ProviderError, match="nothing was sent"):
        refuse_remote(url)
    monkeypatch.setenv("GROUNDLINGS_REMOTE", "allow")
    refuse_remote(url)


def test_a_misspelt_switch_is_not_taken_for_leave(monkeypatch):
    monkeypatch.setenv("GROUNDLINGS_REMOTE", "forbidden")
    with pytest.raises(ProviderError, match="expected allow or forbid"):
        refuse_remote("http://127.0.0.1/v1")


def test_the_whole_path_is_guarded():
    config = ModelConfig(provider="endpoint", base_url="https://models.example.com/v1", model="m")
    with pytest.raises(ProviderError, match="nothing was sent"):
        asyncio.run(build_chat_model(config))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0.0.0.0", "[::1]", "2130706433"])
def test_no_proxy_stands_between_a_machine_and_itself(host, monkeypatch):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://proxy.example.com:3128")
    assert asyncio.run(goes_round_proxies(f"http://{host}:8000/v1"))


def test_a_name_of_this_machine_is_looked_up_where_there_is_a_proxy(monkeypatch):
    asked = []

    def looked_up(host, *_args, flags=0, **_options):
        if flags:
            raise socket.gaierror
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host], 0))]

    known = {"this-machine": "127.0.1.1", "another": "10.0.0.7"}
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setattr("groundlings.simulator.language.remote_guard.getproxies", dict)
    assert not asyncio.run(goes_round_proxies("http://this-machine/v1"))
    assert asked == []
    monkeypatch.setattr("groundlings.simulator.language.remote_guard.getproxies", lambda: {"http": "http://proxy"})
    assert asyncio.run(goes_round_proxies("http://this-machine/v1"))
    assert not asyncio.run(goes_round_proxies("http://another/v1"))
    assert asked == ["this-machine", "another"]


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0.0.0.0", "127.0.0.1.", "localhost", "[::ffff:127.0.0.1]"])
def test_a_proxy_of_the_environment_sees_no_key_for_this_machine(mock, request_, monkeypatch, host):
    """The proxy is a second server: what goes through it would be in its list."""

    async def scenario():
        async with mock.Server() as proxy, mock.Server() as server:
            monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
            monkeypatch.delenv("no_proxy", raising=False)
            port = server.url.rpartition(":")[2]
            model = EndpointModel(base_url=f"http://{host}:{port}", model="mock-1", api_key="sk-very-secret")
            await model.ask(request_)
            await model.close()
            return len(proxy.bodies), len(server.bodies)

    assert asyncio.run(scenario()) == (0, 1)
