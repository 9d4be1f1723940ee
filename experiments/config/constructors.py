"""The options of shipped environments, read from their constructors and what the docstrings say of each argument."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from typing import Any, get_type_hints

from groundlings.environments.registry import ENVIRONMENTS, EnvironmentContext

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", re.MULTILINE)
_OF_ITS_OWN = ("conversation", "search")
"""Shipped environments with options; those of `feed` are the keys of `site`."""


def shipped_environments() -> Iterator[tuple[str, str, list[tuple[str, Any, Any, str]]]]:
    """Name, first line of the docstring, and options (name, annotation, default, meaning) of each."""
    given = {field.name for field in fields(EnvironmentContext)}
    for name in _OF_ITS_OWN:
        module, _, kind = ENVIRONMENTS.shipped[name].partition(":")
        made = getattr(import_module(module), kind)
        told, hints = _told(inspect.getdoc(made) or ""), get_type_hints(made.__init__)
        options = [
            (each.name, hints[each.name], each.default, told.get(each.name, ""))
            for each in inspect.signature(made).parameters.values()
            if each.name not in given
        ]
        yield name, (inspect.getdoc(made) or "").splitlines()[0], options


def _told(documentation: str) -> dict[str, str]:
    """Argument -> what the docstring says of it."""
    found = _SECTION.search(f"{documentation}\n")
    return {
        name: " ".join(text.split())
        for names, text in _ARGUMENT.findall(found.group(1) if found else "")
        for name in names.split(", ")
    }
