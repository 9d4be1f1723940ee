"""The `model` part of an experiment file, and the one place that turns it into a `ChatModel`."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from environments.chat import ChatModel, Sampling
from environments.errors import ConfigError

if TYPE_CHECKING:
    from environments.datasets import ProgressHook

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_KEY_FIELDS = frozenset({"api_key", "apikey", "key", "token", "secret", "password", "authorization"})


class EmbeddedOptions(BaseModel):
    """How the embedded model runs."""

    # Values are kept out of messages everywhere here: what stands in the wrong place may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    path: Path | None = None
    """A GGUF file of your own; none takes SmolLM2-135M-Instruct, fetched once (93 MB, Apache-2.0)."""
    parallel: int = Field(default=1, ge=1, le=64)
    """Requests worked on at a time. With 1, the same seed gives the same replies in whatever order they are asked
    for; with more, requests are computed together and rounding differs. On a few cores more is not faster."""
    context_tokens: int = Field(default=2048, ge=256)
    """Longest prompt and reply together."""
    threads: int = Field(default=0, ge=0)
    """Threads that compute; 0 takes all cores but one, because threads that share a core hold each other up."""


class ModelConfig(BaseModel):
    """Which language model answers, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    provider: Literal["embedded", "endpoint", "scripted"] = "embedded"
    """`embedded` runs a small model in this process, `endpoint` asks any OpenAI-compatible server, `scripted`
    draws legal replies without a model, for tests and load."""
    base_url: str | None = None
    """Address of the endpoint up to and including its version ("http://127.0.0.1:8000/v1"); `endpoint` only."""
    model: str | None = None
    """The model's name at the endpoint; none takes the only one served. `endpoint` only."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the endpoint's key; the key itself never stands in a file."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """Deadline of one attempt, from sending to the last byte."""
    max_attempts: int = Field(default=5, ge=1)
    """Attempts at one request, the first included; only transient faults are tried again."""
    concurrency: int = Field(default=8, ge=1)
    """Requests on their way to the endpoint at a time; the embedded model has `embedded.parallel`."""
    structured: Literal["auto", "json_schema", "grammar", "none"] = "auto"
    """How the form of a reply is enforced: `json_schema` by `response_format`, `grammar` by a GBNF grammar
    (llama.cpp, vLLM), `none` by the prompt alone; `auto` asks the server what it is. Replies are checked in any
    case."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """Sampling temperature."""
    max_tokens: int = Field(default=160, ge=16)
    """Upper bound on one reply."""
    send_seed: bool = True
    """Whether the sampling seed is sent; vLLM on a CPU dies of it."""
    embedded: EmbeddedOptions = EmbeddedOptions()
    """How the embedded model runs; `embedded` only."""

    @property
    def sampling(self) -> Sampling:
        """What a mind puts into its requests."""
        return Sampling(self.temperature, self.max_tokens)

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            for field in given:
                if str(field).lower().replace("-", "_") in _KEY_FIELDS:
                    raise ValueError(
                        f"{field}: a key does not belong in a file; put it into an environment variable and write "
                        f"that variable's name as api_key_env"
                    )
        return given

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not _ENVIRONMENT_NAME.match(name):
            raise ValueError("expected the name of an environment variable, such as MY_API_KEY, not the key itself")
        return name

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.username or parts.password or parts.query:
            raise ValueError("an address carries no user, password or query; name the key's variable as api_key_env")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected http://HOST:PORT/v1 or https://HOST/v1")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _fits_together(self) -> ModelConfig:
        if self.provider == "endpoint" and self.base_url is None:
            raise ValueError("provider: endpoint needs a base_url")
        if self.provider != "endpoint":
            idle = [field for field in ("base_url", "model", "api_key_env") if getattr(self, field) is not None]
            if idle:
                raise ValueError(f"{', '.join(idle)}: only provider: endpoint has use for it, found {self.provider}")
        return self


async def build_chat_model(config: ModelConfig, progress: ProgressHook | None = None) -> ChatModel:
    """The model of a configuration, ready to be asked; whoever builds it closes it.

    Args:
        config: Which one.
        progress: Told of the embedded model's download.

    Raises:
        ConfigError: A variable or an extra is missing, or the model is not named.
        DataError: The embedded model's weights cannot be had.
        ProviderError: The endpoint does not answer or refuses the key.
    """
    match config.provider:
        case "scripted":
            from simulator.language.scripted import ScriptedModel, legal_reply

            return ScriptedModel(legal_reply)
        case "embedded":
            return await _build_embedded(config, progress)
        case "endpoint":
            return await _build_endpoint(config)


async def _build_embedded(config: ModelConfig, progress: ProgressHook | None) -> ChatModel:
    from simulator.language.embedded import EmbeddedModel, ServerSettings

    options = config.embedded
    path = options.path.expanduser().resolve() if options.path else await _own_weights(progress)
    settings = ServerSettings(path, options.parallel, options.context_tokens, options.threads)
    return await EmbeddedModel.open(
        settings,
        timeout_seconds=config.timeout_seconds,
        max_attempts=config.max_attempts,
        send_seed=config.send_seed,
    )


async def _own_weights(progress: ProgressHook | None) -> Path:
    from simulator.language.reencode import faster_copy
    from simulator.language.weights import SMOLLM2_135M, fetch_weights

    fetched = await fetch_weights(SMOLLM2_135M, progress)
    return await asyncio.to_thread(faster_copy, fetched, "SmolLM2-135M-Instruct.Q8_0.gguf")


async def _build_endpoint(config: ModelConfig) -> ChatModel:
    from simulator.language.endpoint import EndpointModel

    key = None
    if config.api_key_env is not None:
        key = os.environ.get(config.api_key_env)
        if not key:
            raise ConfigError(f"api_key_env: the environment variable {config.api_key_env} is not set")
    assert config.base_url is not None
    endpoint = EndpointModel(
        base_url=config.base_url,
        model=config.model,
        api_key=key,
        timeout_seconds=config.timeout_seconds,
        max_attempts=config.max_attempts,
        concurrency=config.concurrency,
        structured=config.structured,
        send_seed=config.send_seed,
    )
    try:
        await endpoint.start()
    except BaseException:
        await endpoint.close()
        raise
    return endpoint
