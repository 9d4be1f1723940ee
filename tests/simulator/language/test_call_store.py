"""What was asked once is found again, and nothing else is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from groundlings.environments.chat import ChatReply, Message
from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError
from groundlings.simulator.language.build import build_chat_model
from groundlings.simulator.language.call_store import CallStore, StoredModel, canonical
from groundlings.simulator.language.config import ModelConfig, StoreConfig
from groundlings.simulator.language.scripted import ScriptedModel

REPLY = ChatReply("hé\n", "m", "build", 30, 20, 5, 0.25, attempts=3, first_token=(("Yes", -0.1), ("No", -2.5)))


class OneReply:
    name = "m"

    def __init__(self):
        self.asked = 0

    async def ask(self, _request):
        self.asked += 1
        await asyncio.sleep(0)
        return replace(REPLY, completion_tokens=self.asked)

    async def close(self):
        pass


@pytest.fixture
def store(tmp_path):
    opened = CallStore(tmp_path / "calls" / "store.db")
    yield opened
    opened.close()


def test_a_reply_comes_back_as_it_went_in(store):
    store.put("k", '{"messages":[]}', REPLY)
    assert store.get("k") == REPLY
    assert store.get("other") is None


def test_the_first_reply_noted_stays(store):
    assert store.put("k", '{"messages":[]}', REPLY)
    assert not store.put("k", '{"messages":[]}', replace(REPLY, text="later"))
    assert store.get("k") == REPLY


@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"text": "yes"}', '{"first_token": 3}'])
def test_a_damaged_reply_is_named_and_nothing_is_made_of_it(store, kept):
    store.put("k", '{"messages":[]}', REPLY)
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE replies SET reply = ?", (kept,))
    with pytest.raises(DataError, match=r"store\.db: the reply to request k is damaged"):
        store.get("k")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("model", None),
        ("prompt_tokens", "30"),
        ("completion_tokens", 10**30),
        ("latency_seconds", float("nan")),
        ("first_token", [["yes", 10**400]]),
        ("first_token", [["yes"]]),
        ("unanswerable", "refused, and nobody wrote how often"),
    ],
)
def test_a_field_of_another_kind_is_damage(store, name, value):
    store.put("k", '{"messages":[]}', REPLY)
    with sqlite3.connect(store.path) as connection:
        (kept,) = connection.execute("SELECT reply FROM replies").fetchone()
        changed = {key: said for key, said in json.loads(kept).items() if name != "unanswerable" or key != "attempts"}
        connection.execute("UPDATE replies SET reply = ?", (json.dumps(changed | {name: value}),))
    with pytest.raises(DataError, match=r"store\.db: the reply to request k is damaged"):
        store.get("k")


def test_a_damaged_request_is_like_no_other(store):
    store.put("k", '{"messages":[]}', REPLY)
    for request in ("[", "5", "[" * 2_000):
        with sqlite3.connect(store.path) as connection:
            connection.execute("UPDATE replies SET request = ?", (request,))
        assert store.alike('{"messages":[]}') is None


def test_the_same_question_is_asked_once_even_by_many_at_a_time(store, request_):
    model = OneReply()
    stored = StoredModel(store, model, "m")

    async def scenario():
        return await asyncio.gather(*(stored.ask(request_) for _ in range(20)))

    replies = asyncio.run(scenario())
    assert model.asked == 1
    assert [reply.from_store for reply in replies] == [False] + [True] * 19
    assert {replace(reply, from_store=False) for reply in replies} == {replace(REPLY, completion_tokens=1)}


CHANGES = {
    "role": lambda r: replace(r, messages=(Message("user", "Answer."), *r.messages[1:])),
    "words": lambda r: replace(r, messages=(*r.messages, Message("user", "?"))),
    "schema": lambda r: replace(r, reply_schema={"type": "boolean"}),
    "order of keys": lambda r: replace(r, reply_schema=dict(reversed(r.reply_schema.items()))),
    "max_tokens": lambda r: replace(r, max_tokens=17),
    "temperature": lambda r: replace(r, temperature=0.6),
    "seed": lambda r: replace(r, seed=12),
    "no seed": lambda r: replace(r, seed=None),
    "answers": lambda r: replace(r, answers=("Yes", "No")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_can_change_a_reply_changes_the_key(request_, change):
    assert canonical(change(request_), "m") != canonical(request_, "m")


def test_model_and_replicate_change_the_key_and_equal_numbers_do_not(request_):
    texts = {canonical(request_, "m"), canonical(request_, "n"), canonical(request_, "m", replicate=1)}
    assert len(texts) == 3
    assert canonical(replace(request_, temperature=1), "m") == canonical(replace(request_, temperature=1.0), "m")


def _config(path, mode, **more):
    return ModelConfig(provider="scripted", store=StoreConfig(path=path, mode=mode, **more))


def _ask(config, *requests, base=None, spent=None):
    async def scenario():
        model = await build_chat_model(config, base=base, spent=spent)
        try:
            return [await model.ask(request) for request in requests]
        finally:
            await model.close()

    return asyncio.run(scenario())


def test_record_then_replay_gives_the_same_without_a_model(tmp_path, request_):
    path = tmp_path / "store.db"
    recorded = _ask(_config(path, "record"), request_)
    silent = ModelConfig(
        provider="endpoint", base_url="http://127.0.0.1:1/v1", store=StoreConfig(path=path, mode="replay")
    )
    replayed = _ask(silent, request_)
    assert replayed == [replace(reply, from_store=True) for reply in recorded]


def test_a_replay_miss_says_what_differs(tmp_path, request_):
    path = tmp_path / "store.db"
    _ask(_config(path, "record"), request_)
    with pytest.raises(DataError, match=r"temperature 0\.5 \(now 0\.9\).*mode: cache"):
        _ask(_config(path, "replay"), replace(request_, temperature=0.9))
    with pytest.raises(DataError, match=r"scripted with seed 11: no request with these messages.*'Who\?'"):
        _ask(_config(path, "replay"), replace(request_, messages=(Message("user", "Who?"),)))


def test_a_record_begins_a_new_file_unless_its_run_goes_on(tmp_path, request_):
    from groundlings.simulator.language.budget import Spent

    path = tmp_path / "store.db"
    _ask(_config(path, "record"), request_)
    with pytest.raises(ConfigError, match=r"holds 1 replies already.*mode: replay"):
        _ask(_config(path, "record"), request_)
    assert [reply.from_store for reply in _ask(_config(path, "record"), request_, spent=Spent(1))] == [True]


def test_a_cache_asks_only_for_what_is_missing_and_a_replicate_asks_anew(tmp_path, request_):
    path, other = tmp_path / "store.db", replace(request_, seed=99)
    _ask(_config(path, "cache"), request_)
    assert [reply.from_store for reply in _ask(_config(path, "cache"), request_, other)] == [True, False]
    assert [reply.from_store for reply in _ask(_config(path, "cache", replicate=1), request_, other)] == [False] * 2


def test_kept_replies_of_another_model_of_the_same_name_are_told(tmp_path, monkeypatch, request_):
    async def served(*_):
        return OneReply()

    monkeypatch.setattr("groundlings.simulator.language.build._pool", served)

    async def told(port):
        told = []
        kept = StoreConfig(path=tmp_path / "store.db", mode="cache")
        config = ModelConfig(provider="endpoint", base_url=f"http://127.0.0.1:{port}/v1", store=kept)
        model = await build_chat_model(config, tell=told.append)
        reply = await model.ask(request_)
        await model.close()
        return told, reply.from_store

    assert asyncio.run(told(8001)) == ([], False)
    assert asyncio.run(told(8001)) == ([], True)
    (said,), kept = asyncio.run(told(8002))
    assert kept
    assert "holds replies of another 'm' ('http://127.0.0.1:8001/v1')" in said


def test_live_leaves_the_file_alone(tmp_path, request_):
    _ask(_config(tmp_path / "store.db", "live"), request_)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_counts_from_the_base(tmp_path, request_):
    _ask(_config("calls.db", "cache"), request_, base=tmp_path)
    assert (tmp_path / "calls.db").is_file()


def test_a_store_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="no call store to replay"):
        _ask(_config(tmp_path / "absent.db", "replay"))


@pytest.mark.parametrize("mode", ["replay", "cache"])
def test_another_file_is_refused_and_left_as_it_is(tmp_path, mode):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(DataError, match="not a call store"):
        _ask(_config(path, mode))
    path2 = tmp_path / "text.db"
    path2.write_text("hello " * 1000)
    with pytest.raises(DataError, match="not a readable call store"):
        _ask(_config(path2, mode))
    assert path.read_bytes() == before
    assert path2.read_text() == "hello " * 1000


def test_a_store_with_a_damaged_name_is_refused(tmp_path):
    with closing(sqlite3.connect(tmp_path / "calls.db")) as made, made:
        made.execute("CREATE TABLE replies (x)")
        made.execute("PRAGMA writable_schema = ON")
        made.execute("UPDATE sqlite_master SET name = CAST(x'ff' AS TEXT), sql = CAST(x'ff' AS TEXT)")
    with pytest.raises(DataError, match="not a readable call store"):
        CallStore(tmp_path / "calls.db")


def test_a_trigger_that_somebody_put_into_a_store_never_runs(tmp_path):
    path = tmp_path / "calls.db"
    CallStore(path).close()
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("CREATE TRIGGER other AFTER INSERT ON replies BEGIN UPDATE replies SET reply = '{}'; END")
    for writable in (True, False):
        with pytest.raises(DataError, match="found the trigger other, which no call store has"):
            CallStore(path, writable)


def test_a_store_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunDirectoryError, match="cannot be"):
        _ask(_config(tmp_path / "file" / "store.db", "record"))


def test_a_replay_of_several_models_wants_a_name(tmp_path, request_):
    path = tmp_path / "store.db"
    store = CallStore(path)

    async def two_models():
        for name in ("a", "b"):
            await StoredModel(store, ScriptedModel(lambda _: "{}", name), name).ask(request_)

    asyncio.run(two_models())
    store.close()
    with pytest.raises(ConfigError, match=r"replies of a, b; name one"):
        _ask(_config(path, "replay"), request_)
