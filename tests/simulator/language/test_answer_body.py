"""However much a server sends, or whatever it unpacks to, little of it is read and nothing of it reaches a log."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.errors import ProviderError
from groundlings.simulator.language.answer_body import unpacked
from groundlings.simulator.language.connection import Connection
from groundlings.simulator.language.faults import GarbledReply, OversizedReply
from groundlings.simulator.language.pool import EndpointPool


def _ask(mock, request, answer, *, most=50_000, lines=None, **options):
    async def scenario():
        async with mock.Server(every=answer) as server:
            connection = Connection(base_url=server.url, model="mock-1", max_reply_bytes=most)
            pool = EndpointPool([connection], max_attempts=2, tell=(lines if lines is not None else []).append)
            try:
                return await pool.ask(request)
            finally:
                await pool.close()

    return asyncio.run(scenario())


def _sending(body, status=200, **headers):
    async def answer(_request):
        return web.Response(body=body, status=status, headers={"Content-Type": "application/json", **headers})

    return answer


def _in_chunks(body):
    async def answer(request):
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for first in range(0, len(body), 10_000):
            try:
                await response.write(body[first : first + 10_000])
            except ConnectionError:  # nobody listens any more
                break
        return response

    return answer


def _long(mock, characters):
    return json.dumps(mock.completion("a" * characters)).encode()


@pytest.mark.parametrize("how", ["announced", "in chunks", "gzip", "deflate", "raw deflate", "gzip twice"])
def test_a_reply_longer_than_its_limit_is_withheld_and_its_tokens_estimated(mock, request_, how):
    body = _long(mock, 60_000)
    answer = {
        "announced": _sending(body),
        "in chunks": _in_chunks(body),
        "gzip": _sending(gzip.compress(body), **{"Content-Encoding": "gzip"}),
        "deflate": _sending(zlib.compress(body), **{"Content-Encoding": "deflate"}),
        "raw deflate": _sending(zlib.compress(body)[2:-4], **{"Content-Encoding": "deflate"}),
        "gzip twice": _sending(gzip.compress(gzip.compress(body)), **{"Content-Encoding": "gzip, gzip"}),
    }[how]
    lines = []
    reply = _ask(mock, request_, answer, lines=lines)
    assert reply.text == "(withheld: more than 50,000 bytes)"
    assert reply.tokens_estimated
    assert reply.completion_tokens == 12_500
    assert ["max_reply_bytes" in line for line in lines] == [True]
    fits = _ask(mock, request_, answer, most=100_000)
    assert fits.text == "a" * 60_000


def test_a_bomb_takes_no_more_memory_than_the_limit():
    bomb = zlib.compress(b" " * 100_000_000, 9)
    tracemalloc.start()
    try:
        with pytest.raises(OversizedReply):
            unpacked(bomb, "deflate", 1_000_000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5_000_000


def test_the_words_of_an_error_are_read_up_to_a_limit(mock, request_):
    packed = _sending(gzip.compress(b"too bad" + b" " * 10_000_000), 400, **{"Content-Encoding": "gzip"})
    with pytest.raises(ProviderError, match="too bad"):
        _ask(mock, request_, packed)
    with pytest.raises(ProviderError, match="too bad"):
        _ask(mock, request_, _sending(b"too bad" + b"." * 10_000_000, 400))


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br", "gzip, gzip, gzip", "deflate", "gzip"])
def test_what_cannot_be_unpacked_is_garbled(encoding):
    with pytest.raises(GarbledReply):
        unpacked(b"\0\1\2garbage", encoding, 1000)


@pytest.mark.parametrize("encoding", ["", "identity", "utf-8", "none", "x-foo"])
def test_what_is_no_packing_leaves_the_content_alone(encoding):
    assert unpacked(b"plain", encoding, 1000) == b"plain"


@given(st.binary(max_size=3000), st.sampled_from(["gzip", "deflate"]), st.integers(100, 4000))
def test_unpacking_undoes_packing_up_to_the_limit(content, name, most):
    packed = gzip.compress(content) if name == "gzip" else zlib.compress(content)
    if len(content) > most:
        with pytest.raises(OversizedReply):
            unpacked(packed, name, most)
        assert unpacked(packed, name, most, whole=False) == content[:most]
    else:
        assert unpacked(packed, name, most) == content


def test_a_text_longer_than_its_tokens_can_be_is_withheld(mock, request_):
    text = "a" * 100_001
    reply = _ask(mock, request_, _sending(_long(mock, len(text))), most=4_000_000)
    assert reply.text == "(withheld: 100,001 characters, where 16 tokens were allowed)"
    assert _ask(mock, replace(request_, max_tokens=800), _sending(_long(mock, len(text))), most=4_000_000).text == text


@pytest.mark.parametrize("charset", ["base64", "zip", "rot13", "hex", "utf-16", "no-such-thing"])
@pytest.mark.parametrize("status", [200, 400])
def test_no_character_set_in_a_header_breaks_anything(mock, request_, charset, status):
    answer = _sending(json.dumps(mock.completion()).encode(), status)

    async def named(request):
        response = await answer(request)
        response.headers["Content-Type"] = f"application/json; charset={charset}"
        return response

    if status == 200:
        assert _ask(mock, request_, named).text == '{"ok":true}'
    else:
        with pytest.raises(ProviderError, match="HTTP 400"):
            _ask(mock, request_, named)


def test_gzip_in_several_members_is_one_body():
    packed = gzip.compress(b'{"a":') + gzip.compress(b" 1}")
    assert unpacked(packed, "gzip", 100) == b'{"a": 1}'
    assert unpacked(packed + b"rest", "gzip", 100) == b'{"a": 1}'
    with pytest.raises(OversizedReply):
        unpacked(packed, "gzip", 6)
    with pytest.raises(GarbledReply, match="members"):
        unpacked(gzip.compress(b"") * 150_000, "gzip", 100)
