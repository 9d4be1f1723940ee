"""A language model of a run, open until the run ends."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from groundlings.environments.chat import ChatModel
from groundlings.experiments.running.events import Progress, on_download, on_note
from groundlings.simulator.language.budget import Spent
from groundlings.simulator.language.config import ModelConfig


async def opened_model(
    asked: ModelConfig,
    key: str,
    base: Path,
    stack: AsyncExitStack,
    progress: Progress,
    spent: Spent,
    forms: frozenset[str],
) -> ChatModel:
    """An opened language model; closing the stack closes it.

    Args:
        asked: Its configuration.
        key: Where that stands in the experiment file, for messages.
        base: Directory that its paths start from.
        stack: Whoever closes it.
        progress: Told of downloads, and of what the model's server does not take.
        spent: What an interrupted run has spent already.
        forms: Forms of requests that its server refused before.
    """
    from groundlings.simulator.language.build import build_chat_model

    model = await build_chat_model(
        asked,
        on_download(progress),
        base=base,
        spent=spent,
        key=key,
        forms_so_far=forms,
        tell=on_note(progress),
    )
    stack.push_async_callback(model.close)
    return model
