"""The one place that turns a `ModelConfig` into a `ChatModel`: a provider, then a budget, then a store round it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from groundlings.environments.chat import ChatModel, fingerprint_of
from groundlings.environments.errors import ConfigError, shown
from groundlings.simulator.language.budget import BudgetedModel, Spent
from groundlings.simulator.language.call_store import CallStore, StoredModel, refuse_used, replay_name
from groundlings.simulator.language.config import EmbeddedOptions, EndpointOptions, ModelConfig, StoreConfig
from groundlings.simulator.language.key_echoes import remark_on_key
from groundlings.simulator.language.replies_so_far import NONE_SO_FAR, RepliesSoFar
from groundlings.simulator.language.setting_names import setting
from groundlings.simulator.language.waiting import Tell, no_one

if TYPE_CHECKING:
    from groundlings.environments.datasets import ProgressHook


async def build_chat_model(
    config: ModelConfig,
    progress: ProgressHook | None = None,
    *,
    base: Path | None = None,
    spent: Spent | None = None,
    key: str = "mind.model",
    so_far: RepliesSoFar = NONE_SO_FAR,
    tell: Tell = no_one,
) -> ChatModel:
    """The model of a configuration, ready to be asked; whoever builds it closes it.

    Args:
        config: Which one.
        progress: Told of the embedded model's download.
        base: From where relative paths count; none = from the current directory.
        spent: What the run had taken before it was interrupted; none = it begins.
        key: Where the configuration stands in its file, for messages.
        so_far: What is known of the replies that the interrupted run got.
        tell: Is told what people should know before and while the model is asked, such as that a server is waited for.

    Raises:
        ConfigError: A variable or an extra is missing, or the model is not named.
        DataError: The embedded model's weights cannot be had, or the store is not one.
        ProviderError: The endpoint does not answer or refuses the key.
    """
    base = base or Path()
    if config.store is None or config.store.mode == "live":
        return await _provider(config, progress, base, spent, key, so_far, tell)
    store = CallStore(base / config.store.path, writable=config.store.mode != "replay")
    try:
        return await _stored(store, config.store, config, progress, base, spent, key, so_far, tell)
    except BaseException:
        store.close()
        raise


async def _stored(
    store: CallStore,
    options: StoreConfig,
    config: ModelConfig,
    progress: ProgressHook | None,
    base: Path,
    spent: Spent | None,
    key: str,
    so_far: RepliesSoFar,
    tell: Tell,
) -> ChatModel:
    settings = config.later_keys
    if options.mode == "replay":
        return StoredModel(store, None, replay_name(store, config.model, key), options.replicate, settings)
    if options.mode == "record" and spent is None:
        refuse_used(store)
    model = await _provider(config, progress, base, spent, key, so_far, tell)
    here = ", ".join(config.server.get("addresses", ())) or fingerprint_of(model)
    if others := store.others_called(model.name, here):
        tell(
            f"{store.path}: holds replies of another {shown(model.name)} ({'; '.join(map(shown, others))}) than is "
            f"asked now ({shown(here)}), and they answer the same requests; if it is not the same model, choose "
            f"another file as {key}.store.path"
        )
    return StoredModel(store, model, model.name, options.replicate, settings)


async def _provider(
    config: ModelConfig,
    progress: ProgressHook | None,
    base: Path,
    spent: Spent | None,
    key: str,
    so_far: RepliesSoFar,
    tell: Tell,
) -> ChatModel:
    match config.provider:
        case "scripted":
            from groundlings.simulator.language.scripted import ScriptedModel, legal_reply

            model: ChatModel = ScriptedModel(legal_reply)
        case "embedded":
            model = await _embedded(config, progress, base)
        case "endpoint":
            model = await _pool(config, key, so_far, tell)
        case "vllm":
            from groundlings.simulator.language.offline import OfflineModel

            assert config.model is not None
            options = config.vllm
            model = await OfflineModel.open(
                config.model,
                options.engine,
                batch=options.batch,
                gather_seconds=options.gather_seconds,
                structured=config.structured != "none",
                send_seed=config.send_seed,
                top_logprobs=config.top_logprobs,
                strip_thinking=config.thinking == "strip",
            )
    return BudgetedModel(model, config.budget, spent, key, tell) if config.budget.limited else model


async def _embedded(config: ModelConfig, progress: ProgressHook | None, base: Path) -> ChatModel:
    from groundlings.simulator.language.embedded import EmbeddedModel, ServerSettings

    options = config.embedded
    path = await embedded_file(options, base, progress)
    settings = ServerSettings(path, options.parallel, options.context_tokens, options.threads)
    return await EmbeddedModel.open(
        settings,
        timeout_seconds=config.timeout_seconds,
        max_attempts=config.max_attempts,
        send_seed=config.send_seed,
        strip_thinking=config.thinking == "strip",
    )


async def embedded_file(options: EmbeddedOptions, base: Path, progress: ProgressHook | None = None) -> Path:
    """The GGUF file that the embedded server loads, fetched and made first if need be.

    Args:
        options: Which one.
        base: From where relative paths count.
        progress: Told of the download.

    Raises:
        ConfigError: There is no such adapter, or it is one of other weights.
        DataError: The adapter is damaged, or the weights cannot be had.
    """
    if options.path is not None:
        return Path(os.path.realpath(base / options.path))
    if options.adapter is None:
        return await own_weights(progress)
    from groundlings.simulator.language.adapter import adapted_copy, read_adapter
    from groundlings.simulator.language.weights import SMOLLM2_135M, fetch_weights

    adapter = await asyncio.to_thread(read_adapter, options.adapter, base, SMOLLM2_135M.member_sha256)
    fetched = await fetch_weights(SMOLLM2_135M, progress)
    return await asyncio.to_thread(adapted_copy, fetched, adapter)


async def own_weights(progress: ProgressHook | None = None) -> Path:
    """The shipped model's file in the encoding that runs fastest, fetched first if need be."""
    from groundlings.simulator.language.weight_encoding import faster_copy
    from groundlings.simulator.language.weights import SMOLLM2_135M, fetch_weights

    fetched = await fetch_weights(SMOLLM2_135M, progress)
    return await asyncio.to_thread(faster_copy, fetched, "SmolLM2-135M-Instruct.Q8_0.gguf")


