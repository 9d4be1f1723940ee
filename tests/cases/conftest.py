"""Model servers as their users' bug reports describe them, by name: one answer per kind, on the loopback interface."""

from __future__ import annotations

import io
import json
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from groundlings.experiments.cli import main as cli
from tests.cases.shop import Shop

Json = dict[str, Any]
Answer = tuple[int, Any]

YES_AND_NO = [("yes", -0.7), ("no", -0.9), ("The", -2.0)]
STARS = [("4", -0.5), ("3", -1.2), ("5", -2.0)]
POISON = "Night Bean"


def legal(body: Json) -> str:
    """A reply of the form that was asked for; the usual one if none was."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is None:
        return json.dumps({"open": {"1": 4}, "feel": "content", "satisfaction": 7, "next": False})
    offered = schema["properties"]
    said: Json = {"feel": offered["feel"]["enum"][0], "satisfaction": 7}
    if "open" in offered:
        slot, stars = next(iter(offered["open"]["properties"].items()))
        said["open"] = {slot: stars["enum"][-1]}
    return json.dumps(said | ({"next": False} if "next" in offered else {}))


def completion(content: object, *, finish: str = "stop", message: Json | None = None, **changed: object) -> Answer:
    """Status 200 with a chat completion; an entry that is changed to None is left out."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **(message or {})}}
    body = {
        "model": "m",
        "choices": [{**choice, "finish_reason": finish}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 40},
        **changed,
    }
    return 200, {key: value for key, value in body.items() if value is not None}


def refused(status: int, message: str, code: object = None, **more: object) -> Answer:
    return status, {"error": {"message": message, "type": "invalid_request_error", "code": code, **more}}


def graded(body: Json, mark: str = "", listed: list[tuple[str, Any]] | None = None) -> Answer:
    """The first token with its alternatives, to a question after yes or no or after stars."""
    if not body.get("logprobs"):
        return completion(legal(body))
    question = body["messages"][-1]["content"].lower()
    after_stars = "star" in question and "yes" not in question.split("answer")[-1]
    tokens = [(mark + token, value) for token, value in listed or (STARS if after_stars else YES_AND_NO)]
    entries = [{"token": token, "logprob": value} for token, value in tokens]
    status, reply = completion(tokens[0][0])
    reply["choices"][0]["logprobs"] = {"content": [{**entries[0], "top_logprobs": entries}]}
    return status, reply


def unless_form(answer: Answer) -> Callable[[Json, int], Answer]:
    return lambda body, _: answer if "response_format" in body else completion(legal(body))


def at_the_fifth(answer: Answer) -> Callable[[Json, int], Answer]:
    return lambda body, number: answer if number == 5 else completion(legal(body))


def poisoned(answer: Answer) -> Callable[[Json, int], Answer]:
    return lambda body, _: answer if POISON in json.dumps(body) else completion(legal(body))


def thinking(thought: str) -> Callable[[Json, int], Answer]:
    return lambda body, _: completion(f"<think>\n{thought}\n</think>\n\n{legal(body)}")


def always(answer: Answer) -> Callable[[Json, int], Answer]:
    return lambda *_: answer


