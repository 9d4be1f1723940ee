"""Replies that are short enough to be read, and made so that reading them would take minutes or break off."""

from __future__ import annotations

import json
import time
from itertools import islice, product

import pytest

from groundlings.environments.chat import ChatRequest, Message
from groundlings.environments.errors import ConfigError
from groundlings.experiments.analysis.metrics.lost import cause_of
from groundlings.simulator.language.advice import explanation
from groundlings.simulator.language.faults import BadStatus, Fault, GarbledReply, fault_of
from groundlings.simulator.language.health import Health
from groundlings.simulator.language.key_echoes import KeyEchoes
from groundlings.simulator.language.model_list import capabilities_in, only_model
from groundlings.simulator.language.reply_reading import read_reply

ASKED = ChatRequest((Message("user", "?"),), {}, 40, 0.0, None)
YES_OR_NO = ChatRequest((Message("user", "?"),), {}, 1, 0.0, None, ("yes", "no"))
NO_KEY = KeyEchoes(None)
_SECONDS = 10.0
"""Longer than anything here takes on a busy machine, and a tenth of what it took."""


def quickly(content: str, request: ChatRequest = ASKED):
    began = time.process_time()
    try:
        return read_reply(content, request, 0.1)
    finally:
        assert time.process_time() - began < _SECONDS


@pytest.mark.parametrize(
    "body", ['{"choices": null, "error": %s}', '{"some": %s}', 'data: {"error": %s}\n\ndata: [DONE]\n\n']
)
def test_json_of_any_depth_is_garbled_or_an_error_and_breaks_nothing(body):
    for depth in (10, 400, *range(900, 1000, 3), 5_000):
        with pytest.raises((GarbledReply, BadStatus)) as told:
            read_reply(body % ("[" * depth + "]" * depth), ASKED, 0.1)
        assert fault_of(told.value).transient


def test_whoever_owns_a_model_may_be_of_any_depth():
    for depth in (10, *range(900, 1000, 3)):
        owner = "[" * depth + "]" * depth
        try:
            found = capabilities_in(f'{{"data": [{{"id": "m", "owned_by": {owner}}}]}}', NO_KEY)
        except GarbledReply:
            continue
        assert (found.models, found.dialect) == (("m",), "other")


def test_an_answer_in_ten_thousands_of_spellings_is_read_at_once():
    spaces = (" ", "\t", "\u2003", "\u00a0", "\u2009", "\u3000")
    tokens = [f"{''.join(before)}yes" for before in islice(product(spaces, repeat=7), 70_000)]
    listed = [{"token": token, "logprob": -20.0} for token in [*tokens, "other", "other"]]
    choice = {"message": {"content": "yes"}, "logprobs": {"content": [{"top_logprobs": listed}]}}
    found = quickly(json.dumps({"choices": [choice]}, ensure_ascii=False), YES_OR_NO)
    assert len(found.first_token) == len(listed)


def test_a_stream_of_many_pieces_is_put_together_once():
    piece = "x" * 44
    stream = f'data:{{"choices":[{{"delta":{{"content":"{piece}"}}}}]}}\n\n' * 40_000 + "data:[DONE]\n\n"
    assert quickly(stream).text == piece * 40_000


@pytest.mark.parametrize("said", ["a", ["a"]])
def test_pieces_of_a_stream_are_of_one_kind(said):
    other = ["a"] if isinstance(said, str) else "a"
    chunks = [json.dumps({"choices": [{"delta": {"content": each}}]}) for each in (said, said, other)]
    with pytest.raises(GarbledReply, match=r"content is first a (str|list), then something else"):
        read_reply("".join(f"data: {chunk}\n\n" for chunk in chunks) + "data: [DONE]\n\n", ASKED, 0.1)


def test_of_a_long_error_the_words_are_kept_and_the_kind_is_known():
    told = {"message": "the prompt was flagged by moderation", "code": "flagged", "prompt": "safe " * 700_000}
    with pytest.raises(BadStatus) as error:
        quickly(json.dumps({"choices": None, "error": told}))
    assert len(error.value.said) < 1_000
    fault = fault_of(error.value)
    assert (fault.status, fault.concerns) == (400, "prompt")
    assert "the prompt was flagged by moderation" in fault.what


def test_zero_characters_are_written_out_because_not_every_log_takes_them():
    body = {
        "model": "m\0",
        "system_fingerprint": "f\0",
        "choices": [{"finish_reason": "s\0", "message": {"content": "a\0b"}}],
    }
    found = read_reply(json.dumps(body), ASKED, 0.1)
    assert (found.text, found.model, found.fingerprint, found.finish_reason) == (
        "a\\x00b",
        "m\\x00",
        "f\\x00",
        "s\\x00",
    )


def test_of_thousands_of_models_a_message_names_some():
    listed = json.dumps({"data": [{"id": f"model-{number}"} for number in range(9_000)]})
    found = capabilities_in("\ufeff" + listed, NO_KEY)
    with pytest.raises(ConfigError, match=r"model-0, model-1, .* and 8,950 more; name one") as told:
        only_model(found, "http://x/v1")
    unknown = Fault("HTTP 404", transient=False, status=404)
    said = explanation(unknown, 1, where="w", model="n", served=found.models, form="none")
    assert max(len(str(told.value)), len(said)) < 2_000
    assert only_model(capabilities_in('{"data": [{"id": "m"}]}', NO_KEY), "u") == "m"


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens. Please reduce the length of the messages.",
        "'max_tokens' is too large: 160. This model's maximum context length is 4096 tokens",
        "the request exceeds the available context size, try increasing it",
        "the model is loaded with context length of only 4096 tokens, which is not enough",
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 1100",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_a_prompt_that_is_too_long_is_called_so(said):
    fault = fault_of(BadStatus(400, said, {}))
    told = explanation(fault, 1, where="w", model="n", served=None, form="json_schema")
    assert f"refuses the request as too long: HTTP 400: {said.rstrip('.')}. Let prompts hold less" in told
    assert "model check" not in told
    assert "limit_key" not in told
    cause = cause_of({"kind": "unanswerable", "detail": f"HTTP 400: {said}"})
    assert cause.name == "too long for the server"
    assert "pages hold less" in cause.advice


@pytest.mark.parametrize("said", ["max_tokens is too large: 8192 > 4096", "Unsupported value: context", "too long"])
def test_other_complaints_are_not_taken_for_a_prompt_that_is_too_long(said):
    told = explanation(fault_of(BadStatus(400, said, {})), 1, where="w", model="n", served=None, form="none")
    assert "model check" in told


@pytest.mark.parametrize("status", [407, 511])
def test_a_network_that_wants_a_sign_in_is_called_so(status):
    fault = fault_of(BadStatus(status, "", {}))
    said = explanation(fault, 1, where="w", model="n", served=None, form="none")
    assert f"wants a sign-in first (HTTP {status}" in said
    assert "NO_PROXY" in said


def test_time_in_which_this_process_stood_still_is_no_silence_of_a_server():
    health, fault = Health(1.0), Fault("no answer in time", transient=True)
    health.last_good -= 100.0
    for _ in range(5):
        health.failed(fault)
    assert health.silent(60.0)
    health.stood_still(90.0)
    assert not health.silent(60.0)
    assert health.silent(5.0)
