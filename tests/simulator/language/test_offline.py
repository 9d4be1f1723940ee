"""Questions asked side by side reach vLLM as one batch; vLLM itself is played by a stand-in."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
from pydantic import ValidationError

from groundlings.environments.errors import ConfigError, ProviderError
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig, OfflineOptions
from groundlings.simulator.language.gbnf import grammar_for


class FakeLLM:
    made: ClassVar = []

    def __init__(self, model, **engine):
        if model == "broken":
            raise OSError("no such model")
        self.model, self.engine, self.batches = model, engine, []
        self.shut_down = False
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=self._shut_down))
        FakeLLM.made.append(self)

    def _shut_down(self):
        self.shut_down = True

    def chat(self, conversations, params, use_tqdm):
        assert not use_tqdm
        self.batches.append(list(zip(conversations, params, strict=True)))
        if any("too long" in turn["content"] for conversation in conversations for turn in conversation):
            raise ValueError("prompt is too long")
        return [self._output(conversation, each) for conversation, each in zip(conversations, params, strict=True)]

    def _output(self, conversation, params):
        token = {
            1: SimpleNamespace(decoded_token="No", logprob=-2.0),
            2: SimpleNamespace(decoded_token="Yes", logprob=-0.2),
        }
        said = SimpleNamespace(
            text=f"to {conversation[-1]['content']}",
            token_ids=[1, 2],
            logprobs=[token] if params.options.get("logprobs") else None,
        )
        return SimpleNamespace(outputs=[said], prompt_token_ids=[0] * 9, num_cached_tokens=4)


class Params:
    def __init__(self, **options):
        self.options = options


@pytest.fixture(autouse=True)
def _vllm(monkeypatch):
    FakeLLM.made = []
    package, params = ModuleType("vllm"), ModuleType("vllm.sampling_params")
    package.LLM, package.SamplingParams, params.StructuredOutputsParams = FakeLLM, Params, Params
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", params)


def _answers(requests, batch=4, model="some-model", **more):
    config = ModelConfig(
        provider="vllm",
        model=model,
        vllm=OfflineOptions(batch=batch, gather_seconds=0.05, engine={"dtype": "half"}),
        **more,
    )

    async def scenario():
        built = await build_chat_model(config)
        try:
            async with asyncio.timeout(10):
                return await asyncio.gather(*(built.ask(each) for each in requests), return_exceptions=True)
        finally:
            await built.close()

    return asyncio.run(scenario())


def _asking(request, *words):
    last = request.messages[-1]
    return [replace(request, messages=(request.messages[0], replace(last, content=word))) for word in words]


def test_everybody_gets_their_own_reply_and_batches_are_bounded(request_):
    words = [f"word {number}" for number in range(10)]
    replies = _answers(_asking(request_, *words))
    assert [reply.text for reply in replies] == [f"to {word}" for word in words]
    assert [len(batch) for batch in FakeLLM.made[0].batches] == [4, 4, 2]
    assert (replies[0].prompt_tokens, replies[0].cached_tokens, replies[0].completion_tokens) == (9, 4, 2)
    assert FakeLLM.made[0].engine == {"dtype": "half"}
    assert FakeLLM.made[0].shut_down


def test_form_and_sampling_travel_with_each_question(request_):
    graded = replace(request_, answers=("Yes", "No"), max_tokens=1)
    replies = _answers([request_, graded])
    (_, plain), (_, scored) = FakeLLM.made[0].batches[0]
    assert plain.options["structured_outputs"].options == {"grammar": grammar_for(request_.reply_schema)}
    assert (plain.options["temperature"], plain.options["max_tokens"], plain.options["seed"]) == (0.5, 16, 11)
    assert "structured_outputs" not in scored.options
    assert replies[1].first_token == (("Yes", -0.2), ("No", -2.0))


def test_no_seed_and_no_form_where_none_are_wanted(request_):
    _answers([request_], send_seed=False, structured="none")
    assert set(FakeLLM.made[0].batches[0][0][1].options) == {"temperature", "max_tokens"}


def test_a_failing_batch_fails_for_those_in_it_and_no_others(request_):
    replies = _answers(_asking(request_, "too long", "a", "b"), batch=2)
    assert [type(each) for each in replies[:2]] == [ProviderError] * 2
    assert "too long" in str(replies[1])
    assert replies[2].text == "to b"


def test_a_model_that_cannot_be_loaded_is_named(request_):
    with pytest.raises(ProviderError, match="cannot load broken: no such model"):
        _answers([request_], model="broken")


def test_without_vllm_the_extra_is_named(request_, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ConfigError, match=r'pip install "groundlings\[vllm\]"'):
        _answers([request_])


def test_a_model_must_be_named():
    with pytest.raises(ValidationError, match="provider: vllm needs a model"):
        ModelConfig(provider="vllm")
