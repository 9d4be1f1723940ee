"""Values of our own dataclasses as JSON and arrays, and back: no code is kept, and none is run that a file names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np

_HOME = "groundlings.environments."
_SCALARS = (str, int, float, bool, type(None))

Arrays = dict[str, np.ndarray[Any, Any]]


def as_plain(value: Any, arrays: Arrays) -> Any:
    """A value as JSON can hold it; its arrays are put into `arrays`, and named there.

    Raises:
        TypeError: It holds something else than numbers, texts, tuples, mappings, arrays and our dataclasses.
    """
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.ndarray) and value.ndim == 1 and all(isinstance(each, str | None) for each in value):
        return {"texts": value.tolist()}
    if isinstance(value, tuple):
        if all(isinstance(each, _SCALARS) for each in value):
            return {"flat": value}
        if all(type(each) is dict and _is_flat(each) for each in value):
            return {"rows": value}
        return {"tuple": [as_plain(each, arrays) for each in value]}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"mapping": {key: as_plain(each, arrays) for key, each in value.items()}}
    kind = type(value)
    if is_dataclass(value) and kind.__module__.startswith(_HOME):
        held = {each.name: as_plain(getattr(value, each.name), arrays) for each in fields(value)}
        return {"class": f"{kind.__module__}:{kind.__qualname__}", "fields": held}
    raise TypeError(f"{kind.__name__} is not kept")


def from_plain(plain: Any, arrays: Mapping[str, Any]) -> Any:
    """The value that `as_plain` made this of.

    Raises:
        ValueError, KeyError, TypeError: It was not made so.
    """
    if not isinstance(plain, dict):
        return plain
    match plain:
        case {"array": name}:
            return arrays[name]
        case {"texts": values}:
            return np.array([*values, None], dtype=np.object_)[:-1]
        case {"flat": values} | {"rows": values}:
            return tuple(values)
        case {"tuple": values}:
            return tuple(from_plain(each, arrays) for each in values)
        case {"mapping": values}:
            return {key: from_plain(each, arrays) for key, each in values.items()}
        case {"class": name, "fields": held}:
            module, _, kind = str(name).partition(":")
            found = getattr(import_module(module), kind, None) if module.startswith(_HOME) else None
            if not (isinstance(found, type) and is_dataclass(found)):
                raise ValueError(f"{name} is no dataclass of ours")
            return found(**{key: from_plain(each, arrays) for key, each in held.items()})
    raise ValueError("no value was written so")


def _is_flat(value: dict[Any, Any]) -> bool:
    return all(isinstance(key, str) and isinstance(each, _SCALARS) for key, each in value.items())
