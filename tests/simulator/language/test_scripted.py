from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig
from groundlings.simulator.language.scripted import ScriptedModel, count_tokens


def test_a_list_is_said_in_order_and_then_over(request_):
    async def scenario():
        model = ScriptedModel(["one", "two"])
        said = [(await model.ask(request_)).text for _ in range(2)]
        with pytest.raises(ProviderError, match="no reply left"):
            await model.ask(request_)
        return said, model.requests

    assert asyncio.run(scenario()) == (["one", "two"], [request_] * 3)


def test_tokens_are_counted_by_the_stated_rule(request_):
    reply = asyncio.run(ScriptedModel(lambda request: "12345").ask(request_))
    assert (reply.prompt_tokens, reply.completion_tokens) == (count_tokens("Answer.") + count_tokens("Well?"), 2)
    assert [count_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


def test_the_scripted_provider_draws_by_the_seed_alone(request_):
    schema = {
        "type": "object",
        "properties": {
            "picks": {
                "type": "object",
                "properties": {str(n): {"enum": [1, 2, 3]} for n in range(9)},
                "additionalProperties": False,
            },
            "set": {"type": "array", "items": {"enum": [1, 2, 3, 4]}, "uniqueItems": True, "maxItems": 4},
            "n": {"type": "integer", "minimum": 1, "maximum": 10},
        },
        "required": ["picks", "set", "n"],
        "additionalProperties": False,
    }

    async def scenario():
        model = await build_chat_model(ModelConfig(provider="scripted"))
        return [
            (await model.ask(replace(request_, reply_schema=schema, seed=seed))).text
            for seed in (*range(20), *range(20))
        ]

    said = asyncio.run(scenario())
    assert said[:20] == said[20:]
    assert len(set(said)) > 10
    for text in said:
        reply = json.loads(text)
        assert set(reply) == {"picks", "set", "n"}
        assert reply["set"] == sorted(set(reply["set"]))
        assert set(reply["picks"].values()) <= {1, 2, 3}
        assert 1 <= reply["n"] <= 10
