"""What `/models` says of a server, in the ways in which servers say it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from groundlings.environments.errors import ConfigError
from groundlings.simulator.language.faults import BadStatus, GarbledReply
from groundlings.simulator.language.key_echoes import KeyEchoes
from groundlings.simulator.language.reply_numbers import name_in
from groundlings.simulator.language.request_body import Dialect
from groundlings.simulator.language.setting_names import setting

_KEEPS_NO_LIST = frozenset({400, 403, 404, 405, 406, 410, 422, 500, 501})
"""Statuses at which nobody but the list is missing: a busy server or one that does not know the key says otherwise."""

_MOST_NAMES = 10_000
"""Names that are kept of a list: many times what any provider serves."""

_SHOWN_NAMES = 50


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server said of itself at first contact.

    Attributes:
        models: The names it serves, none where it keeps no list.
        dialect: Whose way of taking a grammar it understands.
        no_list: Why there is no list, "" where there is one.
    """

    models: tuple[str, ...]
    dialect: Dialect
    no_list: str = ""


def capabilities_in(content: str, echoes: KeyEchoes) -> Capabilities:
    """What the answer of `/models` tells: `{"data": [...]}`, `{"models": [...]}` or the list alone.

    Args:
        content: The answer.
        echoes: Finds the key, which no name is to hold.

    Raises:
        GarbledReply: No list of models.
    """
    try:
        body = json.loads(content.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        page = ", an HTML page" if content.lstrip()[:1] == "<" else ""
        raise GarbledReply(f"{len(content)} characters that are not JSON{page}") from None
    served = body.get("data", body.get("models")) if isinstance(body, dict) else body
    if not isinstance(served, list) or not all(isinstance(each, dict | str) for each in served):
        raise GarbledReply("JSON without a list in data")
    owners = [each.get("owned_by") for each in served if isinstance(each, dict)]
    dialect: Dialect = "llamacpp" if "llamacpp" in owners else "vllm" if "vllm" in owners else "other"
    return Capabilities(tuple(echoes.without(_name(each)) for each in served[:_MOST_NAMES]), dialect)


def names_of(models: Sequence[str]) -> str:
    """The models of a list in words: the first ones, and how many there are besides."""
    more = len(models) - _SHOWN_NAMES
    return (", ".join(models[:_SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")) or "none"


def keeps_no_list(error: BadStatus | GarbledReply) -> bool:
    """Whether a server that answers `/models` so may well answer questions."""
    return isinstance(error, GarbledReply) or error.status in _KEEPS_NO_LIST


def only_model(found: Capabilities, base_url: str, key: str = "mind.model") -> str:
    """The one model that is served; `key` is where the configuration stands in its file.

    Raises:
        ConfigError: None is served, or several.
    """
    if len(found.models) != 1:
        why = f"gives no list of models ({found.no_list})" if found.no_list else "serves"
        listed = "" if found.no_list else f" {names_of(found.models)}"
        raise ConfigError(
            f"model: none was named, and {base_url}, asked for /models, {why}{listed}; name one as "
            f"{setting(key, 'model')}"
        )
    return found.models[0]


def _name(model: dict[str, object] | str) -> str:
    return name_in(model if isinstance(model, str) else model.get("id") or model.get("name"))
