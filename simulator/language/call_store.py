"""A record of every request and its reply, found again by content.

The key is a SHA-256 over everything that can change a reply: the model's name, the messages, the form asked for, every
sampling parameter, and a replicate number. The same question of one run therefore has one answer, and a run that is
replayed from the record is repeated exactly, at no cost, in whatever order its agents ask.

This is a cache beside the log, not a part of it: two columns, one statement each way, on the event loop. The
standard library's SQLite does that; SQLAlchemy stays with the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal
from weakref import WeakValueDictionary

from groundlings.environments.chat import ChatModel, ChatReply, ChatRequest, fingerprint_of
from groundlings.environments.cleaning import printable
from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError, UnanswerablePrompt, shown
from groundlings.simulator.language.late_replies import kept_if_late
from groundlings.simulator.language.setting_names import setting

Mode = Literal["record", "replay", "cache"]

_APPLICATION_ID = 0x47524E44  # "GRND"; SQLite keeps it in the file's header
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY,   -- SHA-256 of `request`
    prompt TEXT NOT NULL,   -- SHA-256 of its messages alone, to tell what a miss differs in
    request TEXT NOT NULL,  -- canonical JSON
    reply TEXT NOT NULL     -- JSON
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replies_by_prompt ON replies (prompt);
CREATE TABLE IF NOT EXISTS answered_by (
    model TEXT NOT NULL,  -- its name
    told TEXT NOT NULL,   -- what tells it from others of its name: where it is served, or a hash over its weights
    PRIMARY KEY (model, told)
) WITHOUT ROWID;
"""
_REPLY_FIELDS = frozenset(field.name for field in fields(ChatReply)) - {"from_store"}
_KINDS: Mapping[str, type | UnionType] = {
    **dict.fromkeys(("text", "model", "fingerprint", "finish_reason", "form"), str),
    **dict.fromkeys(("prompt_tokens", "cached_tokens", "completion_tokens", "attempts", "thought_characters"), int),
    "latency_seconds": int | float, "tokens_estimated": bool, "first_token": tuple,
}  # fmt: skip
_MOST = 10**12
"""Of a count in a record: many times what any reply takes."""
_REFUSAL = "unanswerable"
_LONGEST_EXCERPT = 120


