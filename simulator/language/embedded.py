"""A real language model in this process: llama.cpp through xllamacpp, asked over loopback like any other server."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from groundlings.environments.chat import ChatReply, ChatRequest
from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.simulator.language.endpoint import EndpointModel
from groundlings.simulator.language.weight_encoding import sha256_of


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What makes one in-process server differ from another.

    Attributes:
        path: The GGUF file.
        parallel: Requests it works on at a time; 1 makes replies repeatable.
        context_tokens: Prompt and reply of one request together.
        threads: Threads that compute; 0 takes all cores this process may use but one.
        port: Where it listens; 0 takes a free one.
    """

    path: Path
    parallel: int = 1
    context_tokens: int = 2048
    threads: int = 0
    port: int = 0


class EmbeddedModel:
    """A server of our own on a free loopback port, and an `EndpointModel` that asks it.

    A process starts each server once: models with equal settings share it, and it goes when the last one is
    closed. Use `open`.
    """

    def __init__(self, settings: ServerSettings, endpoint: EndpointModel) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._open = True

    @classmethod
    async def open(
        cls,
        settings: ServerSettings,
        *,
        timeout_seconds: float = 120.0,
        max_attempts: int = 3,
        send_seed: bool = True,
        strip_thinking: bool = False,
    ) -> EmbeddedModel:
        """Start the server, or join the one that runs.

        Raises:
            ConfigError: The extra is not installed, or there is no such file.
            ProviderError: The file is no model that llama.cpp can load.
        """
        address = await asyncio.to_thread(_join, settings)
        endpoint = EndpointModel(
            base_url=f"{address}/v1",
            model=settings.path.stem,
            timeout_seconds=timeout_seconds,
            max_attempts=max_attempts,
            concurrency=settings.parallel,
            structured="grammar",
            send_seed=send_seed,
            strip_thinking=strip_thinking,
        )
        return cls(settings, endpoint)

    @property
    def name(self) -> str:
        """See `ChatModel.name`: the file's name, which tells model and quantisation."""
        return self._endpoint.name

    @cached_property
    def fingerprint(self) -> str:
        """See `Fingerprinted.fingerprint`: SHA-256 over the weights."""
        return f"sha256:{sha256_of(self._settings.path)}"

    @property
    def base_url(self) -> str:
        """Where the server listens, for other clients of this machine."""
        return self._endpoint.base_url

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`."""
        return await self._endpoint.ask(request)

    async def close(self) -> None:
        """See `ChatModel.close`; closing twice is harmless."""
        if self._open:
            self._open = False
            await self._endpoint.close()
            await asyncio.to_thread(_leave, self._settings)


@dataclass
class _Running:
    server: Any
    users: int


_servers: dict[ServerSettings, _Running] = {}
_guard = threading.Lock()


def _join(settings: ServerSettings) -> str:
    """The address of the server with these settings, started if need be."""
    with _guard:
        if settings not in _servers:
            _servers[settings] = _Running(_start(settings), users=0)
        running = _servers[settings]
        running.users += 1
        return str(running.server.listening_address)


def _leave(settings: ServerSettings) -> None:
    with _guard:
        _servers[settings].users -= 1
        if _servers[settings].users == 0:
            # xllamacpp stops a server when its object goes.
            del _servers[settings]


def _start(settings: ServerSettings) -> Any:
    try:
        import xllamacpp
    except ImportError:
        raise ConfigError(
            'the embedded model needs an extra that is not installed: pip install "groundlings[embedded]"'
        ) from None
    if not settings.path.is_file():
        raise ConfigError(f"embedded.path: there is no file {settings.path}")
    params = xllamacpp.CommonParams()
    params.model.path = str(settings.path)
    params.model_alias = {settings.path.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = settings.port
    params.n_parallel = settings.parallel
    params.n_ctx = settings.parallel * settings.context_tokens
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads or _free_cores()
    params.cache_ram_mib = 0  # the default keeps old prompts until they fill gigabytes
    params.ui = False
    params.verbosity = -1
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ProviderError(f"llama.cpp cannot load {settings.path}: {error}") from None


def _free_cores() -> int:
    """All cores this process may use but one, and at least one.

    llama.cpp's threads wait for each other at every layer: one that has to share its core holds up all others, and
    a reply takes ten times as long (measured on two cores with a busy neighbour). The rest of a run needs a core
    anyway. macOS and Windows only know how many cores there are.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)
