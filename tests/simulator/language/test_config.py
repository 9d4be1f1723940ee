from __future__ import annotations

import asyncio
from datetime import date

import pytest
from pydantic import ValidationError

from groundlings.environments.chat import Sampling
from groundlings.environments.errors import ConfigError
from groundlings.experiments.config.complaints import checked
from groundlings.experiments.config.meanings import meanings
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import EmbeddedOptions, ModelConfig

SECRET = "sk-very-secret"
LETTERS = "a1B2c3D4e5F6g7H8i9J0k1L2m"


def test_a_dump_reads_back_as_itself():
    config = ModelConfig(provider="endpoint", base_url="https://models.example.com/v1/", api_key_env="MY_KEY")
    assert ModelConfig.model_validate(config.model_dump(mode="json")) == config
    assert config.base_url == "https://models.example.com/v1"
    assert config.sampling == Sampling(config.temperature, config.max_tokens)


@pytest.mark.parametrize("config", [ModelConfig, EmbeddedOptions])
def test_every_field_is_described(config):
    assert meanings(config).keys() == config.model_fields.keys()


@pytest.mark.parametrize("field", ["api_key", "API-Key", "token", "secret"])
def test_a_key_in_the_file_is_refused_and_not_repeated(field):
    with pytest.raises(ValidationError, match="a key does not belong in a file") as caught:
        ModelConfig.model_validate({"provider": "endpoint", "base_url": "http://127.0.0.1/v1", field: SECRET})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"provider": "endpoint"}, "needs a base_url"),
        ({"provider": "embedded", "model": "gpt"}, "model: only provider: endpoint and vllm"),
        ({"provider": "endpoint", "base_url": "127.0.0.1:8000"}, "expected http://HOST:PORT/v1"),
        ({"provider": "endpoint", "base_url": f"https://me:{SECRET}@host/v1"}, "carries no user, password"),
        ({"provider": "endpoint", "base_url": "https://host/v1", "api_key_env": SECRET}, "not the key itself"),
        ({"api_key_env": f"gsk_{LETTERS}"}, "not the key itself"),
        ({"api_key_env": LETTERS}, "not the key itself"),
        ({"headers_env": {f"sk-{LETTERS}": "X_KEY"}}, "expected names of headers"),
        ({"provider": "vllm", "model": "m", "vllm": {"engine": {"hf_token": f"hf_{LETTERS}"}}}, "such as HF_TOKEN"),
        ({"provider": "openai"}, "'embedded', 'endpoint', 'vllm' or 'scripted'"),
        ({"temprature": 1}, "temprature"),
        ({"max_attempts": 0}, "max_attempts"),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    with pytest.raises(ValidationError, match=message) as caught:
        ModelConfig.model_validate(given)
    assert SECRET not in str(caught.value)
    assert LETTERS not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ({"structured": f"sk-{LETTERS}"}, "structured: expected 'auto'"),
        ({"temperature": f"Bearer {LETTERS}"}, "temperature: expected a number"),
        ({"send_seed": LETTERS}, "send_seed: "),
        ({"endpoints": [f"http://joe:{SECRET}@host/v1"]}, r"endpoints\.0: expected a mapping of keys"),
        ({"budget": f"hf_{LETTERS}"}, "budget: expected a mapping of keys"),
    ],
    ids=str,
)
def test_a_key_in_the_wrong_place_is_not_repeated_by_the_message_that_names_the_place(model, place):
    with pytest.raises(ConfigError, match=f"{place}.*found a value that looks like a key") as caught:
        checked(ModelConfig, model, lambda where, what: f"{'.'.join(map(str, where))}: {what}")
    assert SECRET not in str(caught.value)
    assert LETTERS not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"extra_body": {"access_token": SECRET}},
        {"extra_body": {"metadata": {"user_password": SECRET}}},
        {"extra_body": {"clientSecret": SECRET}},
        {"extra_body": {"headers": {"X-Api-Key": SECRET}}},
        {"extra_body": {"sent": "eyJhbGciOiJIUzI1NiJ9.sk-very-secret.abc"}},
        {"extra_body": {"sent": f"nvapi-{LETTERS}"}},
        {"base_url": f"https://host/v1?pwd={SECRET}"},
        {"base_url": f"https://host/v1?jwt={SECRET}"},
        {"base_url": f"https://host/v1?code={SECRET}"},
        {"base_url": f"https://host/v1?a=1&PAT={SECRET}"},
        {"base_url": f"https://host/{SECRET}-0123456789/v1"},
    ],
    ids=str,
)
def test_what_looks_like_a_key_is_refused_wherever_it_stands_and_not_repeated(given):
    with pytest.raises(ValidationError, match="key") as caught:
        ModelConfig.model_validate({"provider": "endpoint", "base_url": "https://host/v1"} | given)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "extra_body",
    [
        {"prompt_cache_key": "agents", "session_id": "s1", "max_thinking_tokens": 500},
        {"metadata": {"run": "123e4567-e89b-12d3-a456-426614174000"}, "provider": {"order": ["basic-provider-name"]}},
        {"user": "skywalker-team-eu", "adapter": "acme/llama_3_8b_instruct_lora", "models": ["skincare-lora-v1"]},
        {"metadata": {"run": "groceries_2024_experiment1"}, "prompt_cache_key": "groceries_ab_test_2024_12"},
    ],
)
def test_fields_that_only_sound_like_keys_are_taken(extra_body):
    config = ModelConfig.model_validate(
        {"provider": "endpoint", "base_url": "https://host/hf_models_2024/v1", "extra_body": extra_body}
    )
    assert config.extra_body == extra_body