class CallStore:
    """The file: opened once, closed by whoever opened it.

    Args:
        path: A SQLite file; it is made unless `writable` is off.
        writable: Whether replies may be added.

    Raises:
        DataError: The file is missing, damaged, or something else.
    """

    def __init__(self, path: Path, writable: bool = True) -> None:
        self.path = path
        if not writable and not path.is_file():
            raise DataError(f"{path}: there is no call store to replay; make one with mode: record")
        with self._named_faults():
            if writable:
                path.parent.mkdir(parents=True, exist_ok=True)
            address = f"{Path(os.path.realpath(path)).as_uri()}?mode={'rwc' if writable else 'ro'}"
            self._connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30.0)
            self._check_kind()
            if writable:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                self._connection.executescript(_SCHEMA)

    def get(self, key: str) -> ChatReply | None:
        """The reply of a request, None where it was never asked.

        Raises:
            UnanswerablePrompt: The model had refused it.
        """
        with self._named_faults():
            row = self._connection.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        try:
            kept = None if row is None else json.loads(row[0])
            if kept and _REFUSAL in kept:
                what, attempts = str(kept[_REFUSAL]), int(kept["attempts"])
                raise UnanswerablePrompt(
                    f"{self.path}: the model refused this prompt: {what}", what=what, attempts=attempts, from_store=True
                )
            return None if kept is None else _reply_of(kept)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as fault:
            raise DataError(
                f"{self.path}: the reply to request {key[:12]} is damaged ({printable(str(fault))}); "
                "restore the file from a copy"
            ) from None

    def put(self, key: str, request: str, reply: ChatReply) -> bool:
        """Note a reply; the first one noted for a request stays. Returns whether this is it."""
        return self._put(key, request, {name: value for name, value in asdict(reply).items() if name in _REPLY_FIELDS})

    def put_refusal(self, key: str, request: str, refusal: UnanswerablePrompt) -> None:
        """Note that the model refused a request for good: a replay is told the same."""
        self._put(key, request, {_REFUSAL: refusal.what, "attempts": refusal.attempts})

    def _put(self, key: str, request: str, kept: Mapping[str, Any]) -> bool:
        row = (key, _prompt_hash(request), request, json.dumps(kept))
        with self._named_faults():
            return self._connection.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?, ?)", row).rowcount == 1

    def alike(self, request: str) -> dict[str, Any] | None:
        """Some request with the same messages, None where there is none."""
        with self._named_faults():
            found = self._connection.execute(
                "SELECT request FROM replies WHERE prompt = ? LIMIT 1", (_prompt_hash(request),)
            ).fetchone()
        try:
            kept = None if found is None else json.loads(found[0])
        except (RecursionError, TypeError, ValueError):
            return None
        return kept if isinstance(kept, dict) else None

    def models(self) -> list[str]:
        """Names of the models that have answered."""
        with self._named_faults():
            query = "SELECT DISTINCT json_extract(request, '$.model') AS model FROM replies ORDER BY model"
            return [str(model) for (model,) in self._connection.execute(query)]

    def others_called(self, model: str, told: str) -> list[str]:
        """What tells others of a model's name that have answered from it; from now on it has answered, too.

        Args:
            model: Its name.
            told: What tells it from others: where it is served, or a hash over its weights.
        """
        with self._named_faults():
            query = "SELECT told FROM answered_by WHERE model = ? AND told <> ? ORDER BY told"
            others = [str(other) for (other,) in self._connection.execute(query, (model, told))]
            self._connection.execute("INSERT OR IGNORE INTO answered_by VALUES (?, ?)", (model, told))
        return others

    def __len__(self) -> int:
        with self._named_faults():
            return int(self._connection.execute("SELECT count(*) FROM replies").fetchone()[0])

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._connection.close()

    def _check_kind(self) -> None:
        self._connection.execute("PRAGMA trusted_schema = OFF")
        found = self._connection.execute("PRAGMA application_id").fetchone()[0]
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and found != _APPLICATION_ID:
            self._connection.close()
            raise DataError(f"{self.path}: a database, but not a call store of Groundlings; it was left as it is")
        foreign = self._connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY name"
        ).fetchone()
        if foreign:  # they would run whenever a reply is read or added
            self._connection.close()
            raise DataError(f"{self.path}: found the {foreign[0]} {foreign[1]}, which no call store has; drop it first")

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as fault:
            raise RunDirectoryError(
                f"{self.path}: the call store cannot be used ({fault}); see to disk and path"
            ) from None
        except (sqlite3.DatabaseError, UnicodeDecodeError) as fault:  # SQLite's own words repeat damaged names
            raise DataError(f"{self.path}: not a readable call store ({fault}); it was left as it is") from None
        except OSError as fault:
            raise RunDirectoryError(f"{self.path}: the call store cannot be made ({fault.strerror})") from None


