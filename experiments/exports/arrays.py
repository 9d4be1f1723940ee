"""Plain arrays of a log, no pickles: what `open_bandit`, `d3rlpy` and `minari` have in common."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import DataError
from groundlings.environments.memory import available_memory, spelt
from groundlings.experiments.exports.source import Agent

Columns: TypeAlias = Mapping[str, tuple[type, tuple[int, ...]]]
"""Name -> kind of the numbers, and the shape of a row."""

TRAITS = ("history_length", "activity", "diversity")
"""Measurements of a real person's training history."""


def traits_of(agent: Agent) -> tuple[float, float, float]:
    """The numbers of `TRAITS`."""
    traits = agent.persona["traits"]
    return agent.persona["history_length"], traits["activity"]["value"], traits["diversity"]["value"]


def texts(cells: Sequence[str], what: str, format_name: str) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Texts as NumPy has them, each in as much room as the longest takes; `DataError` where that is too much."""
    longest = max(map(len, cells), default=0)
    needed, there = len(cells) * longest * np.dtype("U1").itemsize, available_memory()
    if there.bytes is not None and needed > there.bytes:
        raise DataError(
            f"--format {format_name}: a {what} has {longest:,} characters, and arrays of text give as much room to "
            f"each of the {len(cells):,}, which takes {spelt(needed)}, and {spelt(there.bytes)} are left "
            f"({there.limit}); shorten it, or choose another format"
        )
    return np.array(cells, dtype=np.str_)


_WRITTEN_AT = 10 * 365 * 86_400 + 30 * 86_400
"""In January 1980, the first that an archive can say of its members: the same rows give the same bytes."""


class GrowingArrays:
    """Arrays that grow chunk by chunk, a `.npy` file each, and are one `.npz` in the end; use it as a context manager.

    `numpy.savez` would want them whole.

    Args:
        path: The `.npz`, in a directory that does not exist yet.
        n_rows: How many rows there will be.
        columns: Kind and width of each array.
    """

    def __init__(self, path: Path, n_rows: int, columns: Columns) -> None:
        self._path, self._n_rows, self._poured = path, n_rows, 0
        self._columns = columns
        path.parent.mkdir(parents=True)
        self._files = {name: (path.parent / f"{name}.npy").open("wb") for name in columns}
        for name, (kind, width) in columns.items():
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": (n_rows, *width)}
            np.lib.format.write_array_header_1_0(self._files[name], header)

    def __enter__(self) -> GrowingArrays:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def pour(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Add rows."""
        for name, (kind, _) in self._columns.items():
            self._files[name].write(np.ascontiguousarray(arrays[name], dtype=kind).tobytes())
        self._poured += len(next(iter(arrays.values())))

    def zip(self, fixed: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put the arrays, and others that are small, into one `.npz`."""
        if self._poured != self._n_rows:
            raise RuntimeError(f"{self._n_rows} rows were counted, {self._poured} were read: the log changed")
        with zipfile.ZipFile(self._path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, array in fixed.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            for name, file in self._files.items():
                file.close()
                path = self._path.parent / f"{name}.npy"
                os.utime(path, (_WRITTEN_AT, _WRITTEN_AT))
                archive.write(path, path.name)
                path.unlink()


class Rows:
    """Where things of a log stand in the arrays, by the log's numbers."""

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        found = np.array(sorted(pairs), dtype=np.int64).reshape(len(pairs), 2)
        self._numbers, self._rows = found[:, 0], found[:, 1]

    def of(self, numbers: IntArray) -> IntArray:
        """The row of each number; all of them are known."""
        return self._rows[np.searchsorted(self._numbers, numbers)]
