"""Reads a file of tensors in the safetensors format: eight bytes, a header in JSON, then plain numbers.

The header says type, shape and place of each tensor; nothing in such a file is code. It is read with NumPy alone, so
that whoever uses an adapter needs no further library.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.errors import ConfigError, DataError

_LENGTH_BYTES = 8
_LONGEST_HEADER = 10_000_000
_TYPES = {"F16": "<f2", "F32": "<f4"}


@dataclass(frozen=True, slots=True)
class Tensors:
    """The content of a file.

    Attributes:
        values: Name -> float32 or float16 values in the shape that the header says.
        notes: What whoever wrote it noted, name -> text.
    """

    values: Mapping[str, NDArray[Any]]
    notes: Mapping[str, str]


def read_tensors(path: Path) -> Tensors:
    """All tensors of a file.

    Raises:
        ConfigError: There is no such file.
        DataError: It is damaged, or holds other numbers than float16 and float32, or numbers that are not finite.
    """
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise ConfigError(f"{path}: cannot be read ({fault.strerror})") from None
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    start = _LENGTH_BYTES + length
    try:
        if not 2 <= length <= _LONGEST_HEADER or start > len(content):
            raise ValueError("its header does not end in it")
        header = json.loads(content[_LENGTH_BYTES:start])
        notes = header.pop("__metadata__", {})
        values = {name: _tensor(name, said, memoryview(content)[start:]) for name, said in header.items()}
        return Tensors(values, {str(name): str(note) for name, note in notes.items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        said = f"the header lacks {fault}" if isinstance(fault, KeyError) else str(fault)
        raise DataError(f"{path}: is damaged, or no file of tensors in the safetensors format ({said})") from None


def _tensor(name: str, said: Mapping[str, Any], numbers: memoryview) -> NDArray[Any]:
    kind, shape, (first, end) = said["dtype"], tuple(said["shape"]), said["data_offsets"]
    if kind not in _TYPES:
        raise ValueError(f"{name}: found numbers of the type {kind}, expected {' or '.join(_TYPES)}")
    kept = np.dtype(_TYPES[kind])
    if not 0 <= first <= end <= len(numbers) or end - first != math.prod(shape) * kept.itemsize:
        raise ValueError(f"{name}: its numbers are not where the header says")
    values = np.frombuffer(numbers[first:end], dtype=kept).reshape(shape)
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: holds numbers that are not finite")
    return values
