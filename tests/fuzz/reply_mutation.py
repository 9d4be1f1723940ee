"""Ways to spoil what a model server answers: the JSON of a body, how it is packed, the status, headers and framing."""

from __future__ import annotations

import copy
import gzip
import json
import random
import zlib
from collections.abc import Callable
from typing import Any

import mutation

KEY = "sk-a-key-that-must-not-be-seen"
MOST_BYTES = 60_000
SAID = '{"open": {"1": 4}, "feel": "delighted", "satisfaction": 7, "next": false}'

_LISTED = [{"token": "Yes", "logprob": -0.3}, {"token": " no", "logprob": -1.5}]
COMPLETION: dict[str, Any] = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "mock-1", "system_fingerprint": "fp-1",
    "choices": [{
        "index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SAID, "refusal": None},
        "logprobs": {"content": [{"token": "Yes", "logprob": -0.3, "bytes": [89], "top_logprobs": _LISTED}]},
    }],
    "usage": {"prompt_tokens": 30, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8}},
}  # fmt: skip
MODELS: dict[str, Any] = {"object": "list", "data": [{"id": "mock-1", "object": "model", "owned_by": "vllm"}]}
ERROR: dict[str, Any] = {"error": {"message": "no such thing", "type": "invalid", "code": "x", "param": None}}

_ODD = (
    *mutation.ODD_VALUES, KEY, "\ud800", "a\udfffb", "\x1b[31m\x1b]8;;http://x\x07", "\u2028", [[[[[[]]]]]], "NaN",
    float("1e308"), 10**18, 2**63 - 1, -(2**63), 9_007_199_254_740_993, ["a"] * 300, {"type": "text", "text": SAID},
    [{"type": "text", "text": SAID}], [{"type": "image"}], "<think>" * 50, "<think>x</think>" + SAID, "length",
)  # fmt: skip
_RAW_VALUES = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "[" * 3000,
    '{"a":' * 3000,
    "1" + "0" * 400,
    "'x'",
    "+1",
)
_RAW_VALUES += ("01", '"\\ud800"', '"\\u0000"', '"\x00"', '"\\x"', "undefined", "")
_STATUSES = (
    200,
    200,
    200,
    201,
    204,
    206,
    299,
    300,
    304,
    307,
    400,
    401,
    402,
    403,
    404,
    408,
    409,
    413,
    418,
    422,
    425,
    429,
)
_STATUSES += (500, 501, 502, 503, 504, 511, 520, 529, 599, 600, 700, 999)
_HEADERS = (
    *((b"content-type", value) for value in (b"text/html", b"application/json; charset=base64", b"x; charset=utf-16",
      b"text/event-stream", b"", b"application/json; charset=\xff", b"a" * 5000, b"application/json; boundary=\"")),
    *((b"content-encoding", value) for value in (b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"x", b"identity",
      b"gzip," * 50, b"\xff")),
    *((b"retry-after", value) for value in (b"-1", b"1e9", b"nan", b"inf", b"Fri, 31 Dec 9999 23:59:59 -2359",
      b"Mon, 01 Jan 0001 00:00:00 +2359", b"9" * 400, b"soon", KEY.encode(), b"\xff")),
    *((b"retry-after-ms", value) for value in (b"1e400", b"-5", b"x")),
    *((b"location", value) for value in (b"file:///etc/passwd", b"http://127.0.0.2:9/", b"//", b"\xff")),
    *((b"set-cookie", value) for value in (b"a=b", b"=;=;=", b"\xff" * 50, b"a" * 5000)),
    (b"x" * 300, b"y"), (b"x", b"y" * 10_000), (b"bad name", b"z"), (b"x\x00", b"z"), (b"x", b"\x00\r\n y"),
    (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"gzip"), (b"connection", b"keep-alive"),
)  # fmt: skip


def spoilt(luck: random.Random) -> tuple[str, int, bytes, list[tuple[bytes, bytes]]]:
    """How, and the answer: its status, body and headers."""
    content = copy.deepcopy(luck.choice((COMPLETION, COMPLETION, COMPLETION, MODELS, ERROR)))
    status, headers = 200 if "error" not in content else luck.choice((400, 429, 500)), []
    body = as_json(content)
    match luck.choice(
        ("tree", "tree", "tree", "raw", "raw", "bytes", "status", "header", "header", "packed", "stream", "echo")
    ):
        case "tree":
            how = "odd values"
            for _ in range(luck.choice((1, 1, 2, 4))):
                _spoil_tree(content, luck)
            body = as_json(content)
        case "raw":
            how = "odd JSON"
            path = luck.choice(list(mutation.paths_in(content)))
            _put(content, path, "@@")
            body = as_json(content).replace(b'"@@"', luck.choice(_RAW_VALUES).encode("utf-8", "surrogatepass"), 1)
        case "bytes":
            how, body = mutation.spoil_bytes(body, luck)
        case "status":
            how, status = "odd status", luck.choice(_STATUSES)
            body = luck.choice((body, b"", b"<html>busy</html>", as_json(ERROR), as_json({"error": {"message": KEY}})))
        case "header":
            how = "odd header"
            headers += luck.sample(_HEADERS, luck.choice((1, 1, 2, 4)))
            status = luck.choice((status, status, 400, 429, 503))
        case "packed":
            how, (name, body) = "packed", _packed(body, luck)
            headers.append((b"content-encoding", name))
        case "stream":
            how, body = "event stream", _stream(content, luck)
        case _:
            how, body = "echo", _echo(content, luck)
            status = luck.choice((200, 200, 400, 401, 500))
    return how, status, body, headers