class StoredModel:
    """Answers from a store what it can, and asks for the rest where that is allowed.

    The same request asked by two tasks at once goes out once. Make one with `open_stored`.

    Args:
        store: The record.
        model: Who is asked for what it does not hold; None in replay.
        name: The model's name, part of every key.
        replicate: Which repetition this is.
        settings: How the server is asked otherwise than it is by default, part of every key.
    """

    def __init__(
        self,
        store: CallStore,
        model: ChatModel | None,
        name: str,
        replicate: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._store = store
        self._model = model
        self._name = name
        self._replicate = replicate
        self._settings = settings or {}
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def name(self) -> str:
        """See `ChatModel.name`."""
        return self._name

    @property
    def model(self) -> ChatModel | None:
        """Who is asked for what the store does not hold."""
        return self._model

    @property
    def fingerprint(self) -> str:
        """See `Fingerprinted.fingerprint`: that of the model it asks."""
        return fingerprint_of(self._model) if self._model else self._name

    async def ask(self, request: ChatRequest) -> ChatReply:
        """See `ChatModel.ask`.

        Raises:
            DataError: In replay, the store does not hold this request.
            UnanswerablePrompt: The model refuses this prompt, or did when it was recorded.
        """
        text = self.canonical(request)
        key = hashlib.sha256(text.encode()).hexdigest()
        model = self._model
        return await self.kept_or(key, text, None if model is None else lambda: model.ask(request))

    def canonical(self, request: ChatRequest) -> str:
        """The text of a request in this store; its SHA-256 is the key."""
        return canonical(request, self._name, self._replicate, self._settings)

    async def kept_or(self, key: str, text: str, send: Callable[[], Awaitable[ChatReply]] | None) -> ChatReply:
        """The kept reply of a request; else it is sent, and what comes of it is kept.

        Args:
            key, text: From `canonical`.
            send: Sends it, and waits for the reply; None where nobody may be asked.

        Raises:
            DataError: It is not kept, and nobody may be asked.
            UnanswerablePrompt: As for `ask`.
        """
        async with self._asking.setdefault(key, asyncio.Lock()):
            if (kept := self._store.get(key)) is not None:
                return replace(kept, from_store=True)
            if send is None:
                raise DataError(_missing(self._store, text, key))
            try:
                reply = await kept_if_late(send, lambda late: self._store.put(key, text, late))
            except UnanswerablePrompt as refusal:
                self._store.put_refusal(key, text, refusal)
                raise
            # Another process may have been quicker; its reply is the one that a replay will find.
            return reply if self._store.put(key, text, reply) else self._store.get(key) or reply

    async def close(self) -> None:
        """See `ChatModel.close`."""
        self._store.close()
        if self._model is not None:
            await self._model.close()


def canonical(request: ChatRequest, model: str, replicate: int = 0, settings: Mapping[str, Any] | None = None) -> str:
    """The JSON text of all that can change a reply.

    The schema stands in it as text: the order of its keys is the order of the reply's keys, so sorting would lose it.
    """
    content = {
        "model": model,
        "messages": [[message.role, message.content] for message in request.messages],
        "schema": json.dumps(request.reply_schema, ensure_ascii=False),
        "max_tokens": request.max_tokens,
        "temperature": float(request.temperature),
        "seed": request.seed,
        "answers": list(request.answers),
        "replicate": replicate,
        **({"settings": settings} if settings else {}),
    }
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def replay_name(store: CallStore, wanted: str | None, key: str = "mind.model") -> str:
    """Whose replies are replayed: the model that was named as `key`.model, else the only one in the store."""
    held = store.models()
    if wanted is not None:
        return wanted
    if len(held) != 1:
        raise ConfigError(
            f"{store.path}: holds replies of {', '.join(held) or 'no model'}; name one of them as "
            f"{setting(key, 'model')}"
        )
    return held[0]


def refuse_used(store: CallStore) -> None:
    """Raise `ConfigError` where a new record would be mixed with an older one."""
    if len(store):
        raise ConfigError(
            f"{store.path}: holds {len(store):,} replies already, and mode: record begins a new file; choose another "
            f"path, mode: replay to repeat that run, or mode: cache to ask only for what is missing"
        )


def _missing(store: CallStore, text: str, key: str) -> str:
    """What a replay lacks, and what comes nearest to it."""
    alike, asked = store.alike(text), json.loads(text)
    if alike is None:
        last = " ".join(asked["messages"][-1][1].split())[-_LONGEST_EXCERPT:]
        why = f"no request with these messages is in it (the last one ends: {last!r})"
    else:
        other = [
            f"{name} {alike.get(name)!r} (now {asked[name]!r})" for name in asked if asked[name] != alike.get(name)
        ]
        why = f"these messages were recorded with {', '.join(other)}"
    return (
        f"{store.path}: holds no reply to request {key[:12]} of {asked['model']} with seed {asked['seed']}: "
        f"{why}. The experiment is not the one that was recorded; mode: cache asks for what is missing"
    )


def _prompt_hash(request: str) -> str:
    return hashlib.sha256(json.dumps(json.loads(request)["messages"]).encode()).hexdigest()


def _reply_of(kept: dict[str, Any]) -> ChatReply:
    known = {name: value for name, value in kept.items() if name in _REPLY_FIELDS}
    known["first_token"] = tuple((str(token), float(log)) for token, log in known.get("first_token", ()))
    reply = ChatReply(**known)
    for name in _REPLY_FIELDS:
        value, usual = getattr(reply, name), _KINDS[name]
        if not isinstance(value, usual) or (isinstance(value, int | float) and not abs(value) <= _MOST):
            raise ValueError(f"{name} is {shown(value)}")
    return reply
