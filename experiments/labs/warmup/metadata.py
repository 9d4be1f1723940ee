"""Let a language model write a line about items that have none, marked as generated, and measure what that changes.

Acharya, Singh and Onoe 2023, "LLM based generation of item-description for recommendation system" (RecSys): written
descriptions did about as well as collected ones there. Here the judgement is fitted once with and once without the
written texts, on the same split, and both results are recorded. Every call is kept in `metadata.jsonl`; the texts are
not added to the data set or the log.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatModel, Sampling, fingerprint_of
from groundlings.environments.errors import UnreadableReply
from groundlings.environments.random_streams import Draws
from groundlings.environments.replies import read_json
from groundlings.environments.words import plural
from groundlings.experiments.archive.directory import write_text
from groundlings.experiments.labs.unreadable_answers import refuse_unreadable
from groundlings.experiments.labs.warmup.config import MetadataConfig
from groundlings.experiments.labs.warmup.replicate import Trial
from groundlings.experiments.running.events import SILENT, Note, Progress, on_download, on_note
from groundlings.personas.minds.language.ask import Asker, Question
from groundlings.personas.minds.language.text import item_line
from groundlings.personas.prompts import load_prompt
from groundlings.simulator.language.build import build_chat_model

PROMPT = load_prompt("metadata")
FILE_NAME = "metadata.jsonl"

_WORDS, _TITLE_CHARACTERS, _TOKENS, _REASKS = 25, 80, 80, 1
_SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 300}},
    "required": ["text"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Written:
    """What a model wrote about one item.

    Attributes:
        item: Its row in the catalog.
        item_id: The data set's own id.
        text: None where no reply could be read.
        model, fingerprint, template, prompt_hash: The model and the prompt.
        tokens: Prompt and completion tokens, repeated questions included.
        tokens_estimated: Whether some of them are estimates, because the server gave no believable counts.
        generated: Always true: the text is not from a source.
    """

    item: int
    item_id: str
    text: str | None
    model: str
    fingerprint: str
    template: str
    prompt_hash: str
    tokens: int
    tokens_estimated: bool = False
    generated: bool = True


def write_metadata(trial: Trial, options: MetadataConfig, progress: Progress = SILENT) -> list[Written]:
    """Texts for items without one, a new item and an old one in turn, the old ones in random order.

    Raises:
        UserError: The model cannot be asked.
        TooMuchUnreadable: More texts cannot be read than `max_unreadable` allows.
    """
    catalog = trial.dataset.catalog
    # In turn: a word helps only if a new item shares it with an old one. The old items are drawn at random; otherwise
    # having a text would carry information about them.
    old = trial.chance_of("metadata").permutation(np.flatnonzero(trial.split.train.item_counts))
    order = [item for pair in zip_longest(trial.split.new.tolist(), old.tolist()) for item in pair if item is not None]
    wanted = [item for item in order if not catalog.texts[item]][: options.items]

    async def written() -> list[Written]:
        model = await build_chat_model(
            options.model,
            on_download(progress),
            base=trial.config.base,
            key="metadata.model",
            tell=on_note(progress),
        )
        try:
            progress.event(Note(f"metadata: {model.name} writes about {plural(len(wanted), 'item')}"))
            asked = options.model
            tokens = asked.max_tokens if "max_tokens" in asked.model_fields_set else _TOKENS
            asker = Asker(model, Sampling(0.0, tokens), _REASKS)
            found: list[Written] = []
            for item in wanted:
                found.append(await _write(asker, model, catalog, item, trial.config.seed))
                _refuse_unreadable(found, options, whole=len(found) == len(wanted))
            if unreadable := sum(each.text is None for each in found):
                progress.event(Note(f"metadata: {unreadable:,} of {plural(len(found), 'text')} could not be read"))
            return found
        finally:
            await model.close()

    return asyncio.run(written())


def with_texts(catalog: Catalog, written: Sequence[Written]) -> Catalog:
    """The catalog with the written texts for items that had none."""
    texts = list(catalog.texts)
    for each in written:
        texts[each.item] = texts[each.item] or each.text
    return replace(catalog, texts=tuple(texts))


def keep(written: Sequence[Written], directory: Path) -> None:
    """Write one line per item into a run's directory."""
    write_text(directory / FILE_NAME, "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in written))


def describe(written: Sequence[Written]) -> dict[str, Any]:
    """Numbers of items, readable texts and tokens; plain JSON values."""
    readable = sum(each.text is not None for each in written)
    model = written[0].model if written else ""
    return {
        "model": model,
        "items": len(written),
        "readable": readable,
        "tokens": sum(each.tokens for each in written),
        "items_with_estimated_tokens": sum(each.tokens_estimated for each in written),
    }


def _refuse_unreadable(written: Sequence[Written], options: MetadataConfig, *, whole: bool) -> None:
    """Raise `TooMuchUnreadable` where too many texts cannot be read."""
    unreadable = sum(each.text is None for each in written)
    refuse_unreadable(unreadable, len(written), options.max_unreadable, whole=whole, key="metadata")


async def _write(asker: Asker, model: ChatModel, catalog: Catalog, item: int, seed: int) -> Written:
    shown = item_line(catalog[item], _TITLE_CHARACTERS, 0)
    people: IntArray = np.zeros(1, dtype=np.int64)
    question = Question(
        prompt=PROMPT,
        shared=PROMPT.fill("shared", things="items", words=_WORDS),
        told=PROMPT.fill("ask", item=shown),
        schema=_SCHEMA,
        draws=Draws.for_sessions(seed, people, 0),
        purpose="metadata",
        number=item,
    )
    text, calls = await asker.ask(question, _read)
    last: CallRecord = calls[-1]
    return Written(
        item, catalog.item_ids[item], text, last.reply.model, fingerprint_of(model), last.template, last.prompt_hash,
        sum(call.reply.prompt_tokens + call.reply.completion_tokens for call in calls),
        any(call.reply.tokens_estimated for call in calls),
    )  # fmt: skip


def _read(reply: str) -> str:
    content = read_json(reply)
    text = content.get("text") if isinstance(content, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise UnreadableReply('expected {"text": "..."} with words in it')
    return " ".join(text.split())
