"""The names of before 0.2, when the five folders were five packages: they still work, for one version.

`recommenders.popular:PopularRecommender` in a YAML file is read as
`groundlings.recommenders.popular:PopularRecommender`, with a line that says so. A file of your own that imports
`recommenders.base` cannot be helped in this way, because that name may now be somebody else's; the message says what
to write. Attributes of today's objects that had another name are found under both, with a `DeprecationWarning`.
"""

from __future__ import annotations

import re
import sys
import traceback
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar

_RENAMED = {
    "environments": {
        "draws": "random_streams",
        "site": "feed",
        "visits": "sessions",
    },
    "personas": {
        "evidence": "taste.features",
        "measured": "taste.training_data",
        "labels": "taste.negative_sampling",
        "stars": "taste.star_model",
        "star_evidence": "taste.star_features",
        "regression": "taste.regression",
        "table": "taste.row_cache",
        "new_items": "taste.cold_start",
        "calibration": "taste.calibration",
        "calibration_fit": "taste.calibration_fit",
        "co_occurrence": "taste.co_occurrence",
        "content_taste": "taste.content",
        "taste": "taste.model",
        "taste_weights": "taste.weights",
        "grounding": "held_out_replay",
        "minds.browsing": "minds.click_model",
        "minds.language": "minds.language.mind",
        "minds.language_asking": "minds.language.ask",
        "minds.language_config": "minds.language.config",
        "minds.language_form": "minds.language.reply_schema",
        "minds.language_graded": "minds.language.logprob_decision",
        "minds.language_lines": "minds.language.lines",
        "minds.language_looking_back": "minds.language.reflection",
        "minds.language_mood": "minds.language.mood",
        "minds.language_portrait": "minds.language.portrait",
        "minds.language_text": "minds.language.text",
        "minds.language_verdict": "minds.language.verdict",
        "minds.language_view": "minds.language.prompt_rendering",
    },
    "simulator": {
        "world": "arm",
        "model": "session_schedule",
        "past": "resume_state",
        "log.blocks": "log.row_layout",
        "log.slots": "log.impression_columns",
        "log.inner_life": "log.agent_state_rows",
        "log.progress": "log.resume_reader",
        "log.damage": "log.integrity",
        "language.wire": "language.http_client",
        "language.pace": "language.rate_limit",
        "language.guard": "language.remote_guard",
        "language.secrecy": "language.key_redaction",
        "language.reencode": "language.weight_encoding",
        "language.grammar": "language.gbnf",
        "language.store": "language.call_store",
    },
    "experiments": {
        "config": "config.schema",
        "loading": "config.loading",
        "reference": "config.reference",
        "designs": "config.designs",
        "cells": "config.variants",
        "plan": "running.plan",
        "run": "running.run",
        "matrix": "running.replicates",
        "loops": "running.event_loop",
        "estimate": "running.cost",
        "calibrating": "running.calibration",
        "directory": "archive.directory",
        "runs": "archive.inventory",
        "damage": "archive.integrity",
        "story": "archive.agent_history",
        "origin": "archive.provenance",
        "metrics": "analysis.metrics",
        "comparison": "analysis.comparison",
        "comparison.luck": "analysis.comparison.control_variate",
        "comparison.gate": "analysis.comparison.fidelity_gate",
        "comparison.findings": "analysis.comparison.effects",
        "comparison.headline": "analysis.comparison.primary_effect",
        "report": "analysis.report",
        "report.canvas": "analysis.report.svg",
        "report.wording": "analysis.report.formatting",
        "report.verdict_words": "analysis.report.verdict_sentences",
        "compare": "analysis.compare",
        "fidelity": "labs.fidelity",
        "fidelity.visits": "labs.fidelity.sessions",
        "fidelity.deciding": "labs.fidelity.thresholds",
        "fidelity.words": "labs.fidelity.sentences",
        "warmup": "labs.warmup",
        "warmup.casting": "labs.warmup.user_selection",
        "warmup.meeting": "labs.warmup.exposure",
        "warmup.choice": "labs.warmup.selection_quality",
        "warmup.trial": "labs.warmup.replicate",
        "warmup.words": "labs.warmup.sentences",
        "cli": "cli.main",
        "cli_agent": "cli.agent",
        "cli_calibrate": "cli.calibrate",
        "cli_compare": "cli.compare",
        "cli_datasets": "cli.datasets",
        "cli_exports": "cli.exports",
        "cli_fidelity": "cli.fidelity",
        "cli_model": "cli.model",
        "cli_personas": "cli.personas",
        "cli_runs": "cli.runs",
        "cli_warmup": "cli.warmup",
        "progress": "cli.progress",
        "doctor": "cli.doctor",
    },
    "recommenders": {},
}
"""Room -> module in it -> the module's place in the same room today; the others kept their places."""