@pytest.mark.parametrize("value", [float("nan"), float("inf"), date(2026, 1, 1)])
def test_what_json_cannot_say_is_refused_before_anybody_is_asked(value):
    sent = {"provider": "endpoint", "base_url": "https://host/v1", "extra_body": {"options": {"bias": value}}}
    with pytest.raises(ValidationError, match=r"extra_body\n.*expected what JSON can say"):
        ModelConfig.model_validate(sent)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:99999/v1", "a number from 0 to 65535"),
        ("http://127.0.0.1:-1/v1", "a number from 0 to 65535"),
        ("http://xn--/v1", "name or the number of a host"),
        (f"http://{'a' * 300}/v1", "name or the number of a host"),
        ("http://127.0.0.1/\x1b[31m/v1", "no spaces, line breaks or control characters"),
        ("http://127.0.0.1/a b/v1", "no spaces, line breaks or control characters"),
        ("http://host\u202e/v1", "no spaces, line breaks or control characters"),
    ],
)
def test_an_address_that_no_server_can_have_is_refused_where_it_is_written(address, said):
    with pytest.raises(ValidationError, match=said):
        ModelConfig(provider="endpoint", base_url=address)
    assert ModelConfig(provider="endpoint", base_url="http://[::1]:8000/v1?x=%zz").base_url
    assert ModelConfig(provider="endpoint", base_url="http://b\u00fccher.example/v1").base_url


def test_a_missing_key_variable_is_named(monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    config = ModelConfig(provider="endpoint", base_url="http://127.0.0.1:1/v1", api_key_env="MY_KEY")
    with pytest.raises(ConfigError, match="variable MY_KEY is not set"):
        asyncio.run(build_chat_model(config))


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (f'"{SECRET}"', "quotation mark"),
        (f"'{SECRET}'", "quotation mark"),
        (f" {SECRET}", "a blank or"),
        (f"{SECRET} ", "a blank or"),
        ("  ", "a blank or"),
        (f"Bearer {SECRET}", "the word Bearer"),
        (f"export KEY={SECRET}", "holds a blank"),
        (f"\ufeff{SECRET}\n", "another character that no key has"),
    ],
)
def test_what_stands_around_a_key_is_told_before_anybody_is_asked(monkeypatch, held, said):
    monkeypatch.setenv("MY_KEY", held)
    config = ModelConfig(provider="endpoint", base_url="http://127.0.0.1:1/v1", api_key_env="MY_KEY")
    with pytest.raises(ConfigError, match=f"mind.model.api_key_env: MY_KEY .*{said}") as told:
        asyncio.run(build_chat_model(config))
    assert SECRET not in str(told.value)


def test_the_key_comes_from_the_variable(mock, request_, monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)

    async def scenario():
        async with mock.Server() as server:
            model = await build_chat_model(ModelConfig(provider="endpoint", base_url=server.url, api_key_env="MY_KEY"))
            await model.ask(request_)
            await model.close()
            return model.name, server.headers[0]["Authorization"]

    assert asyncio.run(scenario()) == ("mock-1", f"Bearer {SECRET}")


def test_a_file_that_is_not_there_is_named(tmp_path):
    pytest.importorskip("xllamacpp")
    config = ModelConfig(embedded=EmbeddedOptions(path=tmp_path / "absent.gguf"))
    with pytest.raises(ConfigError, match=r"there is no file .*absent\.gguf"):
        asyncio.run(build_chat_model(config))


@pytest.mark.parametrize("host", ["a..b", "\u0661.0.0.1", "a\\\\b", "xn--a"])
def test_an_address_that_a_client_would_trip_over_is_refused(host):
    with pytest.raises(ValidationError, match="none can be called so"):
        ModelConfig(provider="endpoint", base_url=f"http://{host}/v1")


def test_a_host_may_have_a_name_in_any_script():
    assert ModelConfig(provider="endpoint", base_url="http://é.é/v1").base_url == "http://é.é/v1"
