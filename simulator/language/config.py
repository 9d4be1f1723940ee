"""The `model` part of an experiment file."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from groundlings.environments.chat import Sampling
from groundlings.environments.paths import NamedPath
from groundlings.simulator.language.answer_limits import MOST_BYTES
from groundlings.simulator.language.budget import BudgetConfig
from groundlings.simulator.language.key_redaction import (
    address,
    environment_name,
    header_variables,
    refuse_keyed_fields,
    refuse_secrets,
    refuse_secrets_within,
)
from groundlings.simulator.language.request_body import MOST_ALTERNATIVES, OWN_KEYS, LimitKey, RequestStyle

_USED_BY = {
    "base_url": ("endpoint",),
    "endpoints": ("endpoint",),
    "model": ("endpoint", "vllm"),
    "api_key_env": ("endpoint",),
    "headers_env": ("endpoint",),
    "requests_per_minute": ("endpoint",),
    "tokens_per_minute": ("endpoint",),
    "limit_key": ("endpoint",),
    "send_temperature": ("endpoint",),
    "merge_system": ("endpoint",),
    "stream": ("endpoint",),
    "extra_body": ("endpoint",),
    "top_logprobs": ("endpoint", "vllm"),
    "thinking": ("embedded", "endpoint", "vllm"),
}


class EmbeddedOptions(BaseModel):
    """How the embedded model runs."""

    # Values are kept out of pydantic's messages everywhere here: what stands in the wrong place may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    path: NamedPath | None = None
    """A GGUF file of your own; none takes SmolLM2-135M-Instruct, fetched once (93 MB, Apache-2.0)."""
    adapter: NamedPath | None = None
    """What a training of the shipped model changed, added to its weights once: the directory of an adapter that
    `groundlings train-mind` wrote."""
    parallel: int = Field(default=1, ge=1, le=64)
    """Requests worked on at a time. With 1, the same seed gives the same replies in whatever order they are asked
    for; with more, requests are computed together and rounding differs. On a few cores more is not faster."""
    context_tokens: int = Field(default=2048, ge=256, le=2**24)
    """Longest prompt and reply together."""
    threads: int = Field(default=0, ge=0, le=1024)
    """Threads that compute; 0 takes all cores but one, because threads that share a core hold each other up."""

    @model_validator(mode="after")
    def _one_model(self) -> EmbeddedOptions:
        if self.path is not None and self.adapter is not None:
            raise ValueError("path, adapter: found both; an adapter is added to the shipped model, so name one of them")
        return self


class OfflineOptions(BaseModel):
    """How vLLM runs in this process."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    batch: int = Field(default=256, ge=1, le=100_000)
    """Questions answered together at most; `simulation.concurrency` should be as large."""
    gather_seconds: float = Field(default=0.02, ge=0)
    """How long to wait for further questions once one is there."""
    engine: dict[str, Any] = {}
    """Further arguments of `vllm.LLM`, such as `max_model_len`, `dtype` or `tensor_parallel_size`; never a secret."""

    @field_validator("engine")
    @classmethod
    def _no_secrets(cls, engine: dict[str, Any]) -> dict[str, Any]:
        return dict(refuse_keyed_fields(engine))


class EndpointOptions(BaseModel):
    """One endpoint of a pool; what is left out is as in the section above."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    base_url: str
    """Its address."""
    model: str | None = None
    """The model's name there."""
    api_key_env: str | None = None
    """Name of the environment variable that holds its key."""
    headers_env: dict[str, str] | None = None
    """Its further headers: name of each, and of the environment variable that holds its value."""
    concurrency: int | None = Field(default=None, ge=1, le=10_000)
    """Requests on their way to it at a time."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Its rate limit in requests."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Its rate limit in tokens."""

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, given: Any) -> Any:
        return refuse_secrets(given)

    @field_validator("headers_env")
    @classmethod
    def _are_names(cls, headers: dict[str, str] | None) -> dict[str, str] | None:
        return header_variables(headers)

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        return environment_name(name)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        return address(url)