_IMPORT = re.compile(r"\s*(?:from|import)\s+([\w.]+)")


_T = TypeVar("_T")


class EarlierName(FutureWarning):
    """A file uses a name that the next version does not know any more."""


def present_name(module: str) -> str | None:
    """What a module of 0.1 is called today; None where 0.1 had none of that name.

    >>> present_name("environments.draws")
    'groundlings.environments.random_streams'
    """
    room, _, rest = module.partition(".")
    if room not in _RENAMED:
        return None
    head, tail = rest, ""
    while head and head not in _RENAMED[room]:
        head, _, leaf = head.rpartition(".")
        tail = f".{leaf}{tail}"
    place = _RENAMED[room][head] + tail if head else rest
    name = f"groundlings.{room}.{place}".rstrip(".")
    try:
        return name if find_spec(name) is not None else None
    except ModuleNotFoundError:
        return None


def present_path(path: str) -> str:
    """`module:Class` with the module's name of today, and a warning if that is another one.

    A module of that name that can be imported and is not ours is the one that was meant.
    """
    module, _, attribute = path.partition(":")
    present = present_name(module)
    if present is None or _is_somebody_elses(module, present):
        return path
    warnings.warn(
        f"{module}:{attribute} is now {present}:{attribute}; write that, because the next version knows no other name",
        EarlierName,
        stacklevel=2,
    )
    return f"{present}:{attribute}"


def _is_somebody_elses(module: str, present: str) -> bool:
    try:
        found, ours = find_spec(module), find_spec(present)
    except ModuleNotFoundError:
        return False
    except Exception:  # their package is there, and breaks on import: whoever imports it next tells how
        return True
    if found is None or found.origin is None or ours is None or ours.origin is None:
        return False
    return not Path(found.origin).samefile(ours.origin)


def hint(error: BaseException) -> str:
    """The end of a message about an import that failed: what the module it asked for is called today, or ""."""
    if not isinstance(error, ImportError):
        return ""
    lines = [frame.line or "" for frame in traceback.extract_tb(error.__traceback__)]
    asked = [found[1] for line in lines if (found := _IMPORT.match(line))]
    for module in dict.fromkeys([*reversed(asked), error.name or ""]):
        present = present_name(module)
        if present is not None:
            return f"; {module} is now {present}"
    return ""


def tell_earlier_name(before: str, today: str, stacklevel: int = 3) -> None:
    """Warn whoever called our caller that a name in their code is now another one."""
    warnings.warn(
        f"{before} is now {today}; the next version knows no other name", DeprecationWarning, stacklevel=stacklevel
    )


class EarlierAttribute(Generic[_T]):
    """An attribute that has a new name, under its earlier one; the type parameter is its type.

    >>> class Situation:
    ...     sessions = 12
    ...     visits = EarlierAttribute[int]("sessions")
    >>> Situation().visits
    12
    """

    def __init__(self, today: str) -> None:
        self._today = today

    def __set_name__(self, owner: type, name: str) -> None:
        self._before = name

    def __get__(self, instance: object, owner: type) -> _T:
        name = owner.__name__
        tell_earlier_name(f"{name}.{self._before}", f"{name}.{self._today}")
        found: _T = getattr(owner if instance is None else instance, self._today)
        return found


def earlier_attributes(module: str, **today: str) -> Callable[[str], object]:
    """The `__getattr__` of a module whose names were changed, earlier name = name of today."""

    def find(name: str) -> object:
        if name not in today:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        tell_earlier_name(f"{module}.{name}", today[name])
        return getattr(sys.modules[module], today[name])

    return find
