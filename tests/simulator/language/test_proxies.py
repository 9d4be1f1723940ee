"""Proxies that the environment names: taken as other programs take them, and said to be at fault where they are."""

from __future__ import annotations

import asyncio
import base64

import pytest
from aiohttp import web

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.json_post import JsonPost
from groundlings.simulator.language.pool import EndpointPool

PASSWORD = "hunter2-and-more"
"""Of a proxy; no server is asked but one of our own: 192.0.2.1 is nobody's (RFC 5737)."""


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDLINGS_REMOTE", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def met(address="http://192.0.2.1/v1"):
    """Whose model a server serves."""
    pool = EndpointPool([Connection(base_url=address, model=None, api_key="sk-of-the-server")], max_attempts=1)
    try:
        await pool.start()
        return pool.name
    finally:
        await pool.close()


def posted(address="http://192.0.2.1/reply"):
    return JsonPost()(address, {}, 5.0)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("signs_in", ["", "joe:with%23%E2%82%AC@"])
def test_a_proxy_needs_no_scheme_and_keys_of_netrc_go_nowhere(mock, monkeypatch, tmp_path, variable, signs_in):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login anonymous password joe@example.com\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    met_with = []

    async def listed(request: web.Request) -> web.StreamResponse:
        met_with.append(request.headers)
        return web.json_response({"data": [{"id": "its-model"}]})

    async def scenario():
        async with mock.Server(models=listed) as proxy:
            monkeypatch.setenv(variable, signs_in + proxy.url.removeprefix("http://").removesuffix("/v1"))
            return await met()

    assert asyncio.run(scenario()) == "its-model"
    (headers,) = met_with
    assert headers["Authorization"] == "Bearer sk-of-the-server"
    told = headers.get("Proxy-Authorization", "Basic ").removeprefix("Basic ")
    assert base64.b64decode(told).decode() == ("joe:with#€" if signs_in else "")


@pytest.mark.parametrize("send", [met, posted])
@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (f"http://joe:{PASSWORD}#1@127.0.0.1:1", "written as %23"),
        (f"joe:{PASSWORD}/1@127.0.0.1:1", "written as %23"),
        (f'"http://joe:{PASSWORD}@127.0.0.1:1"', "expected http://HOST:PORT"),
        (f"http://joe:{PASSWORD}@proxy..example:1", "expected http://HOST:PORT"),
        (f"http://joe:{PASSWORD}@127.0.0.1:99999", "expected http://HOST:PORT"),
        ("http://", "expected http://HOST:PORT"),
        ("::::", "expected http://HOST:PORT"),
        (f"socks5h://joe:{PASSWORD}@127.0.0.1:1", "SOCKS and other kinds"),
        (f"http://joe:{PASSWORD}@127.0.0.1:1", "the proxy http://127.0.0.1:1 of the environment: connection refused"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_message_without_its_password(monkeypatch, send, proxy, said):
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(ProviderError) as told:
        asyncio.run(send())
    assert said in str(told.value)
    assert "NO_PROXY" in str(told.value)
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_lets_nobody_through_is_said_to_do_so(mock, monkeypatch, scheme):
    """To a server of https by an answer to CONNECT, which aiohttp tells by the name of its own error alone."""

    async def scenario():
        async with mock.Server(models=mock.status(407)) as proxy:
            monkeypatch.setenv(f"{scheme}_proxy", proxy.url.removesuffix("/v1"))
            await met(f"{scheme}://192.0.2.1/v1")

    with pytest.raises(ProviderError, match=r"is not reached: .*HTTP 4\d\d.*NO_PROXY"):
        asyncio.run(scenario())


def test_a_server_that_does_not_speak_tls_is_called_so(mock):
    async def scenario():
        async with mock.Server() as server:
            await met(server.url.replace("http:", "https:"))

    with pytest.raises(ProviderError, match="may want http:// for https://"):
        asyncio.run(scenario())
