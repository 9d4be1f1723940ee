"""Rows of `calls`: everything that agents and recommenders asked a language model, in the order of asking."""

from __future__ import annotations

import json
import math
from typing import Any

from groundlings.environments.chat import CallRecord, ChatReply
from groundlings.simulator.log.columns import Row
from groundlings.simulator.session import CohortRecord

_RECOMMENDER, _AGENT = 0, 1
_ASKED_BY = ("recommender", "agent")


def calls_in_order(record: CohortRecord) -> list[tuple[int, int, int, CallRecord]]:
    """Session, page, who asked (a recommender before the agent sees the page) and call, in the order of asking.

    What an agent asked after its session comes last.
    """
    found = [(call.row, page, _RECOMMENDER, call) for page, call in record.asked]
    found += [
        (int(logged.turn.rows[call.row]), logged.turn.page.number, _AGENT, call)
        for logged in record.turns
        for call in logged.calls
    ]
    found += [(call.row, int(record.pages[call.row]), _AGENT, call) for call in record.afterthoughts.calls]
    found.sort(key=lambda each: each[:3])
    return found


def call_rows(
    found: list[tuple[int, int, int, CallRecord]], first_call: int, first_session: int, first_arm: int
) -> list[Row]:
    """One row per call, numbered from `first_call`; its session counts from `first_session`, its team from the arms."""
    return [
        (
            first_call + number,
            first_session + session,
            page,
            *_call(call),
            _ASKED_BY[asker],
            *_about_reply(call.reply),
            None if call.team < 0 else first_arm + call.team,
        )
        for number, (session, page, asker, call) in enumerate(found)
    ]


def call_cells(call: CallRecord) -> tuple[Any, ...]:
    """What a row of `lessons` holds of a call: the cells of one of `calls`, without alternatives of the first token."""
    return (*_call(call)[:-1], *_about_reply(call.reply))


def _call(call: CallRecord) -> tuple[Any, ...]:
    request, reply = call.request, call.reply
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return (
        call.template,
        call.prompt_hash,
        reply.model,
        reply.fingerprint,
        request.temperature,
        request.seed,
        call.status,
        reply.attempts,
        reply.from_store,
        reply.prompt_tokens,
        reply.cached_tokens,
        reply.completion_tokens,
        reply.latency_seconds,
        _json(messages),
        reply.text,
        _json(known_odds(reply)) if reply.first_token else None,
    )


def known_odds(reply: ChatReply) -> list[tuple[str, float | None]]:
    """What could have been the first token; a log probability that is not known is null, for which JSON has a word."""
    return [(token, log if math.isfinite(log) else None) for token, log in reply.first_token]


def _about_reply(reply: ChatReply) -> tuple[Any, ...]:
    return reply.finish_reason or None, reply.form or None, reply.tokens_estimated, reply.thought_characters


_json = json.JSONEncoder(ensure_ascii=False).encode