class StoreConfig(BaseModel):
    """A record of every request and its reply, so that nothing is asked twice and a run can be repeated exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    path: NamedPath
    """A SQLite file."""
    mode: Literal["live", "record", "replay", "cache"]
    """`live` leaves the file alone; `record` fills a new file; `replay` asks nobody, and a request that is not in the
    file is an error; `cache` asks for what is not in the file, and adds it."""
    replicate: int = Field(default=0, ge=0, le=1_000_000_000)
    """Another number asks every question anew: for the spread between repeated runs of a model."""


class ModelConfig(BaseModel):
    """Which language model answers, and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    WITHOUT_EFFECT: ClassVar = (
        *("api_key_env", "timeout_seconds", "max_attempts", "outage_seconds", "first_contact_seconds", "concurrency"),
        *("requests_per_minute", "tokens_per_minute", "max_reply_bytes", "budget", "headers_env"),
    )
    """Keys that change how long a run takes and whether it gets through, never what comes out."""
    LATER: ClassVar = (
        *("thinking", "limit_key", "send_temperature", "merge_system", "stream", "top_logprobs", "extra_body"),
    )
    """Keys that came later: at their defaults they mean what every file meant before, and runs of then keep their
    hash."""

    provider: Literal["embedded", "endpoint", "vllm", "scripted"] = "embedded"
    """`embedded` runs a small model in this process, `endpoint` asks any OpenAI-compatible server, `vllm` runs
    vLLM in this process and answers in batches, `scripted` draws legal replies without a model, for tests and
    load."""
    base_url: str | None = None
    """Address of the endpoint up to and including its version ("http://127.0.0.1:8000/v1"); `endpoint` only."""
    model: str | None = None
    """The model's name at the endpoint; none takes the only one served. With `vllm`, its name or directory."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the endpoint's key; the key itself never stands in a file."""
    headers_env: dict[str, str] = {}
    """Further headers of each request: the name of the header, and of the environment variable that holds its value
    (`{api-key: AZURE_OPENAI_KEY}`)."""
    endpoints: tuple[EndpointOptions, ...] = ()
    """Several endpoints that serve the same model, instead of one `base_url`; each request goes to the one with the
    least work."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """Deadline of one attempt, from sending to the last byte. A request that takes ten times as long as the slowest
    of late, and more than ten seconds, is asked again before that."""
    max_attempts: int = Field(default=8, ge=1, le=1_000)
    """Attempts at one request, the first included; only transient faults are tried again."""
    outage_seconds: float = Field(default=60.0, gt=0)
    """The run stops when every endpoint keeps failing and none has answered for so long."""
    first_contact_seconds: float = Field(default=30.0, gt=0)
    """How long an endpoint may take, all attempts together, to answer for the first time. Longer for servers that load
    a model meanwhile."""
    max_reply_bytes: int = Field(default=MOST_BYTES, ge=10_000, le=2**30)
    """Longest answer of an endpoint that is read, on the wire and unpacked; a longer one is unreadable."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Rate limit of an endpoint in requests, retries included; none = no limit."""
    tokens_per_minute: float | None = Field(default=None, gt=0)
    """Rate limit of an endpoint in tokens, in and out together; none = no limit."""
    concurrency: int = Field(default=8, ge=1, le=10_000)
    """Requests on their way to the endpoint at a time; the embedded model has `embedded.parallel`."""
    structured: Literal["auto", "json_schema", "grammar", "none"] = "auto"
    """How the form of a reply is enforced: `json_schema` by `response_format`, `grammar` by a GBNF grammar
    (llama.cpp, vLLM), `none` by the prompt alone; `auto` asks the server what it is. Replies are checked in any
    case."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """Sampling temperature."""
    max_tokens: int = Field(default=160, ge=16, le=2**24)
    """Upper bound on one reply."""
    thinking: Literal["keep", "strip"] = "keep"
    """`strip` cuts the thinking that a reply begins with (`<think>...</think>` and its kin) before the reply is read,
    and the log counts its characters; with `keep` it belongs to the reply, which is then unreadable as a rule."""
    send_seed: bool = True
    """Whether the sampling seed is sent; vLLM on a CPU dies of it."""
    send_temperature: bool = True
    """Whether `temperature` is sent; some models take none but their own, and refuse to be told."""
    limit_key: LimitKey = "max_tokens"
    """What the server calls `max_tokens`."""
    merge_system: bool = False
    """Whether the system message is put in front of the first user message, for models that know no system role."""
    stream: bool = False
    """Whether replies are asked for as a stream of events; some servers give no others. They are read once whole."""
    top_logprobs: int = Field(default=MOST_ALTERNATIVES, ge=1, le=MOST_ALTERNATIVES)
    """Alternatives of a one-token answer that are asked for with their log probabilities; some servers give 5."""
    extra_body: dict[str, Any] = {}
    """What is sent with each request besides (`{reasoning_effort: low}`); never a secret."""
    embedded: EmbeddedOptions = EmbeddedOptions()
    """How the embedded model runs; `embedded` only."""
    vllm: OfflineOptions = OfflineOptions()
    """How vLLM runs in this process; `vllm` only."""
    store: StoreConfig | None = None
    """Where requests and replies are kept; none keeps them in the log only."""
    budget: BudgetConfig = BudgetConfig()
    """What the run may take at most."""

    @property
    def sampling(self) -> Sampling:
        """What a mind puts into its requests."""
        return Sampling(self.temperature, self.max_tokens)

    @property
    def style(self) -> RequestStyle:
        """How requests are written."""
        return RequestStyle(
            limit_key=self.limit_key,
            send_temperature=self.send_temperature,
            send_seed=self.send_seed,
            merge_system=self.merge_system,
            stream=self.stream,
            top_logprobs=self.top_logprobs,
            extra_body=self.extra_body,
        )

    @property
    def server(self) -> dict[str, Any]:
        """What tells servers apart that call their models by one name; empty where it is no server that is asked."""
        if self.provider != "endpoint":
            return {}
        addresses = [self.base_url] if self.base_url is not None else [each.base_url for each in self.endpoints]
        return {"addresses": sorted(addresses), **self.later_keys}

    @property
    def later_keys(self) -> dict[str, Any]:
        """Those of `LATER` that are not at their defaults, as plain values."""
        return self.model_dump(mode="json", include=set(self.LATER), exclude_defaults=True)

    @property
    def without_effect(self) -> set[str]:
        """The keys that can change nothing of what comes out: `WITHOUT_EFFECT`, and those of `LATER` at defaults."""
        return {*self.WITHOUT_EFFECT, *self.LATER} - self.later_keys.keys()

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, given: Any) -> Any:
        return refuse_secrets(given)

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        return environment_name(name)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        return None if url is None else address(url)

    @field_validator("headers_env")
    @classmethod
    def _are_names(cls, headers: dict[str, str]) -> dict[str, str]:
        return header_variables(headers) or {}

    @field_validator("extra_body")
    @classmethod
    def _is_extra(cls, body: dict[str, Any]) -> dict[str, Any]:
        ours = sorted(OWN_KEYS & body.keys())
        if ours:
            raise ValueError(f"{', '.join(ours)}: Groundlings writes this key itself; see the keys of mind.model")
        refuse_secrets_within(body)
        try:
            json.dumps(body, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"expected what JSON can say: {error}") from None
        return body

    @model_validator(mode="after")
    def _fits_together(self) -> ModelConfig:
        if self.provider == "endpoint" and (self.base_url is None) == (not self.endpoints):
            raise ValueError("provider: endpoint needs a base_url, or a list of endpoints instead")
        if self.provider == "vllm" and self.model is None:
            raise ValueError("provider: vllm needs a model: its name, or the directory it lies in")
        changed = self.model_dump(include=set(_USED_BY), exclude_defaults=True)
        idle = [field for field in _USED_BY if field in changed and self.provider not in _USED_BY[field]]
        if idle:
            users = " and ".join(dict.fromkeys(user for field in idle for user in _USED_BY[field]))
            raise ValueError(f"{', '.join(idle)}: only provider: {users} has use for it, found {self.provider}")
        return self
