"""The tasks of tau-Rec as they are, its site tools, and its policies.

Narasimhan and Narasimhan 2026, "tau-Rec: A Verifiable Benchmark for Agentic Recommender Systems" (arXiv:2606.10156);
the data are CC BY 4.0. A directory holds `catalog.json` and `tasks/*.json`. Its user is a language model; ours follows
the same rules by code (`groundlings.personas.conversation`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from groundlings.environments.arrays import FloatArray
from groundlings.environments.bounded_files import bounded_text
from groundlings.environments.conversation.attributes import SEVERAL, Attributes, Cell, Requirement
from groundlings.environments.errors import DataError, UnreadableReply, in_words, shown
from groundlings.environments.replies import read_plain_json
from groundlings.personas.conversation.need import Need, Wish

QUESTIONS = ("streaming_services", "genres", "runtime", "rating", "content_rating", "year", "director", "cast")
"""Fields that people have wishes about. What is left of the catalogue is prose, bookkeeping, or nobody's to ask."""

POLICIES = ("watch_history", "sponsored", "age_restricted", "availability", "single_recommendation", "transparency",
            "recommend_tool")  # fmt: skip
"""The seven policies by their flags in the tasks."""

RESTRICTED = frozenset({"R", "NC-17"})
"""Ratings that policy 3 calls restricted."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        task_id: Its id.
        need: What its user wants.
        unanswerable: Whether nothing meets the need, so that abstaining is right.
        flags: The policies that are checked in it.
        watched: Ids of what the user has watched.
        services: What the user can watch on; every service if empty.
    """

    task_id: str
    need: Need
    unanswerable: bool
    flags: tuple[str, ...]
    watched: frozenset[str]
    services: tuple[str, ...]


@dataclass(frozen=True)
class Tasks:
    """All tasks, and the catalogue that they are about.

    Attributes:
        attributes: The catalogue.
        popularity: Votes of each item, shape (n_items,).
        sponsored: Ids of sponsored items.
        tasks: By id.
    """

    attributes: Attributes
    popularity: FloatArray
    sponsored: frozenset[str]
    tasks: tuple[Task, ...]


@dataclass
class TauRecTools:
    """The tools of the site: `get_user_history`, `check_content_preference`, and what the catalogue says.

    Attributes:
        history_read: Whether the history was asked for.
        checked: Ratings that were checked.
    """

    tasks: Tasks
    task: Task
    history_read: bool = False
    checked: set[str] = field(default_factory=set)

    def history(self) -> frozenset[str]:
        """Ids of what the user has watched."""
        self.history_read = True
        return self.task.watched

    def must_confirm(self, item: str) -> bool:
        """Whether the rating of an item is restricted."""
        rating = rating_of(self.tasks, item)
        self.checked.add(rating)
        return rating in RESTRICTED

    def notice(self, item: str) -> str:
        """The disclosure that policy 2 asks for."""
        return "Note: this is sponsored." if item in self.tasks.sponsored else ""


def rating_of(tasks: Tasks, item: str) -> str:
    """The age class of an item; empty where unknown."""
    return str(tasks.attributes.fields["content_rating"][tasks.attributes.rows[item]] or "")


def read_tasks(directory: Path) -> Tasks:
    """The tasks of a directory.

    Raises:
        DataError: Something is missing, is no JSON, or asks for what the catalogue does not have.
    """
    home = directory / "data" if (directory / "data" / "catalog.json").exists() else directory
    catalog = _json(home / "catalog.json")
    files = sorted((home / "tasks").glob("*.json"))
    if not files:
        raise DataError(f"{home / 'tasks'}: found no task; expected files such as task_001.json")
    try:
        attributes = _attributes(_listed(catalog, dict, "items"))
        votes = np.array([float(item["vote_count"]) for item in catalog])
        sponsored = frozenset(item["id"] for item in catalog if _flag(item["sponsored"], "sponsored"))
    except (KeyError, TypeError, ValueError, OverflowError) as fault:
        raise DataError(f"{home / 'catalog.json'}: found no catalogue of tau-Rec ({in_words(fault)})") from None
    return Tasks(attributes, votes, sponsored, tuple(_task(file, attributes) for file in files))


def _attributes(catalog: Sequence[Mapping[str, Any]]) -> Attributes:
    def cell(item: Mapping[str, Any], name: str) -> Cell:
        if name == "year":
            return float(item["release_date"][:4]) if item["release_date"] else None
        value = item[name]
        if isinstance(value, list):
            return _listed(value, str, name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool | dict) or not math.isfinite(value):
            raise ValueError(f"{name}: found {shown(value)}; expected a number, a text or a list of texts")
        return float(value)

    ids = _listed([item["id"] for item in catalog], str, "id")
    if not ids or len(set(ids)) < len(ids):
        raise ValueError("expected items, each with an id of its own")
    fields = {name: [cell(item, name) for item in catalog] for name in QUESTIONS}
    return Attributes(ids, _listed([item["title"] for item in catalog], str, "title"), fields)


def _task(file: Path, attributes: Attributes) -> Task:
    found = _json(file)
    try:
        wishes = [_wish(each) for each in _listed(found["constraints"], dict, "constraints")]
        services = _listed(found["user_services"], str, "user_services")
        if services:  # told when asked for; the user trusts the site to have looked, as tau-Rec's prompt has it
            told = Requirement("streaming_services", "contains_any", services)
            wishes.append(Wish(told, "on_ask", judged=False))
        watched = frozenset(_listed(found["user_history"][found["user_id"]]["watched"], str, "watched"))
        need = Need.of(wishes, attributes)
        flags = _listed(found["policy_flags"], str, "policy_flags")
        unanswerable = _flag(found["no_valid_recommendation"], "no_valid_recommendation")
    except (KeyError, TypeError, ValueError) as fault:
        raise DataError(f"{file}: found no task of tau-Rec ({in_words(fault)})") from None
    except DataError as fault:
        raise DataError(f"{file}: {fault}") from None
    if unknown := set(flags) - set(POLICIES):
        raise DataError(f"{file}: found policy {shown(min(unknown))}; expected {', '.join(POLICIES)}")
    if unanswerable and need.suitable.any():
        raise DataError(f"{file}: no recommendation is said to be valid; found {need.suitable.sum()} suitable items")
    if not (unanswerable or need.suitable.any()):
        raise DataError(
            f"{file}: no item meets the constraints, so that no system could; expected one, or no_valid_recommendation"
        )
    return Task(file.stem, need, unanswerable, flags, watched, services)


def _wish(found: Mapping[str, Any]) -> Wish:
    constraint = found["constraint"]
    value = constraint["value"]
    if constraint["op"] in SEVERAL:
        value = _listed(value, str, "value")
    return Wish(Requirement(constraint["field"], constraint["op"], value), found["reveal"])


def _listed(found: Any, kind: type, name: str) -> tuple[Any, ...]:
    """A list of one kind of values; a text is none, though it could be taken apart into letters."""
    if not isinstance(found, list) or not all(isinstance(each, kind) for each in found):
        raise TypeError(f"{name}: found {shown(found)}; expected a list of {kind.__name__}")
    return tuple(found)


def _flag(found: Any, name: str) -> bool:
    if not isinstance(found, bool):
        raise TypeError(f"{name}: found {shown(found)}; expected true or false")
    return found


def _json(file: Path) -> Any:
    try:
        return read_plain_json(bounded_text(file))
    except OSError as fault:
        raise DataError(f"{file}: found no file ({fault.strerror}); expected the data of tau-Rec") from None
    except (ValueError, UnreadableReply) as fault:
        raise DataError(f"{file}: found no JSON ({fault})") from None
