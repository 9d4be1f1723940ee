"""Lost pages in figures and words: how many, why, and what to do about it.

A page is lost where no reply came that could be read (`unreadable`), or where the model's server refuses the question
for good (`unanswerable`). Nothing is known of it but what was shown. The reason is read off the log: the status of the
call behind it, why the model stopped, and what it said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from groundlings.environments.chat import ran_out_of_tokens
from groundlings.environments.cleaning import printable
from groundlings.simulator.language.provider_words import tells_of_length
from groundlings.simulator.language.thinking import begins_thinking, without_thinking
from groundlings.simulator.language.withheld import WITHHELD_TEXT
from groundlings.simulator.lost_pages import MAX_UNREADABLE

if TYPE_CHECKING:
    import pandas as pd

    from groundlings.simulator.log.reader import LogReader

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")
_WITHHELD = "withheld: it repeats the key"
_LONGEST_WORDS = 100
_MOST_CAUSES = 4

_MORE_TOKENS = "raise {model}.max_tokens, or switch the model's thinking off"
_ADVICE = {
    "length": "raise {model}.max_tokens",
    "thoughts": _MORE_TOKENS,
    "refused": "the server refuses what these {pages} show or ask: choose another model, or leave those items out",
    "too_long": "let {pages} hold less (site.page_size, a shorter memory), or have the server take longer prompts",
    "thinking": "have the thinking cut off ({model}.thinking: strip), or switch it off at the server",
    "empty": "ask the server why with groundlings model check, or choose another model",
    "form": "have the form enforced ({model}.structured: json_schema or grammar), or choose another model",
    "json_schema": "the server takes a JSON schema and does not keep to it: try {model}.structured: grammar, or "
    "choose another model",
    "grammar": "the server takes a grammar and does not keep to it: try {model}.structured: json_schema, or choose "
    "another model",
    "long": "see why the server sends more than max_tokens allows, or raise {model}.max_reply_bytes",
    "odds": "choose a server that gives log probabilities of whole answers, or decision: verdict",
    "thoughts_first": "switch the model's thinking off ({model}.extra_body), or choose decision: verdict",
    "key": "the server repeats your key in its replies: change it, and use another server",
    "": "see the events and calls of these {pages} in the log",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why pages are lost, or lessons.

    Attributes:
        name: In words, without a count.
        pages: How many.
        advice: What to do.
        example: A server's words about one of the pages, "" where it gave none.
    """

    name: str
    pages: int
    advice: str
    example: str = ""

    def counted(self) -> str:
        """The reason with its count, and the example."""
        return f"{self.name} {self.pages:,}" + (f' ("{self.example}")' if self.example else "")


@dataclass(frozen=True, slots=True)
class LostPages:
    """What is not known of a run, or of one of its arms.

    Attributes:
        pages: Pages that a mind was asked about.
        unreadable: Those whose reply could not be read.
        unanswerable: Those whose question the server refuses for good.
        causes: Of both, the most frequent first.
        noun: What stands for a page in sentences: "replies" where each page is one reply, else "pages".
    """

    pages: int = 0
    unreadable: int = 0
    unanswerable: int = 0
    causes: tuple[Cause, ...] = ()
    noun: str = "pages"

    @property
    def lost(self) -> int:
        """Of both kinds."""
        return self.unreadable + self.unanswerable

    @property
    def share(self) -> float:
        """Of the pages, 0 where there is none."""
        return self.lost / self.pages if self.pages else 0.0

    @property
    def nothing_read(self) -> bool:
        """Whether all that was asked is lost."""
        return 0 < self.pages == self.lost

    def counted(self) -> str:
        """How many are lost, in words: "12 of 12 replies unreadable"."""
        return counted(self.unreadable, self.unanswerable, self.pages, self.noun)

    def sentence(self) -> str:
        """How many are lost, why, and what to do; "" where none is."""
        return explained(self.counted(), self.causes) if self.lost else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        causes = [asdict(cause) for cause in self.causes]
        counts = {"pages": self.pages, "unreadable": self.unreadable, "unanswerable": self.unanswerable}
        return {**counts, "share": self.share if self.pages else None, "causes": causes, "in_words": self.sentence()}


def counted(unreadable: int, unanswerable: int, whole: int, noun: str) -> str:
    """How many of a whole are lost, in words: "12 of 12 replies unreadable"."""
    kinds = {"unreadable": unreadable, "unanswerable": unanswerable}
    found = [(number, kind) for kind, number in kinds.items() if number] or [(0, "unreadable")]
    return " and ".join(f"{number:,} of {whole:,} {noun} {kind}" for number, kind in found)


def explained(said: str, causes: Sequence[Cause]) -> str:
    """A count in words with its most frequent causes, and what to do about them; alone where there is none."""
    if not causes:
        return said
    shown, rest = causes[:_MOST_CAUSES], causes[_MOST_CAUSES:]
    named = [cause.counted() for cause in shown]
    if rest:
        named.append(f"other {sum(cause.pages for cause in rest):,}")
    advice = "; ".join(dict.fromkeys(cause.advice for cause in shown))
    return f"{said}: {', '.join(named)}; {advice}"


