"""Every public method of a reader names the damage of a log that keeps it from an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import isfunction, isgeneratorfunction
from typing import Any, TypeVar

from groundlings.simulator.log.reading.open_log import OpenLog

Reader = TypeVar("Reader", bound=type[OpenLog])


def naming_damage(reader: Reader) -> Reader:
    """The same class, each public method of which is within `OpenLog._naming_damage`, inherited ones as well."""
    for name in dir(reader):
        method = getattr(reader, name)
        if isfunction(method) and not name.startswith("_"):
            setattr(reader, name, _generator(method) if isgeneratorfunction(method) else _function(method))
    return reader


def _function(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def within(self: OpenLog, *args: Any, **options: Any) -> Any:
        with self._naming_damage():
            return method(self, *args, **options)

    return within


def _generator(method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @wraps(method)
    def within(self: OpenLog, *args: Any, **options: Any) -> Iterator[Any]:
        with self._naming_damage():
            yield from method(self, *args, **options)

    return within