KINDS: dict[str, Callable[[Json, int], Answer]] = {
    "ok": lambda body, _: completion(legal(body)),
    "rf400": unless_form(refused(400, "'response_format.type' must be 'json_object' or 'text'")),
    "rf400plain": unless_form(refused(400, "This feature is unavailable now")),
    "rf500": unless_form(refused(500, "rpc error: code = Unknown desc = failed to parse grammar")),
    "rf501": unless_form(refused(501, "response_format is not implemented")),
    "groq": at_the_fifth(refused(400, "Failed to generate JSON. Please adjust your prompt.", "json_validate_failed")),
    "groq2": at_the_fifth(
        refused(
            400, "Generated JSON does not match the expected schema.", "json_validate_failed", failed_generation="{"
        )
    ),
    "filter400": poisoned(refused(400, "Filtered by the content management policy.", "content_filter")),
    "mod403": poisoned(refused(403, 'Your input was flagged for "violence".', 403, metadata={"reasons": ["violence"]})),
    "refusal": always(completion(None, message={"refusal": "I can't help with that."}, finish="content_filter")),
    "reasoning_only": always(completion("", message={"reasoning": "I think about slots " * 20}, finish="length")),
    "content_none": always(completion(None, message={"reasoning_content": "hm " * 100}, finish="length")),
    "think_inline": thinking("Let me see which slot I like."),
    "think_empty": thinking(""),
    "tailprose": lambda body, _: completion(f"Sure! Here is the JSON:\n```json\n{legal(body)}\n```\nHope it helps"),
    "truncated": lambda body, _: completion(legal(body)[:20], finish="length"),
    "choices_null": always(
        (200, {"choices": None, "usage": None, "error": {"message": "Provider returned error", "code": 429}})
    ),
    "error200_402": always((200, {"error": {"message": "Insufficient credits. Add more.", "code": 402}})),
    "nousage": lambda body, _: completion(legal(body), usage=None),
    "usageneg": lambda body, _: completion(legal(body), usage={"prompt_tokens": -(10**6), "completion_tokens": -5}),
    "maxct": lambda body, _: (
        refused(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if "max_tokens" in body
        else completion(legal(body))
    ),
    "temp1": lambda body, _: (
        completion(legal(body))
        if body.get("temperature") == 1
        else refused(400, "'temperature' does not support 0.7 with this model. Only the default (1) is supported.")
    ),
    "nosystem": lambda body, _: (
        (400, {"object": "error", "message": "System role not supported", "code": 400})
        if body["messages"][0]["role"] == "system"
        else completion(legal(body))
    ),
    "lp5": lambda body, _: (
        (400, {"message": "Requested sample logprobs of 20, which is greater than max allowed: 5", "code": 400})
        if body.get("top_logprobs", 0) > 5
        else graded(body)
    ),
    "lpok": lambda body, _: graded(body),
    "lpstar": lambda body, _: graded(body, "\u2581"),
    "lpgpt2": lambda body, _: graded(body, "\u0120"),
    "lpnull": lambda body, _: graded(body, listed=[("yes", -0.1), ("no", None), ("The", None)]),
    "lpnan": lambda body, _: graded(body, listed=[("yes", float("nan")), ("no", -2.0)]),
    "lpinf": lambda body, _: graded(body, listed=[("yes", 0.0), ("no", float("-inf"))]),
    "moved": always((301, "")),
    "own_api": lambda body, _: (200, {"model": "m", "message": {"role": "assistant", "content": legal(body)}}),
    "long400": always(refused(400, "at most 123456789 tokens, " * 20)),
    "endless": lambda body, _: completion(legal(body) + " " * 200_000),
    "parts": lambda body, _: completion(
        [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": legal(body)}]
    ),
    "sse": lambda body, _: (200, "".join(f"data: {piece}\n\n" for piece in pieces(legal(body)))),
    "tenth": always(completion('{"open": {"1": 0.3, "2": 0.7}, "feel": "content", "satisfaction": 7, "next": false}')),
    "third": always(completion('{"open": {"1": -0.666667}, "feel": "content", "satisfaction": 7, "next": false}')),
}

LISTS: dict[str, Answer] = {
    "barelist": (200, [{"id": "m"}]),
    "datanull": (200, {"object": "list", "data": None}),
    "nomodels400": (400, {"error": {"message": "api-version is required"}}),
    "nomodels500": (500, {"error": {"message": "Internal"}}),
    "nomodels501": (501, {"error": {"message": "not implemented"}}),
    "htmlmodels": (200, "<!doctype html><html></html>"),
}


def pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), 10):
        yield json.dumps({"choices": [{"index": 0, "delta": {"content": text[start : start + 10]}}]})
    yield "[DONE]"


@contextmanager
def serving() -> Iterator[Callable[[str], str]]:
    """The address of a server of any kind; requests are counted per address."""
    counts: dict[str, int] = {}
    lock = threading.Lock()

    class Kinds(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _send(self, answer: Answer) -> None:
            status, said = answer
            content = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            stream = isinstance(said, str) and said.startswith("data:")
            self.send_header("content-type", "text/event-stream" if stream else "application/json")
            self.send_header("content-length", str(len(content)))
            if status in (301, 308):
                self.send_header("location", "https://u:pw@other.example/v1/chat\x1b[31m?token=abc")
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._send(LISTS.get(self.path.split("/")[1], (200, {"data": [{"id": "m"}]})))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            kind = self.path.split("/")[1]
            with lock:
                counts[kind] = number = counts.get(kind, 0) + 1
            self._send(KINDS["ok" if kind in LISTS else kind](body, number))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Kinds)
    server.handle_error = lambda *_: None  # clients leave when a run stops
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield lambda kind: f"http://127.0.0.1:{server.server_address[1]}/{kind}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def address() -> Iterator[Callable[[str], str]]:
    """The address of a model server of a kind (`KINDS`, `LISTS`)."""
    with serving() as found:
        yield found


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Runs the command in this process; its status, and what it said on both streams."""

    def run(*words: object) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", "200")
            patch.setattr(sys, "argv", ["groundlings", *map(str, words)])
            patch.setattr(warnings, "showwarning", warnings.showwarning)
            # As for `in_process`: what a command does for its own short life.
            patch.setattr("groundlings.experiments.cli.main.collect_seldom", lambda: None)
            said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)
            patch.setattr(sys, "stdout", said)
            patch.setattr(sys, "stderr", said)
            with pytest.raises(SystemExit) as left:
                cli.main()
            text = said.buffer.getvalue().decode()  # type: ignore[attr-defined]
        assert isinstance(left.value.code, int)
        assert "Traceback" not in text
        return left.value.code, text

    return run


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
