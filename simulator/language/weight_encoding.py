"""The same weights in another encoding: what is smallest to fetch is not what is fastest to run.

llama.cpp reads a prompt 1.7 times faster in Q8_0 than in Q4_1 (one core with AVX-512: 180 tokens in 0.52 and in 0.87
seconds). The rounding this adds is at most 1/254 of the largest weight in a block of 32, far below what the four bits
took away before.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundlings.environments.errors import ConfigError
from groundlings.environments.leftovers import SIGNS, remove_leftovers

_DRAFT = ".groundlings-encoding-"
"""A name that nobody else gives: weights may lie in a folder of somebody's own."""

Additions = Mapping[str, Callable[[], NDArray[np.float64]]]
"""Tensor name -> what is added to its values, of the same shape; computed one at a time, for all of them are large."""


def faster_copy(source: Path, name: str, changed: Callable[[], Additions] = dict) -> Path:
    """The Q8_0 copy of a checked GGUF file, kept beside it under `name`.

    It is made when it is missing, or when it is not what was once made from this source: a copy can always be made
    again, so a damaged one is no error.

    Args:
        source: The file.
        name: Of the copy; tells copies apart of which other values were changed.
        changed: Gives what is added to the values of some tensors, when a copy is made.
    """
    target = source.with_name(name)
    note = target.with_suffix(".sha256")
    if target.exists() and note.exists() and note.read_bytes() == sha256_of(target).encode():
        return target
    remove_leftovers(source.parent, f"{_DRAFT}{SIGNS}")
    with tempfile.TemporaryDirectory(dir=source.parent, prefix=_DRAFT) as workplace:
        copy = Path(workplace) / name
        reencode_as_q8(source, copy, added=changed())
        note.write_text(sha256_of(copy), encoding="utf-8")
        copy.replace(target)
    return target


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def gguf_library() -> Any:
    """What reads and writes GGUF files.

    Raises:
        ConfigError: The extra is not installed.
    """
    try:
        import gguf
    except ImportError:
        raise ConfigError(
            'the embedded model needs an extra that is not installed: pip install "groundlings[embedded]"'
        ) from None
    return gguf


def reencode_as_q8(
    source: Path,
    target: Path,
    other: Mapping[str, NDArray[np.float32]] | None = None,
    added: Additions | None = None,
) -> None:
    """Write the GGUF model in `source` to `target` with every quantised tensor as Q8_0; metadata are kept.

    Args:
        source: The model.
        target: Where to write.
        other: Tensor name -> values that take the place of its own, of the same shape.
        added: What is added to the values.

    Raises:
        ConfigError: The extra is not installed.
        ValueError: `other` or `added` has a tensor that the model lacks, or of another shape.
    """
    other, added = other or {}, added or {}
    gguf = gguf_library()
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for field in reader.fields.values():
        # The writer adds these itself; the file type would no longer be true.
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        writer.add_key_value(
            field.name,
            field.contents(),
            kind,
            sub_type=field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None,
        )
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    eight_bits = gguf.GGMLQuantizationType.Q8_0
    if strange := sorted({*other, *added} - {tensor.name for tensor in reader.tensors}):
        raise ValueError(f"{source} has no tensors {', '.join(strange)}")
    for tensor in reader.tensors:
        values = other.get(tensor.name)
        if values is None:
            values = gguf.dequantize(tensor.data, tensor.tensor_type)
        shape = tuple(reversed(tensor.shape.tolist()))
        _refuse_shape(tensor.name, values.shape, shape)
        if tensor.name in added:
            more = added[tensor.name]()
            _refuse_shape(tensor.name, more.shape, shape)
            values = (values + more).astype(np.float32)
        if tensor.tensor_type == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(tensor.name, values)
        else:
            writer.add_tensor(tensor.name, gguf.quantize(values, eight_bits), raw_dtype=eight_bits)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _refuse_shape(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise ValueError(f"{name}: found {found}, expected {expected}")