def read_lost(
    log: LogReader, arm_ids: Iterable[int], mind: Mapping[str, Any], model: str = "mind.model"
) -> dict[int, LostPages]:
    """The lost pages of each arm.

    Args:
        log: The run's.
        arm_ids: The arms wanted.
        mind: `runs.mind`.
        model: Key path of the model that was asked.
    """
    one_each = mind.get("kind") == "language" and dict(mind.get("options") or {}).get("decision") == "verdict"
    noun = "replies" if one_each else "pages"
    frame = log.lost_pages() if any(log.events_by_kind(("unreadable", "unanswerable")).values()) else None
    pages, found = log.pages_by_arm(), {}
    for arm_id in arm_ids:
        rows = [] if frame is None else _records(frame[frame.arm_id == arm_id])
        refused = sum(row["kind"] == "unanswerable" for row in rows)
        causes = merged([cause_of(row, model) for row in rows])
        found[arm_id] = LostPages(pages.get(arm_id, 0), len(rows) - refused, refused, causes, noun)
    return found


def altogether(parts: Sequence[LostPages]) -> LostPages:
    """The lost pages of several arms."""
    return LostPages(
        sum(part.pages for part in parts),
        sum(part.unreadable for part in parts),
        sum(part.unanswerable for part in parts),
        merged([cause for part in parts for cause in part.causes]),
        parts[0].noun if parts else "pages",
    )


def limit_of(config: Mapping[str, Any]) -> float:
    """The share of lost pages that a run allows, from its configuration as plain values."""
    mind = config.get("mind")
    given: Mapping[str, Any] = mind if isinstance(mind, Mapping) else {"kind": mind}
    # Runs of then do not say; a script loses pages on purpose.
    return float(given.get("max_unreadable", 1.0 if given.get("kind") == "scripted" else MAX_UNREADABLE))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    cells = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in cells.to_dict("records")]


def merged(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Those of one name as one, the most frequent first; its example is the first in the log."""
    found: dict[str, Cause] = {}
    for cause in causes:
        known = found.get(cause.name)
        found[cause.name] = cause if known is None else replace(known, pages=known.pages + cause.pages)
    return tuple(sorted(found.values(), key=lambda cause: (-cause.pages, cause.name)))


def cause_of(row: Mapping[str, Any], model: str = "mind.model", pages: str = "pages") -> Cause:
    """Why one page is lost, or one lesson.

    Args:
        row: As `LogReader.lost_pages` and `lost_lessons` have them.
        model: Key path of the model that was asked.
        pages: What is lost, in the plural.
    """
    name, advice, words = "refused by the server", "refused", ""
    if row["kind"] == "unanswerable":
        said = " ".join(str(row.get("detail") or "").split())
        words = printable(said, limit=_LONGEST_WORDS)
        if tells_of_length(said):
            name, advice = "too long for the server", "too_long"
    else:
        name, advice = _unreadable(row)
    return Cause(name, 1, _ADVICE[advice].format(model=model, pages=pages), words)


def _unreadable(row: Mapping[str, Any]) -> tuple[str, str]:
    """Why a reply could not be read, and the key of what to do."""
    if row["status"] is None:
        return "no failed call in the log", ""
    reply, stopped = str(row["reply"] or ""), str(row["finish_reason"] or "")
    if _WITHHELD in reply:
        return "key withheld", "key"
    if reply.startswith(WITHHELD_TEXT):
        return "longer than is read", "long"
    form = str(row["form"]) if row["form"] in ("json_schema", "grammar") else "form"
    if row.get("first_token") is not None or row["form"] == "answers":
        if _begins_thinking(row.get("first_token")):
            return "thinking in the place of an answer", "thoughts_first"
        return "no probability of an answer in the reply", "odds"
    thoughts, cut_off = int(row["thought_characters"] or 0) > 0, ran_out_of_tokens(stopped)
    empty = not reply.strip()
    if empty:
        why = f", finish_reason {stopped}" if _WORD.fullmatch(stopped) else ""
        return f"empty content{why}", "thoughts" if thoughts or cut_off else "empty"
    if cut_off:
        return f"finish_reason {stopped}", "thoughts" if thoughts or _thinks(reply) else "length"
    if stopped not in ("", "stop") and _WORD.fullmatch(stopped):
        return f"finish_reason {stopped}", "refused" if "filter" in stopped else form
    if _thinks(reply):
        return "thinking in the reply", "thinking"
    return ("not the form asked for" if _is_json(reply) else "not JSON"), form


def _begins_thinking(listed: Any) -> bool:
    """Whether the first of the alternatives of a token that the log has is one that thinking begins with."""
    try:
        return begins_thinking(str(json.loads(str(listed))[0][0]))
    except (ValueError, LookupError, TypeError):
        return False


def _thinks(reply: str) -> bool:
    return without_thinking(reply) != reply


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
