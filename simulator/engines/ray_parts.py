"""What the tasks of a Ray cluster depend on, as bytes in its object store, and the way back in a worker.

A part is bytes and the arrays in it, which lie once in the memory of each machine. Tastes are parts of their own, which
minds and recommenders mean by a name: a taste is the same for all arms, so that a worker keeps what it has worked out
of it when another arm comes. It brings along who is like whom, and where the process that drives the run keeps
values of pairs: workers on the same machine read and write them there.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np

from groundlings.personas.taste.model import Taste, WorkedOut

Buffers = tuple[bytes, list[Any]]
"""A value as bytes, and the arrays in it."""


def as_buffers(value: object, name_of: Callable[[Taste], str]) -> Buffers:
    """A value as bytes, its tastes left out.

    Args:
        value: The value.
        name_of: Is given each taste in it, and names the part that it is.
    """
    from ray import cloudpickle

    class Packer(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
        def persistent_id(self, obj: Any) -> str | None:
            return name_of(obj) if isinstance(obj, Taste) else None

    stream, arrays = BytesIO(), list[Any]()

    def set_apart(buffer: pickle.PickleBuffer) -> None:
        arrays.append(np.frombuffer(buffer.raw(), np.uint8))

    Packer(stream, protocol=5, buffer_callback=set_apart).dump(value)
    return stream.getvalue(), arrays


def taste_as_buffers(taste: Taste) -> Buffers:
    """A taste as bytes, with what was worked out of it."""
    fields = tuple(taste.__getstate__().values())
    return as_buffers(_Sent(fields, taste.worked_out()), _no_other)


class _Sent:
    """A taste on its way.

    Args:
        fields: What `Taste` is made of.
        known: What was worked out of it.
    """

    def __init__(self, fields: tuple[Any, ...], known: WorkedOut) -> None:
        self._fields, self._known = fields, known

    def arrived(self) -> Taste:
        """The taste."""
        taste = Taste(*self._fields)
        taste.take_over(self._known)
        return taste


def _no_other(taste: Taste) -> str:
    raise TypeError(f"a taste holds another one: {taste}")


_kept: dict[str, tuple[str, Any]] = {}
"""In a worker: name of a part -> its reference in hexadecimal, and the value."""


def part(name: str, held: list[Any]) -> Any:
    """A part in a worker: the one that it has kept, or, where the reference is another one, from the object store."""
    import ray

    (reference,) = held
    if name not in _kept or _kept[name][0] != reference.hex():
        _kept.pop(name, None)
        content, arrays = ray.get(reference)
        value = _Unpacker(BytesIO(content), buffers=arrays).load()
        _kept[name] = reference.hex(), value.arrived() if isinstance(value, _Sent) else value
    return _kept[name][1]


class _Unpacker(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Any:
        return _kept[pid][1]