async def _pool(config: ModelConfig, key: str, so_far: RepliesSoFar, tell: Tell) -> ChatModel:
    from groundlings.simulator.language.connection import Connection
    from groundlings.simulator.language.pool import EndpointPool
    from groundlings.simulator.language.rate_limit import Pace

    listed = config.endpoints
    if config.base_url is not None:
        listed = (EndpointOptions(base_url=config.base_url),)
    # All keys before the first connection: a missing one leaves nothing open.
    variables = [each.api_key_env or config.api_key_env for each in listed]
    keys = [key_in(variable, key) for variable in variables]
    for remark in dict.fromkeys(remark_on_key(*each, key) for each in zip(variables, keys, strict=True)):
        if remark:
            tell(remark)
    headers = [headers_in(config.headers_env if each.headers_env is None else each.headers_env, key) for each in listed]
    pool = EndpointPool(
        [
            Connection(
                base_url=each.base_url,
                model=each.model or config.model,
                api_key=secret,
                timeout_seconds=config.timeout_seconds,
                concurrency=each.concurrency or config.concurrency,
                structured=config.structured,
                send_seed=config.send_seed,
                max_reply_bytes=config.max_reply_bytes,
                pace=Pace(
                    each.requests_per_minute or config.requests_per_minute,
                    each.tokens_per_minute or config.tokens_per_minute,
                ),
                style=config.style,
                headers=sent,
                strip_thinking=config.thinking == "strip",
                so_far=so_far,
                key=key,
            )
            for each, secret, sent in zip(listed, keys, headers, strict=True)
        ],
        max_attempts=config.max_attempts,
        outage_seconds=config.outage_seconds,
        first_contact_seconds=config.first_contact_seconds,
        tell=tell,
    )
    try:
        await pool.start()
    except BaseException:
        await pool.close()
        raise
    return pool


def key_in(variable: str | None, key: str = "mind.model") -> str | None:
    """The key that an environment variable holds; None where no variable is named.

    Args:
        variable: Its name.
        key: Where the configuration stands in its file, for messages.

    Raises:
        ConfigError: It is not set, or holds what cannot be a key.
    """
    if variable is None:
        return None
    value, where = _value_of(variable, setting(key, "api_key_env")), setting(key, "api_key_env")
    if value.lower().startswith("bearer "):
        raise ConfigError(f"{where}: {variable} begins with the word Bearer, which is sent anyway: leave it out")
    if " " in value:
        raise ConfigError(f"{where}: {variable} holds a blank, which no key does")
    return value


def headers_in(variables: Mapping[str, str], key: str = "mind.model") -> dict[str, str]:
    """Headers and their values, which environment variables hold.

    Args:
        variables: Header -> name of the variable.
        key: As for `key_in`.

    Raises:
        ConfigError: One is not set, or holds what cannot be a header's value.
    """
    return {
        header: _value_of(variable, f"{setting(key, 'headers_env')}: {header}")
        for header, variable in variables.items()
    }


_AROUND_KEYS = " \"'"


def _value_of(variable: str, where: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigError(f"{where}: the environment variable {variable} is not set")
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(f"{where}: {variable} holds a line break or another character that no key has")
    if value.strip(_AROUND_KEYS) != value:
        raise ConfigError(
            f"{where}: {variable} begins or ends with a blank or a quotation mark, which some files of variables pass "
            "on; no key does: take it away"
        )
    return value
