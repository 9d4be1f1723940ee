from __future__ import annotations

import asyncio

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.remote_guard import is_loopback, refuse_remote


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://localhost/v1", "http://[::1]:9/v1", "http://127.9.9.9"]
)
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