def _spoil_tree(content: Any, luck: random.Random) -> None:
    paths = list(mutation.paths_in(content))
    if not paths:
        return
    path = luck.choice(paths)
    match luck.choice(("odd", "odd", "odd", "drop", "borrow")):
        case "odd":
            _put(content, path, copy.deepcopy(luck.choice(_ODD)))
        case "drop":
            _inside(content, path).pop(path[-1])
        case _:
            _put(content, path, copy.deepcopy(_inside(content, (*luck.choice(paths), None))))


def _inside(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def _put(tree: Any, path: tuple[Any, ...], value: Any) -> None:
    _inside(tree, path)[path[-1]] = value


def as_json(content: Any) -> bytes:
    """The content as a server would write it, halves of surrogate pairs included."""
    return json.dumps(content, default=repr, skipkeys=True).encode("utf-8", "surrogatepass")


def _packed(body: bytes, luck: random.Random) -> tuple[bytes, bytes]:
    bomb = body + b" " * luck.choice((0, 0, MOST_BYTES, 3_000_000))
    name, made = luck.choice((
        (b"gzip", gzip.compress(bomb)), (b"deflate", zlib.compress(bomb)), (b"deflate", zlib.compress(bomb)[2:-4]),
        (b"gzip, gzip", gzip.compress(gzip.compress(bomb))), (b"gzip", zlib.compress(bomb)),
        (b"br", gzip.compress(bomb)),
    ))  # fmt: skip
    return name, made if luck.random() < 0.6 else mutation.spoil_bytes(made, luck)[1]


def _stream(content: Any, luck: random.Random) -> bytes:
    """The reply as a server sends it piece by piece, whether asked to or not."""
    pieces = [SAID[first : first + 9] for first in range(0, len(SAID), 9)]
    events: list[Any] = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    events += [
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": content.get("usage")},
    ]
    for _ in range(luck.choice((0, 1, 1, 2))):
        _spoil_tree(events, luck)
    lines = b"".join(b"data: " + as_json(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    return lines if luck.random() < 0.5 else mutation.spoil_bytes(lines, luck)[1]


def _echo(content: Any, luck: random.Random) -> bytes:
    """The key, in one of the places where servers repeat it, as it is or escaped."""
    path = luck.choice(list(mutation.paths_in(content)))
    _put(content, path, "@@")
    shapes: tuple[Callable[[str], str], ...] = (
        str, lambda key: f"Bearer {key}", lambda key: "".join(f"\\u{ord(sign):04x}" for sign in key),
        lambda key: "".join(f"%{ord(sign):02x}" for sign in key), lambda key: f"x{key}y" * 3,
    )  # fmt: skip
    return as_json(content).replace(b'"@@"', b'"' + luck.choice(shapes)(KEY).encode() + b'"')


def on_the_wire(status: int, body: bytes, headers: list[tuple[bytes, bytes]], luck: random.Random | None) -> bytes:
    """An answer as bytes; with luck, its framing is spoilt, too."""
    lines = [b"HTTP/1.1 %d X" % status, b"content-type: application/json", b"connection: close"]
    lines += [name + b": " + value for name, value in headers]
    length = len(body)
    if luck is not None and luck.random() < 0.15:
        kind = luck.choice(
            ("short", "long", "negative", "huge", "none", "twice", "chunks", "start", "flip", "continue")
        )
        match kind:
            case "short" | "long":
                length += luck.choice((-1, -20, 1, 100)) if length > 20 else 1
            case "negative":
                length = -5
            case "huge":
                length = 10**20
            case "twice":
                lines.append(b"content-length: 3")
            case "chunks":
                pieces = b"".join(
                    b"%x\r\n%s\r\n" % (len(body[n : n + 50]), body[n : n + 50]) for n in range(0, len(body), 50)
                )
                end = luck.choice(
                    (b"0\r\n\r\n", b"", b"ZZ\r\n", b"-1\r\n\r\n", b"0\r\nx: y\r\n\r\n", b"f" * 30 + b"\r\n")
                )
                return b"\r\n".join([*lines, b"transfer-encoding: chunked", b"", b""]) + pieces + end
            case "start":
                lines[0] = luck.choice(
                    (b"HTTP/0.9 200", b"hello", b"", b"HTTP/1.1 abc X", b"HTTP/1.1", b"HTTP/9.9 200 OK")
                )
            case "continue":
                lines[0] = b"HTTP/1.1 100 Continue\r\n\r\n" * luck.choice((1, 50)) + lines[0]
            case "flip":
                made = b"\r\n".join([*lines, b"content-length: %d" % length, b"", b""]) + body
                return mutation.spoil_bytes(made, luck)[1]
        if kind == "none":
            return b"\r\n".join([*lines, b"", b""]) + body
    return b"\r\n".join([*lines, b"content-length: %d" % length, b"", b""]) + body
