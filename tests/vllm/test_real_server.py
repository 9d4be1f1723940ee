"""Fifty people of MovieLens-100K decide by a model that vLLM serves, then the same questions go to vLLM in process."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time

import pytest

from groundlings.environments.chat import ChatRequest, Message
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.running.run import run_experiment
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.config import ModelConfig, OfflineOptions

pytestmark = pytest.mark.vllm

# As in conftest.py, which pytest's importlib mode does not let a test import.
ENGINE = {
    "dtype": "bfloat16",
    "max_model_len": 2048,
    "enable_prefix_caching": True,
    "enforce_eager": True,
    "gpu_memory_utilization": 0.4,  # of the machine's memory, on a CPU
    "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
}


def test_fifty_people_and_a_vllm_server(recorded, figures):
    outcome, seconds, _ = recorded
    with sqlite3.connect(outcome.directory / "log.db") as log:
        (sessions,) = log.execute("SELECT count(*) FROM sessions").fetchone()
        calls, prompt, cached, written = log.execute(
            "SELECT count(*), avg(prompt_tokens), avg(cached_tokens), avg(completion_tokens) FROM calls"
        ).fetchone()
        (illegal,) = log.execute("SELECT count(*) FROM events WHERE kind = 'illegal'").fetchone()
        (unreadable,) = log.execute("SELECT count(*) FROM events WHERE kind = 'unreadable'").fetchone()
        (pages,) = log.execute("SELECT sum(pages) FROM sessions").fetchone()
        (status,) = log.execute("SELECT status FROM runs").fetchone()
    figures.append(
        f"vLLM server: {sessions} sessions, {pages} pages, {calls} calls in {seconds:.0f} s "
        f"({calls / seconds:.2f} a second, preparation and report included); "
        f"{prompt:.0f} prompt tokens ({cached:.0f} cached), {written:.0f} written; "
        f"{illegal} illegal, {unreadable} unreadable"
    )
    assert (status, sessions) == ("done", 50)
    assert illegal == 0
    assert unreadable < 0.02 * pages


def test_the_run_is_replayed_exactly_without_the_server(recorded, tmp_path):
    outcome, _, _ = recorded
    config = load_config(outcome.directory / "config.yaml", ["mind.model.store.mode=replay"])
    assert run_experiment(config, tmp_path / "again").digest == outcome.digest


def test_the_same_questions_in_batches(recorded, weights, figures, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "4")
    _, _, store = recorded
    with sqlite3.connect(store) as connection:
        asked = [_request(json.loads(text)) for (text,) in connection.execute("SELECT request FROM replies")]
    config = ModelConfig(
        provider="vllm", model=str(weights), send_seed=False, vllm=OfflineOptions(batch=64, engine=ENGINE)
    )

    async def answer():
        model = await build_chat_model(config)
        began = time.monotonic()
        replies = await asyncio.gather(*(model.ask(each) for each in asked))
        seconds = time.monotonic() - began
        await model.close()
        return replies, seconds

    replies, seconds = asyncio.run(answer())
    unreadable = sum(not _readable(request, reply) for request, reply in zip(asked, replies, strict=True))
    figures.append(
        f"vLLM in process: the same {len(asked)} questions in {seconds:.0f} s ({len(asked) / seconds:.2f} a second); "
        f"{unreadable} unreadable"
    )
    assert all(reply.prompt_tokens > 0 and reply.completion_tokens > 0 for reply in replies)
    assert unreadable < 0.02 * len(asked)


def _request(kept) -> ChatRequest:
    messages = tuple(Message(role, content) for role, content in kept["messages"])
    schema = json.loads(kept["schema"])
    return ChatRequest(messages, schema, kept["max_tokens"], kept["temperature"], kept["seed"])


def _readable(request, reply) -> bool:
    import jsonschema  # comes with vLLM, and knows nothing of our own reader

    try:
        jsonschema.validate(json.loads(reply.text), dict(request.reply_schema))
    except (ValueError, jsonschema.ValidationError):
        return False
    return True
